"""Recurrent layers and single-step cells with PyTorch's calls, argument order and parameter names."""

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np

from minirnn import cells, ops
from minirnn.array import check_float, xp_of
from minirnn.autograd import Tensor
from minirnn.autograd.tape import lift
from minirnn.border import check_positive
from minirnn.cells import Masks
from minirnn.errors import InputError, check_shape, must_be, near
from minirnn.nn.layers import check_rate, check_size, draw_mask
from minirnn.nn.module import Module, parameter
from minirnn.nn.recurrence import one_step, recurrence
from minirnn.nn.recurrent_dropout import as_recurrent_dropout, for_cell, zoneout_masks, zoneout_rates
from minirnn.nn.streams import streams as as_streams


@dataclass(frozen=True)
class LayerOptions:
    """What every recurrent layer may be given by name, as its keywords; ``Recurrent`` says what each is for."""

    bias: bool = True
    batch_first: bool = False
    dropout: float = 0.0
    bidirectional: bool = False
    recurrent_dropout: Any = None
    zoneout: Any = None
    rng: Any = None
    dtype: Any = np.float32
    kernels: str | None = None
    clip_step: float | None = None
    checkpoint_every: int | None = None

    # what a layer keeps as attributes of its own
    KEPT: ClassVar[tuple] = ("bias", "batch_first", "dropout", "bidirectional", "recurrent_dropout", "zoneout",
                             "kernels", "clip_step", "checkpoint_every")

    @classmethod
    def checked(cls, where, cell, given):
        """The options as one, or InputError for a name that there is not or a value that does not fit the cell."""
        known = [field.name for field in fields(cls)]
        for name in given:
            if name not in known:
                raise InputError(must_be(where, "option", f"one of {', '.join(known)}", repr(name), near(name, known)))
        options = cls(**given)
        if options.clip_step is not None:
            check_positive(where, "clip_step", options.clip_step)
        if options.checkpoint_every is not None:
            check_positive(where, "checkpoint_every", options.checkpoint_every, whole=True)
        return replace(options, bias=bool(options.bias), bidirectional=bool(options.bidirectional),
                       dropout=check_rate(where, options.dropout),
                       recurrent_dropout=as_recurrent_dropout(options.recurrent_dropout),
                       zoneout=zoneout_rates(where, cell, options.zoneout))


class Recurrent(Module):
    """What RNN, LSTM and GRU layers share: stacking, directions, dropout between layers, states, lengths.

    Called as layer(x, state=None, lengths=None, *, streams=None) -> y, final state, as in PyTorch: x (T, B, D), or (B,
    T, D) with batch_first, or (T, D) without a batch; y (T, B, dirs * H); each state (layers * dirs, B, H), zeros if
    None.

        lstm = nn.LSTM(8, 16, num_layers=2, bidirectional=True, rng=0)
        y, (h, c) = lstm(x)    # x (35, 4, 8): y (35, 4, 32), h and c (4, 4, 16)

    checkpoint_every=k keeps only every k-th state for the backward pass and computes the rest again (``minirnn.bptt``).
    lengths (B,) ends each row at its own step: y is zero after it and the final state is the row's own.
    recurrent_dropout: see nn.RecurrentDropout. zoneout (LSTM, GRU): the probability that a unit keeps its old value in
    a step, in evaluation the share of it that stays (slides); for an LSTM also a pair, of the memory and the hidden
    state. Where both are given, dropout makes the new state and zoneout chooses between it and the old one. rng draws
    the initial weights. streams, as ``nn.streams`` takes them, are needed where a mask is drawn in training. Raises
    InputError or DtypeError for anything that does not fit.
    """

    def __init__(self, cell, input_size, hidden_size, num_layers, options):
        where = type(self).__name__
        options = LayerOptions.checked(where, cell, options)
        vars(self).update({name: getattr(options, name) for name in LayerOptions.KEPT})
        self.cell = cell
        self.input_size = check_size(where, "input_size", input_size)
        self.hidden_size = check_size(where, "hidden_size", hidden_size)
        self.num_layers = check_size(where, "num_layers", num_layers)
        rng = np.random.default_rng(options.rng)
        for layer in range(self.num_layers):
            inputs = self.input_size if layer == 0 else self.hidden_size * self.directions
            for suffix in self._suffixes(layer):
                weights = cell.initial(rng, inputs, self.hidden_size, options.dtype, self.bias)
                for name, value in weights._asdict().items():
                    if value is not None:
                        setattr(self, name + suffix, parameter(value))

    @property
    def directions(self):
        return 2 if self.bidirectional else 1

    def _suffixes(self, layer):
        return [f"_l{layer}", f"_l{layer}_reverse"][: self.directions]

    def weights(self, layer=0, reverse=False):
        """The weights, Tensors, of one layer and direction."""
        suffix = self._suffixes(layer)[int(reverse)]
        return self.cell.Weights(*(getattr(self, name + suffix, None) for name in self.cell.Weights._fields))

    def forward(self, x, state=None, lengths=None, *, streams=None):
        where = type(self).__name__
        x, streams = lift(x), as_streams(streams)
        batched = x.ndim == 3
        if x.ndim not in (2, 3) or x.shape[-1] != self.input_size:
            form = "(B, T, D)" if self.batch_first else "(T, B, D)"
            raise InputError(must_be(where, "x", f"{form} or (T, D) with D = {self.input_size}", x.shape))
        check_float(where, "x", x)
        x = ops.unsqueeze(x, 1) if not batched else ops.swapaxes(x, 0, 1) if self.batch_first else x
        state = self._split_state(state, x, batched)
        finals = []
        for layer in range(self.num_layers):
            outputs = []
            for reverse in range(self.directions):
                place = layer * self.directions + reverse
                masks = self._masks(x, place, streams)
                y, final = recurrence(
                    self.cell, x, state[place], self.weights(layer, reverse), masks, lengths=lengths,
                    reverse=bool(reverse), form=self.kernels, clip_step=self.clip_step,
                    checkpoint_every=self.checkpoint_every,
                )
                outputs.append(y)
                finals.append(final)
            x = outputs[0] if len(outputs) == 1 else ops.concatenate(outputs, axis=-1)
            if layer + 1 < self.num_layers:
                x = self._between(x, layer, streams)
        final = tuple(map(ops.stack, zip(*finals)))
        if not batched:
            x, final = ops.squeeze(x, 1), tuple(ops.squeeze(s, 1) for s in final)
        elif self.batch_first:
            x = ops.swapaxes(x, 0, 1)
        return x, final if len(final) > 1 else final[0]

    def _split_state(self, state, x, batched):
        """One tuple of (B, H) Tensors for every layer and direction."""
        where, names = type(self).__name__, self.cell.states
        places, B = self.num_layers * self.directions, x.shape[1]
        if state is None:
            zero = Tensor(xp_of(x.value).zeros((B, self.hidden_size), x.dtype))
            return [(zero,) * len(names)] * places
        state = state if isinstance(state, (tuple, list)) else (state,)
        if len(state) != len(names):
            raise InputError(must_be(where, "state", f"{len(names)} tensors ({', '.join(names)})", len(state)))
        parts = []
        for name, s in zip(names, map(lift, state)):
            s = s if batched else ops.unsqueeze(s, 1)
            cause = "time and batch exchanged, or another number of layers?"
            check_shape(where, f"{name}0", s, "(layers * directions, B, H)", (places, B, self.hidden_size), cause)
            parts.append([s[k] for k in range(places)])
        return list(zip(*parts))

    def _masks(self, x, place, streams):
        """The masks of one layer and direction, numbered ``place``; dropout and zoneout have streams of their own."""
        if self.recurrent_dropout is None and not any(self.zoneout.values()):
            return Masks()

        def generator(purpose, rates):
            return self._need(streams)(purpose, place) if self.training and any(rates.values()) else None

        masks, options = Masks(), (*x.shape[:2], self.hidden_size, x.value, self.training)
        if self.recurrent_dropout is not None:
            masks = self.recurrent_dropout.masks(generator("recurrent", self.recurrent_dropout.rates()), *options)
            masks = for_cell(self.cell, masks)
        return masks._replace(**zoneout_masks(self.zoneout, generator("zoneout", self.zoneout), *options))

    def _between(self, x, layer, streams):
        if not self.training or self.dropout == 0:
            return x
        keep = 1 - self.dropout
        generator = self._need(streams)("between", layer)
        return ops.dropout(x, Tensor(draw_mask(generator, x.shape, keep, x.value, 1 / keep)))

    def _need(self, streams):
        if streams is None:
            what = "a seed, a Generator or Streams where dropout trains"
            raise InputError(must_be(type(self).__name__, "streams", what, None, "pass streams=, or call eval()"))
        return streams


class RNN(Recurrent):
    """Vanilla recurrent layer, h_t = f(W_ih x_t + W_hh h_{t-1} + b), f tanh, relu or identity. Thesis (2.2.2).

    RNN(D, H)(x, h0) -> y (T, B, dirs * H), h_n (layers * dirs, B, H); see Recurrent for the call.
    """

    def __init__(self, input_size, hidden_size, num_layers=1, *, nonlinearity="tanh", **options):
        super().__init__(cells.RNN(nonlinearity), input_size, hidden_size, num_layers, options)


class LSTM(Recurrent):
    """Long short-term memory, thesis (2.2.4)-(2.2.6); forget_gate=False is version 0, activation may be relu.

    LSTM(D, H)(x, (h0, c0)) -> y (T, B, dirs * H), (h_n, c_n) each (layers * dirs, B, H); see Recurrent for the call.
    """

    def __init__(self, input_size, hidden_size, num_layers=1, *, forget_gate=True, activation="tanh", **options):
        super().__init__(cells.LSTM(forget_gate, activation), input_size, hidden_size, num_layers, options)


class PeepholeLSTM(Recurrent):
    """Long short-term memory whose gates see the memory, graves (7)-(11); parameters as LSTM's, and weight_ch (3H,).

    PeepholeLSTM(D, H)(x, (h0, c0)) -> y (T, B, dirs * H), (h_n, c_n) each (layers * dirs, B, H); see Recurrent.
    """

    def __init__(self, input_size, hidden_size, num_layers=1, **options):
        super().__init__(cells.PeepholeLSTM(), input_size, hidden_size, num_layers, options)


class GRU(Recurrent):
    """Gated recurrent unit. reset_after=False is the thesis's form, (2.2.7)-(2.2.9); reset_after=True is PyTorch's.

    GRU(D, H)(x, h0) -> y (T, B, dirs * H), h_n (layers * dirs, B, H); see Recurrent for the call. convention says which
    gate value keeps the old state (cells.GRU): with z = 1 "slides" keeps all of it and "thesis" nothing.
    """

    def __init__(self, input_size, hidden_size, num_layers=1, *, reset_after=False, convention=None, **options):
        super().__init__(cells.GRU(reset_after, convention), input_size, hidden_size, num_layers, options)


class SingleStep(Module):
    """What RNNCell, LSTMCell and GRUCell share: one step, x (B, D) and state (B, H) -> new state."""

    def __init__(self, cell, input_size, hidden_size, bias, rng, dtype):
        self.cell = cell
        self.input_size = check_size(type(self).__name__, "input_size", input_size)
        self.hidden_size = check_size(type(self).__name__, "hidden_size", hidden_size)
        weights = cell.initial(np.random.default_rng(rng), input_size, hidden_size, dtype, bias)
        for name, value in weights._asdict().items():
            if value is not None:
                setattr(self, name, parameter(value))

    def forward(self, x, state=None, masks=None):
        x = lift(x)
        check_shape(type(self).__name__, "x", x, "(B, D)", (None, self.input_size))
        if state is None:
            zero = Tensor(xp_of(x.value).zeros((x.shape[0], self.hidden_size), x.dtype))
            state = (zero,) * len(self.cell.states)
        state = state if isinstance(state, (tuple, list)) else (state,)
        weights = self.cell.Weights(*(getattr(self, name, None) for name in self.cell.Weights._fields))
        final = one_step(type(self).__name__, self.cell, x, state, weights, masks)
        return final if len(final) > 1 else final[0]


class RNNCell(SingleStep):
    """One step of RNN: RNNCell(D, H)(x, h) -> h."""

    def __init__(self, input_size, hidden_size, *, bias=True, nonlinearity="tanh", rng=None, dtype=np.float32):
        super().__init__(cells.RNN(nonlinearity), input_size, hidden_size, bias, rng, dtype)


class LSTMCell(SingleStep):
    """One step of LSTM: LSTMCell(D, H)(x, (h, c)) -> (h, c)."""

    def __init__(self, input_size, hidden_size, *, bias=True, forget_gate=True, activation="tanh", rng=None,
                 dtype=np.float32):
        super().__init__(cells.LSTM(forget_gate, activation), input_size, hidden_size, bias, rng, dtype)


class GRUCell(SingleStep):
    """One step of GRU: GRUCell(D, H)(x, h) -> h."""

    def __init__(self, input_size, hidden_size, *, bias=True, reset_after=False, convention=None, rng=None,
                 dtype=np.float32):
        super().__init__(cells.GRU(reset_after, convention), input_size, hidden_size, bias, rng, dtype)


RECURRENT = {"rnn": RNN, "lstm": LSTM, "lstm-peephole": PeepholeLSTM, "gru": GRU}

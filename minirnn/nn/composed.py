"""The cells written with tape operations: slow, obviously right, differentiable to any order.

Nothing here is derived by hand; these are the definitions. They check the explicit cells, and a recurrent layer
re-runs itself in this form when the derivative of its gradient is asked for.
"""

from functools import singledispatch

from minirnn import ops
from minirnn.array import xp_of
from minirnn.autograd import Tensor
from minirnn.bptt import active_steps, mask_at
from minirnn.cells import GRU, LSTM, RNN, CoupledLSTM, PeepholeLSTM
from minirnn.errors import InputError, must_be


def _drop(mask, x):
    return x if mask is None else ops.dropout(x, mask)


def _zoneout(d, old, new):
    return new if d is None else d * old + (1 - d) * new


def _activation(name):
    return {"tanh": ops.tanh, "relu": ops.relu, "identity": lambda x: x}[name]


@singledispatch
def step(cell, x, state, w, masks):
    """One step of any cell: x (B, D), state Tensors (B, H), its weights as Tensors -> new state.

    A cell's own form is registered by its class: ``@step.register(LSTM)``. Raises InputError for one without.
    """
    known = ", ".join(kind.__name__ for kind in step.registry if kind is not object)
    raise InputError(must_be("composed", "cell", f"one with a form on the tape ({known})", type(cell).__name__))


@step.register(RNN)
def rnn_step(cell, x, state, w, masks):
    """h = f(W [x, h_prev] + b): x (B, D), h (B, H)."""
    (h,) = state
    a = ops.linear(x, w.weight_ih, w.bias_ih) + ops.linear(
        _drop(masks.gal, h), w.weight_hh, w.bias_hh
    )  # thesis (2.2.2)
    return (_activation(cell.nonlinearity)(a),)


@step.register(LSTM)
def lstm_step(cell, x, state, w, masks):
    """One LSTM step on the tape: x (B, D), h and c (B, H)."""
    h_prev, c_prev = state
    phi = _activation(cell.activation)
    a = ops.linear(x, w.weight_ih, w.bias_ih) + ops.linear(_drop(masks.gal, h_prev), w.weight_hh, w.bias_hh)
    gate = dict(zip(cell.gates, ops.split(a, len(cell.gates), axis=-1)))
    i, o, g = ops.sigmoid(gate["i"]), ops.sigmoid(gate["o"]), phi(gate["g"])  # thesis (2.2.4)
    kept = ops.sigmoid(gate["f"]) * c_prev if cell.forget_gate else c_prev
    c = _drop(masks.moon, kept + i * _drop(masks.ours, g))  # thesis (2.2.5)
    h = o * phi(c)  # thesis (2.2.6)
    return _zoneout(masks.zoneout_h, h_prev, h), _zoneout(masks.zoneout_c, c_prev, c)  # slides


@step.register(PeepholeLSTM)
def peephole_step(cell, x, state, w, masks):
    """One step of a peephole LSTM on the tape: x (B, D), h and c (B, H)."""
    h_prev, c_prev = state
    p_i, p_f, p_o = ops.split(w.weight_ch, 3)
    a = ops.linear(x, w.weight_ih, w.bias_ih) + ops.linear(_drop(masks.gal, h_prev), w.weight_hh, w.bias_hh)
    a_i, a_f, a_g, a_o = ops.split(a, 4, axis=-1)
    i, f = ops.sigmoid(a_i + p_i * c_prev), ops.sigmoid(a_f + p_f * c_prev)  # graves (7), (8)
    c = _drop(masks.moon, f * c_prev + i * _drop(masks.ours, ops.tanh(a_g)))  # graves (9)
    h = ops.sigmoid(a_o + p_o * c) * ops.tanh(c)  # graves (10), (11)
    return _zoneout(masks.zoneout_h, h_prev, h), _zoneout(masks.zoneout_c, c_prev, c)


@step.register(CoupledLSTM)
def coupled_step(cell, x, state, w, masks):
    """One step of an LSTM with coupled gates on the tape: x (B, D), h and c (B, H)."""
    h_prev, c_prev = state
    a = ops.linear(x, w.weight_ih, w.bias_ih) + ops.linear(_drop(masks.gal, h_prev), w.weight_hh, w.bias_hh)
    a_f, a_g, a_o = ops.split(a, 3, axis=-1)
    f = ops.sigmoid(a_f)  # thesis (2.2.4)
    c = _drop(masks.moon, f * c_prev + (1 - f) * _drop(masks.ours, ops.tanh(a_g)))  # thesis (2.2.5) with i = 1 - f
    h = ops.sigmoid(a_o) * ops.tanh(c)  # thesis (2.2.6)
    return _zoneout(masks.zoneout_h, h_prev, h), _zoneout(masks.zoneout_c, c_prev, c)


@step.register(GRU)
def gru_step(cell, x, state, w, masks):
    """One GRU step on the tape in any of its forms: x (B, D), h (B, H)."""
    (h_prev,) = state
    h = _drop(masks.gal, h_prev)
    H = h.shape[-1]
    x_r, x_z, x_n = ops.split(ops.linear(x, w.weight_ih, w.bias_ih), 3, axis=-1)
    bias = (None, None) if w.bias_hh is None else ops.split(w.bias_hh, [2 * H, H])
    weight_rz, weight_n = ops.split(w.weight_hh, [2 * H, H])
    h_r, h_z = ops.split(ops.linear(h, weight_rz, bias[0]), 2, axis=-1)
    r, z = ops.sigmoid(x_r + h_r), ops.sigmoid(x_z + h_z)  # thesis (2.2.7)
    if cell.reset_after:
        n = ops.tanh(x_n + r * ops.linear(h, weight_n, bias[1]))
    else:
        n = ops.tanh(x_n + ops.linear(r * h, weight_n, bias[1]))  # thesis (2.2.8)
    n = _drop(masks.ours, n)
    new = (1 - z) * h_prev + z * n if cell.convention == "thesis" else (1 - z) * n + z * h_prev  # thesis (2.2.9)
    return (_zoneout(masks.zoneout_h, h_prev, _drop(masks.moon, new)),)


def sequence(cell, x, state, weights, masks, lengths=None, reverse=False):
    """A cell over time on the tape: x (T, B, D), state and weights Tensors -> y (T, B, H), final state.

    The same function as ``minirnn.bptt.forward``, padded steps and reversed time included.
    """
    T, xp = x.shape[0], xp_of(x.value)
    active = None if lengths is None else active_steps(T, lengths, xp)  # (T, B, 1)
    if active is not None:
        x = ops.where(active, x, 0.0)
    y = [None] * T
    for t in reversed(range(T)) if reverse else range(T):
        new = step(cell, x[t], state, weights, mask_at(masks, t))
        if active is not None:
            new = tuple(ops.where(active[t], n, old) for n, old in zip(new, state))
        state, y[t] = new, new[0]
    y = ops.stack(y)
    return y if active is None else ops.where(active, y, Tensor(xp.zeros((), x.dtype))), state

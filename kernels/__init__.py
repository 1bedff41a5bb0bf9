"""Sequence kernels (Numba): the recurrences of minirnn.cells over a whole sequence, forward and back, at full speed.

Importing this compiles nothing and loads no Numba; the first call of a cell does, per dtype, and keeps the machine code
in the user's cache directory. README.md beside this file has the design, every kernel's slower twin and the limits.
"""

import numbers

import numpy as np
from minirnn.kernels import border

from minirnn.errors import DtypeError, InputError, must_be


def _final(where, saved, dy, **finals):
    """dy laid out, and fresh arrays that start as the gradients of the final states."""
    T, B, D, H = saved.inputs.sizes()
    dtype = saved.inputs.x.dtype
    if dy is None:
        dy = np.zeros((T, B, H), dtype)
    dy = border.laid_out(where, "dy", dy, dtype, "(T, B, H)", (T, B, H))
    return dy, *(border.final_gradient(where, name, value, saved.h[0]) for name, value in finals.items())


def _biases(inputs, dbias_ih, dbias_hh):
    """The gradients of the biases that there are, each in an array of its own."""
    dbias_hh = dbias_hh.copy() if dbias_hh is dbias_ih else dbias_hh
    return None if inputs.bias_ih is None else dbias_ih, None if inputs.bias_hh is None else dbias_hh


def lstm_forward(
    x, h0, c0, weight_ih, weight_hh, bias_ih, bias_hh, *,
    activation="tanh", gal=None, moon=None, ours=None, zoneout_c=None, zoneout_h=None, lengths=None,
):
    """LSTM over a sequence: x (T, B, D), states (B, H) -> h (T+1, B, H), c (T+1, B, H), saved.

    weight_ih (4H, D), weight_hh (4H, H), biases (4H,) or None, gates stacked i f g o, thesis (2.2.4)-(2.2.6);
    ``activation`` phi 'tanh' or 'relu'. Masks are factors, (T, B, H), (B, H) or one number: gal on the state that
    enters the gates, moon on the new cell, ours on the update, thesis (3.3.8)-(3.3.10); zoneout_c and zoneout_h, in
    [0, 1], are the shares of the old cell and state that stay (slides). Beyond lengths[b] steps row b keeps its state.
    InputError for shapes, DtypeError for types.
    """
    from minirnn.kernels import lstm

    where = "lstm_forward"
    border.one_of(where, "activation", activation, ("tanh", "relu"))
    inputs = border.inputs(where, 4, x, weight_ih, weight_hh, bias_ih, bias_hh, lengths, gal=gal, moon=moon, ours=ours,
                           zoneout_c=zoneout_c, zoneout_h=zoneout_h)
    h, c = border.states(where, "h0", h0, inputs), border.states(where, "c0", c0, inputs)
    return h, c, lstm.forward(inputs, h, c, int(activation == "relu"))


def lstm_backward(saved, dy, dh_final=None, dc_final=None, *, consume=False):
    """Gradients of an LSTM over a sequence: dy (T, B, H), final states' gradients (B, H) or None -> gradients.

    Returns (dx, dh0, dc0, dweight_ih, dweight_hh, dbias_ih, dbias_hh), None for an absent bias. dy is ignored at padded
    steps. With ``consume`` the saved arrays are overwritten: faster, and ``saved`` can be used only once.
    """
    from minirnn.kernels import lstm

    border.flag("lstm_backward", "consume", consume)
    border.unspoiled("lstm_backward", saved, lstm.Saved)
    dy, dh, dc = _final("lstm_backward", saved, dy, dh_final=dh_final, dc_final=dc_final)
    dx, dweight_ih, dweight_hh, dbias = lstm.backward(saved, dy, dh, dc, consume)
    return dx, dh, dc, dweight_ih, dweight_hh, *_biases(saved.inputs, dbias, dbias)


def rnn_forward(x, h0, weight_ih, weight_hh, bias_ih, bias_hh, *, nonlinearity="tanh", gal=None, lengths=None):
    """Vanilla RNN over a sequence: x (T, B, D), h0 (B, H) -> h (T+1, B, H), saved. thesis (2.2.2)

    weight_ih (H, D), weight_hh (H, H), biases (H,) or None; nonlinearity 'tanh', 'relu' or 'identity'. Mask, lengths
    and errors as for ``lstm_forward``; its only mask is gal, thesis (3.3.4).
    """
    from minirnn.kernels import rnn

    border.one_of("rnn_forward", "nonlinearity", nonlinearity, rnn.NONLINEARITIES)
    inputs = border.inputs("rnn_forward", 1, x, weight_ih, weight_hh, bias_ih, bias_hh, lengths, gal=gal)
    h = border.states("rnn_forward", "h0", h0, inputs)
    return h, rnn.forward(inputs, h, nonlinearity)


def rnn_backward(saved, dy, dh_final=None):
    """Gradients of an RNN over a sequence, as ``lstm_backward``: (dx, dh0, dweight_ih, ..hh, dbias_ih, ..hh)."""
    from minirnn.kernels import rnn

    border.unspoiled("rnn_backward", saved, rnn.Saved)
    dy, dh = _final("rnn_backward", saved, dy, dh_final=dh_final)
    dx, dweight_ih, dweight_hh, dbias = rnn.backward(saved, dy, dh)
    return dx, dh, dweight_ih, dweight_hh, *_biases(saved.inputs, dbias, dbias)


def gru_forward(
    x, h0, weight_ih, weight_hh, bias_ih, bias_hh, *,
    reset_after=False, convention=None, gal=None, moon=None, ours=None, zoneout_h=None, lengths=None,
):
    """GRU over a sequence: x (T, B, D), h0 (B, H) -> h (T+1, B, H), saved. thesis (2.2.7)-(2.2.9)

    weight_ih (3H, D), weight_hh (3H, H), biases (3H,) or None, gates stacked r z n. ``convention`` 'thesis': z weighs
    the candidate; 'slides': the old state. With ``reset_after``, PyTorch's form ('slides' only), r multiplies the
    product. Masks, lengths and errors as for ``lstm_forward``.
    """
    from minirnn.kernels import gru, gru_reset_after

    where = "gru_forward"
    border.flag(where, "reset_after", reset_after)
    if convention is None:
        convention = "slides" if reset_after else "thesis"
    border.one_of(where, "convention" + " with reset_after" * bool(reset_after), convention,
                  ("slides",) if reset_after else ("thesis", "slides"))
    inputs = border.inputs(where, 3, x, weight_ih, weight_hh, bias_ih, bias_hh, lengths, gal=gal, moon=moon, ours=ours,
                           zoneout_h=zoneout_h)
    h = border.states(where, "h0", h0, inputs)
    if reset_after:
        return h, gru_reset_after.forward(inputs, h)
    return h, gru.forward(inputs, h, convention == "thesis")


def gru_backward(saved, dy, dh_final=None, *, consume=False):
    """Gradients of a GRU over a sequence, as ``lstm_backward``: (dx, dh0, dweight_ih, ..hh, dbias_ih, ..hh)."""
    from minirnn.kernels import gru, gru_reset_after

    border.flag("gru_backward", "consume", consume)
    border.unspoiled("gru_backward", saved, gru.Saved, gru_reset_after.Saved)
    dy, dh = _final("gru_backward", saved, dy, dh_final=dh_final)
    form = gru if isinstance(saved, gru.Saved) else gru_reset_after
    dx, dweight_ih, dweight_hh, dbias_ih, dbias_hh = form.backward(saved, dy, dh, consume)
    return dx, dh, dweight_ih, dweight_hh, *_biases(saved.inputs, dbias_ih, dbias_hh)


def supports(name, **options):
    """Whether there is a kernel for a cell 'rnn', 'lstm' or 'gru' with these of its options.

    Not for an LSTM without forget gate, which runs step by step in minirnn.cells.
    """
    if not isinstance(name, str):
        return False
    if name == "rnn":
        return options.get("nonlinearity", "tanh") in ("tanh", "relu", "identity")
    if name == "lstm":
        return options.get("forget_gate", True) and options.get("activation", "tanh") in ("tanh", "relu")
    if name == "gru":
        reset_after = options.get("reset_after", False)
        return (options.get("convention") or "slides") in (("slides",) if reset_after else ("thesis", "slides"))
    return False


def softmax_xent_forward(logits, targets):
    """Cross-entropy of each row's softmax: logits (N, V), integer targets (N,) in [0, V) -> nll (N,), saved.

    ``saved`` refers to logits: do not write into them before the backward pass.
    """
    from minirnn.kernels import softmax

    where = "softmax_xent_forward"
    logits = border.floats(where, "logits", logits, "(N, V)", (None, None))
    targets = border.indices(where, "targets", targets, len(logits), logits.shape[1])
    return softmax.forward(logits, targets)


def softmax_xent_backward(saved, scale):
    """Gradient of ``(scale * nll).sum()``: saved, scale (N,) -> dlogits (N, V), scale * (softmax - onehot).

    A row of scale 0, padding, gets zeros whatever its logits are.
    """
    from minirnn.kernels import softmax

    where = "softmax_xent_backward"
    if type(saved) is not softmax.Saved:
        raise DtypeError(must_be(where, "saved", "what softmax_xent_forward returned", type(saved).__name__))
    logits = border.floats(where, "saved.logits", saved.logits, "(N, V)", (None, None))
    N, V = logits.shape
    targets = border.indices(where, "saved.targets", saved.targets, N, V)
    lines = [border.laid_out(where, name, value, logits.dtype, "(N,)", (N,))
             for name, value in (("saved.top", saved.top), ("saved.total", saved.total), ("scale", scale))]
    return softmax.backward(softmax.Saved(logits, targets, *lines[:2]), lines[2])


def embedding_gradient(ids, dy, rows):
    """Gradient of a table looked up by ids: ids (N,) in [0, rows), dy (N, D) -> (rows, D), equal ids added up."""
    from minirnn.kernels import table

    where = "embedding_gradient"
    if not isinstance(rows, numbers.Integral) or rows < 1:
        raise InputError(must_be(where, "rows", "a positive integer", repr(rows)))
    dy = border.floats(where, "dy", dy, "(N, D)", (None, None))
    return table.gradient(border.indices(where, "ids", ids, len(dy), rows), dy, int(rows))


def updated(rule, p, g, states, constants):
    """One step of an optimiser in a single pass: a parameter, its gradient, ``states`` of one shape -> new parameter.

    rule and constants: "sgd" (rate), "momentum" (momentum, rate; state velocity), "rmsprop" (rho, rate, eps; state
    square), "rmsprop-outside" (the same, eps outside the root), "adam" (beta_1, beta_2, lr / (1 - beta_1^t),
    1 / sqrt(1 - beta_2^t), eps; states mean, square), each as in ``minirnn.optim``. The states,
    C-contiguous, are overwritten. InputError for shapes, DtypeError for types.
    """
    from minirnn.kernels import update

    where = "updated"
    border.one_of(where, "rule", rule, update.RULES)
    part, states_wanted, constants_wanted = update.RULES[rule]
    p = border.floats(where, "p", p, "any", None)
    g = border.laid_out(where, "g", g, p.dtype, "p's shape", p.shape)
    for name, given, wanted in (("states", states, states_wanted), ("constants", constants, constants_wanted)):
        if not isinstance(given, (list, tuple)) or len(given) != wanted:
            got = len(given) if isinstance(given, (list, tuple)) else type(given).__name__
            raise InputError(must_be(where, name, f"{wanted} of them for {rule!r}", got))
    for k, state in enumerate(states):
        border.overwritten(where, f"states[{k}]", state, p, (p, g, *states[:k]))
    for k, constant in enumerate(constants):
        border.number(where, f"constants[{k}]", constant)
    return update.update(part, p, g, states, constants)


def scaled(g, factor):
    """factor g -> a new array, in memory that was used before."""
    from minirnn.kernels import update

    border.number("scaled", "factor", factor)
    return update.scale(border.floats("scaled", "g", g, "any", None), factor)


def add_row(y, row):
    """Add row (N,) to every row of y (M, N), C-contiguous, in place; returns y."""
    from minirnn.kernels import update

    if not isinstance(y, np.ndarray):
        raise DtypeError(must_be("add_row", "y", "an array", type(y).__name__))
    border.floats("add_row", "y", y, "(M, N)", (None, None))
    border.overwritten("add_row", "y", y, y)
    row = border.laid_out("add_row", "row", row, y.dtype, "(N,)", y.shape[1:])
    return update.run_over(update.add_row_part, y, row.copy() if np.may_share_memory(y, row) else row)


def sum_rows(summands):
    """Sum of the rows of a matrix: (M, N) -> (N,)."""
    from minirnn.kernels import packed

    summands = border.floats("sum_rows", "summands", summands, "(M, N)", (None, None))
    return packed.column_sums(summands)


def gemm(a, b):
    """Matrix product on the kernels' own threads: a (M, K), b (K, N), any strides -> (M, N).

    NumPy's BLAS has threads of its own that go on polling after a product, and then share the processors with the
    next kernel; a network that multiplies with this instead does not wake them.
    """
    from minirnn.kernels import packed

    a = border.floats("gemm", "a", a, "(M, K)", (None, None), contiguous=False)
    b = border.floats("gemm", "b", b, "(K, N)", (a.shape[1], None), contiguous=False)
    if a.dtype != b.dtype:
        raise DtypeError(must_be("gemm", "b", f"{a.dtype} as a is", b.dtype))
    return packed.product(a, b)

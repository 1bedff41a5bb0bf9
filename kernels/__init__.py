"""Sequence kernels (Numba): the recurrences of minirnn.cells over a whole sequence, forward and back, at full speed.

Importing this compiles nothing and loads no Numba; the first call of a cell does, per dtype, and keeps the machine code
in the user's cache directory. README.md beside this file has the design, every kernel's slower twin and the limits.
"""

import numpy as np
from minirnn.kernels import border


def _final(where, saved, dy, **finals):
    """dy laid out, and fresh arrays that start as the gradients of the final states."""
    T, B, D, H = saved.inputs.sizes()
    dtype = saved.inputs.x.dtype
    if dy is None:
        dy = np.zeros((T, B, H), dtype)
    dy = border.laid_out(where, "dy", dy, dtype, "(T, B, H)", (T, B, H))
    return dy, *(border.final_gradient(where, name, value, saved.h[0]) for name, value in finals.items())


def _biases(inputs, dbias):
    """The summed bias's gradient for each bias that there is."""
    return tuple(None if bias is None else dbias.copy() for bias in (inputs.bias_ih, inputs.bias_hh))


def lstm_forward(x, h0, c0, weight_ih, weight_hh, bias_ih, bias_hh, *, gal=None, moon=None, ours=None, lengths=None):
    """LSTM over a sequence: x (T, B, D), states (B, H) -> h (T+1, B, H), c (T+1, B, H), saved.

    weight_ih (4H, D), weight_hh (4H, H), biases (4H,) or None, gates stacked i f g o, thesis (2.2.4)-(2.2.6). Masks are factors,
    (T, B, H), (B, H) or one number: gal on the state that enters the gates, moon on the new cell, ours on the update,
    thesis (3.3.8)-(3.3.10). Beyond lengths[b] steps row b keeps its state. InputError for shapes, DtypeError for types.
    """
    from minirnn.kernels import lstm

    where = "lstm_forward"
    inputs = border.inputs(where, 4, x, weight_ih, weight_hh, bias_ih, bias_hh, gal, moon, ours, lengths)
    h, c = border.states(where, "h0", h0, inputs), border.states(where, "c0", c0, inputs)
    return h, c, lstm.forward(inputs, h, c)


def lstm_backward(saved, dy, dh_final=None, dc_final=None, *, consume=False):
    """Gradients of an LSTM over a sequence: dy (T, B, H), final states' gradients (B, H) or None -> gradients.

    Returns (dx, dh0, dc0, dweight_ih, dweight_hh, dbias_ih, dbias_hh), None for an absent bias. dy is ignored at padded
    steps. With ``consume`` the saved arrays are overwritten: faster, and ``saved`` can be used only once.
    """
    from minirnn.kernels import lstm

    dy, dh, dc = _final("lstm_backward", saved, dy, dh_final=dh_final, dc_final=dc_final)
    dx, dweight_ih, dweight_hh, dbias = lstm.backward(saved, dy, dh, dc, consume)
    return dx, dh, dc, dweight_ih, dweight_hh, *_biases(saved.inputs, dbias)

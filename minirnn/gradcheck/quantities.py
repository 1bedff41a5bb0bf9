"""What each cell has at hand in a step, by name: what a mistaken product may be made of."""

import numpy as np

from minirnn.cells import GRU, LSTM, RNN


def knows(cell):
    """Whether this cell's step is known by its quantities: the plain ones, with tanh."""
    return type(cell) in _OF and {getattr(cell, name, "tanh") for name in ("activation", "nonlinearity")} == {"tanh"}


def quantities(p, da):
    """{name in words: array (B, H)} of a problem's only step; da: {gate: its pre-activation's gradient (B, H)}."""
    _, saved = p.cell.step(p.x[0], p.state0, p.weights)
    return of_step(p.cell, saved, p.weights, da)


def of_step(cell, saved, weights, da):
    """The same of a step by what it ``saved``."""
    return _OF[type(cell)](cell, saved, weights, da)


def cell_keeps(cell):
    """How much of the old state a GRU keeps, in words: "1 - z" in the thesis, "z" on the slides."""
    return "(1 - z)" if cell.convention == "thesis" else "z"


def _powers(**arrays):
    """Each array with what a slope may be written as: 1 - s, 1 + s, 1 + s^2."""
    found = {}
    for name, a in arrays.items():
        found |= {name: a, f"1 - {name}": 1 - a, f"1 + {name}": 1 + a, f"1 + {name}^2": 1 + a**2}
    return found


def _lstm(cell, s, weights, da):
    forget = {"f": s.f} if cell.forget_gate else {}
    c = s.f * s.c_prev + s.i * s.g
    return {**_powers(i=s.i, **forget, g=s.g, o=s.o, **{"tanh(c)": s.phi_c}, c=c, c_prev=s.c_prev, h_prev=s.h_in,
                      **{"tanh(c_prev)": np.tanh(s.c_prev)}), "h_t": s.o * s.phi_c}


def _gru(cell, s, weights, da):
    H, new = s.h_prev.shape[1], s.z if cell.convention == "thesis" else 1 - s.z
    weight = weights.weight_hh[2 * H :]
    back = {"W_n^T da_n": da["n"] @ weight, "W_n da_n": da["n"] @ weight.T}
    more = _powers(**{"W_n h + b": s.h_n}) if cell.reset_after else back
    h = (1 - new) * s.h_prev + new * s.n
    return {**_powers(r=s.r, z=s.z, n=s.n, h_prev=s.h_prev), "n - h_prev": s.n - s.h_prev, **more, "keep": 1 - new,
            "h_t": h}


def _rnn(cell, s, weights, da):
    return {**_powers(h=s.h, h_prev=s.h_in), "h_t": s.h}


_OF = {LSTM: _lstm, GRU: _gru, RNN: _rnn}

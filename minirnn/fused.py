"""Between ``minirnn.bptt`` and the sequence kernels: which cells they know, and how they run backwards in time.

The kernels only go forward. A reversed run therefore turns every row around within its own length, which is its own
inverse: step s of the kernel sees x[length - 1 - s].
"""

import numpy as np

from minirnn import kernels
from minirnn.array import xp_of
from minirnn.cells.operands import Masks


def obstacle(cell, x):
    """Why the kernels cannot run this cell on this array, or None when they can."""
    if xp_of(x) is not np:
        return "the kernels run on the CPU"
    return None if kernels.supports(cell.kernel, **vars(cell)) else f"there is no kernel for {cell}"


def forward(cell, x, state0, weights, masks, lengths, active, reverse):
    """One sequence kernel: the states as ``bptt.Run`` indexes them, each (T+1, B, H), and what backward needs."""
    if reverse:
        x, masks = turned(x, lengths), Masks(*(turned(m, lengths) if np.ndim(m) == 3 else m for m in masks))
    *states, saved = _kernel(cell, "forward")(x, *state0, *weights, lengths=lengths, **_options(cell, masks))
    if reverse:
        states = [_turned_states(s, lengths) for s in states]
    return tuple(states), saved


def backward(run, dy, dfinal):
    """-> dx (T, B, D), dstate0, dweights of a run made by ``forward``."""
    if run.reverse:
        dy = turned(dy, run.lengths)
    dx, *rest = _kernel(run.cell, "backward")(run.saved, dy, *dfinal)
    if run.reverse:
        dx = turned(dx, run.lengths)
    n = len(run.cell.states)
    return dx, tuple(rest[:n]), type(run.weights)(*rest[n:])


def turned(array, lengths):
    """Each row backwards in time within its own length; padded steps stay: (T, B, ...) -> (T, B, ...)."""
    if lengths is None:
        return array[::-1]
    t = np.arange(len(array))[:, None]
    return array[np.where(t < lengths, lengths - 1 - t, t), np.arange(len(lengths))]


def _turned_states(states, lengths):
    """From the kernel's count of steps done to positions in time: position t has length - t steps behind it."""
    if lengths is None:
        return states[::-1]
    t = np.arange(len(states))[:, None]
    return states[np.maximum(lengths - t, 0), np.arange(len(lengths))]


def forms(cell):
    """The keyword arguments by which a kernel tells the forms of its cell apart: {"nonlinearity": "relu"}."""
    return {name: getattr(cell, name) for name in cell.kernel_options}


def _options(cell, masks):
    return forms(cell) | {name: getattr(masks, name) for name in cell.masks}


def _kernel(cell, direction):
    return getattr(kernels, f"{cell.kernel}_{direction}")

"""The LSTM's recurrence with the units shared out over the threads, for batches of too few rows to share those.

Each thread keeps some columns of the packed weights in its own cache, and all meet once a step, when the whole new
state (or the whole gradient of the gates) is there. Every sum is the one that ``lstm`` makes, in the same order.
Slower twin: minirnn.cells.LSTM, step by step.
"""

from minirnn.kernels.jit import jit, kernel
from minirnn.kernels.lstm_row import gates_of_row, gates_of_row_backward
from minirnn.kernels.packed import MULTIPLY, ONE, RECURRENT_DEPTH, ZERO, multiply, width
from minirnn.kernels.sequence import copy
from minirnn.kernels.threads import meet, split, threads_worth
from minirnn.kernels.tile import panel_width


def wanted(inputs):
    """Whether the units are to be shared out: few rows, no mask or padding, whole panels of units, work worth it."""
    T, B, D, H = inputs.sizes()
    step = width(inputs.x.dtype)
    plain = not (inputs.lengths.size or any(mask.size for mask in inputs.masks()))
    return B < 4 and plain and H >= 2 * step and H % step == 0 and threads_worth(inputs.multiply_adds()) > 1


@jit
def _part(a, first, last):
    """The same units of the four gates (4, H) of a row."""
    return a[0, first:last], a[1, first:last], a[2, first:last], a[3, first:last]


@kernel(uses=[MULTIPLY], gates="T B 4 H", bias="4 H", h="T+1 B H", c="T+1 B H", packed="elements")
def recur(tid, nth, arrivals, gates, bias, h, c, packed, relu):
    """The recurrence: gates hold x_t W_ih^T at first, the gates after; fills h[1:] and c[1:]."""
    T, B, _, H = gates.shape
    first, last = split(H, panel_width(gates), tid, nth)
    biases, no_mask = _part(bias, first, last), bias[0, :0]
    for t in range(T):
        meet(arrivals, nth)  # for the packed weights, then for all of h[t]
        at = t * B * H
        for gate in range(4):
            column = gate * H + first
            multiply(
                gates, 4 * at + column, 4 * H, h, at, H, ZERO, packed, column * H, B, H, last - first, RECURRENT_DEPTH,
                ONE,
            )
        for r in range(B):
            gates_of_row(
                _part(gates[t, r], first, last), biases, c[t, r, first:last], c[t + 1, r, first:last],
                h[t + 1, r, first:last], relu, no_mask, no_mask,
            )


@kernel(
    uses=[MULTIPLY],
    gates="T B 4 H", da="T B 4 H", c="T+1 B H", dy="T B H", dh="B H", dc="B H", packed="elements",
)
def recur_back(tid, nth, arrivals, gates, da, in_place, c, dy, dh, dc, packed, relu):
    """The recurrence backwards; fills da, and dh and dc (final states' gradients at first) with those of h0 and c0."""
    T, B, _, H = da.shape
    first, last = split(H, panel_width(da), tid, nth)
    no_mask = dy[0, 0, :0]
    for t in range(T - 1, -1, -1):
        for r in range(B):
            if in_place == 0:
                for gate in range(4):
                    copy(da[t, r, gate, first:last], gates[t, r, gate, first:last])
            gates_of_row_backward(
                _part(da[t, r], first, last), c[t, r, first:last], c[t + 1, r, first:last], dy[t, r, first:last],
                dh[r, first:last], dc[r, first:last], relu, no_mask, no_mask,
            )
        meet(arrivals, nth)  # for all of da[t], and at first for the packed weights
        multiply(
            dh, first, H, da, 4 * t * B * H, 4 * H, ZERO, packed, 4 * first * H, B, 4 * H, last - first,
            RECURRENT_DEPTH, ONE,
        )

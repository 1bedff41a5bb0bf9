"""The LSTM over a whole sequence. Slower twin: minirnn.cells.LSTM, step by step.

Saved for the backward pass are the gates after their nonlinearities, (T, B, 4, H) in the order i f g o, and both
states; the loop over units is split into short loops of two to four arrays each, which LLVM vectorises; it gives
up on one long loop.
"""

from typing import NamedTuple

import numpy as np
from minirnn.kernels.border import Inputs
from minirnn.kernels.jit import jit, kernel
from minirnn.kernels.memory import empty, empty_like
from minirnn.kernels.packed import (
    MULTIPLY,
    ONE,
    RECURRENT_DEPTH,
    ZERO,
    gemm_job,
    multiply,
    pack_job,
    packed_like,
    workspace,
)
from minirnn.kernels.sequence import (
    clear,
    clear_gates,
    copy,
    copy_gates,
    enter,
    entering_states,
    hold,
    hold_backward,
    layer_gradients,
    leave,
    mask_row,
    padded,
    summed_biases,
)  # fmt: skip
from minirnn.kernels.threads import MEET, Job, meet, run, split, threads_for
from minirnn.kernels.vector import vsigmoid, vtanh


@jit
def _memory(c, a, c_prev, moon, ours):
    """The new memory of a row before any zoneout, from its gates a (4, H): fills c; masks (H,) or empty."""
    i, f, g = a[0], a[1], a[2]
    H = c.size
    for j in range(H):
        c[j] = i[j] * g[j]
    for j in range(ours.size):  # thesis (3.3.10)
        c[j] *= ours[j]
    for j in range(H):  # thesis (2.2.5)
        c[j] += f[j] * c_prev[j]
    for j in range(moon.size):  # thesis (3.3.9)
        c[j] *= moon[j]


@jit
def _gates(a, bias, c_prev, c, h, relu, moon, ours):
    """One row of a step: a (4, H) pre-activations -> gates in place, new c and h; masks (H,) or empty."""
    i, f, g, o = a[0], a[1], a[2], a[3]
    bias_i, bias_f, bias_g, bias_o = bias[0], bias[1], bias[2], bias[3]
    H = c.size
    zero = c.dtype.type(0)
    if relu == 0:
        for j in range(H):  # thesis (2.2.4)
            i[j] = vsigmoid(i[j] + bias_i[j])
            g[j] = vtanh(g[j] + bias_g[j])
    else:
        for j in range(H):
            i[j] = vsigmoid(i[j] + bias_i[j])
            g[j] += bias_g[j]
            g[j] = zero if g[j] < zero else g[j]  # NaN stays NaN
    for j in range(H):
        f[j] = vsigmoid(f[j] + bias_f[j])
        o[j] = vsigmoid(o[j] + bias_o[j])
    _memory(c, a, c_prev, moon, ours)
    if relu == 0:
        for j in range(H):  # thesis (2.2.6)
            h[j] = o[j] * vtanh(c[j])
    else:
        for j in range(H):
            h[j] = o[j] * (zero if c[j] < zero else c[j])


@kernel(
    uses=[MULTIPLY],
    gates="T B 4 H", bias="4 H", h="T+1 B H", c="T+1 B H", entering="T B H", packed="elements",
    gal="T B H", moon="T B H", ours="T B H", zoneout_c="T B H", zoneout_h="T B H", lengths="int B",
)  # fmt: skip
def recur(
    tid, nth, arrivals, gates, bias, h, c, entering, packed, relu, gal, moon, ours, zoneout_c, zoneout_h, lengths,
):  # fmt: skip
    """The recurrence: gates hold x_t W_ih^T at first, the gates after; fills h[1:], c[1:] and, with gal, entering."""
    meet(arrivals, nth)
    T, B, _, H = gates.shape
    first, last = split(B, ONE, tid, nth)
    zoneout = zoneout_c.size + zoneout_h.size > 0
    for t in range(T):
        enter(entering, h, gal, t, first, last)
        at = (t * B + first) * H
        multiply(
            gates, 4 * at, 4 * H, entering, at, H, ZERO, packed, ZERO, last - first, H, 4 * H, RECURRENT_DEPTH, ONE
        )  # fmt: skip
        for r in range(first, last):
            if padded(lengths, t, r):
                copy(h[t + 1, r], h[t, r])
                copy(c[t + 1, r], c[t, r])
            else:
                _gates(
                    gates[t, r], bias, c[t, r], c[t + 1, r], h[t + 1, r], relu, mask_row(moon, t, r),
                    mask_row(ours, t, r),
                )  # fmt: skip
                if zoneout:
                    hold(c[t + 1, r], c[t, r], mask_row(zoneout_c, t, r))  # after h, which sees the new memory
                    hold(h[t + 1, r], h[t, r], mask_row(zoneout_h, t, r))


@jit
def _gates_backward(a, c_prev, c, dy, dh, dc, relu, moon, ours):
    """One row of a step backwards: a (4, H) gates, c the new memory -> da in place; dh is used up, dc becomes that of
    c_prev."""
    i, f, g, o = a[0], a[1], a[2], a[3]
    H = c.size
    zero, one = dc.dtype.type(0), dc.dtype.type(1)
    if relu == 0:
        for j in range(H):
            tanh_c = vtanh(c[j])
            dh_o = (dh[j] + dy[j]) * o[j]
            dc[j] += dh_o * (one - tanh_c * tanh_c)  # from thesis (2.2.6)
            o[j] = dh_o * tanh_c * (one - o[j])
    else:
        for j in range(H):
            dh_o = (dh[j] + dy[j]) * o[j]
            dc[j] += dh_o if c[j] > zero else zero
            o[j] = dh_o * (zero if c[j] < zero else c[j]) * (one - o[j])
    clear(dh)
    for j in range(moon.size):  # from thesis (3.3.9)
        dc[j] *= moon[j]
    if relu == 0:
        for j in range(H):  # from thesis (2.2.5)
            i_j, g_j = i[j], g[j]
            i[j] = dc[j] * g_j * i_j * (one - i_j)
            g[j] = dc[j] * i_j * (one - g_j * g_j)
    else:
        for j in range(H):
            i_j, g_j = i[j], g[j]
            i[j] = dc[j] * g_j * i_j * (one - i_j)
            g[j] = dc[j] * i_j if g_j > zero else zero
    for j in range(ours.size):  # from thesis (3.3.10)
        i[j] *= ours[j]
        g[j] *= ours[j]
    for j in range(H):
        f_j, dc_j = f[j], dc[j]
        f[j] = dc_j * c_prev[j] * f_j * (one - f_j)
        dc[j] = dc_j * f_j


@jit
def _add(total, part):
    for j in range(total.size):
        total[j] += part[j]


@kernel(
    uses=[MULTIPLY],
    gates="T B 4 H", da="T B 4 H", c="T+1 B H", dy="T B H", dh="B H", dc="B H", dh_in="B H", packed="elements",
    gal="T B H", moon="T B H", ours="T B H", zoneout_c="T B H", zoneout_h="T B H", lengths="int B",
)  # fmt: skip
def recur_back(
    tid, nth, arrivals, gates, da, in_place, c, dy, dh, dc, dh_in, packed, relu,
    gal, moon, ours, zoneout_c, zoneout_h, lengths,
):  # fmt: skip
    """The recurrence backwards; fills da, and dh and dc (final states' gradients at first) with those of h0 and c0."""
    meet(arrivals, nth)
    T, B, _, H = da.shape
    first, last = split(B, ONE, tid, nth)
    into, add = (dh, ONE) if gal.size == 0 else (dh_in, ZERO)
    zoneout = zoneout_c.size + zoneout_h.size > 0
    scratch = np.zeros((4, H if zoneout else 0), dh.dtype)
    held_h, held_c, computed_c, nothing = scratch[0], scratch[1], scratch[2], scratch[3]
    for t in range(T - 1, -1, -1):
        for r in range(first, last):
            if padded(lengths, t, r):
                clear_gates(da[t, r])
            else:
                if in_place == 0:
                    copy_gates(da[t, r], gates[t, r])
                moon_row, ours_row, new_c, dy_row = mask_row(moon, t, r), mask_row(ours, t, r), c[t + 1, r], dy[t, r]
                if zoneout:
                    _add(dh[r], dy_row)
                    dy_row = nothing
                    hold_backward(dh[r], held_h, mask_row(zoneout_h, t, r))
                    hold_backward(dc[r], held_c, mask_row(zoneout_c, t, r))
                    if zoneout_c.size > 0:  # c[t + 1] is not what phi saw
                        new_c = computed_c
                        _memory(new_c, da[t, r], c[t, r], moon_row, ours_row)
                _gates_backward(da[t, r], c[t, r], new_c, dy_row, dh[r], dc[r], relu, moon_row, ours_row)
                if zoneout:
                    _add(dh[r], held_h)
                    _add(dc[r], held_c)
        at = first * H
        row = 4 * (t * B * H + at)
        multiply(
            into, at, H, da, row, 4 * H, ZERO, packed, ZERO, last - first, 4 * H, H, RECURRENT_DEPTH, add
        )  # fmt: skip
        leave(dh, dh_in, gal, t, first, last)


class Saved(NamedTuple):
    """What ``backward`` needs of a forward pass."""

    inputs: Inputs
    h: np.ndarray
    c: np.ndarray
    entering: np.ndarray
    gates: np.ndarray
    relu: int  # whether phi is relu


def forward(inputs, h, c, relu=0):
    """Run the layer over a sequence: fills h and c (T+1, B, H) after their first rows -> Saved. phi is tanh or relu."""
    T, B, D, H = inputs.sizes()
    x, dtype, nth = inputs.x, inputs.x.dtype, threads_for(B)
    gates = empty((T, B, 4, H), dtype)
    entering = entering_states(h, inputs.gal)
    packed = packed_like(inputs.weight_hh, 4 * H)
    masks = inputs.gal, inputs.moon, inputs.ours, inputs.zoneout_c, inputs.zoneout_h, inputs.lengths
    run(
        [
            gemm_job(gates.reshape(T * B, 4 * H), x.reshape(T * B, D), inputs.weight_ih.T, workspace(dtype, nth)),
            pack_job(packed, inputs.weight_hh.T),
            MEET,
            Job(recur, dtype, (gates, summed_biases(inputs, 4), h, c, entering, packed, relu, *masks)),
        ],
        nth,
    )
    return Saved(inputs, h, c, entering, gates, relu)


def backward(saved, dy, dh, dc, consume=False):
    """Run it backwards: dy (T, B, H) -> dx, weight gradients (ih, hh) and the bias gradient (4H,).

    dh and dc hold the gradients of the final states and are filled with those of h0 and c0. With ``consume`` the saved
    gates are overwritten, which saves memory and lets the pass run only once.
    """
    inputs, gates, entering = saved.inputs, saved.gates, saved.entering
    T, B, D, H = inputs.sizes()
    dtype, nth = dy.dtype, threads_for(B)
    da = gates if consume else empty_like(gates)
    packed = packed_like(inputs.weight_hh, H)
    masks = inputs.gal, inputs.moon, inputs.ours, inputs.zoneout_c, inputs.zoneout_h, inputs.lengths
    rows = dy, dh, dc, empty_like(dh)
    recurrence = Job(recur_back, dtype, (gates, da, int(consume), saved.c, *rows, packed, saved.relu, *masks))
    gradients, jobs = layer_gradients(inputs, entering, da.reshape(T * B, 4 * H), nth)
    run([pack_job(packed, inputs.weight_hh), MEET, recurrence, MEET, *jobs], nth)
    return gradients

"""The LSTM over a whole sequence. Slower twin: minirnn.cells.LSTM, step by step.

Saved for the backward pass are the gates after their nonlinearities, (T, B, 4, H) in the order i f g o, and both
states. The arithmetic of a row is in ``lstm_row``; batches too small to share out run in ``lstm_units``.
"""

from typing import NamedTuple

import numpy as np
from minirnn.kernels import lstm_units
from minirnn.kernels.border import Inputs
from minirnn.kernels.jit import jit, kernel
from minirnn.kernels.lstm_row import gates_of_row, gates_of_row_backward, memory_of_row, rows_of
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
)
from minirnn.kernels.threads import MEET, Job, meet, run, split, thread_count, threads_for


@kernel(
    uses=[MULTIPLY],
    gates="T B 4 H", bias="4 H", h="T+1 B H", c="T+1 B H", entering="T B H", packed="elements",
    gal="T B H", moon="T B H", ours="T B H", zoneout_c="T B H", zoneout_h="T B H", lengths="int B",
)
def recur(
    tid, nth, arrivals, gates, bias, h, c, entering, packed, relu, gal, moon, ours, zoneout_c, zoneout_h, lengths,
):
    """The recurrence: gates hold x_t W_ih^T at first, the gates after; fills h[1:], c[1:] and, with gal, entering."""
    meet(arrivals, nth)
    T, B, _, H = gates.shape
    first, last = split(B, ONE, tid, nth)
    biases, zoneout = rows_of(bias), zoneout_c.size + zoneout_h.size > 0
    for t in range(T):
        enter(entering, h, gal, t, first, last)
        at = (t * B + first) * H
        multiply(
            gates, 4 * at, 4 * H, entering, at, H, ZERO, packed, ZERO, last - first, H, 4 * H, RECURRENT_DEPTH, ONE
        )
        for r in range(first, last):
            if padded(lengths, t, r):
                copy(h[t + 1, r], h[t, r])
                copy(c[t + 1, r], c[t, r])
            else:
                gates_of_row(
                    rows_of(gates[t, r]), biases, c[t, r], c[t + 1, r], h[t + 1, r], relu, mask_row(moon, t, r),
                    mask_row(ours, t, r),
                )
                if zoneout:
                    hold(c[t + 1, r], c[t, r], mask_row(zoneout_c, t, r))  # after h, which sees the new memory
                    hold(h[t + 1, r], h[t, r], mask_row(zoneout_h, t, r))


@jit
def _add(total, part):
    for j in range(total.size):
        total[j] += part[j]


@kernel(
    uses=[MULTIPLY],
    gates="T B 4 H", da="T B 4 H", c="T+1 B H", dy="T B H", dh="B H", dc="B H", dh_in="B H", packed="elements",
    gal="T B H", moon="T B H", ours="T B H", zoneout_c="T B H", zoneout_h="T B H", lengths="int B",
)
def recur_back(
    tid, nth, arrivals, gates, da, in_place, c, dy, dh, dc, dh_in, packed, relu,
    gal, moon, ours, zoneout_c, zoneout_h, lengths,
):
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
                a, moon_row, ours_row = rows_of(da[t, r]), mask_row(moon, t, r), mask_row(ours, t, r)
                new_c, dy_row = c[t + 1, r], dy[t, r]
                if zoneout:
                    _add(dh[r], dy_row)
                    dy_row = nothing
                    hold_backward(dh[r], held_h, mask_row(zoneout_h, t, r))
                    hold_backward(dc[r], held_c, mask_row(zoneout_c, t, r))
                    if zoneout_c.size > 0:  # c[t + 1] is not what phi saw
                        new_c = computed_c
                        memory_of_row(new_c, a, c[t, r], moon_row, ours_row)
                gates_of_row_backward(a, c[t, r], new_c, dy_row, dh[r], dc[r], relu, moon_row, ours_row)
                if zoneout:
                    _add(dh[r], held_h)
                    _add(dc[r], held_c)
        at = first * H
        row = 4 * (t * B * H + at)
        multiply(
            into, at, H, da, row, 4 * H, ZERO, packed, ZERO, last - first, 4 * H, H, RECURRENT_DEPTH, add
        )
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
    """Run the layer over a sequence: fills h, c (T+1, B, H) after their first rows -> Saved. phi is tanh or relu."""
    T, B, D, H = inputs.sizes()
    x, dtype = inputs.x, inputs.x.dtype
    gates = empty((T, B, 4, H), dtype)
    entering, bias = entering_states(h, inputs.gal), summed_biases(inputs, 4)
    packed = packed_like(inputs.weight_hh, 4 * H)
    if lstm_units.wanted(inputs):
        nth, recurrence = thread_count(), Job(lstm_units.recur, dtype, (gates, bias, h, c, packed, relu))
    else:
        args = gates, bias, h, c, entering, packed, relu, *inputs.masks(), inputs.lengths
        nth, recurrence = threads_for(B, inputs.multiply_adds()), Job(recur, dtype, args)
    run(
        [
            # speed (G4)
            gemm_job(gates.reshape(T * B, 4 * H), x.reshape(T * B, D), inputs.weight_ih.T, workspace(dtype, nth)),
            pack_job(packed, inputs.weight_hh.T),
            MEET,
            recurrence,
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
    dtype = dy.dtype
    da = gates if consume else empty_like(gates)
    packed = packed_like(inputs.weight_hh, H)
    args = gates, da, int(consume), saved.c, dy, dh, dc
    if lstm_units.wanted(inputs):
        nth, recurrence = thread_count(), Job(lstm_units.recur_back, dtype, (*args, packed, saved.relu))
    else:
        args = *args, empty_like(dh), packed, saved.relu, *inputs.masks(), inputs.lengths
        nth, recurrence = threads_for(B, inputs.multiply_adds()), Job(recur_back, dtype, args)
    gradients, jobs = layer_gradients(inputs, entering, da.reshape(T * B, 4 * H), nth)
    run([pack_job(packed, inputs.weight_hh), MEET, recurrence, MEET, *jobs], nth)
    return gradients

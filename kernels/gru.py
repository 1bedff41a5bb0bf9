"""The GRU with the reset gate before the product, over a whole sequence. Slower twin: minirnn.cells.GRU, step by step.

Both conventions of the sources: in the thesis z weighs the candidate, on the slides (as in PyTorch) the old state. Two
products a step depend on one another, r and z first, then the candidate of r * h. Saved are the gates after their
nonlinearities, (T, B, 3, H) in the order r z n, and r * h.
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
    sum_rows_job,
    workspace,
)
from minirnn.kernels.sequence import (
    clear,
    clear_gates,
    copy,
    copy_gates,
    enter,
    entering_states,
    leave,
    mix,
    mix_backward,
    padded,
    summed_biases,
)
from minirnn.kernels.threads import MEET, Job, meet, run, split, threads_for
from minirnn.kernels.vector import vsigmoid, vtanh


@jit
def _reset(a, bias, h_in, reset):
    """First half of a row's step: a[0] and a[1] pre-activations -> r, z in place; fills reset with r * h_in."""
    r, z, bias_r, bias_z = a[0], a[1], bias[0], bias[1]
    for j in range(h_in.size):  # thesis (2.2.7)
        r[j] = vsigmoid(r[j] + bias_r[j])
        z[j] = vsigmoid(z[j] + bias_z[j])
    for j in range(h_in.size):
        reset[j] = r[j] * h_in[j]


@jit
def _candidate(n, bias_n):
    """The candidate n of a row, from its pre-activation in place."""
    for j in range(n.size):  # thesis (2.2.8)
        n[j] = vtanh(n[j] + bias_n[j])


@kernel(
    uses=[MULTIPLY],
    gates="T B 3 H", bias="3 H", h="T+1 B H", entering="T B H", reset="T B H", packed_rz="elements",
    packed_n="elements", gal="T B H", moon="T B H", ours="T B H", zoneout_h="T B H", lengths="int B",
)
def recur(
    tid, nth, arrivals, gates, bias, thesis, h, entering, reset, packed_rz, packed_n,
    gal, moon, ours, zoneout_h, lengths,
):
    """The recurrence: gates hold x_t W_ih^T at first and r, z, n after; fills h[1:], reset and, with gal, entering."""
    meet(arrivals, nth)
    T, B, _, H = gates.shape
    first, last = split(B, ONE, tid, nth)
    count = last - first
    for t in range(T):
        enter(entering, h, gal, t, first, last)
        at = (t * B + first) * H
        multiply(
            gates, 3 * at, 3 * H, entering, at, H, ZERO, packed_rz, ZERO, count, H, 2 * H, RECURRENT_DEPTH, ONE
        )
        for r in range(first, last):  # padded rows too, since what is in reset meets zeros in a product
            _reset(gates[t, r], bias, entering[t, r], reset[t, r])
        multiply(
            gates, 3 * at + 2 * H, 3 * H, reset, at, H, ZERO, packed_n, ZERO, count, H, H, RECURRENT_DEPTH, ONE
        )
        for r in range(first, last):
            if padded(lengths, t, r):
                copy(h[t + 1, r], h[t, r])
            else:
                z, n = gates[t, r, 1], gates[t, r, 2]
                _candidate(n, bias[2])
                mix(h[t + 1, r], h[t, r], z, n, thesis, moon, ours, zoneout_h, t, r)


@jit
def _candidate_backward(n, dn):
    for j in range(n.size):  # from thesis (2.2.8)
        n[j] = dn[j] * (n.dtype.type(1) - n[j] * n[j])


@jit
def _reset_backward(r, h_in, dreset, total):
    """dreset (H,), the gradient of r * h_in: r becomes da_r, and the part that goes to h_in is added to total."""
    one = r.dtype.type(1)
    for j in range(r.size):
        r_j, dreset_j = r[j], dreset[j]
        r[j] = dreset_j * h_in[j] * r_j * (one - r_j)  # from thesis (2.2.7)
        dreset[j] = dreset_j * r_j
    for j in range(r.size):
        total[j] += dreset[j]


@kernel(
    uses=[MULTIPLY],
    gates="T B 3 H", da="T B 3 H", h="T+1 B H", entering="T B H", dy="T B H", dh="B H", dh_in="B H", dreset="B H",
    packed_rz="elements", packed_n="elements", gal="T B H", moon="T B H", ours="T B H", zoneout_h="T B H",
    lengths="int B",
)
def recur_back(
    tid, nth, arrivals, gates, da, in_place, thesis, h, entering, dy, dh, dh_in, dreset, packed_rz, packed_n,
    gal, moon, ours, zoneout_h, lengths,
):
    """The recurrence backwards; fills da, and dh (the final state's gradient at first) with that of h0."""
    meet(arrivals, nth)
    T, B, _, H = da.shape
    first, last = split(B, ONE, tid, nth)
    count = last - first
    into = dh if gal.size == 0 else dh_in
    held = np.empty(zoneout_h.shape[2], dh.dtype)
    for t in range(T - 1, -1, -1):
        for r in range(first, last):
            if padded(lengths, t, r):
                clear_gates(da[t, r])
            else:
                if in_place == 0:
                    copy_gates(da[t, r], gates[t, r])
                z, n, dn = da[t, r, 1], da[t, r, 2], dreset[r]
                mix_backward(dh[r], dy[t, r], h[t, r], z, n, dn, thesis, moon, ours, zoneout_h, t, r, held)
                _candidate_backward(n, dn)
            if gal.size > 0:
                clear(dh_in[r])
        at = first * H
        row = 3 * (t * B * H + at)
        multiply(
            dreset, at, H, da, row + 2 * H, 3 * H, ZERO, packed_n, ZERO, count, H, H, RECURRENT_DEPTH, ZERO
        )
        for r in range(first, last):
            if not padded(lengths, t, r):
                _reset_backward(da[t, r, 0], entering[t, r], dreset[r], into[r])
        multiply(
            into, at, H, da, row, 3 * H, ZERO, packed_rz, ZERO, count, 2 * H, H, RECURRENT_DEPTH, ONE
        )
        leave(dh, dh_in, gal, t, first, last)


class Saved(NamedTuple):
    """What ``backward`` needs of a forward pass."""

    inputs: Inputs
    thesis: int
    h: np.ndarray
    entering: np.ndarray
    reset: np.ndarray
    gates: np.ndarray


def forward(inputs, h, thesis):
    """Run the layer over a sequence: fills h (T+1, B, H) after its first row -> Saved."""
    T, B, D, H = inputs.sizes()
    x, dtype, nth = inputs.x, inputs.x.dtype, threads_for(B, inputs.multiply_adds())
    gates, reset = empty((T, B, 3, H), dtype), empty((T, B, H), dtype)
    entering = entering_states(h, inputs.gal)
    weight_rz, weight_n = inputs.weight_hh[: 2 * H], inputs.weight_hh[2 * H :]
    packed_rz, packed_n = packed_like(weight_rz, 2 * H), packed_like(weight_n, H)
    masks = inputs.gal, inputs.moon, inputs.ours, inputs.zoneout_h, inputs.lengths
    args = gates, summed_biases(inputs, 3), int(thesis), h, entering, reset, packed_rz, packed_n, *masks
    run(
        [
            gemm_job(gates.reshape(T * B, 3 * H), x.reshape(T * B, D), inputs.weight_ih.T, workspace(dtype, nth)),
            pack_job(packed_rz, weight_rz.T),
            pack_job(packed_n, weight_n.T),
            MEET,
            Job(recur, dtype, args),
        ],
        nth,
    )
    return Saved(inputs, int(thesis), h, entering, reset, gates)


def backward(saved, dy, dh, consume=False):
    """Run it backwards: dy (T, B, H) -> dx, weight gradients (ih, hh), bias gradients (ih, hh); dh becomes dh0."""
    inputs, gates, entering, reset = saved.inputs, saved.gates, saved.entering, saved.reset
    T, B, D, H = inputs.sizes()
    x, dtype, nth = inputs.x, dy.dtype, threads_for(B, inputs.multiply_adds())
    da = gates if consume else empty_like(gates)
    rows = da.reshape(T * B, 3 * H)
    weight_rz, weight_n = inputs.weight_hh[: 2 * H], inputs.weight_hh[2 * H :]
    packed_rz, packed_n = packed_like(weight_rz, H), packed_like(weight_n, H)
    masks = inputs.gal, inputs.moon, inputs.ours, inputs.zoneout_h, inputs.lengths
    scratch = empty_like(dh), empty_like(dh)
    args = gates, da, int(consume), saved.thesis, saved.h, entering, dy, dh, *scratch, packed_rz, packed_n, *masks
    work = workspace(dtype, nth)
    dx, dweight_ih, dweight_hh = empty_like(x), empty_like(inputs.weight_ih), empty_like(inputs.weight_hh)
    dbias = np.empty(3 * H, dtype)
    run(
        [
            pack_job(packed_rz, weight_rz),
            pack_job(packed_n, weight_n),
            MEET,
            Job(recur_back, dtype, args),
            MEET,
            gemm_job(dweight_ih, rows.T, x.reshape(T * B, D), work),  # thesis (2.1.8), summed over time and the batch
            gemm_job(dweight_hh[: 2 * H], rows[:, : 2 * H].T, entering.reshape(T * B, H), work),
            gemm_job(dweight_hh[2 * H :], rows[:, 2 * H :].T, reset.reshape(T * B, H), work),
            gemm_job(dx.reshape(T * B, D), rows, inputs.weight_ih, work),  # thesis (2.1.7)
            sum_rows_job(dbias, rows),
        ],
        nth,
    )
    return dx, dweight_ih, dweight_hh, dbias, dbias

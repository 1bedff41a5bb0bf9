"""PyTorch's GRU, the reset gate after the product, over a whole sequence. Slower twin:
minirnn.cells.GRU(reset_after=True).

Saved are (T, B, 4, H) in the order n r z q, where q = W_hn h + b_hn is what the reset gate multiplies. In this order
the rows that meet h are next to one another, r z q, and so are those that meet x but for n, so that the products of the
backward pass need no copy.
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
    clear_gates,
    copy,
    copy_gates,
    enter,
    entering_states,
    leave,
    mix,
    mix_backward,
    padded,
)
from minirnn.kernels.threads import MEET, Job, meet, run, split, threads_for
from minirnn.kernels.vector import vsigmoid, vtanh

SLIDES = np.int64(0)  # PyTorch's convention: z weighs the old state


@jit
def _gates(a, bias):
    """One row of a step: a (4, H), pre-activations n r z and q -> n r z q in place."""
    n, r, z, q = a[0], a[1], a[2], a[3]
    bias_n, bias_r, bias_z = bias[0], bias[1], bias[2]
    for j in range(n.size):  # thesis (2.2.7)
        r[j] = vsigmoid(r[j] + bias_r[j])
        z[j] = vsigmoid(z[j] + bias_z[j])
    for j in range(n.size):  # thesis (2.2.8), with the reset after the product
        n[j] = vtanh(n[j] + bias_n[j] + r[j] * q[j])


@kernel(
    uses=[MULTIPLY],
    gates="T B 4 H", bias="4 H", h="T+1 B H", entering="T B H", packed="elements",
    gal="T B H", moon="T B H", ours="T B H", zoneout_h="T B H", lengths="int B",
)
def recur(tid, nth, arrivals, gates, bias, h, entering, packed, gal, moon, ours, zoneout_h, lengths):
    """The recurrence: gates hold x_t W_ih^T for n r z at first; fills gates, h[1:] and, with gal, entering."""
    meet(arrivals, nth)
    T, B, _, H = gates.shape
    first, last = split(B, ONE, tid, nth)
    for t in range(T):
        enter(entering, h, gal, t, first, last)
        for r in range(first, last):
            copy(gates[t, r, 3], bias[3])
        at = (t * B + first) * H
        multiply(
            gates, 4 * at + H, 4 * H, entering, at, H, ZERO, packed, ZERO, last - first, H, 3 * H, RECURRENT_DEPTH, ONE
        )
        for r in range(first, last):
            if padded(lengths, t, r):
                copy(h[t + 1, r], h[t, r])
            else:
                _gates(gates[t, r], bias)
                z, n = gates[t, r, 2], gates[t, r, 0]
                mix(h[t + 1, r], h[t, r], z, n, SLIDES, moon, ours, zoneout_h, t, r)


@jit
def _gates_backward(a, dn):
    """One row of a step backwards, after z: dn (H,) and a (4, H) n r z q -> their gradients, z apart, in place."""
    n, r, q = a[0], a[1], a[3]
    one = n.dtype.type(1)
    for j in range(n.size):  # from thesis (2.2.8)
        n[j] = dn[j] * (one - n[j] * n[j])
    for j in range(n.size):
        r_j = r[j]
        r[j] = n[j] * q[j] * r_j * (one - r_j)  # from thesis (2.2.7)
        q[j] = n[j] * r_j


@kernel(
    uses=[MULTIPLY],
    gates="T B 4 H", da="T B 4 H", h="T+1 B H", dy="T B H", dh="B H", dh_in="B H", dn="B H", packed="elements",
    gal="T B H", moon="T B H", ours="T B H", zoneout_h="T B H", lengths="int B",
)
def recur_back(
    tid, nth, arrivals, gates, da, in_place, h, dy, dh, dh_in, dn, packed, gal, moon, ours, zoneout_h, lengths,
):
    """The recurrence backwards; fills da, and dh (the final state's gradient at first) with that of h0."""
    meet(arrivals, nth)
    T, B, _, H = da.shape
    first, last = split(B, ONE, tid, nth)
    into, add = (dh, ONE) if gal.size == 0 else (dh_in, ZERO)
    held = np.empty(zoneout_h.shape[2], dh.dtype)
    for t in range(T - 1, -1, -1):
        for r in range(first, last):
            if padded(lengths, t, r):
                clear_gates(da[t, r])
            else:
                if in_place == 0:
                    copy_gates(da[t, r], gates[t, r])
                n, z = da[t, r, 0], da[t, r, 2]
                mix_backward(dh[r], dy[t, r], h[t, r], z, n, dn[r], SLIDES, moon, ours, zoneout_h, t, r, held)
                _gates_backward(da[t, r], dn[r])
        at = first * H
        row = 4 * (t * B * H + at) + H
        multiply(
            into, at, H, da, row, 4 * H, ZERO, packed, ZERO, last - first, 3 * H, H, RECURRENT_DEPTH, add
        )
        leave(dh, dh_in, gal, t, first, last)


class Saved(NamedTuple):
    """What ``backward`` needs of a forward pass."""

    inputs: Inputs
    h: np.ndarray
    entering: np.ndarray
    gates: np.ndarray


def _biases(inputs):
    """Biases in the order n r z q: those of r and z are summed, q has its own."""
    T, B, D, H = inputs.sizes()
    absent = np.zeros(3 * H, inputs.x.dtype)
    r, z, n = (absent if inputs.bias_ih is None else inputs.bias_ih).reshape(3, H)
    r_hh, z_hh, q = (absent if inputs.bias_hh is None else inputs.bias_hh).reshape(3, H)
    return np.stack([n, r + r_hh, z + z_hh, q])


def forward(inputs, h):
    """Run the layer over a sequence: fills h (T+1, B, H) after its first row -> Saved."""
    T, B, D, H = inputs.sizes()
    dtype, nth = inputs.x.dtype, threads_for(B, inputs.multiply_adds())
    x, weight_ih, work = inputs.x.reshape(T * B, D), inputs.weight_ih, workspace(dtype, nth)
    gates = empty((T, B, 4, H), dtype)
    rows = gates.reshape(T * B, 4 * H)
    entering = entering_states(h, inputs.gal)
    packed = packed_like(inputs.weight_hh, 3 * H)
    masks = inputs.gal, inputs.moon, inputs.ours, inputs.zoneout_h, inputs.lengths
    run(
        [
            gemm_job(rows[:, H : 3 * H], x, weight_ih[: 2 * H].T, work),
            gemm_job(rows[:, :H], x, weight_ih[2 * H :].T, work),
            pack_job(packed, inputs.weight_hh.T),
            MEET,
            Job(recur, dtype, (gates, _biases(inputs), h, entering, packed, *masks)),
        ],
        nth,
    )
    return Saved(inputs, h, entering, gates)


def backward(saved, dy, dh, consume=False):
    """Run it backwards: dy (T, B, H) -> dx, weight gradients (ih, hh), bias gradients (ih, hh); dh becomes dh0."""
    inputs, gates = saved.inputs, saved.gates
    T, B, D, H = inputs.sizes()
    dtype, nth = dy.dtype, threads_for(B, inputs.multiply_adds())
    da = gates if consume else empty_like(gates)
    rows = da.reshape(T * B, 4 * H)
    da_n, da_rz, da_rzq = rows[:, :H], rows[:, H : 3 * H], rows[:, H:]
    packed = packed_like(inputs.weight_hh, H)
    masks = inputs.gal, inputs.moon, inputs.ours, inputs.zoneout_h, inputs.lengths
    args = gates, da, int(consume), saved.h, dy, dh, empty_like(dh), empty_like(dh), packed, *masks
    work = workspace(dtype, nth)
    weight_ih, x, entering = inputs.weight_ih, inputs.x.reshape(T * B, D), saved.entering.reshape(T * B, H)
    dx, dweight_ih, dweight_hh = empty_like(x), empty_like(weight_ih), empty_like(inputs.weight_hh)
    total = np.empty(4 * H, dtype)
    run(
        [
            pack_job(packed, inputs.weight_hh),
            MEET,
            Job(recur_back, dtype, args),
            MEET,
            gemm_job(dweight_ih[: 2 * H], da_rz.T, x, work),  # thesis (2.1.8), summed over time and the batch
            gemm_job(dweight_ih[2 * H :], da_n.T, x, work),
            gemm_job(dweight_hh, da_rzq.T, entering, work),
            gemm_job(dx, da_rz, weight_ih[: 2 * H], work),  # thesis (2.1.7)
            MEET,
            gemm_job(dx, da_n, weight_ih[2 * H :], work, add=True),
            sum_rows_job(total, rows),
        ],
        nth,
    )
    n, r, z, q = total.reshape(4, H)
    return dx.reshape(T, B, D), dweight_ih, dweight_hh, np.concatenate([r, z, n]), np.concatenate([r, z, q])

"""The vanilla recurrent network over a whole sequence. Slower twin: minirnn.cells.RNN, step by step.

Nothing but h is saved: the derivative of tanh, relu and the identity is a function of the output.
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
from minirnn.kernels.sequence import clear, copy, enter, entering_states, layer_gradients, leave, padded, summed_biases
from minirnn.kernels.threads import MEET, Job, meet, run, split, threads_for
from minirnn.kernels.vector import vtanh

NONLINEARITIES = ("tanh", "relu", "identity")  # the kernels get the index
TANH, RELU = np.int64(0), np.int64(1)


@jit
def _activate(h, bias, nonlinearity):
    """One row of a step: h (H,) pre-activations without bias -> h in place."""
    zero = h.dtype.type(0)
    for j in range(h.size):
        h[j] += bias[j]
    if nonlinearity == TANH:
        for j in range(h.size):  # thesis (2.2.2)
            h[j] = vtanh(h[j])
    elif nonlinearity == RELU:
        for j in range(h.size):
            h[j] = zero if h[j] < zero else h[j]  # NaN stays NaN


@kernel(
    uses=[MULTIPLY],
    bias="1 H", h="T+1 B H", entering="T B H", packed="elements", gal="T B H", lengths="int B",
)
def recur(tid, nth, arrivals, bias, nonlinearity, h, entering, packed, gal, lengths):
    """The recurrence: h[1:] holds x_t W_ih^T at first; fills h[1:] and, with gal, entering."""
    meet(arrivals, nth)
    T, B, H = entering.shape
    first, last = split(B, ONE, tid, nth)
    for t in range(T):
        enter(entering, h, gal, t, first, last)
        at = (t * B + first) * H
        multiply(
            h, at + B * H, H, entering, at, H, ZERO, packed, ZERO, last - first, H, H, RECURRENT_DEPTH, ONE
        )
        for r in range(first, last):
            if padded(lengths, t, r):
                copy(h[t + 1, r], h[t, r])
            else:
                _activate(h[t + 1, r], bias[0], nonlinearity)


@jit
def _activate_backward(da, h, dy, dh, nonlinearity):
    """One row of a step backwards: dh and dy (H,) -> da; dh is used up."""
    zero, one = h.dtype.type(0), h.dtype.type(1)
    if nonlinearity == TANH:
        for j in range(h.size):  # from thesis (2.2.2)
            da[j] = (dh[j] + dy[j]) * (one - h[j] * h[j])
    elif nonlinearity == RELU:
        for j in range(h.size):
            da[j] = (dh[j] + dy[j]) * (one if h[j] > zero else zero)
    else:
        for j in range(h.size):
            da[j] = dh[j] + dy[j]
    clear(dh)


@kernel(
    uses=[MULTIPLY],
    da="T B H", h="T+1 B H", dy="T B H", dh="B H", dh_in="B H", packed="elements", gal="T B H", lengths="int B",
)
def recur_back(tid, nth, arrivals, nonlinearity, da, h, dy, dh, dh_in, packed, gal, lengths):
    """The recurrence backwards; fills da, and dh (the final state's gradient at first) with that of h0."""
    meet(arrivals, nth)
    T, B, H = da.shape
    first, last = split(B, ONE, tid, nth)
    into, add = (dh, ONE) if gal.size == 0 else (dh_in, ZERO)
    for t in range(T - 1, -1, -1):
        for r in range(first, last):
            if padded(lengths, t, r):
                clear(da[t, r])
            else:
                _activate_backward(da[t, r], h[t + 1, r], dy[t, r], dh[r], nonlinearity)
        at = first * H
        multiply(
            into, at, H, da, t * B * H + at, H, ZERO, packed, ZERO, last - first, H, H, RECURRENT_DEPTH, add
        )
        leave(dh, dh_in, gal, t, first, last)


class Saved(NamedTuple):
    """What ``backward`` needs of a forward pass."""

    inputs: Inputs
    nonlinearity: int
    h: np.ndarray
    entering: np.ndarray


def forward(inputs, h, nonlinearity):
    """Run the layer over a sequence: fills h (T+1, B, H) after its first row -> Saved."""
    T, B, D, H = inputs.sizes()
    x, dtype, nth = inputs.x, inputs.x.dtype, threads_for(B, inputs.multiply_adds())
    entering = entering_states(h, inputs.gal)
    packed = packed_like(inputs.weight_hh, H)
    which = NONLINEARITIES.index(nonlinearity)
    run(
        [
            gemm_job(h[1:].reshape(T * B, H), x.reshape(T * B, D), inputs.weight_ih.T, workspace(dtype, nth)),
            pack_job(packed, inputs.weight_hh.T),
            MEET,
            Job(recur, dtype, (summed_biases(inputs, 1), which, h, entering, packed, inputs.gal, inputs.lengths)),
        ],
        nth,
    )
    return Saved(inputs, which, h, entering)


def backward(saved, dy, dh):
    """Run it backwards: dy (T, B, H) -> dx, weight gradients (ih, hh) and the bias gradient (H,); dh becomes dh0."""
    inputs = saved.inputs
    T, B, D, H = inputs.sizes()
    dtype, nth = dy.dtype, threads_for(B, inputs.multiply_adds())
    da = empty((T, B, H), dtype)
    packed = packed_like(inputs.weight_hh, H)
    args = saved.nonlinearity, da, saved.h, dy, dh, empty_like(dh), packed, inputs.gal, inputs.lengths
    gradients, jobs = layer_gradients(inputs, saved.entering, da.reshape(T * B, H), nth)
    run([pack_job(packed, inputs.weight_hh), MEET, Job(recur_back, dtype, args), MEET, *jobs], nth)
    return gradients

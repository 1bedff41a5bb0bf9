"""Softmax cross-entropy over a large vocabulary, row by row in the cache. Slower twin: minirnn.nn.cross_entropy.

The forward pass keeps of each row only its largest entry and the sum of exponentials, (N,) each; the backward pass
computes the exponentials again, which is cheaper than writing and reading (N, V) of them.
"""

from typing import NamedTuple

import numpy as np
from minirnn.kernels.jit import jit, kernel
from minirnn.kernels.memory import empty
from minirnn.kernels.threads import Job, meet, run, split, threads_worth
from minirnn.kernels.vector import vexp_below

LANES = np.int64(64)  # running maxima and sums side by side: a fixed order of summation that is vector code


@jit
def _largest(row, lanes):
    """The largest entry; an entry that is not a number is passed over (the sum of exponentials will see it)."""
    whole = row.size - row.size % LANES
    for l in range(LANES):
        lanes[l] = row[l % row.size]
    for first in range(0, whole, LANES):
        block = row[first : first + LANES]
        for l in range(LANES):
            lanes[l] = block[l] if block[l] > lanes[l] else lanes[l]
    largest = lanes[0]
    for l in range(LANES):
        largest = max(largest, lanes[l])
    for j in range(whole, row.size):
        largest = max(largest, row[j])
    return largest


@jit
def _sum_of_exponentials(row, top, lanes):
    zero = row.dtype.type(0)
    whole = row.size - row.size % LANES
    for l in range(LANES):
        lanes[l] = zero
    for first in range(0, whole, LANES):
        block = row[first : first + LANES]
        for l in range(LANES):
            lanes[l] += vexp_below(block[l] - top)
    total = zero
    for l in range(LANES):
        total += lanes[l]
    for j in range(whole, row.size):
        total += vexp_below(row[j] - top)
    return total


@kernel(nll="N", logits="N V", targets="int N", top="N", total="N")
def forward_rows(tid, nth, arrivals, nll, logits, targets, top, total):
    """Fills, for every row, its largest logit, the sum of e^(logit - largest), and -log softmax at the target."""
    meet(arrivals, nth)
    first, last = split(logits.shape[0], 1, tid, nth)
    lanes = np.empty(LANES, logits.dtype)
    for n in range(first, last):
        row = logits[n]
        top[n] = _largest(row, lanes)
        total[n] = _sum_of_exponentials(row, top[n], lanes)
        nll[n] = np.log(total[n]) - (row[targets[n]] - top[n])


@kernel(dlogits="N V", logits="N V", targets="int N", top="N", total="N", scale="N")
def backward_rows(tid, nth, arrivals, dlogits, logits, targets, top, total, scale):
    """Fills dlogits with scale * (softmax - onehot), zeros where scale is 0."""
    meet(arrivals, nth)
    first, last = split(logits.shape[0], 1, tid, nth)
    for n in range(first, last):
        row, out = logits[n], dlogits[n]
        if scale[n] == 0:
            for j in range(row.size):
                out[j] = 0
        else:
            largest, factor = top[n], scale[n] / total[n]
            for j in range(row.size):
                out[j] = vexp_below(row[j] - largest) * factor
            out[targets[n]] -= scale[n]


class Saved(NamedTuple):
    """What ``backward`` needs of a forward pass."""

    logits: np.ndarray
    targets: np.ndarray
    top: np.ndarray
    total: np.ndarray


def forward(logits, targets):
    """logits (N, V), targets (N,) -> nll (N,), Saved."""
    nll, top, total = (np.empty(len(logits), logits.dtype) for _ in range(3))
    run([Job(forward_rows, logits.dtype, (nll, logits, targets, top, total))], threads_worth(16 * logits.size))
    return nll, Saved(logits, targets, top, total)


def backward(saved, scale):
    """scale (N,), the gradient of each row's nll -> dlogits (N, V)."""
    dlogits = empty(saved.logits.shape, saved.logits.dtype)
    run([Job(backward_rows, dlogits.dtype, (dlogits, *saved, scale))], threads_worth(16 * dlogits.size))
    return dlogits

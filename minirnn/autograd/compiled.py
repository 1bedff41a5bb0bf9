"""Where the tape, the losses and the optimisers hand large arrays to the compiled kernels, by the operation's name.

NumPy's BLAS has threads that go on polling after a product and then fight with the kernels' own for the processors; a
network whose large products all run here does not wake them. The choice depends on sizes alone, so that a run that was
interrupted makes the same choices again.
"""

import os

import numpy as np

from minirnn import kernels
from minirnn.array import scatter_add, xp_of
from minirnn.kernels import memory

# multiply-adds. The first work that goes to the kernels loads Numba, 0.35 s, or 7 s when nothing is cached yet; a short
# script with small matrices should never pay for it
LARGE = 1 << 22
BY_MEMORY = 16  # multiply-adds in the time of reading and writing one number


def wanted(size, *arrays):
    """Whether work of ``size`` operations on these arrays goes to the kernels (minirnn.kernels) and not to NumPy."""
    if size < LARGE or os.environ.get("MINIRNN_KERNELS") == "explicit" or os.environ.get("NUMBA_DISABLE_JIT") == "1":
        return False
    dtype = arrays[0].dtype
    return dtype in (np.float32, np.float64) and all(type(a) is np.ndarray and a.dtype == dtype for a in arrays)


def large(*arrays):
    """Whether a pass over the first of these arrays goes to the kernels."""
    return wanted(BY_MEMORY * arrays[0].size, *arrays)


def empty(shape, dtype):
    """Like np.empty, over memory that is used again."""
    return memory.empty(shape, dtype)


def product(a, b):
    """a @ b, large matrices (M, K) @ (K, N) by the kernels: (..., M, K) @ (..., K, N) -> (..., M, N)."""
    if b.ndim != 2 or a.ndim < 2:
        return a @ b
    rows = a.reshape(-1, a.shape[-1])  # one product over all rows, where NumPy would make one for each matrix
    y = kernels.gemm(rows, b) if wanted(a.size * b.shape[1], a, b) else rows @ b
    return y.reshape(*a.shape[:-1], b.shape[1])


def add_row(y, row):
    """y (..., N), which is nobody else's yet, plus row (N,)."""
    if row.ndim == 1 and y.flags.c_contiguous and large(y, row):
        kernels.add_row(y.reshape(-1, row.size), row)
    else:
        y += row
    return y


def sum_rows(a):
    """a (M, N) -> (N,)."""
    return kernels.sum_rows(a) if large(a) else a.sum(axis=0)


def scaled(a, factor):
    """a times a number, in a new array."""
    return kernels.scaled(a, factor) if large(a) else a * factor


def take(table, rows):
    """table (V, D), integers rows (...) in [0, V) -> (..., D)."""
    return memory.take(table, rows) if type(table) is np.ndarray else table[rows]


def scatter_rows(a, index, shape):
    """Zeros of ``shape`` with a added at [index], an entry that is named twice getting both; -> shape."""
    if len(shape) == 2 and type(index) is np.ndarray and index.dtype.kind in "iu" and large(a):
        return kernels.embedding_gradient(index.reshape(-1) % shape[0], a.reshape(-1, shape[1]), shape[0])
    value = xp_of(a).zeros(shape, a.dtype)
    scatter_add(value, index, a)
    return value


def updated(rule, value, gradient, states, constants):
    """One update of an optimiser in one pass: the new parameter; ``states`` are changed in place."""
    return kernels.updated(rule, value, gradient, states, constants)


def softmax_nll(a, targets):
    """-log softmax at every row's target, and its backward: a (N, V), targets (N,) -> nll (N,), scale (N,) -> da."""
    if wanted(8 * a.size, a):
        nll, saved = kernels.softmax_xent_forward(a, targets)
        return nll, lambda scale: kernels.softmax_xent_backward(saved, scale)
    xp = xp_of(a)
    places = xp.arange(len(a))
    p = a - a.max(axis=1, keepdims=True)
    at_target = p[places, targets]
    xp.exp(p, out=p)
    total = p.sum(axis=1, keepdims=True)
    p /= total

    def backward(scale):
        da = p * scale[:, None]
        da[places, targets] -= scale
        da[scale == 0] = 0
        return da

    return xp.log(total)[:, 0] - at_target, backward


def copied(a):
    """A NumPy array's copy, in memory that was used before: fresh pages would cost more than the copying."""
    if not a.flags.c_contiguous:
        return a.copy(order="K")
    out = empty(a.shape, a.dtype)
    out[...] = a
    return out

"""Where the tape hands large arrays to the compiled kernels.

NumPy's BLAS has threads that go on polling after a product and then fight with the kernels' own for the processors; a
network whose large products all run here does not wake them. The choice depends on sizes alone, so that a run that was
interrupted makes the same choices again.
"""

import os

import numpy as np

from minirnn import kernels

LARGE = 1 << 22  # multiply-adds; below, loading the kernels costs a newcomer more than they save
BY_MEMORY = 16  # multiply-adds in the time of reading and writing one number


def wanted(size, *arrays):
    """Whether work of ``size`` operations on these arrays goes to the kernels (minirnn.kernels) and not to NumPy."""
    if size < LARGE or os.environ.get("MINIRNN_KERNELS") == "explicit" or os.environ.get("NUMBA_DISABLE_JIT") == "1":
        return False
    dtype = arrays[0].dtype
    return dtype in (np.float32, np.float64) and all(type(a) is np.ndarray and a.dtype == dtype for a in arrays)


def product(a, b):
    """a @ b, large matrices (M, K) @ (K, N) by the kernels: (..., M, K) @ (..., K, N) -> (..., M, N)."""
    if b.ndim != 2 or a.ndim < 2:
        return a @ b
    rows = a.reshape(-1, a.shape[-1])  # one product over all rows, where NumPy would make one for each matrix
    y = kernels.gemm(rows, b) if wanted(a.size * b.shape[1], a, b) else rows @ b
    return y.reshape(*a.shape[:-1], b.shape[1])


def add_row(y, row):
    """y (..., N), which is nobody else's yet, plus row (N,)."""
    if row.ndim == 1 and y.flags.c_contiguous and wanted(BY_MEMORY * y.size, y, row):
        kernels.add_row(y.reshape(-1, row.size), row)
    else:
        y += row
    return y


def sum_rows(a):
    """a (M, N) -> (N,)."""
    return kernels.sum_rows(a) if wanted(BY_MEMORY * a.size, a) else a.sum(axis=0)

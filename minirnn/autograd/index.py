"""Picking entries; the adjoint adds the cotangent back where the entries came from."""

import numpy as np

from minirnn import kernels
from minirnn.array import scatter_add, xp_of
from minirnn.autograd.compiled import BY_MEMORY, wanted
from minirnn.autograd.tape import Tensor, lift, record
from minirnn.errors import DtypeError, InputError, must_be
from minirnn.kernels import memory


def _plain(index):
    """The index with Tensors replaced by their arrays and lists made arrays."""
    parts = index if isinstance(index, tuple) else (index,)
    parts = tuple(lift(p).value if isinstance(p, (Tensor, list, np.ndarray)) else p for p in parts)
    return parts if isinstance(index, tuple) else parts[0]


def _distinct(index):
    """Whether no entry can be picked twice: slices, ints, None, ellipsis, one boolean mask."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        p is None or p is Ellipsis or isinstance(p, (int, slice, np.integer)) or getattr(p, "dtype", None) == np.bool_
        for p in parts
    )


def getitem(x, index):
    """x[index] with ints, slices, None, ellipsis, integer arrays or boolean masks, as in numpy."""
    x, index = lift(x), _plain(index)
    return record("getitem", x.value[index], (x,), lambda dy: (scatter(dy, index, x.shape),))


def scatter(x, index, shape):
    """Zeros of ``shape`` with x added at [index]; an entry picked twice gets both: the adjoint of getitem."""
    x, index = lift(x), _plain(index)
    return record("scatter", _scattered(x.value, index, tuple(shape)), (x,), lambda dy: (getitem(dy, index),))


def _scattered(a, index, shape):
    if len(shape) == 2 and type(index) is np.ndarray and index.dtype.kind in "iu" and wanted(BY_MEMORY * a.size, a):
        return kernels.embedding_gradient(index.reshape(-1) % shape[0], a.reshape(-1, shape[1]), shape[0])
    value = xp_of(a).zeros(shape, a.dtype)
    if _distinct(index):
        value[index] = a
    else:
        scatter_add(value, index, a)
    return value


def gather(x, index, axis=-1):
    """Entry ``index`` along an axis, one for each place: x (..., N, ...), index (..., K, ...) ints -> index's shape."""
    x, index = lift(x), lift(index).value
    xp = xp_of(x.value)
    if index.ndim != x.ndim:
        raise InputError(must_be("gather", "index", f"an array with {x.ndim} axes, as x", f"{index.ndim} axes"))
    full = [xp.arange(n).reshape([-1 if k == j else 1 for j in range(x.ndim)]) for k, n in enumerate(index.shape)]
    full[axis] = index
    return getitem(x, tuple(full))


def embedding(weight, ids):
    """Rows of a table: weight (V, D), ids (...) of ints in [0, V) -> (..., D)."""
    weight, ids = lift(weight), lift(ids).value
    if weight.ndim != 2:
        raise InputError(must_be("embedding", "weight", "(V, D)", weight.shape))
    if ids.dtype.kind not in "iu":
        raise DtypeError(must_be("embedding", "ids", "an integer array", ids.dtype))
    if ids.size and (ids.min() < 0 or ids.max() >= weight.shape[0]):
        what, got = f"in [0, V) = [0, {weight.shape[0]})", f"{int(ids.min())}..{int(ids.max())}"
        raise InputError(must_be("embedding", "ids", what, got))
    value = memory.take(weight.value, ids) if type(weight.value) is np.ndarray else weight.value[ids]
    return record("embedding", value, (weight,), lambda dy: (scatter(dy, ids, weight.shape),))

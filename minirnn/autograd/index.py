"""Picking entries; the adjoint adds the cotangent back where the entries came from."""

import numpy as np

from minirnn.array import beside, numbers_below, xp_of
from minirnn.autograd import compiled
from minirnn.autograd.arithmetic import sum_to, where
from minirnn.autograd.tape import Tensor, lift, record
from minirnn.errors import InputError, must_be


def _plain(part):
    """A part of an index, Tensors replaced by their arrays and lists made arrays."""
    return lift(part).value if isinstance(part, (Tensor, list, np.ndarray)) else part


def _index(index, a, shape):
    """The index of an array of ``shape``, its arrays beside a; IndexError as NumPy's, where a GPU would wrap round."""
    parts = tuple(map(_plain, index)) if isinstance(index, tuple) else (_plain(index),)
    if xp_of(a, *parts) is not np:
        if any(isinstance(p, np.ndarray) for p in parts) and xp_of(*parts) is np:
            np.broadcast_to(np.int8(0), shape)[parts]
        kept = (type(None), type(Ellipsis), slice, int, np.integer)
        parts = tuple(p if isinstance(p, kept) else beside(p, a, "getitem", "index") for p in parts)
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
    x = lift(x)
    index = _index(index, x.value, x.shape)
    return record("getitem", x.value[index], (x,), lambda dy: (scatter(dy, index, x.shape),))


def scatter(x, index, shape):
    """Zeros of ``shape`` with x added at [index]; an entry picked twice gets both: the adjoint of getitem."""
    x = lift(x)
    shape = tuple(shape)
    index = _index(index, x.value, shape)
    value = _scattered(x.value, index, shape)
    return record("scatter", value, (x,), lambda dy: (sum_to(getitem(dy, index), x.shape),))  # x may be broadcast


def _scattered(a, index, shape):
    if not _distinct(index):
        return compiled.scatter_rows(a, index, shape)
    value = xp_of(a).zeros(shape, a.dtype)
    value[index] = a
    return value


def gather(x, index, axis=-1):
    """Entry ``index`` along an axis, one for each place: x (..., N, ...), index (..., K, ...) ints -> index's shape."""
    x, index = lift(x), lift(index).value
    xp = xp_of(x.value)
    if index.ndim != x.ndim:
        raise InputError(must_be("gather", "index", f"an array with {x.ndim} axes, as x", f"{index.ndim} axes"))
    full = [xp.arange(n).reshape([-1 if k == j else 1 for j in range(x.ndim)]) for k, n in enumerate(index.shape)]
    full[axis] = _index(index, x.value, x.shape[axis : axis + 1 or None])
    return getitem(x, tuple(full))


def embedding(weight, ids, padding_idx=None):
    """Rows of a table: weight (V, D), ids (...) of ints in [0, V) -> (..., D); row ``padding_idx`` gets no gradient."""
    weight, ids = lift(weight), lift(ids).value
    if weight.ndim != 2:
        raise InputError(must_be("embedding", "weight", "(V, D)", weight.shape))
    ids = numbers_below("embedding", "ids", ids, weight.shape[0], weight.value)
    value = compiled.take(weight.value, ids)

    def vjp(dy):
        if padding_idx is not None:
            dy = where((ids != padding_idx)[..., None], dy, 0.0)
        return (scatter(dy, ids, weight.shape),)

    return record("embedding", value, (weight,), vjp)

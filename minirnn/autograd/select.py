"""Entries chosen by their size, and where they stand: argmax, topk, sort, one_hot. Indices have no gradient."""

import numbers

import numpy as np

from minirnn.array import FLOATS, numbers_below, xp_of
from minirnn.autograd.index import gather
from minirnn.autograd.reduce import _kept
from minirnn.autograd.shape import squeeze
from minirnn.autograd.tape import Tensor, lift
from minirnn.errors import DtypeError, InputError, check_axis, must_be


def _not_empty(where, x, axis):
    """The axis as a non-negative int (None: as it is), or InputError where there is nothing to choose from."""
    if axis is not None:
        check_axis(where, axis, x.ndim)
        axis = axis % x.ndim
    if not (x.size if axis is None else x.shape[axis]):
        raise InputError(must_be(where, "x", "with entries along the axis", x.shape))
    return axis


def _arg(where, x, axis, keepdims):
    x = lift(x)
    axis = _not_empty(where, x, axis)
    found = getattr(x.value, where)(axis=axis)
    return Tensor(found.reshape(_kept(x, range(x.ndim) if axis is None else (axis,))) if keepdims else found)


def argmax(x, axis=None, keepdims=False):
    """Where the largest entry stands, the first of equal ones, as ints: of [2, 7, 7] it is 1; None counts through all
    entries in order."""
    return _arg("argmax", x, axis, keepdims)


def argmin(x, axis=None, keepdims=False):
    """Where the smallest entry stands, the first of equal ones, as ints: of [7, 2, 2] it is 1."""
    return _arg("argmin", x, axis, keepdims)


def _with_indices(where, find, x, axis, keepdims):
    x = lift(x)
    axis = _not_empty(where, x, axis)
    indices = find(x, axis, True)
    values = gather(x, indices, axis)
    return (values, indices) if keepdims else (squeeze(values, axis), squeeze(indices, axis))


def max_with_indices(x, axis=-1, keepdims=False):
    """Largest entries along an axis and where they stand: of [2, 7, 7] it is (7, 1), and entry 1 gets the gradient."""
    return _with_indices("max_with_indices", argmax, x, axis, keepdims)


def min_with_indices(x, axis=-1, keepdims=False):
    """Smallest entries along an axis and where they stand: of [7, 2, 2] it is (2, 1), and entry 1 gets the gradient."""
    return _with_indices("min_with_indices", argmin, x, axis, keepdims)


def _order(a, axis, descending):
    """Indices that sort an array, equal entries in their own order and NaN counting as the largest."""
    xp = xp_of(a)
    if not descending:
        return xp.argsort(a, axis=axis, kind="stable")
    return a.shape[axis] - 1 - xp.flip(xp.argsort(xp.flip(a, axis), axis=axis, kind="stable"), axis)


def sort(x, axis=-1, descending=False):
    """Entries in order along an axis and where they stood: of [3, 1, 2] it is ([1, 2, 3], [1, 2, 0])."""
    x = lift(x)
    check_axis("sort", axis, x.ndim)
    indices = Tensor(_order(x.value, axis, descending))
    return gather(x, indices, axis), indices


def topk(x, k, axis=-1, largest=True):
    """The k largest entries along an axis, largest first (largest=False: smallest), and where they stood: of [3, 1, 2]
    and k = 2 it is ([3, 2], [0, 2])."""
    x = lift(x)
    check_axis("topk", axis, x.ndim)
    if not isinstance(k, numbers.Integral) or isinstance(k, bool):
        raise DtypeError(must_be("topk", "k", "an integer", repr(k)))
    if not 0 <= k <= x.shape[axis]:
        raise InputError(must_be("topk", "k", f"in 0..{x.shape[axis]}, the length of the axis", k))
    order = _order(x.value, axis, largest)
    indices = Tensor(order[(slice(None),) * (axis % x.ndim) + (slice(int(k)),)])
    return gather(x, indices, axis), indices


def one_hot(ids, classes, dtype=np.float32):
    """A 1 at each id and 0 elsewhere: ids (...) of ints in [0, V), V = ``classes`` -> (..., V); 2 of 3 is [0, 0, 1]."""
    ids = lift(ids).value
    if not isinstance(classes, numbers.Integral) or isinstance(classes, bool) or classes < 1:
        raise InputError(must_be("one_hot", "classes", "a positive int", repr(classes)))
    if np.dtype(dtype) not in FLOATS:
        raise DtypeError(must_be("one_hot", "dtype", "float32 or float64", np.dtype(dtype)))
    ids = numbers_below("one_hot", "ids", ids, classes, ids)
    return Tensor((xp_of(ids).arange(classes) == ids[..., None]).astype(dtype))

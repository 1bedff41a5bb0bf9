"""Reductions: many numbers to few. ``axis`` is None (all), an int or a tuple."""

from math import prod as product

import numpy as np

from minirnn.array import xp_of
from minirnn.autograd.arithmetic import expand, where
from minirnn.autograd.compiled import sum_rows
from minirnn.autograd.shape import flip, reshape, transpose
from minirnn.autograd.tape import lift, output_again, record
from minirnn.errors import InputError, check_axis, must_be


def _axes(x, axis):
    """The reduced axes as a tuple of non-negative ints."""
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    for k in axes:
        check_axis("axis", k, x.ndim)
    return tuple(k % x.ndim for k in axes)


def _kept(x, axes):
    """x's shape with the reduced axes of length 1: what a cotangent is reshaped to before it is spread."""
    return tuple(1 if k in axes else n for k, n in enumerate(x.shape))


def sum(x, axis=None, keepdims=False):
    """Sum over axes."""
    x = lift(x)
    kept = _kept(x, _axes(x, axis))
    by_row = axis == 0 and x.ndim == 2 and not keepdims
    value = sum_rows(x.value) if by_row else x.value.sum(axis=axis, keepdims=keepdims)
    return record("sum", value, (x,), lambda dy: (expand(reshape(dy, kept), x.shape),))


def mean(x, axis=None, keepdims=False):
    """Mean over axes."""
    x = lift(x)
    axes = _axes(x, axis)
    kept, n = _kept(x, axes), product(x.shape[k] for k in axes)
    value = x.value.mean(axis=axis, keepdims=keepdims)
    return record("mean", value, (x,), lambda dy: (expand(reshape(dy / n, kept), x.shape),))


def var(x, axis=None, keepdims=False, ddof=0):
    """Variance over axes, divided by n - ddof (0 is the biased form of batch normalisation)."""
    x = lift(x)
    axes = _axes(x, axis)
    kept, n = _kept(x, axes), product(x.shape[k] for k in axes) - ddof
    if n <= 0:
        raise InputError(must_be("var", "ddof", f"below the number of entries ({n + ddof})", ddof))
    value = x.value.var(axis=axis, keepdims=keepdims, ddof=ddof)
    return record("var", value, (x,), lambda dy: (reshape(dy * (2 / n), kept) * (x - mean(x, axis, True)),))


def std(x, axis=None, keepdims=False, ddof=0):
    """Standard deviation over axes, the root of ``var``; where it is 0, its derivatives are given as 0.

    ddof as in var: of [1, 3] it is 1, with ddof=1 (PyTorch's default) 1.414.
    """
    x = lift(x)
    axes = _axes(x, axis)
    kept, n = _kept(x, axes), product(x.shape[k] for k in axes) - ddof
    if n <= 0:
        raise InputError(must_be("std", "ddof", f"below the number of entries ({n + ddof})", ddof))
    value = xp_of(x.value).sqrt(x.value.var(axis=axis, keepdims=keepdims, ddof=ddof))

    def vjp(dy):
        y = output_again(value, std, x, axis, keepdims, ddof)
        share = where(value == 0, 0.0, dy / n / where(value == 0, 1.0, y))
        return (reshape(share, kept) * (x - mean(x, axis, True)),)

    return record("std", value, (x,), vjp)


def _extreme(name, x, axis, keepdims):
    """max and min: the first extreme entry along the reduced axes gets the whole gradient."""
    x = lift(x)
    xp, axes = xp_of(x.value), _axes(x, axis)
    kept = _kept(x, axes)
    if not all(x.shape[k] for k in axes):
        raise InputError(must_be(name, "x", "with entries along the axis", x.shape))
    value = getattr(x.value, name)(axis=axis, keepdims=keepdims)

    def vjp(dy):
        rest = tuple(k for k in range(x.ndim) if k not in axes)
        order = rest + axes
        flat = x.value.transpose(order).reshape(*(x.shape[k] for k in rest), -1)
        first = xp.expand_dims(getattr(flat, "arg" + name)(axis=-1), -1)
        chosen = (xp.arange(flat.shape[-1]) == first).reshape(tuple(x.shape[k] for k in order))
        back = tuple(order.index(k) for k in range(x.ndim))
        return (expand(reshape(dy, kept), x.shape) * chosen.transpose(back).astype(x.dtype),)

    return record(name, value, (x,), vjp)


def max(x, axis=None, keepdims=False):
    """Largest entry over axes; of several equal ones the first gets the gradient."""
    return _extreme("max", x, axis, keepdims)


def min(x, axis=None, keepdims=False):
    """Smallest entry over axes; of several equal ones the first gets the gradient."""
    return _extreme("min", x, axis, keepdims)


def prod(x, axis=-1, keepdims=False):
    """Product along one axis, several, or of everything (axis=None).

    The derivative to each entry is the product of the others, computed as such, so that zeros are no special case;
    that takes memory n times x for an axis of n entries.
    """
    x = lift(x)
    axes = _axes(x, axis)
    if len(axes) != 1:  # as one axis, the last
        rest = tuple(k for k in range(x.ndim) if k not in axes)
        flat = reshape(transpose(x, rest + axes), (*(x.shape[k] for k in rest), product(x.shape[k] for k in axes)))
        value = prod(flat, -1)
        return reshape(value, _kept(x, axes)) if keepdims else value
    (axis,) = axes
    kept, n = _kept(x, (axis,)), x.shape[axis]

    def vjp(dy):
        xp = xp_of(x.value)
        before, after = x.shape[:axis], x.shape[axis + 1 :]
        eye = xp.eye(n, dtype=bool).reshape((1,) * len(before) + (n, n) + (1,) * len(after))
        others = where(eye, 1.0, reshape(x, (*before, 1, n, *after)))  # row k: x without its entry k
        return (reshape(dy, kept) * prod(others, axis + 1),)

    return record("prod", x.value.prod(axis=axis, keepdims=keepdims), (x,), vjp)


def norm(x, axis=None, keepdims=False):
    """Euclidean norm over axes, of [3e-30, 4e-30] too; where it is 0, its derivatives are given as 0."""
    x = lift(x)
    xp, axes = xp_of(x.value), _axes(x, axis)
    kept, limits = _kept(x, axes), np.finfo(x.dtype if x.dtype.kind == "f" else float)
    with np.errstate(over="ignore", under="ignore"):
        value = xp.sqrt((x.value * x.value).sum(axis=axis, keepdims=keepdims))
    risky = ~((value > (limits.tiny / limits.eps) ** 0.5) & (value < (limits.max * limits.eps) ** 0.5))
    if risky.any():  # squares that may have been too large or too small: scale by a power of two first
        top = abs(x.value).max(axis=axes, keepdims=True)
        scale = xp.ldexp(xp.ones_like(top), xp.where((top > 0) & xp.isfinite(top), xp.frexp(top)[1] - 1, 0))
        scaled = xp.sqrt(((x.value / scale) ** 2).sum(axis=axis, keepdims=keepdims)) * scale.reshape(value.shape)
        risky, value = risky & (top > 0).reshape(value.shape), xp.where(risky, scaled, value)

    def vjp(dy):
        y = output_again(value, norm, x, axis, keepdims)
        if risky.any():
            return (reshape(dy, kept) * (x / reshape(where(value == 0, 1.0, y), kept)),)
        share = where(value == 0, 0.0, dy / where(value == 0, 1.0, y))
        return (x * reshape(share, kept),)

    return record("norm", value, (x,), vjp)


def cumsum(x, axis=-1):
    """Running sum along one axis; its adjoint is the running sum from the other end."""
    x = lift(x)
    check_axis("cumsum", axis, x.ndim)
    return record("cumsum", x.value.cumsum(axis=axis), (x,), lambda dy: (flip(cumsum(flip(dy, axis), axis), axis),))


def cumprod(x, axis=-1):
    """Running product along one axis: [2, 3, 4] -> [2, 6, 24].

    As in ``prod``, the derivative to each entry is made of products of the others, so that zeros are no special case.
    """
    x = lift(x)
    check_axis("cumprod", axis, x.ndim)
    axis = axis % x.ndim

    def vjp(dy):
        xp, n = xp_of(x.value), x.shape[axis]
        before, after = x.shape[:axis], x.shape[axis + 1 :]
        place = xp.arange(n).reshape((n,) + (1,) * len(after))
        row = xp.arange(n).reshape((n, 1) + (1,) * len(after))
        others = cumprod(where(row == place, 1.0, reshape(x, (*before, 1, n, *after))), axis + 1)  # row k: without x_k
        return (sum(where(row <= place, others * reshape(dy, (*before, 1, n, *after)), 0.0), axis + 1),)

    return record("cumprod", x.value.cumprod(axis=axis), (x,), vjp)

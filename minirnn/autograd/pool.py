"""Pooling: the largest entry or the mean of every window, with PyTorch's padding and rounding of the number of windows.
"""

import math

import numpy as np

from minirnn.array import beside
from minirnn.autograd.conv import each, unfold
from minirnn.autograd.reduce import max as reduce_max
from minirnn.autograd.reduce import mean
from minirnn.autograd.reduce import sum as reduce_sum
from minirnn.autograd.shape import pad
from minirnn.autograd.tape import Tensor, lift
from minirnn.errors import InputError, must_be


def _outputs(size, kernel, stride, padding, ceil_mode):
    """How many windows an axis has: size 6, kernel 3, stride 2 -> 2, or 3 in ceil mode, the last one beyond the end."""
    whole, rest = divmod(size + 2 * padding - kernel, stride)
    starts_inside = (whole + 1) * stride < size + padding
    return whole + 1 + int(bool(ceil_mode and rest and starts_inside))


def _windows(where, x, kernel, stride, padding, ceil_mode, value):
    """The windows (N, C, *out, *kernel) of x surrounded by ``value``, and for each axis (size, kernel, stride, padding,
    out), or None where no window reaches beyond x."""
    d = x.ndim - 2
    if d not in (1, 2):
        raise InputError(must_be(where, "x", "(N, C, L) or (N, C, H, W)", x.shape))
    kernel, axes = each(where, "kernel", kernel, d, 1), None
    stride = kernel if stride is None else each(where, "stride", stride, d, 1)
    padding, size = each(where, "padding", padding, d, 0), x.shape[2:]
    if any(n + 2 * p < k for n, k, p in zip(size, kernel, padding)):
        raise InputError(must_be(where, "kernel", f"at most {size} with padding on both sides", kernel))
    if ceil_mode or any(padding):
        if any(2 * p > k for p, k in zip(padding, kernel)):
            raise InputError(must_be(where, "padding", f"at most half of the kernel {kernel}", padding))
        out = tuple(_outputs(n, k, s, p, ceil_mode) for n, k, s, p in zip(size, kernel, stride, padding))
        axes = list(zip(size, kernel, stride, padding, out))
        x = pad(x, ((0, 0), (0, 0), *((p, max(p, (o - 1) * s + k - n - p)) for n, k, s, p, o in axes)), value)
    return unfold(x, kernel, stride), axes


def max_pool(x, kernel, stride=None, padding=0, ceil_mode=False):
    """Largest entry of each window (stride: the kernel's size); the first of equal ones gets the gradient.

    padding: entries of -inf on both sides; ceil_mode: a last window may reach beyond the end, so that of 5 entries and
    a kernel of 2 there are 3 windows.
    """
    x = lift(x)
    windows, _ = _windows("max_pool", x, kernel, stride, padding, ceil_mode, -math.inf)
    return reduce_max(windows, tuple(range(2 - x.ndim, 0)))


def avg_pool(x, kernel, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """Mean of each window (stride: the kernel's size), with padding zeros that count unless count_include_pad=False.

    What ceil_mode lets a window reach beyond the padding never counts: of [1, 2, 3] and a kernel of 2 the means are
    [1.5, 3].
    """
    x = lift(x)
    windows, axes = _windows("avg_pool", x, kernel, stride, padding, ceil_mode, 0.0)
    places = tuple(range(2 - x.ndim, 0))
    if axes is None or count_include_pad and not ceil_mode:
        return mean(windows, places)
    counts = np.ones([out for *_, out in axes])
    for axis, (n, k, s, p, out) in enumerate(axes):
        first = np.arange(out) * s - p
        last = np.minimum(first + k, n + p if count_include_pad else n)
        count = last - (first if count_include_pad else np.maximum(first, 0))
        counts *= count.reshape([-1 if j == axis else 1 for j in range(len(axes))])
    return reduce_sum(windows, places) / Tensor(beside(counts.astype(windows.dtype), windows.value))

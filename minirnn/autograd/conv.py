"""Convolution in one and two dimensions, its transpose, and the windows both are made of.

``conv`` (x, w), ``conv_transpose`` (dy, w) and the weight gradient (x, dy) are three readings of one trilinear form:
the vjp of each is made of the other two, which is why all of them can be differentiated again.
"""

from itertools import product

from minirnn.array import xp_of
from minirnn.autograd.shape import pad, reshape
from minirnn.autograd.tape import lift, pair, record
from minirnn.errors import InputError, must_be


def _windows(a, kernel, stride):
    """Every window of the spatial axes, without copying: (N, C, *S) -> (N, C, *out, *kernel)."""
    axes = tuple(range(2, a.ndim))
    view = xp_of(a).lib.stride_tricks.sliding_window_view(a, kernel, axis=axes)
    return view[(slice(None), slice(None), *(slice(None, None, s) for s in stride))]


def _overlap_add(windows, size, stride):
    """The adjoint of _windows: add every window back to where it came from. (N, C, *out, *kernel) -> (N, C, *size)."""
    d = len(size)
    out, kernel = windows.shape[2 : 2 + d], windows.shape[2 + d :]
    total = xp_of(windows).zeros(windows.shape[:2] + tuple(size), windows.dtype)
    for offset in product(*(range(k) for k in kernel)):
        place = tuple(slice(o, o + s * (n - 1) + 1, s) for o, s, n in zip(offset, stride, out))
        total[(slice(None), slice(None), *place)] += windows[(Ellipsis, *offset)]
    return total


def _forward(x, w, stride):
    """Cross-correlation without padding: x (N, C, *S), w (O, C, *k) -> (N, O, *out)."""

    def vjp(dy):
        dx = _backward_data(dy, w, x.shape[2:], stride) if x.requires_grad else None
        return dx, _backward_weight(x, dy, w.shape[2:], stride) if w.requires_grad else None

    d = x.ndim - 2
    axes = [1, *range(2 + d, 2 + 2 * d)], [1, *range(2, 2 + d)]
    y = xp_of(x.value).tensordot(_windows(x.value, w.shape[2:], stride), w.value, axes)
    return record("conv", xp_of(y).moveaxis(y, -1, 1), (x, w), vjp)


def _backward_data(dy, w, size, stride):
    """The adjoint of _forward in x: dy (N, O, *out), w (O, C, *k) -> (N, C, *size)."""

    def vjp(g):
        return (
            _forward(g, w, stride) if dy.requires_grad else None,
            _backward_weight(g, dy, w.shape[2:], stride) if w.requires_grad else None,
        )

    xp, d = xp_of(dy.value), len(size)
    cols = xp.tensordot(dy.value, w.value, ([1], [0]))  # (N, *out, C, *k)
    value = _overlap_add(xp.moveaxis(cols, 1 + d, 1), size, stride)
    return record("conv_transpose", value, (dy, w), vjp)


def _backward_weight(x, dy, kernel, stride):
    """The adjoint of _forward in w: x (N, C, *S), dy (N, O, *out) -> (O, C, *kernel)."""

    def vjp(g):
        return (
            _backward_data(dy, g, x.shape[2:], stride) if x.requires_grad else None,
            _forward(x, g, stride) if dy.requires_grad else None,
        )

    places = [0, *range(2, x.ndim)]
    value = xp_of(x.value).tensordot(dy.value, _windows(x.value, kernel, stride), (places, places))
    return record("conv_weight", value, (x, dy), vjp)


def each(where, name, number, d, least):
    """An int or a tuple of d ints, none below ``least``, as a tuple."""
    numbers = (number,) * d if isinstance(number, int) else tuple(number)
    if len(numbers) != d or any(not isinstance(n, int) or n < least for n in numbers):
        raise InputError(must_be(where, name, f"an int >= {least} or a tuple of {d}", number))
    return numbers


def _checked(where, d, x, w, channels_of_w):
    x, w = pair(where, x, w)
    form = "(N, C, L)" if d == 1 else "(N, C, H, W)"
    if x.ndim != d + 2:
        raise InputError(must_be(where, "x", form, x.shape))
    if w.ndim != d + 2 or w.shape[channels_of_w] != x.shape[1]:
        raise InputError(
            must_be(where, "weight", f"with axis {channels_of_w} = {x.shape[1]}, the channels of x {x.shape}", w.shape)
        )
    return x, w


def _conv(where, d, x, weight, bias, stride, padding):
    x, weight = _checked(where, d, x, weight, 1)
    stride = each(where, "stride", stride, d, 1)
    if padding == "causal" and d == 1:
        sides = ((weight.shape[2] - 1, 0),)
    else:
        sides = tuple((p, p) for p in each(where, "padding", padding, d, 0))
    if any(map(any, sides)):
        x = pad(x, ((0, 0), (0, 0), *sides))
    if any(n < k for n, k in zip(x.shape[2:], weight.shape[2:])):
        raise InputError(must_be(where, "kernel", f"at most the padded input {x.shape[2:]}", weight.shape[2:]))
    y = _forward(x, weight, stride)
    return y if bias is None else y + reshape(bias, (1, -1) + (1,) * d)


def conv1d(x, weight, bias=None, stride=1, padding=0):
    """Cross-correlation: x (N, C, L), weight (O, C, k), bias (O,) -> (N, O, (L + 2p - k) // stride + 1).

    padding: zeros on both sides, or "causal" (k - 1 on the left only). Thesis sec. 2.1.3.
    """
    return _conv("conv1d", 1, x, weight, bias, stride, padding)


def conv2d(x, weight, bias=None, stride=1, padding=0):
    """Cross-correlation: x (N, C, H, W), weight (O, C, kh, kw), bias (O,) -> (N, O, H', W'). Thesis sec. 2.1.3."""
    return _conv("conv2d", 2, x, weight, bias, stride, padding)


def _conv_transpose(where, d, x, weight, bias, stride, padding, output_padding):
    x, weight = _checked(where, d, x, weight, 0)
    stride = each(where, "stride", stride, d, 1)
    padding = each(where, "padding", padding, d, 0)
    extra = each(where, "output_padding", output_padding, d, 0)
    if any(e >= s for e, s in zip(extra, stride)):
        raise InputError(must_be(where, "output_padding", f"below the stride {stride}", extra))
    size = tuple((n - 1) * s + k + e for n, s, k, e in zip(x.shape[2:], stride, weight.shape[2:], extra))
    if any(n <= 2 * p for n, p in zip(size, padding)):
        raise InputError(must_be(where, "padding", f"less than half of the output {size}", padding))
    y = _backward_data(x, weight, size, stride)
    y = y[(slice(None), slice(None), *(slice(p, n - p) for n, p in zip(size, padding)))]
    return y if bias is None else y + reshape(bias, (1, -1) + (1,) * d)


def conv_transpose1d(x, weight, bias=None, stride=1, padding=0, output_padding=0):
    """The data gradient of conv1d as a layer.

    x (N, O, L), weight (O, C, k), bias (C,) -> (N, C, (L-1) stride - 2 padding + k + output_padding).
    """
    return _conv_transpose("conv_transpose1d", 1, x, weight, bias, stride, padding, output_padding)


def conv_transpose2d(x, weight, bias=None, stride=1, padding=0, output_padding=0):
    """The data gradient of conv2d as a layer, each axis as in conv_transpose1d. Thesis sec. 5.3.2.

    x (N, O, H, W), weight (O, C, kh, kw), bias (C,) -> (N, C, H', W').
    """
    return _conv_transpose("conv_transpose2d", 2, x, weight, bias, stride, padding, output_padding)


def unfold(x, kernel, stride):
    """Every window of the spatial axes: (N, C, *S) -> (N, C, *out, *kernel); kernel and stride are tuples."""
    x = lift(x)
    return record("unfold", _windows(x.value, kernel, stride), (x,), lambda dy: (fold(dy, x.shape[2:], stride),))


def fold(x, size, stride):
    """Windows added back into place, the adjoint of unfold: (N, C, *out, *kernel) -> (N, C, *size)."""
    x = lift(x)
    out, kernel = x.shape[2 : 2 + len(size)], x.shape[2 + len(size) :]
    made = tuple((n - k) // s + 1 for n, k, s in zip(size, kernel, stride))
    if made != out:
        raise InputError(must_be("fold", "x", f"windows {made} of a size {tuple(size)}", f"{out}"))
    return record("fold", _overlap_add(x.value, size, stride), (x,), lambda dy: (unfold(dy, kernel, stride),))

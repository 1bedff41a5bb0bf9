"""Operations that move entries without changing them; each adjoint moves them back."""

import numbers

import numpy as np

from minirnn.array import check_device, to_cpu, xp_of
from minirnn.autograd.arithmetic import expand, where
from minirnn.autograd.index import getitem
from minirnn.autograd.tape import Tensor, alike, lift, record, record_many
from minirnn.errors import DtypeError, InputError, check_axis, must_be


def reshape(x, *shape):
    """The same entries in another shape (one -1 allowed)."""
    x = lift(x)
    shape = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
    return record("reshape", x.value.reshape(shape), (x,), lambda dy: (reshape(dy, x.shape),))


def transpose(x, axes=None):
    """Axes in another order; None reverses them."""
    x = lift(x)
    axes = tuple(range(x.ndim))[::-1] if axes is None else tuple(k % max(x.ndim, 1) for k in axes)
    back = tuple(axes.index(k) for k in range(len(axes)))
    return record("transpose", x.value.transpose(axes), (x,), lambda dy: (transpose(dy, back),))


def swapaxes(x, first, second):
    """Two axes exchanged."""
    axes = list(range(lift(x).ndim))
    axes[first], axes[second] = axes[second], axes[first]
    return transpose(x, axes)


def squeeze(x, axis=None):
    """Without the given axes of length 1 (all of them when None)."""
    x = lift(x)
    return record("squeeze", x.value.squeeze(axis), (x,), lambda dy: (reshape(dy, x.shape),))


def unsqueeze(x, axis):
    """With a new axis of length 1 at the given place (an int or a tuple)."""
    x = lift(x)
    return record("unsqueeze", xp_of(x.value).expand_dims(x.value, axis), (x,), lambda dy: (reshape(dy, x.shape),))


def concatenate(parts, axis=0):
    """Tensors joined along an existing axis."""
    parts = alike("concatenate", tuple(lift(p) for p in parts))
    if not parts:
        raise InputError(must_be("concatenate", "parts", "at least one tensor", "none"))
    for number, part in enumerate(parts):
        check_device("concatenate", f"part {number}", part.value, parts[0].value, "part 0")
    value = xp_of(parts[0].value).concatenate([p.value for p in parts], axis=axis)
    return record("concatenate", value, parts, lambda dy: split(dy, [p.shape[axis] for p in parts], axis))


def stack(parts, axis=0):
    """Tensors of one shape joined along a new axis."""
    if len(parts) == 1:
        return unsqueeze(parts[0], axis)
    return concatenate([unsqueeze(p, axis) for p in parts], axis)


def split(x, sizes, axis=0):
    """Cut along an axis into parts of the given sizes (a list that adds up, or a number of equal parts): a tuple."""
    x = lift(x)
    length = x.shape[axis]
    if isinstance(sizes, int):
        if sizes < 1 or length % sizes:
            raise InputError(must_be("split", "sizes", f"a divisor of the axis length {length}", sizes))
        sizes = [length // sizes] * sizes
    if sum(sizes) != length:
        raise InputError(must_be("split", "sizes", f"numbers that add up to {length}", list(sizes)))
    xp, ends, start = xp_of(x.value), [], 0
    for n in sizes:
        cut = [slice(None)] * x.ndim
        cut[axis] = slice(start, start + n)
        ends.append(x.value[tuple(cut)])
        start += n

    def vjp(*dys):
        dys = [Tensor(xp.zeros(part.shape, x.dtype)) if dy is None else dy for dy, part in zip(dys, ends)]
        return (concatenate(dys, axis),)

    return record_many("split", ends, (x,), vjp)


def pad(x, widths, value=0.0, mode="constant"):
    """Entries around: widths is ((before, after), ...) with one pair for each axis.

    mode is "constant" (``value``), or as in numpy "reflect", "edge" or "wrap": [1, 2, 3] with (2, 1) becomes
    [3, 2, 1, 2, 3, 2], [1, 1, 1, 2, 3, 3] or [2, 3, 1, 2, 3, 1].
    """
    x = lift(x)
    widths = tuple((int(a), int(b)) for a, b in widths)
    if len(widths) != x.ndim or any(a < 0 or b < 0 for a, b in widths):
        raise InputError(must_be("pad", "widths", f"{x.ndim} pairs of non-negative ints", widths))
    if mode != "constant":
        return _pad_with_entries(x, widths, mode)
    inside = tuple(slice(a, a + n) for (a, _), n in zip(widths, x.shape))
    padded = xp_of(x.value).pad(x.value, widths, constant_values=value)
    return record("pad", padded, (x,), lambda dy: (_crop(dy, inside, widths),))


def _pad_with_entries(x, widths, mode):
    """An axis at a time, by the places that the entries come from."""
    if mode not in ("reflect", "edge", "wrap"):
        raise InputError(must_be("pad", "mode", "'constant', 'reflect', 'edge' or 'wrap'", repr(mode)))
    for axis, (width, n) in enumerate(zip(widths, x.shape)):
        if any(width):
            most = {"reflect": n - 1, "edge": max(width) if n else 0, "wrap": n}[mode]
            if max(width) > most:
                raise InputError(must_be("pad", f"the widths of axis {axis}", f"at most {max(most, 0)}", width))
            x = getitem(x, (slice(None),) * axis + (np.pad(np.arange(n), width, mode=mode),))
    return x


def _crop(x, inside, widths):
    return record("crop", x.value[inside], (x,), lambda dy: (pad(dy, widths),))


def flip(x, axis):
    """Entries in reverse order along an axis (an int or a tuple)."""
    x = lift(x)
    return record("flip", xp_of(x.value).flip(x.value, axis), (x,), lambda dy: (flip(dy, axis),))


def roll(x, shift, axis=None):
    """Entries moved ``shift`` places along an axis, those that leave at its end coming back in at its start.

    shift and axis: an int or a tuple each, of one length; axis None counts the places through all entries in order.
    """
    x = lift(x)
    value = xp_of(x.value).roll(x.value, shift, axis)
    back = tuple(-s for s in shift) if isinstance(shift, (tuple, list)) else -shift
    return record("roll", value, (x,), lambda dy: (roll(dy, back, axis),))


def tril(x, k=0):
    """The entries on and below the k-th diagonal of the last two axes, zeros elsewhere: [[1, 2], [3, 4]] -> [[1, 0],
    [3, 4]]; k counts up from the main diagonal."""
    return _triangle("tril", x, k, lambda row, column: column - row <= k)


def triu(x, k=0):
    """The entries on and above the k-th diagonal of the last two axes, zeros elsewhere: [[1, 2], [3, 4]] -> [[1, 2],
    [0, 4]]."""
    return _triangle("triu", x, k, lambda row, column: column - row >= k)


def _triangle(name, x, k, kept):
    x = lift(x)
    if not isinstance(k, numbers.Integral):
        raise DtypeError(must_be(name, "k", "an integer", repr(k)))
    if x.ndim < 2:
        raise InputError(must_be(name, "x", "(..., M, N)", x.shape))
    xp, (M, N) = xp_of(x.value), x.shape[-2:]
    return where(kept(xp.arange(M)[:, None], xp.arange(N)), x, 0.0)


def repeat(x, repeats, axis=None):
    """Each entry several times in a row, an int or a number for each: [1, 2] and 2 -> [1, 1, 2, 2], as numpy's repeat
    and PyTorch's repeat_interleave; axis None makes one row of x first."""
    x = lift(x)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    check_axis("repeat", axis, x.ndim)
    axis = axis % x.ndim
    counts = np.asarray(to_cpu(lift(repeats).value))
    if counts.dtype.kind not in "iu":
        raise DtypeError(must_be("repeat", "repeats", "integers", counts.dtype))
    if counts.shape not in ((), (1,), x.shape[axis : axis + 1]) or (counts < 0).any():
        what = f"one number of at least 0, or one for each of {x.shape[axis]} entries"
        raise InputError(must_be("repeat", "repeats", what, counts.tolist()))
    if counts.size != 1:
        return getitem(x, (slice(None),) * axis + (np.repeat(np.arange(x.shape[axis]), counts),))
    spread = (*x.shape[: axis + 1], int(counts.reshape(())), *x.shape[axis + 1 :])
    return reshape(expand(unsqueeze(x, axis + 1), spread), (*x.shape[:axis], spread[axis] * spread[axis + 1],
                                                            *x.shape[axis + 1 :]))


def tile(x, repeats):
    """The whole of x several times along each axis, as numpy's tile and PyTorch's x.repeat: [1, 2] and 2 -> [1, 2, 1,
    2]; an int or a tuple that counts from the last axis."""
    x = lift(x)
    repeats = (repeats,) if isinstance(repeats, numbers.Integral) else tuple(repeats)
    if any(not isinstance(n, numbers.Integral) or n < 0 for n in repeats):
        raise InputError(must_be("tile", "repeats", "ints of at least 0", repeats))
    d = max(x.ndim, len(repeats))
    shape, repeats = (1,) * (d - x.ndim) + x.shape, (1,) * (d - len(repeats)) + repeats
    apart = reshape(x, tuple(n for size in shape for n in (1, size)))
    spread = expand(apart, tuple(n for pair in zip(repeats, shape) for n in pair))
    return reshape(spread, tuple(int(r) * n for r, n in zip(repeats, shape)))

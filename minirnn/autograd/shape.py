"""Operations that move entries without changing them; each adjoint moves them back."""

from minirnn.array import check_device, xp_of
from minirnn.autograd.tape import Tensor, alike, lift, record, record_many
from minirnn.errors import InputError, must_be


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


def pad(x, widths, value=0.0):
    """Constant entries around: widths is ((before, after), ...) with one pair for each axis."""
    x = lift(x)
    widths = tuple((int(a), int(b)) for a, b in widths)
    if len(widths) != x.ndim or any(a < 0 or b < 0 for a, b in widths):
        raise InputError(must_be("pad", "widths", f"{x.ndim} pairs of non-negative ints", widths))
    inside = tuple(slice(a, a + n) for (a, _), n in zip(widths, x.shape))
    padded = xp_of(x.value).pad(x.value, widths, constant_values=value)
    return record("pad", padded, (x,), lambda dy: (_crop(dy, inside, widths),))


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

"""Wrong arguments: what one may hand to a function instead of what it wants."""

import numpy as np

from minirnn import Tensor


def odd_values(rng):
    """Values of every kind that are hardly ever what is wanted."""
    n = int(rng.integers(1, 5))
    return [
        None, True, -n, 0, n, 10**18, 2.5, -1e300, float("nan"), float("inf"), 1j, "x", "", b"x", "tanh", [], (), {},
        {"a": 1},
        [1.0, 2.0], [[1.0, 2.0], [3.0]], {1, 2}, object(), lambda *a: None, slice(None), range(3), Ellipsis,
        np.int64(-3), np.float16(1), np.float64("nan"), np.zeros(0), np.zeros((n, 0)), np.array(1.5),
        np.arange(n), np.array(["a", "b"]), np.array([object(), None]), np.zeros(n, "m8[s]"),
        np.zeros(n, [("a", "f8")]),
        np.ones((2,) * 5), np.full(n, np.nan), Tensor(np.ones(n)), np.float64, int, Exception("x"),
    ]


def misaligned(array):
    """A copy that starts one byte after an element could."""
    copy = np.empty(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def read_only(array):
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def changed_arrays(rng, array):
    """The array in other shapes, types and layouts; some of them are right, and none may end the interpreter."""
    if array.dtype.kind not in "fiub":  # spoiled once already
        return [array[None], array[:0] if array.ndim else array, read_only(array)]
    doubled = np.repeat(array, 2, axis=-1)[..., ::2] if array.ndim else array
    return [
        array.T, array[..., :-1] if array.ndim else array, array[:0] if array.ndim else array, array.reshape(-1),
        array[None],
        np.repeat(array, 3, axis=0) if array.ndim else array, doubled, array[::-1] if array.ndim else array,
        array[..., ::-1] if array.ndim else array, np.asfortranarray(array), read_only(array), misaligned(array),
        np.broadcast_to(array[:1], array.shape) if array.ndim and len(array) else array,
        np.broadcast_to(array.reshape(-1)[:1], (1 << 22,)) if array.size else array,
        array.astype(np.float16), array.astype(np.float32), array.astype(np.float64), array.astype(np.int32),
        array.astype(complex), array.astype(object), array.astype(array.dtype.newbyteorder()), array.tolist(),
        array * np.nan if array.dtype.kind == "f" else -array - 1, array.astype(np.int64) + (1 << 40),
        np.ma.masked_array(array, array == 0), array.astype("U8"),
    ]


def instead_of(rng, value):
    """Something in place of ``value``: an array in another form, or an odd value."""
    if isinstance(value, np.ndarray) and rng.random() < 0.7:
        choices = changed_arrays(rng, value)
    elif isinstance(value, (list, tuple)) and len(value) and rng.random() < 0.7:
        k = int(rng.integers(len(value)))
        choices = [value[:-1], [*value, value[-1]], [*value[:k], instead_of(rng, value[k]), *value[k + 1 :]],
                   [value[0]] * len(value)]
        if hasattr(value, "_replace"):  # a named tuple stays one
            choices = [value._replace(**{value._fields[k]: instead_of(rng, value[k])})]
    else:
        choices = odd_values(rng)
    return choices[int(rng.integers(len(choices)))]


def spoiled(rng, args, options):
    """The arguments with one or two of them exchanged for something else, and which they were."""
    args, options = list(args), dict(options)
    places = [*range(len(args)), *options]
    changed = []
    for _ in range(int(rng.integers(1, 3))):
        place = places[int(rng.integers(len(places)))]
        holder = args if isinstance(place, int) else options
        holder[place] = instead_of(rng, holder[place])
        changed.append(f"{place} = {shown(holder[place])}")
    return args, options, ", ".join(changed)


def shown(value):
    """A value in a few words, without addresses."""
    if isinstance(value, np.ndarray):
        return f"array {value.shape} {value.dtype.str} strides {value.strides}"
    if isinstance(value, (list, tuple, dict)) and len(value) > 3:
        return f"{type(value).__name__} of {len(value)}"
    return type(value).__name__ if "0x" in repr(value) else repr(value)[:60]

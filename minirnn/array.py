"""NumPy and CuPy behind one small file: the only place that knows CuPy.

The device is that of the arrays: code asks ``xp_of(x)`` for the namespace and never keeps a global.
"""

import hashlib
import sys

import numpy as np

from minirnn.errors import DtypeError, InputError, must_be

FLOATS = (np.dtype("float32"), np.dtype("float64"))
MOVED_APART = "move one of them with to_device, or the model with .to"


def xp_of(*arrays):
    """The array namespace of the arrays: numpy, or cupy when any of them lives on a GPU."""
    cupy = sys.modules.get("cupy")
    if cupy is not None and any(isinstance(a, cupy.ndarray) for a in arrays):
        return cupy
    return np


def _cupy():
    """The cupy module with a usable GPU, or one clear error that names what to install."""
    try:
        import cupy
    except ImportError:
        raise InputError(
            "device: 'cuda' needs CuPy, which is not installed; "
            "install minirnn[cuda12] or minirnn[cuda13], whichever matches your driver"
        ) from None
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise InputError(f"device: 'cuda' asked for but no usable GPU was found ({error})") from None
    if count == 0:
        raise InputError("device: 'cuda' asked for but no GPU was found; use 'cpu'")
    return cupy


def device_of(array):
    """'cpu' or 'cuda:N'."""
    return "cpu" if xp_of(array) is np else f"cuda:{array.device.id}"


def to_cpu(array):
    """The same values as a numpy array (no copy when they already are)."""
    return array if xp_of(array) is np else array.get()


def to_device(array, device):
    """Move an array to 'cpu' or 'cuda', which is 'cuda:0'; InputError naming the extra to install without a GPU.

    A second GPU is refused: xp.zeros(3) lies on the current one, so that a model on cuda:1 would meet states on cuda:0.
    """
    kind, _, index = str(device).partition(":")
    if kind == "cpu" and not index:
        return to_cpu(array)
    if kind == "cuda" and index in ("", "0"):
        return _cupy().asarray(array)
    if kind == "cuda" and index.isascii() and index.isdigit():
        cause = f"CUDA_VISIBLE_DEVICES={index} makes that GPU the first one"
        raise InputError(must_be("to_device", "device", "'cpu' or 'cuda:0'", repr(device), cause))
    raise InputError(must_be("to_device", "device", "'cpu', 'cuda' or 'cuda:0'", repr(device)))


def beside(array, like, where="beside", name="the array"):
    """``array`` where ``like`` is: itself, or uploaded; for indices, ids, masks and targets, which may be on the host.

    beside(np.array([2, 0]), weight) is on weight's GPU. InputError where ``like`` is on the host and ``array`` is not:
    values come home by ``to_cpu`` alone.
    """
    if xp_of(array) is not np or xp_of(like) is np:
        check_device(where, name, array, like)
        return array
    return xp_of(like).asarray(array)


def check_device(where, name, array, like, other="x", cause=MOVED_APART):
    """InputError unless two arrays live on one device: "linear: weight must be on cuda:0 like x, got cpu"."""
    if type(array) is np.ndarray is type(like) or isinstance(array, np.generic):  # quickly: this runs often
        return
    if not isinstance(like, np.generic) and device_of(array) != device_of(like):
        raise InputError(must_be(where, name, f"on {device_of(like)} like {other}", device_of(array), cause))


def numbers_below(where, name, numbers, count, like):
    """Integers in [0, V), V = ``count``, beside ``like``: ids, classes. DtypeError or InputError for others.

    NumPy's are looked at before they are uploaded, as on a GPU 7 would silently be row 7 % V and reading costs a wait.
    """
    if numbers.dtype.kind not in "iu":
        raise DtypeError(must_be(where, name, "an integer array", numbers.dtype))
    on_host = xp_of(numbers) is np
    outside = numbers.size and (
        numbers.min() < 0 or numbers.max() >= count if on_host else ((numbers < 0) | (numbers >= count)).any()
    )
    if outside:
        got = f"{int(numbers.min())}..{int(numbers.max())}"
        raise InputError(must_be(where, name, f"in [0, V) = [0, {count})", got))
    return beside(numbers, like, where, name)


def array_of(where, name, value):
    """``value`` as a NumPy array; InputError for what is none, such as lists of different lengths."""
    try:
        return np.asarray(value)
    except (TypeError, ValueError):
        raise InputError(must_be(where, name, "an array", type(value).__name__)) from None


def check_float(where, name, array):
    """DtypeError unless float32 or float64; float16 is refused because sums over time lose its 11 bits."""
    if array.dtype == np.float16:
        cause = "a gradient is a sum over many steps and 11 bits lose it"
        raise DtypeError(must_be(where, name, "float32 or float64", "float16", cause))
    if array.dtype not in FLOATS:
        raise DtypeError(must_be(where, name, "float32 or float64", array.dtype))


def logistic(a):
    """1 / (1 + e^-a) as a tanh, (1 + tanh(a / 2)) / 2: it never overflows, and stays analytic for complex a."""
    return 0.5 + 0.5 * xp_of(a).tanh(0.5 * a)


def scatter_add(target, index, values):
    """``target[index] += values`` in place, where an index that occurs twice counts twice: ids [2, 0, 2] add two rows
    to row 2. Always in the same order, on a GPU too, where atomic additions would differ from run to run."""
    if xp_of(target) is not np:
        target += _scattered_on_device(target, index, values)
    elif isinstance(index, np.ndarray) and index.dtype.kind in "iu" and target.ndim == 2 and index.size > 64:
        # rows of a matrix (an embedding's gradient): add runs of equal rows, many times faster than np.add.at
        flat = index.reshape(-1) % target.shape[0]  # -1 and the last row are one row
        order = np.argsort(flat, kind="stable")
        rows = flat[order]
        starts = np.flatnonzero(np.concatenate(([True], rows[1:] != rows[:-1])))
        target[rows[starts]] += np.add.reduceat(values.reshape(flat.size, -1)[order], starts, axis=0)
    else:
        np.add.at(target, index, values)


def _scattered_on_device(target, index, values):
    """What ``scatter_add`` adds, an array of target's shape, made without waiting for the device.

    Sorted by row, equal rows are neighbours; partial sums over 1, 2, 4, ... neighbours of one row leave the whole sum
    at the last of them. Rows 2 2 2 5 with values 1 10 100 7: 1 11 110 7, then 1 11 111 7. (CuPy's add.reduceat takes
    differences of a running sum, which loses digits.)
    """
    xp = xp_of(target)
    if getattr(index, "dtype", None) is not None and index.dtype.kind in "iu":
        count, rows = target.shape[0], index.reshape(-1) % target.shape[0]
    else:  # a tuple: its entries' places in the flat array are rows of one number
        count, rows = target.size, xp.arange(target.size).reshape(target.shape)[index].reshape(-1)
    if not rows.size:
        return xp.zeros(target.shape, target.dtype)
    order = xp.argsort(rows, kind="stable")
    rows, sums = rows[order], values.reshape(rows.size, -1)[order]
    reach = 1
    while reach < rows.size:
        same = (rows[reach:] == rows[:-reach])[:, None]
        sums = xp.concatenate([sums[:reach], sums[reach:] + xp.where(same, sums[:-reach], 0)])
        reach *= 2
    numbers = xp.arange(count)
    ends = xp.searchsorted(rows, numbers, side="right") - 1  # -1 before the first row that occurs
    found = (ends >= 0) & (rows[xp.maximum(ends, 0)] == numbers)
    return xp.where(found[:, None], sums[xp.maximum(ends, 0)], 0).reshape(target.shape)


def stream(seed, purpose, *numbers):
    """A named random stream: a Generator that depends only on (seed, purpose, numbers such as step and layer).

    stream(3, "masks", 7, 0) gives the same draws whatever was drawn before it, so that masks do not depend on the order
    of calls or on where a run was interrupted; they are made on the CPU, so that devices agree too.
    """
    text = "/".join([str(int(seed)), purpose, *(str(int(n)) for n in numbers)])
    key = np.frombuffer(hashlib.sha256(text.encode()).digest()[:16], np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


class Streams:
    """The named random streams of one step of a run, for ``streams=`` of layers: ``Streams(3, 7)("recurrent", 0)`` is
    ``stream(3, "recurrent", 7, 0)``."""

    def __init__(self, seed, step=0):
        self.seed, self.step = seed, step

    def __call__(self, purpose, *numbers):
        return stream(self.seed, purpose, self.step, *numbers)

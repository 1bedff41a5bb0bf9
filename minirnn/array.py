"""NumPy and CuPy behind one small file: the only place that knows CuPy.

The device is that of the arrays: code asks ``xp_of(x)`` for the namespace and never keeps a global.
"""

import hashlib
import sys

import numpy as np

from minirnn.errors import DtypeError, InputError, must_be

FLOATS = (np.dtype("float32"), np.dtype("float64"))


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


def to_gpu(array, index=0):
    """The same values on GPU ``index``; InputError naming the extra to install when there is none."""
    cupy = _cupy()
    count = cupy.cuda.runtime.getDeviceCount()
    if index >= count:
        raise InputError(must_be("to_gpu", "index", f"below {count}, the number of GPUs", index))
    with cupy.cuda.Device(index):
        return cupy.asarray(array)


def to_device(array, device):
    """Move an array to 'cpu', 'cuda' or 'cuda:N'."""
    kind, _, index = str(device).partition(":")
    if kind == "cpu" and not index:
        return to_cpu(array)
    if kind == "cuda" and (not index or (index.isascii() and index.isdigit())):
        return to_gpu(array, int(index or 0))
    raise InputError(must_be("to_device", "device", "'cpu', 'cuda' or 'cuda:N'", repr(device)))


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


def scatter_add(target, index, values):
    """``target[index] += values`` in place, where an index that occurs twice counts twice."""
    xp = xp_of(target)
    if xp is not np:
        sys.modules["cupyx"].scatter_add(target, index, values)
    elif isinstance(index, np.ndarray) and index.dtype.kind in "iu" and target.ndim == 2 and index.size > 64:
        # rows of a matrix (an embedding's gradient): add runs of equal rows, many times faster than np.add.at
        flat = index.reshape(-1) % target.shape[0]  # -1 and the last row are one row
        order = np.argsort(flat, kind="stable")
        rows = flat[order]
        starts = np.flatnonzero(np.concatenate(([True], rows[1:] != rows[:-1])))
        target[rows[starts]] += np.add.reduceat(values.reshape(flat.size, -1)[order], starts, axis=0)
    else:
        np.add.at(target, index, values)


def stream(seed, purpose, *numbers):
    """A named random stream: a Generator that depends only on (seed, purpose, numbers such as step and layer).

    The same name gives the same draws whatever was drawn before it, so that masks do not depend on the order of
    calls or on where a run was interrupted. Draws are made on the CPU, so that devices agree too.
    """
    text = "/".join([str(int(seed)), purpose, *(str(int(n)) for n in numbers)])
    key = np.frombuffer(hashlib.sha256(text.encode()).digest()[:16], np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


class Streams:
    """The named random streams of one step of a run: ``streams(purpose, *numbers)`` is ``stream(seed, purpose, step,
    *numbers)``. What layers take as ``rng`` when training must not depend on the order of draws."""

    def __init__(self, seed, step=0):
        self.seed, self.step = seed, step

    def __call__(self, purpose, *numbers):
        return stream(self.seed, purpose, self.step, *numbers)

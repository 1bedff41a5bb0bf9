"""A stand-in for CuPy that is stricter than CuPy: NumPy values behind a wall.

What would convert between the two worlds without a word raises Crossing; what crosses in the named ways, and what makes
the host wait, is counted by the line that did it. Only the functions of cupy_surface.txt exist. ::

    cupy.asarray(np.ones(2))        up      values go to the device
    x.get(), x.tolist()             down    values come home
    float(x), bool(x), x[mask]      sync    the host waits for a number, or for the size of a result
    np.exp(x), x + np.ones(2)       Crossing
"""

import sys
import types
from collections import Counter
from pathlib import Path

import numpy as np

SURFACE = Path(__file__).with_name("cupy_surface.txt")
WAITS = ("nonzero", "flatnonzero", "argwhere", "unique", "array_equal", "allclose")  # results of unknown size, or bools
ARRAYS_ONLY = ("concatenate", "stack")
SCALARS = (int, float, complex, bool, np.generic)


class Crossing(TypeError):
    """A NumPy array and a device array met without ``to_cpu``, ``to_device`` or ``beside``."""


class Traffic:
    """What happened at the wall: ``sites`` {(kind, "file:line"): times}, and how many arrays and views were made."""

    def __init__(self):
        self.clear()

    def clear(self):
        self.sites, self.made, self.views = Counter(), 0, 0

    def count(self, kind):
        frame = sys._getframe(1)
        while frame.f_code.co_filename == __file__ or frame.f_code.co_filename.endswith("minirnn/array.py"):
            frame = frame.f_back  # who asked, rather than the file that every crossing goes through
        self.sites[kind, f"{'/'.join(Path(frame.f_code.co_filename).parts[-3:])}:{frame.f_lineno}"] += 1

    def total(self, kind):
        return sum(times for (found, _), times in self.sites.items() if found == kind)

    def totals(self):
        """{"up": 3, "down": 0, "sync": 2}."""
        return {kind: self.total(kind) for kind in ("up", "down", "sync")}

    def report(self):
        """One line a site, for the message of a budget that was broken."""
        return "\n".join(f"{kind:5}{times:4} {place}" for (kind, place), times in sorted(self.sites.items()))


TRAFFIC = Traffic()


def _behind(value, where):
    """The NumPy array behind a device array, inside tuples and lists too; plain numbers pass, NumPy arrays do not."""
    if isinstance(value, ndarray):
        return value._a
    if isinstance(value, np.ndarray):
        raise Crossing(f"{where}: a NumPy array {value.shape} among device arrays")
    if isinstance(value, (tuple, list)):
        return type(value)(_behind(v, where) for v in value)
    return value


def _wrapped(value):
    """NumPy's result as CuPy gives it: a number from a reduction is an array without axes."""
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if isinstance(value, np.ndarray):
        if value.flags.owndata:
            TRAFFIC.made += 1
        else:
            TRAFFIC.views += 1
        return ndarray(value)
    return type(value)(map(_wrapped, value)) if isinstance(value, (tuple, list)) else value


class ndarray:
    """A device array: shape, dtype and operators as NumPy's; methods by ``__getattr__``, if the surface has them."""

    __slots__ = ("_a",)
    __hash__ = None

    def __init__(self, a):
        self._a = a

    shape = property(lambda self: self._a.shape)
    ndim = property(lambda self: self._a.ndim)
    size = property(lambda self: self._a.size)
    dtype = property(lambda self: self._a.dtype)
    strides = property(lambda self: self._a.strides)
    flags = property(lambda self: self._a.flags)
    nbytes = property(lambda self: self._a.nbytes)
    T = property(lambda self: _wrapped(self._a.T))
    real = property(lambda self: _wrapped(self._a.real))
    imag = property(lambda self: _wrapped(self._a.imag))
    device = property(lambda self: types.SimpleNamespace(id=0))

    def __array__(self, *args, **kwargs):
        raise Crossing("a device array used where NumPy wants its own")

    def __array_function__(self, function, kinds, args, kwargs):
        raise Crossing(f"np.{function.__name__} of a device array")

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if method == "__call__" and not kwargs and len(inputs) == 2 and isinstance(inputs[0], np.generic):
            return _wrapped(ufunc(inputs[0], _behind(inputs[1], ufunc.__name__)))  # np.float32(2) * x, as in CuPy
        raise Crossing(f"np.{ufunc.__name__} of a device array")

    def get(self):
        TRAFFIC.count("down")
        return self._a.copy()

    def tolist(self):
        TRAFFIC.count("down")
        return self._a.tolist()

    def item(self):
        TRAFFIC.count("sync")
        return self._a.item()

    def __len__(self):
        return len(self._a)

    def __iter__(self):
        return (self[k] for k in range(len(self)))

    def __getitem__(self, index):
        index = _index(index)
        if _has_mask(index):
            TRAFFIC.count("sync")
        return _wrapped(self._a[index])

    def __setitem__(self, index, value):
        index, value = _index(index), _behind(value, "assignment")
        if np.ndim(value) and _has_mask(index):
            TRAFFIC.count("sync")
        self._a[index] = value

    def __repr__(self):
        return f"device array {self.shape} {self.dtype}"

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        method = getattr(self._a, name)  # AttributeError as NumPy's
        _known(f"cupy.ndarray.{name}")

        def call(*args, **kwargs):
            if name in WAITS:
                TRAFFIC.count("sync")
            kwargs = {key: _behind(value, name) for key, value in kwargs.items()}
            return _wrapped(method(*_behind(args, name), **kwargs))

        return call


def _index(index):
    """A tuple of ints, slices, None, Ellipsis and device arrays; CuPy uploads lists and NumPy arrays silently."""
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(part, list) for part in parts):
        raise Crossing("index: a list on a device array")
    return _behind(parts, "index")


def _has_mask(index):
    return any(isinstance(part, np.ndarray) and part.dtype.kind == "b" for part in index)


def _operator(name):
    def operate(self, *others):
        others = [_behind(other, name) for other in others]
        if not all(isinstance(other, (np.ndarray, *SCALARS)) for other in others):
            return NotImplemented
        got = getattr(self._a, name)(*others)
        if got is NotImplemented or got is self._a:  # in place: the array itself
            return got if got is NotImplemented else self
        return _wrapped(got)

    return operate


def _waiting(name):
    def read(self):
        TRAFFIC.count("sync")
        return getattr(self._a, name)()

    return read


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor"):
    for _side in ("", "r", "i"):
        setattr(ndarray, f"__{_side}{_name}__", _operator(f"__{_side}{_name}__"))
for _name in ("eq", "ne", "lt", "le", "gt", "ge", "neg", "abs", "invert", "pos"):
    setattr(ndarray, f"__{_name}__", _operator(f"__{_name}__"))
for _name in ("float", "int", "complex", "bool", "index"):
    setattr(ndarray, f"__{_name}__", _waiting(f"__{_name}__"))


def _known(name):
    """AttributeError, as of a function that CuPy lacks, for a name that is not in the committed list."""
    if name not in _surface():
        raise AttributeError(
            f"{name} is not in {SURFACE.name}; see whether CuPy has it (python tests/device/compare_surface.py), add it"
        )


def _surface():
    """The committed names: "cupy.where", "cupy.ndarray.sum", "cupy.add.reduceat"."""
    if not _read:
        lines = SURFACE.read_text(encoding="utf-8").splitlines()
        _read.update(line for line in lines if line and not line.startswith("#"))
    return _read


_read = set()


class Function:
    """A function of the namespace on device arrays; a ufunc's ``reduceat`` too."""

    def __init__(self, function, name):
        self._function, self._name = function, name

    def __call__(self, *args, **kwargs):
        if self._name.rpartition(".")[2] in WAITS:
            TRAFFIC.count("sync")
        if self._name.rpartition(".")[2] in ARRAYS_ONLY and not all(isinstance(part, ndarray) for part in args[0]):
            raise Crossing(f"{self._name}: only device arrays can be joined")
        kwargs = {key: _behind(value, self._name) for key, value in kwargs.items()}
        return _wrapped(self._function(*_behind(args, self._name), **kwargs))

    def __getattr__(self, name):
        _known(f"{self._name}.{name}")
        return Function(getattr(self._function, name), f"{self._name}.{name}")


class Namespace(types.ModuleType):
    """NumPy's namespace, on device arrays and only as far as the surface goes."""

    def __init__(self, name, source):
        super().__init__(name)
        self._source = source

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        found, full = getattr(self._source, name), f"{self.__name__}.{name}"
        if isinstance(found, types.ModuleType):
            return Namespace(full, found)
        _known(full)
        return Function(found, full) if callable(found) and not isinstance(found, type) else found


def _array(value, dtype=None, copy=True):
    if isinstance(value, ndarray):
        return _wrapped(np.array(value._a, dtype)) if copy else ndarray(np.asarray(value._a, dtype))
    if not isinstance(value, SCALARS):
        TRAFFIC.count("up")
    TRAFFIC.made += 1
    return ndarray(np.array(value, dtype))


class _Device:
    def __init__(self, index=0):
        self.id = index

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return None


def module():
    """What ``import cupy`` is to find: one device."""
    cupy = Namespace("cupy", np)
    cupy.ndarray, cupy.array = ndarray, _array
    cupy.asarray = lambda value, dtype=None: _array(value, dtype, copy=False)
    runtime = types.SimpleNamespace(getDeviceCount=lambda: 1, CUDARuntimeError=RuntimeError)
    cupy.cuda = types.SimpleNamespace(runtime=runtime, Device=_Device)
    return cupy

"""Compilation on first use: what is compiled, for which types, and where the machine code is kept.

Numba's own cache looks only at the file of the function it compiles, so an edit in a helper's file would silently keep
the old machine code. Ours lives in a folder named after a hash of every source of this package, of the versions of
Numba and llvmlite, and of the CPU; an edit anywhere is a new folder. It is in the user's cache directory, never beside
the sources, so that read-only and shared installs work.
"""

import functools
import hashlib
import os
import pathlib
import platform
import sys
import threading

import llvmlite
import llvmlite.binding
import numba
import numpy as np
from minirnn.kernels.kept import Kept, one_process_at_a_time, private_folder
from numba import types
from numba.core import typing

from minirnn.errors import say

# reassoc, nnan and ninf are left out: sums keep their order, NaN and infinity stay what they are
OPTIONS = {"nogil": True, "fastmath": {"contract", "arcp", "nsz"}, "error_model": "numpy"}

# a helper, compiled into each kernel that calls it; it has no cache of its own and cannot be called from Python
jit = numba.njit(**OPTIONS, no_cpython_wrapper=True, no_cfunc_wrapper=True)

INTERPRETED = bool(numba.config.DISABLE_JIT)  # NUMBA_DISABLE_JIT=1: the same sources run as plain Python

_REAL = {np.dtype("float32"): types.float32, np.dtype("float64"): types.float64}


def user_cache_directory():
    """The folder under which compiled kernels are kept: MINIRNN_CACHE, NUMBA_CACHE_DIR, or the platform's own."""
    for name in ("MINIRNN_CACHE", "NUMBA_CACHE_DIR"):
        if os.environ.get(name):
            return pathlib.Path(os.environ[name]).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or pathlib.Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = pathlib.Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "minirnn"


def _fingerprint():
    """Hash of everything the machine code depends on: all kernel sources, compiler versions, CPU, vector width."""
    parts = [platform.python_version(), np.__version__, numba.__version__, llvmlite.__version__]
    parts += [llvmlite.binding.get_host_cpu_name(), llvmlite.binding.get_host_cpu_features().flatten()]
    chosen = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_OPT", "MINIRNN_VECTOR_BYTES")
    parts += [os.environ.get(name, "") for name in chosen]
    digest = hashlib.sha256("\n".join(parts).encode())
    for source in sorted(pathlib.Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def cache_directory():
    """The folder of this version's machine code, made if need be; None, to compile every time, where that fails or
    where others could write to it."""
    folder = user_cache_directory().absolute() / f"kernels-{_fingerprint()}"
    try:
        distrust = private_folder(folder)
    except OSError as error:
        distrust = f"{folder} cannot be written ({error.strerror})"
    if distrust:
        say(f"minirnn: compiled kernels are not kept, {distrust}")
    return None if distrust else folder


@functools.cache  # once per dtype
def _announce(dtype, folder):
    say(f"minirnn: compiling kernels for {dtype.name}, some seconds each; kept in {folder}")


class Kernel:
    """A function of (tid, nth, ...) for every thread of a team to call; ``kernel.on(dtype)`` is compiled."""

    callers = {"no_cfunc_wrapper": True}  # it is called from Python

    def __init__(self, function, shapes, uses=()):
        self.function, self.shapes, self.uses = function, shapes, uses
        self.name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        self._lock, self._compiled = threading.Lock(), {}

    def signature(self, dtype):
        """Numba types of the arguments: arrays as ``shapes`` says, int64 for the rest."""
        names = self.function.__code__.co_varnames[: self.function.__code__.co_argcount]
        return tuple(self._type(self.shapes[name], dtype) if name in self.shapes else types.int64 for name in names)

    @staticmethod
    def _type(shape, dtype):
        letters = shape.split()
        kind = types.int64 if letters[0] == "int" else _REAL[dtype]
        if letters[0] == "pointer":
            return types.CPointer(kind)
        layout = "A" if letters[0] == "strided" else "C"
        return types.Array(kind, len(letters) - (letters[0] in ("int", "strided")), layout)

    def on(self, dtype):
        """The compiled function; compiles, or loads from the cache, on the first call per dtype."""
        found = self._compiled.get(dtype)
        if found is not None:
            return found
        dtype = np.dtype(dtype)
        with self._lock:
            if dtype not in self._compiled:
                self._compiled[dtype] = self.function if INTERPRETED else self._compile(dtype)
            return self._compiled[dtype]

    def _compile(self, dtype):
        for routine in self.uses:
            routine.on(dtype)
        folder = cache_directory()
        if folder is None:
            return numba.njit(self.signature(dtype), **OPTIONS, **self.callers)(self.function)
        path = folder / f"{self.name}-{dtype.name}.nbc"
        dispatcher = numba.njit(**OPTIONS, **self.callers)(self.function)
        dispatcher._cache = Kept(path, f"{folder.name}/{path.name}", lambda: _announce(dtype, folder))
        with one_process_at_a_time(path.with_suffix(".lock")):
            dispatcher.compile(self.signature(dtype))
        dispatcher.disable_compile()
        return dispatcher


class Routine(Kernel):
    """A function with machine code of its own that kernels reach by a symbol: (pointers and integers) -> nothing.

    What would otherwise be compiled again into every kernel that calls it. A kernel names it among those it ``uses``,
    so that the symbol is known before the kernel's machine code is loaded; calls go to ``external(dtype)``.
    """

    callers = {"no_cpython_wrapper": True}  # it is called from machine code

    def _symbol(self, dtype):
        return f"minirnn_{self.name.replace('.', '_')}_{np.dtype(dtype).name}"

    def external(self, dtype):
        """What compiled code calls."""
        return types.ExternalFunction(self._symbol(dtype), types.void(*self.signature(np.dtype(dtype))))

    def _compile(self, dtype):
        dispatcher = super()._compile(dtype)
        made = dispatcher.get_compile_result(typing.signature(types.void, *self.signature(dtype)))
        address = made.library.get_pointer_to_function(made.fndesc.llvm_cfunc_wrapper_name)
        llvmlite.binding.add_symbol(self._symbol(dtype), address)
        return dispatcher


def kernel(*, uses=(), **shapes):
    """Decorator that makes a Kernel. Keywords give arrays their shape in letters, ``gates="T B 4 H"``.

    A first word ``int`` is an int64 array, ``strided`` one of any strides; others are C-contiguous, of the kernel's
    dtype. Arguments not named are int64, but for ``arrivals`` (see threads.meet). uses: the Routines it calls.
    """
    return lambda function: Kernel(function, {"arrivals": "int 16", **shapes}, uses)

"""Arrays over memory that is used again. A training step allocates the same large arrays each time, and the system
hands out fresh memory page by page, which takes a good part of a layer's time. So blocks stay here, and one is handed
out again when no array refers to it any more. They start on a cache line, which no vector then straddles.
"""

import math
import os
import sys
import threading
from collections import OrderedDict

import numpy as np

LIMIT = 1 << 30  # bytes kept; beyond it blocks of the size that was used longest ago go first
SMALL = 1 << 15  # smaller arrays come from numpy, whose allocator keeps small memory itself
LINE = 64

_kept = OrderedDict()  # size -> [(block, where its first cache line starts)], the size used last at the end
_lock = threading.RLock()

if hasattr(os, "register_at_fork"):  # a child has one thread; no other may hold the lock, or be at work, as it is made
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


def _unused(pairs, i):
    """References to the block of pair i; the least there can be is what a block has that only ``_kept`` refers to."""
    return sys.getrefcount(pairs[i][0])


_REFERENCES_WHEN_UNUSED = _unused([(np.empty(0, np.uint8), 0)], 0)


def empty(shape, dtype):
    """Like np.empty, for kernels and what they return."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size > sys.maxsize:
        raise MemoryError(f"no machine holds an array of shape {tuple(shape)}")
    if size < SMALL:
        return np.empty(shape, dtype)
    step = 1 << (size.bit_length() - 4)  # eighths of a power of two, so that sequences of various lengths share blocks
    block, start = _take(-(-size // step) * step + LINE)
    return block[start : start + size].view(dtype).reshape(shape)


def empty_like(array):
    """An array of the same shape and dtype."""
    return empty(array.shape, array.dtype)


def take(table, rows):
    """table[rows] for rows (...) of ints in range: table (V, D) -> (..., D)."""
    out = empty((*rows.shape, *table.shape[1:]), table.dtype)
    return np.take(table, rows, axis=0, out=out, mode="clip")  # with mode="raise" numpy would fill a buffer first


def kept():
    """Every block kept here, a uint8 array each."""
    return [block for pairs in _kept.values() for block, _ in pairs]


def _take(size):
    with _lock:
        pairs = _kept.get(size)
        if pairs is not None:
            _kept.move_to_end(size)
            for i in range(len(pairs) - 1, -1, -1):
                if _unused(pairs, i) == _REFERENCES_WHEN_UNUSED:
                    block, start = pairs[i]
                    return block, start  # a pair of its own, so that from here on the block counts as used
        block = np.empty(size, np.uint8)
        start = -block.ctypes.data % LINE
        if size <= LIMIT:
            _kept.setdefault(size, []).append((block, start))
            excess = sum(size * len(pairs) for size, pairs in _kept.items()) - LIMIT
            while excess > 0:  # an array in use keeps its memory, which then is not seen again here
                oldest = next(iter(_kept))
                _kept[oldest].pop(0)
                excess -= oldest
                if not _kept[oldest]:
                    del _kept[oldest]
        return block, start


def release():
    """Give all memory kept here back to the system, but for what arrays still use."""
    with _lock:
        _kept.clear()

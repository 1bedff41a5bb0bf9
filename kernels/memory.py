"""Arrays over memory that is used again. A training step allocates the same large arrays each time, and the system
hands out fresh memory page by page, which takes a good part of a layer's time. So blocks stay here, and one is handed
out again when no array refers to it any more. They start on a cache line, which no vector then straddles.
"""

import math
import sys
import threading

import numpy as np

LIMIT = 1 << 28  # bytes kept; beyond it the blocks that were used longest ago go first
SMALL = 1 << 15  # smaller arrays come from numpy, whose allocator keeps small memory itself
LINE = 64

_blocks = []  # uint8 arrays that own their memory, the one used last at the end
_lock = threading.Lock()


def _unused(i):
    """References to block i; the least there can be is what a block has that only ``_blocks`` refers to."""
    return sys.getrefcount(_blocks[i])


_blocks.append(np.empty(0, np.uint8))
_REFERENCES_WHEN_UNUSED = _unused(0)
_blocks.clear()


def empty(shape, dtype):
    """Like np.empty, for kernels and what they return."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < SMALL:
        return np.empty(shape, dtype)
    step = 1 << (size.bit_length() - 4)  # eighths of a power of two, so that sequences of various lengths share blocks
    block = _take(-(-size // step) * step + LINE)
    start = -block.ctypes.data % LINE
    return block[start : start + size].view(dtype).reshape(shape)


def empty_like(array):
    """An array of the same shape and dtype."""
    return empty(array.shape, array.dtype)


def _take(size):
    with _lock:
        for i in range(len(_blocks) - 1, -1, -1):
            if _blocks[i].nbytes == size and _unused(i) == _REFERENCES_WHEN_UNUSED:
                _blocks.append(_blocks.pop(i))
                return _blocks[-1]
        block = np.empty(size, np.uint8)
        if size <= LIMIT:
            _blocks.append(block)
            excess = sum(b.nbytes for b in _blocks) - LIMIT
            while excess > 0:
                excess -= _blocks.pop(0).nbytes  # an array in use keeps its memory, which then is not seen again here
        return block


def release():
    """Give all memory kept here back to the system, but for what arrays still use."""
    with _lock:
        _blocks.clear()

"""What a user waits for before the first number: importing, loading kernels from the cache, compiling them anew.

Every figure comes from fresh interpreters, each timing itself, so that what NumPy and Numba cost does not count.
"""

import os
import subprocess
import sys
import tempfile

from minirnn.bench.interleave import quartiles

IMPORT = "import numpy, time; start = time.perf_counter(); import minirnn; print(time.perf_counter() - start)"
FIRST_USE = """
import time
import numba, numpy
start = time.perf_counter()
from minirnn import kernels
one = numpy.ones
h, c, saved = kernels.lstm_forward(one((5, 4, 3), "f4"), one((4, 2), "f4"), one((4, 2), "f4"), one((8, 3), "f4"),
                                   one((8, 2), "f4"), None, None)
kernels.lstm_backward(saved, one((5, 4, 2), "f4"))
print(time.perf_counter() - start)
"""


def measure(runs=5):
    """Seconds: {"import_beyond_numpy", "first_kernel_beyond_numba", "cold_compilation"}, each median and quartiles.

    The second is the first LSTM forward and backward (float32) of a process whose kernels lie in the cache; the third
    is the same with an empty cache, run once.
    """
    fresh([FIRST_USE])  # the cache is warm from here on
    imports, uses = [], []
    for _ in range(runs):
        imports.append(fresh([IMPORT]))
        uses.append(fresh([FIRST_USE]))
    with tempfile.TemporaryDirectory() as folder:
        cold = fresh([FIRST_USE], MINIRNN_CACHE=folder)
    return {
        "import_beyond_numpy": quartiles(imports),
        "first_kernel_beyond_numba": quartiles(uses),
        "cold_compilation": quartiles([cold]),
    }


def fresh(code, **environment):
    """The number that a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", *code], env={**os.environ, **environment}, text=True, check=True, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    return float(done.stdout)

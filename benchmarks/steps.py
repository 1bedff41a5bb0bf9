"""What each part of the kernels' design brings, and what the first call costs. No other library needed.

    python benchmarks/steps.py
    python benchmarks/steps.py --json benchmarks/results/steps.json

One LSTM pass, forward and backward, as it is and with one thing taken away: the second thread, vectors of 64 bytes
(AVX-512), memory that is used again, and everything (``explicit``: the NumPy loop over minirnn.cells). Then, for each
cell, the seconds from starting Python to the first gradients, with an empty cache and with a filled one.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
from interleave import Worker, compare, disagreement, machine, print_row, serve, write_json

SIZES = {"32_35_256_256": (32, 35, 256, 256), "128_20_64_64": (128, 20, 64, 64), "1_100_128_128": (1, 100, 128, 128)}
WITHOUT = {
    "kernels": {},
    "one_thread": {"MINIRNN_NUM_THREADS": "1"},
    "short_vectors": {"MINIRNN_VECTOR_BYTES": "32"},
    "fresh_memory": {},
    "explicit": {},
}
FIRST_CALL = """
import numpy as np
from minirnn import kernels
cell, gates = {cell!r}, {gates}
draw = lambda *s: np.random.default_rng(0).standard_normal(s).astype(np.float32)
states = [draw(8, 16)] * (2 if cell == "lstm" else 1)
weights = draw(gates * 16, 5), draw(gates * 16, 16), None, None
saved = getattr(kernels, cell + "_forward")(draw(3, 8, 5), *states, *weights)[-1]
getattr(kernels, cell + "_backward")(saved, draw(3, 8, 16))
"""


def make(variant, sizes):
    """One pass of an LSTM by a variant of the kernels, or by the cells."""
    from minirnn.kernels import memory

    from minirnn import bptt, cells, kernels

    B, T, D, H = SIZES[sizes]
    rng = np.random.default_rng(0)
    draw = lambda *shape, scale=1.0: (scale * rng.standard_normal(shape)).astype(np.float32)
    weights = [draw(4 * H, D, scale=H**-0.5), draw(4 * H, H, scale=H**-0.5), draw(4 * H), draw(4 * H)]
    x, dy, zeros = draw(T, B, D), draw(T, B, H, scale=1 / B), np.zeros((B, H), np.float32)
    if variant == "fresh_memory":
        memory.SMALL = sys.maxsize
    latest = []

    def step():
        saved = kernels.lstm_forward(x, zeros, zeros, *weights)[-1]
        latest[:] = kernels.lstm_backward(saved, dy, consume=True)

    def explicit():
        run = bptt.forward(cells.LSTM(), x, (zeros, zeros), cells.Weights(*weights), form="explicit")
        gradients = bptt.backward(run, dy)
        latest[:] = [gradients.x, *gradients.state0, *gradients.weights]

    return (explicit if variant == "explicit" else step), lambda: latest


def first_call(cell, gates, cache):
    """Seconds from starting Python to the first gradients of a cell."""
    environment = {**os.environ, "MINIRNN_CACHE": cache}
    start = time.perf_counter()
    code = FIRST_CALL.format(cell=cell, gates=gates)
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=environment)
    return round(time.perf_counter() - start, 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", metavar="PATH")
    parser.add_argument("--worker", choices=WITHOUT, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        serve(lambda sizes: make(options.worker, sizes))
        return 0
    workers = [Worker(name, __file__, [], 2, environment) for name, environment in WITHOUT.items()]
    rows, first = {}, {}
    for sizes in SIZES:
        worst = disagreement(workers, sizes)
        if not worst < 1e-4:  # float32 sums over up to 2560 rows, relative to the largest entry
            print(f"{sizes}: gradients differ by {worst:.1e} of the largest entry; nothing timed", file=sys.stderr)
            return 1
        rows[sizes] = compare(workers, sizes, options.rounds, seconds=0.25, patience=5)
        print_row(sizes, rows[sizes])
    for cell, gates in (("rnn", 1), ("lstm", 4), ("gru", 3)):
        with tempfile.TemporaryDirectory() as cache:
            first[cell] = {"compiling": first_call(cell, gates, cache), "cached": first_call(cell, gates, cache)}
        print(
            f"first call of {cell}: {first[cell]['compiling']} s compiling, {first[cell]['cached']} s cached",
            flush=True,
        )
    if options.json:
        write_json(options.json, {"machine": machine([]), "lstm_B_T_D_H": rows, "first_call_seconds": first})
    return 0


if __name__ == "__main__":
    sys.exit(main())

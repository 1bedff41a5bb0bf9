"""What each step from the explicit loop to the fused kernel brings: the numbers that chapter 02g shows.

    python benchmarks/making_it_fast.py

The forms are those of the chapter: its cells tagged "measured" are run here. All use one thread and are measured in
processor time, which other programs disturb little; they take turns, each in a process of its own. What several threads
bring shows only in waiting time, on a machine with nothing else to do, and is measured by ``minirnn bench``. Writes
chapters/results/making_it_fast.json.
"""

import contextlib
import json
import statistics
import sys
from pathlib import Path

import numpy as np

from minirnn.bench import report
from minirnn.bench.interleave import Worker, compare, disagreement
from minirnn.bench.workloads import Workload, layer, layer_data
from minirnn.files import write_atomically

ROOT = Path(__file__).parent.parent
CHAPTER = ROOT / "chapters" / "02g_making_it_fast.ipynb"
RESULT = ROOT / "chapters" / "results" / "making_it_fast.json"
SIZES = [(1, 100, 128, 128), (8, 35, 256, 256), (32, 35, 256, 256), (64, 50, 512, 512)]  # B, T, D, H
FORMS = ["loop", "hoisted", "fused gates", "own tanh", "packed"]
COPY = 1 << 28  # bytes, far more than any cache
ROUNDS, SECONDS = 5, 0.2


def forms():
    """The chapter's functions by name."""
    cells = json.loads(CHAPTER.read_text(encoding="utf-8"))["cells"]
    names = {}
    for cell in cells:
        if "measured" in cell["metadata"].get("tags", []):
            exec(compile("".join(cell["source"]), CHAPTER.name, "exec"), names)
    return names["FORMS"]


def maker(name):
    """What a worker calls: (workload) -> (step, results)."""

    def make(w):
        x, (W, U, b, _), dy = layer_data(w)
        form, latest = forms()[name], []

        def step():
            latest[:] = form(x, W, U, b, dy)

        return step, lambda: latest

    return make


make_loop, make_hoisted, make_fused_gates, make_own_tanh, make_packed = map(maker, FORMS)


def make_copy(w):
    """Copying memory."""
    source = np.ones(COPY // 8)
    target = np.empty_like(source)
    return lambda: np.copyto(target, source), lambda: [target]


def main():
    here = {"PYTHONPATH": str(Path(__file__).parent)}
    product, copy = Workload("product", "product", {"N": 2048}), Workload("copy", "copy", {})
    result = {"date": report.today(), "machine": report.machine([]), "load_before": report.load(), "sizes": {}}
    rates = []
    with contextlib.ExitStack() as stack:
        start = lambda name, source: stack.enter_context(Worker(name, source, 1, here))
        workers = [start(form, f"making_it_fast:make_{form.replace(' ', '_')}") for form in FORMS]
        peak, memory = start("peak", "minirnn.bench.ours:make"), start("copy", "making_it_fast:make_copy")
        for B, T, D, H in SIZES:
            w = layer("lstm", B, T, D, H)
            differ = disagreement(workers, w)
            if not differ < w.tolerance:
                print(f"{w.name}: gradients differ by {differ:.1e} of the largest entry; not measured", file=sys.stderr)
                return 1
            turns = [*((worker, w) for worker in workers), (peak, product), (memory, copy)]
            seconds, others = compare(turns, ROUNDS, SECONDS, 0, "process")
            rates.append((product.flops / min(seconds.pop("peak")), 2 * COPY / min(seconds.pop("copy"))))
            medians = {form: float(f"{statistics.median(times):.4g}") for form, times in seconds.items()}
            result["sizes"][w.name.removeprefix("lstm_")] = {
                "B": B, "T": T, "D": D, "H": H, "flops": w.flops, "seconds": medians, "others_took": round(others, 3),
            }
            print(w.name, {form: f"x{medians['loop'] / s:.2f}" for form, s in medians.items()}, flush=True)
    result["peak_gflops"], result["copy_gbytes"] = (round(max(column) / 1e9, 1) for column in zip(*rates))
    RESULT.parent.mkdir(exist_ok=True)
    write_atomically(RESULT, (json.dumps(result, indent=1) + "\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Time the same work in several libraries on a machine that is not quiet.

Each library is one process that sleeps on its pipe while another is timed (two libraries in one process share the
processors with each other's idle thread pools). Rounds go A B C A B C ..., a result is the median over rounds of a
round's median, and a ratio the median over rounds of that round's ratio: what disturbs one round disturbs both sides.
Before anything is timed the sides' results are compared.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from minirnn.errors import InputError

# glibc keeps freed memory instead of giving it back: the "-m" variant of a library
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
THREADS = ("MINIRNN_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
QUIET = 0.06  # share of the processors that others may take without the batch being repeated
REST = 0.1  # seconds for the last library's threads to fall asleep


class Worker:
    """A process with one library in it: runs ``minirnn.bench.worker`` with ``source``, "module:function".

    A name that ends in "-m" has glibc keep freed memory; ``changes`` are to the environment. Use it in a ``with``, or
    call close().
    """

    def __init__(self, name, source, threads, changes=None):
        # An environment that asks OpenBLAS for the kernels of an older processor halves NumPy's speed.
        environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
        environment |= {variable: str(threads) for variable in THREADS}
        environment |= (KEEP_MEMORY if name.endswith("-m") else {}) | (changes or {})
        self.name, self.source, self.threads = name, source, threads
        self.process = subprocess.Popen(
            [sys.executable, "-m", "minirnn.bench.worker", source],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        """End the process: its loop stops when nothing more can come."""
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def ask(self, **request):
        """Send a request and wait for the answer; ChildProcessError when the process has died."""
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            what = request.get("workload", {}).get("name", "start")
            raise ChildProcessError(f"bench: the {self.name} process ended on {what}; its own error is above")
        return json.loads(line)

    def seconds_used(self):
        """Processor time of the process so far (Linux; None elsewhere)."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def machine_seconds():
    """Processor time of everything on the machine so far (Linux; None elsewhere)."""
    try:
        user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    except OSError:
        return None
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def disagreement(workers, workload):
    """Largest difference from the first worker's results, relative to the largest entry of each array; inf for a NaN.

    Raises InputError when a side returns other arrays than the first.
    """
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for worker in workers:
            worker.ask(workload=workload.as_json(), save=str(Path(folder) / f"{worker.name}.npz"))
        with np.load(Path(folder) / f"{workers[0].name}.npz") as truth:
            for worker in workers[1:]:
                with np.load(Path(folder) / f"{worker.name}.npz") as other:
                    if truth.files != other.files or any(truth[f].shape != other[f].shape for f in truth.files):
                        found = f"{worker.name} returns other arrays than {workers[0].name}"
                        raise InputError(f"bench: {workload.name}: {found}")
                    worst = max(worst, *(_relative(truth[f], other[f]) for f in truth.files))
    return worst


def _relative(truth, other):
    difference, largest = float(np.abs(truth - other).max()), float(np.abs(truth).max())
    relative = difference / largest if largest else difference
    return relative if np.isfinite(relative) else float("inf")  # max() would pass over a NaN


def batch(worker, workload, seconds, clock):
    """(median duration, share of all processors that other processes took meanwhile, None where unknown)."""
    time.sleep(REST)
    start, used, total = time.perf_counter(), worker.seconds_used(), machine_seconds()
    answer = worker.ask(workload=workload.as_json(), seconds=seconds, clock=clock)
    median = statistics.median(answer["seconds"])
    if used is None or total is None:
        return median, None
    others = (machine_seconds() - total) - (worker.seconds_used() - used)
    return median, max(0.0, others / (time.perf_counter() - start) / os.cpu_count())


def compare(turns, rounds, seconds, patience, clock="wall"):
    """Interleaved rounds of (worker, workload) pairs -> ({worker: seconds of every round}, share others took or None).

    ``clock`` "process" counts processor time instead of waiting time: little disturbed by others, but wrong for several
    threads. A batch that others disturbed is repeated while ``patience`` seconds last; its least disturbed try counts.
    """
    medians, disturbed = {worker.name: [] for worker, _ in turns}, []
    end = time.perf_counter() + patience
    for _ in range(rounds):
        for worker, workload in turns:
            best = batch(worker, workload, seconds, clock)
            while best[1] is not None and best[1] > QUIET and time.perf_counter() < end:
                best = min(best, batch(worker, workload, seconds, clock), key=lambda tried: tried[1])
            medians[worker.name].append(best[0])
            disturbed += [best[1]] if best[1] is not None else []
    return medians, statistics.median(disturbed) if disturbed else None


def peak_memory(worker, workload, steps=3):
    """MiB of a fresh process of the worker's library: after importing it, and at the peak of a few steps."""
    with Worker(worker.name, worker.source, worker.threads) as fresh:
        answer = fresh.ask(workload=workload.as_json(), memory=steps)
    return {"imported": round(answer["imported"], 1), "peak": round(answer["peak"], 1)}


def quartiles(values):
    """Median and quartiles, rounded to four figures for a file."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return {"median": float(f"{middle:.4g}"), "quartiles": [float(f"{low:.4g}"), float(f"{high:.4g}")]}

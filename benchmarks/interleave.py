"""Time the same work in several libraries on a machine that is not quiet.

Each library is one process that sleeps on its pipe while another is timed (two libraries in one process share the
processors with each other's idle thread pools). Rounds go A B C A B C ..., a result is the median over rounds of a
round's median, and a ratio the median over rounds of that round's ratio: what disturbs one round disturbs both sides.
Before anything is timed the sides' results are compared.
"""

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

import numpy as np

# glibc keeps freed memory instead of giving it back: the "-m" variant of a library
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
WARM_UP = 3
QUIET = 0.06  # share of the processors that others may take without the batch being repeated
REST = 0.1  # seconds for the last library's threads to fall asleep


class Worker:
    """A process that runs ``serve``: the script itself, called with --worker NAME."""

    def __init__(self, name, script, arguments, threads, changes=None):
        environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
        for variable in ("MINIRNN_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            environment[variable] = str(threads)
        library, _, variant = name.partition("-")
        environment |= (KEEP_MEMORY if variant == "m" else {}) | (changes or {})
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, script, "--worker", library, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip

    def ask(self, **request):
        """Send a request, wait for the answer; SystemExit when the process has died."""
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"the {self.name} process died on {request}")
        return json.loads(line)

    def seconds_used(self):
        """Processor time of the process so far (Linux; None elsewhere)."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def serve(make):
    """A worker's loop. make(workload) -> (step, results): step() does the work, results() lists its arrays."""
    made = {}
    for line in sys.stdin:
        request = json.loads(line)
        key = json.dumps(request["workload"])
        if key not in made:
            made.clear()
            made[key] = make(request["workload"])
        step, results = made[key]
        if "save" in request:
            step()
            np.savez(request["save"], *results())
            answer = {}
        else:
            for _ in range(WARM_UP):
                step()
            answer = {"seconds": timed(step, request["seconds"])}
        print(json.dumps(answer), flush=True)


def timed(step, budget):
    """Durations of calls until the budget is used, three at least."""
    durations, end = [], time.perf_counter() + budget
    while len(durations) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        step()
        durations.append(time.perf_counter() - start)
    return durations


def machine_seconds():
    """Processor time of everything on the machine so far (Linux; None elsewhere)."""
    try:
        user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    except OSError:
        return None
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def disagreement(workers, workload):
    """Largest difference from the first worker's results, relative to the largest entry of each array."""
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for worker in workers:
            worker.ask(workload=workload, save=str(Path(folder) / f"{worker.name}.npz"))
        with np.load(Path(folder) / f"{workers[0].name}.npz") as truth:
            for worker in workers[1:]:
                with np.load(Path(folder) / f"{worker.name}.npz") as other:
                    if truth.files != other.files or any(truth[f].shape != other[f].shape for f in truth.files):
                        sys.exit(f"{worker.name} returns other arrays than {workers[0].name} on {workload}")
                    for f in truth.files:
                        worst = max(worst, float(np.abs(truth[f] - other[f]).max() / np.abs(truth[f]).max()))
    return worst


def batch(worker, workload, seconds):
    """(median duration, share of all processors that other processes took meanwhile, None where unknown)."""
    time.sleep(REST)
    start, used, total = time.perf_counter(), worker.seconds_used(), machine_seconds()
    median = statistics.median(worker.ask(workload=workload, seconds=seconds)["seconds"])
    if used is None or total is None:
        return median, None
    others = (machine_seconds() - total) - (worker.seconds_used() - used)
    return median, max(0.0, others / (time.perf_counter() - start) / os.cpu_count())


def compare(workers, workload, rounds, seconds, patience):
    """Interleaved rounds of one workload: medians in ms, ratios to the first worker, and how disturbed it was.

    A batch that others disturbed is repeated while ``patience`` seconds last, and its least disturbed try counts.
    """
    medians, disturbed = {w.name: [] for w in workers}, []
    end = time.perf_counter() + patience
    for _ in range(rounds):
        for worker in workers:
            best = batch(worker, workload, seconds)
            while best[1] is not None and best[1] > QUIET and time.perf_counter() < end:
                best = min(best, batch(worker, workload, seconds), key=lambda tried: tried[1])
            medians[worker.name].append(best[0])
            disturbed += [best[1]] if best[1] is not None else []
    first = medians[workers[0].name]
    return {
        "ms": {name: round(1e3 * statistics.median(values), 3) for name, values in medians.items()},
        "times_the_first": {
            w.name: round(statistics.median(b / a for a, b in zip(first, medians[w.name])), 3) for w in workers[1:]
        },
        "share_of_processors_others_took": round(statistics.median(disturbed), 3) if disturbed else None,
    }


def print_row(name, row):
    """One line of a comparison."""
    ratio = {n: f" (x{times:.2f})" for n, times in row["times_the_first"].items()}
    cells = "  ".join(f"{n} {ms:.2f} ms{ratio.get(n, '')}" for n, ms in row["ms"].items())
    print(f"{name:22} {cells}  others took {row['share_of_processors_others_took']}", flush=True)


def add_options(parser, workers, rounds, seconds):
    """The command-line options every comparison has."""
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--seconds", type=float, default=seconds, help="of one batch of one library")
    parser.add_argument("--patience", type=float, default=20, help="seconds a workload may wait for a quiet machine")
    parser.add_argument("--torch-m", action="store_true", help="time PyTorch also with glibc told to keep freed memory")
    parser.add_argument("--json", metavar="PATH")
    parser.add_argument("--worker", choices=workers, help=argparse.SUPPRESS)


def report(options, script, names, workloads, tolerance, worker_arguments=()):
    """Compare the named libraries on every workload, print and perhaps write the result; the exit status.

    1 when the results of two sides differ by ``tolerance`` of an array's largest entry, 2 when PyTorch is missing.
    """
    if importlib.util.find_spec("torch") is None:
        print("PyTorch is not installed here: pip install torch, then run this again", file=sys.stderr)
        return 2
    names = [*names, "torch", *(["torch-m"] if options.torch_m else [])]
    workers = [Worker(name, script, worker_arguments, options.threads) for name in names]
    rows = {}
    for workload in workloads:
        worst = disagreement(workers, workload)
        if not worst < tolerance:
            print(f"{workload}: gradients differ by {worst:.1e} of the largest entry; nothing timed", file=sys.stderr)
            return 1
        rows[workload] = {"gradients_differ_by": float(f"{worst:.1e}")}
        rows[workload] |= compare(workers, workload, options.rounds, options.seconds, options.patience)
        print_row(workload, rows[workload])
    if options.json:
        settings = {k: v for k, v in vars(options).items() if k in ("dtype", "threads", "rounds", "seconds")}
        write_json(options.json, {"machine": machine(["torch"]), **settings, "workloads": rows})
    return 0


def machine(libraries):
    """What a reader needs to place the numbers: processor, versions. No names of hosts or people."""
    model, flags = platform.machine(), ""
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            model = value.strip() if name.strip() == "model name" else model
            flags = value if name.strip() == "flags" else flags
    versions = {name: metadata.version(name) for name in ("numpy", "numba", "llvmlite", *libraries)}
    return {
        "processor": model,
        "logical_processors": os.cpu_count(),
        "avx512": "avx512f" in flags,
        "system": platform.system(),
        "python": platform.python_version(),
        **versions,
    }


def write_json(path, report):
    """The report, whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)

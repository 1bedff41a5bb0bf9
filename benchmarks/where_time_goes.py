"""Where the time of a recurrent layer goes, job by job, on one thread: what is left to gain beside the products.

    python benchmarks/where_time_goes.py [--save FILE] [lstm_32_35_256_256 ...]

A layer's pass is a list of jobs: products, packing, the recurrence, sums. Each is timed alone, in processor time, and
products are put beside the rate of NumPy's product of two large matrices on one thread, the machine's peak as far as a
program sees it. A recurrence is a product at every step with the gates between; what it loses is the gates' time.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

from minirnn.threads import use_threads

DEFAULT = ("lstm_32_35_256_256", "lstm_20_35_200_200", "lstm_128_20_64_64", "lstm_64_50_512_512",
           "lstm_32_100_256_1024", "gru_32_35_256_256", "rnn_32_35_256_256")
PEAK_SIZE = 2048
SECONDS = 2.0  # of repetitions, three at least


def timed_run(record):
    """A stand-in for ``minirnn.kernels.threads.run`` that does the jobs on this thread and records each one's time."""
    from minirnn.kernels.threads import MEET, NO_MEETING

    def run(jobs, nth):
        for place, job in enumerate(jobs):
            if job is not MEET:
                function = job.kernel.on(job.dtype)
                start = time.thread_time()
                function(0, 1, NO_MEETING, *job.args)
                record(place, job, time.thread_time() - start)

    return run


def operations(job, sizes, gates):
    """Floating-point operations of a job's products; 0 where there are none."""
    kind, T, B, H = job.kernel.name.rpartition(".")[2], sizes["T"], sizes["B"], sizes["H"]
    if kind == "gemm":
        _, a, b, *_ = job.args
        return 2 * a.size * b.shape[1]
    return 2 * T * B * gates * H * H if kind in ("recur", "recur_back") else 0


def profile(workload, peak):
    """{"jobs": [(pass, job, ms, GF/s, share of the peak)], "ms", "fraction_of_peak"} of a layer workload."""
    from minirnn.kernels import gru, gru_reset_after, lstm, rnn

    from minirnn.bench import ours
    from minirnn.bench.workloads import GATES

    found, passes = {}, []

    def record(place, job, seconds):
        if place == 0:
            passes.append(None)
        way = "forward" if len(passes) % 2 else "backward"
        work = operations(job, workload.sizes, GATES[workload.kind])
        found.setdefault((way, place, job.kernel.name, work), []).append(seconds)

    modules = (lstm, gru, gru_reset_after, rnn)
    before = [module.run for module in modules]
    for module in modules:
        module.run = timed_run(record)
    try:
        step, _ = ours.make(workload)
        step()
        found.clear()
        start, rounds = time.perf_counter(), 0
        while rounds < 3 or time.perf_counter() - start < SECONDS:
            step()
            rounds += 1
    finally:
        for module, run in zip(modules, before):
            module.run = run
    jobs, total = [], 0.0
    for (way, _, name, work), seconds in found.items():
        median = statistics.median(seconds)
        total += median
        rate = work / median / 1e9
        jobs.append({"pass": way, "job": name, "ms": median * 1e3, "gflops": rate, "fraction_of_peak": rate / peak})
    return {"jobs": jobs, "ms": total * 1e3, "fraction_of_peak": workload.flops / total / 1e9 / peak}


def peak_rate(dtype="float32"):
    """GF/s of NumPy's product of two large matrices on this thread, the best of five."""
    import numpy as np

    a = np.random.default_rng(0).standard_normal((PEAK_SIZE, PEAK_SIZE)).astype(dtype)
    out, times = np.empty_like(a), []
    for _ in range(5):
        start = time.thread_time()
        np.matmul(a, a, out=out)
        times.append(time.thread_time() - start)
    return 2 * PEAK_SIZE**3 / min(times) / 1e9


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("workloads", nargs="*", default=DEFAULT, help="names from minirnn bench --list")
    parser.add_argument("--save", type=Path, help="write JSON here")
    asked = parser.parse_args()
    use_threads(1)
    from minirnn.bench.report import machine, today
    from minirnn.bench.workloads import GATES, catalogue
    from minirnn.files import write_atomically

    known = catalogue(grid=True)
    layers = [name for name in known if known[name].kind in GATES]
    unknown = [name for name in asked.workloads if name not in layers]
    if unknown:
        parser.error(f"no such layer: {', '.join(unknown)}; minirnn bench --list --grid names them")
    peak = peak_rate()
    print(f"peak of one thread: {peak:.0f} GF/s")
    profiles = {}
    for name in asked.workloads:
        found = profiles[name] = profile(known[name], peak)
        print(f"{name}: {found['ms']:.2f} ms on one thread, {100 * found['fraction_of_peak']:.0f} % of the peak")
        for job in found["jobs"]:
            rate = f"{job['gflops']:5.0f} GF/s, {100 * job['fraction_of_peak']:3.0f} %" if job["gflops"] else ""
            print(f"  {job['pass']:8}  {job['job']:26} {job['ms']:8.3f} ms  {rate}")
    if asked.save:
        result = {"date": today(), "machine": machine([]), "peak_gflops": peak, "layers": profiles}
        write_atomically(asked.save, (json.dumps(result, indent=1) + "\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())

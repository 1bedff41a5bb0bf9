"""One library's process: ``python -m minirnn.bench.worker MODULE:FUNCTION``, requests and answers as lines of JSON.

FUNCTION(workload) returns (step, results): step() does the work, results() lists the arrays it left.
"""

import importlib
import json
import os
import re
import resource
import sys
import time
from pathlib import Path

import numpy as np

from minirnn.bench.workloads import Workload

CLOCKS = {"wall": time.perf_counter, "process": time.process_time}
WARM_UP = 3
STEPS = 3  # at least, in a batch


def main(argv):
    """Serve requests until the input ends."""
    module, _, function = argv[0].partition(":")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not come between the answers
    make = getattr(importlib.import_module(module), function)
    imported = peak_mib()
    made = {}
    for line in sys.stdin:
        request = json.loads(line)
        workload = Workload(**request["workload"])
        if workload.name not in made:
            made.clear()
            made[workload.name] = make(workload)
            warm = False
        step, results = made[workload.name]
        answer = {}
        if "save" in request:
            step()
            np.savez(request["save"], *results())
        elif "memory" in request:
            for _ in range(request["memory"]):
                step()
            answer = {"imported": imported, "peak": peak_mib()}
        else:
            for _ in range(1 if warm else WARM_UP):
                step()
            warm = True
            _, _, pieces = workload.unit
            durations = timed(step, request["seconds"], CLOCKS[workload.clock or request["clock"]])
            answer = {"seconds": [duration / pieces for duration in durations]}
        print(json.dumps(answer), file=answers, flush=True)


def timed(step, budget, clock=time.perf_counter):
    """Durations of calls until ``budget`` seconds are used, three at least."""
    durations, end = [], time.perf_counter() + budget
    while len(durations) < STEPS or time.perf_counter() < end:
        start = clock()
        step()
        durations.append(clock() - start)
    return durations


def peak_mib():
    """The largest memory this process has held so far, since it was started."""
    status = Path("/proc/self/status")
    if status.exists():  # not getrusage: on Linux a new process begins with the peak of the one that started it
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / (1 << 10)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


if __name__ == "__main__":
    main(sys.argv[1:])

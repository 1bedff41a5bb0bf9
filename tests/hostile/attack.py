"""Attacks on minirnn with random nonsense: ``python tests/hostile/attack.py --tries 10000 --seed 0``.

Each kind of attack is a function of (rng, folder): it returns None where minirnn held, or says in a line what did not.
The same seed makes the same tries. The folder is empty at the first of them. Tries run in processes of their own, so
that one that ends the interpreter is counted and the next ones go on. Printed are tried and held of each kind;
``--json FILE`` writes them too.
"""

import argparse
import faulthandler
import json
import os
import subprocess
import sys
import tempfile
import warnings
import zlib
from pathlib import Path

import kills
import numpy as np
import on_api
import on_commands
import on_disks
import on_files
import on_kernels
import on_runs

from minirnn.models import registry

ATTACKS = {
    "kernels": on_kernels.attack_kernels,
    "saved": on_kernels.attack_saved,
    "optimisers": on_kernels.attack_optimisers,
    "kept-code": on_kernels.attack_kept_code,
    "operations": on_api.attack_operations,
    "public": on_api.attack_public,
    "writers": on_files.attack_writers,
    "locks": on_files.attack_locks,
    "runs": on_runs.attack_runs,
    "commands": on_commands.attack_commands,
    "disks": on_disks.attack_disks,
}
SHARES = {"kernels": 15, "saved": 5, "optimisers": 5, "kept-code": 10, "operations": 15, "public": 15, "writers": 10,
          "locks": 3, "runs": 12, "commands": 5, "disks": 5}  # of all tries, in per cent: what is slow is tried less
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # of matrix products
AT_ONCE = 500  # tries of one process
SECONDS = 300  # after which a try hangs


def generator(seed, name, k):
    """The random numbers of try k of one kind, whatever was tried before."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), k])


def run_here(name, first, last, seed):
    """Print the number of each try as it begins and what did not hold; flushed, for the process may end at any time."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        for k in range(first, last):
            print(json.dumps({"try": k}), flush=True)
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            failure = ATTACKS[name](generator(seed, name, k), Path(folder))
            if failure is not None:
                print(json.dumps({"try": k, "failure": failure.replace(folder, "FOLDER")}), flush=True)
        print(json.dumps({"done": True}), flush=True)


def run(name, tries, seed):
    """{tried, held, failures: {description: how often}} of one kind of attack."""
    failures, first = {}, 0
    while first < tries:
        last = min(first + AT_ONCE, tries)
        command = [sys.executable, __file__, "--here", name, str(first), str(last), "--seed", str(seed)]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **ONE_THREAD})
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        for line in lines:
            if "failure" in line:
                failures[line["failure"]] = failures.get(line["failure"], 0) + 1
        if {"done": True} in lines:
            first = last
        else:
            k = max((line["try"] for line in lines if "try" in line), default=first)
            why = done.stderr.strip().splitlines()[-1:] or ["no word"]
            ended = f"try {k}: the process ended with {done.returncode}: {why[0]}"
            failures[ended] = 1
            first = k + 1
    return {"tried": tries, "held": tries - sum(failures.values()), "failures": failures}


def kill_here(name, count, seed):
    """Print what ``kills.kill_runs`` finds, in a folder that is removed."""
    with tempfile.TemporaryDirectory() as folder:
        found = kills.kill_runs(name, generator(seed, name, 0), Path(folder) / "kills", count)
        print(json.dumps(found).replace(folder, "FOLDER"))


def kill(name, count, seed):
    """{kills, runs, held, failures} of runs of one model, trained and killed below a process of its own."""
    command = [sys.executable, __file__, "--kill-here", name, str(count), "--seed", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **ONE_THREAD})
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no word"])[-1]
        return {"kills": 0, "runs": 0, "held": 0, "failures": [f"{name}: ended with {done.returncode}: {why}"]}
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", type=int, default=1000, help="in all; each kind has its share")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=ATTACKS, nargs="*")
    parser.add_argument("--json", dest="out", type=Path)
    parser.add_argument("--list", action="store_true", help="the kinds of attack")
    parser.add_argument("--kills", type=int, default=0, help="and so many kills of runs of every registered model")
    parser.add_argument("--kill-here", nargs=2, metavar=("MODEL", "KILLS"), help=argparse.SUPPRESS)
    parser.add_argument("--here", nargs=3, metavar=("KIND", "FIRST", "LAST"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.list:
        print(*ATTACKS, sep="\n")
        return 0
    if options.here:
        run_here(options.here[0], int(options.here[1]), int(options.here[2]), options.seed)
        return 0
    if options.kill_here:
        kill_here(options.kill_here[0], int(options.kill_here[1]), options.seed)
        return 0
    results, killed = {}, {}
    chosen = options.only if options.only is not None else [*ATTACKS]
    for name in chosen:
        results[name] = run(name, options.tries * SHARES[name] // sum(SHARES[n] for n in chosen), options.seed)
        print(f"{name:<14}{results[name]['held']:>8} of {results[name]['tried']} held")
        for failure, times in sorted(results[name]["failures"].items(), key=lambda item: -item[1])[:20]:
            print(f"    {times} x {failure}")
    for name in registry.MODELS if options.kills else ():
        killed[name] = kill(name, options.kills, options.seed)
        print("{:<14}{kills:>8} kills, {held} of {runs} runs held".format(name, **killed[name]))
        for failure in killed[name]["failures"]:
            print(f"    {failure}")
    if options.out:
        options.out.write_text(json.dumps({"seed": options.seed, "attacks": results, "kills": killed}, indent=1) + "\n")
    held = [r["held"] == r["tried"] for r in results.values()] + [not k["failures"] for k in killed.values()]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())

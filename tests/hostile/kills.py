"""Kills of training runs: real processes, at random moments, resumed until they are complete.

A run is a child forked from this process, which has imported minirnn and started no thread.
"""

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from tiny_runs import as_options, names_of, numbers, whole

from minirnn import cli

REQUESTS = (signal.SIGTERM, signal.SIGINT)
SIGNALS = (signal.SIGKILL,) * 6 + REQUESTS
MOST_OF_ONE_RUN = 8


def _child(argv, log):
    """Start a command in a process of its own -> its number."""
    if len(os.listdir("/proc/self/task")) > 1:
        raise RuntimeError("a process with threads is not forked")
    signal.pthread_sigmask(signal.SIG_BLOCK, REQUESTS)  # Python's own work after a fork is not to be interrupted
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, REQUESTS)
        return pid
    status = 70
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with open(log, "a", buffering=1) as said:
            sys.stdout = sys.stderr = said
            signal.pthread_sigmask(signal.SIG_UNBLOCK, REQUESTS)
            status = cli.main([str(word) for word in argv])
    finally:
        os._exit(status)


def kill_one_run(name, rng, folder, most):
    """Train a tiny run, killed up to ``most`` times on the way -> (kills that hit a living process, None or why)."""
    expected, runs, log = whole(name), folder / "runs", folder / "log"
    shutil.rmtree(folder, ignore_errors=True)
    runs.mkdir(parents=True)
    kills, path = 0, runs / "run"
    began = time.monotonic()
    while True:
        argv = (["train", "--resume", path] if (path / "config.json").exists()
                else ["train", *as_options(name), "--runs", runs, "--name", "run"])
        pid, number = _child(argv, log), None
        if kills < most:
            time.sleep(rng.uniform(0, _duration(name)))
            number = SIGNALS[int(rng.integers(len(SIGNALS)))]
            os.kill(pid, number)  # a process that has ended is a zombie until it is waited for
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code == 0:
            break
        if number is None or code not in (-number, 128 + number):
            return kills, f"{name}: {number} ended a run with {code}: {Path(log).read_text()[-300:]!r}"
        kills += 1
        if time.monotonic() - began > 120:
            return kills, f"{name}: two minutes and not complete"
    if "Traceback" in log.read_text():
        return kills, f"{name}: a traceback: {log.read_text()[-500:]!r}"
    if numbers(path) != numbers(expected):
        return kills, f"{name}: another result after {kills} kills"
    usual = [n for n in names_of(expected) if not n.startswith("measures/")]
    if len(names_of(path)) != len(usual):  # a request to stop adds a checkpoint, and then there is one fewer later
        return kills, f"{name}: other files: {sorted(set(names_of(path)) ^ set(names_of(expected)))}"
    litter = [p.name.split("-")[-1] for p in runs.iterdir() if p.name != "run"]
    return kills, f"{name}: left behind {litter}" if litter else None


_DURATIONS = {}


def _duration(name):
    """Seconds of the whole run, by its own clock, and a little for what comes before and after."""
    if name not in _DURATIONS:
        _DURATIONS[name] = json.loads((whole(name) / "result.json").read_text())["seconds"] + 0.05
    return _DURATIONS[name]


def kill_runs(name, rng, folder, kills):
    """{tried: kills, runs, failures} of one model: runs one after the other until so many kills have hit."""
    done, runs, failures = 0, 0, []
    while done < kills:
        hit, failure = kill_one_run(name, rng, folder, min(MOST_OF_ONE_RUN, kills - done))
        done, runs = done + hit, runs + 1
        if failure is not None:
            failures.append(failure)
    return {"kills": done, "runs": runs, "held": runs - len(failures), "failures": failures}

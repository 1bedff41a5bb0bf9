"""The runs of an experiment: which there are, done one after the other or several at once, ended ones reused.

How a run is done is the registry's business; it is handed in as ``house``, with ``folder_name``, ``ingredients_of``,
``finished``, ``run`` and ``load`` as in ``minirnn.models.registry``.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minirnn.errors import InputError, must_be
from minirnn.threads import threads_of_kernels
from minirnn.train.execute import sayer
from minirnn.train.signals import StopRequest

MOST_RUNS = 100_000


@dataclass(frozen=True)
class Job:
    """One run: a row with a seed, its model, its configuration as JSON values and its folder.

    ``needs`` are the folders of the runs it starts from, jobs of their own that come before it: for 100 GANs that start
    from one language model, 100 times that one folder.
    """

    row: str
    seed: int
    kind: str
    config: dict
    path: Path
    house: Any
    needs: tuple = ()

    def result(self):
        """What result.json says; None while the run has not ended, InputError for a damaged or another run."""
        return self.house.finished(self.kind, self.config, self.path)


def jobs_of(experiment, scale, rows, seeds, runs, house):
    """The Jobs of chosen ``rows`` of an experiment with ``seeds`` 0, 1, ... below folder ``runs``, seed by seed.

    Rows a, b and two seeds: a 0, b 0, a 1, b 1. Each comes after the jobs of its ingredients, whose ``row`` says so.
    """
    if seeds * max(1, len(rows)) > MOST_RUNS:
        raise InputError(must_be("reproduce", "--seeds", f"so many that there are at most {MOST_RUNS:,} runs", seeds))
    jobs = []
    for seed in range(seeds):
        for row in rows:
            config = experiment.configure(row, experiment.scales[scale], seed)
            jobs += _with_ingredients(row.key, seed, experiment.kind, config, Path(runs), house)
    return jobs


def _with_ingredients(row, seed, kind, config, runs, house):
    jobs, needs = [], []
    for name, (inner, wanted) in house.ingredients_of(kind, config).items():
        jobs += _with_ingredients(f"ingredient {name} of {row}", seed, inner, wanted, runs, house)
        needs.append(jobs[-1].path)
    path = runs / house.folder_name(kind, config)
    return [*jobs, Job(row, seed, kind, config.to_json(), path, house, tuple(needs))]


def run_jobs(jobs, processes=1, folder=None, out=None, quiet=False):
    """Do every job that has not ended, ``processes`` at once with the threads shared out, 2 each of 4 -> exit status.

    0 all are complete, 1 some run diverged now or earlier, 130 or 143 interrupted (each run then has its checkpoint and
    goes on next time). A diverged run does not stop the others. Raises InputError and OSError when one process does the
    work.
    """
    say = sayer(out, quiet)
    paths, waiting, status = set(), [], 0
    for job in jobs:  # two rows may be one run
        if job.path in paths:
            continue
        paths.add(job.path)
        result = job.result()
        if result is None:
            waiting.append(job)
        elif result["status"] == "diverged":
            status = 1
            say(f"{job.row}, seed {job.seed}: diverged earlier, not tried again ({result['reason']})")
    done = len(paths) - len(waiting)
    if done:
        say(f"{done} finished runs reused")
    if processes > 1 and len(waiting) > 1:
        return _run_side_by_side(waiting, min(processes, len(waiting)), folder, out, quiet, say) or status
    for number, job in enumerate(waiting, 1):
        say(f"run {number} of {len(waiting)}: {job.row}, seed {job.seed}")
        ended = job.house.run(job.kind, job.config, job.path, folder, out, quiet).status
        if ended > 1:
            return ended
        status = max(status, ended)
    return status


def _run_side_by_side(waiting, processes, folder, out, quiet, say):
    threads = max(1, threads_of_kernels() // processes)
    environment = {**os.environ, "MINIRNN_NUM_THREADS": str(threads)}
    running, status, started = {}, 0, 0
    with StopRequest() as stop:
        while (waiting and not stop and status < 2) or running:
            while len(running) < processes and not stop and status < 2:
                busy = {job.path for job in (*waiting, *running.values())}
                job = next((job for job in waiting if not busy & set(job.needs)), None)
                if job is None:
                    break
                waiting.remove(job)
                started += 1
                say(f"run {started} begins: {job.row}, seed {job.seed}")
                task = {"kind": job.kind, "config": job.config, "path": str(job.path), "quiet": quiet,
                        "folder": None if folder is None else str(folder)}
                child = subprocess.Popen([sys.executable, "-m", job.house.WORKER, json.dumps(task)],
                                         env=environment, stderr=out)
                running[child] = job
            for child in [c for c in running if c.poll() is not None]:
                job = running.pop(child)
                code = child.returncode if child.returncode >= 0 else 128 - child.returncode  # ended by a signal
                if code and not stop:
                    say(f"{job.row}, seed {job.seed}: ended with exit status {code}")
                    status = max(status, code)
            if stop:
                for child in running:
                    child.terminate()  # a second request changes nothing: the child writes its checkpoint and ends
                for child in running:
                    child.wait()
            time.sleep(0.05)
        return stop.status or status

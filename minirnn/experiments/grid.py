"""The runs of an experiment: which there are, done one after the other or several at once, finished ones reused."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from minirnn.experiments import kinds
from minirnn.threads import threads_of_kernels
from minirnn.train.execute import sayer
from minirnn.train.loop import Diverged
from minirnn.train.signals import StopRequest


@dataclass(frozen=True)
class Job:
    """One run: a row with a seed, its kind, its configuration as JSON values and its folder."""

    row: str
    seed: int
    kind: str
    config: dict
    path: Path

    def result(self):
        """What result.json says; None while the run is not complete, InputError for a damaged or another run."""
        return kinds.finished(self.kind, self.config, self.path)


def jobs_of(experiment, scale, rows, seeds, runs):
    """The Jobs of chosen ``rows`` of an experiment with ``seeds`` 0, 1, ... below folder ``runs``, seed by seed."""
    jobs = []
    for seed in range(seeds):
        for row in rows:
            config = experiment.configure(row, experiment.scales[scale], seed).to_json()
            path = Path(runs) / kinds.folder_name(experiment.kind, config)
            jobs.append(Job(row.key, seed, experiment.kind, config, path))
    return jobs


def run_jobs(jobs, processes=1, folder=None, stream=None, quiet=False):
    """Do every job that is not complete, ``processes`` at once with the threads shared out -> exit status.

    0 all are complete, 1 some run diverged, 130 or 143 interrupted (each run then has its checkpoint and goes on next
    time). A diverged run does not stop the others. Raises InputError and OSError when one process does the work.
    """
    say = sayer(stream, quiet)
    paths, waiting = set(), []
    for job in jobs:  # two rows may be one run
        if job.result() is None and job.path not in paths:
            paths.add(job.path)
            waiting.append(job)
    done = len({job.path for job in jobs}) - len(waiting)
    if done:
        say(f"{done} finished runs reused")
    if processes > 1 and len(waiting) > 1:
        return _run_side_by_side(waiting, min(processes, len(waiting)), folder, stream, quiet, say)
    status = 0
    for number, job in enumerate(waiting, 1):
        say(f"run {number} of {len(waiting)}: {job.row}, seed {job.seed}")
        try:
            outcome = kinds.run(job.kind, job.config, job.path, folder, stream, quiet)
        except Diverged as error:
            say(f"{job.row}, seed {job.seed}: {error}")
            status = 1
            continue
        if outcome.status:
            return outcome.status
    return status


def _run_side_by_side(waiting, processes, folder, stream, quiet, say):
    threads = max(1, threads_of_kernels() // processes)
    environment = {**os.environ, "MINIRNN_NUM_THREADS": str(threads)}
    running, status, started = {}, 0, 0
    with StopRequest() as stop:
        while (waiting and not stop and status < 2) or running:
            while waiting and len(running) < processes and not stop and status < 2:
                job, started = waiting.pop(0), started + 1
                say(f"run {started} begins: {job.row}, seed {job.seed}")
                task = {"kind": job.kind, "config": job.config, "path": str(job.path), "quiet": quiet,
                        "folder": None if folder is None else str(folder)}
                child = subprocess.Popen([sys.executable, "-m", "minirnn.experiments.worker", json.dumps(task)],
                                         env=environment, stderr=stream)
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

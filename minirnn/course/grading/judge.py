"""The grader's end: starts the process of a submission, asks it, judges its answers, and ends it with its children."""

import contextlib
import os
import shutil
import signal
import site
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import NamedTuple

from minirnn.course import tasks
from minirnn.course.exercises.exercise import Report
from minirnn.course.exercises.guard import StudentError, in_words
from minirnn.course.grading import submissions
from minirnn.course.grading.wire import Broken, Channel, Function, Opaque
from minirnn.errors import InputError, printable

KEPT = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "SYSTEMROOT")  # of the environment; the rest may hold secrets
ONE_THREAD = ("MINIRNN_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
MARK = "MINIRNN_GRADING"  # in the environment of a submission's process and of whatever it starts
ANSWERS = 200  # of one submission, that are looked at
_RUNNING = set()  # processes of submissions
NOTES, LINE = 20, 300  # of what a process says of itself: lines, characters


class Limits(NamedTuple):
    """What each submission may take: seconds by the clock, MiB, and folders that it must not read."""

    seconds: float
    memory: int
    denied: tuple = ()


def grade(path, name, limits, chapter=None):
    """Grade one submission: -> {submission, status, points, of, exercises, notes, printed, seconds}, plain JSON.

    Its exercises are those of ``chapter``, or of every chapter it answers something of. Nothing it does is raised here.
    """
    start, found = time.monotonic(), {}
    notes, printed, status = [], "", "graded"
    try:
        cells = submissions.cells_of(path)
        with _process(limits) as ask:
            said = ask.start(cells)
            notes, printed = said["notes"], said["printed"]
            for exercise, answer in _answered(said["answers"], chapter, notes):
                found[exercise.name] = _judged(exercise, answer, ask)
    except (InputError, OSError) as error:
        status, notes = "unreadable", [str(error)]
    except Broken as error:
        status, notes = "stopped", [*notes, str(error)]
    except Exception as error:  # whatever else a submission makes of the grader costs it alone
        status, notes = "stopped", [*notes, in_words(error)]
    if status == "graded" and not found:
        status = "no answers"
    exercises = [_told(exercise, found.get(exercise.name)) for exercise in _expected(found, chapter)]
    return {
        "submission": name, "status": status, "points": sum(e["points"] for e in exercises),
        "of": sum(e["of"] for e in exercises), "exercises": exercises,
        "notes": [printable(str(note)[:LINE]) for note in notes[:NOTES]], "printed": printable(printed[:LINE * NOTES]),
        "seconds": round(time.monotonic() - start, 1),
    }


def _answered(answers, chapter, notes):
    """(exercise, answer) of what a process says it answers, in the order of the course."""
    known = {}
    for name, answer in list(answers.items())[:ANSWERS]:
        exercise = tasks.find(name)
        if exercise is None:
            notes.append(tasks.unknown(name))
        elif chapter is None or exercise in tasks.CHAPTERS[chapter]:
            known[exercise.name] = answer
    return [(exercise, known[name]) for name, exercise in tasks.EXERCISES.items() if name in known]


def _expected(found, chapter):
    chapters = [chapter] if chapter else [c for c, es in tasks.CHAPTERS.items() if any(e.name in found for e in es)]
    return [exercise for c in chapters for exercise in tasks.CHAPTERS[c]]


def _told(exercise, report):
    report, lines = (report, report.lines) if report else (Report(0.0), ("not answered",))
    message = [printable(line[:LINE]) for line in lines[:NOTES]]
    return {"name": exercise.name, "title": exercise.title, "points": round(exercise.points * report.share),
            "of": exercise.points, "solved": report.solved, "message": message}


def _judged(exercise, answer, ask):
    """The Report of an answer: the checker runs here, the student's functions there."""
    ask.seconds = exercise.seconds
    try:
        return exercise.checker.judge(ask.mine(answer))
    except Exception as error:  # what a wrong answer does to a checker: its types and shapes may be anything
        return Report(0.0, tuple(in_words(error).splitlines()))


class _Asking:
    """A process that is asked to compute."""

    def __init__(self, channel, until, job):
        self.channel, self.until, self.job, self.seconds, self.ended = channel, until, job, 0.0, ""

    def start(self, cells):
        """Run the cells -> what the process says: answers, notes, what was printed."""
        self.channel.send({**self.job, "cells": cells}, self.until)
        said = self.channel.receive(self.until)
        kinds = {"answers": dict, "notes": list, "printed": str}
        if not isinstance(said, dict) or not all(isinstance(said.get(key), kind) for key, kind in kinds.items()):
            raise Broken("its process said something else than its answers")
        return said

    def mine(self, value):
        """A value with functions that can be called here."""
        if isinstance(value, Function):
            return lambda *args: self.call(value.number, args)
        if isinstance(value, Opaque):
            raise StudentError(f"an answer may not be or hold a {value.type}")
        if type(value) in (list, tuple):
            return type(value)(map(self.mine, value))
        return {key: self.mine(part) for key, part in value.items()} if type(value) is dict else value

    def call(self, number, args):
        """The student's function at these arguments; StudentError with what it says where it does not end well."""
        if self.ended:
            raise StudentError(self.ended)
        try:
            self.channel.send((number, tuple(args), self.seconds), self.until)
            reply = self.channel.receive(self.until)
        except Broken as error:
            self.ended = str(error)
            raise StudentError(self.ended) from None
        if not isinstance(reply, tuple) or len(reply) != 3 or not isinstance(reply[0], str):
            self.ended = "its process said something else than a result"
            raise StudentError(self.ended)
        if reply[0]:
            raise StudentError(reply[0][:LINE])
        return self.mine(reply[1])


@contextlib.contextmanager
def _process(limits):
    """The process of one submission in a folder of its own -> _Asking; afterwards both are gone."""
    folder, mark = tempfile.mkdtemp(prefix="submission-"), uuid.uuid4().hex
    environment = {key: os.environ[key] for key in KEPT if key in os.environ}
    environment |= dict.fromkeys(ONE_THREAD, "1")
    environment |= dict.fromkeys(("HOME", "TMPDIR", "MINIRNN_CACHE", "MPLCONFIGDIR", "IPYTHONDIR"), folder)
    environment |= {MARK: mark, "MINIRNN_PROGRESS": "off", "MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1",
                    "PYTHONUSERBASE": site.getuserbase()}
    theirs, mine = os.pipe(), os.pipe()
    denied = [str(Path(tasks.__file__).parent), *map(str, limits.denied)]
    job = {"denied": denied, "seconds": float(limits.seconds), "memory": limits.memory * 2**20}
    command = [sys.executable, "-P", "-m", "minirnn.course.grading.child", folder, str(theirs[0]), str(mine[1])]
    process = None
    try:
        with open(os.path.join(folder, ".output"), "ab") as output:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment,
                                       cwd=folder, pass_fds=(theirs[0], mine[1]), start_new_session=True)
        _RUNNING.add(process)
        os.close(theirs[0])
        os.close(mine[1])
        yield _Asking(Channel(mine[0], theirs[1]), time.monotonic() + limits.seconds, job)
    finally:
        if process is not None:
            _end(process, mark)
            _RUNNING.discard(process)
        for end in (mine[0], theirs[1]):
            os.close(end)
        _remove(folder)


def stop():
    """Kill every submission that runs now: whoever waits for its answers goes on at once."""
    for process in list(_RUNNING):
        process.kill()


def _end(process, mark):
    """Kill a process and everything it started, also what left its group: its mark is in their environment."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for _ in range(20):
        left = list(_marked(mark))
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not left:
            return


def _marked(mark):
    """Processes with the mark in their environment, where there is /proc to say so."""
    wanted = f"{MARK}={mark}".encode()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if wanted in entry.read_bytes():
                yield int(entry.parent.name)


def _remove(folder):
    """Remove a folder, whatever rights its owner took from what is in it."""
    def again(function, path, error):
        with contextlib.suppress(OSError):
            os.chmod(os.path.dirname(path), 0o700)
            os.chmod(path, 0o700)
            function(path)

    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, onerror=again)

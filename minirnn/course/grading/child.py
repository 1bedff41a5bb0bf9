"""The process of a submission: runs its cells, remembers what ``check`` was given, then computes what it is asked.

Started as ``python -m minirnn.course.grading.child FOLDER READER WRITER``; the first message is what it runs.
"""

import linecache
import os
import sys
import time

from minirnn.course import exercises
from minirnn.course.exercises import session
from minirnn.course.exercises.guard import CELL, Shown, guarded
from minirnn.course.grading import sandbox
from minirnn.course.grading.wire import Broken, Channel


class Recorded:
    """What ``check`` returns here: nobody is told how it went before it is graded."""

    points, solved = 0, False

    def __repr__(self):
        return "recorded"

    def __bool__(self):
        return True


def main(argv):
    """Run one submission, as the grader says."""
    folder, reader, writer = argv[0], int(argv[1]), int(argv[2])
    channel = Channel(reader, writer)
    job = channel.receive()
    os.chdir(folder)
    answers, record = {}, Recorded()

    def check(name, answer=None):
        answers[str(name)[:60]] = answer
        return record

    for place in (exercises, session):
        place.check = place.graded = check
        place.hint = place.solution = place.points = lambda *args, **options: session.Text("not while it is graded")
    shown = sys.stdout = sys.stderr = Shown()
    sandbox.shut(folder, job["denied"], job["seconds"], job["memory"])
    notes = run(job["cells"], job["seconds"] / 2)
    functions = []

    def number_of(function):
        functions.append(function)
        return len(functions) - 1

    channel.send({"answers": answers, "notes": notes, "printed": str(shown)}, number_of=number_of)
    while True:
        try:
            number, args, seconds = channel.receive()
        except Broken:
            return
        outcome = guarded(lambda: functions[number](*args), seconds)  # noqa: B023  called at once
        channel.send((outcome.problem, outcome.value, outcome.printed), number_of=number_of)


def run(cells, seconds):
    """Run cells one after the other, whatever the ones before did, until the time is up -> lines of what went wrong."""
    scope, notes, until = {"__name__": "__main__", "display": lambda *things: None}, [], time.monotonic() + seconds
    for number, source in enumerate(cells, 1):
        name = f"{CELL}{number}"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        left = until - time.monotonic()
        if left <= 0:
            return [*notes, f"{name} and what follows was not run: there was no time left"]
        outcome = guarded(lambda: exec(compile(source, name, "exec"), scope), left)  # noqa: B023  called at once
        if outcome.printed:
            print(outcome.printed)
        if outcome.problem:
            notes.append(f"{name}: {outcome.problem}")
    return notes


if __name__ == "__main__":
    main(sys.argv[1:])

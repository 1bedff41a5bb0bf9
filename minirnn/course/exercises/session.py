"""What a student calls: ``check``, ``hint``, ``points`` and ``solution``."""

import html
import textwrap
from dataclasses import dataclass, field
from typing import Any

from minirnn.course.exercises import guard, progress
from minirnn.course.exercises.exercise import HINTS, Report
from minirnn.errors import printable
from minirnn.gradcheck import view

WIDTH = 78


def _tasks():
    """The exercises, loaded with the first that is asked for; where submissions run they are never loaded."""
    from minirnn.course import tasks

    return tasks


@dataclass(frozen=True, repr=False)
class Result:
    """What ``check`` found: true where the exercise is solved; a notebook shows it with a tick or a cross."""

    name: str
    title: str
    report: Report
    points: int  # of this answer, less what hints cost
    of: int
    printed: str = ""
    notes: tuple = ()

    def __bool__(self):
        return self.report.solved

    @property
    def head(self):
        """The verdict in one line: "gru mix: right, 20 of 20 points"."""
        share = self.report.share
        words = "right" if self else "not yet" if share == 0 else f"{share:.0%} right"
        return f"{self.name}: {words}" + (f", {self.points} of {self.of} points" if self or share else "")

    def __repr__(self):
        said = [part for line in self._said() for part in _wrapped(line)]
        return "\n".join([f"{'✓' if self else '✗'} {self.head}", *said])

    def _said(self):
        printed = ["it printed:", *(f"| {line}" for line in self.printed.splitlines())] if self.printed else []
        return [part for line in (*self.report.lines, *self.notes) for part in line.splitlines()] + printed

    def _repr_html_(self):
        kind, mark = ("good", "✓") if self else ("bad", "✗")
        said = "\n".join(self._said())
        parts = [f"<p><b><span class={kind}>{mark} {html.escape(self.head)}</span></b></p>"]
        parts += [f"<pre>{html.escape(said)}</pre>"] if said else []
        if self.report.finding is not None and self.report.finding.tensors:
            parts.append(view.body(self.report.finding.with_diagnosis(())))
        return f"<div class=minirnn><style>{view.NOTEBOOK}</style>{''.join(parts)}</div>"


@dataclass(frozen=True, repr=False)
class Text:
    """Something to read, which a notebook and a terminal show as it is."""

    text: str
    facts: Any = field(default=None)

    def __repr__(self):
        return self.text


def examined(exercise, answer):
    """(Report, what was printed) of an answer, whatever it is or does."""
    outcome = guard.guarded(lambda: exercise.checker.judge(answer), exercise.seconds)
    report = Report(0.0, tuple(outcome.problem.splitlines())) if outcome.problem else outcome.value
    return report, outcome.printed


def check(name, answer=None):
    """Check an answer to an exercise -> Result, true where it is solved. Never raises for what a student does."""
    exercise = _tasks().find(name)
    if exercise is None:
        shown = printable(name)[:60] if isinstance(name, str) else type(name).__name__
        return Result(shown, "", Report(0.0, (_tasks().unknown(name),)), 0, 0)
    report, printed = examined(exercise, answer)

    def make(entry):
        share = max(entry["share"], report.share)
        worth = 0 if entry["gave_up"] else round(exercise.points * report.share) - exercise.cost(entry["hints"])
        earned = max(entry["earned"], worth) if not entry["gave_up"] else entry["earned"]
        return {**entry, "share": share, "tries": entry["tries"] + 1, "earned": earned, "worth": max(0, worth)}

    entry = progress.change(exercise.name, make)
    notes = []
    if not report.solved and entry["hints"] < HINTS:
        notes.append(f'hint("{exercise.name}") gives hint {entry["hints"] + 1} of {HINTS}')
    return Result(exercise.name, exercise.title, report, entry["worth"], exercise.points, printed, tuple(notes))


def graded(name, answer):
    """The points of an answer, whatever was tried or asked for before; prints the verdict. Nothing is kept of it."""
    exercise = _tasks().find(name)
    if exercise is None:
        print(_tasks().unknown(name))
        return 0
    report, printed = examined(exercise, answer)
    worth = round(exercise.points * report.share)
    print(Result(exercise.name, exercise.title, report, worth, exercise.points, printed))
    return worth


def hint(name):
    """The next hint of an exercise, and once there are no more all of them; it says what it costs."""
    exercise = _tasks().find(name)
    if exercise is None:
        return Text(_tasks().unknown(name))
    before = []

    def make(entry):
        before.append(entry)
        return {**entry, "hints": min(HINTS, entry["hints"] + 1)}

    entry = progress.change(exercise.name, make)
    shown = entry["hints"]
    if before[-1]["hints"] == HINTS:
        return Text("\n".join(line for n, text in enumerate(exercise.hints, 1)
                              for line in textwrap.wrap(f"hint {n} of {HINTS}: {text}", WIDTH)))
    price = exercise.cost(shown) - exercise.cost(shown - 1)
    free = before[-1]["share"] >= 1 or before[-1]["gave_up"]
    costs = "it costs nothing now" if free else f"it costs {price} of {exercise.points} points"
    return Text("\n".join(textwrap.wrap(f"hint {shown} of {HINTS} ({costs}): {exercise.hints[shown - 1]}", WIDTH)))


def solution(name, give_up=False):
    """The solution of an exercise, once it is solved or with give_up=True, which gives up its points."""
    exercise = _tasks().find(name)
    if exercise is None:
        return Text(_tasks().unknown(name))
    solved = progress.read().get(exercise.name, progress.NOTHING)["share"] >= 1
    if not solved and not give_up:
        return Text(f'{exercise.name}: solve it first, or give up its {exercise.points} points:\n'
                    f'solution("{exercise.name}", give_up=True)')
    if not solved:
        progress.change(exercise.name, lambda entry: {**entry, "gave_up": True, "earned": 0})
    return Text(f"{exercise.why}\n\n{exercise.solution.strip()}")


def _wrapped(line):
    """A line of text in at most 78 columns, two of them in front."""
    inset = "  " + " " * (len(line) - len(line.lstrip()))
    return textwrap.wrap(line.strip(), WIDTH, initial_indent=inset, subsequent_indent=inset + "    ",
                         break_on_hyphens=False) or [""]


def points():
    """Your points, exercise by exercise: a table of at most 80 columns."""
    kept, lines, total, most = progress.read(), [], 0, 0
    for chapter, exercises in _tasks().CHAPTERS.items():
        lines.append(f"chapter {chapter}")
        for exercise in exercises:
            entry = kept.get(exercise.name, progress.NOTHING)
            total, most = total + entry["earned"], most + exercise.points
            lines.append(_row(exercise, entry))
    if progress.path() is None:
        lines.append("progress is not kept: MINIRNN_PROGRESS is off")
    return Text("\n".join([*lines, f"{total} of {most} points"]), {"points": total, "of": most})


def _row(exercise, entry):
    mark = "✓" if entry["share"] >= 1 else "-" if entry["tries"] or entry["gave_up"] else " "
    tried = f"{entry['tries']} tr{'y' if entry['tries'] == 1 else 'ies'}" if entry["tries"] else ""
    hints = f"{entry['hints']} hint{'s' * (entry['hints'] > 1)}" if entry["hints"] else ""
    more = ", ".join(part for part in (tried, hints, "gave up" if entry["gave_up"] else "") if part)
    line = f"  {mark} {exercise.name:<26} {'*' * exercise.stars:<3} {entry['earned']:>3} of {exercise.points}  {more}"
    return line.rstrip()[:WIDTH]

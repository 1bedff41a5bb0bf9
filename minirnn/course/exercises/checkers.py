"""The checkers: a backward, a function with a property, the backward of a cell's step, a table, a choice, a speed.

Each has ``judge(answer)`` -> Report. A backward is compared with measured slopes (minirnn.gradcheck), not with a
stored solution.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from minirnn import bptt
from minirnn.cells import Weights
from minirnn.course.exercises.compare import difference
from minirnn.course.exercises.exercise import Report
from minirnn.course.exercises.guard import StudentError
from minirnn.course.exercises.tables import judge_table
from minirnn.gradcheck import Verdict, check_cell, check_vjp, random_problem
from minirnn.gradcheck.recurrent import named

ROUNDS = 5  # of a speed run, of which the fastest counts


class Careful:
    """A student's function, called with copies of its arrays; remembers which of them it wrote into."""

    def __init__(self, answer, signature):
        if answer is None:
            raise StudentError(f"the answer is None: give check the function itself, {signature}")
        if not callable(answer):
            what = type(answer).__name__
            raise StudentError(f"the answer must be a function {signature}, got {what}: give its name without (...)")
        self.answer, self.written = answer, set()

    def __call__(self, *args):
        given = [_copied(a) for a in args]
        got = self.answer(*given)
        self.written |= {n for n, (a, g) in enumerate(zip(args, given)) if not _same(a, g)}
        if got is None:
            raise StudentError("your function returned None: is its return missing?")
        return got

    def notes(self, names):
        """A line about arguments that were written into."""
        which = ", ".join(names[n] for n in sorted(self.written) if n < len(names))
        return (f"note: it writes into its argument {which}; callers seldom expect that, so work on a copy",) * bool(
            which)


def _copied(value):
    if isinstance(value, np.ndarray):
        return value.copy()
    return type(value)(map(_copied, value)) if type(value) in (list, tuple) else value


def _same(one, other):
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other, equal_nan=True)
    if type(one) in (list, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return True


@dataclass(frozen=True)
class Backward:
    """Write the backward of ``forward``: shapes are the sizes of its arguments, by name, ``sizes`` their letters."""

    forward: Callable
    shapes: dict
    sizes: dict
    dy: str = "dy"

    def judge(self, answer):
        """Right gradients among all; each wrong one with what it looks like."""
        names = list(self.shapes)
        function = Careful(answer, f"backward({', '.join([self.dy, *names])})")
        rng = np.random.default_rng(0)
        args = [rng.standard_normal(shape) for shape in self.shapes.values()]
        finding = check_vjp(self.forward, function, args, name="your backward", names=names)
        report = from_finding(finding, self.sizes)
        return report._replace(lines=(*report.lines, *function.notes([self.dy, *names])))


def from_finding(finding, sizes):
    """The Report of a Finding: the share of arrays whose gradient is right, and how the others differ."""
    if finding.ok:
        return Report(1.0)
    if finding.verdict is not Verdict.WRONG:
        return Report(0.0, tuple(str(finding).splitlines()), finding)
    lines, right = [], []
    for t in finding.tensors:
        if t.verdict is not Verdict.WRONG:
            right.append(t.name)
        elif t.note or t.measured is None:
            lines.append(f"the gradient of {t.name}: {t.note or t.worst}")
        else:
            lines.append(f"the gradient of {t.name}: {difference(t.claimed, t.measured, sizes)}")
    lines += [f"no gradient of {name}: None is for what has no gradient" for name in finding.unclaimed]
    lines += [f"right: {', '.join(right)}"] if right else []
    lines += finding.diagnosis
    return Report(len(right) / (len(finding.tensors) + len(finding.unclaimed)), tuple(lines), finding)


# cell's name -> the fields of Saved, the states that arrive, those that leave
STEPS = {
    "rnn": (("x", "h_in", "h"), ("dh",), ("dh_prev",)),
    "lstm": (("x", "h_in", "c_prev", "i", "f", "g", "o", "phi_c"), ("dh", "dc"), ("dh_prev", "dc_prev")),
}


@dataclass(frozen=True)
class StepBackward:
    """Write a cell's backward step on plain arrays; checked over a sequence, and diagnosed as gradcheck does a cell."""

    cell: Any

    def judge(self, answer):
        """Right arrays among all, and the diagnosis of the catalogue."""
        saved, arriving, leaving = STEPS[self.cell.name]
        given = (*arriving, *saved, "weight_ih", "weight_hh")
        function = Careful(answer, f"backward({', '.join(given)})")
        returns = ("dx", *leaving, "dweight_ih", "dweight_hh", "dbias")

        def step_backward(cell, dstate, kept, weights):
            got = function(*dstate, *(getattr(kept, name) for name in saved), weights.weight_ih, weights.weight_hh)
            if not isinstance(got, (tuple, list)) or len(got) != len(returns):
                count = len(got) if isinstance(got, (tuple, list)) else type(got).__name__
                raise StudentError(f"it must return {len(returns)} arrays, {', '.join(returns)}, got {count}")
            dx, *states, dweight_ih, dweight_hh, dbias = self.shaped(got, returns, kept, weights)
            return dx, tuple(states), Weights(dweight_ih, dweight_hh, dbias, dbias.copy())

        kind = type(self.cell)
        made = type(kind.__name__, (kind,), {"step_backward": step_backward})
        cell = made(**{field.name: getattr(self.cell, field.name) for field in fields(self.cell)})

        def claim(p):
            run = bptt.forward(p.cell, p.x, p.state0, p.weights, form="explicit")
            own = type(run)(**{**vars(run), "cell": cell})
            return named(p, bptt.explicit_backward(own, p.dy, p.dfinal))

        problem = random_problem(self.cell)
        sizes = {"T": len(problem.x), "B": problem.x.shape[1]}
        report = from_finding(check_cell(problem, claim, name="your step"), sizes)
        return report._replace(lines=(*report.lines, *function.notes(given)))

    def shaped(self, got, returns, kept, weights):
        """The returned arrays, once each has the shape it must have."""
        state = kept.h_in.shape
        shapes = [kept.x.shape, *[state] * (len(returns) - 4), *(w.shape for w in weights[:3])]
        arrays = [np.asarray(array) for array in got]
        for name, array, shape in zip(returns, arrays, shapes):
            if array.shape != shape or array.dtype.kind not in "fiu":
                raise StudentError(f"{name}: " + (difference(array, np.zeros(shape)) or "must be numbers"))
        return arrays


@dataclass(frozen=True)
class Property:
    """Write a function with a stated property: ``judged(function)`` says what is wrong, or ''."""

    judged: Callable
    signature: str

    def judge(self, answer):
        """All of the points or none."""
        function = Careful(answer, self.signature)
        problem = self.judged(function)
        return Report(0.0 if problem else 1.0, ((problem,) if problem else ()) + function.notes(
            [part.strip(" )") for part in self.signature.partition("(")[2].split(",")]))


@dataclass(frozen=True)
class Table:
    """A table of numbers made by hand; ``made()`` -> {entry: value}, of which ``digits`` behind the point suffice."""

    made: Callable
    digits: int = 3

    def judge(self, answer):
        """Right entries among all."""
        return judge_table(answer, self.made(), self.digits)


@dataclass(frozen=True)
class Choice:
    """One of several answers; ``wrong`` {answer: what it overlooks}."""

    right: str
    wrong: dict

    def judge(self, answer):
        """A letter or word, whatever its case."""
        known = {text.lower(): text for text in (self.right, *self.wrong)}
        if not isinstance(answer, str) or answer.strip().lower() not in known:
            listed = ", ".join(sorted(repr(text) for text in known.values()))
            got = repr(answer)[:40] if isinstance(answer, (str, int, float, type(None))) else type(answer).__name__
            raise StudentError(f"the answer must be one of {listed}, got {got}")
        chosen = known[answer.strip().lower()]
        return Report(1.0) if chosen == self.right else Report(0.0, (self.wrong[chosen],))


@dataclass(frozen=True)
class Speed:
    """Write a function equal to ``slow`` and ``times`` as fast; args() makes what both are called with."""

    slow: Callable
    args: Callable
    times: float
    signature: str

    def judge(self, answer):
        """Half of the points for an equal result, all of them for the speed too."""
        function, args = Careful(answer, self.signature), self.args()
        off = difference(function(*args), self.slow(*args))
        if off:
            return Report(0.0, (f"not yet the same function: {off}",))
        ratio = _seconds(self.slow, args) / max(_seconds(answer, args), 1e-9)
        if ratio >= self.times:
            return Report(1.0, (f"{ratio:.0f} times as fast",))
        return Report(0.5, (f"the same function, {ratio:.0f} times as fast: {self.times:g} times are asked for",))


def _seconds(function, args):
    """The fastest of some calls: whatever else a machine does only adds to a time."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        function(*args)
        times.append(time.perf_counter() - start)
    return min(times)

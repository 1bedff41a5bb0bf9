"""Tables of numbers made by hand, checked entry by entry."""

import html
from typing import NamedTuple

import numpy as np

from minirnn.course.exercises.compare import factor
from minirnn.course.exercises.exercise import Report
from minirnn.course.exercises.guard import StudentError, guarded
from minirnn.errors import printable

FACTORS = (2, 3, 4, 5, 10, 100)  # that a number may be off by


class TableReport(NamedTuple):
    """A judged table: {entry: "" or what is off}, and the largest error that rounding may leave."""

    entries: dict
    tolerance: float

    @property
    def solved(self):
        return not any(self.entries.values())

    def __bool__(self):
        return self.solved

    def __repr__(self):
        right = sum(not off for off in self.entries.values())
        lines = [f"  {'✗' if off else '✓'} {_label(entry)}" + (f": {off}" if off else "")
                 for entry, off in self.entries.items()]
        return "\n".join([f"{right} of {len(lines)} entries are right (rounding may leave {self.tolerance:g})", *lines])

    def _repr_html_(self):
        rows = "".join(f"<tr><td>{'✗' if off else '✓'}<td>{html.escape(_label(entry))}<td>{html.escape(off)}"
                       for entry, off in self.entries.items())
        return f"<p>{html.escape(repr(self).splitlines()[0])}</p><table>{rows}</table>"


def table_check(given, right, digits=3):
    """Check a table by hand against the right numbers, {entry: value} or arrays: -> TableReport, true where all are.

    Entries are named as you like, ("h", 1) or "dW"; ``digits`` behind the point are enough. Never raises for what
    ``given`` holds.
    """
    wanted = _entries(right)
    outcome = guarded(lambda: _judged(_entries(given), wanted, digits), 10.0)
    if outcome.problem:
        return TableReport(dict.fromkeys(wanted, outcome.problem), tolerance(digits))
    return outcome.value


def judge_table(given, right, digits):
    """The Report of a table: the share of entries that are right, and a line for each that is not."""
    judged = _judged(_entries(given), _entries(right), digits)
    share = sum(not off for off in judged.entries.values()) / len(judged.entries)
    return Report(share, () if judged.solved else tuple(repr(judged).splitlines()))


def tolerance(digits):
    """One and a half units of the last digit: rounded once, from numbers that were rounded themselves."""
    return 1.5 * 10.0**-digits


def _judged(given, right, digits):
    unknown = [entry for entry in given if entry not in right]
    if unknown:
        known = ", ".join(map(_label, right))
        raise StudentError(f"the table has no entry {_label(unknown[0])}; its entries are {known}")
    return TableReport({entry: _off(entry, given.get(entry), right, tolerance(digits)) for entry in right},
                       tolerance(digits))


def _entries(table):
    """{entry: value} of a dictionary or of an array."""
    if isinstance(table, dict):
        return table
    try:
        array = np.asarray(table, float)
    except (TypeError, ValueError):
        raise StudentError(f"a table is a dictionary {{entry: number}}, got {type(table).__name__}") from None
    return {index if len(index) != 1 else index[0]: value for index, value in np.ndenumerate(array)}


def _off(entry, got, right, near):
    """What is off with one entry, or ''."""
    want = float(right[entry])
    if got is None or got is ...:
        return "is missing"
    try:
        number = float(got)
    except (TypeError, ValueError):
        return f"must be a number, got {printable(repr(got))[:40]}"
    if abs(number - want) <= near:
        return ""
    if not np.isfinite(number):
        return f"must be finite, got {number}"
    for other, value in right.items():
        if other != entry and abs(number - float(value)) <= near and abs(float(value) - want) > 2 * near:
            return f"{number:g} is the entry of {_label(other)}"
    if abs(number + want) <= near:
        return f"{number:g} has the wrong sign"
    for whole in FACTORS:
        for ratio in (whole, 1 / whole, -whole, -1 / whole):
            if abs(want) > 4 * near and abs(number - ratio * want) <= near * min(1, abs(ratio)):
                return f"{number:g}: {factor(ratio, {})}".replace("every entry", "it")
    close = abs(number - want) <= 10 * near
    return f"{number:g} is not right" + (", but close: was a number rounded too early?" if close else "")


def _label(entry):
    return " ".join(map(str, entry)) if isinstance(entry, tuple) else str(entry)

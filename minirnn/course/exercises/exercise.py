"""What an exercise is: everything about it in one place, as data."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from minirnn.errors import InputError, must_be

KINDS = ("predict", "by hand", "fill the step", "write it", "bug hunt", "speed run", "experiment", "reading",
         "mini project")
HINTS = 3
SHARE = (0.1, 0.2, 0.3)  # of the points, that each hint costs


class Report(NamedTuple):
    """What a checker found: the share of the points, from 0 to 1, and what is to be said, line by line."""

    share: float
    lines: tuple = ()
    finding: Any = None  # of gradcheck, where there is one

    @property
    def solved(self):
        return self.share >= 1


@dataclass(frozen=True)
class Exercise:
    """One exercise of a chapter. ``checker.judge(answer)`` -> Report; ``answer`` is the name that starter and solution
    give to what is checked. Raises InputError for an unknown kind, another number of hints, or stars beyond 1 to 3.
    """

    name: str
    title: str
    kind: str
    stars: int
    text: str
    hints: tuple
    answer: str
    starter: str
    solution: str
    why: str
    checker: Any
    seconds: float = 10.0  # that a check may take

    def __post_init__(self):
        where = f"exercise {self.name!r}"
        if self.kind not in KINDS:
            raise InputError(must_be(where, "kind", f"one of {', '.join(KINDS)}", repr(self.kind)))
        if self.stars not in (1, 2, 3):
            raise InputError(must_be(where, "stars", "1, 2 or 3", self.stars))
        if len(self.hints) != HINTS:
            raise InputError(must_be(where, "hints", f"{HINTS} texts", len(self.hints)))

    @property
    def points(self):
        """Ten for each star."""
        return 10 * self.stars

    def cost(self, hints):
        """Points that the first ``hints`` hints cost together: of 20 points 2, 6, 12."""
        return round(self.points * sum(SHARE[:hints]))

    def call(self):
        """The line that checks the answer: check("gru mix", backward)."""
        return f'check("{self.name}", {self.answer})'

    def cell(self, code):
        """A notebook's cell of this exercise: code and the line that checks it."""
        return f"{code.strip()}\n\n\n{self.call()}"

    def heading(self):
        """Its title, stars, kind and points on one line of Markdown."""
        return f"**{self.title}** {'★' * self.stars}{'☆' * (3 - self.stars)} *{self.kind}, {self.points} points*"

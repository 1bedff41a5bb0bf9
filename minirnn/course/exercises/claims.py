"""Larger answers: an experiment with its verdict, and a project judged by a rubric."""

import numbers
from collections.abc import Callable
from dataclasses import dataclass
from math import comb

import numpy as np

from minirnn.course.exercises.checkers import Careful
from minirnn.course.exercises.exercise import Report
from minirnn.course.exercises.guard import StudentError, in_words

SURE = 0.05
SEEDS = 6  # with fewer no sign test can be that sure
VERDICTS = ("held", "not held", "cannot tell")


def verdict(first, second):
    """Whether "first is larger" held over paired seeds, by a two-sided sign test at 5 %: one of VERDICTS.

    verdict([2, 3, 4, 5, 6, 7], [1, 1, 1, 1, 1, 1]) is "held": six of six, p = 0.03.
    """
    signs = np.sign(np.subtract(first, second))
    wins, losses = int((signs > 0).sum()), int((signs < 0).sum())
    n = wins + losses
    tail = sum(comb(n, k) for k in range(max(wins, losses), n + 1)) / 2**n
    if 2 * tail > SURE:
        return "cannot tell"
    return "held" if wins > losses else "not held"


@dataclass(frozen=True)
class Experiment:
    """Run seeds and give a verdict on "run(first, seed) is larger than run(second, seed)".

    The answer is {"run": function, "seeds": list, "verdict": one of VERDICTS}; half of the points are for a run that
    is a function of its arguments, half for the verdict that its numbers support.
    """

    first: float
    second: float

    def judge(self, answer):
        """Runs every seed twice over and holds the verdict against the sign test."""
        if not isinstance(answer, dict) or set(answer) != {"run", "seeds", "verdict"}:
            raise StudentError('the answer must be {"run": function, "seeds": list, "verdict": text}')
        run, seeds = Careful(answer["run"], "run(setting, seed)"), answer["seeds"]
        whole = isinstance(seeds, (list, tuple)) and all(isinstance(s, numbers.Integral) for s in seeds)
        if not whole or len(set(seeds)) != len(seeds) or not SEEDS <= len(seeds) <= 100:
            raise StudentError(f"seeds must be {SEEDS} to 100 different whole numbers, or no verdict can be sure")
        if answer["verdict"] not in VERDICTS:
            raise StudentError(f"the verdict must be one of {', '.join(map(repr, VERDICTS))}")
        first, second = ([_number(run(setting, seed)) for seed in seeds] for setting in (self.first, self.second))
        if _number(run(self.first, seeds[0])) != first[0]:
            raise StudentError("two runs with one seed differ: every draw must come from a generator made of the seed")
        if len(set(first)) == 1:
            raise StudentError("every seed gives the same number: does run use its seed?")
        right = verdict(first, second)
        wins = sum(a > b for a, b in zip(first, second))
        lines = (f"{self.first} is larger than {self.second} for {wins} of {len(seeds)} seeds: {right}",)
        return Report(1.0 if answer["verdict"] == right else 0.5, lines)


def _number(value):
    if not isinstance(value, numbers.Real) and not (isinstance(value, np.ndarray) and value.size == 1):
        raise StudentError(f"run must return a number, got {type(value).__name__}")
    if not np.isfinite(float(value)):
        raise StudentError(f"run must return a finite number, got {float(value)}")
    return float(value)


@dataclass(frozen=True)
class Rubric:
    """A project of several functions, {name: signature}, judged by criteria: {words: judged(functions) -> problem}."""

    functions: dict
    criteria: dict[str, Callable]

    def judge(self, answer):
        """The share of the criteria that are met, each with a tick or what it lacks; one that fails stops the rest."""
        if not isinstance(answer, dict) or set(answer) != set(self.functions):
            raise StudentError(f"the answer must be a dictionary of functions, {', '.join(self.functions)}")
        functions = {name: Careful(answer[name], signature) for name, signature in self.functions.items()}
        lines, met = [], 0
        for words, judged in self.criteria.items():
            if len(lines) > met:
                lines.append(f"- {words}: once the ones above are met")
                continue
            try:
                problem = judged(functions)
            except Exception as error:  # one function of a project may raise, and the others be right
                problem = " ".join(in_words(error).split())
            met += not problem
            lines.append(f"✗ {words}: {problem}" if problem else f"✓ {words}")
        return Report(met / len(self.criteria), tuple(lines))

"""What an experiment is: rows with the source's numbers, a run for each row and seed, and claims about the outcome."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

HELD, NOT_HELD, CANNOT_TELL, NOT_JUDGED = "held", "not held", "cannot tell", "not judged"
LEAST_SEEDS = 3  # fewer agree by chance: two do half of the time
SAMPLINGS = {"step": "per_step", "sequence": "per_sequence"}  # as rows are named -> as configurations say


class NotRun(LookupError):
    """A claim asks for a row that was not run, or of which a run diverged."""


@dataclass(frozen=True)
class Row:
    """One line of a table: ``key`` names it in ``--rows``, ``reported`` holds the source's numbers by column.

    ``settings`` is what the row changes in the configuration of its scale. Row("ours-0.25-step", {"scheme": "ours",
    "rate": 0.25, "sampling": "per_step"}, {"valid": 89.27, "test": 84.78})
    """

    key: str
    settings: dict
    reported: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """A measured number: ``metric`` its name in result.json, ``form`` how it prints, ``factor`` the source's unit.

    ``absent`` is what claims put in the place of a measurement that a run has not got. Column("test %",
    "test_accuracy", ".1f", 100) shows an accuracy of 0.995 as 99.5.
    """

    title: str
    metric: str
    form: str = ".2f"
    factor: float = 1.0
    absent: float = float("nan")


@dataclass(frozen=True)
class Claim:
    """A statement about the outcome; ``holds(results)`` judges it, reading means with ``results(row, column)``.

    ``exact``: no seed changes what it is about, so that one is enough.
    """

    text: str
    holds: Callable
    exact: bool = False


class Judged(NamedTuple):
    """A claim with its verdict: HELD in the mean and on every seed alone, of at least LEAST_SEEDS; NOT_HELD in neither;
    else CANNOT_TELL; NOT_JUDGED where its rows were not run or diverged. ``holding`` of ``seeds`` say that it holds."""

    claim: str
    verdict: str
    holding: int = 0
    seeds: int = 0


@dataclass(frozen=True)
class Scale:
    """One size of an experiment: ``settings`` shared by all rows, how many seeds, the claims that must hold at it.

    ``rows`` names those run where none are asked for; empty means all: 2 seeds of 3 rows are 6 runs.
    """

    settings: dict
    seeds: int = 1
    claims: tuple[Claim, ...] = ()
    rows: tuple[str, ...] = ()


@dataclass(frozen=True)
class Experiment:
    """A table or figure of the sources; its rows, columns and scales are ``minirnn reproduce table-3.1 --list``.

    kind is the registered model that is trained, ``configure(row, scale, seed)`` makes its configuration from the
    settings. ``curve`` names the metrics of every epoch that are kept; ``draw(results)``, if there is one, makes the
    figure (matplotlib). ``measure(run, data folder)``, if there is one, adds metrics to those of a Loaded run that
    ended; ``kept`` names what of a run is stored whole.
    """

    name: str
    title: str
    kind: str
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    scales: dict[str, Scale]
    configure: Callable | None
    notes: tuple[str, ...] = ()
    curve: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    measure: Callable | None = None
    draw: Callable | None = None


def configuring(name, configure):
    """An Experiment's ``configure``: the model ``name`` with the scale's preset and settings, the row's, and the seed.

    ``configure(name, preset, **settings)`` is that of the model's task: of a row {"rate": 0.25} at the scale {"preset":
    "classroom"}, ``configure("tagger", "classroom", rate=0.25, seed=0)``.
    """

    def configured(row, scale, seed):
        settings = {**scale.settings, **row.settings, "seed": seed}
        return configure(name, settings.pop("preset"), **settings)

    return configured


class Results:
    """Measured values of an experiment: ``results(row, column)`` is the mean over seeds."""

    def __init__(self, experiment, runs, fair=False):
        """``runs`` {row key: list of result.json contents, one a seed, with their "seed", and "epochs" {metric: values}
        where kept}."""
        self.experiment, self.runs, self.fair = experiment, runs, fair
        self.columns = {column.title: column for column in experiment.columns}

    def values(self, row, column):
        """One number a seed of a cell of the table, ``absent`` where it was not measured; NotRun without runs, and
        where ``fair`` also when one of them diverged."""
        entry, runs = self.columns[column], self.runs.get(row, ())
        found = [run.get(entry.metric) for run in runs]
        if not found or (self.fair and any(run.get("status") == "diverged" for run in runs)):
            raise NotRun(row)
        return np.array([entry.absent if value is None else value * entry.factor for value in found])

    def __call__(self, row, column):
        return float(self.values(row, column).mean())

    def epochs(self, row):
        """{metric: value of every epoch} of a row's first seed; NotRun when there is none."""
        if not self.runs.get(row):
            raise NotRun(row)
        return self.runs[row][0]["epochs"]

    def judge(self, scale):
        """[Judged] of the scale's claims, rows compared with rows seed by seed.

        Judged on the seeds that all rows have which were run at all: of seeds 0, 1, 2 of one row and 0, 1 of another 0
        and 1.
        """
        seeds = [{run["seed"] for run in runs} for runs in self.runs.values()]
        common = sorted(set.intersection(*seeds)) if seeds else []
        whole, alone = self._of_seeds(common), [self._of_seeds([seed]) for seed in common]
        return [_judged(claim, whole, alone) for claim in self.experiment.scales[scale].claims]

    def _of_seeds(self, seeds):
        """Results of some of the seeds, where a diverged run is no number."""
        runs = {row: [run for run in runs if run["seed"] in seeds] for row, runs in self.runs.items()}
        return Results(self.experiment, runs, fair=True)


def _judged(claim, whole, alone):
    """The claim's verdict on the results of all seeds and of each alone."""
    try:
        holds, each = bool(claim.holds(whole)), [bool(claim.holds(results)) for results in alone]
    except NotRun:
        return Judged(claim.text, NOT_JUDGED)
    verdict = CANNOT_TELL
    if claim.exact or (len(each) >= LEAST_SEEDS and all(one == holds for one in each)):
        verdict = HELD if holds else NOT_HELD
    return Judged(claim.text, verdict, sum(each), len(each))

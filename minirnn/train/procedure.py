"""What a run does: phases of updates, each round of which ends with an evaluation; the loop knows nothing else."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from minirnn.array import Streams
from minirnn.errors import InputError, must_be
from minirnn.train.learner import Learner


class Interrupted(Exception):
    """An evaluation was asked to stop; it is done again when the run goes on."""


@dataclass
class Clock:
    """Where a run stands.

    ``phase`` counts phases, ``round`` the rounds ended in it, ``position`` the updates made in this round, ``step`` all
    updates tried, ``rounds`` all rounds ended, ``began`` the step at which the phase began. In the third of phases of 2
    x 40 updates each, after 5 updates of its second round: phase 2, round 1, position 5, step 205, rounds 5, began 160.
    """

    phase: int = 0
    round: int = 0
    position: int = 0
    step: int = 0
    rounds: int = 0
    began: int = 0

    @property
    def in_phase(self):
        """Updates tried in this phase."""
        return self.step - self.began

    def state_dict(self):
        return dict(vars(self))

    def load_state_dict(self, state):
        """Take the counters over; InputError for anything but whole numbers."""
        if set(state) != set(vars(self)) or not all(type(n) is int and n >= 0 for n in state.values()):
            raise InputError(must_be("checkpoint", "clock", ", ".join(vars(self)), repr(state)))
        vars(self).update(state)


@dataclass(frozen=True)
class Phase:
    """A stretch of a run: at most ``rounds`` rounds of ``updates`` updates each.

    update(clock) -> {name: number} makes one update; "loss" and "norm" are usual names. It may raise NonFinite: that
    update is counted as skipped. evaluate(clock) -> {name: number} ends a round; with "score" among them (less is
    better) the phase's best round is kept, and tested in the end. until(scores), of the rounds so far, ends the phase:
    ``patience(2)`` after scores 3.0, 2.0, 2.5, 2.1. enter() prepares the procedure for it (a new layer, fresh moments);
    a resumed run enters every phase up to its own, in order, and then loads its state.
    """

    name: str
    updates: int
    rounds: int
    update: Callable
    evaluate: Callable = lambda clock: {}
    until: Callable = lambda scores: False
    enter: Callable = lambda: None


def rank(score):
    """A score to minimise, with NaN behind every number."""
    return float("inf") if score is None or np.isnan(score) else score


def patience(rounds):
    """For ``Phase.until``: so many rounds without a new best; None: never."""
    return lambda scores: bool(scores) and rounds is not None and (
        len(scores) - 1 - int(np.argmin([rank(score) for score in scores])) >= rounds)


@dataclass(frozen=True)
class Ingredient:
    """A run that another starts from: the registered model ``name`` with ``settings``; equal ones are trained once.

    ``Ingredient("word-lm", {"preset": "quick", "hidden": 32})``
    """

    name: str
    settings: dict = field(default_factory=dict)


class Procedure:
    """Base of what is trained. A subclass sets ``config`` (a RunConfig), ``data`` {"name", "origin", "fingerprint"},
    and gives ``phases`` and ``parts``; the rest is as below until it says otherwise.

    ``shown`` {metric: format} are the numbers that are printed after a round and in the end, in this order;
    ``unit`` and ``per_update`` are what an update works on: 20 "sequences".
    """

    config = None
    data = {"name": "no data", "origin": "generated", "fingerprint": ""}
    shown = {}
    unit = "updates"
    per_update = 1
    stop = False  # becomes true when the run is asked to stop

    def phases(self):
        """The Phases, in order."""
        raise TypeError(f"{type(self).__name__}: a procedure defines phases()")

    def parts(self):
        """{name: anything with state_dict and load_state_dict} of all that a checkpoint must hold."""
        raise TypeError(f"{type(self).__name__}: a procedure defines parts()")

    def test(self):
        """{name: number} of the parameters that are there now: those of the best round, if rounds have scores."""
        return {}

    def attachments(self, clock):
        """{file name: bytes} worth looking at after a round, kept in the run folder: {"samples.txt": b"the ..."}."""
        return {}

    def progress(self):
        """{name: number} over the round so far, for the progress bar."""
        return {}

    def files(self):
        """{name: JSON values} that the run folder holds besides the configuration: a vocabulary."""
        return {}

    def introduction(self):
        """The data in words, before the run begins."""
        return f"{self.data['name']} ({self.data['origin']})"

    def learners(self):
        """{name: Learner} among the parts."""
        return {name: part for name, part in self.parts().items() if isinstance(part, Learner)}

    def rates(self):
        """{"lr": learning rate}, or {"critic_lr": ...} where several learn."""
        learners = self.learners()
        return {"lr" if len(learners) == 1 else f"{name}_lr": part.optimizer.lr for name, part in learners.items()}

    def parameters(self):
        """{name: array} of what is learned, whose hashes make the run's chain."""
        states = {name: part.module.state_dict() for name, part in self.learners().items()}
        if len(states) == 1:
            return next(iter(states.values()))
        return dict(chain.from_iterable(((f"{name}.{key}", array) for key, array in state.items())
                                        for name, state in states.items()))

    def size(self):
        """Number of trained values."""
        tensors = chain.from_iterable(part.module.parameters() for part in self.learners().values())
        return sum(int(np.prod(p.shape)) for p in tensors)

    def streams(self, clock):
        """The named random streams of one update."""
        return Streams(self.config.seed, clock.step)

    def watched(self, batches):
        """The batches of an evaluation one by one; raises Interrupted when the run is asked to stop."""
        for batch in batches:
            if self.stop:
                raise Interrupted
            yield batch

"""Learning-rate schedules: each changes ``optimizer.lr`` and can be saved and resumed."""

import math

from minirnn.optim.arguments import check_optimizer, real


class PlateauDecay:
    """After each epoch: when the validation value is not below the best so far, lr /= divisor (thesis sec. 3.4.2)."""

    def __init__(self, optimizer, divisor=1.5):
        check_optimizer("PlateauDecay", optimizer)
        real("PlateauDecay", "divisor", divisor, "above 1", lambda v: 1 < v < math.inf)
        self.optimizer, self.divisor, self.best = optimizer, divisor, float("inf")

    def epoch(self, value):
        """Tell the validation value (lower is better) of the epoch that ended."""
        if value < self.best:
            self.best = float(value)
        else:
            self.optimizer.lr /= self.divisor

    def state_dict(self):
        return {"best": self.best}

    def load_state_dict(self, state):
        self.best = float(state["best"])


class EpochDecay:
    """After each epoch from epoch ``start`` (counted from 1) on: lr *= factor (thesis sec. 3.4.3: 0.97 from 10)."""

    def __init__(self, optimizer, factor=0.97, start=10):
        check_optimizer("EpochDecay", optimizer)
        real("EpochDecay", "factor", factor, "in (0, 1]", lambda v: 0 < v <= 1)
        real("EpochDecay", "start", start, "a number", lambda v: True)
        self.optimizer, self.factor, self.start, self.epochs = optimizer, factor, start, 0

    def epoch(self, value=None):
        """Tell that an epoch ended."""
        self.epochs += 1
        if self.epochs >= self.start:
            self.optimizer.lr *= self.factor

    def state_dict(self):
        return {"epochs": self.epochs}

    def load_state_dict(self, state):
        self.epochs = int(state["epochs"])


class StepDecay:
    """After each update: lr *= factor."""

    def __init__(self, optimizer, factor):
        check_optimizer("StepDecay", optimizer)
        real("StepDecay", "factor", factor, "in (0, 1]", lambda v: 0 < v <= 1)
        self.optimizer, self.factor = optimizer, factor

    def step(self):
        """Tell that an update was made."""
        self.optimizer.lr *= self.factor

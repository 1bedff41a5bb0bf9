"""The usual procedure: one model, one loss, one learner, epochs over the data."""

import math
from dataclasses import dataclass

import numpy as np

from minirnn import nn
from minirnn.array import to_device
from minirnn.errors import InputError, must_be
from minirnn.nn.recurrent_dropout import SCHEMES
from minirnn.train.config import RunConfig, option
from minirnn.train.descent import Descent
from minirnn.train.procedure import Phase, Procedure, patience
from minirnn.train.state import Tally


@dataclass(frozen=True)
class SupervisedConfig(RunConfig):
    """A run of epochs over one set of data; patience ends it after so many without a new best."""

    group = "training"
    data: str = option("", "a data set, see 'minirnn data list'")
    source: str = option("search", "where the data come from; local: no download, twin: generated like them",
                         choices=("search", "local", "twin"))
    batch: int = option(20, "rows of an update", least=1)
    epochs: int = option(14, "each ends with an evaluation", least=1)
    patience: int | None = option(None, "end after so many epochs without a new best", least=1)
    descent: Descent = Descent()


@dataclass(frozen=True)
class RecurrentConfig(SupervisedConfig):
    """The same for a recurrent layer: its cell and size, its dropout, and dropout on its input and its output.

    rate, scheme, sampling and scaling are those of nn.RecurrentDropout; init bounds the uniform initial parameters. A
    scheme is kept under its name in the tables, so that runs of one kind have one configuration: of(scheme="update",
    rate=0.25) equals of(scheme="ours", rate=0.25).
    """

    group = "recurrent layer"
    cell: str = option("lstm", choices=tuple(nn.RECURRENT))
    hidden: int = option(128, "units", least=1)
    rate: float = option(0.0, "recurrent dropout: probability of dropping")
    scheme: str = option("ours", "recurrent dropout: what is dropped (gal: the state, moon: the memory, ours: update)",
                         choices=(*SCHEMES, *SCHEMES.values()))
    sampling: str = option("per_step", "a new mask for every step, or one for a sequence",
                           choices=("per_step", "per_sequence"))
    scaling: str = option("test", "values times 1 - rate in evaluation, or divided by it in training",
                          choices=("test", "inverted"))
    forward_dropout: tuple[float, float] = option((0.0, 0.0), "dropout of the layer's input and of its output")
    init: float = option(0.05, "all parameters are drawn from U(-init, init)", positive=True)
    kernels: str | None = option(None, "form of the recurrence; none: fused where there is a kernel, else explicit",
                                 choices=("fused", "explicit"))

    def __post_init__(self):
        self.check_rates("forward_dropout", 2)
        self.check_rates("rate", 1)
        object.__setattr__(self, "rate", self.rate[0])
        super().__post_init__()
        scheme = SCHEMES.get(self.scheme, self.scheme)
        cell = nn.RECURRENT[self.cell](1, 1).cell
        if self.rate and scheme not in (*cell.masks, *cell.instead):
            raise InputError(must_be(self.where, "scheme", f"state or update for {self.cell}", self.scheme,
                                     "it has no memory"))
        object.__setattr__(self, "scheme", scheme)

    def recurrent_bytes(self, inputs=1, layers=1):
        """Of the recurrent weights, their gradients and two states of the optimiser."""
        shapes = nn.RECURRENT[self.cell](1, 1).cell.shapes(inputs, self.hidden)
        values = sum(math.prod(shape) for shape in shapes.values())
        return 4 * layers * values * np.dtype(self.dtype).itemsize

    def least_bytes(self):
        return self.recurrent_bytes()

    def recurrent_dropout(self):
        """The argument of that name of a recurrent layer."""
        return (self.scheme, self.rate, self.sampling, self.scaling) if self.rate else None


def need_rate(where, given):
    """InputError for options of recurrent dropout, {name: value}, without a rate above 0."""
    for name in ("scheme", "sampling", "scaling"):
        if given.get(name) is not None and not given.get("rate"):
            got = given.get("rate") or "none"
            raise InputError(f"{where}: --{name} must be given with a --rate above 0, got {got}")


class Supervised(Procedure):
    """Training of ``model`` with a SupervisedConfig. A subclass sets ``updates`` (in an epoch) and gives

    - ``loss(clock)`` -> (loss, seen): the scalar Tensor to minimise in this update, and what ``count`` wants to know,
      for example (right answers, words). It may be called twice for one update, to find the operation that made a value
      which is not finite; so it must change nothing but buffers of the model;
    - ``count(total, seen)``: the update was made, its loss was ``total``; add to ``tally``;
    - ``validate(clock)`` -> metrics at the end of an epoch, with "score", which is minimised;
    - ``begin_epoch()``: forget what belongs to one epoch.
    """

    def __init__(self, config, model, data):
        self.config, self.model, self.data = config, model, data
        self.learner, self.tally = config.descent.learner(model), Tally()
        self.until = patience(config.patience)

    def phases(self):
        return (Phase("training", self.updates, self.config.epochs, self.update, self.evaluate, self.until),)

    def parts(self):
        return {"learner": self.learner, "tally": self.tally}

    def begin_epoch(self):
        self.tally.clear()

    def on_device(self, array):
        """A batch where the model is."""
        return to_device(array, self.model.parameters()[0].device)

    def update(self, clock):
        """One update -> {"loss", "norm"}; NonFinite as Learner.descend."""
        seen = None

        def loss():
            nonlocal seen
            value, seen = self.loss(clock)
            return value

        total, norm = self.learner.descend(loss)
        self.count(total, seen)
        return {"loss": total, "norm": norm}

    def evaluate(self, clock):
        """The metrics of the epoch that ended, and the lr it had; the schedule moves on, and the next one begins."""
        metrics = self.validate(clock)
        metrics["lr"] = self.learner.optimizer.lr
        if metrics.get("score") is not None:
            self.learner.advance(metrics["score"])
        self.begin_epoch()
        return metrics


def pad(sequences):
    """Integers (..., L) of several lengths L side by side -> (..., T, B), zero beyond their ends, and lengths (B,)."""
    sequences = [np.asarray(sequence) for sequence in sequences]
    lengths = np.array([sequence.shape[-1] for sequence in sequences])
    padded = np.zeros((*sequences[0].shape[:-1], lengths.max(), len(sequences)), np.int64)
    for b, sequence in enumerate(sequences):
        padded[..., : lengths[b], b] = sequence
    return padded, lengths

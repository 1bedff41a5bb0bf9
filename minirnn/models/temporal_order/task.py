"""Training on Temporal Order, thesis sec. 3.4.1: until the training batches are solved, or the budget is spent."""

import hashlib
from dataclasses import dataclass

import numpy as np

from minirnn import nn
from minirnn.array import stream, to_cpu
from minirnn.autograd import no_grad
from minirnn.data import temporal_order
from minirnn.models.temporal_order.model import SequenceClassifier
from minirnn.train.config import from_presets, option
from minirnn.train.descent import Descent
from minirnn.train.state import Values
from minirnn.train.supervised import RecurrentConfig, Supervised

RECENT, SOLVED = 50, 0.99  # solved: mean accuracy of so many training batches in a row above this
EPOCH = 50  # updates between checkpoints where batches are drawn afresh
TEST_BATCH = 500


@dataclass(frozen=True)
class TemporalOrderConfig(RecurrentConfig):
    """A Temporal Order run on one-hot sequences; ``epochs`` counts rounds over the fixed batches, or of 50 fresh.

    The thesis has 200 fixed batches of sequences of 15 steps (Short) or 30 (Medium).
    """

    group = "temporal order"
    data: str = option("temporal-order", choices=("temporal-order",))
    length: int = option(15, "steps of a sequence", least=1)
    hidden: int = option(64, "units", least=1)
    batch: int = option(32, "sequences of an update", least=1)
    fixed: int | None = option(None, "so many batches, used again and again in a new order", least=1)
    test: int = option(2000, "test sequences", least=1)
    forget_bias: float | None = option(1.0, "the LSTM's b_f")
    init: float = option(0.1, "all parameters are drawn from U(-init, init)", positive=True)
    epochs: int = option(60, "at most so many rounds of 50 updates, or over the fixed batches", least=1)
    descent: Descent = Descent(optimizer="adam", lr=3e-3, clip=5.0, schedule="constant")

    def least_bytes(self):
        """Of the layer, of the test sequences, of one batch, and of the order of the fixed ones."""
        sequences = 4 * self.length * (self.test + self.batch) * len(temporal_order.SYMBOLS)
        return self.recurrent_bytes() + sequences + 8 * (self.fixed or 0)


CONFIG = TemporalOrderConfig
CLASSROOM = {"hidden": 64, "batch": 32, "optimizer": "adam", "lr": 3e-3, "clip": 5.0, "init": 0.1, "forget_bias": 1.0,
             "epochs": 100, "test": 2000}
PRESETS = {"temporal-order": {
    "classroom": CLASSROOM,
    "thesis": {"hidden": 256, "batch": 32, "optimizer": "sgd", "lr": 0.1, "clip": 5.0, "init": 0.05,
               "forget_bias": None, "fixed": 200, "epochs": 5000, "test": 10_000},
    "quick": {**CLASSROOM, "length": 10, "epochs": 4},
}}
configure = from_presets(CONFIG, PRESETS)


def build_model(config):
    """The untrained model of a configuration, on its device."""
    model = SequenceClassifier(
        len(temporal_order.SYMBOLS), config.hidden, len(temporal_order.CLASSES), cell=config.cell,
        forward_dropout=config.forward_dropout, recurrent_dropout=config.recurrent_dropout(), init=config.init,
        forget_bias=config.forget_bias, rng=stream(config.seed, "initial weights"),
        dtype=np.dtype(config.dtype).type, kernels=config.kernels,
    )
    return model.to(config.device)


class TemporalOrderTask(Supervised):
    """Training of a TemporalOrderConfig; it ends once more than 99 % of the answers to 50 batches in a row are right.

    The last parameters are tested, as in the thesis: there is no validation set.
    """

    unit = "sequences"
    shown = {"train_accuracy": ".3f", "updates_to_solve": ".0f", "test_accuracy": ".3f"}

    def __init__(self, config):
        self.held_out = temporal_order.draw(stream(config.seed, "test sequences"), config.test, config.length)
        fingerprint = hashlib.sha256(self.held_out[0].tobytes() + self.held_out[1].tobytes()).hexdigest()
        data = {"name": "temporal-order", "origin": "generated", "fingerprint": fingerprint}
        super().__init__(config, build_model(config), data)
        self.updates, self.per_update = config.fixed or EPOCH, config.batch
        self.batches = Values(recent=[], made=0, solved=None, last_loss=float("nan"))
        bored = self.until
        self.until = lambda scores: self.batches.solved is not None or bored(scores)

    def parts(self):
        return {**super().parts(), "batches": self.batches}

    def batch(self, position, step):
        """Inputs (T, B, 4) and classes (B,) of an update; fixed batches are shuffled every round."""
        config = self.config
        if config.fixed is not None:
            position = stream(config.seed, "order of batches", step // config.fixed).permutation(config.fixed)[position]
        number = step if config.fixed is None else position
        inputs, classes = temporal_order.draw(stream(config.seed, "batch", number), config.batch, config.length)
        return self.on_device(inputs.astype(config.dtype)), classes

    def loss(self, clock):
        inputs, classes = self.batch(clock.position, clock.step)
        logits = self.model.train()(inputs, streams=self.streams(clock))
        return nn.cross_entropy(logits, classes), float((to_cpu(logits.value.argmax(-1)) == classes).mean())

    def count(self, total, seen):
        batches = self.batches
        batches.made, batches.last_loss = batches.made + 1, total
        batches.recent = [*batches.recent, seen][-RECENT:]
        if batches.solved is None and len(batches.recent) == RECENT and np.mean(batches.recent) > SOLVED:
            batches.solved = batches.made

    def progress(self):
        """Loss of the last batch, and accuracy in the mean of the recent ones."""
        recent = self.batches.recent
        return {"loss": self.batches.last_loss, "accuracy": float(np.mean(recent)) if recent else float("nan")}

    def validate(self, clock):
        return {"score": -self.batches.made, "train_accuracy": self.progress()["accuracy"],
                "updates_to_solve": self.batches.solved}

    def test(self):
        inputs, classes = self.held_out
        right = 0
        self.model.eval()
        with no_grad():
            for start in self.watched(range(0, len(classes), TEST_BATCH)):
                part = slice(start, start + TEST_BATCH)
                logits = self.model(self.on_device(inputs[:, part].astype(self.config.dtype)))
                right += int((to_cpu(logits.value.argmax(-1)) == classes[part]).sum())
        return {"test_accuracy": right / len(classes)}

    def introduction(self):
        return f"Temporal Order, {self.config.length} steps"


def make(config, folder=None, ingredients=None):
    """The procedure of a configuration; there are no data files."""
    return TemporalOrderTask(config)


def modules(config, files):
    """{part: untrained module} of a stored run, for its checkpoints."""
    return {"learner": build_model(config)}

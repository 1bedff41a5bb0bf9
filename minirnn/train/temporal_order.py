"""Training on Temporal Order, thesis sec. 3.4.1: until the training batches are solved, or the budget is spent."""

import hashlib
from collections import deque
from dataclasses import dataclass

import numpy as np

from minirnn import nn
from minirnn.array import stream, to_cpu
from minirnn.autograd import no_grad
from minirnn.data import temporal_order
from minirnn.models.sequence_classifier import SequenceClassifier
from minirnn.train.config import TrainingConfig
from minirnn.train.task import Task

RECENT, SOLVED = 50, 0.99  # solved: mean accuracy of so many training batches in a row above this
EPOCH = 50  # updates between checkpoints where batches are drawn afresh
TEST_BATCH = 500


@dataclass(frozen=True)
class TemporalOrderConfig(TrainingConfig):
    """A Temporal Order run: sequences of ``length`` steps (15 Short, 30 Medium), one-hot inputs.

    fixed: so many training batches, used again and again in a new order (thesis: 200), or None for fresh ones; test:
    number of test sequences; forget_bias: the LSTM's b_f, None where it is drawn like all else. ``epochs`` counts
    rounds over the fixed batches, or 50 fresh ones each.
    """

    data: str = "temporal-order"
    length: int = 15
    hidden: int = 64
    batch: int = 32
    fixed: int | None = None
    test: int = 2000
    forget_bias: float | None = 1.0
    init: float = 0.1
    optimizer: str = "adam"
    lr: float = 3e-3
    clip: float | None = 5.0
    schedule: str = "constant"
    epochs: int = 60

    def __post_init__(self):
        self.check_counts("length", "test", *(["fixed"] if self.fixed is not None else []))
        super().__post_init__()


class TemporalOrderTask(Task):
    """Training of a TemporalOrderConfig; it ends once the recent training batches are solved.

    The last parameters are tested, as in the thesis: there is no validation set.
    """

    unit = "sequences"
    shown = ("train_accuracy", "updates_to_solve")

    def __init__(self, config):
        model = SequenceClassifier(
            len(temporal_order.SYMBOLS), config.hidden, len(temporal_order.CLASSES), cell=config.cell,
            forward_dropout=config.forward_dropout, recurrent_dropout=config.recurrent_dropout(), init=config.init,
            forget_bias=config.forget_bias, rng=stream(config.seed, "initial weights"),
            dtype=np.dtype(config.dtype).type, kernels=config.kernels,
        )
        self.held_out = temporal_order.draw(stream(config.seed, "test sequences"), config.test, config.length)
        fingerprint = hashlib.sha256(self.held_out[0].tobytes() + self.held_out[1].tobytes()).hexdigest()
        data = {"name": "temporal-order", "origin": "generated", "fingerprint": fingerprint}
        super().__init__(config, model.to(config.device), data)
        self.updates, self.per_update = config.fixed or EPOCH, config.batch
        self.recent, self.made, self.solved, self.last_loss = deque(maxlen=RECENT), 0, None, float("nan")
        self.begin_epoch()

    def begin_epoch(self):
        """Every batch leaves its mark in ``recent``; nothing else is counted."""

    def batch(self, position, step):
        """Inputs (T, B, 4) and classes (B,) of an update; fixed batches are shuffled every round."""
        config = self.config
        if config.fixed is not None:
            position = stream(config.seed, "order of batches", step // config.fixed).permutation(config.fixed)[position]
        number = step if config.fixed is None else position
        inputs, classes = temporal_order.draw(stream(config.seed, "batch", number), config.batch, config.length)
        return self.on_device(inputs.astype(config.dtype)), classes

    def loss(self, position, step):
        inputs, classes = self.batch(position, step)
        logits = self.model.train()(inputs, rng=self.streams(step))
        return nn.cross_entropy(logits, classes), float((to_cpu(logits.value.argmax(-1)) == classes).mean())

    def applied(self, total, seen):
        self.made += 1
        self.recent.append(seen)
        self.last_loss = total
        if self.solved is None and len(self.recent) == RECENT and np.mean(self.recent) > SOLVED:
            self.solved = self.made

    def progress(self):
        accuracy = float(np.mean(self.recent)) if self.recent else float("nan")
        return {"loss": self.last_loss, "accuracy": accuracy}

    def end_epoch(self, stop=None):
        accuracy = self.progress()["accuracy"]
        return {"score": -self.made, "train_accuracy": accuracy, "updates_to_solve": self.solved,
                "lr": self.optimizer.lr}

    def finished(self, epoch, best):
        return self.solved is not None or super().finished(epoch, best)

    def test(self, stop=None):
        inputs, classes = self.held_out
        right = 0
        self.model.eval()
        with no_grad():
            for start in range(0, len(classes), TEST_BATCH):
                if stop:
                    return None
                part = slice(start, start + TEST_BATCH)
                logits = self.model(self.on_device(inputs[:, part].astype(self.config.dtype)))
                right += int((to_cpu(logits.value.argmax(-1)) == classes[part]).sum())
        return {"test_accuracy": right / len(classes)}

    def introduction(self):
        return f"Temporal Order, {self.config.length} steps"

    def headline(self, metrics):
        return f"training accuracy {100 * metrics['train_accuracy']:.1f} %"

    def summary(self, result):
        solved = result["updates_to_solve"]
        spent = "not solved" if solved is None else f"solved after {solved} updates"
        return f"{spent}, test accuracy {100 * result['test_accuracy']:.1f} %"

    def numbers(self):
        return {**super().numbers(), "recent": list(self.recent), "made": self.made, "solved": self.solved}

    def load(self, arrays, numbers):
        super().load(arrays, numbers)
        self.recent.extend(numbers["recent"])
        self.made, self.solved = int(numbers["made"]), numbers["solved"]


def make_task(config, folder=None):
    """The task of a configuration; there are no data files."""
    return TemporalOrderTask(config)

"""Training on the sentiment of short texts, thesis sec. 3.4.5: first on many weak labels, then on a few good ones."""

import hashlib
import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from minirnn import data, nn
from minirnn.array import stream, to_cpu
from minirnn.autograd import no_grad
from minirnn.data.labelled_texts import CLASSES, WEAK_CLASSES, part_of
from minirnn.errors import InputError, must_be
from minirnn.metrics import ClassScores
from minirnn.models.sequence_classifier import TextClassifier
from minirnn.train.config import TrainingConfig
from minirnn.train.task import Task, pad

EVALUATION_BATCH = 128
FREQUENT = 5  # a word without a vector that training has so often gets a random one: emoticons, <user>
RANDOM = 0.1  # deviation of random vectors: small ones are soon outgrown when they are trained
SETS = ("semeval", "vader", "sentiment-grammar")


@dataclass(frozen=True)
class SentimentConfig(TrainingConfig):
    """A sentiment run; the defaults are the recipe of thesis sec. 3.4.5, with batch, clip and init decided here.

    vectors: "glove", from ``vectors_source``, or "random" with ``vector_size`` values, seeded; train_vectors: whether
    they are trained. weak: the set of weak labels, "own" for that of ``data``, "vader" for VADER's positive and
    negative texts, "none". The first ``weak_epochs`` epochs train on it; ``epochs`` more train on the labelled texts,
    and only these advance the schedule. An epoch is ``epoch_updates`` updates, None for one pass of the labelled texts.
    """

    optional = ("clip", "init")
    data: str = "semeval"
    vectors: str = "glove"
    vectors_source: str = "search"
    vector_size: int = 50
    train_vectors: bool = False
    weak: str = "own"
    weak_epochs: int = 10
    epoch_updates: int | None = None
    hidden: int = 500
    forward_dropout: tuple[float, float] = (0.2, 0.5)
    init: float | None = None
    batch: int = 32
    epochs: int = 50
    optimizer: str = "rmsprop"
    lr: float = 1e-3
    schedule: str = "epoch-decay"
    decay: float = 0.95

    def __post_init__(self):
        self.check_choices(data=SETS, vectors=("glove", "random"), vectors_source=("search", "local", "twin"),
                           weak=("own", "vader", "none"), train_vectors=(True, False))
        self.check_counts("vector_size", *(["epoch_updates"] if self.epoch_updates is not None else []))
        if self.weak_epochs != 0:
            self.check_counts("weak_epochs")
        if self.weak == self.data:
            raise InputError(must_be(self.where, "weak", "another set than data", repr(self.weak)))
        super().__post_init__()


def batch_places(count, size, number, order):
    """Places (size,) of batch ``number`` among ``count`` texts; ``order(k)`` is the permutation of pass k."""
    places = number * size + np.arange(size)
    passes = places // count
    orders = {k: order(k) for k in set(passes.tolist())}
    return np.array([orders[k][place] for k, place in zip(passes.tolist(), places % count)])


def word_table(config, words, counts, vectors):
    """Vectors (V, D) of ``words`` and known (V,), which of them are in ``vectors`` (None: random ones for all).

    A word that is not there and that training, ``counts``, has less than FREQUENT times is zero.
    """
    size = config.vector_size if vectors is None else vectors.vectors.shape[1]
    table, known = (np.zeros((len(words), size), np.float32), np.zeros(len(words), bool)) if vectors is None else (
        vectors.table(words))
    scale = RANDOM if vectors is None else float(vectors.vectors.std())  # as large as the others
    for k, word in enumerate(words):
        if not known[k] and (vectors is None or counts[word] >= FREQUENT):
            table[k] = scale * stream(config.seed, f"vector of {word}").standard_normal(size)
    return table, known


class SentimentTask(Task):
    """Training of a SentimentConfig on LabelledTexts, with WordVectors or None, and another weak Part or None.

    The score is the mean F1 of positive and negative texts, in per cent; while pretraining there is none. One model has
    both output layers from the start, which is to replace the one by the other.
    """

    unit = "texts"
    shown = ("valid_f1", "valid_accuracy")

    def __init__(self, config, texts, vectors=None, weak=None):
        weak = weak if weak is not None or config.weak == "none" else texts.parts.get("weak")
        self.weak_epochs = config.weak_epochs if weak is not None else 0
        parts = {name: part for name, part in texts.parts.items() if name != "weak"}
        parts |= {"weak": weak} if self.weak_epochs else {}
        shown = Counter(w for name in ("train", "weak") if name in parts for text in parts[name].words for w in text)
        words = sorted({word for part in parts.values() for text in part.words for word in text})
        table, known = word_table(config, words, shown, vectors)
        number = {word: k for k, word in enumerate(words)}
        self.parts = {name: ([np.array([number[word] for word in text]) for text in part.words], part.labels)
                      for name, part in parts.items()}
        self.tests, self.missing = texts.tests, tuple(part for part in texts.missing if part != "weak")
        model = TextClassifier(
            table, config.hidden, len(CLASSES), train_vectors=config.train_vectors, cell=config.cell,
            forward_dropout=config.forward_dropout, recurrent_dropout=config.recurrent_dropout(), init=config.init,
            weak_classes=len(WEAK_CLASSES), rng=stream(config.seed, "initial weights"),
            dtype=np.dtype(config.dtype).type, kernels=config.kernels,
        )
        super().__init__(config, model.to(config.device), describe(texts, vectors, parts.get("weak"), known))
        self.epochs = self.weak_epochs + config.epochs
        self.updates = config.epoch_updates or -(-len(self.parts["train"][0]) // config.batch)
        self.per_update, self.last_step = config.batch, 0
        self.orders = {}
        self.begin_epoch()

    def begin_epoch(self):
        """Nothing is counted."""
        self.nll, self.seen, self.right = 0.0, 0, 0

    def pretrains(self, step):
        """Whether update ``step`` is one on weak labels."""
        return step // self.updates < self.weak_epochs

    def batch(self, step):
        """words (T, B), lengths (B,) and labels (B,) of an update: every phase goes through its texts pass by pass."""
        name = "weak" if self.pretrains(step) else "train"
        texts, labels = self.parts[name]
        first = 0 if name == "weak" else self.weak_epochs * self.updates
        places = batch_places(len(texts), self.config.batch, step - first, lambda k: self._order(name, len(texts), k))
        return *pad([texts[k] for k in places]), labels[places]

    def _order(self, name, count, number):
        if (name, number) not in self.orders:
            self.orders = {key: kept for key, kept in self.orders.items() if key == (name, number - 1)}
            self.orders[name, number] = stream(self.config.seed, f"order of {name}", number).permutation(count)
        return self.orders[name, number]

    def loss(self, position, step):
        self.last_step = step
        words, lengths, labels = self.batch(step)
        logits = self.model.train()(words, lengths, rng=self.streams(step), weak=self.pretrains(step))
        return nn.cross_entropy(logits, labels), int((to_cpu(logits.value.argmax(-1)) == labels).sum())

    def applied(self, total, seen):
        self.nll += total * self.config.batch
        self.right += seen
        self.seen += self.config.batch

    def progress(self):
        """Mean loss and share of right labels, in per cent, of the epoch so far."""
        if not self.seen:
            return {"loss": float("nan"), "accuracy": float("nan")}
        return {"loss": self.nll / self.seen, "accuracy": 100 * self.right / self.seen}

    def evaluate(self, name, stop=None):
        """ClassScores of a part; None when ``stop`` becomes true. Batches have texts of like lengths."""
        texts, labels = self.parts[name]
        scores = ClassScores(CLASSES)
        order = sorted(range(len(texts)), key=lambda k: len(texts[k]))
        self.model.eval()
        with no_grad(), np.errstate(over="ignore", invalid="ignore"):  # an overflow shows in the result
            for start in range(0, len(order), EVALUATION_BATCH):
                if stop:
                    return None
                places = order[start : start + EVALUATION_BATCH]
                words, lengths = pad([texts[k] for k in places])
                logits = self.model(words, lengths)
                scores.add(labels[places], to_cpu(logits.value.argmax(-1)))
        return scores

    def end_epoch(self, stop=None):
        weak = self.pretrains(self.last_step)
        valid = None if weak else self.evaluate("valid", stop)
        if valid is None and not weak:
            return None
        train = self.progress()
        metrics = {"phase": "weak" if weak else "labelled", "train_loss": train["loss"],
                   "train_accuracy": train["accuracy"], "valid_f1": None if weak else valid.mean_f1(),
                   "valid_accuracy": None if weak else valid.accuracy, "lr": self.optimizer.lr}
        if weak:
            return {"score": math.inf, **metrics}
        self.advance_schedule(-metrics["valid_f1"])
        return {"score": -metrics["valid_f1"], **metrics}

    def finished(self, epoch, best):
        """Patience begins after the pretraining."""
        if best and best["epoch"] < self.weak_epochs:
            best = {**best, "epoch": self.weak_epochs}
        return super().finished(epoch, best)

    def test(self, stop=None):
        """Mean F1 of every test set, None for those that are missing, and the mean over those that are here."""
        found = {}
        for name in self.tests:
            scores = self.evaluate(name, stop)
            if scores is None:
                return None
            found[f"f1_{name}"] = scores.mean_f1()
        mean = sum(found.values()) / len(found)
        return {**found, **{f"f1_{name}": None for name in self.missing}, "test_f1": mean}

    def introduction(self):
        labels = "no weak labels" if not self.weak_epochs else f"{len(self.parts['weak'][0])} weak labels"
        missing = f"; missing: {', '.join(self.data['missing'])}" if self.data["missing"] else ""
        return f"{self.data['name']} ({self.data['origin']}), {labels}{missing}"

    def headline(self, metrics):
        text = f"train loss {metrics['train_loss']:.4f} accuracy {metrics['train_accuracy']:.1f} %"
        return f"weak labels: {text}" if metrics["phase"] == "weak" else f"{text}, valid F1 {metrics['valid_f1']:.2f}"

    def summary(self, result):
        tests = ", ".join(f"{name} {result[f'f1_{name}']:.2f}" for name in self.tests)
        missing = f"; missing: {', '.join(self.missing)}" if self.missing else ""
        return f"F1 valid {result['valid_f1']:.2f}, test {tests}{missing}"

    def numbers(self):
        return {**super().numbers(), "nll": self.nll, "seen": self.seen, "right": self.right,
                "last_step": self.last_step}

    def load(self, arrays, numbers):
        super().load(arrays, numbers)
        self.nll = float(numbers["nll"])
        self.seen, self.right, self.last_step = (int(numbers[name]) for name in ("seen", "right", "last_step"))


def describe(texts, vectors, weak, known):
    """What result.json says of the data; ``known`` (V,): which words have a vector."""
    origins = dict.fromkeys(filter(None, (texts.origin, vectors and vectors.origin)))
    digest = hashlib.sha256(f"{texts.fingerprint} {vectors and vectors.fingerprint}".encode())
    if weak is not None:
        digest.update("\n".join(map(" ".join, weak.words)).encode() + weak.labels.astype("<i8").tobytes())
    return {
        "name": f"{texts.name} with {vectors.name if vectors else 'random vectors'}", "origin": ", ".join(origins),
        "fingerprint": digest.hexdigest(), "weak_labels": 0 if weak is None else len(weak.words),
        "missing": [part for part in texts.missing if part != "weak" or weak is None], "words": len(known),
        "known_words": float(known.mean()),
    }


def vader_as_weak(texts):
    """The positive and negative texts of VADER's parts as a Part of weak labels."""
    polar = {CLASSES.index(name): k for k, name in enumerate(WEAK_CLASSES)}
    pairs = [pair for part in texts.parts.values() for pair in zip(part.words, part.labels.tolist())]
    return part_of([(words, polar[label]) for words, label in pairs if label in polar])


def make_task(config, folder=None):
    """The task of a configuration on its data."""
    vectors = None if config.vectors == "random" else data.load(config.vectors, config.vectors_source, folder)
    weak = vader_as_weak(data.load("vader", config.source, folder)) if config.weak == "vader" else None
    return SentimentTask(config, data.load(config.data, config.source, folder), vectors, weak)

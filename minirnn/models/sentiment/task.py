"""Training on the sentiment of short texts, thesis sec. 3.4.5: first on many weak labels, then on a few good ones."""

import hashlib
from collections import Counter
from dataclasses import dataclass

import numpy as np

from minirnn import data, nn
from minirnn.array import stream, to_cpu
from minirnn.autograd import no_grad
from minirnn.data.labelled_texts import CLASSES, WEAK_CLASSES, part_of
from minirnn.errors import InputError, must_be
from minirnn.metrics import ClassScores
from minirnn.models.sentiment.model import TextClassifier
from minirnn.train.config import from_presets, option
from minirnn.train.descent import Descent
from minirnn.train.procedure import Phase
from minirnn.train.supervised import RecurrentConfig, Supervised, pad

EVALUATION_BATCH = 128
FREQUENT = 5  # a word without a vector that training has so often gets a random one: emoticons, <user>
RANDOM = 0.1  # deviation of random vectors: small ones are soon outgrown when they are trained
SETS = ("semeval", "vader", "sentiment-grammar")


@dataclass(frozen=True)
class SentimentConfig(RecurrentConfig):
    """A sentiment run; the defaults are the recipe of thesis sec. 3.4.5, with batch, clip and init decided here.

    The first ``weak_epochs`` epochs train on weak labels; ``epochs`` more train on the labelled texts, and only these
    have scores and advance the schedule: 10 and 50 make 60 epochs. An epoch is ``epoch_updates`` updates; None: one
    pass of the labelled texts.
    """

    group = "sentiment"
    data: str = option("semeval", choices=SETS)
    vectors: str = option("glove", "word vectors", choices=("glove", "random"))
    vectors_source: str = option("search", "where they come from", choices=("search", "local", "twin"))
    vector_size: int = option(50, "values of a random word vector", least=1)
    train_vectors: bool = option(False, "whether they are trained")
    weak: str = option("own", "weak labels: those of the data, or VADER's positive and negative texts",
                       choices=("own", "vader", "none"))
    weak_epochs: int = option(10, "epochs on weak labels, before the others", least=0)
    epoch_updates: int | None = option(None, "updates of an epoch; none: one pass of the labelled texts", least=1)
    hidden: int = option(500, "units", least=1)
    forward_dropout: tuple[float, float] = option((0.2, 0.5), "dropout of the layer's input and of its output")
    init: float | None = option(None, "all parameters are drawn from U(-init, init)", positive=True)
    batch: int = option(32, "texts of an update", least=1)
    epochs: int = option(50, "on labelled texts", least=1)
    descent: Descent = Descent(optimizer="rmsprop", lr=1e-3, schedule="epoch-decay", decay=0.95)

    def __post_init__(self):
        if not isinstance(self.train_vectors, bool):
            raise InputError(must_be(self.where, "train_vectors", "true or false", repr(self.train_vectors)))
        super().__post_init__()
        if self.weak == self.data:
            raise InputError(must_be(self.where, "weak", "another set than data", repr(self.weak)))

    def least_bytes(self):
        """Of the layer, and of a thousand words' vectors where they are drawn: every set has more words."""
        inputs = self.vector_size if self.vectors == "random" else 1
        return self.recurrent_bytes(inputs) + 1000 * inputs * np.dtype(self.dtype).itemsize


CONFIG = SentimentConfig
CLASSROOM = {"data": "sentiment-grammar", "vectors": "random", "train_vectors": True, "hidden": 64, "lr": 3e-3,
             "forward_dropout": (0.0, 0.0), "epoch_updates": 100, "weak_epochs": 12, "epochs": 4}
PRESETS = {"sentiment": {
    "classroom": CLASSROOM,
    # decision: the thesis's million weakly labelled tweets are not to be had, VADER's polar texts stand in
    "thesis": {"data": "semeval", "weak": "vader", "weak_epochs": 10},
    "quick": {**CLASSROOM, "hidden": 32, "epoch_updates": 40, "weak_epochs": 2, "epochs": 2},
}}
configure = from_presets(CONFIG, PRESETS)


def batch_places(count, size, number, order):
    """Places (size,) of batch ``number`` among ``count`` texts; ``order(k)`` is the permutation of pass k."""
    places = number * size + np.arange(size)
    passes = places // count
    orders = {k: order(k) for k in set(passes.tolist())}
    return np.array([orders[k][place] for k, place in zip(passes.tolist(), places % count)])


def word_table(config, words, counts, vectors):
    """Vectors (V, D) of ``words`` and known (V,), which of them are in ``vectors`` (None: random ones for all).

    A word without a vector gets a random one where training, ``counts``, has it at least 5 times, an emoticon for
    example, and is zero where it is rarer.
    """
    size = config.vector_size if vectors is None else vectors.vectors.shape[1]
    table, known = (np.zeros((len(words), size), np.float32), np.zeros(len(words), bool)) if vectors is None else (
        vectors.table(words))
    scale = RANDOM if vectors is None else float(vectors.vectors.std())  # as large as the others
    for k, word in enumerate(words):
        if not known[k] and (vectors is None or counts[word] >= FREQUENT):
            table[k] = scale * stream(config.seed, f"vector of {word}").standard_normal(size)
    return table, known


def build_model(config, table):
    """The untrained TextClassifier of a configuration for word vectors ``table`` (V, D), on its device."""
    model = TextClassifier(
        table, config.hidden, len(CLASSES), train_vectors=config.train_vectors, cell=config.cell,
        forward_dropout=config.forward_dropout, recurrent_dropout=config.recurrent_dropout(), init=config.init,
        weak_classes=len(WEAK_CLASSES), rng=stream(config.seed, "initial weights"),
        dtype=np.dtype(config.dtype).type, kernels=config.kernels,
    )
    return model.to(config.device)


class SentimentTask(Supervised):
    """Training of a SentimentConfig on LabelledTexts, with WordVectors or None, and another weak Part or None.

    Two phases, on weak labels and on labelled texts, where there are weak labels: "2 x 40 + 2 x 40 updates" of the
    quick preset. The score is the mean F1 of positive and negative texts, in per cent. The model has the output layers
    of both phases from the start; each phase trains its own.
    """

    unit = "texts"
    shown = {"train_loss": ".4f", "train_accuracy": ".1f", "valid_f1": ".2f", "valid_accuracy": ".2f",
             "test_f1": ".2f"}

    def __init__(self, config, texts, vectors=None, weak=None):
        weak = weak if weak is not None or config.weak == "none" else texts.parts.get("weak")
        parts = {name: part for name, part in texts.parts.items() if name != "weak"}
        parts |= {"weak": weak} if weak is not None and config.weak_epochs else {}
        shown = Counter(w for name in ("train", "weak") if name in parts for text in parts[name].words for w in text)
        words = sorted({word for part in parts.values() for text in part.words for word in text})
        table, known = word_table(config, words, shown, vectors)
        number = {word: k for k, word in enumerate(words)}
        self.vocabulary, self.vector_size = words, table.shape[1]
        self.texts = {name: ([np.array([number[word] for word in text]) for text in part.words], part.labels)
                      for name, part in parts.items()}
        self.tests, self.missing = texts.tests, tuple(part for part in texts.missing if part != "weak")
        model = build_model(config, table)
        super().__init__(config, model, describe(texts, vectors, parts.get("weak"), known))
        self.updates = config.epoch_updates or -(-len(self.texts["train"][0]) // config.batch)
        self.per_update, self.trained_on = config.batch, None
        self.orders = {}

    def phases(self):
        weak = Phase("weak", self.updates, self.config.weak_epochs, self.update, self.evaluate,
                     enter=lambda: self.train_on("weak"))
        labelled = Phase("labelled", self.updates, self.config.epochs, self.update, self.evaluate, self.until,
                         enter=lambda: self.train_on("train"))
        return (weak, labelled) if "weak" in self.texts else (labelled,)

    def train_on(self, name):
        """From now on, updates are of the texts called ``name``: "weak" or "train"."""
        self.trained_on = name

    def batch(self, number):
        """words (T, B), lengths (B,) and labels (B,) of an update: every phase goes through its texts pass by pass."""
        texts, labels = self.texts[self.trained_on]
        places = batch_places(len(texts), self.config.batch, number,
                              lambda k: self._order(self.trained_on, len(texts), k))
        return *pad([texts[k] for k in places]), labels[places]

    def _order(self, name, count, number):
        if (name, number) not in self.orders:
            self.orders = {key: kept for key, kept in self.orders.items() if key == (name, number - 1)}
            self.orders[name, number] = stream(self.config.seed, f"order of {name}", number).permutation(count)
        return self.orders[name, number]

    def loss(self, clock):
        words, lengths, labels = self.batch(clock.in_phase)
        logits = self.model.train()(words, lengths, streams=self.streams(clock), weak=self.trained_on == "weak")
        return nn.cross_entropy(logits, labels), int((to_cpu(logits.value.argmax(-1)) == labels).sum())

    def count(self, total, seen):
        self.tally.add(self.config.batch, loss=total * self.config.batch, accuracy=100 * seen)

    def progress(self):
        """Mean loss and share of right labels, in per cent, of the epoch so far."""
        return {"loss": float("nan"), "accuracy": float("nan"), **self.tally.means()}

    def scores(self, name):
        """ClassScores of a part, in batches of texts of like lengths."""
        texts, labels = self.texts[name]
        scores = ClassScores(CLASSES)
        order = sorted(range(len(texts)), key=lambda k: len(texts[k]))
        self.model.eval()
        with no_grad(), np.errstate(over="ignore", invalid="ignore"):  # an overflow shows in the result
            for start in self.watched(range(0, len(order), EVALUATION_BATCH)):
                places = order[start : start + EVALUATION_BATCH]
                words, lengths = pad([texts[k] for k in places])
                logits = self.model(words, lengths)
                scores.add(labels[places], to_cpu(logits.value.argmax(-1)))
        return scores

    def validate(self, clock):
        train = self.progress()
        metrics = {"train_loss": train["loss"], "train_accuracy": train["accuracy"]}
        if self.trained_on == "weak":
            return metrics
        valid = self.scores("valid")
        f1 = valid.mean_f1()
        return {"score": -f1, **metrics, "valid_f1": f1, "valid_accuracy": valid.accuracy}

    def test(self):
        """Mean F1 of every test set, None for those that are missing, and the mean over those that are here."""
        found = {f"f1_{name}": self.scores(name).mean_f1() for name in self.tests}
        mean = sum(found.values()) / len(found)
        return {**found, **{f"f1_{name}": None for name in self.missing}, "test_f1": mean}

    def files(self):
        return {"vocabulary.json": {"words": self.vocabulary, "vector_size": self.vector_size}}

    def introduction(self):
        labels = f"{len(self.texts['weak'][0])} weak labels" if "weak" in self.texts else "no weak labels"
        missing = f"; missing: {', '.join(self.data['missing'])}" if self.data["missing"] else ""
        return f"{super().introduction()}, {labels}{missing}"


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


def make(config, folder=None, ingredients=None):
    """The procedure of a configuration on its data."""
    vectors = None if config.vectors == "random" else data.load(config.vectors, config.vectors_source, folder)
    weak = vader_as_weak(data.load("vader", config.source, folder)) if config.weak == "vader" else None
    return SentimentTask(config, data.load(config.data, config.source, folder), vectors, weak)


def modules(config, files):
    """{part: untrained module} of a stored run, for its checkpoints; ``files`` are its JSON files by name."""
    kept = files["vocabulary.json"]
    table = np.zeros((len(kept["words"]), kept["vector_size"]), np.float32)
    return {"learner": build_model(config, table)}

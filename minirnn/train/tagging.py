"""Training of a tagger for named entities, thesis sec. 3.4.4."""

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from minirnn import data, nn
from minirnn.array import stream, to_cpu
from minirnn.autograd import no_grad
from minirnn.data.tagged_sentences import CAPITALISATION, capitalisation
from minirnn.errors import InputError, must_be
from minirnn.metrics import EntityScores
from minirnn.models.tagger import Tagger
from minirnn.train.config import TrainingConfig
from minirnn.train.task import Task, pad

EVALUATION_BATCH = 128


@dataclass(frozen=True)
class TaggerConfig(TrainingConfig):
    """A tagger's run; the defaults are the recipe of thesis sec. 3.4.4, with batch, clip and init decided here.

    vectors: the set of static word vectors, from ``vectors_source``; kernel, filters, conv_activation: the convolution;
    activation: the LSTM's f, "relu" or "tanh"; capitals: whether classes of capitalisation are given; window_words:
    training samples are windows of so many words, one of each sentence, drawn anew every epoch; init bounds the uniform
    initial parameters, None keeps each layer's own initialisation. The loss, to whose gradient clip refers, is the mean
    over words.
    """

    optional = ("clip", "init")
    data: str = "conll2003"
    vectors: str = "glove"
    vectors_source: str = "search"
    hidden: int = 1024
    filters: int = 256
    kernel: int = 5
    activation: str = "relu"
    conv_activation: str = "relu"
    capitals: bool = True
    window_words: int = 15
    forward_dropout: tuple[float, float] = (0.2, 0.5)
    batch: int = 32
    epochs: int = 50
    init: float | None = None
    optimizer: str = "adam"
    lr: float = 1e-3
    schedule: str = "epoch-decay"
    decay: float = 0.95

    def __post_init__(self):
        known = ("search", "local", "twin")
        self.check_choices(data=("conll2003", "ner-templates"), vectors=("glove",), vectors_source=known,
                           activation=("relu", "tanh"), conv_activation=("relu", "tanh"), cell=("lstm",))
        if not isinstance(self.capitals, bool):
            raise InputError(must_be(self.where, "capitals", "true or false", repr(self.capitals)))
        self.check_counts("filters", "kernel", "window_words")
        if self.kernel % 2 == 0:
            raise InputError(must_be(self.where, "kernel", "odd", self.kernel, "a word stands in its middle"))
        super().__post_init__()


class Encoded(NamedTuple):
    """A sentence in numbers: words, capitals and tags, each (L,)."""

    words: np.ndarray
    capitals: np.ndarray
    tags: np.ndarray


def windows(sentences, words, rng):
    """A window of at most ``words`` consecutive words of every sentence, its start drawn from ``rng`` -> list."""
    samples = []
    for sentence, draw in zip(sentences, rng.random(len(sentences))):
        start = int(draw * (max(len(sentence.words) - words, 0) + 1))
        samples.append(Encoded(*(part[start : start + words] for part in sentence)))
    return samples


def forward(model, sentences, rng=None):
    """A Tagger on Encoded sentences -> logits (T, B, tags), mean loss of the words, tags (T, B) and
    inside (T, B), where there is a word."""
    (words, capitals, tags), lengths = pad(sentences)
    inside = np.arange(len(words))[:, None] < lengths
    logits = model(words, capitals if model.classes else None, lengths, rng)
    return logits, nn.cross_entropy(logits, tags, inside), tags, inside


def evaluate(model, sentences, tags, stop=None):
    """(EntityScores, mean loss a word) of a model on whole Encoded sentences; None when ``stop`` becomes true.

    ``tags`` are the names of the tags. The likeliest tag of each word is taken; batches have sentences of like lengths.
    """
    scores, nll, words = EntityScores(), 0.0, 0
    order = sorted(range(len(sentences)), key=lambda k: len(sentences[k].words))
    model.eval()
    with no_grad(), np.errstate(over="ignore", invalid="ignore"):  # an overflow shows in the result
        for start in range(0, len(order), EVALUATION_BATCH):
            if stop:
                return None
            batch = [sentences[k] for k in order[start : start + EVALUATION_BATCH]]
            logits, loss, _, inside = forward(model, batch)
            nll += loss.item() * inside.sum()
            words += inside.sum()
            best = to_cpu(logits.value.argmax(-1))
            for b, sentence in enumerate(batch):
                predicted = best[: len(sentence.tags), b]
                scores.add([tags[k] for k in sentence.tags], [tags[k] for k in predicted])
    return scores, float(nll / words)


class TaggerTask(Task):
    """Training of a TaggerConfig on TaggedSentences with WordVectors; the score is entities' F1 in per cent."""

    unit = "words"
    shown = ("valid_f1", "valid_loss")

    def __init__(self, config, sentences, vectors):
        words = sorted({word for part in _parts(sentences) for s in part for word in s.words})
        table, known = vectors.table(words)
        number, tag = {word: k for k, word in enumerate(words)}, {name: k for k, name in enumerate(sentences.tags)}
        classes = [capitalisation(word) for word in words]
        self.tags = sentences.tags
        self.train, self.valid, self.held_out = (
            [_encoded(s, number, classes, tag) for s in part] for part in _parts(sentences)
        )
        model = Tagger(
            table, len(self.tags), classes=len(CAPITALISATION) if config.capitals else 0, filters=config.filters,
            kernel=config.kernel, hidden=config.hidden, activation=config.activation,
            conv_activation=config.conv_activation, forward_dropout=config.forward_dropout,
            recurrent_dropout=config.recurrent_dropout(), init=config.init,
            rng=stream(config.seed, "initial weights"), dtype=np.dtype(config.dtype).type, kernels=config.kernels,
        )
        super().__init__(config, model.to(config.device), describe(sentences, vectors, known))
        self.updates = -(-len(self.train) // config.batch)
        self.per_update = round(sum(min(len(s.words), config.window_words) for s in self.train) / self.updates)
        self.samples = (None, [])
        self.begin_epoch()

    def begin_epoch(self):
        """Nothing is counted."""
        self.nll, self.words, self.right = 0.0, 0, 0

    def batch(self, position, step):
        """The Encoded windows of an update: every epoch draws a window of each sentence and an order of them."""
        epoch = step // self.updates
        if self.samples[0] != epoch:
            drawn = windows(self.train, self.config.window_words, stream(self.config.seed, "windows", epoch))
            order = stream(self.config.seed, "order of windows", epoch).permutation(len(drawn))
            self.samples = (epoch, [drawn[k] for k in order])
        return self.samples[1][position * self.config.batch : (position + 1) * self.config.batch]

    def loss(self, position, step):
        logits, loss, tags, inside = forward(self.model.train(), self.batch(position, step), self.streams(step))
        right = int((to_cpu(logits.value.argmax(-1)) == tags)[inside].sum())
        return loss, (right, int(inside.sum()))

    def applied(self, total, seen):
        right, words = seen
        self.nll += total * words
        self.right += right
        self.words += words

    def progress(self):
        """Mean loss and share of right tags, in per cent, of the epoch so far."""
        if not self.words:
            return {"loss": float("nan"), "accuracy": float("nan")}
        return {"loss": self.nll / self.words, "accuracy": 100 * self.right / self.words}

    def end_epoch(self, stop=None):
        found = evaluate(self.model, self.valid, self.tags, stop)
        if found is None:
            return None
        scores, loss = found
        train, f1 = self.progress(), scores.scores().f1
        metrics = {"train_loss": train["loss"], "train_accuracy": train["accuracy"], "valid_loss": loss, "valid_f1": f1,
                   "lr": self.optimizer.lr}
        self.advance_schedule(-f1)
        return {"score": -f1, **metrics}

    def test(self, stop=None):
        found = evaluate(self.model, self.held_out, self.tags, stop)
        if found is None:
            return None
        total, by_type = found[0].scores(), found[0].by_type()
        return {"test_f1": total.f1, "test_precision": total.precision, "test_recall": total.recall,
                "test_loss": found[1], "test_f1_by_type": {kind: by_type[kind].f1 for kind in by_type}}

    def introduction(self):
        return f"{self.data['name']} ({self.data['origin']}), {100 * self.data['known_words']:.1f} % of words known"

    def headline(self, metrics):
        return (f"train loss {metrics['train_loss']:.4f}, valid loss {metrics['valid_loss']:.4f}"
                f" F1 {metrics['valid_f1']:.2f}")

    def summary(self, result):
        return f"F1 valid {result['valid_f1']:.2f}, test {result['test_f1']:.2f}"

    def numbers(self):
        return {**super().numbers(), "nll": self.nll, "words": self.words, "right": self.right}

    def load(self, arrays, numbers):
        super().load(arrays, numbers)
        self.nll, self.words, self.right = float(numbers["nll"]), int(numbers["words"]), int(numbers["right"])


def _parts(sentences):
    return sentences.train, sentences.valid, sentences.test


def _encoded(sentence, number, classes, tag):
    words = np.array([number[word] for word in sentence.words])
    return Encoded(words, np.array([classes[k] for k in words]), np.array([tag[name] for name in sentence.tags]))


def describe(sentences, vectors, known):
    """What result.json says of the data; ``known`` (V,): which words have a vector."""
    origins = dict.fromkeys((sentences.origin, vectors.origin))
    return {
        "name": f"{sentences.name} with {vectors.name}", "origin": ", vectors: ".join(origins),
        "fingerprint": hashlib.sha256(f"{sentences.fingerprint} {vectors.fingerprint}".encode()).hexdigest(),
        "vectors": vectors.name, "words": len(known), "known_words": float(known.mean()),
    }


def make_task(config, folder=None):
    """The task of a configuration on its data."""
    vectors = data.load(config.vectors, config.vectors_source, folder)
    return TaggerTask(config, data.load(config.data, config.source, folder), vectors)

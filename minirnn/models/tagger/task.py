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
from minirnn.models.tagger.model import Tagger
from minirnn.train.config import from_presets, option
from minirnn.train.descent import Descent
from minirnn.train.supervised import RecurrentConfig, Supervised, pad

EVALUATION_BATCH = 128


@dataclass(frozen=True)
class TaggerConfig(RecurrentConfig):
    """A tagger's run; the defaults are the recipe of thesis sec. 3.4.4, with batch, clip and init decided here.

    Training samples are windows of ``window_words`` words, one of each sentence, drawn anew every epoch: of a sentence
    of 20 words any 15 in a row. init None keeps each layer's own initialisation. The loss, to whose gradient clip
    refers, is the mean over words.
    """

    group = "tagger"
    data: str = option("conll2003", choices=("conll2003", "ner-templates"))
    vectors: str = option("glove", "the set of static word vectors", choices=("glove",))
    vectors_source: str = option("search", "where they come from", choices=("search", "local", "twin"))
    cell: str = option("lstm", choices=("lstm",))
    hidden: int = option(1024, "units", least=1)
    filters: int = option(256, "of the convolution", least=1)
    kernel: int = option(5, "words that a filter sees, odd", least=1)
    activation: str = option("relu", "the LSTM's f", choices=("relu", "tanh"))
    conv_activation: str = option("relu", choices=("relu", "tanh"))
    capitals: bool = option(True, "whether classes of capitalisation are given")
    window_words: int = option(15, "words of a training sample", least=1)
    forward_dropout: tuple[float, float] = option((0.2, 0.5), "dropout of the LSTM's input and of its output")
    batch: int = option(32, "windows of an update", least=1)
    epochs: int = option(50, "each trains one window of every sentence", least=1)
    init: float | None = option(None, "all parameters are drawn from U(-init, init)", positive=True)
    descent: Descent = Descent(optimizer="adam", lr=1e-3, schedule="epoch-decay", decay=0.95)

    def __post_init__(self):
        if not isinstance(self.capitals, bool):
            raise InputError(must_be(self.where, "capitals", "true or false", repr(self.capitals)))
        super().__post_init__()
        if self.kernel % 2 == 0:
            raise InputError(must_be(self.where, "kernel", "odd", self.kernel, "a word stands in its middle"))

    def least_bytes(self):
        """Of the LSTM and of the filters."""
        filters = 4 * self.filters * self.kernel * np.dtype(self.dtype).itemsize
        return self.recurrent_bytes(self.filters) + filters


CONFIG = TaggerConfig
CLASSROOM = {"data": "ner-templates", "vectors_source": "twin", "hidden": 64, "filters": 192, "lr": 3e-3,
             "epochs": 30}
PRESETS = {"tagger": {
    "classroom": CLASSROOM,
    "thesis": {},
    "quick": {**CLASSROOM, "hidden": 32, "filters": 64, "epochs": 8},
}}
configure = from_presets(CONFIG, PRESETS)


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


def forward(model, sentences, *, beyond=None, streams=None):
    """A Tagger on Encoded sentences -> logits (T, B, tags), mean loss of the words, tags (T, B) and
    inside (T, B), where there is a word; ``beyond`` (N, D): vectors of N more words than the model's V."""
    (words, capitals, tags), lengths = pad(sentences)
    inside = np.arange(len(words))[:, None] < lengths
    logits = model(words, capitals if model.classes else None, lengths, beyond=beyond, streams=streams)
    return logits, nn.cross_entropy(logits, tags, inside), tags, inside


def evaluate(model, sentences, tags, watched=iter):
    """(EntityScores, mean loss a word) of a model on whole Encoded sentences; ``watched`` as Procedure.watched.

    ``tags`` are the names of the tags, ("O", "B-PER", ...), of which the likeliest is taken for each word; batches have
    sentences of like lengths.
    """
    scores, nll, words = EntityScores(), 0.0, 0
    order = sorted(range(len(sentences)), key=lambda k: len(sentences[k].words))
    model.eval()
    with no_grad(), np.errstate(over="ignore", invalid="ignore"):  # an overflow shows in the result
        for start in watched(range(0, len(order), EVALUATION_BATCH)):
            batch = [sentences[k] for k in order[start : start + EVALUATION_BATCH]]
            logits, loss, _, inside = forward(model, batch)
            nll += loss.item() * inside.sum()
            words += inside.sum()
            best = to_cpu(logits.value.argmax(-1))
            for b, sentence in enumerate(batch):
                predicted = best[: len(sentence.tags), b]
                scores.add([tags[k] for k in sentence.tags], [tags[k] for k in predicted])
    return scores, float(nll / words)


def build_model(config, table, tags):
    """The untrained Tagger of a configuration for word vectors ``table`` (V, D) and so many tags."""
    return Tagger(
        table, tags, classes=len(CAPITALISATION) if config.capitals else 0, filters=config.filters,
        kernel=config.kernel, hidden=config.hidden, activation=config.activation,
        conv_activation=config.conv_activation, forward_dropout=config.forward_dropout,
        recurrent_dropout=config.recurrent_dropout(), init=config.init,
        rng=stream(config.seed, "initial weights"), dtype=np.dtype(config.dtype).type, kernels=config.kernels,
    )


class TaggerTask(Supervised):
    """Training of a TaggerConfig on TaggedSentences with WordVectors; the score is entities' F1 in per cent."""

    unit = "words"
    shown = {"train_loss": ".4f", "valid_loss": ".4f", "valid_f1": ".2f", "test_f1": ".2f"}

    def __init__(self, config, sentences, vectors):
        words = words_of(sentences)
        table, known = vectors.table(words)
        self.tags, self.words, self.vector_size = sentences.tags, words, table.shape[1]
        self.train, self.valid, self.held_out = encoded_parts(sentences)
        model = build_model(config, table, len(self.tags))
        super().__init__(config, model.to(config.device), describe(sentences, vectors, known))
        self.updates = -(-len(self.train) // config.batch)
        self.per_update = round(sum(min(len(s.words), config.window_words) for s in self.train) / self.updates)
        self.samples = (None, [])

    def batch(self, position, step):
        """The Encoded windows of an update: every epoch draws a window of each sentence and an order of them."""
        epoch = step // self.updates
        if self.samples[0] != epoch:
            drawn = windows(self.train, self.config.window_words, stream(self.config.seed, "windows", epoch))
            order = stream(self.config.seed, "order of windows", epoch).permutation(len(drawn))
            self.samples = (epoch, [drawn[k] for k in order])
        return self.samples[1][position * self.config.batch : (position + 1) * self.config.batch]

    def loss(self, clock):
        batch = self.batch(clock.position, clock.step)
        logits, loss, tags, inside = forward(self.model.train(), batch, streams=self.streams(clock))
        right = int((to_cpu(logits.value.argmax(-1)) == tags)[inside].sum())
        return loss, (right, int(inside.sum()))

    def count(self, total, seen):
        right, words = seen
        self.tally.add(words, loss=total * words, accuracy=100 * right)

    def progress(self):
        """Mean loss and share of right tags, in per cent, of the epoch so far."""
        return {"loss": float("nan"), "accuracy": float("nan"), **self.tally.means()}

    def validate(self, clock):
        scores, loss = evaluate(self.model, self.valid, self.tags, self.watched)
        train, f1 = self.progress(), scores.scores().f1
        return {"score": -f1, "train_loss": train["loss"], "train_accuracy": train["accuracy"], "valid_loss": loss,
                "valid_f1": f1}

    def test(self):
        scores, loss = evaluate(self.model, self.held_out, self.tags, self.watched)
        total, by_type = scores.scores(), scores.by_type()
        return {"test_f1": total.f1, "test_precision": total.precision, "test_recall": total.recall,
                "test_loss": loss, "test_f1_by_type": {kind: by_type[kind].f1 for kind in by_type}}

    def files(self):
        return {"vocabulary.json": {"words": self.words, "tags": list(self.tags), "vector_size": self.vector_size}}

    def introduction(self):
        return f"{super().introduction()}, {100 * self.data['known_words']:.1f} % of words known"


def words_of(sentences):
    """Every word of TaggedSentences, sorted: the places of their vectors."""
    return sorted({word for part in _parts(sentences) for s in part for word in s.words})


def encoded_parts(sentences):
    """The training, validation and test part of TaggedSentences, lists of Encoded."""
    words = words_of(sentences)
    number, tag = {word: k for k, word in enumerate(words)}, {name: k for k, name in enumerate(sentences.tags)}
    classes = [capitalisation(word) for word in words]
    return [[_encoded(s, number, classes, tag) for s in part] for part in _parts(sentences)]


def _parts(sentences):
    return sentences.train, sentences.valid, sentences.test


def _encoded(sentence, number, classes, tag):
    words = np.array([number[word] for word in sentence.words])
    return Encoded(words, np.array([classes[k] for k in words]), np.array([tag[name] for name in sentence.tags]))


def fingerprint_of(sentences, vectors):
    """sha256 over both."""
    return hashlib.sha256(f"{sentences.fingerprint} {vectors.fingerprint}".encode()).hexdigest()


def describe(sentences, vectors, known):
    """What result.json says of the data; ``known`` (V,): which words have a vector."""
    origins = dict.fromkeys((sentences.origin, vectors.origin))
    return {
        "name": f"{sentences.name} with {vectors.name}", "origin": ", vectors: ".join(origins),
        "fingerprint": fingerprint_of(sentences, vectors),
        "vectors": vectors.name, "words": len(known), "known_words": float(known.mean()),
    }


def make(config, folder=None, ingredients=None):
    """The procedure of a configuration on its data."""
    vectors = data.load(config.vectors, config.vectors_source, folder)
    return TaggerTask(config, data.load(config.data, config.source, folder), vectors)


def modules(config, files):
    """{part: untrained module} of a stored run, for its checkpoints; ``files`` are its JSON files by name."""
    kept = files["vocabulary.json"]
    table = np.zeros((len(kept["words"]), kept["vector_size"]), np.float32)
    return {"learner": build_model(config, table, len(kept["tags"])).to(config.device)}

"""Training of a language model: its configuration, the recipes of the sources, one update, one epoch."""

from dataclasses import dataclass, replace

import numpy as np

from minirnn import data, nn
from minirnn.array import Streams, stream, to_cpu, to_device
from minirnn.autograd import Tensor, no_grad
from minirnn.data.registry import find_set, options_of
from minirnn.data.vocabulary import EOS, UNKNOWN
from minirnn.errors import InputError, check_shape, must_be
from minirnn.metrics import Perplexity
from minirnn.models.language_model.model import LanguageModel, detached, drawn_symbols
from minirnn.nn.recurrent_dropout import of_piece
from minirnn.train.config import option
from minirnn.train.descent import USUAL_LR
from minirnn.train.supervised import RecurrentConfig, Supervised

EVALUATION_BATCH = 20

# thesis sec. 3.4.2: words, loss summed over the window, lr 1, global clip 10, lr / 1.5 when validation does not improve
WORD = {"level": "word", "data": "ptb", "hidden": 256, "embedding": 256, "batch": 32, "window": 35, "epochs": 100,
        "optimizer": "sgd", "lr": 1.0, "clip": 10.0, "schedule": "plateau", "init": 0.05}
# what the author's program uses for the other cells; the RNN's windows overlap by ten steps
WORD_CELLS = {"gru": {"lr": 0.1, "clip": 20.0}, "rnn": {"lr": 0.05, "clip": 30.0, "window": 15, "stride": 5}}
# thesis sec. 3.4.3: characters, Adam 1e-3, lr * 0.97 after each epoch from the tenth
CHAR = {"level": "char", "data": "ptb", "hidden": 1024, "embedding": 256, "batch": 32, "window": 100, "epochs": 50,
        "optimizer": "adam", "lr": 1e-3, "clip": 10.0, "schedule": "epoch-decay", "init": 0.01}
PRESETS = {
    "word-lm": {
        "classroom": {**WORD, "data": "python-help", "hidden": 128, "embedding": 128, "batch": 20, "epochs": 14},
        "thesis": WORD,
        "quick": {**WORD, "data": "python-help", "hidden": 64, "embedding": 64, "batch": 20, "epochs": 2},
    },
    "char-lm": {
        "classroom": {**CHAR, "data": "python-help", "hidden": 128, "embedding": 64, "batch": 32, "window": 50,
                      "epochs": 10, "lr": 2e-3, "init": 0.05},
        "thesis": CHAR,
        "quick": {**CHAR, "data": "python-help", "hidden": 64, "embedding": 32, "batch": 32, "window": 50, "epochs": 1,
                  "lr": 5e-3, "init": 0.05},
    },
}


@dataclass(frozen=True)
class LanguageModelConfig(RecurrentConfig):
    """A language-model run.

    level "word" or "char"; data a registered set or ``text`` a file. A window begins every ``stride`` steps, so that
    windows overlap where it is smaller than ``window``: 15 and 5 train on steps 0 to 14, then 5 to 19 (None: one begins
    where the last ended). The loss, to whose gradient clip refers, is summed over the window and averaged over the
    batch.
    """

    group = "language model"
    level: str = option("word", choices=("word", "char"), fixed=True)
    data: str = option("python-help", "a data set, see 'minirnn data list'")
    text: str | None = option(None, "a text file of your own instead", place=True)
    limit: int | None = option(None, "largest vocabulary of words", least=1)
    train_tokens: int | None = option(None, "train on so many of the first tokens only", least=1)
    embedding: int = option(128, "size of a token's vector", least=1)
    layers: int = option(1, "recurrent layers, one on the other", least=1, most=1000)
    zoneout: tuple[float, ...] = option((), "probability that a unit keeps its old state; for an LSTM also two, memory"
                                            " and hidden state")
    window: int = option(35, "steps of truncated backpropagation", least=1)
    stride: int | None = option(None, "steps from one window to the next, if they are to overlap", least=1)
    ppl_mode: str = option("total", "perplexity: exp of the mean loss, or the mean of exp of each window's",
                          choices=("total", "mean_of_exp"))
    samples: int = option(100, "length of the sample that is kept after each epoch, 0 for none", least=0, most=100_000)

    def __post_init__(self):
        zoneout = self.zoneout if isinstance(self.zoneout, (tuple, list)) else (self.zoneout,)
        object.__setattr__(self, "zoneout", tuple(zoneout))
        super().__post_init__()
        if self.stride is not None and self.stride > self.window:
            what = f"at most the window, {self.window}"
            raise InputError(must_be(self.where, "stride", what, self.stride, "the steps between would not be learned"))
        if self.zoneout and self.cell == "rnn":
            raise InputError(must_be(self.where, "zoneout", "left out for an rnn", self.zoneout, "see lstm and gru"))

    def least_bytes(self):
        """Of the layers, of two tokens' vectors and output rows, and of the states of one window."""
        layers = self.recurrent_bytes(self.embedding) + self.recurrent_bytes(self.hidden, self.layers - 1)
        numbers = 8 * (self.embedding + self.hidden) + self.window * self.batch * self.hidden
        return layers + numbers * np.dtype(self.dtype).itemsize


CONFIG = LanguageModelConfig


def configure(name, preset, **given):
    """The configuration of a preset with what is ``given`` in its place; ``name`` "word-lm" or "char-lm".

    The word recipe takes the learning rate, clip and windows of the chosen cell unless they are given, 0.05 for an rnn
    in place of 1; another optimiser than the recipe's takes a usual learning rate of its own, 0.001 for Adam.
    """
    recipe = PRESETS[name][preset]
    plain = name == "word-lm" and given.get("optimizer", "sgd") == "sgd"
    by_cell = WORD_CELLS.get(given.get("cell"), {}) if plain else {}
    if "window" in given:
        by_cell = {key: value for key, value in by_cell.items() if key != "stride"}
    optimizer = given.get("optimizer")
    if optimizer not in (None, recipe["optimizer"]) and optimizer in USUAL_LR:
        given.setdefault("lr", USUAL_LR[optimizer])  # not that of another optimiser
    if given.get("text") is not None:
        if given.get("data", "text") != "text":
            raise InputError(must_be("train", "--data and --text", "given one at a time", "both"))
        given["data"] = "text"
    return LanguageModelConfig.of(**{**recipe, **by_cell, **given})


def load_corpus(config, folder=None):
    """The Corpus of a configuration; InputError as ``data.load``."""
    options = {"level": config.level}
    if config.data == "text":
        options["path"] = config.text
    elif config.text is not None:
        raise InputError(
            must_be("train", "data, text", "one or the other", f"both {config.data!r} and {config.text!r}")
        )
    if config.limit is not None:
        options["limit"] = config.limit
    if "level" not in options_of(find_set(config.data, data.SETS)):
        raise InputError(must_be("train", "data", "a text set", repr(config.data), "see 'minirnn data list'"))
    corpus = data.load(config.data, config.source, folder, **options)
    return corpus if config.train_tokens is None else replace(corpus, train=corpus.train[: config.train_tokens])


def build_model(config, vocabulary):
    """The untrained model of a configuration for ``vocabulary`` symbols, on its device."""
    zoneout = {}  # an RNN layer has no such option
    if config.zoneout:
        zoneout["zoneout"] = config.zoneout if len(config.zoneout) > 1 else config.zoneout[0]
    model = LanguageModel(
        vocabulary, config.embedding, config.hidden, cell=config.cell, layers=config.layers,
        forward_dropout=config.forward_dropout, recurrent_dropout=config.recurrent_dropout(), init=config.init,
        rng=stream(config.seed, "initial weights"), dtype=np.dtype(config.dtype).type, kernels=config.kernels,
        **zoneout,
    )
    return model.to(config.device)


def evaluate(model, tokens, window, ppl_mode="total", batch=EVALUATION_BATCH, watched=iter):
    """Perplexity of a model on tokens (N,), the state carried between windows.

    The tokens are read as ``batch`` streams, and the first of each is not predicted: of 1,003 tokens in 10 streams 990
    are, since 3 are left over. ``watched`` as Procedure.watched.
    """
    batch = max(1, min(batch, len(tokens) // (2 * window)))
    metric, state = Perplexity(ppl_mode), None
    model.eval()
    with no_grad(), np.errstate(over="ignore", invalid="ignore"):  # an overflow shows in the result
        for inputs, targets in watched(data.stream_batches(tokens, batch, window, last="keep")):
            logits, state = model(inputs, state)
            loss = nn.cross_entropy(logits, targets, time="sum")
            metric.add(loss.item() * inputs.shape[1], inputs.size)
    return metric


class Carried:
    """The recurrent state that one window hands to the next, each (layers, B, H): a part of the run."""

    def __init__(self, config):
        self.shape, self.device = (config.layers, config.batch, config.hidden), config.device
        self.state = None

    def keep(self, state):
        """Take a layer's final state over, cut from the tape; None: zeros."""
        self.state = None if state is None else detached(state)

    def state_dict(self):
        states = self.state if isinstance(self.state, tuple) else () if self.state is None else (self.state,)
        return {str(k): to_cpu(state.value) for k, state in enumerate(states)}

    def load_state_dict(self, state):
        """Take the arrays over; InputError when they are of another size."""
        for name, array in state.items():
            check_shape("checkpoint", f"carried state {name}", array, "(layers, B, H)", self.shape)
        states = tuple(Tensor(to_device(state[name], self.device)) for name in sorted(state))
        self.state = None if not states else states if len(states) > 1 else states[0]


class LanguageModelTask(Supervised):
    """Training of a LanguageModelConfig on a Corpus.

    Update j of an epoch trains on window j of every stream with the recurrent state carried over from window j - 1.
    Where windows overlap, that is the state a stride into it: with a window of 15 and a stride of 5 it is run as 5 + 10
    steps to have the state after the fifth.
    """

    unit = "tokens"
    shown = {"train_perplexity": ".2f", "valid_loss": ".4f", "valid_perplexity": ".2f", "valid_bits": ".3f",
             "test_perplexity": ".2f", "test_bits": ".3f"}

    def __init__(self, config, corpus):
        super().__init__(config, build_model(config, len(corpus.vocab)), describe(corpus))
        self.corpus, self.carried = corpus, Carried(config)
        self.batches = data.stream_batches(corpus.train, config.batch, config.window, stride=config.stride)
        for part in ("valid", "test"):
            if len(getattr(corpus, part)) < 2:
                tokens = len(getattr(corpus, part))
                raise InputError(must_be("train", f"{part} text", "at least 2 tokens", tokens, "give a longer text"))
        self.updates = len(self.batches)
        self.per_update = config.batch * config.window
        self._try_one_step()

    def _try_one_step(self):
        """Run one step, so that a cell, dropout scheme and kernel that do not go together are refused at once."""
        self.model.train()(self.batches[0][0][:1], streams=Streams(self.config.seed))

    def parts(self):
        return {**super().parts(), "carried": self.carried}

    def begin_epoch(self):
        """The recurrent state is zero and nothing is counted."""
        super().begin_epoch()
        self.carried.keep(None)

    def loss(self, clock):
        """Sum over the window of the batch mean: the scale to which lr and clip of thesis sec. 3.4.2 refer."""
        inputs, targets = self.batches[clock.position]
        self.model.train()
        streams, cut = self.streams(clock), self.batches.stride
        logits, state = self.model(inputs[:cut], self.carried.state, streams=streams)
        loss = nn.cross_entropy(logits, targets[:cut], time="sum")
        if cut < len(inputs):  # windows overlap: on from the state with which the next one begins
            logits, _ = self.model(inputs[cut:], state, streams=of_piece(streams, 1, self.config.sampling))
            loss = loss + nn.cross_entropy(logits, targets[cut:], time="sum")
        return loss, state

    def count(self, total, seen):
        self.carried.keep(seen)
        self.tally.add(self.per_update, loss=total * self.config.batch)

    def update(self, clock):
        """As Supervised.update, with the loss in nats a token."""
        result = super().update(clock)
        return {**result, "loss": result["loss"] / self.config.window}

    def progress(self):
        """Mean loss (nats a token) and perplexity of the epoch so far."""
        mean = self.tally.means().get("loss", float("nan"))
        return {"loss": mean, "perplexity": float(np.exp(min(mean, 700.0)))}

    def validate(self, clock):
        valid = evaluate(self.model, self.corpus.valid, self.config.window, self.config.ppl_mode, watched=self.watched)
        train = self.progress()
        return {"score": valid.value, "train_loss": train["loss"], "train_perplexity": train["perplexity"],
                "valid_loss": valid.nll / valid.tokens, "valid_perplexity": valid.value, "valid_bits": valid.bits}

    def test(self):
        test = evaluate(self.model, self.corpus.test, self.config.window, self.config.ppl_mode, watched=self.watched)
        return {"test_perplexity": test.value, "test_bits": test.bits, "ppl_mode": self.config.ppl_mode}

    def attachments(self, clock):
        """A sample of the text as the model now writes it, with the draws of this epoch."""
        if not self.config.samples:
            return {}
        try:
            text = sample_text(self.model, self.corpus.vocab, length=self.config.samples, seed=clock.rounds)
        except InputError as error:  # its output is not finite
            text = str(error)
        return {"sample.txt": (text + "\n").encode()}

    def files(self):
        return {"vocabulary.json": {"level": self.corpus.vocab.level, "symbols": self.corpus.vocab.symbols}}

    def introduction(self):
        return f"{super().introduction()}, {len(self.corpus.vocab)} {self.config.level}s"


def sample_text(model, vocab, prime="", length=200, temperature=0.8, seed=0):
    """The prime and ``length`` symbols drawn after it, as text: ``sample_text(model, vocab, "the", 10)`` is 11 words.

    Each symbol is drawn from softmax(logits / temperature); temperature 0 takes the likeliest. <unk> is never drawn.
    The draws depend on the seed alone. InputError for a negative temperature or length, or a prime with symbols the
    vocabulary lacks.
    """
    if not 0 <= temperature < float("inf"):
        raise InputError(must_be("sample", "temperature", "0 or a positive number", temperature))
    if length < 0:
        raise InputError(must_be("sample", "length", "at least 0", length))
    given = vocab.encode(prime)
    line_end = vocab.number.get(EOS, vocab.number.get("\n", 0))  # an empty prime begins after it
    start = given if given.size else np.array([line_end], np.int32)
    drawn = drawn_symbols(model, start, length, temperature, stream(seed, "sample"), vocab.number.get(UNKNOWN))
    return vocab.decode([*given, *drawn])


def make(config, folder=None, ingredients=None):
    """The procedure of a configuration on its data."""
    return LanguageModelTask(config, load_corpus(config, folder))


def modules(config, files):
    """{part: untrained module} of a stored run, for its checkpoints; ``files`` are its JSON files by name."""
    return {"learner": build_model(config, len(files["vocabulary.json"]["symbols"]))}


def describe(corpus):
    """What result.json says of a Corpus."""
    return {"name": corpus.name, "level": corpus.level, "origin": corpus.origin, "fingerprint": corpus.fingerprint,
            "vocabulary": len(corpus.vocab)}

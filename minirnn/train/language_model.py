"""The task "train a language model": what one update, one epoch and one checkpoint are. The loop knows none of it."""

from dataclasses import replace

import numpy as np

from minirnn import data, nn
from minirnn.array import Streams, stream, to_cpu, to_device
from minirnn.autograd import Tensor, no_grad
from minirnn.data.registry import find_set, options_of
from minirnn.errors import InputError, check_shape, must_be
from minirnn.metrics import Perplexity
from minirnn.models.word_lm import LanguageModel, detached
from minirnn.nn.recurrent_dropout import of_piece
from minirnn.train.progress import in_words
from minirnn.train.task import Task, under

EVALUATION_BATCH = 20


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


def evaluate(model, tokens, window, ppl_mode="total", batch=EVALUATION_BATCH, stop=None):
    """Perplexity of a model on tokens (N,), the state carried between windows; None when ``stop`` becomes true.

    The tokens are read as ``batch`` streams, so the first of each and the few left over are not predicted.
    """
    batch = max(1, min(batch, len(tokens) // (2 * window)))
    metric, state = Perplexity(ppl_mode), None
    model.eval()
    with no_grad(), np.errstate(over="ignore", invalid="ignore"):  # an overflow shows in the result
        for inputs, targets in data.stream_batches(tokens, batch, window, last="keep"):
            if stop:
                return None
            logits, state = model(inputs, state)
            loss = nn.cross_entropy(logits, targets, time="sum")
            metric.add(loss.item() * inputs.shape[1], inputs.size)
    return metric


class LanguageModelTask(Task):
    """Training of a LanguageModelConfig on a Corpus.

    Update j of an epoch trains on window j of every stream with the recurrent state carried over from window j - 1;
    where windows overlap, that is the state a stride into it, and a window is run in two pieces to have it.
    """

    shown = ("valid_perplexity", "valid_bits")

    def __init__(self, config, corpus):
        super().__init__(config, build_model(config, len(corpus.vocab)), describe(corpus))
        self.corpus = corpus
        self.batches = data.stream_batches(corpus.train, config.batch, config.window, stride=config.stride)
        for part in ("valid", "test"):
            if len(getattr(corpus, part)) < 2:
                tokens = len(getattr(corpus, part))
                raise InputError(must_be("train", f"{part} text", "at least 2 tokens", tokens, "give a longer text"))
        self.updates = len(self.batches)
        self.per_update = config.batch * config.window
        self.begin_epoch()
        self._try_one_step()

    def _try_one_step(self):
        """Run one step, so that a cell, dropout scheme and kernel that do not go together are refused at once."""
        self.model.train()(self.batches[0][0][:1], rng=Streams(self.config.seed))

    def begin_epoch(self):
        """The recurrent state is zero and nothing is counted."""
        self.carried, self.nll, self.tokens = None, 0.0, 0

    def loss(self, position, step):
        """Sum over the window of the batch mean: the scale to which lr and clip of thesis sec. 3.4.2 refer."""
        inputs, targets = self.batches[position]
        self.model.train()
        rng, cut = self.streams(step), self.batches.stride
        logits, state = self.model(inputs[:cut], self.carried, rng=rng)
        loss = nn.cross_entropy(logits, targets[:cut], time="sum")
        if cut < len(inputs):  # windows overlap: on from the state with which the next one begins
            logits, _ = self.model(inputs[cut:], state, rng=of_piece(rng, 1, self.config.sampling))
            loss = loss + nn.cross_entropy(logits, targets[cut:], time="sum")
        return loss, state

    def applied(self, total, seen):
        self.carried = detached(seen)
        self.nll += total * self.config.batch
        self.tokens += self.per_update

    def update(self, position, step):
        """As Task.update, with the loss in nats a token."""
        result = super().update(position, step)
        return {**result, "loss": result["loss"] / self.config.window}

    def progress(self):
        """Mean loss (nats a token) and perplexity of the epoch so far."""
        mean = self.nll / self.tokens if self.tokens else float("nan")
        return {"loss": mean, "perplexity": float(np.exp(min(mean, 700.0)))}

    def end_epoch(self, stop=None):
        valid = evaluate(self.model, self.corpus.valid, self.config.window, self.config.ppl_mode, stop=stop)
        if valid is None:
            return None
        train = self.progress()
        metrics = {"train_loss": train["loss"], "train_perplexity": train["perplexity"],
                   "valid_loss": valid.nll / valid.tokens, "valid_perplexity": valid.value, "valid_bits": valid.bits,
                   "lr": self.optimizer.lr}
        self.advance_schedule(valid.value)
        return {"score": valid.value, **metrics}

    def headline(self, metrics):
        valid = in_words({"loss": metrics["valid_loss"], "perplexity": metrics["valid_perplexity"]})
        return f"train perplexity {metrics['train_perplexity']:.2f}, valid {valid}"

    def test(self, stop=None):
        test = evaluate(self.model, self.corpus.test, self.config.window, self.config.ppl_mode, stop=stop)
        if test is None:
            return None
        return {"test_perplexity": test.value, "test_bits": test.bits, "ppl_mode": self.config.ppl_mode}

    def files(self):
        return {"vocabulary.json": {"level": self.corpus.vocab.level, "symbols": self.corpus.vocab.symbols}}

    def introduction(self):
        return f"{self.corpus.name} ({self.corpus.origin}), {len(self.corpus.vocab)} {self.config.level}s"

    def summary(self, result):
        return (f"valid perplexity {result['valid_perplexity']:.2f}, test {result['test_perplexity']:.2f},"
                f" {result['test_bits']:.3f} bits a {self.config.level}")

    def arrays(self):
        carried = () if self.carried is None else self.carried if isinstance(self.carried, tuple) else (self.carried,)
        return {**super().arrays(), **{f"carried.{k}": to_cpu(state.value) for k, state in enumerate(carried)}}

    def numbers(self):
        return {**super().numbers(), "nll": self.nll, "tokens": self.tokens}

    def load(self, arrays, numbers):
        super().load(arrays, numbers)
        carried = under("carried.", arrays)
        shape = (self.config.layers, self.config.batch, self.config.hidden)
        for name, array in carried.items():
            check_shape("checkpoint", f"carried.{name}", array, "(layers, B, H)", shape)
        states = tuple(Tensor(to_device(carried[name], self.config.device)) for name in sorted(carried))
        self.carried = None if not states else states if self.config.cell == "lstm" else states[0]
        self.nll, self.tokens = float(numbers["nll"]), int(numbers["tokens"])


def make_task(config, folder=None):
    """The task of a configuration on its data."""
    return LanguageModelTask(config, load_corpus(config, folder))


def describe(corpus):
    """What result.json says of a Corpus."""
    return {"name": corpus.name, "level": corpus.level, "origin": corpus.origin, "fingerprint": corpus.fingerprint,
            "vocabulary": len(corpus.vocab)}

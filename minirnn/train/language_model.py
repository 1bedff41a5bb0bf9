"""The task "train a language model": what one update, one epoch and one checkpoint are. The loop knows none of it."""

import numpy as np

from minirnn import data, nn, optim
from minirnn.array import Streams, stream, to_cpu, to_device
from minirnn.autograd import NonFiniteError, Tensor, detect_anomaly, no_grad
from minirnn.data.registry import find_set, options_of
from minirnn.errors import InputError, check_shape, must_be
from minirnn.metrics import Perplexity
from minirnn.models.word_lm import LanguageModel, detached

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
    return data.load(config.data, config.source, folder, **options)


def build_model(config, vocabulary):
    """The untrained model of a configuration for ``vocabulary`` symbols, on its device."""
    dropout = (config.scheme, config.rate, config.sampling, config.scaling) if config.rate else None
    model = LanguageModel(
        vocabulary, config.embedding, config.hidden, cell=config.cell, layers=config.layers,
        forward_dropout=config.forward_dropout, recurrent_dropout=dropout, init=config.init,
        rng=stream(config.seed, "initial weights"), dtype=np.dtype(config.dtype).type, kernels=config.kernels,
    )  # fmt: skip
    return model.to(config.device)


def build_optimizer(config, parameters):
    """The optimiser of a configuration."""
    makers = {
        "sgd": lambda: optim.SGD(parameters, config.lr),
        "momentum": lambda: optim.SGD(parameters, config.lr, momentum=0.9),
        "adam": lambda: optim.Adam(parameters, config.lr),
        "rmsprop": lambda: optim.RMSProp(parameters, config.lr),
        "adadelta": lambda: optim.Adadelta(parameters, config.lr),
    }
    return makers[config.optimizer]()


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
            logits, state = model(_on_device(model, inputs), state)
            loss = nn.cross_entropy(logits, _on_device(model, targets), time="sum")
            metric.add(loss.item() * inputs.shape[1], inputs.size)
    return metric


def _on_device(model, tokens):
    return to_device(tokens, model.output.weight.device)


class LanguageModelTask:
    """Model, optimiser, schedule and data of a run, advanced update by update.

    ``epochs`` epochs of ``updates`` updates; update j of an epoch trains on window j of every stream with the
    recurrent state carried over from window j - 1.
    """

    def __init__(self, config, corpus):
        self.config, self.corpus = config, corpus
        self.batches = data.stream_batches(corpus.train, config.batch, config.window)
        for part in ("valid", "test"):
            if len(getattr(corpus, part)) < 2:
                tokens = len(getattr(corpus, part))
                raise InputError(must_be("train", f"{part} text", "at least 2 tokens", tokens, "give a longer text"))
        self.epochs, self.updates = config.epochs, len(self.batches)
        self.tokens_per_update = config.batch * config.window
        self.model = build_model(config, len(corpus.vocab))
        self.optimizer = build_optimizer(config, self.model.parameters())
        self.schedule = {
            "plateau": lambda: optim.PlateauDecay(self.optimizer),
            "epoch-decay": lambda: optim.EpochDecay(self.optimizer),
            "constant": lambda: None,
        }[config.schedule]()
        self.begin_epoch()
        self._try_one_step()

    def _try_one_step(self):
        """Run one step, so that a cell, dropout scheme and kernel that do not go together are refused at once."""
        tokens = _on_device(self.model, self.batches[0][0][:1])
        self.model.train()(tokens, rng=Streams(self.config.seed))

    def begin_epoch(self):
        """The recurrent state is zero and nothing is counted."""
        self.carried, self.nll, self.tokens = None, 0.0, 0

    def update(self, position, step):
        """Train on window ``position``; ``step`` names the random streams of its masks.

        Returns {"loss", "norm", "skipped"}: nats a token, global gradient norm before clipping, and None, or where
        the first non-finite value arose when there was one; the parameters are then left as they were.
        """
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # looked for below, and named
            loss, state = self._loss(position, step)
            total = loss.item()
            self.optimizer.zero_grad()
            norm = float("nan")
            if np.isfinite(total):
                loss.backward()
                norm = optim.global_norm(self.model.parameters())
        if not np.isfinite(norm):
            self.optimizer.zero_grad()
            return {"loss": total / self.config.window, "norm": norm, "skipped": self._first_non_finite(position, step)}
        if self.config.clip is not None:
            optim.clip_grad_norm(self.model.parameters(), self.config.clip)
        self.optimizer.step()
        self.carried = detached(state)
        self.nll += total * self.config.batch
        self.tokens += self.tokens_per_update
        return {"loss": total / self.config.window, "norm": norm, "skipped": None}

    def _loss(self, position, step):
        """Sum over the window of the batch mean: the scale to which lr and clip of thesis sec. 3.4.2 refer."""
        inputs, targets = (_on_device(self.model, part) for part in self.batches[position])
        self.model.train()
        logits, state = self.model(inputs, self.carried, rng=Streams(self.config.seed, step))
        return nn.cross_entropy(logits, targets, time="sum"), state

    def _first_non_finite(self, position, step):
        """Repeat the update with the same masks under anomaly detection -> the operation it names."""
        try:
            with detect_anomaly(), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                self._loss(position, step)[0].backward()
        except NonFiniteError as error:
            return str(error)
        finally:
            self.optimizer.zero_grad()
        return "global gradient norm: overflow of finite gradients"

    def progress(self):
        """(loss, perplexity) of the epoch so far."""
        if not self.tokens:
            return float("nan"), float("nan")
        mean = self.nll / self.tokens
        return mean, float(np.exp(min(mean, 700.0)))

    def end_epoch(self, stop=None):
        """Evaluate on the validation text and advance the schedule -> metrics; None when ``stop`` cut it short.

        "score" is what is minimised.
        """
        valid = evaluate(self.model, self.corpus.valid, self.config.window, self.config.ppl_mode, stop=stop)
        if valid is None:
            return None
        loss, perplexity = self.progress()
        metrics = {"train_loss": loss, "train_perplexity": perplexity, "valid_loss": valid.nll / valid.tokens,
                   "valid_perplexity": valid.value, "valid_bits": valid.bits, "lr": self.optimizer.lr}  # fmt: skip
        if self.schedule is not None:
            self.schedule.epoch(valid.value)
        return {"score": valid.value, **metrics}

    def test(self, stop=None):
        """Metrics of the current parameters on the test text; None when ``stop`` cut it short."""
        test = evaluate(self.model, self.corpus.test, self.config.window, self.config.ppl_mode, stop=stop)
        return None if test is None else {"test_perplexity": test.value, "test_bits": test.bits}

    def arrays(self):
        """{name: array} of everything that is not a plain number: parameters, optimiser, carried state."""
        carried = () if self.carried is None else self.carried if isinstance(self.carried, tuple) else (self.carried,)
        return {
            **{f"model.{name}": array for name, array in self.model.state_dict().items()},
            **{f"optimizer.{name}": array for name, array in self.optimizer.state_dict().items()},
            **{f"carried.{place}": to_cpu(state.value) for place, state in enumerate(carried)},
        }

    def numbers(self):
        """The plain numbers that belong to ``arrays()``."""
        return {
            "nll": self.nll,
            "tokens": self.tokens,
            "schedule": self.schedule.state_dict() if self.schedule else None,
        }

    def load(self, arrays, numbers):
        """Continue from ``arrays()`` and ``numbers()``; InputError when they do not fit this configuration."""
        self.load_parameters(arrays)
        self.optimizer.load_state_dict(_under("optimizer.", arrays))
        carried = _under("carried.", arrays)
        shape = (self.config.layers, self.config.batch, self.config.hidden)
        for name, array in carried.items():
            check_shape("checkpoint", f"carried.{name}", array, "(layers, B, H)", shape)
        states = tuple(Tensor(to_device(carried[name], self.config.device)) for name in sorted(carried))
        self.carried = None if not states else states if self.config.cell == "lstm" else states[0]
        self.nll, self.tokens = float(numbers["nll"]), int(numbers["tokens"])
        if self.schedule is not None:
            self.schedule.load_state_dict(numbers["schedule"])

    def load_parameters(self, arrays):
        """Take the parameters alone, for evaluation or sampling."""
        self.model.load_state_dict(_under("model.", arrays))

    def parameters_only(self):
        """{name: array} of the parameters, for the hash chain."""
        return self.model.state_dict()


def _under(prefix, arrays):
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def size_of(model):
    """Number of trained values."""
    return sum(int(np.prod(p.shape)) for p in model.parameters())

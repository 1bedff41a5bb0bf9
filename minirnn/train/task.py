"""What every training task shares: a model, its optimiser and schedule, and updates that refuse non-finite values."""

import numpy as np

from minirnn import optim
from minirnn.array import Streams, to_device
from minirnn.autograd import NonFiniteError, detect_anomaly


def build_optimizer(config, parameters):
    """The optimiser of a TrainingConfig."""
    makers = {
        "sgd": lambda: optim.SGD(parameters, config.lr),
        "momentum": lambda: optim.SGD(parameters, config.lr, momentum=0.9),
        "adam": lambda: optim.Adam(parameters, config.lr),
        "rmsprop": lambda: optim.RMSProp(parameters, config.lr),
        "adadelta": lambda: optim.Adadelta(parameters, config.lr),
    }
    return makers[config.optimizer]()


def build_schedule(config, optimizer):
    """The learning-rate schedule of a TrainingConfig; None when it stays constant."""
    makers = {
        "plateau": lambda: optim.PlateauDecay(optimizer),
        "epoch-decay": lambda: optim.EpochDecay(optimizer, config.decay),
        "constant": lambda: None,
    }
    return makers[config.schedule]()


class Task:
    """A model trained on a loss, advanced update by update by ``minirnn.train.loop.Loop``.

    ``config`` a TrainingConfig, ``data`` {"name", "origin", "fingerprint", ...} for messages and result.json. A
    subclass sets ``updates`` (per epoch) and ``per_update`` (how many ``unit`` an update processes), and gives

    - ``loss(position, step)``: (scalar Tensor, whatever ``applied`` wants to know) of update ``position`` of the epoch;
      ``step`` names the random streams of its masks. clip and lr refer to this loss;
    - ``applied(total, seen)``: the update was made; count it;
    - ``begin_epoch()``, ``progress()`` {"loss": ..., and one more measure of the epoch so far};
    - ``end_epoch(stop)``: metrics of an evaluation, with "score", which is minimised, and "lr"; ``test(stop)``: metrics
      of the current parameters on the test set. Both give None when ``stop`` cut them short;
    - ``introduction()``, ``headline(metrics)``, ``summary(result)``: the run before it begins, a finished epoch and the
      end, in words.
    """

    unit = "tokens"
    shown = ()  # metrics of the best epoch that result.json repeats

    def __init__(self, config, model, data):
        self.config, self.model, self.data = config, model, data
        self.epochs = config.epochs
        self.optimizer = build_optimizer(config, model.parameters())
        self.schedule = build_schedule(config, self.optimizer)

    def files(self):
        """{name: JSON values} of what the run folder holds besides the configuration."""
        return {}

    def on_device(self, array):
        """A batch where the model is."""
        return to_device(array, self.model.parameters()[0].device)

    def streams(self, step):
        """The named random streams of one update's masks."""
        return Streams(self.config.seed, step)

    def finished(self, epoch, best):
        """Whether training ends after ``epoch`` epochs, of which ``best`` {"epoch", ...} was the best."""
        patience = self.config.patience
        return epoch >= self.epochs or (patience is not None and best and epoch - best["epoch"] >= patience)

    def update(self, position, step):
        """Train on batch ``position`` -> {"loss", "norm", "skipped"}.

        The loss, its global gradient norm before clipping, and None, or where the first non-finite value arose when
        there was one; the parameters are then left as they were.
        """
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # looked for below, and named
            loss, seen = self.loss(position, step)
            total = loss.item()
            self.optimizer.zero_grad()
            norm = float("nan")
            if np.isfinite(total):
                loss.backward()
                norm = optim.global_norm(self.model.parameters())
        if not np.isfinite(norm):
            self.optimizer.zero_grad()
            return {"loss": total, "norm": norm, "skipped": self._first_non_finite(position, step)}
        if self.config.clip is not None:
            optim.clip_grad_norm(self.model.parameters(), self.config.clip, norm)
        self.optimizer.step()
        self.applied(total, seen)
        return {"loss": total, "norm": norm, "skipped": None}

    def _first_non_finite(self, position, step):
        """Repeat the update with the same masks under anomaly detection -> the operation it names."""
        try:
            with detect_anomaly(), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                self.loss(position, step)[0].backward()
        except NonFiniteError as error:
            return str(error)
        finally:
            self.optimizer.zero_grad()
        return "global gradient norm: overflow of finite gradients"

    def advance_schedule(self, value):
        """Tell the schedule the validation value (lower is better) of the epoch that ended."""
        if self.schedule is not None:
            self.schedule.epoch(value)

    def arrays(self):
        """{name: array} of everything that is not a plain number: parameters, optimiser."""
        return {
            **{f"model.{name}": array for name, array in self.model.state_dict().items()},
            **{f"optimizer.{name}": array for name, array in self.optimizer.state_dict().items()},
        }

    def numbers(self):
        """The plain numbers that belong to ``arrays()``."""
        return {"schedule": self.schedule.state_dict() if self.schedule else None}

    def load(self, arrays, numbers):
        """Continue from ``arrays()`` and ``numbers()``; InputError when they do not fit this configuration."""
        self.load_parameters(arrays)
        self.optimizer.load_state_dict(under("optimizer.", arrays))
        if self.schedule is not None:
            self.schedule.load_state_dict(numbers["schedule"])

    def load_parameters(self, arrays):
        """Take the parameters alone, for evaluation or sampling."""
        self.model.load_state_dict(under("model.", arrays))

    def parameters_only(self):
        """{name: array} of the parameters, for the hash chain."""
        return self.model.state_dict()


def pad(sequences):
    """Integers (..., L) of several lengths L side by side -> (..., T, B), zero beyond their ends, and lengths (B,)."""
    sequences = [np.asarray(sequence) for sequence in sequences]
    lengths = np.array([sequence.shape[-1] for sequence in sequences])
    padded = np.zeros((*sequences[0].shape[:-1], lengths.max(), len(sequences)), np.int64)
    for b, sequence in enumerate(sequences):
        padded[..., : lengths[b], b] = sequence
    return padded, lengths


def under(prefix, arrays):
    """The entries whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def size_of(model):
    """Number of trained values."""
    return sum(int(np.prod(p.shape)) for p in model.parameters())

"""What a language-model run is made of, and the recipes of the sources as presets."""

from dataclasses import asdict, dataclass, fields

from minirnn.errors import InputError, must_be

OPTIMIZERS = ("sgd", "momentum", "adam", "rmsprop", "adadelta")
SCHEDULES = ("plateau", "epoch-decay", "constant")

# thesis sec. 3.4.2: words, loss summed over the window, lr 1, global clip 10, lr / 1.5 when validation does not improve
WORD = {"data": "ptb", "hidden": 256, "embedding": 256, "batch": 32, "window": 35, "epochs": 100, "optimizer": "sgd",
        "lr": 1.0, "clip": 10.0, "schedule": "plateau", "init": 0.05}
# what the author's program uses for the other cells; the RNN's windows overlap by ten steps
WORD_CELLS = {"gru": {"lr": 0.1, "clip": 20.0}, "rnn": {"lr": 0.05, "clip": 30.0, "window": 15, "stride": 5}}
# thesis sec. 3.4.3: characters, Adam 1e-3, lr * 0.97 after each epoch from the tenth
CHAR = {"data": "ptb", "hidden": 1024, "embedding": 256, "batch": 32, "window": 100, "epochs": 50, "optimizer": "adam",
        "lr": 1e-3, "clip": 10.0, "schedule": "epoch-decay", "init": 0.01}
# learning rates of the other optimisers where only the optimiser is chosen
OPTIMIZER_LR = {"momentum": 0.1, "adam": 1e-3, "rmsprop": 1e-3, "adadelta": 1.0, "sgd": 1.0}
PRESETS = {
    "word": {
        "thesis": WORD,
        "classroom": {**WORD, "data": "python-help", "hidden": 128, "embedding": 128, "batch": 20, "epochs": 14},
        "quick": {**WORD, "data": "python-help", "hidden": 64, "embedding": 64, "batch": 20, "epochs": 2},
    },
    "char": {
        "thesis": CHAR,
        "classroom": {**CHAR, "data": "python-help", "hidden": 128, "embedding": 64, "batch": 32, "window": 50,
                      "epochs": 10, "lr": 2e-3, "init": 0.05},
        "quick": {**CHAR, "data": "python-help", "hidden": 64, "embedding": 32, "batch": 32, "window": 50, "epochs": 1,
                  "lr": 5e-3, "init": 0.05},
    },
}


@dataclass(frozen=True)
class TrainingConfig:
    """What every trained recurrent model has: equal configurations on equal data give equal runs.

    cell and hidden of the recurrent layer; rate, scheme, sampling, scaling: its recurrent dropout; forward_dropout on
    its input and its output; clip bounds the global norm of the loss's gradient; schedule "plateau" divides lr by 1.5
    when the validation value is not below the best, "epoch-decay" multiplies it by ``decay`` from the tenth epoch on;
    patience ends the run after so many epochs without a new best; snapshots is how many checkpoints are kept for good,
    which changes no number. InputError names the entry that is wrong.
    """

    where = "train"  # how errors begin
    optional = ("clip",)  # what may be None
    data: str = ""
    source: str = "search"
    cell: str = "lstm"
    hidden: int = 128
    rate: float = 0.0
    scheme: str = "ours"
    sampling: str = "per_step"
    scaling: str = "test"
    forward_dropout: tuple[float, float] = (0.0, 0.0)
    init: float = 0.05
    batch: int = 20
    epochs: int = 14
    optimizer: str = "sgd"
    lr: float = 1.0
    clip: float | None = 10.0
    schedule: str = "plateau"
    decay: float = 0.97
    patience: int | None = None
    seed: int = 0
    dtype: str = "float32"
    kernels: str | None = None
    device: str = "cpu"
    log_every: int = 20
    checkpoint_every: int = 500
    snapshots: int = 0

    def __post_init__(self):
        object.__setattr__(self, "forward_dropout", tuple(self.forward_dropout))
        self.check_choices(optimizer=OPTIMIZERS, schedule=SCHEDULES, dtype=("float32", "float64"),
                           cell=("lstm", "gru", "rnn"), scheme=("ours", "gal", "moon"),
                           sampling=("per_step", "per_sequence"), scaling=("test", "inverted"))
        self.check_counts("hidden", "batch", "epochs", "log_every", "checkpoint_every")
        if self.patience is not None:
            self.check_counts("patience")
        self.check_counts("snapshots", least=0)
        for name in ("lr", "init", "clip", "decay"):
            value = getattr(self, name)
            absent = value is None
            if not (absent and name in self.optional) and (absent or not 0 < value < float("inf")):
                raise InputError(must_be(self.where, name, "a positive number", repr(value)))
        if len(self.forward_dropout) != 2:
            what = "two rates, in and out"
            raise InputError(must_be(self.where, "forward_dropout", what, repr(self.forward_dropout)))

    def check_choices(self, **choices):
        """InputError unless each named entry is among its choices."""
        for name, known in choices.items():
            if getattr(self, name) not in known:
                what = "one of " + ", ".join(map(str, known))
                raise InputError(must_be(self.where, name, what, repr(getattr(self, name))))

    def check_counts(self, *names, least=1):
        """InputError unless each named entry is an integer of at least ``least``."""
        for name in names:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InputError(must_be(self.where, name, f"an integer of at least {least}", repr(value)))

    def recurrent_dropout(self):
        """The argument of that name of a recurrent layer."""
        return (self.scheme, self.rate, self.sampling, self.scaling) if self.rate else None

    def to_json(self):
        """A dict of JSON values that ``from_json`` turns back into an equal configuration."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored):
        """The configuration of a stored dict; InputError for entries this version does not know."""
        unknown = set(stored) - {field.name for field in fields(cls)}
        if unknown:
            raise InputError(must_be("config.json", "entries", "those of this minirnn", f"also {sorted(unknown)}"))
        try:
            return cls(**stored)
        except TypeError as error:
            raise InputError(must_be("config.json", "entries", "of their types", f"a wrong one ({error})")) from None


@dataclass(frozen=True)
class LanguageModelConfig(TrainingConfig):
    """A language-model run.

    level "word" or "char"; data a registered set or ``text`` a file; limit bounds a word vocabulary; train_tokens keeps
    only so many of the first tokens of the training text; zoneout is one rate for all states of the cell, or those of
    an LSTM's memory and hidden state; window steps of truncated BPTT, and a window begins every ``stride`` steps, so
    that they overlap where it is smaller (None: one begins where the last ended). The loss, to whose gradient clip
    refers, is summed over the window and averaged over the batch.
    """

    level: str = "word"
    data: str = "python-help"
    text: str | None = None
    limit: int | None = None
    train_tokens: int | None = None
    embedding: int = 128
    layers: int = 1
    zoneout: tuple[float, ...] = ()
    window: int = 35
    stride: int | None = None
    ppl_mode: str = "total"

    def __post_init__(self):
        zoneout = self.zoneout if isinstance(self.zoneout, (tuple, list)) else (self.zoneout,)
        object.__setattr__(self, "zoneout", tuple(zoneout))
        self.check_choices(level=tuple(PRESETS), ppl_mode=("total", "mean_of_exp"))
        self.check_counts("embedding", "layers", "window")
        for name in ("train_tokens", "stride"):
            if getattr(self, name) is not None:
                self.check_counts(name)
        if self.stride is not None and self.stride > self.window:
            what = f"at most the window, {self.window}"
            raise InputError(must_be(self.where, "stride", what, self.stride, "the steps between would not be learned"))
        if self.zoneout and self.cell == "rnn":
            raise InputError(must_be(self.where, "zoneout", "left out for an rnn", self.zoneout, "see lstm and gru"))
        super().__post_init__()


def need_rate(where, given, rate):
    """InputError for command-line options of recurrent dropout, {name: value or None}, without a rate above 0."""
    for name in ("scheme", "sampling", "scaling"):
        if given.get(name) is not None and not rate:
            raise InputError(f"{where}: --{name} must be given with a --rate above 0, got {rate or 'none'}")


def preset(level, name, **given):
    """The configuration of a preset ("classroom", "thesis", "quick") with what is given (and not None) in its place.

    The word recipe takes the learning rate, clip and windows of the chosen cell, and another optimiser than the
    recipe's takes a usual learning rate of its own, unless they are given.
    """
    given = {key: value for key, value in given.items() if value is not None}
    if level not in PRESETS or name not in PRESETS[level]:
        known = ", ".join(PRESETS.get(level, PRESETS))
        raise InputError(must_be("train", "preset", f"one of {known}", repr((level, name))))
    by_cell = (
        WORD_CELLS.get(given.get("cell"), {}) if level == "word" and given.get("optimizer", "sgd") == "sgd" else {}
    )
    if "window" in given:
        by_cell = {key: value for key, value in by_cell.items() if key != "stride"}
    optimizer = given.get("optimizer")
    if optimizer not in (None, PRESETS[level][name]["optimizer"]) and optimizer in OPTIMIZER_LR:
        given.setdefault("lr", OPTIMIZER_LR[optimizer])  # not that of another optimiser
    if "text" in given and "data" not in given:
        given["data"] = "text"
    return LanguageModelConfig(level=level, **{**PRESETS[level][name], **by_cell, **given})

"""What a run is made of: frozen dataclasses whose fields say what they accept and how the command line names them."""

import functools
import math
import numbers
import typing
from dataclasses import MISSING, asdict, dataclass, field, fields, replace

from minirnn.errors import InputError, must_be, near


def option(default, help="", choices=None, least=None, most=None, positive=False, place=False, fixed=False):
    """A field of a Config: ``stride: int | None = option(3, "steps", least=1)`` takes 1, 2, ... and None.

    choices: the values it may have; least, most: it is an integer in these bounds; positive: it is a number above 0. A
    field whose default is None, or whose type says so, may be None. place: it says where something lies, so that it may
    change when a run is resumed: a text file that was moved. fixed: the model's name says it, so that it is no option
    of the command line.
    """
    known = {"help": help, "choices": choices, "least": least, "most": most, "positive": positive,
             "place": place, "fixed": fixed}
    return field(default=default, metadata=known)


class Config:
    """Base of all configurations: ``of(lr=0.1)`` makes one, ``but(lr=0.2)`` a changed one; equal ones give equal runs.

    A configuration may hold others: ``of(**{"critic.lr": 0.1})`` sets the lr of its ``critic``, and so does
    ``of(lr=0.1)`` where only one of those it holds has an lr. InputError names an entry that is unknown or wrong.
    """

    where = "train"  # how errors begin
    group = "options"  # heading of its own fields in --help

    def __post_init__(self):
        for name, inner in self.nested().items():
            given = getattr(self, name)
            if isinstance(given, dict):
                default = next(f.default for f in fields(self) if f.name == name)
                object.__setattr__(self, name, (inner() if default is MISSING else default).but(**given))
            elif not isinstance(given, inner):
                raise InputError(must_be(self.where, name, f"a configuration, {inner.__name__}", repr(given)))
        for each in fields(self):
            self._check(each, getattr(self, each.name))

    def _check(self, each, value):
        rule = each.metadata
        if value is None and may_be_none(type(self), each.name):
            return
        if rule.get("choices") and not (isinstance(value, str) and value in rule["choices"]):
            what = "one of " + ", ".join(str(choice) for choice in rule["choices"])
            raise InputError(must_be(self.where, each.name, what, repr(value), near(str(value), rule["choices"])))
        if rule.get("least") is not None:
            self.check_count(each.name, value, rule["least"], rule["most"])
        if rule.get("positive") and not (_is_number(value) and 0 < value < math.inf):
            raise InputError(must_be(self.where, each.name, "a positive number", repr(value)))

    def check_count(self, name, value, least, most=None):
        """InputError unless ``value``, called ``name``, is an integer of at least ``least`` and at most ``most``."""
        if not isinstance(value, int) or isinstance(value, bool) or value < least or value > (most or value):
            what = f"at least {least}" if most is None else f"{least} to {most}"
            raise InputError(must_be(self.where, name, f"an integer of {what}", repr(value)))

    def check_rates(self, name, count):
        """Make the field ``name`` a tuple of ``count`` probabilities below 1; InputError where it is none."""
        given = getattr(self, name)
        rates = tuple(given) if isinstance(given, (tuple, list)) else (given,)
        if len(rates) != count or not all(_is_number(rate) and 0 <= rate < 1 for rate in rates):
            what = f"{count} numbers in [0, 1)" if count > 1 else "a number in [0, 1)"
            raise InputError(must_be(self.where, name, what, repr(given)))
        object.__setattr__(self, name, rates)

    @classmethod
    @functools.cache
    def nested(cls):
        """{field: class} of the configurations that this one holds."""
        hints = typing.get_type_hints(cls)
        return {f.name: hints[f.name] for f in fields(cls) if isinstance(hints[f.name], type)
                and issubclass(hints[f.name], Config)}

    @classmethod
    def names(cls):
        """Every entry by its full name: "hidden", "descent.lr"."""
        inner = cls.nested()
        return [name for f in fields(cls) for name in
                ([f"{f.name}.{n}" for n in inner[f.name].names()] if f.name in inner else [f.name])]

    @classmethod
    def full_name(cls, name):
        """"lr" -> "descent.lr", where one configuration held by this one has it; InputError with near names."""
        if name in (f.name for f in fields(cls)) or name in cls.names():
            return name
        found = [known for known in cls.names() if known.endswith(f".{name}")]
        if len(found) != 1:
            hint = f"say which: {', '.join(found)}" if found else near(name, [n.split(".")[-1] for n in cls.names()])
            raise InputError(must_be(cls.where, "option", "one that this model has", repr(name), hint))
        return found[0]

    @classmethod
    def of(cls, **settings):
        """The configuration with these settings and defaults for the rest."""
        return cls().but(**settings)

    def but(self, **settings):
        """The same configuration with other settings."""
        own, inner = {}, {}
        for name, value in settings.items():
            head, _, rest = self.full_name(name).partition(".")
            if rest:
                inner.setdefault(head, {})[rest] = value
            else:
                own[head] = value
        for head, values in inner.items():
            own[head] = own.get(head, getattr(self, head)).but(**values)
        return replace(self, **own)

    def to_json(self):
        """A dict of JSON values that ``from_json`` turns back into an equal configuration."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored):
        """The configuration of a stored dict, an older one without nesting too; InputError for unknown entries."""
        if not isinstance(stored, dict):
            raise InputError(must_be("config.json", "config", "a configuration", type(stored).__name__))
        try:
            unknown = [name for name in stored if not cls._knows(name)]
            if unknown:
                raise InputError(must_be("config.json", "entries", "those of this minirnn", f"also {sorted(unknown)}"))
            return cls.of(**stored)
        except TypeError as error:
            raise InputError(must_be("config.json", "entries", "of their types", f"a wrong one ({error})")) from None

    @classmethod
    def _knows(cls, name):
        try:
            return bool(cls.full_name(name))
        except InputError:
            return False


@functools.cache
def may_be_none(cls, name):
    """Whether the field ``name`` of a configuration class may be None."""
    return type(None) in typing.get_args(typing.get_type_hints(cls)[name])


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


@dataclass(frozen=True)
class RunConfig(Config):
    """What every run has: seed, float type, device, and how often it writes; the last three change no number.

    ``snapshots`` checkpoints are kept for good: 5 of a run of 100 updates are those of updates 0, 6, 25, 56 and 100.
    """

    group = "run"
    seed: int = option(0, "equal seeds give equal runs", least=0)
    dtype: str = option("float32", choices=("float32", "float64"))
    device: str = option("cpu", "cpu, or cuda for the first GPU")
    log_every: int = option(20, "updates between lines of metrics.jsonl", least=1)
    checkpoint_every: int = option(500, "updates between checkpoints (one more after every epoch)", least=1)
    snapshots: int = option(0, "so many checkpoints are never deleted: for 'minirnn inspect'", least=0, most=100_000)

    def least_bytes(self):
        """Memory that a run of these sizes needs at the least: what cannot fit is refused before anything is made."""
        return 0


def from_presets(config, presets):
    """A model's ``configure(name, preset, **given)``: the class ``config`` with a preset's settings, then the given."""
    return lambda name, preset, **given: config.of(**{**presets[name][preset], **given})

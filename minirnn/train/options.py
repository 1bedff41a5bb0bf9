"""The command line of a configuration: an option for each entry, with true defaults, in groups."""

import argparse
import typing
from dataclasses import fields

from minirnn.errors import InputError
from minirnn.options import METAVARS, typed
from minirnn.train.config import Config, may_be_none

NONE = "none"  # how None is written


def add_options(parser, config):
    """Give ``parser`` an option for every entry of ``config``, whose values are the defaults that the help shows.

    The lr of its ``descent`` is --descent.lr, and --lr where nothing else that it holds has an lr.
    """
    for cls, names in _groups(type(config)):
        group = parser.add_argument_group(cls.group)
        for name in names:
            _add(group, config, name, [f"--{name.replace('_', '-')}"])
    for held, cls in type(config).nested().items():
        group = parser.add_argument_group(cls.group if held == cls.group else f"{held}: {cls.group}")
        for each in fields(cls):
            flag, name = each.name.replace("_", "-"), f"{held}.{each.name}"
            alone = _home(type(config), each.name) == name
            _add(group, getattr(config, held), each.name, [f"--{flag}" if alone else f"--{held}.{flag}"], dest=name)
            if alone:  # the full name is understood too
                _add(group, getattr(config, held), each.name, [f"--{held}.{flag}"], dest=name, shown=False)


def _home(cls, name):
    try:
        return cls.full_name(name)
    except InputError:  # several have it
        return None


def _groups(cls):
    """(class, names of the entries it says the last word on), the most special class first."""
    seen, nested = set(), cls.nested()
    for each in cls.__mro__:
        if issubclass(each, Config) and each is not Config:
            fixed = {f.name for f in fields(cls) if f.metadata.get("fixed")}
            names = [n for n in each.__annotations__ if n not in seen | fixed and n not in nested]
            seen |= set(names)
            yield each, names


def _add(group, config, name, flags, dest=None, shown=True):
    rule = next(f.metadata for f in fields(config) if f.name == name)
    hint, default = typing.get_type_hints(type(config))[name], getattr(config, name)
    optional = may_be_none(type(config), name)
    kind = next(t for t in typing.get_args(hint) if t is not type(None)) if optional else hint
    made = _value_of(kind, optional)
    said = "" if default in ((), "") else f"default {NONE if default is None else _shown(default)}"
    text = ", ".join(part for part in (rule.get("help", ""), said) if part).replace("%", "%%")
    if rule.get("choices"):
        what = {"metavar": "|".join(rule["choices"])}
    elif kind is bool:
        what = {"metavar": "yes|no"}
    else:
        inner = typing.get_args(kind)
        what = {"metavar": METAVARS.get(inner[0] if inner else kind, "TEXT")}
        if inner:
            what["nargs"] = "+" if inner[-1] is ... else len(inner)
    group.add_argument(*flags, dest=dest or name, type=made, help=text if shown else argparse.SUPPRESS, **what)


def _value_of(kind, optional):
    """The function that reads a value of this type from the command line."""
    inner = typing.get_args(kind)
    kind = inner[0] if inner else kind

    def read(text):
        if optional and text == NONE:
            return None
        if kind is bool:
            if text not in ("yes", "no"):
                raise argparse.ArgumentTypeError(f"must be yes or no, got {text!r}")
            return text == "yes"
        return typed(kind)(text)

    read.__name__ = typed(kind).__name__
    return read


def _shown(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)

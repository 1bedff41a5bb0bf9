"""The command line of a configuration: an option for each entry, with true defaults, in groups."""

import argparse
import re
import shutil
import textwrap
import typing
from dataclasses import fields

from minirnn.errors import InputError, near
from minirnn.train.config import Config, may_be_none

METAVARS = {int: "N", float: "X", str: "TEXT"}
NONE = "none"  # how None is written


class Parser(argparse.ArgumentParser):
    """argparse with the house's errors (InputError, which the command line prints) and no abbreviated options."""

    def __init__(self, prog, description, epilog=None):
        super().__init__(prog=prog, description=description, epilog=epilog, add_help=False, allow_abbrev=False,
                         formatter_class=Formatter, argument_default=argparse.SUPPRESS)

    @property
    def where(self):
        """How errors begin."""
        return self.prog.removeprefix("minirnn ")

    def error(self, message):
        raise InputError(f"{self.where}: {_in_our_words(message)}")

    def parse(self, argv, elsewhere=lambda flag: ""):
        """The options given, {name: value}; InputError with near names for one that is unknown.

        ``elsewhere(flag)`` says in words where an unknown flag belongs, "--window is an option of word-lm", "" if
        nowhere.
        """
        found, unknown = self.parse_known_args(argv)
        if unknown:
            flag = unknown[0].partition("=")[0]
            known = [each.lstrip("-") for action in self._actions for each in action.option_strings]
            meant = near(flag.lstrip("-"), known).replace("mean ", "mean --") if flag.startswith("-") else ""
            hints = [hint for hint in (meant, elsewhere(flag)) if hint]
            raise InputError("; ".join([f"{self.where}: option must be one that it has, got {flag!r}", *hints]))
        return vars(found)


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Help of at most 100 columns, and no more than the terminal has."""

    def __init__(self, prog):
        super().__init__(prog, max_help_position=30, width=min(100, shutil.get_terminal_size((80, 24)).columns) - 2)

    def _split_lines(self, text, width):  # "epoch-decay" is one word
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)

    def _format_usage(self, usage, actions, groups, prefix):
        return f"usage: {usage or self._prog + ' [options]'}\n\n"


def _in_our_words(message):
    """"argument --seed: expected one argument" -> "--seed must have one argument"; so too for choices and types."""
    message = re.sub(r"^argument (\S+): ", r"\1 ", message)
    choice = re.fullmatch(r"(.*)invalid choice: '(.*)' \(choose from (.*)\)", message)
    if choice:
        flag, got, known = choice[1].strip(), choice[2], choice[3].replace("'", "")
        hint = near(got, known.split(", "))
        return f"{flag} must be one of {known}, got {got!r}" + (f"; {hint}" if hint else "")
    message = re.sub(r"invalid (.*) value: ", r"must be a \1, got ", message)
    return message.replace(" expected ", " must have ")


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
        return kind(text)

    read.__name__ = {int: "whole number", float: "number"}.get(kind, "text")
    return read


def _shown(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)

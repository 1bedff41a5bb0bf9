"""The command line of a dataclass: an option for each field, with true defaults, in groups, and errors in our words."""

import argparse
import inspect
import re
import shutil
import textwrap
import types
import typing
from dataclasses import MISSING, field, fields

from minirnn.errors import InputError, must_be, near

METAVARS = {int: "N", float: "X", str: "TEXT"}


def option(default=MISSING, help="", *, name=None, metavar=None, choices=None, positional=False, group="options",
           bare=None):
    """A field that ``read`` makes an option of: ``steps: int = option(40, "time steps")`` is --steps N.

    A bool is a switch; a tuple takes several; with None as default it is left out. name: another name than the field's.
    choices: what it may be. positional: it stands without a name. group: under which heading the help lists it. bare:
    what it is where its name stands without a value.
    """
    known = {"help": help, "name": name, "metavar": metavar, "choices": choices, "positional": positional,
             "group": group, "bare": bare}
    return field(default=default, metadata=known)


def read(cls, argv, prog, description, examples=()):
    """An object of the dataclass ``cls`` from the command line, or None where only the help was asked for and printed.

    examples: command lines, shown at the end of the help. InputError in one line for what it does not understand.
    """
    epilog = "\n  ".join(["examples:" if len(examples) > 1 else "example:", *examples]) if examples else None
    parser, groups, hints = Parser(prog, inspect.cleandoc(description), epilog), {}, typing.get_type_hints(cls)
    parser.usage = " ".join([prog, *(_shown(each) for each in fields(cls) if each.metadata["positional"]), "[options]"])
    for each in fields(cls):
        heading = each.metadata["group"]
        if heading not in groups:
            groups[heading] = parser.add_argument_group(heading)
        _add(groups[heading], each, hints[each.name])
    next(iter(groups.values())).add_argument("-h", "--help", action="store_true", help="this text")
    if {"-h", "--help"} & set(argv):
        print(parser.format_help(), end="")
        return None
    given = {name: value for name, value in parser.parse(argv).items() if value not in ([], ())}
    for each in fields(cls):
        if each.default is MISSING and each.name not in given:
            raise InputError(f"{parser.where}: {_shown(each)} must be given; see {prog} --help")
    return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})


def read_one_of(commands, argv, prog, description):
    """(name, object) of the subcommand that is asked for; (name, None) or ("", None) where its help was.

    commands: {name: dataclass}, whose docstrings are their help: a line, and "Example: ..." in another.
    """
    lines = {name: _first_line(cls.__doc__) for name, cls in commands.items()}
    if not argv or argv[0] in ("-h", "--help"):
        width = max(map(len, commands)) + 2
        rows = [textwrap.fill(line, 78, initial_indent=f"  {name:<{width}}", subsequent_indent=" " * (width + 2))
                for name, line in lines.items()]
        usage = f"usage: {prog} {'|'.join(commands)} [options]"
        print("\n".join([usage, "", *textwrap.wrap(description, 78), "", *rows, "", "each has --help"]))
        if argv:
            return "", None
    name = argv[0] if argv else None
    if name not in commands:
        where, known = prog.removeprefix("minirnn "), f"one of {', '.join(commands)}"
        got = repr(name) if name else "none"
        raise InputError(must_be(where, "what to do", known, got, near(str(name), commands)))
    text, _, example = " ".join(commands[name].__doc__.split()).partition("Example: ")
    return name, read(commands[name], argv[1:], f"{prog} {name}", text.strip(), [example] if example else [])


def _first_line(text):
    return " ".join(text.split("Example:")[0].split())


def _shown(each):
    """A field as the help and errors call it: "--steps", "CHAPTER", "[CHAPTER ...]" where it may be left out."""
    rule = each.metadata
    if not rule["positional"]:
        return f"--{(rule['name'] or each.name).replace('_', '-')}"
    name = rule["metavar"] or each.name.upper()
    return name if each.default is MISSING else f"[{name} ...]" if isinstance(each.default, tuple) else f"[{name}]"


def _add(group, each, hint):
    """The option of one field, as argparse wants it."""
    rule, default = each.metadata, each.default
    inner = [t for t in typing.get_args(hint) if t is not type(None)] if _optional(hint) else [hint]
    kind, many = inner[0], False
    if typing.get_origin(kind) is tuple:
        kind, many = typing.get_args(kind)[0], True
    said = "" if default is MISSING or default is None or default in ("", ()) else f"default {default}"
    said = "" if kind is bool else said
    what = {"help": ", ".join(part for part in (rule["help"], said) if part).replace("%", "%%")}
    names = [each.name] if rule["positional"] else [f"--{(rule['name'] or each.name).replace('_', '-')}"]
    if not rule["positional"]:
        what["dest"] = each.name
    if kind is bool:
        group.add_argument(*names, action="store_true", **what)
        return
    what["metavar"] = rule["metavar"] or ("|".join(rule["choices"]) if rule["choices"] else METAVARS.get(kind, "PATH"))
    if rule["choices"]:
        what["choices"] = rule["choices"]
    if many:
        what["nargs"] = "*" if rule["positional"] else "+"
    elif rule["positional"] and default is not MISSING:
        what["nargs"] = "?"
    elif rule["bare"] is not None:
        what |= {"nargs": "?", "const": rule["bare"]}
    group.add_argument(*names, type=typed(kind), **what)


def typed(kind):
    """int, float or another type as argparse calls it, with the name that its errors use."""

    def make(text):
        return kind(text)

    make.__name__ = {int: "whole number", float: "number"}.get(kind, "text")
    return make


def _optional(hint):
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


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

    def _fill_text(self, text, width, indent):
        """Paragraphs wrapped, but lines that are indented as they are."""
        parts = re.split(r"\n\s*\n", text)
        return "\n\n".join(part if "\n " in part else textwrap.fill(part, width, break_on_hyphens=False)
                           for part in parts)

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
    message = re.sub(r"ignored explicit argument (.*)", r"takes no value, got \1", message)
    message = re.sub(r"the following arguments are required: (.*)", r"\1 must be given", message)
    return message.replace(" expected ", " must have ")

"""The command line of a dataclass: what is typed, what the help says, and one line for what is wrong."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from minirnn.errors import InputError
from minirnn.options import option, read, read_one_of


@dataclass(frozen=True)
class Asked:
    """What was asked."""

    name: str = option(help="of what", positional=True, metavar="NAME", group="what")
    steps: int = option(40, "time steps", group="what")
    seed: int = option(0, "of the draws", group="how")
    rate: float | None = option(None, "or none", group="how")
    scale: str = option("small", "how large", choices=("small", "large"), group="how")
    rows: tuple[str, ...] = option((), "some", metavar="ROW", group="how")
    out: Path | None = option(None, "where to", group="how")
    as_json: bool = option(False, "for programs", name="json", group="how")


EXAMPLES = ("minirnn ask lstm", "minirnn ask gru --steps 3")


def ask(*argv):
    return read(Asked, list(argv), "minirnn ask", "Ask something.\n\nA second paragraph.", EXAMPLES)


def test_what_is_typed_and_what_is_not():
    assert ask("lstm") == Asked("lstm")
    found = ask(*"--steps 3 gru --rate 0.5 --rows a b --json --out x/y --scale large".split())
    assert found == Asked("gru", 3, 0, 0.5, "large", ("a", "b"), Path("x/y"), True)


def test_the_help_has_groups_true_defaults_and_examples(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert ask("--help") is None and ask("lstm", "-h") is None
    shown = capsys.readouterr().out
    assert shown.startswith("usage: minirnn ask NAME [options]\n\nAsk something.\n\nA second paragraph.\n")
    for line in ("what:", "how:", "time steps, default 40", "of the draws, default 0", "how large, default small",
                 "--scale small|large", "--rows ROW [ROW ...]", "  minirnn ask gru --steps 3"):
        assert line in shown, line
    assert "None" not in shown and "()" not in shown and "False" not in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


@pytest.mark.parametrize(("argv", "message"), [
    ([], "ask: NAME must be given"), (["a", "--stps", "3"], "got '--stps'; did you mean --steps?"),
    (["a", "--steps", "x"], "--steps must be a whole number, got 'x'"), (["a", "--steps"], "--steps must have one"),
    (["a", "--rate", "x"], "--rate must be a number, got 'x'"), (["a", "--json=3"], "--json takes no value, got '3'"),
    (["a", "--scale", "smal"], "--scale must be one of small, large, got 'smal'; did you mean small?"),
    (["a", "b"], "option must be one that it has, got 'b'"),
])
def test_one_line_says_what_is_wrong(argv, message):
    with pytest.raises(InputError) as raised:
        ask(*argv)
    assert message in str(raised.value) and "\n" not in str(raised.value)


@dataclass(frozen=True)
class Ask:
    """Ask for one thing. Example: minirnn many ask --steps 2"""

    steps: int = option(1, "how many")


def test_one_of_several_commands(capsys):
    several = lambda *argv: read_one_of({"ask": Ask, "ask-again": Ask}, list(argv), "minirnn many", "Several commands.")
    assert several("ask", "--steps", "2") == ("ask", Ask(2)) and several("--help") == ("", None)
    assert "ask-again  Ask for one thing." in capsys.readouterr().out
    assert several("ask", "--help") == ("ask", None)
    assert "example:\n  minirnn many ask --steps 2" in capsys.readouterr().out
    for argv, message in (((), "one of ask, ask-again, got none"), (("aks",), "got 'aks'; did you mean ask?")):
        with pytest.raises(InputError, match="what to do must be .*") as raised:
            several(*argv)
        assert message in str(raised.value)

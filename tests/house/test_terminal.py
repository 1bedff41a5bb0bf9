"""Colour and links appear on a terminal and nowhere else."""

import io

import pytest

from minirnn import terminal
from minirnn.train.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def colourful(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


REPORT = "x  PASS\n  worst: WRONG\n       held  a claim held (on 3 of 3 seeds)\n   NOT HELD  b\ncannot tell  c"


def test_verdicts_are_coloured_on_a_terminal_only():
    shown = terminal.coloured(REPORT, Terminal())
    assert shown.count(terminal.GOOD) == 2 and shown.count(terminal.BAD) == 2 and shown.count(terminal.OPEN) == 1
    assert "a claim held (on" in shown, "only the verdict itself"
    for colour in (terminal.GOOD, terminal.BAD, terminal.OPEN, terminal.END):
        shown = shown.replace(colour, "")
    assert shown == REPORT == terminal.coloured(REPORT, io.StringIO())


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_no_colour_gets_none(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert terminal.coloured(REPORT, Terminal()) == REPORT


def test_written_pages_have_a_link_on_a_terminal(tmp_path):
    plain, shown = io.StringIO(), Terminal()
    terminal.written("page", tmp_path / "a page.html", plain)
    terminal.written("page", tmp_path / "a page.html", shown)
    assert plain.getvalue() == f"page: {tmp_path / 'a page.html'}\n"
    assert shown.getvalue().splitlines()[1].strip() == (tmp_path / "a page.html").as_uri()
    assert "a%20page.html" in shown.getvalue()


def test_training_shows_the_beginning_of_a_sample_and_obeys_no_character_of_it():
    out = io.StringIO()
    made = {"sample.txt": b"it \x1b[2J writes\n" + b"a" * 400, "figure.png": b"\x89PNG"}
    Progress(3, stream=out, name="run").show(made)
    assert out.getvalue().startswith(r"run sample: it \x1b[2J writes aaa") and out.getvalue().endswith("a ...\n")
    assert out.getvalue().count("\n") == 1 and len(out.getvalue()) < 400
    Progress(3, stream=out, quiet=True).show({"sample.txt": b"more"})
    assert "more" not in out.getvalue()

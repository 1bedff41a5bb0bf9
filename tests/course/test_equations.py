"""Every equation the code or a test cites is derived in a chapter, and the index finds what it should."""

import json

from minirnn.cli import main
from minirnn.course.equations import checkout, cited, collect


def test_every_cited_equation_is_derived_in_a_chapter():
    missing = {n: e.code + e.tests for n, e in collect(checkout()).items() if not e.chapters}
    assert not missing, f"no chapter derives {missing}"


def test_every_derived_equation_is_computed_somewhere():
    idle = {n: e.chapters for n, e in collect(checkout()).items() if not e.code}
    assert not idle, f"no code computes {idle}"


def test_every_computed_equation_is_cited_by_a_test():
    untested = {n: e.code for n, e in collect(checkout()).items() if e.code and not e.tests}
    assert not untested, f"no test cites {untested}"


def test_citations_are_found_with_ranges_and_without_noise():
    text = "h = o * c  # thesis (2.2.6)\nx = f(1.2)\nLSTM, thesis (2.2.4)-(2.2.6) and (3.3.8)\n(2.2.9) alone\n"
    assert cited(text) == [(1, "2.2.6"), (3, "2.2.4"), (3, "2.2.5"), (3, "2.2.6"), (3, "3.3.8")]


def test_the_command_lists_one_equation(capsys):
    assert main(["equations", "2.2.5", "--json"]) == 0
    (equation,) = json.loads(capsys.readouterr().out)
    assert any(place.startswith("minirnn/cells/lstm.py:") for place in equation["code"])
    assert any(chapter.startswith("02d") for chapter in equation["chapters"])
    assert main(["equations", "9.9.9"]) == 2
    assert "no code, test or chapter cites (9.9.9)" in capsys.readouterr().err

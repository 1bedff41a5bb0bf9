"""Every equation the code or a test cites is derived in a chapter, and the index finds what it should."""

import json

import pytest

from minirnn.cli import main
from minirnn.course.equations import SOURCES, checkout, cited, collect, derived
from minirnn.errors import InputError


def test_every_cited_equation_is_derived_in_a_chapter():
    missing = {n: e.code + e.tests for n, e in collect(checkout()).items() if not e.chapters}
    assert not missing, f"no chapter derives {missing}"


def test_every_derived_equation_is_computed_somewhere():
    idle = {n: e.chapters for n, e in collect(checkout()).items() if not e.code and SOURCES[e.source].implemented}
    assert not idle, f"no code computes {idle}"


def test_every_computed_equation_is_cited_by_a_test():
    untested = {n: e.code for n, e in collect(checkout()).items() if e.code and not e.tests}
    assert not untested, f"no test cites {untested}"


def test_citations_are_found_with_ranges_and_without_noise():
    text = "h = o * c  # thesis (2.2.6)\nx = f(1.2)\nLSTM, thesis (2.2.4)-(2.2.6) and (3.3.8)\n(2.2.9) alone\n"
    found = [(1, "2.2.6"), (3, "2.2.4"), (3, "2.2.5"), (3, "2.2.6"), (3, "3.3.8")]
    assert cited(text) == [(line, "thesis", number) for line, number in found]


def test_citations_of_every_source_are_found_and_years_are_not_equations():
    text = ("e = exp(a)  # graves (51)-(53), then thesis (2.1.4)\n"
            "Graves (2013), shape (3): realnvp (7) and (9a), rows (2)\n# speed (G4)\nzforcing loss (5)\n")
    assert cited(text) == [(1, "thesis", "2.1.4"), (1, "graves", "51"), (1, "graves", "52"), (1, "graves", "53"),
                           (2, "realnvp", "7"), (2, "realnvp", "9a"), (3, "speed", "G4")]


def chapter(path, *lines):
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": list(lines)}]}))
    return path


def test_a_chapter_derives_equations_of_several_sources(tmp_path):
    path = chapter(tmp_path / "07.ipynb", r"$$a \tag{4.3.1}$$", r"$$b \tag{graves 51}$$ $$c \tag{G3}$$", r"\tag{4.3.1}")
    assert derived(path) == [("thesis", "4.3.1"), ("graves", "51"), ("speed", "G3")]


def test_a_source_that_nobody_knows_is_refused(tmp_path):
    for tag in (r"\tag{bishop 3}", r"\tag{51}"):
        with pytest.raises(InputError, match=r"the source in 07, .*tag.* must be one of thesis, graves"):
            derived(chapter(tmp_path / "07.ipynb", tag))
    with pytest.raises(InputError, match=r"the source in line 2, # bishop \(3.1\) must be one of .*, got 'bishop'"):
        cited("x = 1  # shape (3, 4)\ny = 2  # bishop (3.1)\n")


def test_a_citation_that_no_chapter_derives_is_in_the_index_without_one(tmp_path):
    for room, text in (("minirnn", "y = x  # zforcing (5)\n"), ("kernels", ""), ("tests", "# graves (1)\n")):
        (tmp_path / room).mkdir()
        (tmp_path / room / "part.py").write_text(text)
    (tmp_path / "chapters").mkdir()
    chapter(tmp_path / "chapters" / "09.ipynb", r"\tag{graves 1} \tag{2.2.5}")
    found = collect(tmp_path)
    assert list(found) == ["2.2.5", "graves 1", "zforcing 5"]
    assert [name for name, e in found.items() if not e.chapters] == ["zforcing 5"]
    assert found["zforcing 5"].code == ["minirnn/part.py:1"] and found["graves 1"].tests == ["tests/part.py:1"]


def test_the_command_lists_one_equation_or_a_source(capsys):
    assert main(["equations", "2.2.5", "--json"]) == 0
    (equation,) = json.loads(capsys.readouterr().out)
    assert any(place.startswith("minirnn/cells/lstm.py:") for place in equation["code"])
    assert any(chapter.startswith("02d") for chapter in equation["chapters"])
    assert main(["equations", "speed", "G4"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("speed: chapter 02g") and "speed (G4)" in shown and "kernels/lstm.py:" in shown
    assert main(["equations", "speed"]) == 0 and capsys.readouterr().out.count("speed (G") == 6
    assert main(["equations", "9.9.9"]) == 2
    assert "no code, test or chapter cites (9.9.9)" in capsys.readouterr().err

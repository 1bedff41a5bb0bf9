"""Every equation the code or a test cites is derived in a chapter, and the index finds what it should."""

import json

import pytest

from minirnn.cli import main
from minirnn.course.equations import SOURCES, Equation, checkout, chosen, cited, collect, derived
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
    assert list(derived(path)) == [("thesis", "4.3.1"), ("graves", "51"), ("speed", "G3")]


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


def test_a_line_is_shown_with_what_it_is_about(tmp_path):
    text = ("# thesis (2.2.4)\ni = sigmoid(a)\nfor j in range(H):  # thesis (2.2.5)\n    c[j] += 1\n"
            'x = 1  # from thesis (2.2.6)\n"""Dropout.\n\nthesis (3.3.1)\n"""\n')
    for room in ("minirnn", "kernels", "tests", "chapters"):
        (tmp_path / room).mkdir()
    (tmp_path / "minirnn" / "part.py").write_text(text)
    lines = {number: next(iter(e.lines.values())) for number, e in collect(tmp_path).items()}
    assert lines == {"2.2.4": "i = sigmoid(a)  # thesis (2.2.4)", "2.2.6": "x = 1  # from thesis (2.2.6)",
                     "2.2.5": "for j in range(H): c[j] += 1  # thesis (2.2.5)", "3.3.1": '"""Dropout. thesis (3.3.1)'}


def test_statements_come_before_what_follows_from_them_and_docstrings_are_none():
    lines = {"b.py:1": "dc = 1  # from thesis (2.2.5)", "a.py:1": '"""The memory, thesis (2.2.5)."""',
             **{place: "c = 2  # thesis (2.2.5)" for place in ("a.py:9", "b.py:8", "b.py:9")}}
    assert Equation("thesis", "2.2.5", list(lines), lines=lines).statements == ["b.py:8", "b.py:9", "a.py:9", "b.py:1"]


def test_a_derivation_has_its_formula_words_section_and_cell(tmp_path):
    text = ("# A title\n\n## Derivation\n\nFirst, $a. B$. Then, e.g. (say) the **gate** opens\nand lets through:\n\n"
            "$$a = b \\tag{4.1.1}$$\n$$c \\tag{4.1.2}$$\n\n### Later `part`\n\n$$d \\tag{4.1.3}$$\n\n"
            "has no words before it. It goes on.\n\n| a | table |\n\n\\begin{align}e \\tag{4.1.4}\\end{align}\n\n"
            "And: \n\n$$f \\tag{4.1.5}$$\n\n```\n### no heading\n$$g \\tag{4.1.6}$$\n```\n")
    cells = [{"cell_type": "code", "source": r"$$x \tag{4.2.1}$$"}, {"cell_type": "markdown", "source": text}]
    path = tmp_path / "07_made.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    found = {number: d for (_, number), d in derived(path).items()}
    assert list(found) == ["4.1.1", "4.1.2", "4.1.3", "4.1.4", "4.1.5"]
    first = "Then, e.g. (say) the **gate** opens and lets through:"
    assert found["4.1.1"] == ("07_made", 2, "A title", "a = b", first)
    assert found["4.1.2"] == ("07_made", 2, "A title", "c", first)
    assert found["4.1.3"] == ("07_made", 2, "Later `part`", "d", "… has no words before it.")
    assert found["4.1.4"].latex == r"\begin{align}e \end{align}" and found["4.1.4"].words == "And:"
    assert found["4.1.5"].words == "And:"


def test_a_file_that_is_no_notebook_is_refused_in_one_line(tmp_path):
    for text in ("{", "[]", "{}"):
        (tmp_path / "07.ipynb").write_text(text)
        with pytest.raises(InputError, match=r"^equations: 07.ipynb is not a notebook$"):
            derived(tmp_path / "07.ipynb")


def test_every_derivation_of_the_chapters_has_a_formula_words_and_a_section():
    for e in collect(checkout()).values():
        for d in e.derivations:
            assert d.latex and d.section and len(d.words) > 10 and "tag{" not in d.latex, (e.cited, d)


def test_equations_are_asked_for_in_the_ways_people_write_them():
    every = {e.name: e for e in (Equation(*pair.split()) for pair in (
        "thesis 2.2.4", "thesis 2.2.5", "thesis 2.2.6", "graves 7", "graves 8", "speed G1", "speed G4"))}
    asked = {"2.2.5": "2.2.5", "(2.2.5)": "2.2.5", "thesis 2.2.5": "2.2.5", "2.2.4-2.2.6": "2.2.4 2.2.5 2.2.6",
             "(2.2.4) - (2.2.5)": "2.2.4 2.2.5", "graves 7 8": "graves_7 graves_8", "graves": "graves_7 graves_8",
             "G4": "speed_G4", "speed G4, 2.2.5": "speed_G4 2.2.5", "2.2.6 2.2.4": "2.2.6 2.2.4",
             "graves speed G1": "graves_7 graves_8 speed_G1"}
    for words, names in asked.items():
        assert list(chosen(every, words.split())) == [name.replace("_", " ") for name in names.split()], words
    refused = {"2.2.55": r"\(2.2.55\); did you mean \(2.2.5\)\?", "7": r"\(7\); did you mean \(graves 7\)\?",
               "g4": r"did you mean \(speed G4\)", "zforcing": "try minirnn equations",
               "graves zforcing": r"\(zforcing\)", "2.2.6-2.2.4": "did you mean",
               "graves 70": r"\(graves 70\); did you mean \(graves 7\)", "2.2.4-x": r"\(x\)", "()": "try minirnn"}
    for words, message in refused.items():
        with pytest.raises(InputError, match="no code, test or chapter cites .*" + message):
            chosen(every, words.split())


def test_the_command_shows_one_equation_with_formula_words_code_and_test(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["equations", "2.2.5"]) == 0
    shown = capsys.readouterr().out
    assert "\n    c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t\n" in shown and "forget gate f" in shown
    assert "chapter 02d_lstm_and_gru, cell " in shown
    place, code = shown[shown.index("minirnn/cells/lstm.py:") :].split("\n")[:2]
    assert code.strip().split("  #")[0] in (checkout() / "minirnn/cells/lstm.py").read_text().splitlines()[
        int(place.split(":")[1]) - 1]
    assert "  test    tests/" in shown and max(map(len, shown.splitlines())) <= 80
    assert main(["equations", "2.2.4", "3.3.6", "speed", "G3"]) == 0
    shown = capsys.readouterr().out
    assert [line for line in shown.splitlines() if line.startswith(("thesis (", "speed ("))] == [
        "thesis (2.2.4)", "thesis (3.3.6)", "speed (G3)"]
    assert "\n    o_t = " in shown and "code    none" in shown and max(map(len, shown.splitlines())) <= 80


def test_the_command_lists_one_equation_or_a_source(capsys):
    assert main(["equations", "2.2.5", "--json"]) == 0
    (equation,) = json.loads(capsys.readouterr().out)
    assert any(place.startswith("minirnn/cells/lstm.py:") for place in equation["code"])
    assert any(chapter.startswith("02d") for chapter in equation["chapters"])
    assert set(equation["lines"]) == {*equation["code"], *equation["tests"]} and equation["name"] == "2.2.5"
    (where,) = (d for d in equation["derivations"] if d["chapter"].startswith("02d"))
    assert where["text"].startswith("c_t = f_t ⊙") and r"\odot" in where["latex"] and where["cell"] > 0
    assert main(["equations", "speed", "G4"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("speed: chapter 02g") and "speed (G4)" in shown and "kernels/lstm.py:" in shown
    assert main(["equations", "speed"]) == 0 and capsys.readouterr().out.count("speed (G") == 6
    assert main(["equations", "9.9.9"]) == 2
    assert "no code, test or chapter cites (9.9.9)" in capsys.readouterr().err


def test_the_listing_stays_short(capsys):
    assert main(["equations"]) == 0
    every = capsys.readouterr().out
    assert "⊙" not in every and "thesis (2.2.5)\n  chapter 02d" in every
    assert main(["equations", "graves"]) == 0
    shown = capsys.readouterr().out
    assert "⊙" not in shown and shown.count("graves (") == 5


def test_help_and_errors_of_the_command(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["equations", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--html [FILE]" in shown and max(map(len, shown.splitlines())) <= 80
    for argv, message in ((["2.2.55"], "cites (2.2.55); did you mean (2.2.5)?"),
                          (["--html", "2.2.5"], "--html must be a FILE that ends in .html, got 2.2.5; an equation"),
                          (["--html", str(tmp_path / "no" / "a.html")], "--html must be in an existing folder"),
                          (["--htm"], "did you mean --html?")):
        assert main(["equations", *argv]) == 2
        err = capsys.readouterr().err
        assert message in err and err.count("\n") == 1, err

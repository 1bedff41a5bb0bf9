"""The formula sheet: one page without network, every equation of every chapter, nothing unescaped."""

import re
import sys
from html.parser import HTMLParser

from minirnn.cli import main
from minirnn.course.derivations import Derivation
from minirnn.course.equations import Equation, checkout, collect
from minirnn.course.sheet import sheet

EMPTY = {"meta", "input", "img", "br", "link"}
OPTIONAL = {"li", "p", "html", "body", "head"}  # whose end may be left out


class Page(HTMLParser):
    """The ids, links and texts of a page, and whether its elements nest."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.open, self.tags, self.words = [], [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.links += [attrs["href"]] if "href" in attrs else []
        assert not any(name.startswith("on") for name in attrs)
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open[-1] != tag:
            assert self.open.pop() in OPTIONAL
        self.open.pop()

    def handle_data(self, data):
        self.words += data


def test_the_sheet_has_every_equation_and_links_that_lead_somewhere(tmp_path, capsys):
    path = tmp_path / "sheet.html"
    assert main(["equations", "--html", str(path)]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"page: {path}\n" and printed.err == ""
    text = path.read_text(encoding="utf-8")
    page, every = Page(text), collect(checkout())
    assert len(set(page.ids)) == len(page.ids)
    assert {f"eq-{name.replace(' ', '-')}" for name in every} <= set(page.ids)
    assert all(link[0] == "#" and link[1:] in page.ids for link in page.links)
    assert page.tags.count("article") == len(every) and page.tags.count("math") >= len(every)
    for e in every.values():
        assert all(place in page.words for place in (*e.code, *e.tests))
    assert not re.search(r"https?://|src=|@import|url\(", text) and "prefers-color-scheme: dark" in text
    assert "@media print" in text and "width=device-width" in text and "<p></p>" not in text


def test_a_sheet_of_one_equation_beside_json_and_under_the_default_name(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["equations", "2.2.5", "--html", "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("[") and printed.err == "page: equations.html\n"
    page = Page((tmp_path / "equations.html").read_text(encoding="utf-8"))
    assert page.tags.count("article") == 1 and "eq-2.2.5" in page.ids
    assert "c_new = " in page.words and "The forget gate" in page.words.replace("\n", " ")


def hostile(words="some <b>words</b>", latex="a < b", section="<i>part</i>", line='x = "<script>"  # thesis (9.1.1)'):
    places = {"minirnn/<a>.py:1": line, "tests/<t>.py:2": line}
    return {"9.1.1": Equation("thesis", "9.1.1", ["minirnn/<a>.py:1"], ["tests/<t>.py:2"], places,
                              [Derivation("07_<x>", 1, section, latex, words)])}


def test_everything_in_the_sheet_is_escaped():
    page = Page(sheet(hostile(), print))
    assert not {"b", "i", "a>", "t", "x"} & set(page.tags) and page.tags.count("script") == 1
    for text in ("some <b>words</b>", "<i>part</i>", 'x = "<script>"', "minirnn/<a>.py:1", "tests/<t>.py:2", "07_<x>"):
        assert text in page.words


def test_a_formula_that_cannot_be_converted_stands_as_latex_and_is_told():
    told = []
    page = Page(sheet(hostile(latex=r"\foo{<}", words=r"as $\bar$ $"), told.append))
    assert r"\foo{<}" in page.words and len(told) == 2
    assert told[0].startswith(r"equations: thesis (9.1.1): '\\foo{<}' is shown as LaTeX: latex2mathml")


def test_without_the_library_nothing_is_written_and_the_text_form_works(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "latex2mathml.converter", None)
    assert main(["equations", "--html", str(tmp_path / "a.html")]) == 2
    assert capsys.readouterr().err == "minirnn: equations: latex2mathml is not installed; install minirnn[course]\n"
    assert not list(tmp_path.iterdir())
    assert main(["equations", "2.2.5"]) == 0 and "⊙" in capsys.readouterr().out


def test_words_that_two_equations_share_are_hidden_in_the_second_and_no_chapter_is_said():
    first, second = hostile()["9.1.1"], hostile()["9.1.1"]
    second.number, lost = "9.1.2", Equation("graves", "3")
    text = sheet({"9.1.1": first, "9.1.2": second, "graves 3": lost}, print)
    assert text.count("<p class=again>") == 1 and "In no chapter" in text and "eq-graves-3" in text

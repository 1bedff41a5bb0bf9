"""The one writer of HTML pages, and the three pages it writes: well formed, readable on a telephone, light and dark."""

import re
from html.parser import HTMLParser

import pytest

from minirnn.gradcheck import report, suite
from minirnn.inspect.page import page as microscope_page
from minirnn.inspect.specimen import inspect_cell
from minirnn.plots import figure, png
from minirnn.plots.page import STYLE, Section, page, picture, table, text

VOID = {"meta", "img", "input", "br"}
CLOSED_BY_ITSELF = {"td", "th", "tr", "option"}


class Tree(HTMLParser):
    """Raises for a tag that is closed and was not open; ``seen`` are the tags with their attributes."""

    def __init__(self, source):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(source)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in VOID | CLOSED_BY_ITSELF:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert tag in CLOSED_BY_ITSELF or self.open.pop() == tag, tag


def pages():
    """{name: the file} of all that minirnn writes."""
    row = suite.named("tanh")[0].run()
    return {
        "plain": page("A < B", [Section("One &amp; two", text("x < y") + table(["n"], [[("n", "<3>")]]), "one")]),
        "report": report._page([row], {"tanh": (row.parts[0].finding, png(figure(2, 1)))}, "1 of 1 PASS & more"),
        "microscope": microscope_page(inspect_cell("rnn", hidden=2, steps=3, batch=1)),
    }


@pytest.fixture(scope="module")
def written():
    return pages()


@pytest.mark.parametrize("name", ["plain", "report", "microscope"])
def test_a_page_is_well_formed_and_needs_nothing_from_outside(name, written):
    source = written[name]
    seen = Tree(source).seen
    assert source.startswith("<!doctype html>\n<html lang=en>") and source.count("<h1>") == 1
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in seen
    links = [v for _, attributes in seen for k, v in attributes.items() if k in ("src", "href")]
    assert all(link.startswith("data:") for link in links) and "@import" not in source and "url(" not in source


@pytest.mark.parametrize("name", ["plain", "report", "microscope"])
def test_a_page_follows_the_system_into_the_dark_with_one_palette(name, written):
    style = written[name].split("<style>")[1].split("</style>")[0]
    assert style.startswith(STYLE) and style.count("prefers-color-scheme: dark") == 1
    light, dark = (set(re.findall(r"(--\w+):", part)) for part in STYLE.split("@media", 1))
    assert light == dark  # every colour has its counterpart
    assert set(re.findall(r"var\((--\w+)\)", written[name])) <= light
    plain = style.replace(STYLE, "")
    assert not re.search(r"#[0-9a-f]{3,6}\b", plain), "a colour beside the palette"


def test_what_is_wide_scrolls_in_its_own_box_at_400_pixels():
    for rule in ("img { max-width: 100%", ".wide { overflow-x: auto }", "overflow-x: auto; font-size"):
        assert rule in STYLE
    assert "width: 68rem" not in STYLE.replace("max-width: 68rem", "")
    assert table(["a"], [["1"]]).startswith("<div class=wide><table>")


def test_text_is_text_whatever_it_holds():
    source = page("<b>", [Section("h", text("<i> & </pre>") + picture(b"\x89PNG", 'say "hi"'))])
    assert "<title>&lt;b&gt;</title>" in source and "<pre>&lt;i&gt; &amp; &lt;/pre&gt;</pre>" in source
    assert 'alt="say &quot;hi&quot;"' in source and Tree(source).seen[-1][0] == "img"

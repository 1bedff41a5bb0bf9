"""Where chapters derive equations: the formula, the words that introduce it, the cell and section it stands in."""

import json
import re
from pathlib import Path
from typing import NamedTuple

from minirnn.errors import InputError

_TAG = re.compile(r"\\tag\{(?:(\w+) )?([^ }]+)\}")
_DISPLAY = re.compile(r"\$\$.*?\$\$|\\begin\{((?:align|equation|gather)\*?)\}.*?\\end\{\1\}", re.S)
_FENCED = re.compile(r"^```.*?^```", re.S | re.M)
_HEADING = re.compile(r"^(#+) +(.*)$", re.M)
_KEPT = re.compile(r"\$[^$]+\$|`[^`]+`|\*\*[^*]+\*\*")  # no sentence ends inside
_ENDS = re.compile(r"(?<!e\.g)(?<!i\.e)(?<!cf)(?<!vs)(?<!Eq)[.!?][)*]*\s+(?=[A-Z(\x00])")


class Derivation(NamedTuple):
    """One place: the chapter, its cell (from 1), the section, the LaTeX without its tag, the words as Markdown."""

    chapter: str
    cell: int
    section: str
    latex: str
    words: str


def derivations(notebook):
    """[(source or None, number, Derivation)] of every tag in a chapter's markdown, in order; InputError for another
    file.
    """
    chapter, found, title, section = Path(notebook).stem, [], "", ""
    try:
        cells = json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError, TypeError):
        raise InputError(f"equations: {Path(notebook).name} is not a notebook") from None
    for place, cell in enumerate(cells, 1):
        if cell["cell_type"] != "markdown":
            continue
        text = _FENCED.sub(lambda fence: " " * len(fence[0]), "".join(cell["source"]))
        displays = list(_DISPLAY.finditer(text))
        headings = list(_HEADING.finditer(text))
        title = title or next((h[2].strip() for h in headings if h[1] == "#"), "")
        for tag in _TAG.finditer(text):
            display = next((d for d in displays if d.start() < tag.start() < d.end()), None)
            section_here = _section(title, section, [h for h in headings if h.start() < tag.start()])
            latex = _bare(display[0]) if display else ""
            words = _words(text, displays, display) if display else ""
            found.append((tag[1], tag[2], Derivation(chapter, place, section_here, latex, words or section_here)))
        section = _section(title, section, headings)
    return found


def _section(title, section, headings):
    """The heading of the third level or lower under which something stands, else the chapter's title."""
    for heading in headings:
        section = heading[2].strip() if len(heading[1]) > 2 else title
    return section or title


def _bare(display):
    """A formula without its tags and the marks around it."""
    text = _TAG.sub("", display).strip()
    return (text[2:-2] if text.startswith("$$") else text).strip()


def _words(text, displays, display):
    """The sentence before a formula and those directly above it; where there is none, the one behind."""
    start, end = display.start(), display.end()
    for other in reversed(displays):
        if other.end() <= start and not text[other.end() : start].strip():
            start = other.start()
    for other in displays:
        if other.start() >= end and not text[end : other.start()].strip():
            end = other.end()
    sentences = _sentences(text[:start].rstrip().split("\n\n")[-1])
    if sentences:
        words = sentences[-1] if len(sentences[-1].split()) > 3 else " ".join(sentences[-2:])
    else:
        words = next(iter(_sentences(text[end:].lstrip().split("\n\n")[0])), "")
    return f"… {words}" if words[:1].islower() else words


def _sentences(paragraph):
    """The sentences of a paragraph of prose; of a table, a heading or HTML none."""
    lines = [line for line in paragraph.strip().split("\n") if not line.startswith("#")]
    if not lines or lines[0].startswith(("|", "<", "$$")):
        return []
    text = " ".join(" ".join(re.sub(r"^(?:[-*>]|\d+\.) +", "", line.strip()) for line in lines).split())
    kept = _KEPT.findall(text)
    marked = _KEPT.sub("\x00", text)
    ends = [0, *(end.end() for end in _ENDS.finditer(marked)), len(marked)]
    rest = iter(kept)
    pieces = [marked[a:b].strip() for a, b in zip(ends, ends[1:])]
    return [re.sub("\x00", lambda _: next(rest), piece) for piece in pieces if piece]

"""``minirnn equations``: each equation with its code lines, its tests and its chapter; as text, JSON or one page."""

import json
import shutil
import sys
import textwrap
from dataclasses import asdict, dataclass
from pathlib import Path

from minirnn.course.equations import SOURCES, checkout, chosen, collect
from minirnn.course.formula import plain
from minirnn.course.prose import as_text
from minirnn.course.sheet import sheet
from minirnn.errors import InputError, must_be, say
from minirnn.files import check_writable, write_atomically
from minirnn.options import option, read
from minirnn.terminal import written


@dataclass(frozen=True)
class Options:
    """Show equations of the sources: the formula, the words that introduce it, and where it is derived, computed and
    tested. Without an EQUATION, or with a source alone, list where each is.

    Exit status 1 when a cited equation has no chapter.
    """

    name: tuple[str, ...] = option((), "2.2.5 of the thesis, speed G4 of another source, 2.2.4-2.2.6 for several, or "
                                   "all of a source, speed; all when left out", metavar="EQUATION", positional=True)
    html: Path | None = option(None, "write the formula sheet, one page with MathML; equations.html when FILE is left "
                               "out", metavar="FILE", bare=Path("equations.html"))
    json: bool = option(False, "print JSON for a program to read")


def main(argv):
    options = read(Options, argv, "minirnn equations", Options.__doc__,
                   ("minirnn equations 2.2.5", "minirnn equations speed G4", "minirnn equations --html"))
    if options is None:
        return 0
    if options.html and options.html.suffix != ".html":
        cause = "an equation stands before the option, as in minirnn equations 2.2.5 --html"
        raise InputError(must_be("equations", "--html", "a FILE that ends in .html", options.html, cause))
    every = collect(checkout())
    equations = chosen(every, options.name) if options.name else every
    if options.html:
        check_writable(options.html, "equations", "--html")
        write_atomically(options.html, sheet(equations, say).encode())
        written("page", options.html, sys.stderr if options.json else sys.stdout)
    if options.json:
        print(json.dumps([_facts(e) for e in equations.values()], indent=2, ensure_ascii=False))
    elif not options.html:
        whole = any(word not in SOURCES for word in options.name)
        _print(equations, _shown if whole else _listed)
    return 1 if any(not e.chapters for e in equations.values()) else 0


def _facts(equation):
    """All that is known of an equation, for JSON."""
    places = [d._asdict() | {"text": plain(d.latex), "words": as_text(d.words)} for d in equation.derivations]
    return asdict(equation) | {"name": equation.name, "chapters": equation.chapters, "statements": equation.statements,
                               "derivations": places}


def _print(equations, form):
    source = None
    for e in equations.values():
        if e.source != source:
            source = e.source
            print(_wrapped(f"{source}: {SOURCES[source].title}", "", "  "))
        print("\n".join(form(e)))


def _listed(e):
    """The short form: the places alone, a line each of chapters, code and tests."""
    yield e.cited
    for name, places in (("chapter", e.chapters), ("code", e.code), ("test", e.tests)):
        yield f"  {name:<8}{_shortened(places)}"


def _shown(e):
    """The long form: formula, words, section and cell, every line that computes it, the places that name it."""
    yield f"\n{e.cited}"
    for d in e.derivations:
        yield from ("", *(_wrapped(line, "    ", "      ") for line in plain(d.latex).split("\n") if line), "")
        if d.words != d.section:
            yield _wrapped(as_text(d.words), "  ", "  ")
        yield _wrapped(f"  chapter {d.chapter}, cell {d.cell}: {as_text(d.section)}", "", " " * 10)
    computed = e.statements or e.code
    for i, place in enumerate(computed):
        yield f"  {'' if i else 'code':<8}{place}"
        yield f"{'':<12}{_cut(e.lines[place], _width() - 12)}"
    for name, places in (("code", [] if computed else ["none"]), ("named", [p for p in e.code if p not in computed]),
                         ("test", e.tests or ["none"])):
        if places:
            yield _wrapped(f"  {name:<8}{_shortened(places)}", "", " " * 10)


def _cut(text, width):
    """A line of code in a width: where it is longer its comment goes first, then its end."""
    text = text if len(text) <= width else text.partition("  #")[0]
    return text if len(text) <= width else f"{text[: width - 4]} ..."


def _width():
    return min(100, shutil.get_terminal_size((80, 24)).columns)


def _wrapped(text, first, others):
    return textwrap.fill(text, _width(), initial_indent=first, subsequent_indent=others, break_on_hyphens=False,
                         break_long_words=False)


def _shortened(places):
    """Places of one file joined: a.py:3,7 b.py:1; "none" when there is none."""
    files = {}
    for place in places:
        name, _, line = place.partition(":")
        files.setdefault(name, []).append(line)
    return "  ".join(name + (":" + ",".join(lines) if lines[0] else "") for name, lines in files.items()) or "none"

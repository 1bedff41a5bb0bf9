"""Where each equation of the sources lives: the code that computes it, the tests that cite it, its chapter.

Code and tests cite an equation by its source, ``thesis (2.2.5)``, ``graves (51)``; a chapter derives it where it says
``\\tag{2.2.5}``, ``\\tag{graves 51}``.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import minirnn
from minirnn.errors import InputError, must_be


class Source(NamedTuple):
    """What a source is, how it numbers, and whether each of its derived equations has a line of code."""

    title: str
    numbers: str = r"\d{1,3}[a-z]?"  # a year is no equation: graves (2013)
    implemented: bool = True


SOURCES = {
    "thesis": Source("S. Semeniuta, Recurrent Neural Networks for Discriminative and Generative Learning, 2019",
                     r"\d+\.\d+(?:\.\d+)?"),
    "graves": Source("A. Graves, Generating Sequences With Recurrent Neural Networks, 2013"),
    "zforcing": Source("A. Goyal et al., Z-Forcing: Training Stochastic Recurrent Networks, 2017"),
    "realnvp": Source("L. Dinh et al., Density Estimation Using Real NVP, 2016"),
    "advtext": Source("T. Miyato et al., Adversarial Training Methods for Semi-Supervised Text Classification, 2016"),
    "innerattn": Source("Y. Liu et al., Learning Natural Language Inference using ... Inner-Attention, 2016"),
    "bigan": Source("J. Donahue et al., Adversarial Feature Learning, 2016"),
    "slides": Source("E. Lobacheva, Recurrent neural networks, lecture slides"),
    "notes": Source("V. Bhaip, RNN Advancements, lecture notes, 2018"),
    "speed": Source("chapter 02g, making it fast; bounds such as the roof (G2) are for reasoning", r"G\d+", False),
}

_TO = r"\s*(?:-|to)\s*"
_CITED = {name: re.compile(rf"\(({source.numbers})\)(?:{_TO}\(({source.numbers})\))?")
          for name, source in SOURCES.items()}
# the thesis's numbers are unlike all others and may follow anywhere in the line, other sources' at once
_MENTION = {name: re.compile(rf"\b[{name[0].upper()}{name[0]}]{name[1:]}\b" + (
    r"[^\n]*" if name == "thesis" else rf"\s*\({source.numbers}\)(?:(?:,|\s+and|{_TO})\s*\({source.numbers}\))*"))
    for name, source in SOURCES.items()}
_TAG = re.compile(r"\\tag\{(?:(\w+) )?([^ }]+)\}")
_COMMENT = re.compile(r"#\s*(\w+) \([A-Z]?\d[\d.]{0,5}[a-z]?\)\s*$", re.MULTILINE)


@dataclass
class Equation:
    """One equation: its source and number, and the places, "file:line" or chapter names, of code, test, derivation."""

    source: str
    number: str
    code: list = field(default_factory=list)
    tests: list = field(default_factory=list)
    chapters: list = field(default_factory=list)

    @property
    def name(self):
        """"2.2.5" of the thesis, "graves 51" of any other."""
        return self.number if self.source == "thesis" else f"{self.source} {self.number}"


def checkout():
    """The folder that holds minirnn/, kernels/, chapters/ and tests/; InputError when this is no checkout."""
    folder = Path(minirnn.__file__).parent.parent
    if not (folder / "chapters").is_dir():
        raise InputError("equations: the chapters are not part of an installed package; run this in a clone of minirnn")
    return folder


def _between(first, last):
    """The equations of "(2.2.4)-(2.2.6)": the last part counts up."""
    (head, start), (other, end) = (re.fullmatch(r"(.*?)(\d+)[a-z]?", number).groups() for number in (first, last))
    return [first, last] if head != other else [f"{head}{n}" for n in range(int(start), int(end) + 1)]


def _known(source, where):
    if source not in SOURCES:
        raise InputError(must_be("equations", f"the source in {where}", f"one of {', '.join(SOURCES)}", repr(source)))
    return source


def cited(text):
    """[(line number, source, equation)] of every citation in a source text, ranges written out.

    cited("h = o * c  # thesis (2.2.6)") is [(1, "thesis", "2.2.6")]. InputError for a comment that cites an equation of
    no known source, as in "# nobody (3)".
    """
    found = []
    for place, line in enumerate(text.splitlines(), 1):
        for comment in _COMMENT.finditer(line):
            _known(comment[1].lower(), f"line {place}, {comment[0].strip()}")
        for source, mentions in _MENTION.items():
            for mention in mentions.findall(line):
                for first, last in _CITED[source].findall(mention):
                    numbers = _between(first, last) if last else [first]
                    found += [(place, source, number) for number in numbers]
    return found


def derived(notebook):
    """(source, equation) of all that a chapter's markdown derives, in order.

    A tag without a source is of the one that numbers so, G4 chapter 02g's; InputError for a source nobody knows.
    """
    cells = json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    found = []
    for tag in _TAG.finditer(text):
        plain = (name for name in ("thesis", "speed") if re.fullmatch(SOURCES[name].numbers, tag[2]))
        found.append((_known(tag[1] or next(plain, tag[2]), f"{Path(notebook).stem}, {tag[0]}"), tag[2]))
    return list(dict.fromkeys(found))


def collect(folder):
    """{name: Equation} of a checkout, source by source, in order of number."""
    folder, equations = Path(folder), {}

    def entry(source, number):
        new = Equation(source, number)
        return equations.setdefault(new.name, new)

    for room, kind in (("minirnn", "code"), ("kernels", "code"), ("tests", "tests")):
        for path in sorted((folder / room).rglob("*.py")):
            if path.name != "equations.py" and path.name != "test_equations.py":
                for line, source, number in cited(path.read_text(encoding="utf-8")):
                    getattr(entry(source, number), kind).append(f"{path.relative_to(folder).as_posix()}:{line}")
    for path in sorted((folder / "chapters").glob("*.ipynb")):
        for source, number in derived(path):
            entry(source, number).chapters.append(path.stem)
    order = list(SOURCES)
    place = lambda e: (order.index(e.source), [int(n) for n in re.findall(r"\d+", e.number)], e.number)
    return {e.name: e for e in sorted(equations.values(), key=place)}

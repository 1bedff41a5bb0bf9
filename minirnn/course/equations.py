"""Where each equation of the sources lives: the code that computes it, the tests that cite it, its chapter.

Code and tests cite an equation by its source, ``thesis (2.2.5)``, ``graves (51)``; a chapter derives it where it says
``\\tag{2.2.5}``, ``\\tag{graves 51}``.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import minirnn
from minirnn.course.derivations import derivations
from minirnn.errors import InputError, must_be, near


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

EXAMPLES = ("equations.py", "test_equations.py", "test_sheet.py")  # what they cite is made up

_TO = r"\s*(?:-|to)\s*"
_CITED = {name: re.compile(rf"\(({source.numbers})\)(?:{_TO}\(({source.numbers})\))?")
          for name, source in SOURCES.items()}
# the thesis's numbers are unlike all others and may follow anywhere in the line, other sources' at once
_MENTION = {name: re.compile(rf"\b[{name[0].upper()}{name[0]}]{name[1:]}\b" + (
    r"[^\n]*" if name == "thesis" else rf"\s*\({source.numbers}\)(?:(?:,|\s+and|{_TO})\s*\({source.numbers}\))*"))
    for name, source in SOURCES.items()}
_ALONE = re.compile(r"\w+ \([\w.]+\)\W*")
_COMMENT = re.compile(r"#\s*(\w+) \([A-Z]?\d[\d.]{0,5}[a-z]?\)\s*$", re.MULTILINE)


@dataclass
class Equation:
    """One equation: its source and number, the places, "file:line", of code and tests, and {place: that line}; and the
    Derivations of the chapters.
    """

    source: str
    number: str
    code: list = field(default_factory=list)
    tests: list = field(default_factory=list)
    lines: dict = field(default_factory=dict)
    derivations: list = field(default_factory=list)

    @property
    def name(self):
        """"2.2.5" of the thesis, "graves 51" of any other."""
        return self.number if self.source == "thesis" else f"{self.source} {self.number}"

    @property
    def cited(self):
        """As code, tests and texts cite it: "thesis (2.2.5)"."""
        return f"{self.source} ({self.number})"

    @property
    def chapters(self):
        """The chapters that derive it."""
        return [d.chapter for d in self.derivations]

    @property
    def statements(self):
        """The places in code that compute it, where a comment cites it and no docstring; what follows "from" it, and
        files that speak less of it, come last.
        """
        before = {place: self.lines[place].partition(f"({self.number})")[0] for place in self.code}
        files = [place.split(":")[0] for place in self.code]
        rank = lambda place: (before[place].endswith(f"from {self.source} "), -files.count(place.split(":")[0]))
        return sorted((place for place in self.code if "#" in before[place]), key=rank)


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
    found, lower = [], text.lower()
    mentioned = [(source, mentions) for source, mentions in _MENTION.items() if source in lower]
    for place, line in enumerate(text.splitlines(), 1):
        for comment in _COMMENT.finditer(line):
            _known(comment[1].lower(), f"line {place}, {comment[0].strip()}")
        for source, mentions in mentioned:
            for mention in mentions.findall(line):
                for first, last in _CITED[source].findall(mention):
                    numbers = _between(first, last) if last else [first]
                    found += [(place, source, number) for number in numbers]
    return found


def derived(notebook):
    """{(source, equation): Derivation} of all that a chapter's markdown derives, in order.

    A tag without a source is of the one that numbers so, G4 chapter 02g's; InputError for a source nobody knows.
    """
    found = {}
    for source, number, derivation in derivations(notebook):
        source = source or next(iter(_numbering(number)), number)
        found.setdefault((_known(source, f"{derivation.chapter}, \\tag{{{number}}}"), number), derivation)
    return found


def _numbering(number):
    """The sources of which a number is without being told: 2.2.5 and G4 are of one, 7 of none."""
    return [name for name in ("thesis", "speed") if re.fullmatch(SOURCES[name].numbers, number)]


def collect(folder):
    """{name: Equation} of a checkout, source by source, in order of number."""
    folder, equations = Path(folder), {}

    def entry(source, number):
        new = Equation(source, number)
        return equations.setdefault(new.name, new)

    for room, kind in (("minirnn", "code"), ("kernels", "code"), ("tests", "tests")):
        for path in sorted((folder / room).rglob("*.py")):
            if path.name not in EXAMPLES:
                text = path.read_text(encoding="utf-8")
                lines = text.splitlines()
                for line, source, number in cited(text):
                    place, found = f"{path.relative_to(folder).as_posix()}:{line}", entry(source, number)
                    getattr(found, kind).append(place)
                    found.lines[place] = _whole(lines, line)
    for path in sorted((folder / "chapters").glob("*.ipynb")):
        for (source, number), derivation in derived(path).items():
            entry(source, number).derivations.append(derivation)
    order = list(SOURCES)
    place = lambda e: (order.index(e.source), [int(n) for n in re.findall(r"\d+", e.number)], e.number)
    return {e.name: e for e in sorted(equations.values(), key=place)}


def _whole(lines, number):
    """A line of a file; a comment that stands alone with the line it is about, the head of a loop with the next;
    a citation that stands alone with what is before it.
    """
    line = lines[number - 1].strip()
    code, mark, comment = line.partition("#")
    if not code or mark and code.rstrip().endswith(":"):
        after = next((text.strip() for text in lines[number:] if not text.strip().startswith("#")), "")
        return f"{code.rstrip()} {after}  {mark}{comment}".strip()
    if _ALONE.fullmatch(line):
        return f"{next((text.strip() for text in reversed(lines[: number - 1]) if text.strip()), '')} {line}".strip()
    return line


def chosen(equations, words):
    """Those of ``equations`` {name: Equation} that words ask for: ["2.2.4-2.2.6", "speed", "G4"], in that order.

    A source's name holds for the numbers behind it, and alone it is all of the source's. InputError with near names for
    what is not there.
    """
    text = re.sub(r"\s*-\s*", "-", re.sub(r"[(),]", " ", " ".join(words)))
    found, names, asked, source = [], list(equations), text.split(), None
    for word, after in zip(asked, [*asked[1:], None]):
        if word not in SOURCES:
            ends = [names.index(_named(equations, source, number)) for number in word.split("-")]
            found += names[ends[0] : ends[-1] + 1]
            continue
        source = word
        if after is None or after in SOURCES:
            found += [name for name in names if equations[name].source == source] or _missing(equations, source)
    return {name: equations[name] for name in found or _missing(equations, text.strip())}


def _named(equations, source, number):
    """The name under which a number is in the index, as ``source`` numbers or else as the one that numbers so."""
    if not source or not re.fullmatch(SOURCES[source].numbers, number):
        source = next(iter(_numbering(number)), source or "thesis")
    name = Equation(source, number).name
    return name if name in equations else _missing(equations, name)


def _missing(equations, name):
    others = [e.name for e in equations.values() if e.number.lower() == name.lower()]
    hint = f"did you mean {' or '.join(others)}?" if others else near(name, equations)
    hint = re.sub("mean (.*)[?]", r"mean (\1)?", hint) or "try minirnn equations"
    raise InputError(f"equations: no code, test or chapter cites ({name}); {hint}")

"""Where each equation of the sources lives: the code that computes it, the tests that cite it, its chapter.

Code and tests cite an equation as ``thesis (2.2.5)``; a chapter derives it where it says ``\\tag{2.2.5}``.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import minirnn
from minirnn.errors import InputError

_NUMBER = r"\d+\.\d+(?:\.\d+)?"
_CITED = re.compile(rf"\(({_NUMBER})\)(?:\s*(?:-|to)\s*\(({_NUMBER})\))?")
_MENTION = re.compile(r"[Tt]hesis\b[^\n]*")
_TAG = re.compile(rf"\\tag\{{({_NUMBER})\}}")


@dataclass
class Equation:
    """One equation: its number and the places, "file:line" or chapter names, that compute, test and derive it."""

    number: str
    code: list = field(default_factory=list)
    tests: list = field(default_factory=list)
    chapters: list = field(default_factory=list)


def checkout():
    """The folder that holds minirnn/, kernels/, chapters/ and tests/; InputError when this is no checkout."""
    folder = Path(minirnn.__file__).parent.parent
    if not (folder / "chapters").is_dir():
        raise InputError("equations: the chapters are not part of an installed package; run this in a clone of minirnn")
    return folder


def _between(first, last):
    """The equations of "(2.2.4)-(2.2.6)": the last part counts up."""
    head, start = first.rsplit(".", 1)
    other, end = last.rsplit(".", 1)
    return [first, last] if head != other else [f"{head}.{n}" for n in range(int(start), int(end) + 1)]


def cited(text):
    """[(line number, equation)] of every citation in a source text, ranges written out."""
    found = []
    for place, line in enumerate(text.splitlines(), 1):
        for mention in _MENTION.findall(line):
            for first, last in _CITED.findall(mention):
                found += [(place, number) for number in (_between(first, last) if last else [first])]
    return found


def derived(notebook):
    """The equations a chapter's markdown derives, in order."""
    cells = json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return list(dict.fromkeys(_TAG.findall(text)))


def collect(folder):
    """{number: Equation} of a checkout, in order of number."""
    folder, equations = Path(folder), {}

    def entry(number):
        return equations.setdefault(number, Equation(number))

    for room, kind in (("minirnn", "code"), ("kernels", "code"), ("tests", "tests")):
        for path in sorted((folder / room).rglob("*.py")):
            if path.name != "equations.py" and path.name != "test_equations.py":
                for line, number in cited(path.read_text(encoding="utf-8")):
                    getattr(entry(number), kind).append(f"{path.relative_to(folder).as_posix()}:{line}")
    for path in sorted((folder / "chapters").glob("*.ipynb")):
        for number in derived(path):
            entry(number).chapters.append(path.stem)
    return dict(sorted(equations.items(), key=lambda item: [int(n) for n in item[0].split(".")]))

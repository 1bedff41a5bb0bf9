"""``minirnn equations``: each equation with its code lines, its tests and its chapter."""

import json
from dataclasses import asdict, dataclass
from typing import Annotated

import tyro

from minirnn.course.equations import checkout, collect
from minirnn.errors import InputError


@dataclass(frozen=True)
class Options:
    """List every equation of the sources that the code implements: where it is computed, tested and derived.

    Exit status 1 when a cited equation has no chapter. Example: minirnn equations 2.2.5
    """

    number: Annotated[str | None, tyro.conf.Positional] = None
    """One equation, such as 2.2.5; all when left out."""
    json: bool = False
    """Print JSON."""


def main(argv):
    options = tyro.cli(Options, prog="minirnn equations", args=argv)
    equations = collect(checkout())
    if options.number is not None:
        if options.number not in equations:
            raise InputError(f"equations: no code, test or chapter cites ({options.number}); try minirnn equations")
        equations = {options.number: equations[options.number]}
    if options.json:
        print(json.dumps([asdict(e) for e in equations.values()], indent=2))
    else:
        for e in equations.values():
            print(f"({e.number})")
            for name, places in (("chapter", e.chapters), ("code", e.code), ("test", e.tests)):
                print(f"  {name:<8}{_shortened(places)}")
    return 1 if any(not e.chapters for e in equations.values()) else 0


def _shortened(places):
    """Places of one file joined: a.py:3,7 b.py:1; "none" when there is none."""
    files = {}
    for place in places:
        name, _, line = place.partition(":")
        files.setdefault(name, []).append(line)
    return "  ".join(name + (":" + ",".join(lines) if lines[0] else "") for name, lines in files.items()) or "none"

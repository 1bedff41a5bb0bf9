"""``minirnn equations``: each equation with its code lines, its tests and its chapter."""

import json
from dataclasses import asdict, dataclass

from minirnn.course.equations import SOURCES, checkout, collect
from minirnn.errors import InputError
from minirnn.options import option, read


@dataclass(frozen=True)
class Options:
    """List every equation of the sources that the code implements: where it is computed, tested and derived.

    Exit status 1 when a cited equation has no chapter.
    """

    name: tuple[str, ...] = option((), "one equation, 2.2.5 of the thesis or speed G4 of another source, or all of a "
                                   "source, speed; all when left out", metavar="EQUATION", positional=True)
    json: bool = option(False, "print JSON for a program to read")


def main(argv):
    options = read(Options, argv, "minirnn equations", Options.__doc__,
                   ("minirnn equations 2.2.5", "minirnn equations speed G4"))
    if options is None:
        return 0
    equations = collect(checkout())
    if options.name:
        asked = " ".join(options.name).removeprefix("thesis ")
        equations = {name: e for name, e in equations.items() if asked in (name, e.source)}
        if not equations:
            raise InputError(f"equations: no code, test or chapter cites ({asked}); try minirnn equations")
    if options.json:
        print(json.dumps([asdict(e) for e in equations.values()], indent=2))
    else:
        source = None
        for e in equations.values():
            if e.source != source:
                source = e.source
                print(f"{source}: {SOURCES[source].title}")
            print(f"{source} ({e.number})")
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

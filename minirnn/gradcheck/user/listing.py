"""What could be checked in a file, and the command for each: ``minirnn gradcheck own.py``."""

from dataclasses import asdict, dataclass
from pathlib import Path

from minirnn.gradcheck.user.arguments import parameters, required
from minirnn.gradcheck.user.names import CACHE
from minirnn.gradcheck.user.objects import SIZES
from minirnn.gradcheck.user.pairs import methods_of, partner
from minirnn.gradcheck.user.roles import C as MEMORY
from minirnn.gradcheck.user.roles import H as HIDDEN
from minirnn.gradcheck.user.running import Watch
from minirnn.gradcheck.user.source import load

CELLS = {"lstm": "lstm", "gru": "gru", "rnn": "rnn"}  # words in a name that leave no doubt


@dataclass(frozen=True)
class Candidate:
    """A pair of functions or a class of a file, and the command that checks it; ``missing``: what has to be filled in.
    """

    what: str
    command: str
    missing: str = ""


def candidates(file, seconds):
    """([Candidate] of a file, notes about how it ran). Raises InputError for a file that does not run."""
    with Watch(seconds) as watch:
        source = load(file, (), watch)
    own, found = source.own, []
    inputs = callable(getattr(source.module, "inputs", None))
    taken = set()
    for name, thing in own.items():
        if isinstance(thing, type):
            if methods_of(thing):
                found.append(_class(file, name, thing, inputs))
        elif (other := partner(name, own)) and not isinstance(own[other], type) and name not in taken:
            taken.add(other)
            found.append(_pair(file, name, other, own, inputs))
    return found, source.notes


def _pair(file, name, other, own, inputs):
    arguments, rest = parameters(own[name])
    wants = required(own[other])
    saved = any(CACHE.fullmatch(p) for p in wants) and not any(CACHE.fullmatch(p) for p in arguments)
    said, needed = f"{Path(file).stem} {name}" if name == "forward" else name, required(own[name])
    options, missing = _options(said, len(wants) + len(arguments) > 4, [a for a in arguments if a in needed], rest,
                                inputs)
    command = f"minirnn gradcheck {file}:{name},{other}" + " --saved" * saved + options
    return Candidate(f"{name}, {other}", command, missing)


def _class(file, name, kind, inputs):
    forward, backward = methods_of(kind)
    arguments, rest = parameters(getattr(kind, forward))
    wants = required(kind) if not all(any(p.fullmatch(n) for p in SIZES.values()) for n in required(kind)) else []
    options, missing = _options(name, True, arguments[1:], rest, inputs)
    usual = forward in ("forward", "__call__") and backward == "backward"
    target = name if usual else f"{name}.{forward},{name}.{backward}"
    missing = ", and ".join([missing] * bool(missing) + [f"{', '.join(wants)} of the constructor"] * bool(wants))
    return Candidate(f"class {name}: {forward}, {backward}",
                     f"minirnn gradcheck {file}:{target}{options}" + " --init '...'" * bool(wants), missing)


def _options(name, many, arguments, rest, inputs):
    """(the options of a command, what has to be filled in)."""
    cell = next((c for word, c in CELLS.items() if word in name.lower()), None)
    if len(arguments) > 2 and HIDDEN.fullmatch(arguments[1]) and MEMORY.fullmatch(arguments[2]):
        cell, many = "lstm", True  # x, h, c, ...
    if cell and many:
        return f" --cell {cell}", ""
    if inputs:
        return "", ""
    places = " ".join(a.upper() for a in arguments) if 0 < len(arguments) < 5 and not rest else "SHAPE..."
    named = ", ".join([*arguments, *([f"*{rest}"] if rest else [])]) or "its arguments"
    return f" --shapes {places}", f"the shapes of {named}, like 3,5"


def as_text(file, found, notes):
    """Lines for a terminal: each candidate, and below it the command to type."""
    head = f"{file}: {len(found) or 'nothing'} to check"
    lines = [head + ("" if found else "; no functions or methods named like forward and backward")]
    for c in found:
        lines += ["", f"  {c.what}", f"    {c.command}"] + ([f"    with {c.missing}"] if c.missing else [])
    return "\n".join([*lines, *(["", *notes] if notes else [])])


def as_json(file, found, notes):
    """The same as plain data."""
    return {"file": str(file), "candidates": [asdict(c) for c in found], "notes": list(notes)}

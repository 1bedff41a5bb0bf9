"""Errors a user can cause, with one wording: ``where: name must be WHAT (= concrete), got ACTUAL; usual cause``.

The command line prints these without a traceback; anything else is a defect of minirnn and keeps its traceback.
"""


import difflib


class InputError(ValueError):
    """A value or shape the caller gave is wrong; the message says which, what was expected, and the usual cause."""


class DtypeError(TypeError):
    """An array or argument has a type minirnn does not compute with."""


def must_be(where, name, what, got, cause=""):
    """The house's message: ``where: name must be what, got got; cause``."""
    return f"{where}: {name} must be {what}, got {got}" + (f"; {cause}" if cause else "")


def near(name, known):
    """A hint for a name that is not known: near("lstn", ["lstm", "gru"]) is "did you mean lstm?", or "" """
    found = difflib.get_close_matches(name, list(dict.fromkeys(known)), n=2, cutoff=0.7)
    return f"did you mean {' or '.join(found)}?" if found else ""


def check_shape(where, name, array, symbols, sizes, cause=""):
    """Raise InputError unless ``array.shape`` equals ``sizes``; ``symbols`` is the shape in letters, "(4H, D)".

    A size of None matches any length.
    """
    shape = tuple(array.shape)
    if shape == sizes:  # quickly, for this runs several times a call
        return
    if len(shape) != len(sizes) or any(want is not None and want != have for want, have in zip(sizes, shape)):
        concrete = (
            "(" + ", ".join("any" if s is None else str(s) for s in sizes) + ("," if len(sizes) == 1 else "") + ")"
        )
        raise InputError(must_be(where, name, f"{symbols} = {concrete}", shape, cause))

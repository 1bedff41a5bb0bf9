"""Errors a user can cause, with one wording: ``where: name must be WHAT (= concrete), got ACTUAL; usual cause``.

The command line prints these without a traceback; anything else is a defect of minirnn and keeps its traceback.
"""

import contextlib
import difflib
import functools
import numbers
import sys
import unicodedata


class InputError(ValueError):
    """A value or shape the caller gave is wrong; the message says which, what was expected, and the usual cause."""


class DtypeError(TypeError):
    """An array or argument has a type minirnn does not compute with."""


class PlaceError(InputError, IndexError):
    """An index or axis that is not there: what NumPy raises an IndexError for."""


def printable(text):
    """Text with control characters but line ends and tabs written out, "\\x1b[2J" for what clears a terminal: what a
    file or a vocabulary holds must not command the terminal that shows it."""
    if text.isprintable():
        return text
    harmless = lambda c: c in "\n\t" or unicodedata.category(c)[0] != "C"
    return "".join(c if harmless(c) else c.encode("unicode_escape").decode() for c in text)


def say(text, end="\n"):
    """A line on standard error, or nothing where that is closed: ``say("minirnn: no such file")``."""
    if sys.stderr is not None:  # without it print would take standard output
        with contextlib.suppress(OSError, ValueError):
            print(printable(text), end=end, file=sys.stderr, flush=True)


def must_be(where, name, what, got, cause=""):
    """The house's message: ``where: name must be what, got got; cause``."""
    return f"{where}: {name} must be {what}, got {got}" + (f"; {cause}" if cause else "")


def near(name, known):
    """A hint for a name that is not known: near("lstn", ["lstm", "gru"]) is "did you mean lstm?", or "" """
    found = difflib.get_close_matches(name, list(dict.fromkeys(known)), n=1, cutoff=0.6)
    return f"did you mean {found[0]}?" if found else ""


def in_our_words(function):
    """The function, with what Python and NumPy say of arguments that do not fit as InputError or DtypeError; decorator.

    ``ops.add(np.ones(3), np.ones(4))`` -> ``InputError: add: operands could not be broadcast together ...``
    """
    name = function.__qualname__.removesuffix(".__init__")

    @functools.wraps(function)
    def call(*args, **options):
        try:
            return function(*args, **options)
        except (InputError, DtypeError):
            raise
        except TypeError as error:
            raise DtypeError(f"{name}: {error}") from error
        except IndexError as error:
            raise PlaceError(f"{name}: {error}") from error
        except (ValueError, OverflowError, ZeroDivisionError) as error:
            raise InputError(f"{name}: {error}") from error

    return call


def bound(where, name, value):
    """A real number, or an array of one, as a float; InputError for more than one."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(must_be(where, name, "one number", type(value).__name__)) from None


def check_axis(where, axis, ndim):
    """Refuse what is not one of ``ndim`` axes, an integer from -ndim to ndim - 1."""
    if not isinstance(axis, numbers.Integral):
        raise DtypeError(must_be(where, "axis", "an integer", repr(axis)))
    if not -ndim <= axis < ndim:
        raise InputError(must_be(where, "axis", f"one of {ndim} axes", axis))


def check_shape(where, name, array, symbols, sizes, cause=""):
    """Raise InputError unless ``array.shape`` equals ``sizes``; ``symbols`` is the shape in letters, "(4H, D)".

    A size of None matches any length.
    """
    shape = getattr(array, "shape", None)
    if not isinstance(shape, tuple):
        raise DtypeError(must_be(where, name, f"an array {symbols}", type(array).__name__))
    if shape == sizes:  # quickly, for this runs several times a call
        return
    if len(shape) != len(sizes) or any(want is not None and want != have for want, have in zip(sizes, shape)):
        concrete = (
            "(" + ", ".join("any" if s is None else str(s) for s in sizes) + ("," if len(sizes) == 1 else "") + ")"
        )
        raise InputError(must_be(where, name, f"{symbols} = {concrete}", shape, cause))

"""One form for every source of randomness that a module may be given."""

import numbers

import numpy as np

from minirnn.array import Streams
from minirnn.errors import InputError, must_be


class InOrder:
    """A numpy Generator as streams: it serves every purpose in order of calls."""

    def __init__(self, generator):
        self.generator = generator

    def __call__(self, purpose, *numbers):
        return self.generator


class Extended:
    """Streams whose every name ends with further numbers: ``Extended(s, 7)("input", 2)`` is ``s("input", 2, 7)``."""

    def __init__(self, streams, *last):
        self.streams, self.last = streams, last

    def __call__(self, purpose, *numbers):
        return self.streams(purpose, *numbers, *self.last)


def streams(rng):
    """None, an int, a numpy Generator, or a function such as Streams -> None or one function (purpose, *numbers) ->
    Generator. An int is the seed of Streams: the same draws for the same names, whatever was drawn before.

    streams(7)("input", 0).random() == Streams(7)("input", 0).random(). Raises InputError for anything else.
    """
    if rng is None or callable(rng):
        return rng
    if isinstance(rng, np.random.Generator):
        return InOrder(rng)
    if isinstance(rng, numbers.Integral) and not isinstance(rng, bool):
        return Streams(int(rng))
    what = "None, a seed, a numpy Generator or a function (purpose, *numbers) -> Generator"
    raise InputError(must_be("streams", "streams", what, repr(rng)))

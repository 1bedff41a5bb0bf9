"""A generated task: a function that draws labelled sequences, and two fixed samples of it."""

from dataclasses import dataclass, field

import numpy as np

from minirnn.array import stream
from minirnn.errors import InputError, must_be


@dataclass(frozen=True)
class SequenceTask:
    """``train`` and ``test`` are (inputs, targets), inputs (T, N, D). ``chance`` is the score without memory."""

    name: str
    origin: str
    chance: float
    train: tuple[np.ndarray, np.ndarray] = field(repr=False)
    test: tuple[np.ndarray, np.ndarray] = field(repr=False)


def sample_task(name, draw, chance, train, test, seed):
    """A SequenceTask from ``draw(rng, count)``, with separate named streams for its two samples."""
    for what, count in (("train", train), ("test", test)):
        if count < 1:
            raise InputError(must_be(f"data set {name}", what, "at least 1 sequence", count))
    return SequenceTask(
        name, "generated", chance, draw(stream(seed, f"{name} train"), train), draw(stream(seed, f"{name} test"), test)
    )


def check_length(name, length, least, why):
    """Raise InputError unless ``length`` is an integer of at least ``least``."""
    if not isinstance(length, (int, np.integer)) or length < least:
        raise InputError(must_be(f"data set {name}", "length", f"an integer of at least {least}", repr(length), why))

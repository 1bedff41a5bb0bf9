"""Temporal Order (Hochreiter and Schmidhuber 1997; thesis 3.4.1): which of two symbols came first, much later."""

import numpy as np

from minirnn.data.registry import DataSet
from minirnn.data.sequence_task import check_length, sample_task

SYMBOLS = "ABCD"  # A, B carry meaning, C, D are distractors
CLASSES = ("AA", "AB", "BA", "BB")


def draw(rng, count, length=15):
    """``count`` sequences -> one-hot (T, N, 4) float32, class (N,) int64 = 2 * first + second with A = 0, B = 1.

    One of A, B at a random step of [0, T/3) and one of [T/3, 2T/3); C or D elsewhere. InputError when ``length`` < 3.
    """
    check_length("temporal-order", length, 3, "each third needs a step")
    symbols = rng.integers(2, 4, size=(length, count))
    first, second = rng.integers(2, size=(2, count))
    rows = np.arange(count)
    third = length // 3
    symbols[rng.integers(0, third, size=count), rows] = first  # half-open: the two steps never coincide
    symbols[rng.integers(third, 2 * third, size=count), rows] = second
    return np.eye(4, dtype=np.float32)[symbols], 2 * first + second


def build(contents, origin, length=15, train=6_400, test=10_000, seed=0):
    """The SequenceTask with the thesis's sample sizes; length 15 is its Short form, 30 its Medium."""
    return sample_task("temporal-order", lambda rng, count: draw(rng, count, length), 0.25, train, test, seed)


SET = DataSet(
    name="temporal-order",
    summary="generated: the order of two symbols among distractors, 4 classes",
    licence="generated",
    build=build,
    twin=dict,
    embedded=dict,
    carried_by="generated",
)

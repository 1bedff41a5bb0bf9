"""The adding task (Hochreiter and Schmidhuber 1997): the sum of two marked numbers of a long sequence."""

import numpy as np

from minirnn.data.registry import DataSet
from minirnn.data.sequence_task import check_length, sample_task


def draw(rng, count, length=100):
    """``count`` sequences -> (T, N, 2) float32 of a number in [0, 1) and a 0/1 marker, sums (N, 1) float32.

    One marker in each half. InputError when ``length`` < 2.
    """
    check_length("adding", length, 2, "two numbers are added")
    numbers = rng.random((length, count), dtype=np.float32)
    marks = np.zeros_like(numbers)
    rows, half = np.arange(count), length // 2
    marks[rng.integers(0, half, size=count), rows] = 1
    marks[rng.integers(half, length, size=count), rows] = 1
    return np.stack([numbers, marks], axis=2), (numbers * marks).sum(axis=0)[:, None]


def build(contents, origin, length=100, train=10_000, test=1_000, seed=0):
    """The SequenceTask; always answering 1 has mean squared error 1/6, the variance of the sum."""
    return sample_task("adding", lambda rng, count: draw(rng, count, length), 1 / 6, train, test, seed)


SET = DataSet(
    name="adding",
    summary="generated: add the two marked numbers of a sequence",
    licence="generated",
    build=build,
    twin=dict,
    embedded=dict,
    carried_by="generated",
)

"""The copying task (Arjovsky, Shah and Bengio 2016): repeat ten symbols after a long delay."""

import math

import numpy as np

from minirnn.data.registry import DataSet
from minirnn.data.sequence_task import check_length, sample_task

LETTERS, REMEMBER = 8, 10
BLANK, DELIMITER = LETTERS, LETTERS + 1


def draw(rng, count, length=100):
    """``count`` sequences -> one-hot (T, N, 10) float32, targets (T, N) int64, with T = length + 20.

    Ten letters, ``length`` - 1 blanks, a delimiter, ten blanks; the target is blank until the last ten steps, which
    repeat the letters. InputError when ``length`` < 1.
    """
    check_length("copying", length, 1, "the delay includes the delimiter")
    letters = rng.integers(LETTERS, size=(REMEMBER, count))
    inputs = np.full((length + 2 * REMEMBER, count), BLANK)
    inputs[:REMEMBER] = letters
    inputs[length + REMEMBER - 1] = DELIMITER
    targets = np.full_like(inputs, BLANK)
    targets[-REMEMBER:] = letters
    return np.eye(LETTERS + 2, dtype=np.float32)[inputs], targets


def build(contents, origin, length=100, train=10_000, test=1_000, seed=0):
    """The SequenceTask; without memory the best is 10 ln 8 / (length + 20) nats a step."""
    chance = REMEMBER * math.log(LETTERS) / (length + 2 * REMEMBER) if length > 0 else math.nan
    return sample_task("copying", lambda rng, count: draw(rng, count, length), chance, train, test, seed)


SET = DataSet(
    name="copying",
    summary="generated: repeat ten letters after a delay",
    licence="generated",
    build=build,
    twin=dict,
    embedded=dict,
    carried_by="generated",
)

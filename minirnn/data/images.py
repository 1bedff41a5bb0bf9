"""Labelled grey images, and the generated digits that stand in for real ones."""

from dataclasses import dataclass, field

import numpy as np

from minirnn.array import stream

# rows of 5 dots, ten digits; the usual dot-matrix shapes
FONT = """
01110 00100 01110 11111 00010 11111 00110 11111 01110 01110
10001 01100 10001 00010 00110 10000 01000 00001 10001 10001
10011 00100 00001 00100 01010 11110 10000 00010 10001 10001
10101 00100 00010 00010 10010 00001 11110 00100 01110 01111
11001 00100 00100 00001 11111 00001 10001 01000 10001 00001
10001 00100 01000 10001 00010 10001 10001 01000 10001 00010
01110 01110 11111 01110 00010 01110 01110 01000 01110 01100
"""


@dataclass(frozen=True)
class Images:
    """``train``, ``test`` (N, rows, columns) uint8, their labels (N,) uint8; ``maximum`` is the value of white."""

    name: str
    origin: str
    maximum: int
    train: np.ndarray = field(repr=False)
    train_labels: np.ndarray = field(repr=False)
    test: np.ndarray = field(repr=False)
    test_labels: np.ndarray = field(repr=False)


def draw_digits(count, size, maximum, seed, part):
    """``count`` dot-matrix digits, shifted, slanted, scaled and noisy -> (N, size, size) uint8, (N,) uint8."""
    glyphs = np.array(
        [[[dot == "1" for dot in row.split()[d]] for row in FONT.strip().split("\n")] for d in range(10)], np.float32
    )
    rng = stream(seed, "generated digits", part)
    labels = rng.integers(10, size=count).astype(np.uint8)
    images = np.empty((count, size, size), np.uint8)
    scale, slant = rng.uniform(0.8, 1.05, (count, 1, 1)), rng.uniform(-0.25, 0.25, (count, 1, 1))
    shift = rng.uniform(-0.06, 0.06, (2, count, 1, 1))
    grid = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    for begin in range(0, count, 1024):  # a thousand at a time, to keep the memory small
        some = slice(begin, begin + 1024)
        rows = (grid[:, None] + shift[0, some]) / scale[some]  # (n, size, 1)
        columns = (grid[None, :] + shift[1, some]) / scale[some] + slant[some] * rows
        y, x = np.broadcast_arrays(
            np.floor((rows + 0.45) / 0.9 * 7).astype(int), np.floor((columns + 0.35) / 0.7 * 5).astype(int)
        )
        inside = (y >= 0) & (y < 7) & (x >= 0) & (x < 5)
        ink = glyphs[labels[some][:, None, None], y.clip(0, 6), x.clip(0, 4)] * inside
        noise = rng.uniform(0.75, 1.0, ink.shape)
        images[some] = np.rint(ink * noise * maximum)
    return images, labels

"""Arguments behind a star, named by inputs(); a helper in a file beside it."""

import numpy as np
from packed_helper import slope


def forward(x, *w):
    for matrix in w:
        x = np.tanh(x @ matrix)
    return x


def backward(dy, x, *w):
    ys = [x]
    for matrix in w:
        ys.append(np.tanh(ys[-1] @ matrix))
    dws = []
    for matrix, x, y in zip(w[::-1], ys[-2::-1], ys[:0:-1]):
        da = dy * slope(y)
        dws.insert(0, x.T @ da)
        dy = da @ matrix.T
    return dy, *dws


def named():
    rng = np.random.default_rng(0)
    draw = rng.standard_normal
    return {"x": draw((3, 4)), "first": draw((4, 2)), "second": draw((2, 5))}

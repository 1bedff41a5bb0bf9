"""A script that trains when it is imported, and never ends."""

import numpy as np

print("reading")


def forward(x, w):
    return np.tanh(x @ w)


def backward(dy, x, w):
    da = dy * (1 - np.tanh(x @ w) ** 2)
    return da @ w.T, x.T @ da


step = 0
while True:
    step += 1


def late(x):
    return x

"""A cliff in the loss, and what clipping does at it: two parameters, so that surface and paths can be drawn.

The recurrence of Pascanu, Mikolov and Bengio (2013), h_t = w sigma(h_{t-1}) + b with h_0 = 1/2, and the loss
(sigma(h_T) - 0.7)^2 after T steps. Where two regimes of the recurrence meet, the loss jumps, and the gradient there is
hundreds of times that of elsewhere.
"""

from typing import NamedTuple

import numpy as np

START, TARGET = 0.5, 0.7


class Path(NamedTuple):
    """Gradient descent: points (n + 1, 2), the loss at each (n + 1,), the gradient's norm before clipping (n,)."""

    points: np.ndarray
    losses: np.ndarray
    norms: np.ndarray


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def loss_of(w, b, T=50):
    """The loss after T steps; w, b: numbers or arrays of one shape."""
    h = START + 0 * w
    for _ in range(T):
        h = w * sigmoid(h) + b
    return (sigmoid(h) - TARGET) ** 2


def gradient_of(w, b, T=50):
    """dL/dw, dL/db by backpropagation through time, of the shapes of w and b.

    One step of it, T = 1 at w = 0: (2 (sigma(b) - 0.7) sigma'(b) sigma(h_0), 2 (sigma(b) - 0.7) sigma'(b)).
    """
    states = [START + 0 * w]
    for _ in range(T):
        states.append(w * sigmoid(states[-1]) + b)
    y = sigmoid(states[-1])
    e, dw, db = 2 * (y - TARGET) * y * (1 - y), 0 * w, 0 * b  # e: what arrives at h_t
    for h in reversed(states[:-1]):
        s = sigmoid(h)
        dw, db, e = dw + e * s, db + e, e * w * s * (1 - s)
    return dw, db


def descend(start, lr, limit=None, updates=300, T=50):
    """Gradient descent from ``start`` (w, b), the gradient's norm clipped at ``limit`` if there is one -> Path."""
    points, norms = [np.array(start, float)], []
    for _ in range(updates):
        gradient = np.array(gradient_of(*points[-1], T))
        norms.append(np.linalg.norm(gradient))
        if limit is not None and norms[-1] > limit:
            gradient *= limit / norms[-1]
        points.append(points[-1] - lr * gradient)
    return Path(np.array(points), np.array([loss_of(*point, T) for point in points]), np.array(norms))

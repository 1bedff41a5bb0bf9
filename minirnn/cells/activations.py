"""Pointwise functions of the cells, each with its derivative written in terms of its own output."""

from minirnn.array import logistic, xp_of


def sigmoid(a):
    return logistic(a)


def sigmoid_slope(y):
    """d sigmoid(a) / da where y = sigmoid(a)."""
    return y * (1 - y)


def tanh(a):
    return xp_of(a).tanh(a)


def tanh_slope(y):
    """d tanh(a) / da where y = tanh(a)."""
    return 1 - y * y


def relu(a):
    return xp_of(a).maximum(a, 0)


def relu_slope(y):
    """1 where relu let its argument through, and 0 at the kink itself."""
    return (y.real > 0).astype(y.dtype)


def identity(a):
    return a


def identity_slope(y):
    return xp_of(y).ones_like(y)


# name -> (function, its slope at the output)
ACTIVATIONS = {
    "tanh": (tanh, tanh_slope),
    "relu": (relu, relu_slope),
    "identity": (identity, identity_slope),
}

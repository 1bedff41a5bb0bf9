"""Nonlinearities y = f(z), thesis (2.1.4), their numerically safe forms, and dropout with a given mask."""

import numpy as np

from minirnn.array import beside, logistic, xp_of
from minirnn.autograd.arithmetic import multiply
from minirnn.autograd.reduce import _axes, _kept, sum
from minirnn.autograd.tape import Tensor, lift, output_again, record


def tanh(x):
    """Hyperbolic tangent."""
    x = lift(x)
    value = xp_of(x.value).tanh(x.value)

    def vjp(dy):
        y = output_again(value, tanh, x)
        return (dy * (1 - y * y),)

    return record("tanh", value, (x,), vjp)


def sigmoid(x):
    """Logistic function 1 / (1 + e^-x)."""
    x = lift(x)
    value = logistic(x.value)

    def vjp(dy):
        y = output_again(value, sigmoid, x)
        return (dy * y * (1 - y),)

    return record("sigmoid", value, (x,), vjp)


def relu(x):
    """max(x, 0), with derivative 0 at 0."""
    x = lift(x)
    positive = (x.value > 0).astype(x.dtype)
    return record("relu", xp_of(x.value).maximum(x.value, x.dtype.type(0)), (x,), lambda dy: (dy * positive,))


def leaky_relu(x, slope=0.01):
    """x where positive, slope * x elsewhere."""
    x = lift(x)
    factor = xp_of(x.value).where(x.value > 0, x.dtype.type(1), x.dtype.type(slope))
    return record("leaky_relu", x.value * factor, (x,), lambda dy: (dy * factor,))


def softplus(x):
    """log(1 + e^x), a smooth relu that neither overflows nor loses small values; its derivative is sigmoid(x)."""
    x = lift(x)
    value = xp_of(x.value).logaddexp(x.value, x.dtype.type(0))
    return record("softplus", value, (x,), lambda dy: (dy * sigmoid(x),))


def _softmax_array(a, axis):
    xp = xp_of(a)
    top = a.max(axis=axis, keepdims=True)
    e = xp.exp(a - xp.where(xp.isfinite(top), top, 0))
    return e / e.sum(axis=axis, keepdims=True)


def softmax(x, axis=-1):
    """exp(x) / sum exp(x) along an axis, of x's shape: [0, log 3] -> [0.25, 0.75]."""
    x = lift(x)
    value = _softmax_array(x.value, axis)

    def vjp(dy):
        y = output_again(value, softmax, x, axis)
        return (y * (dy - sum(dy * y, axis=axis, keepdims=True)),)

    return record("softmax", value, (x,), vjp)


def log_softmax(x, axis=-1):
    """log of softmax, of x's shape, exact where softmax underflows: [0, 1000] -> [-1000, 0]."""
    x = lift(x)
    xp = xp_of(x.value)
    shifted = x.value - x.value.max(axis=axis, keepdims=True)
    value = shifted - xp.log(xp.exp(shifted).sum(axis=axis, keepdims=True))
    return record("log_softmax", value, (x,), lambda dy: (dy - softmax(x, axis) * sum(dy, axis=axis, keepdims=True),))


def logsumexp(x, axis=-1, keepdims=False):
    """log sum exp(x) along an axis, several or all (None), without overflow: [1000, 1000] -> 1000.69; an axis of -inf,
    or of nothing, gives -inf."""
    x = lift(x)
    xp, axis = xp_of(x.value), axis if type(axis) is int else _axes(x, axis)
    if not x.value.size:
        axes = _axes(x, axis)
        empty = xp.full(_kept(x, axes), -np.inf, x.dtype)
        return sum(x, axes, keepdims) + Tensor(empty if keepdims else empty.squeeze(axes))
    top = x.value.max(axis=axis, keepdims=True)
    top = xp.where(xp.isfinite(top), top, x.dtype.type(0))
    with np.errstate(divide="ignore"):  # log 0 = -inf is meant
        with_axis = xp.log(xp.exp(x.value - top).sum(axis=axis, keepdims=True)) + top
    value = with_axis if keepdims else with_axis.squeeze(axis)

    def vjp(dy):
        dy = dy if keepdims else dy.reshape(with_axis.shape)
        return (dy * softmax(x, axis),)

    return record("logsumexp", value, (x,), vjp)


def dropout(x, mask):
    """x times a given mask of factors (0 or 1, or 0 and 1/keep), an array that broadcasts to x's shape."""
    x = lift(x)
    return multiply(x, mask if isinstance(mask, Tensor) else Tensor(beside(mask, x.value, "dropout", "mask")))

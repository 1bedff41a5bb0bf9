"""Activations made of other operations: gelu, silu, elu."""

import math

from minirnn.array import xp_of
from minirnn.autograd.arithmetic import exp, where
from minirnn.autograd.elementary import erf
from minirnn.autograd.nonlinear import sigmoid, tanh
from minirnn.autograd.tape import lift, record
from minirnn.errors import InputError, bound, must_be


def silu(x):
    """x times sigmoid(x), also called swish: silu(1) is 0.7311."""
    x = lift(x)
    return x * sigmoid(x)


def elu(x, alpha=1.0):
    """x where positive, alpha (e^x - 1) elsewhere, with derivative alpha at 0: elu(-1) is -0.6321."""
    x, alpha = lift(x), bound("elu", "alpha", alpha)
    xp, positive = xp_of(x.value), x.value > 0
    low = xp.expm1(xp.minimum(x.value, x.dtype.type(0)))

    def vjp(dy):
        return (dy * where(positive, 1.0, alpha * exp(where(positive, 0.0, x))),)

    return record("elu", xp.where(positive, x.value, alpha * low), (x,), vjp)


def gelu(x, approximate="none"):
    """x times the normal distribution's share below x, Hendrycks and Gimpel 2016: gelu(1) is 0.8413.

    approximate="tanh" is their x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, 0.8412 at 1.
    """
    x = lift(x)
    if approximate == "none":
        return x * (0.5 * (1 + erf(x * 0.5**0.5)))
    if approximate == "tanh":
        return x * (0.5 * (1 + tanh((x + 0.044715 * (x * x * x)) * (2 / math.pi) ** 0.5)))
    raise InputError(must_be("gelu", "approximate", "'none' or 'tanh'", repr(approximate)))

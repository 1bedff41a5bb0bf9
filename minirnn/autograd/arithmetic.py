"""Elementwise arithmetic with broadcasting; every vjp sums over the axes that were broadcast."""

import numpy as np

from minirnn.array import FLOATS, beside, xp_of
from minirnn.autograd.tape import Tensor, lift, output_again, pair, record
from minirnn.errors import DtypeError, bound, must_be


def sum_to(x, shape):
    """Add up broadcast axes until x has ``shape``, the adjoint of broadcasting: (2, 3, 4) -> (3, 1)."""
    x = lift(x)
    if x.value.shape == shape:
        return x
    lead = x.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(lead + k for k, n in enumerate(shape) if n == 1 and x.shape[lead + k] != 1)
    value = x.value.sum(axis=axes, keepdims=True).reshape(shape)
    return record("sum_to", value, (x,), lambda dy: (expand(dy, x.shape),))


def expand(x, shape):
    """Broadcast to ``shape`` (a view, not a copy): x of a shape that broadcasts -> shape."""
    x, shape = lift(x), tuple(shape)
    return record("expand", xp_of(x.value).broadcast_to(x.value, shape), (x,), lambda dy: (sum_to(dy, x.shape),))


def astype(x, dtype):
    """The same values as float32 or float64; the gradient comes back in x's type."""
    x = lift(x)
    if np.dtype(dtype) not in FLOATS:
        raise DtypeError(must_be("astype", "dtype", "float32 or float64", np.dtype(dtype), "integers have no gradient"))
    return record("astype", x.value.astype(dtype), (x,), lambda dy: (astype(dy, x.dtype),))


def add(x, y):
    """x + y, broadcast."""
    x, y = pair("add", x, y)
    return record("add", x.value + y.value, (x, y), _add_vjp, True)


def _add_vjp(dz, x, y):
    shape = dz.value.shape  # compared here, as most additions broadcast nothing
    dx = dz if x.value.shape == shape else sum_to(dz, x.value.shape)
    return dx, dz if y.value.shape == shape else sum_to(dz, y.value.shape)


def subtract(x, y):
    """x - y, broadcast."""
    x, y = pair("subtract", x, y)
    return record("subtract", x.value - y.value, (x, y), _subtract_vjp, True)


def _subtract_vjp(dz, x, y):
    return sum_to(dz, x.shape), sum_to(negative(dz), y.shape) if y.requires_grad else None


def multiply(x, y):
    """x * y, broadcast."""
    x, y = pair("multiply", x, y)
    return record("multiply", x.value * y.value, (x, y), _multiply_vjp, True)


def _multiply_vjp(dz, x, y):
    dx = sum_to(multiply(dz, y), x.shape) if x.requires_grad else None
    dy = sum_to(multiply(dz, x), y.shape) if y.requires_grad else None
    return dx, dy


def divide(x, y):
    """x / y, broadcast."""
    x, y = pair("divide", x, y)
    return record("divide", x.value / y.value, (x, y), _divide_vjp, True)


def _divide_vjp(dz, x, y):
    dx = divide(dz, y)
    dy = sum_to(negative(divide(multiply(dx, x), y)), y.shape) if y.requires_grad else None
    return sum_to(dx, x.shape), dy


def negative(x):
    """-x."""
    x = lift(x)
    return record("negative", -x.value, (x,), lambda dy: (negative(dy),))


def power(x, y):
    """x ** y, broadcast; y a number or a Tensor. The gradient of y needs x > 0 (it is 0 where x = 0); x ** 0 is 1
    everywhere, its slope 0 at 0 too."""
    x, y = pair("power", x, y)

    def vjp(dz):
        less = y - 1
        if x.requires_grad and (y.value == 0).any():  # or the slope at 0 would be 0 times 1 / 0
            less = where((x.value == 0) & (y.value == 0), 0.0, less)
        dx = sum_to(dz * y * power(x, less), x.shape) if x.requires_grad else None
        slope = power(x, y) * log(where(x.value == 0, 1.0, x)) if y.requires_grad else None
        return dx, None if slope is None else sum_to(dz * slope, y.shape)

    return record("power", x.value**y.value, (x, y), vjp)


def exp(x):
    """e ** x."""
    x = lift(x)
    value = xp_of(x.value).exp(x.value)
    return record("exp", value, (x,), lambda dy: (dy * output_again(value, exp, x),))


def log(x):
    """Natural logarithm."""
    x = lift(x)
    return record("log", xp_of(x.value).log(x.value), (x,), lambda dy: (dy / x,))


def sqrt(x):
    """Square root; the gradient at 0 is infinite, as it is."""
    x = lift(x)
    value = xp_of(x.value).sqrt(x.value)
    return record("sqrt", value, (x,), lambda dy: (dy * 0.5 / output_again(value, sqrt, x),))


def absolute(x):
    """|x|, with derivative 0 at 0."""
    x = lift(x)
    return record("absolute", abs(x.value), (x,), lambda dy: (dy * xp_of(x.value).sign(x.value),))


def sign(x):
    """-1, 0 or 1; its derivative is 0 everywhere it exists."""
    x = lift(x)
    return record("sign", xp_of(x.value).sign(x.value), (x,), lambda dy: (dy * 0.0,))


def where(condition, x, y):
    """x where condition holds, y elsewhere, all broadcast; condition is an array or Tensor of booleans."""
    condition = lift(condition).value
    x, y = pair("where", x, y)
    xp = xp_of(x.value, y.value)
    condition = beside(condition, x.value, "where", "condition")

    def vjp(dz):
        zero = xp.zeros((), dz.dtype)
        return sum_to(where(condition, dz, zero), x.shape), sum_to(where(condition, zero, dz), y.shape)

    return record("where", xp.where(condition, x.value, y.value), (x, y), vjp)


def _larger(name, x, y, choose):
    """maximum and minimum: the chosen argument gets the gradient, equal arguments half each."""
    x, y = pair(name, x, y)
    xp = xp_of(x.value, y.value)
    value = getattr(xp, name)(x.value, y.value)

    def vjp(dz):
        share = (choose(x.value, y.value).astype(value.dtype) + choose(x.value, y.value, True)) / 2
        return sum_to(dz * share, x.shape), sum_to(dz * (1 - share), y.shape)

    return record(name, value, (x, y), vjp)


def maximum(x, y):
    """The larger of x and y, broadcast; NaN wins, and of a gradient 1 at maximum(2, 2) each gets 0.5."""
    return _larger("maximum", x, y, lambda a, b, equal=False: a >= b if equal else a > b)


def minimum(x, y):
    """The smaller of x and y, broadcast; NaN wins, and of a gradient 1 at minimum(2, 2) each gets 0.5."""
    return _larger("minimum", x, y, lambda a, b, equal=False: a <= b if equal else a < b)


def clip(x, low, high):
    """x limited to [low, high] (numbers); gradient 1 inside and at the limits, 0 outside."""
    x, low, high = lift(x), bound("clip", "low", low), bound("clip", "high", high)
    inside = (x.value >= low) & (x.value <= high)
    return record("clip", x.value.clip(low, high), (x,), lambda dy: (dy * inside.astype(x.dtype),))


def _comparison(name, symbol):
    def compare(x, y):
        x, y = pair(name, x, y)
        return Tensor(getattr(x.value, f"__{name}__")(y.value))

    compare.__name__ = name
    compare.__doc__ = f"x {symbol} y as a Tensor of booleans, broadcast; never recorded, since it has no gradient."
    return compare


eq, ne = _comparison("eq", "=="), _comparison("ne", "!=")
lt, le = _comparison("lt", "<"), _comparison("le", "<=")
gt, ge = _comparison("gt", ">"), _comparison("ge", ">=")

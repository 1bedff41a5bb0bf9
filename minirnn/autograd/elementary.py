"""Elementary functions of one number: sines, logarithms and exponentials near 0, the error function."""

import math

import numpy as np

from minirnn.array import xp_of
from minirnn.autograd.arithmetic import exp, subtract, sum_to, where
from minirnn.autograd.nonlinear import sigmoid
from minirnn.autograd.tape import lift, output_again, pair, record


def sin(x):
    """Sine, of radians."""
    x = lift(x)
    return record("sin", xp_of(x.value).sin(x.value), (x,), lambda dy: (dy * cos(x),))


def cos(x):
    """Cosine, of radians."""
    x = lift(x)
    return record("cos", xp_of(x.value).cos(x.value), (x,), lambda dy: (-dy * sin(x),))


def log1p(x):
    """log(1 + x), exact for small x: of 1e-20 it is 1e-20."""
    x = lift(x)
    return record("log1p", xp_of(x.value).log1p(x.value), (x,), lambda dy: (dy / (1 + x),))


def expm1(x):
    """e^x - 1, exact for small x: of 1e-20 it is 1e-20."""
    x = lift(x)
    value = xp_of(x.value).expm1(x.value)
    return record("expm1", value, (x,), lambda dy: (dy * (1 + output_again(value, expm1, x)),))


def logaddexp(x, y):
    """log(e^x + e^y), broadcast, without overflow: of 1000 and 1000 it is 1000.69."""
    x, y = pair("logaddexp", x, y)

    def vjp(dz):
        same = (x.value == y.value) & (abs(x.value) == math.inf)  # both infinite: half of the gradient each
        share = sigmoid(where(same, 0.0, subtract(where(same, 0.0, x), where(same, 0.0, y))))
        return sum_to(dz * share, x.shape), sum_to(dz * (1 - share), y.shape)

    return record("logaddexp", xp_of(x.value).logaddexp(x.value, y.value), (x, y), vjp)


# Cody, Rational Chebyshev approximations for the error function, Math. Comp. 23 (1969), as in netlib's CALERF, highest
# power first: erf(x) = x P(x^2) / Q(x^2) up to 0.46875, and above 1 - erf(x) = e^(-x^2) P(x) / Q(x)
NEAR = (
    (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3),
)
FAR = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1,
     2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
     1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
     3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3),
)


def _polynomial(coefficients, t):
    """Horner's rule: ((2, 3, 4), t) -> 2 t^2 + 3 t + 4."""
    total = coefficients[0] * t + coefficients[1]
    for c in coefficients[2:]:
        total *= t
        total += c
    return total


def _erf_array(a):
    """erf of an array, in its type, by two quotients of polynomials: see NEAR and FAR."""
    xp, size = xp_of(a), abs(a)
    near = xp.minimum(size, a.dtype.type(0.46875))
    square = near * near
    small = near * (_polynomial(NEAR[0], square) / _polynomial(NEAR[1], square))
    far = xp.minimum(size, a.dtype.type(6))  # erf(6) is 1 in every digit
    large = 1 - xp.exp(-far * far) * (_polynomial(FAR[0], far) / _polynomial(FAR[1], far))
    return xp.where(size <= 0.46875, small, large) * xp.sign(a)


def erf(x):
    """The error function 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x: erf(1) is 0.8427."""
    x = lift(x)
    a = x.value if x.dtype.kind == "f" else x.value.astype(np.float64)
    return record("erf", _erf_array(a), (x,), lambda dy: (dy * (2 / math.sqrt(math.pi)) * exp(-x * x),))

"""exp, sigmoid and tanh without branches or table look-ups, so that LLVM turns a loop over them into vector code.

LLVM has no vector library here (Numba's SVML patch is not in the published wheels) and would call a scalar
``math.tanh``. Method: x = n ln2 + r with |r| <= ln2/2, e^x = 2^n e^r, e^r - 1 a polynomial; tanh is formed from
e^2x - 1, which does not cancel near 0. Each function's plain Python body is its NumPy twin; the overload is what
compiled code calls. tests/test_kernels_vector.py bounds the errors, in units in the last place.
"""

import math

import numpy as np
from numba import types
from numba.extending import intrinsic, overload, register_jitable

f4, u4, u8 = np.float32, np.uint32, np.uint64

# ln2 in two parts, the first with few enough bits that n * high is exact
LOG2E_4, LN2_HIGH_4, LN2_LOW_4 = f4(1.44269504088896341), f4(0.693359375), f4(-2.12194440e-4)
LOG2E_8, LN2_HIGH_8, LN2_LOW_8 = 1.4426950408889634, 6.93145751953125e-1, 1.42860682030941723212e-6
# adding 1.5 * 2^(mantissa bits) leaves round(x) in the low bits of the sum
ROUND_4, ROUND_8 = f4(1.5 * 2**23), 1.5 * 2**52
# with the exponent's bias added too, a shift alone makes 2^n of those bits
ROUND_BIASED_4, ROUND_BIASED_8 = f4(1.5 * 2**23 + 127), 1.5 * 2**52 + 1023
LEAST_4, LEAST_8 = f4(-87.3), -708.3  # e^x is a normal number from here on
ROUND_BITS_4, ROUND_BITS_8 = u4(0x4B400000), u8(0x4338000000000000)
BIAS_4, BIAS_8 = u4(127), u8(1023)
MANTISSA_4, MANTISSA_8 = u4(23), u8(52)
ONE_4, ONE_8 = u4(1), u8(1)


def _bitcast(source, target):
    @intrinsic
    def cast(typingctx, x):
        def codegen(context, builder, signature, args):
            return builder.bitcast(args[0], context.get_value_type(target))

        return target(source), codegen

    return cast


_bits_4, _real_4 = _bitcast(types.float32, types.uint32), _bitcast(types.uint32, types.float32)
_bits_8, _real_8 = _bitcast(types.float64, types.uint64), _bitcast(types.uint64, types.float64)


@intrinsic
def _clamp(typingctx, x, low, high):
    """min(max(x, low), high) as two selects (an if would stop vectorisation); NaN stays NaN."""

    def codegen(context, builder, signature, args):
        v, low, high = args
        v = builder.select(builder.fcmp_ordered("<", v, low), low, v)
        return builder.select(builder.fcmp_ordered(">", v, high), high, v)

    return x(x, x, x), codegen


@intrinsic
def _where_below(typingctx, x, limit, then, otherwise):
    """then where x < limit, else otherwise, also for NaN."""

    def codegen(context, builder, signature, args):
        x, limit, then, otherwise = args
        return builder.select(builder.fcmp_ordered("<", x, limit), then, otherwise)

    return x(x, x, x, x), codegen


@register_jitable
def _expm1_4(r):
    """e^r - 1 for |r| <= ln2/2, degree 7 (coefficients of Cephes' expf)."""
    p = f4(1.9875691500e-4)
    p = p * r + f4(1.3981999507e-3)
    p = p * r + f4(8.3334519073e-3)
    p = p * r + f4(4.1665795894e-2)
    p = p * r + f4(1.6666665459e-1)
    p = p * r + f4(5.0000001201e-1)
    return (p * r) * r + r


_C = [1 / math.factorial(k) for k in range(2, 14)]
_C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9, _C10, _C11, _C12, _C13 = _C


@register_jitable
def _expm1_8(r):
    """e^r - 1 for |r| <= ln2/2, Taylor to r^13."""
    p = _C13
    p = p * r + _C12
    p = p * r + _C11
    p = p * r + _C10
    p = p * r + _C9
    p = p * r + _C8
    p = p * r + _C7
    p = p * r + _C6
    p = p * r + _C5
    p = p * r + _C4
    p = p * r + _C3
    p = p * r + _C2
    return (p * r) * r + r


@register_jitable
def _power_4(x):
    """(2^n, e^r - 1) with x = n ln2 + r, so that e^x = 2^n + 2^n (e^r - 1); for -126 <= n <= 127."""
    shifted = x * LOG2E_4 + ROUND_BIASED_4
    n = shifted - ROUND_BIASED_4
    r = (x - n * LN2_HIGH_4) - n * LN2_LOW_4
    return _real_4(_bits_4(shifted) << MANTISSA_4), _expm1_4(r)


@register_jitable
def _power_8(x):
    """The same in float64; for -1022 <= n <= 1023."""
    shifted = x * LOG2E_8 + ROUND_BIASED_8
    n = shifted - ROUND_BIASED_8
    r = (x - n * LN2_HIGH_8) - n * LN2_LOW_8
    return _real_8(_bits_8(shifted) << MANTISSA_8), _expm1_8(r)


def vexp(x):
    """e^x for a float32 or float64 scalar, denormal results and infinities included."""
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(x)


def vexp_below(x):
    """e^x for x <= 0, or 0 where that is less than about 1.2e-38 (float32) or 2.4e-308; half the work of ``vexp``."""
    least = LEAST_4 if x.dtype == np.float32 else LEAST_8
    return x.dtype.type(0) if x < least else vexp(x)


def vsigmoid(x):
    """The logistic function 1 / (1 + e^-x)."""
    with np.errstate(over="ignore", under="ignore"):
        return x.dtype.type(1) / (x.dtype.type(1) + np.exp(-x))


def vtanh(x):
    """The hyperbolic tangent."""
    return np.tanh(x)


@overload(vexp)
def _vexp(x):
    # 2^n as a product of two normal numbers: n runs from -151 (below the smallest denormal) to 128 (infinity)
    if x == types.float32:

        def exp_4(x):
            x = _clamp(x, f4(-104), f4(89))
            shifted = x * LOG2E_4 + ROUND_4
            n = shifted - ROUND_4
            r = (x - n * LN2_HIGH_4) - n * LN2_LOW_4
            exponent = _bits_4(shifted) - ROUND_BITS_4 + BIAS_4 + BIAS_4
            half = exponent >> ONE_4
            scale = _real_4(half << MANTISSA_4)
            return (scale * _expm1_4(r) + scale) * _real_4((exponent - half) << MANTISSA_4)

        return exp_4

    def exp_8(x):
        x = _clamp(x, -746.0, 710.0)
        shifted = x * LOG2E_8 + ROUND_8
        n = shifted - ROUND_8
        r = (x - n * LN2_HIGH_8) - n * LN2_LOW_8
        exponent = _bits_8(shifted) - ROUND_BITS_8 + BIAS_8 + BIAS_8
        half = exponent >> ONE_8
        scale = _real_8(half << MANTISSA_8)
        return (scale * _expm1_8(r) + scale) * _real_8((exponent - half) << MANTISSA_8)

    return exp_8


@overload(vexp_below)
def _vexp_below(x):
    if x == types.float32:

        def exp_below_4(x):
            scale, part = _power_4(x)
            return _where_below(x, LEAST_4, f4(0), scale * part + scale)

        return exp_below_4

    def exp_below_8(x):
        scale, part = _power_8(x)
        return _where_below(x, LEAST_8, 0.0, scale * part + scale)

    return exp_below_8


@overload(vsigmoid)
def _vsigmoid(x):
    # within the clamp 2^n is a normal number; below it, what is left of 1 / (1 + e^-x) is less than that
    if x == types.float32:

        def sigmoid_4(x):
            scale, part = _power_4(_clamp(-x, f4(-87), f4(88)))
            return _where_below(x, f4(-88), f4(0), f4(1) / (scale * part + scale + f4(1)))

        return sigmoid_4

    def sigmoid_8(x):
        scale, part = _power_8(_clamp(-x, -708.0, 709.0))
        return _where_below(x, -709.0, 0.0, 1.0 / (scale * part + scale + 1.0))

    return sigmoid_8


@overload(vtanh)
def _vtanh(x):
    # tanh x = (e^2x - 1) / (e^2x - 1 + 2); beyond the clamp it is 1 to the last bit
    if x == types.float32:

        def tanh_4(x):
            scale, part = _power_4(_clamp(x + x, f4(-20), f4(20)))
            expm1 = scale * part + (scale - f4(1))
            return expm1 / (expm1 + f4(2))  # speed (G6)

        return tanh_4

    def tanh_8(x):
        scale, part = _power_8(_clamp(x + x, -40.0, 40.0))
        expm1 = scale * part + (scale - 1.0)
        return expm1 / (expm1 + 2.0)  # speed (G6)

    return tanh_8

"""Vector maths of the kernels: accuracy in units in the last place, edges, infinities and NaN."""

import numpy as np
import pytest
from minirnn.kernels.jit import INTERPRETED, kernel
from minirnn.kernels.vector import vexp, vexp_below, vsigmoid, vtanh

compiled_only = pytest.mark.skipif(INTERPRETED, reason="NUMBA_DISABLE_JIT: there are no threads and no vector code")


@kernel(x="N", exp="N", sigmoid="N", tanh="N", exp_below="N")
def evaluate(tid, nth, x, exp, sigmoid, tanh, exp_below):
    """All of them on every element, in loops that LLVM vectorises."""
    for j in range(x.size):
        exp[j] = vexp(x[j])
    for j in range(x.size):
        sigmoid[j] = vsigmoid(x[j])
    for j in range(x.size):
        tanh[j] = vtanh(x[j])
    for j in range(x.size):
        exp_below[j] = vexp_below(x[j])


def evaluated(x):
    """exp, sigmoid, tanh and exp_below of x, the last of any use only where x is not above 0."""
    out = [np.empty_like(x) for _ in range(4)]
    evaluate.on(x.dtype)(0, 1, x, *out)
    return out


def reference(x):
    """The same in a wider type; for float64 that is the platform's long double."""
    wide = x.astype(np.float64 if x.dtype == np.float32 else np.longdouble)
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(wide), 1 / (1 + np.exp(-wide)), np.tanh(wide)


def ulps(got, truth):
    """Distance in spacings of got's type at the true value."""
    rounded = truth.astype(got.dtype)
    return np.abs((got.astype(truth.dtype) - truth) / np.spacing(np.abs(rounded)).astype(truth.dtype))


def points(low, high, dtype):
    rng = np.random.default_rng(0)
    return np.concatenate([np.linspace(low, high, 200_001), rng.standard_normal(100_000)]).astype(dtype)


both_types = pytest.mark.parametrize("dtype", [np.float32, np.float64])
NORMAL = {np.float32: (-87.3, 88.7), np.float64: (-708.3, 709.7)}


@compiled_only
@both_types
def test_exp_is_accurate_wherever_its_value_is_normal(dtype):
    x = points(*NORMAL[dtype], dtype)
    exp, _, _, exp_below = evaluated(x)
    error, below = ulps(exp, reference(x)[0]), x <= 0
    assert error.max() < 1.1
    np.testing.assert_array_equal(exp_below[below], exp[below])


@both_types
def test_exp_of_what_is_not_above_zero_ends_at_the_smallest_normal_number(dtype):
    low, _ = NORMAL[dtype]
    x = np.array([low, low - 0.001, low - 1, -1e4, -np.inf, np.nan, 0.0, -0.0], dtype)
    got = evaluated(x)[3]
    np.testing.assert_array_equal(got[1:], np.array([0, 0, 0, 0, np.nan, 1, 1], dtype))
    assert got[0] >= np.finfo(dtype).tiny and ulps(got[:1], reference(x[:1])[0]) < 1.1


@compiled_only
@both_types
def test_sigmoid_and_tanh_are_accurate(dtype):
    x = points(-17.0, 17.0, dtype)
    _, sigmoid, tanh, _ = evaluated(x)
    _, true_sigmoid, true_tanh = reference(x)
    assert ulps(sigmoid, true_sigmoid).max() < 3
    assert ulps(tanh, true_tanh).max() < 3.5


@both_types
def test_tanh_does_not_cancel_near_zero(dtype):
    """speed (G6)"""
    x = (points(-1, 1, np.float64) * np.logspace(-30, -1, 300_001)).astype(dtype)
    assert ulps(evaluated(x)[2], reference(x)[2]).max() < 3.5


@compiled_only
@both_types
def test_exp_goes_on_through_the_denormals(dtype):
    """Below the smallest normal number the result has an absolute error of one denormal step."""
    low, high = (-103.9, -87.3) if dtype == np.float32 else (-745.1, -708.3)
    x = np.linspace(low, high, 20_001).astype(dtype)
    step = np.nextafter(dtype(0), dtype(1))
    error = np.abs(evaluated(x)[0].astype(np.longdouble) - np.exp(x.astype(np.longdouble)))
    assert (error <= 1.01 * step.astype(np.longdouble)).all()


@both_types
def test_far_out_and_not_a_number(dtype):
    x = np.array([-np.inf, -1e4, -0.0, 0.0, 1e4, np.inf, np.nan], dtype)
    exp, sigmoid, tanh, _ = evaluated(x)
    np.testing.assert_array_equal(exp, np.array([0, 0, 1, 1, np.inf, np.inf, np.nan], dtype))
    np.testing.assert_array_equal(sigmoid, np.array([0, 0, 0.5, 0.5, 1, 1, np.nan], dtype))
    np.testing.assert_array_equal(tanh, np.array([-1, -1, 0, 0, 1, 1, np.nan], dtype))


@both_types
def test_denormal_arguments_come_through_tanh(dtype):
    tiny = np.array([np.nextafter(dtype(0), dtype(1)), np.finfo(dtype).tiny / 3], dtype)
    np.testing.assert_array_equal(evaluated(tiny)[2], tiny)


@both_types
def test_vectors_and_single_elements_agree(dtype):
    """The loop's vector body and its scalar remainder give the same bits."""
    x = points(-20, 20, dtype)[:1001]
    whole = evaluated(x)
    for j in range(0, 1001, 97):
        for one, many in zip(evaluated(x[j : j + 1].copy()), whole):
            assert one[0] == many[j]


@both_types
def test_plain_python_twins_agree(dtype):
    x = points(-20, 20, dtype)[::3000].copy()
    below = -np.abs(x)
    pairs = [*zip((vexp, vsigmoid, vtanh), (x, x, x), evaluated(x)), (vexp_below, below, evaluated(below)[3])]
    for function, given, fast in pairs:
        twin = np.array([function(v) for v in given])
        assert twin.dtype == dtype
        np.testing.assert_allclose(fast, twin, rtol=8 * np.finfo(dtype).eps)

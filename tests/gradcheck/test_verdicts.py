"""The checker itself: right gradients pass, planted errors are found, and each of the five verdicts gets its due."""

import warnings

import numpy as np
import pytest

from minirnn.errors import DtypeError, InputError
from minirnn.gradcheck import Verdict, check_vjp, sweep
from minirnn.gradcheck.measurement import Measurement
from minirnn.gradcheck.verdict import judge


def layer(x, w):
    return np.tanh(x @ w)


def layer_back(dy, x, w):
    da = dy * (1 - np.tanh(x @ w) ** 2)
    return da @ w.T, x.T @ da


def layer_arguments(dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((3, 5)).astype(dtype), rng.standard_normal((5, 2)).astype(dtype)


def planted(change):
    """layer_back with a change to the gradient of w."""

    def backward(dy, x, w):
        dx, dw = layer_back(dy, x, w)
        return dx, change(dw)

    return backward


def one_entry(dw):
    wrong = dw.copy()
    wrong[3, 1] *= 1.001
    return wrong


@pytest.mark.parametrize("complex_step", [True, False])
def test_a_right_gradient_passes_far_below_the_tolerance(complex_step):
    finding = check_vjp(layer, layer_back, layer_arguments(), complex_step=complex_step)
    assert finding.verdict is Verdict.PASS and finding.ok
    assert finding.method == ("complex step" if complex_step else "central differences")
    assert finding.error < (1e-14 if complex_step else 1e-11)
    assert finding.bottom < 1e-11


@pytest.mark.parametrize("complex_step", [True, False])
@pytest.mark.parametrize(
    "change",
    [lambda g: g * 1.0001, lambda g: -g, lambda g: g * 0, one_entry, lambda g: g * (1 + 1e-7), lambda g: g + 1e-6],
    ids=["scaled", "sign", "zero", "one entry", "scaled by 1 + 1e-7", "shifted"],
)
def test_planted_errors_are_wrong(change, complex_step):
    finding = check_vjp(layer, planted(change), layer_arguments(), complex_step=complex_step)
    assert finding.verdict is Verdict.WRONG
    right, wrong = finding.tensors
    assert right.verdict is Verdict.PASS and wrong.verdict is Verdict.WRONG and finding.worst is wrong
    if change is one_entry:
        assert wrong.worst.index == (3, 1) and wrong.place == "w[3, 1]"


def softmax_back(dy, x):
    y = np.exp(x) / np.exp(x).sum()
    return y * (dy - (dy * y).sum())


@pytest.mark.parametrize("complex_step", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_gradient_that_is_zero_but_for_rounding_passes_and_one_that_is_not_does_not(dtype, complex_step):
    """With all cotangents equal softmax has no gradient; what is left of it is rounding, in the claim and measured."""
    x = np.array([0.3, -1.2, 0.7], dtype)
    options = {"cotangents": [np.ones(3)], "complex_step": complex_step}
    softmax = lambda x: np.exp(x) / np.exp(x).sum()
    finding = check_vjp(softmax, softmax_back, (x,), **options)
    assert finding.verdict is Verdict.PASS and finding.error < np.sqrt(np.finfo(dtype).eps)
    wrong = check_vjp(softmax, lambda dy, x: softmax_back(dy, x) + dtype(1e-2), (x,), **options)
    assert wrong.verdict is Verdict.WRONG


@pytest.mark.parametrize("complex_step", [True, False])
def test_claiming_no_gradient_where_there_is_one_is_wrong(complex_step):
    finding = check_vjp(np.sin, lambda dy, x: 0 * dy, (np.array([0.3, 2.0]),), complex_step=complex_step)
    assert finding.verdict is Verdict.WRONG


def test_a_gradient_of_nan_is_wrong_where_the_function_is_finite():
    finding = check_vjp(layer, planted(lambda g: g * np.nan), layer_arguments())
    assert finding.verdict is Verdict.WRONG


def test_a_gradient_of_another_float_type_is_wrong():
    finding = check_vjp(layer, planted(lambda g: g.astype(np.float32)), layer_arguments())
    assert finding.verdict is Verdict.WRONG and "float32" in str(finding)


BIG = np.random.default_rng(4).standard_normal((40, 30))


def test_a_large_array_is_checked_along_directions_and_the_wrong_entry_is_located():
    right = lambda dy, x: dy * np.cos(x)

    def wrong(dy, x):
        g = right(dy, x)
        g[7, 3] *= 1.01
        return g

    assert check_vjp(np.sin, right, (BIG,)).verdict is Verdict.PASS
    finding = check_vjp(np.sin, wrong, (BIG,))
    assert finding.verdict is Verdict.WRONG
    assert finding.tensors[0].worst.index == (7, 3) or finding.tensors[0].entries[-1].index == (7, 3)


@pytest.mark.parametrize("claimed", [0.0, 1.0, 0.5])
def test_relu_at_zero_is_a_kink_whichever_one_sided_slope_is_claimed(claimed):
    x = np.array([0.0, 1.0, -2.0])
    backward = lambda dy, x: dy * np.where(x == 0, claimed, x > 0)
    finding = check_vjp(lambda x: np.maximum(x, 0), backward, (x,))
    assert finding.verdict is Verdict.KINK
    assert [e.verdict for e in finding.tensors[0].entries] == [Verdict.KINK, Verdict.PASS, Verdict.PASS]
    assert "to the left" in str(finding)


def test_a_claim_outside_the_one_sided_slopes_of_a_kink_is_wrong():
    finding = check_vjp(lambda x: np.maximum(x, 0), lambda dy, x: 2.0 * dy, (np.array([0.0]),))
    assert finding.verdict is Verdict.WRONG


def test_tied_maxima_are_a_kink():
    x = np.array([1.0, 2.0, 2.0, 0.5])
    finding = check_vjp(lambda x: x.max(), lambda dy, x: dy * np.eye(4)[x.argmax()], (x,))
    assert [e.verdict for e in finding.tensors[0].entries] == [Verdict.PASS, Verdict.KINK, Verdict.KINK, Verdict.PASS]


def test_a_jump_of_the_value_is_a_kink():
    finding = check_vjp(np.sign, lambda dy, x: 0 * dy, (np.array([0.0, 1.0]),))
    assert finding.verdict is Verdict.KINK and "jumps" in str(finding)


@pytest.mark.parametrize("distance", [1e-2, 1e-4, 1e-6])
def test_a_kink_nearby_is_not_mistaken_for_one_here(distance):
    x = np.array([distance, -distance])
    right = check_vjp(abs, lambda dy, x: dy * np.sign(x), (x,), complex_step=False)
    assert right.verdict is Verdict.PASS
    assert check_vjp(abs, lambda dy, x: dy, (x,), complex_step=False).verdict is Verdict.WRONG


def test_strong_curvature_is_not_a_kink():
    f, back = (lambda x: np.tanh(1000 * x)), (lambda dy, x: dy * 1000 * (1 - np.tanh(1000 * x) ** 2))
    finding = check_vjp(f, back, (np.array([0.0, 1e-4, 3e-4]),), complex_step=False)
    assert finding.verdict is Verdict.PASS


@pytest.mark.parametrize("where", ["function", "backward"])
def test_a_result_that_changes_by_itself_is_non_deterministic(where):
    rng = np.random.default_rng(0)
    draw = lambda which: rng.random() if where == which else 1.0
    finding = check_vjp(lambda x: x * draw("function"), lambda dy, x: dy * draw("backward"), (np.ones(3),))
    assert finding.verdict is Verdict.NON_DETERMINISTIC
    assert where in finding.nondeterministic and not finding.ok


def test_a_result_that_changes_only_in_its_last_bits_is_deterministic_enough():
    flip = iter(range(10**6))
    f = lambda x: np.sin(x) * (1 + 2e-16 * (next(flip) % 2))
    assert check_vjp(f, lambda dy, x: dy * np.cos(x), (np.array([0.3, -1.2]),)).verdict is Verdict.PASS


# functions on which float32 rounding is hard: (name, f, right backward, argument)
RNG = np.random.default_rng(8)
HARD = {
    "sum of many": (lambda x: (x * x).sum(), lambda dy, x: 2 * dy * x, RNG.standard_normal(200)),
    "cancelling": (lambda x: x + np.float32(1e6) - np.float32(1e6), lambda dy, x: dy, RNG.standard_normal(4)),
    "a staircase": (lambda x: x + np.float32(1e8) - np.float32(1e8), lambda dy, x: dy, RNG.standard_normal(4)),
    "large values": (lambda x: np.exp(x), lambda dy, x: dy * np.exp(x), np.array([5.0, 9.0, 12.0])),
    "large arguments": (np.sin, lambda dy, x: dy * np.cos(x), np.array([300.0, 2000.0, -5000.0])),
    "tiny arguments": (np.log, lambda dy, x: dy / x, np.array([1e-6, 1e-4, 1e-2])),
    "square root near zero": (np.sqrt, lambda dy, x: dy / (2 * np.sqrt(x)), np.array([1e-6, 1e-4, 1.0])),
    "power": (lambda x: x**7, lambda dy, x: 7 * dy * x**6, np.array([-3.0, 0.1, 4.0])),
    "near one": (lambda x: 1 / (1 - x), lambda dy, x: dy / (1 - x) ** 2, np.array([0.999, 0.9, 1.01])),
    "saturated": (np.tanh, lambda dy, x: dy * (1 - np.tanh(x) ** 2), np.array([0.1, 6.0, 9.0, -12.0])),
    "long product": (np.prod, lambda dy, x: dy * np.prod(x) / x, 1 + 0.2 * RNG.standard_normal(40)),
}


EITHER = ("cancelling", "a staircase")  # in float64 too, the digits that differences need are rounded away


@pytest.mark.parametrize("complex_step", [True, False])
@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_right_gradient_is_never_called_wrong(name, dtype, complex_step):
    f, backward, x = HARD[name]
    finding = check_vjp(f, backward, (x.astype(dtype),), complex_step=complex_step)
    allowed = {Verdict.PASS, Verdict.UNDECIDABLE} if dtype == np.float32 or name in EITHER else {Verdict.PASS}
    assert finding.verdict in allowed, str(finding)


@pytest.mark.parametrize("seed", range(10))
def test_right_float32_gradients_of_a_layer_pass_and_wrong_ones_do_not(seed):
    arguments = layer_arguments(np.float32, seed)
    for complex_step in (True, False):
        assert check_vjp(layer, layer_back, arguments, complex_step=complex_step).verdict is Verdict.PASS
        wrong = check_vjp(layer, planted(lambda g: g * np.float32(1.01)), arguments, complex_step=complex_step)
        assert wrong.verdict is Verdict.WRONG


def test_a_claim_that_only_float32_accuses_is_held_against_float64():
    """In float32 this function is a staircase, flat here; its gradient is nevertheless 1, as float64 shows: the claims
    between the steps agree with its values there, which leaves it open, and float64 decides."""
    f, x = HARD["a staircase"][0], np.array([0.3, -0.8], np.float32)
    finding = check_vjp(f, lambda dy, x: dy, (x,), complex_step=False)
    assert finding.verdict is Verdict.PASS
    assert check_vjp(f, lambda dy, x: 2 * dy, (x,), complex_step=False).verdict is Verdict.WRONG


def test_an_error_below_what_float32_can_show_is_undecidable_not_wrong():
    """With a tolerance finer than rounding, a right gradient cannot be proven and must not be accused."""
    finding = check_vjp(layer, layer_back, layer_arguments(np.float32), rtol=1e-9, complex_step=False)
    assert finding.verdict is Verdict.UNDECIDABLE


def test_a_point_without_finite_values_around_it_is_undecidable():
    with np.errstate(invalid="ignore"):
        finding = check_vjp(np.log, lambda dy, x: dy / x, (np.array([-1.0]),), complex_step=False)
    assert finding.verdict is Verdict.UNDECIDABLE


def test_arguments_are_never_written_even_by_functions_that_try():
    x = np.array([0.5, -1.5])

    def rude(x):
        x *= 2
        return np.sin(x)

    check_vjp(rude, lambda dy, x: 2 * dy * np.cos(2 * x), (x,))
    np.testing.assert_array_equal(x, [0.5, -1.5])


def test_integer_arguments_are_handed_through():
    table, rows = np.random.default_rng(0).standard_normal((4, 2)), np.array([0, 0, 3])

    def backward(dy, table, rows):
        dtable = np.zeros_like(table)
        np.add.at(dtable, rows, dy)
        return dtable, None

    finding = check_vjp(lambda table, rows: table[rows], backward, (table, rows))
    assert finding.verdict is Verdict.PASS and [t.name for t in finding.tensors] == ["table"]


def test_a_gradient_that_is_not_claimed_is_noted_not_passed_over():
    finding = check_vjp(layer, lambda dy, x, w: (layer_back(dy, x, w)[0], None), layer_arguments())
    assert finding.verdict is Verdict.WRONG and "no gradient was claimed for w" in str(finding)
    constant = check_vjp(layer, lambda dy, x, w: (layer_back(dy, x, w)[0], None), layer_arguments(), constants=["w"])
    assert constant.verdict is Verdict.PASS and "declared constant, not checked: w" in str(constant)


@pytest.mark.parametrize(
    "backward, message",
    [
        (lambda dy, x, w: dy, "number of gradients of layer must be 2, one for each argument, got 1"),
        (lambda dy, x, w: (x, w.T), r"the gradient of w must be of shape \(5, 2\), got \(2, 5\); is it transposed"),
        (
            lambda dy, x, w: (x[0], w),
            r"the gradient of x must be of shape \(3, 5\), got \(5,\); a gradient has the shape",
        ),
    ],
)
def test_gradients_of_another_number_or_shape_are_refused(backward, message):
    with pytest.raises(InputError, match=message):
        check_vjp(layer, backward, layer_arguments())


def test_arguments_without_a_float_array_and_float16_are_refused():
    with pytest.raises(InputError, match="at least one array of float32 or float64"):
        check_vjp(lambda n: n, lambda dy, n: dy, (np.arange(3),))
    with pytest.raises(DtypeError, match="float16"):
        check_vjp(np.sin, lambda dy, x: dy, (np.ones(3, np.float16),))


def test_cotangents_of_another_shape_are_refused():
    with pytest.raises(InputError, match=r"cotangents must be of the outputs' shape \(3, 2\), got \(2, 3\)"):
        check_vjp(layer, layer_back, layer_arguments(), cotangents=[np.ones((2, 3))])


def test_a_function_that_is_not_analytic_falls_back_to_differences():
    """abs, real parts and comparisons give a complex step nonsense; agreement with differences is what lets it in."""
    x = np.array([0.3, -0.7])
    finding = check_vjp(lambda x: np.abs(x) * x, lambda dy, x: 2 * dy * np.abs(x), (x,))
    assert finding.verdict is Verdict.PASS and finding.method == "central differences"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        finding = check_vjp(lambda x: np.array([float(np.real(v)) ** 2 for v in x]), lambda dy, x: 2 * dy * x, (x,))
    assert finding.verdict is Verdict.PASS and finding.method == "central differences"


def test_the_v_curve_falls_with_its_order_and_rises_with_rounding():
    point = Measurement(lambda x: np.sin(5 * x), (np.array([0.7]),), cotangents=[np.ones(1)])
    (slope,), steps = point.slopes[0][0], point.steps
    error = np.abs(slope.table - 5 * np.cos(3.5))
    for k in range(3):  # truncation: error ~ step ** (2k + 2), on rungs well above rounding
        first, second = error[k, k + 1 : k + 3]
        assert np.log(first / second) / np.log(sweep.RATIO) == pytest.approx(2 * k + 2, abs=0.3)
    assert error[0, -1] > 100 * np.nanmin(error[0])  # rounding
    assert np.nanmin(error[2]) < np.nanmin(error[0]) < 1e-9 < error[0, 0]
    assert len(steps) == error.shape[1] and (np.diff(steps) < 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_uncertainty_bounds_the_error_of_the_measurement(dtype):
    rng = np.random.default_rng(3)
    for f, derivative in ((np.sin, np.cos), (np.exp, np.exp), (np.tanh, lambda x: 1 - np.tanh(x) ** 2)):
        x = rng.uniform(-2, 2, 30).astype(dtype)
        point = Measurement(f, (x,), cotangents=[np.ones(30)], complex_step=False)
        for value, slope in zip(derivative(x.astype(np.float64)), point.slopes[0][0]):
            assert abs(slope.value - value) <= 10 * slope.uncertainty


def test_a_blunt_measurement_neither_passes_nor_accuses():
    slope = sweep.Slope(1.0, 1e-6, 1.0, 1.0, "smooth", np.ones((1, 1)))
    assert judge(1.0, slope, 1e-9, 1.0, 1e-8) is Verdict.PASS
    assert judge(1.0, slope, 1e-6, 1.0, 1e-8) is Verdict.UNDECIDABLE  # equal, but by chance for all we know
    assert judge(1.0 + 9e-6, slope, 1e-6, 1.0, 1e-8) is Verdict.UNDECIDABLE
    assert judge(1.0 + 2e-5, slope, 1e-6, 1.0, 1e-8) is Verdict.WRONG

"""Operations looked for by who comes from PyTorch: values against NumPy, Python's math and PyTorch's frozen ones."""

import math
from pathlib import Path

import numpy as np
import pytest

from minirnn import Tensor, grad, ops
from minirnn.errors import DtypeError, InputError

GOLDEN = np.load(Path(__file__).parent.parent / "nn" / "golden" / "torch_ported.npz")
rng = np.random.default_rng(11)


def frozen(kind):
    """{name: {array's name: array}} of one kind of PyTorch's numbers."""
    found = {}
    for key in GOLDEN.files:
        if key.startswith(f"{kind}/"):
            _, name, array = key.split("/")
            found.setdefault(name, {})[array] = GOLDEN[key]
    return found


def agrees(function, arrays):
    """Value and gradient against PyTorch's."""
    x = Tensor(arrays["x"], True)
    y = function(x)
    np.testing.assert_allclose(y.value, arrays["y"], rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(grad(y, x, arrays["dy"])[0].value, arrays["dx"], rtol=1e-12, atol=1e-15)


# ------------------------------------------------------------------------------------------------ of one number
def test_elementary_functions_are_numpys():
    a = rng.uniform(-3, 3, (4, 5))
    for name in ("sin", "cos", "expm1"):
        np.testing.assert_array_equal(getattr(ops, name)(a).value, getattr(np, name)(a))
    np.testing.assert_array_equal(ops.log1p(abs(a) - 0.9).value, np.log1p(abs(a) - 0.9))
    np.testing.assert_array_equal(ops.logaddexp(a, a[0]).value, np.logaddexp(a, a[0]))
    assert ops.log1p(Tensor(1e-20)).item() == ops.expm1(Tensor(1e-20)).item() == 1e-20


def test_the_error_function_has_15_digits():
    a = np.concatenate([np.linspace(-7, 7, 4001), np.geomspace(1e-300, 1, 301), [0.46875, np.nextafter(0.46875, 1)]])
    np.testing.assert_allclose(ops.erf(a).value, [math.erf(v) for v in a], rtol=1e-15, atol=0)
    np.testing.assert_array_equal(ops.erf(np.array([0.0, np.inf, -np.inf, np.nan])).value, [0, 1, -1, np.nan])
    single = a.astype(np.float32)
    assert ops.erf(single).dtype == np.float32 and ops.erf(np.array([1, 2])).dtype == np.float64
    np.testing.assert_allclose(ops.erf(single).value, [math.erf(v) for v in single], rtol=0, atol=2e-7)


def test_two_infinities_share_the_gradient_of_logaddexp():
    x, y = (Tensor(np.array([v, v, 1000.0, 0.0]), True) for v in (-np.inf, np.inf))
    z = Tensor(np.array([-np.inf, 3.0, 1000.0, math.log(3.0)]), True)
    value = ops.logaddexp(x, z)
    np.testing.assert_allclose(value.value, [-np.inf, 3.0, 1000 + math.log(2), math.log(4)])
    dx, dz = grad(value, (x, z), np.ones(4), create_graph=True)
    np.testing.assert_allclose(dx.value, [0.5, 0, 0.5, 0.25])
    np.testing.assert_allclose(dz.value, [0.5, 1, 0.5, 0.75])
    np.testing.assert_array_equal(grad(ops.logaddexp(y, y * 1.0), y, np.ones(4))[0].value, 1.0)
    np.testing.assert_allclose(grad(dx, x, np.ones(4))[0].value[2:], [0.25, 0.25 * 0.75])


ACTIVATIONS = {
    "gelu": ops.gelu, "gelu of tanh": lambda x: ops.gelu(x, "tanh"), "silu": ops.silu,
    "elu": lambda x: ops.elu(x, 0.7), "leaky_relu": lambda x: ops.leaky_relu(x, 0.2), "softmax": ops.softmax,
    "log_softmax": ops.log_softmax,
}


@pytest.mark.parametrize("name", frozen("activation"))
def test_activations_are_pytorchs(name):
    agrees(ACTIVATIONS[name], frozen("activation")[name])


# --------------------------------------------------------------------------------------------------- reductions
def test_reductions_over_several_axes_are_numpys():
    a = rng.uniform(0.5, 2, (2, 3, 4))
    for axes in ((0, 2), (-1, 1), 1, None, (2, 0, 1), ()):
        for kept in (False, True):
            np.testing.assert_allclose(ops.prod(a, axes, kept).value, a.prod(axes, keepdims=kept))
            np.testing.assert_allclose(ops.std(a, axes, kept).value, a.std(axes, keepdims=kept))
            np.testing.assert_allclose(ops.logsumexp(a, axes, kept).value, np.log(np.exp(a).sum(axes, keepdims=kept)))
    np.testing.assert_allclose(Tensor(a).std(0, ddof=1).value, a.std(0, ddof=1))
    np.testing.assert_allclose(Tensor(a).cumprod(1).value, a.cumprod(1))


def test_a_deviation_of_nothing_has_slope_0():
    x = Tensor(np.array([[2.0, 2.0], [1.0, 3.0]]), True)
    (first,) = grad(ops.std(x, 1), x, np.ones(2), create_graph=True)
    np.testing.assert_array_equal(first.value, [[0, 0], [-0.5, 0.5]])
    np.testing.assert_array_equal(grad(first[0].sum(), x)[0].value, 0)


def test_empty_axes():
    empty = np.ones((2, 0, 3))
    assert ops.prod(empty, (0, 1)).value.tolist() == [1, 1, 1] and ops.cumprod(empty, 1).shape == (2, 0, 3)
    assert ops.logsumexp(empty, 1, True).shape == (2, 1, 3) and ops.sort(empty, 1)[0].shape == (2, 0, 3)
    x = Tensor(empty, True)
    y = ops.logsumexp(x, 1)
    assert (y.value == -np.inf).all() and grad(y, x, np.ones((2, 3)))[0].shape == (2, 0, 3)
    assert ops.topk(empty, 0, 1)[0].shape == (2, 0, 3) and ops.tile(np.ones(2), 0).shape == (0,)
    for name in ("max", "min", "argmax", "argmin", "max_with_indices", "min_with_indices"):
        with pytest.raises(InputError, match=f"^{name}: x must be with entries along the axis, got"):
            getattr(ops, name)(empty, 1)
    with pytest.raises(InputError, match="max: x must be with entries"):
        Tensor(empty).max()


# ----------------------------------------------------------------------------------------------------- selection
def test_sorting_keeps_equal_entries_in_order_and_nan_is_largest():
    a = np.array([3.0, 5.0, np.nan, 5.0, -1.0])
    for descending, wanted in ((False, [4, 0, 1, 3, 2]), (True, [2, 1, 3, 0, 4])):
        values, indices = ops.sort(a, descending=descending)
        np.testing.assert_array_equal(indices.value, wanted)
        np.testing.assert_array_equal(values.value, a[wanted])
    b = rng.standard_normal((3, 4, 2))
    for axis in (0, 1, -1):
        values, indices = ops.sort(b, axis)
        np.testing.assert_array_equal(values.value, np.sort(b, axis))
        np.testing.assert_array_equal(indices.value, np.argsort(b, axis))
        np.testing.assert_array_equal(ops.topk(b, 2, axis)[0].value, np.flip(np.sort(b, axis), axis).take([0, 1], axis))
        np.testing.assert_array_equal(ops.topk(b, 2, axis, largest=False)[0].value, np.sort(b, axis).take([0, 1], axis))


def test_extremes_and_where_they_are():
    a = np.array([[2.0, 7.0, 7.0], [-1.0, -4.0, -4.0]])
    x = Tensor(a, True)
    for name in ("max", "min"):
        for axis in (0, 1, -1):
            values, indices = getattr(ops, f"{name}_with_indices")(x, axis)
            np.testing.assert_array_equal(values.value, getattr(a, name)(axis))
            np.testing.assert_array_equal(indices.value, getattr(a, f"arg{name}")(axis))
            assert getattr(ops, f"{name}_with_indices")(x, axis, True)[1].ndim == 2
            assert not indices.requires_grad
        assert getattr(ops, f"arg{name}")(x).item() == getattr(a, f"arg{name}")()
        assert getattr(x, f"arg{name}")(1, True).shape == (2, 1)
    (dx,) = grad(ops.max_with_indices(x)[0], x, np.array([2.0, -3.0]))
    np.testing.assert_array_equal(dx.value, [[0, 2, 0], [-3, 0, 0]])


def test_one_hot():
    hot = ops.one_hot(np.array([[2, 0], [1, 1]]), 3)
    assert hot.dtype == np.float32 and hot.value.tolist() == [[[0, 0, 1], [1, 0, 0]], [[0, 1, 0], [0, 1, 0]]]
    assert ops.one_hot(2, 3, np.float64).value.tolist() == [0, 0, 1]
    assert ops.one_hot(np.empty((2, 0), int), 3).shape == (2, 0, 3)


# --------------------------------------------------------------------------------------------------------- places
def test_repeating_and_triangles_are_numpys():
    a = rng.standard_normal((2, 3, 4))
    for repeats, axis in ((2, None), (3, 1), ([1, 0, 2], 1), ([2], -1), (0, 0)):
        np.testing.assert_array_equal(ops.repeat(a, repeats, axis).value, np.repeat(a, repeats, axis))
    for repeats in (2, (2, 1), (1, 2, 3), (2, 1, 1, 2), ()):
        np.testing.assert_array_equal(ops.tile(a, repeats).value, np.tile(a, repeats))
    for k in (-1, 0, 2):
        np.testing.assert_array_equal(ops.tril(a, k).value, np.tril(a, k))
        np.testing.assert_array_equal(ops.triu(a, k).value, np.triu(a, k))
    assert ops.tril(np.full((2, 2), np.inf)).value.tolist() == [[np.inf, 0], [np.inf, np.inf]]


@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
def test_padding_by_entries_is_numpys(mode):
    a = rng.standard_normal((3, 4))
    for widths in (((2, 1), (0, 3)), ((0, 0), (1, 0)), ((0, 0), (0, 0))):
        np.testing.assert_array_equal(ops.pad(a, widths, mode=mode).value, np.pad(a, widths, mode=mode))


@pytest.mark.parametrize("subscripts, shapes", [
    ("ii", [(3, 3)]), ("ii->i", [(3, 3)]), ("iij->j", [(3, 3, 2)]), ("ijij", [(2, 3, 2, 3)]), ("iii->i", [(2, 2, 2)]),
    ("...i,...i->...", [(2, 1, 3), (4, 3)]), ("i...,i->...", [(3, 2, 4), (3,)]), ("...", [(2, 3)]),
    ("...ij,...jk", [(2, 3, 4), (4, 2)]), ("b...,b...->b...", [(2, 3), (2, 3)]),
    ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 2)]), ("ab,ab", [(2, 3), (1, 3)]), ("A...a,a->A...", [(2, 5, 3), (3,)]),
])
def test_einsum_is_numpys(subscripts, shapes):
    arrays = [rng.standard_normal(shape) for shape in shapes]
    leaves = [Tensor(a, True) for a in arrays]
    y = ops.einsum(subscripts, *leaves)
    np.testing.assert_allclose(y.value, np.einsum(subscripts, *arrays), rtol=1e-13)
    for a, g in zip(arrays, grad(y, leaves, np.ones(y.shape))):  # linear in each
        np.testing.assert_allclose((g.value * a).sum(), y.value.sum(), rtol=1e-12)
        assert g.shape == a.shape


def test_an_ellipsis_that_the_output_lacks_is_added_up():
    a = rng.standard_normal((2, 3, 4))
    np.testing.assert_allclose(ops.einsum("...i->i", a).value, a.sum((0, 1)))


POOLS = {
    "padded": (3, 2, 1), "rounded up": (3, 2, 0, True), "no window in the padding": (2, 3, 1, True),
    "two axes": ((3, 2), 2, 1, True),
}


@pytest.mark.parametrize("name", frozen("pool"))
def test_pooling_is_pytorchs(name):
    kind, _, options = name.partition(", ")
    if kind == "max":
        agrees(lambda x: ops.max_pool(x, *POOLS[options]), frozen("pool")[name])
    else:
        agrees(lambda x: ops.avg_pool(x, *POOLS[options], count_include_pad=kind == "avg"), frozen("pool")[name])


a23 = np.ones((2, 3))


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: ops.topk(a23, 4), InputError, r"topk: k must be in 0..3, the length of the axis, got 4"),
    (lambda: ops.topk(a23, 1.5), DtypeError, "topk: k must be an integer, got 1.5"),
    (lambda: ops.sort(a23, 2), InputError, "sort: axis must be one of 2 axes, got 2"),
    (lambda: ops.argmax(a23, 1.0), DtypeError, "argmax: axis must be an integer"),
    (lambda: ops.one_hot(np.array([0, 3]), 3), InputError, r"one_hot: ids must be in \[0, V\) = \[0, 3\), got 0..3"),
    (lambda: ops.one_hot(np.array([0.5]), 3), DtypeError, "one_hot: ids must be an integer array"),
    (lambda: ops.one_hot(np.array([0]), 3, int), DtypeError, "one_hot: dtype must be float32 or float64"),
    (lambda: ops.one_hot(np.array([0]), 0), InputError, "one_hot: classes must be a positive int"),
    (lambda: ops.gelu(a23, "erf"), InputError, "gelu: approximate must be 'none' or 'tanh', got 'erf'"),
    (lambda: ops.elu(a23, a23), InputError, "elu: alpha must be one number"),
    (lambda: ops.std(a23, 0, ddof=2), InputError, r"std: ddof must be below the number of entries \(2\), got 2"),
    (lambda: ops.cumprod(a23, None), DtypeError, "cumprod: axis must be an integer"),
    (lambda: ops.logsumexp(a23, 2), InputError, "logsumexp: axis 2 is out of bounds"),
    (lambda: ops.logsumexp(a23, (0, 2)), InputError, "axis must be one of 2 axes, got 2"),
    (lambda: ops.tril(np.ones(3)), InputError, r"tril: x must be \(..., M, N\), got \(3,\)"),
    (lambda: ops.triu(a23, 0.5), DtypeError, "triu: k must be an integer"),
    (lambda: ops.repeat(a23, [1, 2], 1), InputError, "repeat: repeats must be .* 3 entries"),
    (lambda: ops.repeat(a23, -1), InputError, "repeat: repeats must be one number of at least 0"),
    (lambda: ops.repeat(a23, 1.5), DtypeError, "repeat: repeats must be integers, got float64"),
    (lambda: ops.tile(a23, (2, -1)), InputError, "tile: repeats must be ints of at least 0"),
    (lambda: ops.pad(a23, ((0, 0), (3, 0)), mode="reflect"), InputError, r"the widths of axis 1 must be at most 2"),
    (lambda: ops.pad(a23, ((0, 0), (4, 0)), mode="wrap"), InputError, r"the widths of axis 1 must be at most 3"),
    (lambda: ops.pad(np.ones((0,)), ((1, 0),), mode="edge"), InputError, r"the widths of axis 0 must be at most 0"),
    (lambda: ops.pad(a23, ((0, 0), (1, 0)), mode="mirror"), InputError, "pad: mode must be 'constant', 'reflect'"),
    (lambda: ops.max_pool(np.ones((1, 1, 5)), 2, padding=2), InputError, r"padding must be at most half of the kernel"),
    (lambda: ops.avg_pool(np.ones((1, 1, 1)), 4, padding=1), InputError, r"kernel must be at most \(1,\) with padding"),
    (lambda: ops.logaddexp(np.ones(2), np.ones(2, "f")), DtypeError, "of one float type"),
    (lambda: ops.erf("x"), DtypeError, "value must be numbers"),
    (lambda: ops.sin(object()), DtypeError, "sin|Tensor"),
])
def test_what_does_not_fit_is_refused_in_our_words(call, error, message):
    with pytest.raises(error, match=message):
        call()

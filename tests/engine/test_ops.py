"""Operations: values against numpy's own, first and second derivatives against central differences, broadcasting,
dtypes, and errors. The inputs are those of ``minirnn gradcheck --all``; its checker is not used here."""

import numpy as np
import pytest

from minirnn import Tensor, grad, ops
from minirnn.errors import DtypeError, InputError
from minirnn.gradcheck import suite_ops

rng = np.random.default_rng(7)


def normal(*shape):
    """Values away from 0, of both signs."""
    return rng.uniform(0.3, 1.5, shape) * rng.choice([-1.0, 1.0], shape)


def positive(*shape):
    return rng.uniform(0.5, 2.0, shape)


# the cases of the suite, differentiated here without its checker, and a few more: name -> (operation, arrays)
CASES = suite_ops.CASES | {
    "square": (lambda x: x**2, normal(3)),
    "vector-matrix": (ops.matmul, normal(4), normal(4, 3)),
    "vector-vector": (ops.matmul, normal(4), normal(4)),
    "batch-vector": (ops.matmul, normal(2, 3, 4), normal(4)),
    "linear of a vector": (ops.linear, normal(4), normal(5, 4), normal(5)),
    "einsum sum": (lambda x: ops.einsum("ij->j", x), normal(2, 3)),
    "norm kept": (lambda x: ops.norm(x, (0, 2), True), normal(2, 3, 4)),
    "prod of all": (lambda x: ops.prod(x, None, True), normal(2, 3)),
    "index": (lambda x: x[1:, 0], normal(3, 2)),
}


def central_differences(f, arrays, h=1e-5):
    """Gradient of a function of arrays to a number, entry by entry."""
    gradients = []
    for k, a in enumerate(arrays):
        g = np.zeros_like(a)
        for place in np.ndindex(a.shape):
            moved = [np.array(b) for b in arrays]
            moved[k][place] += h
            up = f(*moved)
            moved[k][place] -= 2 * h
            g[place] = (up - f(*moved)) / (2 * h)
        gradients.append(g)
    return gradients


@pytest.mark.parametrize("name", CASES)
def test_operation_first_and_second_derivative(name):
    """Of a layer, "linear" and "tanh", these are thesis (2.1.3) and (2.1.4) with thesis (2.1.7) and (2.1.8)."""
    operation, *arrays = CASES[name]
    cotangent = rng.standard_normal(operation(*map(Tensor, arrays)).shape)
    directions = [rng.standard_normal(a.shape) for a in arrays]

    def value(*arrays):
        return float((operation(*map(Tensor, arrays)).value * cotangent).sum())

    def slope(*arrays):
        leaves = [Tensor(a, True) for a in arrays]
        gradients = grad(operation(*leaves), leaves, cotangent)
        return float(sum((g.value * d).sum() for g, d in zip(gradients, directions)))

    leaves = [Tensor(a, True) for a in arrays]
    first = grad(operation(*leaves), leaves, cotangent, create_graph=True)
    for g, expected in zip(first, central_differences(value, arrays)):
        np.testing.assert_allclose(g.value, expected, rtol=1e-7, atol=1e-7)
    along = sum(((g * d).sum() for g, d in zip(first, directions)), Tensor(np.zeros(())))
    second = grad(along, leaves) if along.requires_grad else [Tensor(np.zeros(a.shape)) for a in arrays]
    for g, expected in zip(second, central_differences(slope, arrays)):
        np.testing.assert_allclose(g.value, expected, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", [name for name in CASES if name != "astype"])  # which is there to change the type
def test_operation_keeps_float32_there_and_back(name):
    operation, *arrays = CASES[name]
    leaves = [Tensor(a.astype(np.float32), True) for a in arrays]
    y = operation(*leaves)
    gradients = grad(y, leaves, np.ones(y.shape, np.float32), create_graph=True)
    assert y.dtype == np.float32 and all(g.dtype == np.float32 for g in gradients)
    assert all(g.shape == leaf.shape for g, leaf in zip(gradients, leaves))


def test_values_against_numpy():
    a, b = normal(2, 3, 4), positive(4, 5)
    x, w = Tensor(a), Tensor(b)
    np.testing.assert_allclose((x @ w).value, a @ b)
    np.testing.assert_allclose(ops.logsumexp(x).value, np.log(np.exp(a).sum(-1)))
    np.testing.assert_allclose(ops.var(x, (0, 1)).value, a.var((0, 1)))
    np.testing.assert_allclose(ops.prod(x, 1).value, a.prod(1))
    np.testing.assert_array_equal(ops.sign(x).value, np.sign(a))
    np.testing.assert_allclose(ops.softplus(x).value, np.log1p(np.exp(a)))
    np.testing.assert_allclose(x.clip(-1, 1).cumsum(1).value, a.clip(-1, 1).cumsum(1))
    np.testing.assert_array_equal(ops.roll(x, (1, -2), (0, 1)).value, np.roll(a, (1, -2), (0, 1)))
    np.testing.assert_array_equal(ops.roll(x, 2).value, np.roll(a, 2))
    np.testing.assert_allclose(ops.norm(x, 1, True).value, np.linalg.norm(a, axis=1, keepdims=True))
    assert ops.sum(x).shape == () and x.norm().item() == pytest.approx(np.sqrt((a**2).sum()))


def test_saturated_and_infinite_arguments_stay_right():
    big = Tensor(np.array([-1e4, 0.0, 1e4]))
    np.testing.assert_array_equal(ops.sigmoid(big).value, [0.0, 0.5, 1.0])
    np.testing.assert_array_equal(ops.softplus(big).value, [0.0, np.log(2), 1e4])
    np.testing.assert_allclose(ops.softplus(Tensor(np.array([-40.0, 40.0]))).value, [np.exp(-40), 40.0], rtol=1e-15)
    np.testing.assert_allclose(ops.log_softmax(big).value, [-2e4, -1e4, 0.0])
    assert ops.logsumexp(Tensor(np.array([-np.inf, -np.inf]))).item() == -np.inf
    assert np.isnan(ops.maximum(Tensor(np.array([np.nan])), 1.0).value[0])


def test_ties_share_or_go_to_the_first():
    x = Tensor(np.array([2.0, 2.0, 1.0]), True)
    np.testing.assert_array_equal(grad(ops.max(x), x)[0].value, [1, 0, 0])
    np.testing.assert_array_equal(grad(ops.maximum(x, 2.0).sum(), x)[0].value, [0.5, 0.5, 0])
    np.testing.assert_array_equal(grad(ops.norm(x * 0.0), x)[0].value, [0, 0, 0])
    zero = Tensor(np.zeros(3), True)
    (first,) = grad(ops.norm(zero), zero, create_graph=True)
    np.testing.assert_array_equal(grad(first.sum(), zero)[0].value, [0, 0, 0])


def test_derivatives_where_they_are_a_choice():
    x = Tensor(np.array([-0.5, 0.0, 0.5, 0.6]), True)
    np.testing.assert_array_equal(grad(ops.clip(x, -0.5, 0.5).sum(), x)[0].value, [1, 1, 1, 0])
    y = Tensor(np.array([2.0, 3.0]), True)
    np.testing.assert_array_equal(grad(ops.power(Tensor(np.zeros(2)), y).sum(), y)[0].value, [0, 0])


def test_causal_convolution_looks_back_and_not_ahead():
    x, w = Tensor(np.arange(1.0, 6).reshape(1, 1, 5)), Tensor(np.array([[[100.0, 10, 1]]]))
    np.testing.assert_array_equal(ops.conv1d(x, w, padding="causal").value[0, 0], [1, 12, 123, 234, 345])


def test_negative_and_positive_names_of_one_row_add_up():
    x = Tensor(np.zeros((5, 2)), True)
    rows = np.array([-1, 4] * 50)
    np.testing.assert_array_equal(grad(x[rows].sum(), x)[0].value[:, 0], [0, 0, 0, 0, 100])


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1), (3, 2)])
def test_convolution_and_its_transpose_are_adjoint(stride, padding):
    x, w = Tensor(normal(2, 3, 8, 7)), Tensor(normal(4, 3, 3, 2))
    y = ops.conv2d(x, w, stride=stride, padding=padding)
    cotangent = Tensor(normal(*y.shape))
    extra = tuple((n + 2 * padding - k) % stride for n, k in zip(x.shape[2:], w.shape[2:]))
    back = ops.conv_transpose2d(cotangent, w, stride=stride, padding=padding, output_padding=extra)
    assert back.shape == x.shape
    np.testing.assert_allclose((y * cotangent).sum().item(), (x * back).sum().item(), rtol=1e-10)


def test_convolution_limits_are_linear_layers():
    x, w = Tensor(normal(2, 3, 5)), Tensor(normal(4, 3, 1))
    np.testing.assert_allclose(ops.conv1d(x, w).value, np.einsum("ncl,oc->nol", x.value, w.value[:, :, 0]))
    whole = Tensor(normal(4, 3, 5))
    np.testing.assert_allclose(ops.conv1d(x, whole).value[:, :, 0], np.einsum("ncl,ocl->no", x.value, whole.value))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.matmul(normal(2, 3), normal(2, 3)), r"matmul: shapes must be .*; is one of them transposed"),
        (lambda: ops.linear(normal(2, 3), normal(3, 2)), r"linear: shapes must be .* is the weight transposed"),
        (lambda: ops.einsum("i->ii", normal(2)), "einsum: subscripts must be"),
        (lambda: ops.einsum("...i->....", normal(2)), "einsum: subscripts must be"),
        (lambda: ops.einsum("i->j", normal(2)), "einsum: subscripts must be"),
        (lambda: ops.einsum("...b->a", normal(2, 3)), "einsum: subscripts must be"),
        (lambda: ops.einsum("ij,jk", normal(2, 3), normal(4, 2)), "index 'j' must be of one length, got 3 and 4"),
        (lambda: ops.einsum("ijk", normal(2, 3)), "operand 0 must be of as many axes as 'ijk' names"),
        (lambda: ops.einsum("i", normal(2, 3)), "operand 0 must be of as many axes as 'i' names"),
        (lambda: ops.einsum("ij,jk->ik", normal(2, 2)), "for 1 operands"),
        (lambda: ops.split(normal(5), 2), "divisor of the axis length 5"),
        (lambda: ops.split(normal(5), [2, 2]), "numbers that add up to 5"),
        (lambda: ops.concatenate([]), "at least one tensor"),
        (lambda: ops.pad(normal(2, 2), ((1, 1),)), "2 pairs of non-negative ints"),
        (lambda: ops.var(normal(2), ddof=2), r"below the number of entries \(2\)"),
        (lambda: ops.prod(normal(2, 2), (0, 2)), "axis must be one of 2 axes, got 2"),
        (lambda: ops.embedding(normal(3, 2), np.array([0, 3])), r"ids must be in \[0, V\) = \[0, 3\), got 0\.\.3"),
        (lambda: ops.gather(normal(3, 2), np.array([0])), "2 axes, as x"),
        (lambda: ops.conv1d(normal(2, 3, 4), normal(4, 2, 3)), "axis 1 = 3, the channels of x"),
        (lambda: ops.conv2d(normal(2, 3, 4), normal(4, 3, 3)), r"x must be \(N, C, H, W\)"),
        (lambda: ops.conv1d(normal(2, 3, 2), normal(4, 3, 3)), "kernel must be at most the padded input"),
        (lambda: ops.conv1d(normal(2, 3, 4), normal(4, 3, 3), stride=0), "stride must be an int >= 1"),
        (lambda: ops.conv_transpose1d(normal(2, 3, 4), normal(3, 2, 3), output_padding=1), "below the stride"),
        (lambda: ops.fold(normal(2, 1, 3, 1), (4,), (1,)), r"x must be windows \(4,\) of a size \(4,\), got"),
        (lambda: ops.max_pool(normal(2, 3), 2), r"x must be \(N, C, L\)"),
        (lambda: ops.avg_pool(normal(1, 1, 2), 3), "kernel must be at most"),
    ],
)
def test_bad_arguments_get_one_clear_error(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_embedding_refuses_floats():
    with pytest.raises(DtypeError, match="ids must be an integer array, got float64"):
        ops.embedding(normal(3, 2), np.array([0.0]))


def test_scatter_of_one_number_to_several_rows_adds_up_their_gradients():
    x = Tensor(2.0, requires_grad=True)
    (dx,) = grad(ops.scatter(x, np.array([0, 2, 2]), (3, 2)), [x], [np.array([[1.0, -2.0], [5.0, 7.0], [3.0, 0.5]])])
    assert dx.shape == () and dx.item() == (1 - 2) + 2 * (3 + 0.5)

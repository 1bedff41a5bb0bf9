"""Every operation, to second order, and the checker itself: the same numbers on every device, nothing crosses."""

import numpy as np
import pytest

from minirnn import Tensor, gradcheck, ops
from minirnn.array import scatter_add, to_cpu, to_device, xp_of
from minirnn.autograd import grad
from minirnn.errors import InputError
from minirnn.gradcheck.suite_ops import CASES


def results(function, arrays):
    """Value, gradients and gradients of the gradients of a case, as NumPy arrays."""
    leaves = [Tensor(a, requires_grad=True) for a in arrays]
    y = function(*leaves)
    weight = y * y + 1.0
    first = grad(ops.sum(weight * y), leaves, create_graph=True)
    second = grad(sum((ops.sum(g * g) for g in first[1:]), ops.sum(first[0] * first[0])), leaves)
    return [t.numpy() for t in (y, *first, *second)]


@pytest.mark.parametrize("name", CASES)
def test_every_operation_computes_the_same_on_every_device(name, device):
    function, *arrays = CASES[name]
    expected = results(function, arrays)
    found = results(function, [to_device(a, device) for a in arrays])
    for there, here in zip(found, expected, strict=True):
        np.testing.assert_allclose(there, here, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", ["tanh", "where", "linear", "embedding", "getitem of repeated rows", "max_pool"])
def test_the_checker_takes_device_arrays(name, order, device):
    function, *arrays = CASES[name]
    finding = gradcheck.check(function, [to_device(a, device) for a in arrays], order=order, name=name)
    assert finding.verdict is gradcheck.Verdict.PASS, finding.report()


def test_a_wrong_vjp_is_named_on_every_device(device):
    x = to_device(np.array([0.3, -1.2, 0.7]), device)
    finding = gradcheck.check_vjp(lambda x: x * x * x, lambda dy, x: 2.5 * x * x * dy, [x])
    assert finding.verdict is gradcheck.Verdict.WRONG


def test_floats_that_lie_apart_are_refused_in_our_words(device):
    x, here = to_device(np.array([1.0, -2.0]), device), np.array([3.0, 0.5])
    if device == "cpu":
        np.testing.assert_array_equal((Tensor(x) * here).numpy(), [3.0, -1.0])
        return
    for operation in (ops.multiply, ops.subtract, ops.maximum, ops.matmul):
        with pytest.raises(InputError, match="the second array must be on cuda:0 like the first, got cpu"):
            operation(Tensor(x), Tensor(here))


@pytest.mark.parametrize("index", [
    np.array([2, 0, 2, -1, 1, 2]), np.array([[4, 4], [0, 4]]), (np.array([1, 1, 0]), slice(1, None)),
    (slice(None), np.array([2, 2, 0, 2])),
], ids=["rows", "rows in two axes", "rows and a slice", "columns"])
def test_scatter_add_is_a_sum_in_a_fixed_order(index, device):
    rng = np.random.default_rng(3)
    values = rng.standard_normal(np.zeros((5, 3))[index].shape)
    target, expected = to_device(np.full((5, 3), 0.5), device), np.full((5, 3), 0.5)
    np.add.at(expected, index, values)
    there = index if not isinstance(index, tuple) else tuple(
        to_device(i, device) if isinstance(i, np.ndarray) else i for i in index)
    there = to_device(there, device) if isinstance(there, np.ndarray) else there
    scatter_add(target, there, to_device(values, device))
    np.testing.assert_allclose(to_cpu(target), expected, rtol=1e-14)


def test_one_infinite_row_of_a_scatter_stays_in_its_row(device):
    values = np.array([[1e30, 1.0], [np.inf, 2.0], [1e-3, 3.0], [2e-3, -1.0]])
    target = to_device(np.zeros((3, 2)), device)
    scatter_add(target, to_device(np.array([2, 0, 1, 1]), device), to_device(values, device))
    np.testing.assert_array_equal(to_cpu(target), [[np.inf, 2.0], [3e-3, 2.0], [1e30, 1.0]])


def test_a_condition_an_index_and_a_mask_may_come_from_the_host(device):
    x = Tensor(to_device(np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]]), device), requires_grad=True)
    y = ops.where(np.array([True, False, True]), x, 0.0) + x[:, np.array([2, 0, 0])]
    (ops.sum(y * y) + ops.sum(ops.gather(x, np.array([[1, 1], [0, 2]])))).backward()
    assert xp_of(x.grad.value) is xp_of(x.value)
    np.testing.assert_allclose(x.grad.numpy()[0], [18.0, 2.0, 16.0])


def test_an_index_outside_is_refused_before_it_is_uploaded(device):
    x = Tensor(to_device(np.ones((2, 3)), device))
    for index in (np.array([0, 2]), [1, -3], (slice(None), np.array([[3]]))):
        with pytest.raises((IndexError, InputError), match="out of bounds"):
            x[index]
    with pytest.raises((IndexError, InputError), match="out of bounds"):
        ops.gather(x, np.array([[0], [3]]))


def test_an_index_that_lies_on_a_device_is_refused_by_an_array_of_the_host(traffic):
    there = to_device(np.array([1, 0]), "cuda")
    for take in (lambda x: x[there], lambda x: ops.embedding(x, there), lambda x: ops.where(there > 0, x, 0.0)):
        with pytest.raises(InputError, match="must be on cpu like x, got cuda:0"):
            take(Tensor(np.ones((2, 2))))


def test_ids_outside_the_table_are_refused_wherever_they_are(device):
    table = to_device(np.ones((4, 2)), device)
    for ids in (np.array([0, 4]), to_device(np.array([-1, 2]), device)):
        with pytest.raises(InputError, match=r"embedding: ids must be in \[0, V\) = \[0, 4\)"):
            ops.embedding(Tensor(table), ids)

"""The tape itself: chains, accumulation, create_graph, hooks, anomaly mode, dtypes, and that nothing is modified."""

import gc
import weakref

import numpy as np
import pytest

import minirnn
from minirnn import NonFiniteError, Tensor, detect_anomaly, grad, no_grad, ops
from minirnn.errors import DtypeError, InputError


def test_chain_of_ten_thousand_steps_differentiates_without_recursion():
    x = Tensor(np.ones(3), requires_grad=True)
    y = x
    for _ in range(10_000):
        y = y * 1.0001
    y.sum().backward()
    np.testing.assert_allclose(x.grad.value, 1.0001**10_000, rtol=1e-9)


def test_backward_accumulates_and_grad_does_not():
    x = Tensor(np.array([2.0, -3.0]), requires_grad=True)
    (x * x).sum().backward()
    (x * x).sum().backward()
    np.testing.assert_array_equal(x.grad.value, [8.0, -12.0])
    grad((x * x).sum(), x)
    np.testing.assert_array_equal(x.grad.value, [8.0, -12.0])


def test_a_tensor_used_twice_gets_both_gradients():
    """The chain rule, thesis (2.1.5), and the sum over everything a value reaches, thesis (2.1.6)."""
    x = Tensor(np.array(3.0), requires_grad=True)
    y = x * x
    (y * y + y).backward()
    assert x.grad.item() == 4 * 27 + 6


def test_third_derivative_of_a_power():
    x = Tensor(np.array(1.5), requires_grad=True)
    y = x**5
    for factor, power in ((5, 4), (20, 3), (60, 2)):
        (y,) = grad(y, x, create_graph=True)
        np.testing.assert_allclose(y.item(), factor * 1.5**power, rtol=1e-13)


def test_without_create_graph_a_gradient_is_a_constant():
    x = Tensor(np.array(2.0), requires_grad=True)
    (g,) = grad(x * x, x)
    assert not g.requires_grad
    with pytest.raises(InputError, match="nothing to differentiate"):
        g.backward()


def test_grad_with_respect_to_a_result_and_to_an_unused_leaf():
    x, unused = Tensor(np.array(2.0), True), Tensor(np.ones(3), True)
    y = x * x
    dy, dx, zero = grad(y * y, [y, x, unused])
    assert (dy.item(), dx.item()) == (8.0, 32.0)
    np.testing.assert_array_equal(zero.value, np.zeros(3))


def test_grad_of_several_outputs_adds_their_cotangents():
    x = Tensor(np.array([1.0, 2.0]), True)
    (dx,) = grad([x * x, x * 3.0], x, [np.array([1.0, 10.0]), np.array([1.0, 1.0])])
    np.testing.assert_array_equal(dx.value, [2 + 3, 40 + 3])


def test_no_grad_and_detach_record_nothing():
    x = Tensor(np.array(2.0), True)
    with no_grad():
        assert not (x * x).requires_grad
    assert not (x.detach() * 2.0).requires_grad
    assert (x * x).requires_grad


def test_hooks_see_the_whole_gradient_of_leaves_and_results():
    x = Tensor(np.array(3.0), True)
    y = x * x
    seen = []
    y.hook(lambda g: seen.append(("y", g.item())))
    x.hook(lambda g: seen.append(("x", g.item())))
    (y * 2.0 + y * 5.0).backward()
    assert seen == [("y", 7.0), ("x", 42.0)]


def test_adding_up_a_leafs_gradient_writes_into_nothing_else():
    cotangent, x, b = np.array([1.0, -2.0]), Tensor(np.ones(2), True), Tensor(np.ones(2), True)
    seen = []
    y = x + b  # x, b and every sum are handed one and the same array
    y.hook(lambda g: seen.append(g))
    ((y + b) + b + b).backward(cotangent)
    np.testing.assert_array_equal(b.grad.value, [4.0, -8.0])
    for same in (x.grad.value, seen[0].value, cotangent):
        np.testing.assert_array_equal(same, [1.0, -2.0])


def test_a_leaf_used_three_times_has_all_of_its_second_derivative():
    x = Tensor(np.array([2.0, -3.0]), True)
    (dx,) = grad((x * x * x).sum(), x, create_graph=True)
    np.testing.assert_allclose(dx.value, 3 * x.value**2)
    (second,) = grad(dx.sum(), x)
    np.testing.assert_allclose(second.value, 6 * x.value)


def test_hooks_of_one_output_leave_the_others_alone():
    x = Tensor(np.arange(6.0), True)
    first, second = ops.split(x, 2)
    seen = []
    second.hook(lambda g: seen.append(g.value.copy()))
    (first * 2.0 + second * 3.0).sum().backward()
    np.testing.assert_array_equal(seen, [[3.0, 3.0, 3.0]])
    np.testing.assert_array_equal(x.grad.value, [2, 2, 2, 3, 3, 3])


def test_a_graph_is_freed_without_the_cycle_collector():
    x = Tensor(np.ones(4), True)
    gc.disable()
    try:
        y = ops.softmax(ops.tanh(x) * ops.sigmoid(x)).sum()
        y.backward()
        alive = weakref.ref(y)
        del y
        assert alive() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_take_the_tensors_float_type(dtype):
    x = Tensor(np.ones(2, dtype), True)
    y = ((2 * x + 1.5) / 3 - 1) ** 2 + np.float64(1.0)
    y.sum().backward()
    assert y.dtype == dtype and x.grad.dtype == dtype


def test_two_float_types_do_not_mix_silently():
    with pytest.raises(DtypeError, match="add: arguments must be of one float type, got float32 and float64"):
        Tensor(np.ones(2, np.float32)) + np.ones(2)


def test_float16_is_refused_with_a_reason():
    with pytest.raises(DtypeError, match="float16.*11 bits"):
        Tensor(np.ones(2, np.float16))
    with pytest.raises(DtypeError, match="value must be float32 or float64, got int64"):
        Tensor(np.ones(2, np.int64), requires_grad=True)


def test_arguments_and_views_are_never_written():
    base = np.arange(6.0).reshape(2, 3)
    base.setflags(write=False)
    x = Tensor(base, True)
    row = x[0]
    y = ops.concatenate([row * 2.0, x.reshape(-1), ops.flip(x, 1)[1]])
    (y * y).sum().backward()
    (x.T @ x).sum().backward()
    np.testing.assert_array_equal(base, np.arange(6.0).reshape(2, 3))
    assert np.shares_memory(row.value, base)


def test_backward_needs_a_cotangent_of_the_outputs_shape():
    x = Tensor(np.ones((2, 3)), True)
    with pytest.raises(InputError, match="cotangent must be given for an output of shape"):
        (x * 2.0).backward()
    with pytest.raises(InputError, match=r"cotangent must be the output's shape = \(2, 3\), got \(3, 2\)"):
        (x * 2.0).backward(np.ones((3, 2)))
    with pytest.raises(InputError, match="no input of it has requires_grad"):
        Tensor(np.ones(1)).backward()
    with pytest.raises(InputError, match=r"inputs\[1\] must be a tensor with requires_grad"):
        grad((x * 2.0).sum(), [x, Tensor(np.ones(2))])


def test_anomaly_mode_names_the_operation_that_made_the_first_nan():
    x = Tensor(np.array([1.0, -1.0]), True)
    with np.errstate(invalid="ignore"), detect_anomaly(), pytest.raises(NonFiniteError, match="^log: made") as caught:
        ops.exp(ops.log(x))
    assert caught.value.operation == "log"


def test_anomaly_mode_names_the_caller_for_nan_in_an_input():
    x = Tensor(np.array([1.0, np.nan]), True)
    with detect_anomaly(), pytest.raises(NonFiniteError, match="multiply: argument 0 holds .* given by the caller"):
        x * 2.0


def test_anomaly_mode_watches_the_way_back():
    x = Tensor(np.array([0.0, 1.0]), True)
    with np.errstate(divide="ignore"), detect_anomaly():
        y = ops.sqrt(x).sum()
        with pytest.raises(NonFiniteError, match="backward of sqrt|divide: made"):
            y.backward()


def test_comparisons_are_booleans_and_tensors_are_hashable():
    x = Tensor(np.array([1.0, 2.0]))
    np.testing.assert_array_equal((x > 1.0).value, [False, True])
    np.testing.assert_array_equal((x == x).value, [True, True])
    assert len({x, Tensor(x.value)}) == 2
    assert len(x) == 2 and float(Tensor(np.array(2.5))) == 2.5
    assert "requires_grad=True" in repr(Tensor(np.array(2.5), True))


def test_numpy_arrays_on_the_left_give_tensors():
    x = Tensor(np.ones((2, 2)), True)
    for y in (np.ones((2, 2)) @ x, np.ones(2) - x, np.ones(2) / x, 2.0 ** x):
        assert isinstance(y, Tensor) and y.requires_grad


def test_gpu_asked_for_and_absent_names_what_to_install():
    cupy = pytest.importorskip("importlib.util").find_spec("cupy")
    if cupy is not None:
        pytest.skip("CuPy is installed here, so its absence cannot be seen")
    with pytest.raises(InputError, match=r"CuPy, which is not installed; install minirnn\[cuda12\]"):
        minirnn.nn.Linear(2, 3, rng=0).to("cuda")
    with pytest.raises(InputError, match="device must be 'cpu', 'cuda' or 'cuda:0', got 'gpu'"):
        minirnn.nn.Linear(2, 3, rng=0).to("gpu")

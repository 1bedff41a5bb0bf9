"""Optimiser updates, scaling, bias rows and column sums in one pass, each against its slower twin on NumPy."""

import numpy as np
import pytest
from minirnn.kernels.jit import INTERPRETED

from minirnn import Tensor, kernels, nn, ops, optim
from minirnn.autograd import compiled
from minirnn.errors import InputError
from minirnn.nn.module import parameter

compiled_only = pytest.mark.skipif(INTERPRETED, reason="NUMBA_DISABLE_JIT: there are no threads and no vector code")

both_types = pytest.mark.parametrize("dtype", [np.float32, np.float64])
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}
SHAPES = [(1,), (17,), (3, 5), (130, 1031)]
MAKERS = {
    "sgd": lambda p: optim.SGD(p, 0.3),
    "momentum": lambda p: optim.SGD(p, 0.3, momentum=0.9),
    "rmsprop": lambda p: optim.RMSProp(p, 0.01, eps_inside=True),
    "rmsprop-outside": lambda p: optim.RMSProp(p, 0.01, eps=1e-3),
    "adam": lambda p: optim.Adam(p, 0.01, betas=(0.8, 0.95)),
}


def assert_close(got, want, dtype):
    assert got.shape == want.shape and got.dtype == want.dtype == dtype
    np.testing.assert_allclose(got, want, rtol=0, atol=TOLERANCE[dtype] * np.abs(want).max())


def trained(make, shape, dtype, steps=3):
    """A parameter and its optimiser after a few updates with random gradients."""
    rng = np.random.default_rng(0)
    p = parameter(rng.standard_normal(shape).astype(dtype))
    optimizer = make([p])
    for _ in range(steps):
        p.grad = Tensor(rng.standard_normal(shape).astype(dtype))
        optimizer.step()
    return p.value, optimizer


@both_types
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("rule", MAKERS)
def test_an_update_in_one_pass_is_the_optimisers(rule, shape, dtype, monkeypatch):
    want, twin = trained(MAKERS[rule], shape, dtype)
    monkeypatch.setattr(compiled, "wanted", lambda *a: True)
    calls, real = [], kernels.updated
    monkeypatch.setattr(kernels, "updated", lambda name, *a: calls.append(name) or real(name, *a))
    got, optimizer = trained(MAKERS[rule], shape, dtype)
    assert calls == [rule] * 3
    assert_close(got, want, dtype)
    for mine, theirs in zip(optimizer.state, twin.state):
        for name in mine:
            assert_close(mine[name], theirs[name], dtype)


@compiled_only
def test_large_parameters_take_the_kernels_and_small_ones_do_not(monkeypatch):
    sizes, real = [], kernels.updated
    monkeypatch.setattr(kernels, "updated", lambda rule, p, *a: sizes.append(p.size) or real(rule, p, *a))
    large, small = (parameter(np.ones(n, np.float32)) for n in (compiled.LARGE // compiled.BY_MEMORY, 100))
    for p in (large, small):
        p.grad = Tensor(p.value)
    optim.SGD([large, small], 0.5).step()
    assert sizes == [large.value.size]
    np.testing.assert_array_equal(large.value, np.float32(0.5))
    np.testing.assert_array_equal(small.value, np.float32(0.5))


def test_an_optimiser_without_a_compiled_form_stays_on_numpy(monkeypatch):
    monkeypatch.setattr(compiled, "wanted", lambda *a: True)
    monkeypatch.setattr(kernels, "updated", lambda *a: pytest.fail("no such form"))
    for make in (optim.Adadelta, optim.Adagrad, lambda p: optim.RMSProp(p, centred=True),
                 lambda p: optim.RMSProp(p, momentum=0.9), lambda p: optim.SGD(p, 0.1, 0.9, nesterov=True)):
        trained(make, (7,), np.float64)


def test_gradients_and_parameters_given_are_not_written():
    p, g = np.ones((3, 4)), np.full((3, 4), 2.0)
    new = kernels.updated("sgd", p, g, [], (0.5,))
    assert (p == 1).all() and (g == 2).all() and (new == 0).all()
    assert (kernels.scaled(g, 0.25) == 0.5).all() and (g == 2).all()


def test_other_layouts_are_copied_and_other_shapes_refused():
    p, g = np.arange(12.0).reshape(3, 4), np.arange(12.0).reshape(4, 3).T
    np.testing.assert_array_equal(kernels.updated("sgd", p, g, [], (1.0,)), p - g)
    np.testing.assert_array_equal(kernels.scaled(g, 3.0), 3 * g)
    with pytest.raises(InputError, match="g must be p's shape"):
        kernels.updated("sgd", p, g.T, [], (1.0,))


@both_types
def test_nan_and_infinity_stay_visible(dtype):
    p, g = np.ones(40, dtype), np.ones(40, dtype)
    g[[3, 35]] = np.nan, np.inf
    for rule, states, constants in (("sgd", 0, (0.1,)), ("momentum", 1, (0.9, 0.1)), ("rmsprop", 1, (0.9, 0.1, 1e-8)),
                                    ("rmsprop-outside", 1, (0.9, 0.1, 1e-8)),
                                    ("adam", 2, (0.9, 0.99, 0.1, 10.0, 1e-8))):
        with np.errstate(invalid="ignore"):
            new = kernels.updated(rule, p, g, [np.zeros(40, dtype) for _ in range(states)], constants)
        assert np.isnan(new[3]) and not np.isfinite(new[35]) and np.isfinite(np.delete(new, [3, 35])).all()


@pytest.mark.usefixtures("small_work_is_shared_out_too")
def test_two_threads_give_the_bits_of_one(monkeypatch):
    rng = np.random.default_rng(0)
    p, g, m, v = (rng.standard_normal(100_003).astype(np.float32) for _ in range(4))
    ids, dy = rng.integers(0, 501, 2000), rng.standard_normal((2000, 130)).astype(np.float32)
    found = []
    for threads in ("1", "2"):
        monkeypatch.setenv("MINIRNN_NUM_THREADS", threads)
        states = [m.copy(), abs(v)]
        found.append([kernels.updated("adam", p, g, states, (0.9, 0.99, 0.1, 10.0, 1e-8)), *states,
                      kernels.embedding_gradient(ids, dy, 501), kernels.sum_rows(dy)])
    for one, two in zip(*found):
        np.testing.assert_array_equal(one, two)


@both_types
@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (7, 200), (1031, 130)], ids=str)
def test_rows_are_added_and_summed_as_by_numpy(dtype, shape):
    rng = np.random.default_rng(0)
    y, row = rng.standard_normal(shape).astype(dtype), rng.standard_normal(shape[1]).astype(dtype)
    assert_close(kernels.add_row(y.copy(), row), y + row, dtype)
    assert_close(kernels.sum_rows(y), y.sum(axis=0), dtype)


@both_types
def test_a_large_linear_layer_equals_a_small_ones_sum(dtype, monkeypatch):
    """Forward and every gradient, the kernels' passes against NumPy's; thesis (2.1.3), (2.1.7), (2.1.8)."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in ((4, 300, 3), (250, 3), (250,))]
    dy = rng.standard_normal((4, 300, 250)).astype(dtype)
    found = []
    for forced in (True, False):
        used = []
        monkeypatch.setattr(compiled, "wanted", lambda *a, forced=forced, used=used: used.append(forced) or forced)
        x, weight, bias = (Tensor(a.copy(), requires_grad=True) for a in arrays)
        y = ops.linear(x, weight, bias)
        y.backward(dy)
        found.append([y.value, x.grad.value, weight.grad.value, bias.grad.value])
        assert used
    for kernel, numpy in zip(*found):
        assert_close(kernel, numpy, dtype)


@both_types
def test_clipping_scales_large_gradients_as_small_ones(dtype):
    size = compiled.LARGE // compiled.BY_MEMORY
    p = parameter(np.ones(size, dtype))
    given = np.full(size, 2.0, dtype)
    p.grad = Tensor(given)
    norm = optim.clip_grad_norm([p], 1.0)
    assert norm == pytest.approx(2 * size**0.5)
    np.testing.assert_allclose(p.grad.value, 1 / size**0.5, rtol=1e-6)
    assert p.grad.value.dtype == dtype and (given == 2).all()


def test_a_model_trains_alike_with_and_without_compiled_passes(monkeypatch):
    values = []
    for forced in (True, False):
        monkeypatch.setattr(compiled, "wanted", lambda *a, forced=forced: forced)
        layer = nn.Linear(5, 3, rng=0, dtype=np.float64)
        optimizer = optim.Adam(layer.parameters(), 0.05)
        x = np.random.default_rng(1).standard_normal((8, 5))
        for _ in range(20):
            optimizer.zero_grad()
            (layer(x) ** 2).sum().backward()
            optimizer.step()
        values.append(layer.weight.value)
    np.testing.assert_allclose(values[0], values[1], rtol=1e-10)

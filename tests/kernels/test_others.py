"""Softmax cross-entropy, embedding gradient and the general product, each against its slower twin."""

import numpy as np
import pytest
from minirnn.kernels.jit import INTERPRETED

from minirnn import Tensor, grad, kernels, nn, ops
from minirnn.array import scatter_add
from minirnn.autograd import compiled
from minirnn.errors import DtypeError, InputError

compiled_only = pytest.mark.skipif(INTERPRETED, reason="NUMBA_DISABLE_JIT: there are no threads and no vector code")

both_types = pytest.mark.parametrize("dtype", [np.float32, np.float64])
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}


def assert_close(got, want, dtype):
    assert got.shape == want.shape and got.dtype == want.dtype == dtype
    np.testing.assert_allclose(got, want, rtol=0, atol=TOLERANCE[dtype] * np.abs(want).max())


@both_types
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (2, 64), (7, 65), (130, 1000), (40, 10_001)], ids=str)
@pytest.mark.parametrize("spread", [1, 100])
def test_cross_entropy_equals_its_twin(dtype, shape, spread):
    rng = np.random.default_rng(0)
    logits, targets = (spread * rng.standard_normal(shape)).astype(dtype), rng.integers(0, shape[1], shape[0])
    mask = (np.arange(shape[0]) % 3 != 1).astype(dtype)
    twin = Tensor(logits, requires_grad=True)
    loss = nn.cross_entropy(twin, targets, mask)
    loss.backward()
    nll, saved = kernels.softmax_xent_forward(logits, targets)
    scale = mask / mask.sum()
    assert_close(np.asarray((scale * nll).sum()), np.asarray(loss.value), dtype)
    dlogits = kernels.softmax_xent_backward(saved, scale)
    assert_close(dlogits, np.asarray(getattr(twin.grad, "value", twin.grad)), dtype)
    assert not dlogits[mask == 0].any()
    np.testing.assert_array_equal(kernels.softmax_xent_backward(saved, scale), dlogits)


@both_types
def test_cross_entropy_gradient_equals_central_differences(dtype):
    rng = np.random.default_rng(0)
    logits, targets, scale = rng.standard_normal((3, 5)), np.array([4, 0, 2]), rng.standard_normal(3)
    loss = lambda z: (scale * kernels.softmax_xent_forward(z, targets)[0]).sum()
    numeric = np.empty_like(logits)
    for index in np.ndindex(logits.shape):
        moved = [logits.copy(), logits.copy()]
        moved[0][index] += 1e-5
        moved[1][index] -= 1e-5
        numeric[index] = (loss(moved[0]) - loss(moved[1])) / 2e-5
    _, saved = kernels.softmax_xent_forward(logits.astype(dtype), targets)
    gradient = kernels.softmax_xent_backward(saved, scale.astype(dtype))
    np.testing.assert_allclose(gradient, numeric, rtol=0, atol=1e-7 if dtype == np.float64 else 1e-6)


@both_types
def test_cross_entropy_of_extreme_logits(dtype):
    logits = np.zeros((4, 70), dtype)
    logits[0, 3], logits[1, 69], logits[2, 5], logits[3, 66] = 1e4, -1e4, np.nan, np.inf
    nll, saved = kernels.softmax_xent_forward(logits, np.array([0, 69, 0, 0]))
    assert nll[0] == 1e4 and abs(nll[1] - (1e4 + np.log(69))) < 1e-2 and np.isnan(nll[2:]).all()
    dlogits = kernels.softmax_xent_backward(saved, np.array([1, 1, 0, 0], dtype))
    assert dlogits[0, 3] == 1 and dlogits[0, 0] == -1 and dlogits[1, 69] == -1
    assert not dlogits[2:].any()  # padding may hold anything


@both_types
@pytest.mark.parametrize("sizes", [(1, 1, 1), (50, 7, 3), (300, 40, 33), (1120, 1000, 256)], ids=str)
def test_embedding_gradient_equals_its_twin(dtype, sizes):
    N, V, D = sizes
    rng = np.random.default_rng(0)
    ids, dy = rng.integers(0, V, N), rng.standard_normal((N, D)).astype(dtype)
    twin = np.zeros((V, D), dtype)
    scatter_add(twin, ids, dy)
    assert_close(kernels.embedding_gradient(ids.astype(np.int32), dy, V), twin, dtype)


@both_types
@pytest.mark.parametrize("sizes", [(1, 1, 1), (3, 4, 1), (100, 300, 200), (300, 270, 65)], ids=str)
def test_product_equals_numpy(dtype, sizes):
    M, K, N = sizes
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((M, K)).astype(dtype), rng.standard_normal((N, K)).astype(dtype)
    for left, right in ((a, b.T), (np.asfortranarray(a), b.T.copy()), (a[:, ::-1], b[:, ::-1].T)):
        assert_close(kernels.gemm(left, right), a @ b.T, dtype)


def test_nonsense_is_refused_by_name():
    z, t = np.zeros((3, 4)), np.array([0, 1, 3])
    for message, kind, call in (
        ("targets must be in .0, 4., got 0 to 4", InputError, lambda: kernels.softmax_xent_forward(z, [0, 1, 4])),
        ("targets must be .N,. = .3,., got .2,.", InputError, lambda: kernels.softmax_xent_forward(z, t[:2])),
        ("targets must be whole numbers", DtypeError, lambda: kernels.softmax_xent_forward(z, t / 1)),
        ("logits must be float32 or float64", DtypeError, lambda: kernels.softmax_xent_forward(z.astype(int), t)),
        ("ids must be in .0, 3.", InputError, lambda: kernels.embedding_gradient(t, z, 3)),
        ("b must be .K, N. = .4, any., got .3, 4.", InputError, lambda: kernels.gemm(z, z)),
        ("b must be float64 as a is", DtypeError, lambda: kernels.gemm(z, z.T.astype("f4"))),
        ("a must be not empty", InputError, lambda: kernels.gemm(z[:0], z.T)),
    ):
        with pytest.raises(kind, match=message):
            call()


def layer_and_loss(second):
    """Loss, gradients and, with ``second``, gradients of the gradients' squares, of a linear layer's cross-entropy."""
    rng = np.random.default_rng(0)
    x, w, b = (Tensor(rng.standard_normal(s), requires_grad=True) for s in ((3, 4, 5), (7, 5), (7,)))
    loss = nn.cross_entropy(ops.linear(x, w, b), rng.integers(0, 7, (3, 4)), time="sum")
    gradients = grad(loss, [x, w, b], create_graph=second)
    if second:
        gradients = grad(sum(ops.sum(g * g) for g in gradients), [x, w, b])
    return [loss.value, *(g.value for g in gradients)]


@compiled_only
@pytest.mark.parametrize("second", [False, True])
def test_tape_operations_use_the_kernels_when_large_and_agree(monkeypatch, second):
    used = []
    for name in ("gemm", "softmax_xent_forward", "softmax_xent_backward"):
        real = getattr(kernels, name)
        monkeypatch.setattr(kernels, name, lambda *a, _name=name, _real=real: used.append(_name) or _real(*a))
    small = layer_and_loss(second)
    assert not used
    monkeypatch.setattr(compiled, "LARGE", 1)
    monkeypatch.setenv("MINIRNN_KERNELS", "explicit")
    explicit = layer_and_loss(second)
    assert not used
    monkeypatch.delenv("MINIRNN_KERNELS")
    fused = layer_and_loss(second)
    assert {"gemm", "softmax_xent_forward"} <= set(used) and (second or "softmax_xent_backward" in used)
    for a, b, c in zip(small, explicit, fused, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(c, a, rtol=0, atol=1e-12 * np.abs(a).max())


def test_large_embedding_gradients_agree_with_small_ones_negative_ids_included(monkeypatch):
    ids = np.random.default_rng(0).integers(-7, 7, (5, 4))
    results = []
    for limit in (1, compiled.LARGE):
        monkeypatch.setattr(compiled, "LARGE", limit)
        table = Tensor(np.random.default_rng(1).standard_normal((7, 3)), requires_grad=True)
        results.append(grad((table[ids] ** 2).sum(), table)[0].value)
    np.testing.assert_allclose(*results, rtol=1e-12)


def test_what_fills_padding_does_not_reach_loss_or_gradient(monkeypatch):
    logits = np.random.default_rng(0).standard_normal((4, 3, 5))
    targets, mask = np.zeros((4, 3), int), np.ones((4, 3))
    mask[2:, 1] = 0
    dirty = logits.copy()
    dirty[2:, 1] = np.nan
    for limit in (1, compiled.LARGE):
        monkeypatch.setattr(compiled, "LARGE", limit)
        results = []
        for a in (logits, dirty):
            x = Tensor(a, requires_grad=True)
            loss = nn.cross_entropy(x, targets, mask, time="sum")
            results.append((loss.item(), grad(loss, x)[0].value))
        assert results[0][0] == results[1][0]
        np.testing.assert_array_equal(results[0][1], results[1][1])
        assert not results[1][1][2:, 1].any() and results[1][1][:2].all()

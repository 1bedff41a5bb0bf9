"""Arguments that once gave silently wrong gradients or types, and numbers at the edge of what a float holds."""

import numpy as np
import pytest

from minirnn import Tensor, grad, nn, ops
from minirnn.data import stream_batches
from minirnn.errors import DtypeError, InputError

F = np.float32


def leaf(*values, dtype=np.float64):
    return Tensor(np.array(values, dtype), True)


@pytest.mark.parametrize("shape", [(1,), (), (2, 5), (4,)])
def test_a_bias_has_one_entry_for_each_row_of_the_weight(shape):
    with pytest.raises(InputError, match=r"linear: bias must be \(H,\) = \(5,\)"):
        ops.linear(np.ones((3, 2)), np.ones((5, 2)), np.ones(shape))


def test_cumsum_wants_an_axis_and_clip_numbers():
    with pytest.raises(DtypeError, match="axis must be an integer, got None"):
        ops.cumsum(np.ones((2, 3)), None)
    with pytest.raises(InputError, match="clip: low must be one number"):
        ops.clip(np.ones(2), np.zeros((3, 2)), 1.0)
    assert ops.clip(np.ones(2, F), np.float64(0), np.float64(0.5)).dtype == F


def test_integers_have_no_gradient():
    with pytest.raises(DtypeError, match="astype: dtype must be float32 or float64, got int64"):
        ops.astype(leaf(1.5, 2.5), int)
    with pytest.raises(DtypeError, match="Dropout: x must be float32 or float64"):
        nn.Dropout(0.5, streams=np.random.default_rng(0))(np.arange(6))


@pytest.mark.parametrize("operation", [ops.multiply, ops.add, ops.subtract, ops.divide, ops.maximum, ops.power])
def test_whole_numbers_take_the_float_type_of_the_other(operation):
    x = leaf(1.5, 2.5, dtype=F)
    for other in (np.int64(3), np.arange(1, 3), np.arange(1, 3, dtype=np.int32)):
        y = operation(x, other)
        (dx,) = grad(ops.sum(y), x)
        assert y.dtype == dx.dtype == F
        np.testing.assert_allclose(y.value, operation(x, np.asarray(other, F)).value)


@pytest.mark.parametrize("call", [
    lambda a, b: ops.concatenate([a, b]), lambda a, b: ops.stack([a, b]), lambda a, b: ops.einsum("i,i->", a, b)
])
def test_two_float_types_are_not_mixed(call):
    with pytest.raises(DtypeError, match="of one float type, got float32 and float64; convert one with astype"):
        call(np.ones(3, F), np.ones(3))
    assert call(np.ones(3, F), np.arange(3)).dtype == F


def test_a_buffer_that_is_filled_again_before_the_backward_pass():
    """The gradients are those of the batch that went forward."""
    layer = nn.Linear(3, 2, rng=0, dtype=np.float64)
    table = nn.Embedding(5, 3, rng=0, dtype=np.float64)
    recurrent = nn.LSTM(3, 4, rng=0, dtype=np.float64)
    for module, batch in ((layer, np.ones((4, 3))), (table, np.array([0, 1, 1])), (recurrent, np.ones((2, 4, 3)))):
        wanted = []
        for refill in (False, True):
            buffer = batch.copy()
            module.zero_grad()
            y = module(buffer)
            y = y[0] if isinstance(y, tuple) else y
            if refill:
                buffer[...] = 3
            ops.sum(y * y).backward()
            wanted.append([p.grad.value for p in module.parameters()])
        for kept, refilled in zip(*wanted):
            np.testing.assert_array_equal(kept, refilled)


def test_a_stride_longer_than_the_window_would_skip_tokens():
    with pytest.raises(InputError, match="stride must be at most the window, 5, got 6"):
        stream_batches(np.arange(100), 2, 5, stride=6)


def test_the_slope_of_a_power_of_zero():
    x = leaf(0.0, -2.0, 3.0)
    np.testing.assert_array_equal(grad(ops.sum(x**0), x)[0].value, 0.0)
    y = Tensor(np.array([0.0, 0.0, 2.0]))
    np.testing.assert_array_equal(grad(ops.sum(ops.power(x, y)), x)[0].value, [0.0, 0.0, 6.0])
    (once,) = grad(ops.sum(x**1), x, create_graph=True)
    np.testing.assert_array_equal(once.value, 1.0)
    np.testing.assert_array_equal(grad(ops.sum(once), x)[0].value, 0.0)


@pytest.mark.parametrize("scale", [3e30, 3e-30, 3e-42, 1e38])
def test_the_norm_of_very_large_and_very_small_numbers(scale):
    x = leaf(3 * scale / 3, -4 * scale / 3, dtype=F)
    unit = x.value.astype(np.float64)
    unit /= np.sqrt((unit**2).sum())
    rough = 1e-6 if scale > 1e-37 else 1e-3  # a denormal number has few digits
    np.testing.assert_allclose(ops.norm(x).item(), 5 / 3 * scale, rtol=max(rough, 1e-6))
    np.testing.assert_allclose(grad(ops.norm(x), x)[0].value, unit, rtol=rough)


def test_norms_of_rows_of_which_some_are_zero_or_large():
    x = leaf([0.0, 0.0], [3e200, -4e200], [0.3, -0.4])
    y = ops.norm(x, 1)
    np.testing.assert_allclose(y.value, [0, 5e200, 0.5])
    np.testing.assert_allclose(grad(ops.sum(y), x)[0].value, [[0, 0], [0.6, -0.8], [0.6, -0.8]])


def test_a_trained_mask_is_no_share_outside_0_and_1():
    from minirnn import bptt
    from minirnn.cells import LSTM, Masks, Weights

    x, h, w = np.ones((2, 1, 3)), np.ones((1, 4)), np.ones((16, 4))
    for form in ("explicit", "fused"):
        with pytest.raises(InputError, match=r"zoneout_h must be in \[0, 1\]"):
            masks = Masks(zoneout_h=np.full((1, 4), 1.5))
            bptt.forward(LSTM(), x, (h, h), Weights(w[:, :3].copy(), w), masks, form=form)


def test_words_of_numpy_come_with_the_operations_name():
    for call, kind in ((lambda: ops.add(np.ones(3), np.ones(4)), InputError), (lambda: ops.tanh("x"), DtypeError),
                       (lambda: ops.sum(np.ones(3), axis=1), InputError), (lambda: ops.tanh(object()), DtypeError),
                       (lambda: ops.reshape(np.ones(3), (2,)), InputError),
                       (lambda: Tensor([[1.0], [1.0, 2.0]]), InputError)):
        with pytest.raises(kind):
            call()

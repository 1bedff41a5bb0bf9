"""Vanishing and exploding gradients where the answer is known exactly."""

import numpy as np
import pytest

from minirnn import bptt
from minirnn.cells import GRU, LSTM, RNN, Masks, Weights
from minirnn.errors import InputError
from minirnn.flow import grad_norm_curve, jacobian_product

T, B, D, H = 6, 3, 5, 4


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def curve(cell, weight_hh):
    weights = Weights(normal(H, D), weight_hh)
    return grad_norm_curve(cell, normal(T, B, D), (normal(B, H),), weights, (normal(B, H, seed=1),))["h"]


def test_linear_rnn_norms_are_those_of_matrix_powers():
    weight_hh = normal(H, H) / 2
    norms = curve(RNN("identity"), weight_hh)
    for t in range(T + 1):
        expected = np.linalg.norm(normal(B, H, seed=1) @ np.linalg.matrix_power(weight_hh, T - t))
        np.testing.assert_allclose(norms[t], expected, rtol=1e-12)


def test_orthogonal_linear_rnn_keeps_the_norm():
    orthogonal, _ = np.linalg.qr(normal(H, H))
    norms = curve(RNN("identity"), orthogonal)
    np.testing.assert_allclose(norms, norms[-1], rtol=0, atol=1e-10)


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_tanh_rnn_norms_stay_under_the_power_of_the_spectral_norm(scale):
    weight_hh = normal(H, H)
    weight_hh *= scale / np.linalg.norm(weight_hh, 2)
    norms = curve(RNN(), weight_hh)
    bounds = norms[-1] * scale ** np.arange(T, -1, -1.0)
    assert (norms <= bounds * (1 + 1e-12)).all() and norms[0] < bounds[0] * 0.9


def problem(cell):
    K = len(cell.gates)
    weights = Weights(normal(K * H, D), normal(K * H, H), normal(K * H), normal(K * H, seed=2))
    return normal(T, B, D), tuple(normal(B, H, seed=k) for k in range(len(cell.states))), weights


@pytest.mark.parametrize("cell", [RNN(), LSTM(), GRU(), GRU(reset_after=True)], ids=str)
@pytest.mark.parametrize("masked", [False, True])
def test_jacobian_product_equals_central_differences(cell, masked):
    x, state0, weights = problem(cell)
    masks = Masks(gal=2.0 * np.random.default_rng(3).integers(0, 2, (T, B, H))) if masked else Masks()
    run = bptt.forward(cell, x, state0, weights, masks, form="explicit")
    t0, t1, row, step = 1, 4, 2, 1e-5
    got = jacobian_product(run, t0, t1, row)
    here = Masks(gal=masks.gal[t0:t1]) if masked else masks

    def end(moved):
        states = [s[t0].copy() for s in run.states]
        for s, part in zip(states, np.split(moved, len(states))):
            s[row] += part
        final = bptt.forward(cell, x[t0:t1], tuple(states), weights, here, form="explicit").final
        return np.concatenate([s[row] for s in final])

    unit = step * np.eye(H * len(cell.states))
    truth = np.array([(end(u) - end(-u)) / (2 * step) for u in unit]).T
    np.testing.assert_allclose(got.matrix, truth, rtol=0, atol=1e-8)
    np.testing.assert_allclose(got.singular_values, np.linalg.svd(truth, compute_uv=False), rtol=0, atol=1e-7)


def test_jacobian_of_the_open_lstm_memory_is_the_identity():
    cell = LSTM()
    x, state0, weights = problem(cell)
    gate = np.repeat([-1000.0, 1000.0, 0.0, -1000.0], H)  # i closed, f open, o closed
    weights = Weights(weights.weight_ih * 0, weights.weight_hh * 0, gate, gate * 0)
    got = jacobian_product(bptt.forward(cell, x, state0, weights), 0, T)
    np.testing.assert_array_equal(got.matrix[H:, H:], np.eye(H))
    np.testing.assert_array_equal(got.singular_values, [1.0] * H + [0.0] * H)


@pytest.mark.parametrize(
    "where, message",
    [
        ((2, 2), "0 <= t0 < t1"),
        ((0, T + 1), "0 <= t0 < t1"),
        ((0, 3, 0), "t1 <= 2"),
        ((0, 1, B), "row must be in 0..B-1"),
    ],
)
def test_jacobian_product_refuses_steps_outside_the_run(where, message):
    cell = RNN()
    x, state0, weights = problem(cell)
    run = bptt.forward(cell, x, state0, weights, lengths=[2, T, 1])
    with pytest.raises(InputError, match=message):
        jacobian_product(run, *where)


def test_jacobian_product_refuses_a_reversed_run():
    cell = RNN()
    run = bptt.forward(cell, *problem(cell), reverse=True)
    with pytest.raises(InputError, match="a forward run"):
        jacobian_product(run, 0, 1)

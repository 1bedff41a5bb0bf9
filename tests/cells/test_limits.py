"""Exact limits: settings of the gates at which a cell must become something simpler. Those of masks are in
test_recurrent_dropout_memory and test_zoneout.

RNN, thesis (3.3.3); LSTM, thesis (2.2.4), (2.2.5), (2.2.6), again (3.3.5)-(3.3.7);
GRU, thesis (2.2.7), (2.2.8), (2.2.9).
"""

import numpy as np
import pytest

from minirnn.cells import GRU, LSTM, RNN, Weights
from minirnn.errors import InputError

B, D, H = 3, 5, 2
OPEN = 1000.0  # a bias at which a sigmoid is exactly 1, and at its negative exactly 0


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def weights_for(cell, **gate_bias):
    """Random weights; a gate named here gets zero weights and that bias, so that it is a constant."""
    K = len(cell.gates)
    weight_ih, weight_hh, bias = normal(K * H, D), normal(K * H, H, seed=1), normal(K * H, seed=2)
    for gate, value in gate_bias.items():
        k = cell.gates.index(gate)
        rows = slice(k * H, (k + 1) * H)
        weight_ih[rows], weight_hh[rows], bias[rows] = 0, 0, value
    return Weights(weight_ih, weight_hh, bias, np.zeros(K * H))


def test_lstm_with_open_forget_and_closed_input_gate_keeps_memory_and_its_gradient():
    cell = LSTM()
    weights = weights_for(cell, f=OPEN, i=-OPEN)
    h, c = normal(B, H, seed=3), normal(B, H, seed=4)
    (_, new_c), saved = cell.step(normal(B, D), (h, c), weights)
    np.testing.assert_array_equal(new_c, c)
    dc = normal(B, H, seed=5)
    _, (_, dc_prev), _ = cell.step_backward((np.zeros((B, H)), dc), saved, weights)
    np.testing.assert_array_equal(dc_prev, dc)


def test_lstm_version_0_passes_the_memory_gradient_straight_through():
    cell = LSTM(forget_gate=False)
    weights = weights_for(cell)
    _, saved = cell.step(normal(B, D), (normal(B, H), normal(B, H, seed=6)), weights)
    dc = normal(B, H, seed=5)
    _, (_, dc_prev), _ = cell.step_backward((np.zeros((B, H)), dc), saved, weights)
    np.testing.assert_array_equal(dc_prev, dc)


def test_lstm_version_0_equals_lstm_with_open_forget_gate():
    full, v0 = LSTM(), LSTM(forget_gate=False)
    weights = weights_for(full, f=OPEN)
    without_f = Weights(*(np.delete(w, slice(H, 2 * H), axis=0) for w in weights))
    x, state, dstate = normal(B, D), (normal(B, H), normal(B, H, seed=6)), (normal(B, H, seed=8), normal(B, H, seed=9))
    new, saved = full.step(x, state, weights)
    new_v0, saved_v0 = v0.step(x, state, without_f)
    np.testing.assert_array_equal(new, new_v0)
    dx, dprev, dweights = full.step_backward(dstate, saved, weights)
    dx_v0, dprev_v0, dweights_v0 = v0.step_backward(dstate, saved_v0, without_f)
    np.testing.assert_allclose(dx, dx_v0, rtol=0, atol=1e-14)
    np.testing.assert_allclose(dprev, dprev_v0, rtol=0, atol=1e-14)
    for full_grad, v0_grad in zip(dweights, dweights_v0):
        np.testing.assert_allclose(np.delete(full_grad, slice(H, 2 * H), axis=0), v0_grad, rtol=0, atol=1e-14)
        assert not full_grad[H : 2 * H].any()


def test_lstm_with_o_1_f_0_i_1_is_tanh_of_tanh():
    cell = LSTM()
    weights = weights_for(cell, o=OPEN, f=-OPEN, i=OPEN)
    x, h = normal(B, D), normal(B, H, seed=3)
    (new_h, _), _ = cell.step(x, (h, normal(B, H, seed=4)), weights)
    rows = slice(2 * H, 3 * H)
    a_g = x @ weights.weight_ih[rows].T + h @ weights.weight_hh[rows].T + weights.bias_ih[rows]
    np.testing.assert_allclose(new_h, np.tanh(np.tanh(a_g)), rtol=0, atol=1e-15)


def test_gru_with_closed_update_gate_copies_the_state():
    cell = GRU()
    weights = weights_for(cell, z=-OPEN)
    h = normal(B, H, seed=3)
    (new_h,), saved = cell.step(normal(B, D), (h,), weights)
    np.testing.assert_array_equal(new_h, h)
    dh = normal(B, H, seed=5)
    dx, (dh_prev,), _ = cell.step_backward((dh,), saved, weights)
    np.testing.assert_array_equal(dh_prev, dh)
    assert not dx.any()


@pytest.mark.parametrize("cell, z", [(GRU(), OPEN), (GRU(convention="slides"), -OPEN), (GRU(reset_after=True), -OPEN)])
def test_gru_with_open_gates_is_the_vanilla_rnn(cell, z):
    weights = weights_for(cell, r=OPEN, z=z)
    rnn, rnn_weights = RNN(), Weights(*(w[2 * H :] for w in weights))
    x, h, dh = normal(B, D), normal(B, H, seed=3), normal(B, H, seed=5)
    (new_h,), saved = cell.step(x, (h,), weights)
    (rnn_h,), rnn_saved = rnn.step(x, (h,), rnn_weights)
    np.testing.assert_allclose(new_h, rnn_h, rtol=0, atol=1e-15)
    dx, (dh_prev,), dweights = cell.step_backward((dh,), saved, weights)
    rnn_dx, (rnn_dh,), rnn_dweights = rnn.step_backward((dh,), rnn_saved, rnn_weights)
    np.testing.assert_allclose(dx, rnn_dx, rtol=0, atol=1e-14)
    np.testing.assert_allclose(dh_prev, rnn_dh, rtol=0, atol=1e-14)
    for gradient, rnn_gradient in zip(dweights, rnn_dweights):
        np.testing.assert_allclose(gradient[2 * H :], rnn_gradient, rtol=0, atol=1e-14)


def test_gru_of_the_slides_equals_the_thesis_with_negated_update_weights():
    thesis, slides = GRU(), GRU(convention="slides")
    weights = weights_for(thesis)
    sign = np.repeat([1.0, -1.0, 1.0], H)
    negated = Weights(
        weights.weight_ih * sign[:, None], weights.weight_hh * sign[:, None], *(b * sign for b in weights[2:])
    )
    x, h, dh = normal(B, D), normal(B, H, seed=3), normal(B, H, seed=5)
    (new_h,), saved = thesis.step(x, (h,), weights)
    (slides_h,), slides_saved = slides.step(x, (h,), negated)
    np.testing.assert_allclose(new_h, slides_h, rtol=0, atol=1e-12)
    dx, (dh_prev,), dweights = thesis.step_backward((dh,), saved, weights)
    slides_dx, (slides_dh,), slides_dweights = slides.step_backward((dh,), slides_saved, negated)
    np.testing.assert_allclose(dx, slides_dx, rtol=0, atol=1e-12)
    np.testing.assert_allclose(dh_prev, slides_dh, rtol=0, atol=1e-12)
    for gradient, slides_gradient in zip(dweights, slides_dweights):
        np.testing.assert_allclose(gradient.T * sign, slides_gradient.T, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: RNN("softsign"), "RNN: nonlinearity must be one of tanh, relu, identity, got 'softsign'"),
        (lambda: LSTM(activation="identity"), "LSTM: activation must be 'tanh' or 'relu', got 'identity'"),
        (lambda: GRU(convention="book"), "GRU: convention must be 'thesis' or 'slides', got 'book'"),
        (lambda: GRU(reset_after=True, convention="thesis"), "GRU: convention must be 'slides' when reset_after=True"),
    ],
)
def test_unknown_forms_are_refused_by_name(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_relu_is_zero_and_flat_at_its_kink():
    cell = RNN("relu")
    weights = Weights(np.zeros((H, D)), np.zeros((H, H)))
    (h,), saved = cell.step(normal(B, D), (normal(B, H),), weights)
    assert not h.any()
    dx, (dh_prev,), dweights = cell.step_backward((np.ones((B, H)),), saved, weights)
    assert not dweights.weight_ih.any() and not dweights.weight_hh.any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clipping_rows_that_are_huge_infinite_or_under_no_limit(dtype):
    from minirnn.bptt import clip_rows

    huge = np.finfo(dtype).max / 8
    rows = np.array([[3, -4], [3 * huge, -4 * huge], [np.inf, 1], [0, 0]], dtype)
    (got,) = clip_rows((rows,), 1.0)
    np.testing.assert_allclose(got, [[0.6, -0.8], [0.6, -0.8], [np.inf, 1], [0, 0]], rtol=1e-6)
    (same,) = clip_rows((rows,), float("inf"))
    np.testing.assert_array_equal(same, rows)

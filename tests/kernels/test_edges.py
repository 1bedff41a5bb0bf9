"""Fused cells where arithmetic or memory is awkward: saturation, denormals, NaN, strides, read-only and reused
arrays."""

import numpy as np
import pytest

from minirnn import bptt, kernels
from minirnn.cells import GRU, LSTM, RNN, Masks, Weights
from minirnn.errors import DtypeError, InputError
from minirnn.fused import forms

T, B, D, H = 5, 6, 3, 20
CELLS = [RNN(), RNN("relu"), LSTM(), LSTM(activation="relu"), GRU(), GRU(reset_after=True)]
every_cell = pytest.mark.parametrize("cell", CELLS, ids=str)
both_types = pytest.mark.parametrize("dtype", [np.float32, np.float64])
LENGTHS = np.array([5, 1, 3, 5, 2, 4])


def problem(cell, dtype=np.float64, scale=0.5):
    rng = np.random.default_rng(0)
    draw = lambda *s: (scale * rng.standard_normal(s)).astype(dtype)
    K = len(cell.gates)
    states = range(len(cell.states))
    weights = [draw(K * H, D), draw(K * H, H), draw(K * H), draw(K * H)]
    return draw(T, B, D), [draw(B, H) for _ in states], weights, draw(T, B, H), [draw(B, H) for _ in states]


def forward(cell, x, state0, weights, **options):
    return getattr(kernels, f"{cell.name}_forward")(x, *state0, *weights, **forms(cell), **options)


def backward(cell, saved, dy, dfinal=(), **options):
    return getattr(kernels, f"{cell.name}_backward")(saved, dy, *dfinal, **options)


def fused(cell, x, state0, weights, dy, dfinal, **options):
    *states, saved = forward(cell, x, state0, weights, **options)
    return [*states, *backward(cell, saved, dy, dfinal)]


def explicit(cell, x, state0, weights, dy, dfinal, lengths=None, **masks):
    run = bptt.forward(cell, x, tuple(state0), Weights(*weights), Masks(**masks), lengths, form="explicit")
    gradients = bptt.backward(run, dy, tuple(dfinal))
    return [*run.states, gradients.x, *gradients.state0, *gradients.weights]


@every_cell
@both_types
def test_saturated_gates(cell, dtype):
    """Pre-activations up to 1e4; the gradients are those of order one and what is left is compared absolutely, since
    the twin's sigmoid is 0 where the kernels' is still 1e-75."""
    x, state0, weights, dy, dfinal = problem(cell, dtype)
    weights[2] = (1e4 * np.linspace(-1, 1, len(weights[2]))).astype(dtype)
    got, want = fused(cell, x, state0, weights, dy, dfinal), explicit(cell, x, state0, weights, dy, dfinal)
    for g, w in zip(got, want):
        assert np.isfinite(g).all()
        np.testing.assert_allclose(
            g, w, rtol=0, atol=(1e-5 if dtype == np.float32 else 1e-12) * max(1, np.abs(w).max())
        )


@every_cell
@both_types
def test_denormal_inputs_and_gradients(cell, dtype):
    """Values below the smallest normal number are neither flushed to zero nor blown up."""
    tiny = np.finfo(dtype).tiny / 8
    x, state0, weights, dy, dfinal = problem(cell, dtype)
    weights = [*weights[:2], 0 * weights[2], 0 * weights[3]]
    x, dy = (x * tiny).astype(dtype), (dy * tiny).astype(dtype)
    state0, dfinal = [(s * tiny).astype(dtype) for s in state0], [0 * d for d in dfinal]
    got, want = fused(cell, x, state0, weights, dy, dfinal), explicit(cell, x, state0, weights, dy, dfinal)
    step = np.nextafter(dtype(0), dtype(1))
    for g, w in zip(got, want):  # each of some hundred operations rounds to a whole denormal step
        np.testing.assert_allclose(g, w, rtol=1e-5 if dtype == np.float32 else 1e-12, atol=200 * step)
    assert np.abs(got[len(cell.states)]).max() > 0


@every_cell
@both_types
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_a_number_reaches_its_own_row_from_its_own_step_and_the_weights(cell, dtype, bad):
    x, state0, weights, dy, dfinal = problem(cell, dtype)
    x[2, 4, 1] = bad
    with np.errstate(invalid="ignore"):
        *states, saved = forward(cell, x, state0, weights)
        gradients = backward(cell, saved, dy, dfinal)
    h = states[0]
    assert np.isfinite(np.delete(h, 4, axis=1)).all() and np.isfinite(h[:3, 4]).all()
    if np.isnan(bad):
        assert np.isnan(h[3:, 4]).all()
    assert np.isnan(gradients[-4][:, 1]).any()  # dweight_ih meets x itself
    assert np.isfinite(np.delete(gradients[0], 4, axis=1)).all()


@every_cell
def test_padding_may_hold_anything(cell):
    x, state0, weights, dy, dfinal = problem(cell)
    clean = fused(cell, x, state0, weights, dy, dfinal, lengths=LENGTHS)
    x, dy = x.copy(), dy.copy()
    for b, n in enumerate(LENGTHS):
        x[n:, b], dy[n:, b] = np.nan, np.nan
    for got, want in zip(fused(cell, x, state0, weights, dy, dfinal, lengths=LENGTHS), clean):
        np.testing.assert_array_equal(got, want)


@every_cell
def test_padding_holds_the_state_and_longer_padding_changes_nothing(cell):
    x, state0, weights, dy, dfinal = problem(cell)
    *states, saved = forward(cell, x, state0, weights, lengths=LENGTHS)
    for s in states:
        for b, n in enumerate(LENGTHS):
            np.testing.assert_array_equal(s[n:, b], np.broadcast_to(s[n, b], s[n:, b].shape))
    gradients = backward(cell, saved, dy, dfinal)
    longer = lambda a: np.concatenate([a, a[:2]])
    *states, saved = forward(cell, longer(x), state0, weights, lengths=LENGTHS)
    for got, want in zip(backward(cell, saved, longer(dy), dfinal)[1:], gradients[1:]):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-14 * np.abs(want).max())


def misaligned(array):
    """A copy that starts one byte after an element could."""
    copy = np.empty(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


@every_cell
@both_types
def test_any_layout_of_the_inputs(cell, dtype):
    """Transposed, strided, reversed, big-step, read-only and misaligned inputs give the bits of plain ones."""
    x, state0, weights, dy, dfinal = problem(cell, dtype)
    plain = fused(cell, x, state0, weights, dy, dfinal)
    fortran = [np.asfortranarray(a) for a in (x, *weights[:2], dy)]
    strided = [np.repeat(s, 2, axis=1)[:, ::2] for s in state0]
    reversed_ = [d[::-1].copy()[::-1] for d in dfinal]
    biases = [b.copy() for b in weights[2:]]
    for b in biases:
        b.flags.writeable = False
    got = fused(cell, fortran[0], strided, [*fortran[1:3], *biases], fortran[3], reversed_)
    x.flags.writeable = weights[1].flags.writeable = False
    again = fused(cell, x, state0, [misaligned(weights[0]), *weights[1:]], misaligned(dy), dfinal)
    for g, a, p in zip(got, again, plain):
        np.testing.assert_array_equal(g, p)
        np.testing.assert_array_equal(a, p)


@every_cell
def test_arguments_and_saved_arrays_are_left_alone(cell):
    x, state0, weights, dy, dfinal = problem(cell)
    copies = [a.copy() for a in (x, *state0, *weights, dy, *dfinal)]
    *states, saved = forward(cell, x, state0, weights)
    kept = [s.copy() for s in states]
    first, second = backward(cell, saved, dy, dfinal), backward(cell, saved, dy, dfinal)
    for a, b in zip([x, *state0, *weights, dy, *dfinal, *states], [*copies, *kept]):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(first, second):
        np.testing.assert_array_equal(a, b)
    arrays = [x, *state0, *weights, dy, *dfinal, *states]
    assert not any(np.shares_memory(a, b) for a in first for b in arrays)
    assert not any(np.shares_memory(a, b) for i, a in enumerate(first) for b in first[i + 1 :])


@pytest.mark.parametrize("cell", [LSTM(), GRU(), GRU(reset_after=True)], ids=str)
def test_consuming_what_was_saved_gives_the_same_gradients(cell):
    x, state0, weights, dy, dfinal = problem(cell)
    *_, saved = forward(cell, x, state0, weights)
    kept = backward(cell, saved, dy, dfinal)
    for a, b in zip(backward(cell, saved, dy, dfinal, consume=True), kept):
        np.testing.assert_array_equal(a, b)


@every_cell
def test_no_gradient_is_a_zero_gradient(cell):
    x, state0, weights, dy, dfinal = problem(cell)
    *_, saved = forward(cell, x, state0, weights)
    zeros = [np.zeros_like(d) for d in dfinal]
    for a, b in zip(backward(cell, saved, dy), backward(cell, saved, dy, zeros)):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(backward(cell, saved, None, dfinal), backward(cell, saved, 0 * dy, dfinal)):
        np.testing.assert_array_equal(a, b)


def test_nonsense_is_refused_by_name():
    x, (h0, c0), weights, dy, _ = problem(LSTM())
    wide, b = weights[0].T, weights[2]
    run = lambda *, x=x, h0=h0, c0=c0, w=weights, **options: kernels.lstm_forward(x, h0, c0, *w, **options)
    for message, kind, call in (
        ("weight_ih must be .4H, D. = .80, 3., got .3, 80.; is", InputError, lambda: run(w=[wide, weights[1], b, b])),
        ("x must be .T, B, D.", InputError, lambda: run(x=x[0])),
        ("x must be at least one step", InputError, lambda: run(x=x[:0])),
        ("x must be float32 or float64, got float16", DtypeError, lambda: run(x=x.astype(np.float16))),
        ("h0 must be float64 as x is, got float32", DtypeError, lambda: run(h0=h0.astype(np.float32))),
        ("c0 must be .B, H. = .6, 20., got .6, 19.", InputError, lambda: run(c0=c0[:, :-1])),
        ("gal must be .T, B, H. = .5, 6, 20., .B, H.", InputError, lambda: run(gal=np.ones(H))),
        ("moon must be numbers", DtypeError, lambda: run(moon=np.array("x"))),
        ("lengths must be between 1 and T = 5, got 0 to 4", InputError, lambda: run(lengths=LENGTHS - 1)),
        ("lengths must be whole numbers", DtypeError, lambda: run(lengths=LENGTHS / 1)),
        ("bias_hh must be .4H,. = .80,., got .79,.", InputError, lambda: run(w=[*weights[:3], weights[3][1:]])),
        ("dy must be .T, B, H. = .5, 6, 20., got", InputError, lambda: kernels.lstm_backward(run()[2], dy[1:])),
        ("dc_final must be .B, H.", InputError, lambda: kernels.lstm_backward(run()[2], dy, h0, c0[0])),
    ):
        with pytest.raises(kind, match=message):
            call()
    with pytest.raises(InputError, match="nonlinearity must be 'tanh' or 'relu' or 'identity', got 'sine'"):
        kernels.rnn_forward(x, h0, *[w[:H] for w in weights], nonlinearity="sine")
    with pytest.raises(InputError, match="activation must be 'tanh' or 'relu', got 'sine'"):
        kernels.lstm_forward(x, h0, c0, *weights, activation="sine")
    with pytest.raises(InputError, match="convention with reset_after must be 'slides', got 'thesis'"):
        kernels.gru_forward(x, h0, *[w[: 3 * H] for w in weights], reset_after=True, convention="thesis")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("large", [1e4, -1e6, 1e8])
def test_a_gru_keeps_its_candidate_beside_a_large_old_state(dtype, large):
    """z = 1: the thesis's new state is the candidate, tanh(1), however large the old state is."""
    x, h0 = np.ones((1, 1, 1), dtype), np.full((1, 1), large, dtype)
    weight_ih, weight_hh = np.array([[0], [200], [1]], dtype), np.zeros((3, 1), dtype)
    h, _ = kernels.gru_forward(x, h0, weight_ih, weight_hh, None, None, convention="thesis")
    np.testing.assert_allclose(h[1, 0, 0], np.tanh(1), rtol=1e-6)

"""A cell over a sequence and back: values, gradients, padding, reversal, windows, clipping, recording.

The recurrence is thesis (2.2.1), (2.2.2).
"""

import numpy as np
import pytest

from minirnn import bptt
from minirnn.cells import GRU, LSTM, RNN, Masks, Weights

T, B, D, H = 4, 3, 5, 2
CELLS = [RNN(), RNN("relu"), LSTM(), LSTM(forget_gate=False), GRU(), GRU(convention="slides"), GRU(reset_after=True)]
LENGTHS = np.array([2, 4, 1])  # unsorted on purpose
every_cell = pytest.mark.parametrize("cell", CELLS, ids=str)


def random_problem(cell, T=T, dtype=np.float64, seed=0):
    """x, state0, weights, dy, dfinal, all random."""
    rng = np.random.default_rng(seed)
    draw = lambda *shape: rng.standard_normal(shape).astype(dtype)
    K, states = len(cell.gates), range(len(cell.states))
    weights = Weights(draw(K * H, D), draw(K * H, H), draw(K * H), draw(K * H))
    return draw(T, B, D), tuple(draw(B, H) for _ in states), weights, draw(T, B, H), tuple(draw(B, H) for _ in states)


def inputs_of(x, state0, weights):
    return [x, *state0, *weights]


def loss(cell, arrays, dy, dfinal, **options):
    n = len(cell.states)
    run = bptt.forward(cell, arrays[0], tuple(arrays[1 : 1 + n]), Weights(*arrays[1 + n :]), form="explicit", **options)
    return (run.y * dy).sum() + sum((s * d).sum() for s, d in zip(run.final, dfinal))


def central_differences(cell, arrays, dy, dfinal, step=1e-5, **options):
    gradients = []
    for k, array in enumerate(arrays):
        gradient = np.empty_like(array)
        for index in np.ndindex(array.shape):
            moved = []
            for sign in (1, -1):
                there = array.copy()
                there[index] += sign * step
                moved.append(loss(cell, [*arrays[:k], there, *arrays[k + 1 :]], dy, dfinal, **options))
            gradient[index] = (moved[0] - moved[1]) / (2 * step)
        gradients.append(gradient)
    return gradients


def assert_gradients_match(cell, arrays, dy, dfinal, **options):
    n = len(cell.states)
    run = bptt.forward(cell, arrays[0], tuple(arrays[1 : 1 + n]), Weights(*arrays[1 + n :]), form="explicit", **options)
    got = bptt.backward(run, dy, dfinal)
    for ours, truth in zip(
        inputs_of(got.x, got.state0, got.weights), central_differences(cell, arrays, dy, dfinal, **options)
    ):
        assert ours.shape == truth.shape
        np.testing.assert_allclose(ours, truth, rtol=0, atol=1e-7 * max(1, np.abs(truth).max()))


@every_cell
@pytest.mark.parametrize("steps", [1, T])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_gradients_equal_central_differences(cell, steps, reverse, padded):
    x, state0, weights, dy, dfinal = random_problem(cell, steps)
    lengths = np.minimum(LENGTHS, steps) if padded else None
    assert_gradients_match(cell, inputs_of(x, state0, weights), dy, dfinal, lengths=lengths, reverse=reverse)


@every_cell
def test_cotangents_on_outputs_and_on_final_states_add_up(cell):
    x, state0, weights, dy, dfinal = random_problem(cell)
    run = bptt.forward(cell, x, state0, weights)
    together = bptt.backward(run, dy, dfinal)
    apart = [bptt.backward(run, dy), *(_only(run, dfinal, k) for k in range(len(dfinal)))]
    for k, whole in enumerate(inputs_of(*together[:3])):
        parts = sum(inputs_of(*gradients[:3])[k] for gradients in apart)
        np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-12)


def _only(run, dfinal, k):
    return bptt.backward(run, dfinal=tuple(d if j == k else None for j, d in enumerate(dfinal)))


@every_cell
@pytest.mark.parametrize("shape", ["per step", "per sequence", "constant"])
def test_gradients_with_dropout_masks_equal_central_differences(cell, shape):
    x, state0, weights, dy, dfinal = random_problem(cell)
    rng = np.random.default_rng(5)
    make = {
        "per step": lambda: 2.0 * rng.integers(0, 2, (T, B, H)),
        "per sequence": lambda: 2.0 * rng.integers(0, 2, (B, H)),
        "constant": lambda: 0.75,
    }[shape]
    masks = Masks(make()) if cell.name == "rnn" else Masks(make(), make(), make())
    assert_gradients_match(cell, inputs_of(x, state0, weights), dy, dfinal, masks=masks, lengths=LENGTHS)


@every_cell
def test_a_constant_mask_equals_the_same_mask_spelled_out(cell):
    x, state0, weights, dy, _ = random_problem(cell)
    runs = [
        bptt.forward(cell, x, state0, weights, Masks(gal=m))
        for m in (0.5, np.full((B, H), 0.5), np.full((T, B, H), 0.5))
    ]
    for run in runs[1:]:
        np.testing.assert_array_equal(run.y, runs[0].y)
        np.testing.assert_array_equal(bptt.backward(run, dy).x, bptt.backward(runs[0], dy).x)


@every_cell
@pytest.mark.parametrize("reverse", [False, True])
def test_padding_changes_nothing(cell, reverse):
    """Each row alone, unpadded, is the truth; whatever fills the padding, even NaN, must not matter."""
    x, state0, weights, dy, dfinal = random_problem(cell)
    padded_x, padded_dy = x.copy(), dy.copy()
    for b, n in enumerate(LENGTHS):
        padded_x[n:, b], padded_dy[n:, b] = np.nan, 1e30
    run = bptt.forward(cell, padded_x, state0, weights, lengths=LENGTHS, reverse=reverse)
    got = bptt.backward(run, padded_dy, dfinal)
    total = [np.zeros_like(w) for w in weights]
    for b, n in enumerate(LENGTHS):
        one = slice(b, b + 1)
        alone = bptt.forward(cell, x[:n, one], tuple(s[one] for s in state0), weights, reverse=reverse)
        np.testing.assert_allclose(run.y[:n, one], alone.y, rtol=0, atol=1e-14)
        assert not run.y[n:, b].any()
        for ours, theirs in zip(run.final, alone.final):
            np.testing.assert_allclose(ours[one], theirs, rtol=0, atol=1e-14)
        for ours, theirs in zip(run.states, alone.states):
            np.testing.assert_allclose(ours[: n + 1, one], theirs, rtol=0, atol=1e-14)
            np.testing.assert_array_equal(ours[n + 1 :, b], np.broadcast_to(ours[n, b], ours[n + 1 :, b].shape))
        back = bptt.backward(alone, dy[:n, one], tuple(d[one] for d in dfinal))
        np.testing.assert_allclose(got.x[:n, one], back.x, rtol=0, atol=1e-13)
        assert not got.x[n:, b].any()
        for ours, theirs in zip(got.state0, back.state0):
            np.testing.assert_allclose(ours[one], theirs, rtol=0, atol=1e-13)
        total = [a + w for a, w in zip(total, back.weights)]
    for ours, theirs in zip(got.weights, total):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


@every_cell
def test_reverse_is_forward_on_the_turned_sequence(cell):
    x, state0, weights, dy, dfinal = random_problem(cell)
    backwards = bptt.forward(cell, x, state0, weights, reverse=True)
    turned = bptt.forward(cell, x[::-1], state0, weights)
    np.testing.assert_array_equal(backwards.y, turned.y[::-1])
    np.testing.assert_array_equal(backwards.final, turned.final)
    np.testing.assert_array_equal(backwards.states[0], turned.states[0][::-1])
    one, other = bptt.backward(backwards, dy, dfinal), bptt.backward(turned, dy[::-1], dfinal)
    np.testing.assert_array_equal(one.x, other.x[::-1])
    for a, b in zip([*one.state0, *one.weights], [*other.state0, *other.weights]):
        np.testing.assert_array_equal(a, b)


@every_cell
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept_and_arguments_are_never_written(cell, dtype):
    x, state0, weights, dy, dfinal = random_problem(cell, dtype=dtype)
    arguments = [x, *state0, *weights, dy, *dfinal]
    before = [a.copy() for a in arguments]
    for a in arguments:
        a.flags.writeable = False
    run = bptt.forward(cell, x, state0, weights, Masks(gal=0.5), LENGTHS)
    first, second = (bptt.backward(run, dy, dfinal) for _ in range(2))
    produced = [run.y, *run.final, *run.states, first.x, *first.state0, *first.weights]
    assert {a.dtype for a in produced} == {np.dtype(dtype)}
    for a, b in zip(arguments, before):
        np.testing.assert_array_equal(a, b)
    for a, b in zip([first.x, *first.state0, *first.weights], [second.x, *second.state0, *second.weights]):
        np.testing.assert_array_equal(a, b)
        assert not any(np.shares_memory(a, argument) for argument in arguments)


@pytest.mark.parametrize("window", [1, 3, T, 10])
@every_cell
def test_truncated_windows_carry_values_and_cut_gradients(cell, window):
    x, state0, weights, dy, _ = random_problem(cell, seed=4)
    full = bptt.forward(cell, x, state0, weights, form="explicit")
    windows = list(
        bptt.truncated(
            cell, x, state0, weights, window, lambda run, start: dy[start : start + len(run.x)], form="explicit"
        )
    )
    np.testing.assert_array_equal(np.concatenate([w.run.y for w in windows]), full.y)
    assert [w.start for w in windows] == list(range(0, T, window))
    for w in windows:  # the truth: a loss that sees only this window, from a constant state
        stop = w.start + len(w.run.x)
        alone = bptt.forward(cell, x[w.start : stop], tuple(s[w.start] for s in full.states), weights, form="explicit")
        for a, b in zip(w.gradients.weights, bptt.backward(alone, dy[w.start : stop]).weights):
            np.testing.assert_array_equal(a, b)
    whole = bptt.backward(full, dy)
    summed = [sum(parts) for parts in zip(*(w.gradients.weights for w in windows))]
    if window >= T:
        np.testing.assert_array_equal(summed[1], whole.weights.weight_hh)
    else:
        assert np.abs(summed[1] - whole.weights.weight_hh).max() > 1e-3


def test_truncated_takes_the_weights_of_the_moment_and_slices_masks():
    cell = LSTM()
    x, state0, weights, dy, _ = random_problem(cell)
    current = {"weights": weights}
    masks = Masks(ours=2.0 * np.random.default_rng(1).integers(0, 2, (T, B, H)), gal=0.5)
    seen = []
    for w in bptt.truncated(cell, x, state0, lambda: current["weights"], 3, lambda run, start: run.y, masks):
        seen.append(w.run.weights.weight_ih[0, 0])
        current["weights"] = Weights(*(p - 0.1 * g for p, g in zip(w.run.weights, w.gradients.weights)))
    assert len(seen) == 2 and seen[0] != seen[1]
    assert w.run.masks.ours.shape == (1, B, H) and w.run.masks.gal == 0.5


@every_cell
def test_step_clipping_bounds_every_recorded_row_and_large_limits_change_nothing(cell):
    x, state0, weights, dy, dfinal = random_problem(cell)
    run = bptt.forward(cell, x, state0, weights)
    free = bptt.backward(run, dy, dfinal, record_flow=True)
    loose = bptt.backward(run, dy, dfinal, clip_step=1e9)
    for a, b in zip(inputs_of(*free[:3]), inputs_of(*loose[:3])):
        np.testing.assert_array_equal(a, b)
    limit = 0.1
    tight = bptt.backward(run, dy, dfinal, clip_step=limit, record_flow=True)
    norms = np.sqrt(sum(tight.flow[name] ** 2 for name in cell.states))[1:]
    assert norms.max() <= limit * (1 + 1e-12)
    assert np.isclose(norms, limit).any() and tight.flow["h"].shape == (T + 1, B)


def test_step_clipping_of_one_step_is_the_rescaled_gradient():
    cell = RNN()
    x, state0, weights, dy, _ = random_problem(cell, 1)
    run = bptt.forward(cell, x, state0, weights)
    clipped = bptt.backward(run, dy, clip_step=0.5)
    norm = np.linalg.norm(dy[0], axis=1, keepdims=True)
    expected = bptt.backward(run, dy * np.minimum(1, 0.5 / norm))
    np.testing.assert_allclose(clipped.weights.weight_hh, expected.weights.weight_hh, rtol=0, atol=1e-15)


@pytest.mark.parametrize("reverse", [False, True])
def test_flow_ends_in_the_initial_states_gradient(reverse):
    cell = LSTM()
    x, state0, weights, dy, dfinal = random_problem(cell)
    got = bptt.backward(bptt.forward(cell, x, state0, weights, reverse=reverse), dy, dfinal, record_flow=True)
    start, end = (T, 0) if reverse else (0, T)
    for name, d0, d1 in zip(cell.states, got.state0, dfinal):
        np.testing.assert_allclose(got.flow[name][start], np.linalg.norm(d0, axis=1), rtol=1e-14)
        if name == "c":
            np.testing.assert_allclose(got.flow[name][end], np.linalg.norm(d1, axis=1), rtol=1e-14)


def test_a_chain_of_10000_steps_runs_back():
    cell, steps = RNN("identity"), 10_000
    x = np.random.default_rng(0).standard_normal((steps, 1, 1))
    weights = Weights(np.ones((1, 1)), np.ones((1, 1)))
    run = bptt.forward(cell, x, (np.zeros((1, 1)),), weights, form="explicit")
    np.testing.assert_allclose(run.final[0], x.sum(axis=0), rtol=1e-10)
    got = bptt.backward(run, dfinal=(np.ones((1, 1)),))
    np.testing.assert_array_equal(got.x, np.ones((steps, 1, 1)))
    np.testing.assert_allclose(got.weights.weight_hh[0, 0], run.states[0][:-1].sum(), rtol=1e-10)

"""Every fused cell and form against its slower twin in minirnn.cells, and against central differences of itself."""

import numpy as np
import pytest

from minirnn import bptt, kernels
from minirnn.cells import GRU, LSTM, RNN, Masks, Weights
from minirnn.fused import forms

CELLS = [
    RNN(), RNN("relu"), RNN("identity"), LSTM(), LSTM(activation="relu"), GRU(), GRU(convention="slides"),
    GRU(reset_after=True),
]
every_cell = pytest.mark.parametrize("cell", CELLS, ids=str)
both_types = pytest.mark.parametrize("dtype", [np.float32, np.float64])
# float32 sums of up to 130 terms; relative to the largest entry, since single entries may cancel
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}

# T, B, D, H: one step, one row, one unit, one input; H around the lanes of a vector (8, 16) and a panel (16, 32)
SHAPES = [
    (1, 1, 3, 2),
    (4, 3, 5, 1),
    (3, 4, 1, 7),
    (3, 5, 2, 16),
    (5, 8, 17, 33),
    (6, 4, 3, 17),
    (2, 2, 40, 70),
    (3, 9, 1, 130),
]


def problem(cell, shape, dtype, bias=(True, True), seed=0):
    """x, state0, weights, dy, dfinal; states and gates mostly away from saturation, where 1 - h^2 would cancel."""
    T, B, D, H = shape
    rng = np.random.default_rng(seed)
    draw = lambda *s, scale=0.7: (scale * rng.standard_normal(s)).astype(dtype)
    K = len(cell.gates)
    weights = Weights(
        draw(K * H, D, scale=0.7 * D**-0.5), draw(K * H, H, scale=0.7 * H**-0.5),
        draw(K * H) if bias[0] else None, draw(K * H) if bias[1] else None,
    )
    states = range(len(cell.states))
    return draw(T, B, D), [draw(B, H) for _ in states], weights, draw(T, B, H), [draw(B, H) for _ in states]


def masks_for(cell, kind, shape, dtype):
    """None, one mask per step, one per sequence or a constant, for every dropout and zoneout the cell has."""
    T, B, D, H = shape
    rng = np.random.default_rng(1)
    draw = {
        "none": None,
        "per step": lambda *values: rng.choice(values, (T, B, H)).astype(dtype),
        "per sequence": lambda *values: rng.choice(values, (B, H)).astype(dtype),
        "constant": lambda *values: 0.75,
    }[kind]
    values = {name: (0.0, 0.25, 1.0) if name.startswith("zoneout") else (0.0, 1.25) for name in cell.masks}
    return {name: None if kind == "none" else draw(*values[name]) for name in cell.masks}


def fused(cell, x, state0, weights, dy, dfinal, **options):
    """States, then gradients of everything, by the kernels."""
    forward, backward = getattr(kernels, f"{cell.name}_forward"), getattr(kernels, f"{cell.name}_backward")
    *states, saved = forward(x, *state0, *weights, **forms(cell), **options)
    return [*states, *backward(saved, dy, *dfinal)]


def explicit(cell, x, state0, weights, dy, dfinal, lengths=None, **masks):
    """The same by the step-by-step twin."""
    run = bptt.forward(cell, x, tuple(state0), weights, Masks(**masks), lengths, form="explicit")
    gradients = bptt.backward(run, dy, tuple(dfinal))
    return [*run.states, gradients.x, *gradients.state0, *gradients.weights]


def assert_same(got, want, dtype):
    assert len(got) == len(want)
    for g, w in zip(got, want):
        assert (g is None) == (w is None)
        if w is not None:
            assert g.shape == w.shape and g.dtype == w.dtype == dtype
            np.testing.assert_allclose(g, w, rtol=0, atol=TOLERANCE[dtype] * np.abs(w).max())


@every_cell
@both_types
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["none", "per step", "per sequence", "constant"])
@pytest.mark.parametrize("padded", [False, True])
def test_fused_equals_explicit(cell, dtype, shape, kind, padded):
    """thesis (2.2.2), (2.2.4)-(2.2.6), (2.2.7)-(2.2.9), (3.3.4), (3.3.8)-(3.3.10), and backward; speed (G4)-(G5)."""
    inputs = problem(cell, shape, dtype)
    T, B = shape[:2]
    lengths = np.random.default_rng(2).integers(1, T + 1, B) if padded else None
    masks = masks_for(cell, kind, shape, dtype)
    assert_same(fused(cell, *inputs, lengths=lengths, **masks), explicit(cell, *inputs, lengths, **masks), dtype)


@every_cell
@both_types
@pytest.mark.parametrize("bias", [(False, False), (True, False), (False, True)], ids=["none", "ih", "hh"])
def test_absent_biases_have_no_gradient(cell, dtype, bias):
    inputs = problem(cell, (3, 4, 5, 6), dtype, bias)
    got = fused(cell, *inputs)
    assert [g is not None for g in got[-2:]] == list(bias)
    assert_same(got, explicit(cell, *inputs), dtype)


@pytest.mark.parametrize("cell, scheme", [(cell, name) for cell in CELLS[3:] for name in cell.masks], ids=str)
def test_each_mask_alone(cell, scheme):
    shape = (4, 4, 3, 5)
    inputs = problem(cell, shape, np.float64)
    masks = {scheme: masks_for(cell, "per step", shape, np.float64)[scheme]}
    assert_same(fused(cell, *inputs, **masks), explicit(cell, *inputs, **masks), np.float64)


def test_large_layer_in_blocks():
    """More rows, columns and depth than one block of any product has."""
    for dtype in (np.float64, np.float32):
        inputs = problem(LSTM(), (7, 33, 270, 280), dtype)
        assert_same(fused(LSTM(), *inputs), explicit(LSTM(), *inputs), dtype)


def loss(cell, arrays, dy, dfinal, options):
    """A random linear functional of the outputs up to each length and of the final states."""
    n = len(cell.states)
    forward = getattr(kernels, f"{cell.name}_forward")
    *states, _ = forward(*arrays, **forms(cell), **options)
    active = np.arange(len(dy))[:, None] < options["lengths"]
    outputs = (states[0][1:] * dy * active[:, :, None]).sum()
    return outputs + sum((s[-1] * d).sum() for s, d in zip(states[:n], dfinal))


@pytest.mark.parametrize("cell", [c for c in CELLS if "relu" not in str(c)], ids=str)  # its kink: see fused = explicit
@pytest.mark.parametrize("kind", ["none", "per step"])
def test_gradients_equal_central_differences_of_the_kernel_itself(cell, kind):
    shape = (3, 4, 3, 2)
    x, state0, weights, dy, dfinal = problem(cell, shape, np.float64)
    options = {"lengths": np.array([3, 1, 2, 3]), **masks_for(cell, kind, shape, np.float64)}
    gradients = fused(cell, x, state0, weights, dy, dfinal, **options)[len(cell.states) :]
    arrays = [x, *state0, *weights]
    for k, array in enumerate(arrays):
        numeric = np.empty_like(array)
        for index in np.ndindex(array.shape):
            values = []
            for step in (1e-5, -1e-5):
                moved = array.copy()
                moved[index] += step
                values.append(loss(cell, [*arrays[:k], moved, *arrays[k + 1 :]], dy, dfinal, options))
            numeric[index] = (values[0] - values[1]) / 2e-5
        np.testing.assert_allclose(gradients[k], numeric, rtol=0, atol=1e-7 * max(1, np.abs(numeric).max()))


def test_supports_says_what_runs():
    assert all(kernels.supports(cell.name, **forms(cell)) for cell in CELLS)
    assert kernels.supports("gru", reset_after=True) and kernels.supports("gru") and kernels.supports("lstm")
    for name, options in (
        ("lstm", {"forget_gate": False}), ("lstm", {"activation": "identity"}), ("rnn", {"nonlinearity": "softplus"}),
        ("gru", {"reset_after": True, "convention": "thesis"}), ("zoneout", {}),
    ):
        assert not kernels.supports(name, **options)

"""Every cell's step_backward against central differences and the complex step, all sizes different.

RNN, thesis (2.2.2); LSTM, thesis (2.2.4)-(2.2.6); GRU, thesis (2.2.7)-(2.2.9); weights, thesis (2.1.7)-(2.1.8); dropout
masks, thesis (3.3.4), (3.3.8), (3.3.9), (3.3.10); zoneout, slides; peepholes, graves (7)-(11).
"""

import numpy as np
import pytest

from minirnn.cells import GRU, LSTM, RNN, CoupledLSTM, Masks, PeepholeLSTM

B, D, H = 3, 5, 2
SMOOTH = [
    RNN("tanh"), RNN("identity"),
    LSTM(), LSTM(forget_gate=False), PeepholeLSTM(), CoupledLSTM(),
    GRU(), GRU(convention="slides"), GRU(reset_after=True),
]
KINKED = [RNN("relu"), LSTM(activation="relu"), LSTM(forget_gate=False, activation="relu")]
EVERY_CELL = SMOOTH + KINKED
EVERY_MASKED_CELL = [
    pytest.param(cell, scheme, bias, id=f"{cell}-{'+'.join(scheme) or 'plain'}-bias={bias}")
    for cell in EVERY_CELL
    for scheme in dict.fromkeys([(), *((name,) for name in cell.masks), cell.masks])
    for bias in (True, False)
    if bias or not scheme
]


def random_arguments(cell, scheme=(), bias=True, dtype=np.float64, seed=1):
    """x, state, weights, masks: random, non-zero, of both signs; masks 0 or 1/keep, zoneout's 1/4 or 1."""
    rng = np.random.default_rng(seed)
    draw = lambda *shape: (rng.uniform(0.2, 1.0, shape) * rng.choice([-1, 1], shape)).astype(dtype)
    shapes = {name: shape for name, shape in cell.shapes(D, H).items() if bias or not name.startswith("bias")}
    weights = cell.Weights(**{name: draw(*shape) for name, shape in shapes.items()})
    pair = lambda name: [0.25, 1.0] if name.startswith("zoneout") else [0.0, 2.0]
    masks = {name: rng.permuted([pair(name)] * B, axis=1).astype(dtype) for name in scheme}
    return draw(B, D), tuple(draw(B, H) for _ in cell.states), weights, Masks(**masks)


def named(x, state, weights):
    arrays = {"x": x, **{f"state{k}": s for k, s in enumerate(state)}}
    arrays.update({name: w for name, w in weights._asdict().items() if w is not None})
    return arrays


def loss_of(cell, masks, cotangents):
    """A scalar function of the named arrays: the step's new state against fixed cotangents."""

    def loss(arrays):
        state = tuple(arrays[f"state{k}"] for k in range(len(cell.states)))
        weights = cell.Weights(*(arrays.get(name) for name in cell.Weights._fields))
        new, _ = cell.step(arrays["x"], state, weights, masks)
        return sum((s * c).sum() for s, c in zip(new, cotangents))

    return loss


def cotangents_apart_and_together(cell, dtype=np.float64):
    rng = np.random.default_rng(7)
    full = [rng.standard_normal((B, H)).astype(dtype) for _ in cell.states]
    if len(full) == 1:
        return [full]
    zero = np.zeros((B, H), dtype)
    return [[full[0], zero], [zero, full[1]], full]


def hand_derived(cell, x, state, weights, masks, cotangents):
    _, saved = cell.step(x, state, weights, masks)
    dx, dstate, dweights = cell.step_backward(tuple(cotangents), saved, weights)
    return named(dx, dstate, dweights)


def central_difference(loss, arrays, name, step=1e-5):
    value = arrays[name]
    gradient = np.empty_like(value)
    for index in np.ndindex(value.shape):
        there, back = value.copy(), value.copy()
        there[index] += step
        back[index] -= step
        gradient[index] = (loss({**arrays, name: there}) - loss({**arrays, name: back})) / (2 * step)
    return gradient


def complex_step(loss, arrays, name, step=1e-30):
    value = arrays[name]
    gradient = np.empty_like(value)
    for index in np.ndindex(value.shape):
        moved = value.astype(complex)
        moved[index] += 1j * step
        gradient[index] = loss({**arrays, name: moved}).imag / step
    return gradient


def assert_same_gradient(ours, theirs, tolerance):
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= tolerance * max(1.0, np.abs(theirs).max())


@pytest.mark.parametrize("cell, scheme, bias", EVERY_MASKED_CELL)
def test_step_backward_equals_central_differences(cell, scheme, bias):
    x, state, weights, masks = random_arguments(cell, scheme, bias)
    arrays = named(x, state, weights)
    for cotangents in cotangents_apart_and_together(cell):
        gradient = hand_derived(cell, x, state, weights, masks, cotangents)
        assert gradient.keys() == arrays.keys()
        for name in arrays:
            assert_same_gradient(
                gradient[name], central_difference(loss_of(cell, masks, cotangents), arrays, name), 1e-7
            )


@pytest.mark.parametrize("cell, scheme, bias", EVERY_MASKED_CELL)
def test_step_backward_equals_the_complex_step(cell, scheme, bias):
    """Away from its kink even relu is analytic, so every cell qualifies."""
    x, state, weights, masks = random_arguments(cell, scheme, bias, seed=2)
    arrays = named(x, state, weights)
    for cotangents in cotangents_apart_and_together(cell):
        gradient = hand_derived(cell, x, state, weights, masks, cotangents)
        for name in arrays:
            assert_same_gradient(gradient[name], complex_step(loss_of(cell, masks, cotangents), arrays, name), 1e-10)


def test_central_difference_rejects_planted_errors():
    """The oracle above must tell a gradient scaled by 1.0001, negated, zeroed, or wrong in one entry."""
    cell = LSTM()
    x, state, weights, masks = random_arguments(cell)
    arrays = named(x, state, weights)
    (cotangents,) = cotangents_apart_and_together(cell)[2:]
    good = hand_derived(cell, x, state, weights, masks, cotangents)["weight_hh"]
    truth = central_difference(loss_of(cell, masks, cotangents), arrays, "weight_hh")
    one_entry = good.copy()
    one_entry[3, 1] *= 1.001
    assert_same_gradient(good, truth, 1e-7)
    for bad in (good * 1.0001, -good, good * 0, one_entry):
        with pytest.raises(AssertionError):
            assert_same_gradient(bad, truth, 1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cell, scheme, bias", EVERY_MASKED_CELL)
def test_step_keeps_dtype_and_shape(cell, scheme, bias, dtype):
    x, state, weights, masks = random_arguments(cell, scheme, bias, dtype)
    new, saved = cell.step(x, state, weights, masks)
    assert [(s.shape, s.dtype) for s in new] == [((B, H), dtype)] * len(cell.states)
    dx, dstate, dweights = cell.step_backward(new, saved, weights)
    gradient = named(dx, dstate, dweights)
    for name, array in named(x, state, weights).items():
        assert (gradient[name].shape, gradient[name].dtype) == (array.shape, dtype), name


@pytest.mark.parametrize("cell, scheme, bias", EVERY_MASKED_CELL)
def test_step_never_writes_into_its_arguments(cell, scheme, bias):
    x, state, weights, masks = random_arguments(cell, scheme, bias)
    cotangents = tuple(cotangents_apart_and_together(cell)[-1])
    arguments = [*named(x, state, weights).values(), *(m for m in masks if m is not None), *cotangents]
    before = [a.copy() for a in arguments]
    for a in arguments:
        a.flags.writeable = False
    _, saved = cell.step(x, state, weights, masks)
    first = named(*cell.step_backward(cotangents, saved, weights))
    second = named(*cell.step_backward(cotangents, saved, weights))
    for a, b in zip(arguments, before):
        np.testing.assert_array_equal(a, b)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
        assert not any(np.shares_memory(first[name], a) for a in arguments)

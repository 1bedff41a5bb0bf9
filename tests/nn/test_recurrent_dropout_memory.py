"""What recurrent dropout does to memory: the limits of rate 1, the sums of thesis (3.3.11)-(3.3.16), and the one case
in which moon and ours are the same function. Every case in the composed, explicit and fused form.

The schemes: gal, thesis (3.3.8), for a vanilla RNN thesis (3.3.4); moon, thesis (3.3.9); ours, thesis (3.3.10).
"""

import numpy as np
import pytest

from minirnn import Tensor, bptt, grad, nn
from minirnn.array import Streams
from minirnn.cells import GRU, LSTM, RNN, Masks, Weights
from minirnn.nn import composed

OPEN = 1000.0  # a bias at which a sigmoid is exactly 1
B, D, H = 4, 5, 3
GRUS = [GRU(), GRU(convention="slides"), GRU(reset_after=True)]
every_form = pytest.mark.parametrize("form", ["composed", "explicit", "fused"])


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def weights_of(cell, D=D):
    K = len(cell.gates)
    return Weights(normal(K * H, D), normal(K * H, H), normal(K * H, seed=1), normal(K * H, seed=2))


def outputs(form, cell, x, state0, weights, masks):
    """y, final states by one form."""
    if form != "composed":
        run = bptt.forward(cell, x, state0, weights, masks, form=form)
        return run.y, *run.final
    y, final = composed.sequence(cell, Tensor(x), [*map(Tensor, state0)], Weights(*map(Tensor, weights)), masks)
    return y.value, *(s.value for s in final)


def evaluation(scheme, rate):
    return nn.RecurrentDropout(scheme, rate).masks(None, 1, 1, H, np.zeros(1), training=False)


# -------------------------------------------------------------------------------------------------- rates 0 and 1


@every_form
@pytest.mark.parametrize("cell", [RNN(), LSTM(), *GRUS], ids=str)
@pytest.mark.parametrize("ones", [np.ones((6, B, H)), np.ones((B, H)), 1.0], ids=["per step", "per sequence", "keep 1"])
def test_masks_of_ones_are_the_plain_cell_to_the_bit(form, cell, ones):
    x, start, weights = normal(6, B, D), (normal(B, H),) * len(cell.states), weights_of(cell)
    masks = Masks(**{name: ones for name in cell.masks if not name.startswith("zoneout")})
    for kept, plain in zip(outputs(form, cell, x, start, weights, masks),
                           outputs(form, cell, x, start, weights, Masks())):
        np.testing.assert_array_equal(kept, plain)


@pytest.fixture(params=["mask of zeros", "rate next to 1 in evaluation"])
def everything_dropped(request):
    """scheme -> (masks that drop everything, how far from that the result may be)."""
    if request.param == "mask of zeros":
        return lambda scheme: (Masks(**{scheme: 0.0}), 1e-15)
    return lambda scheme: (evaluation(scheme, 1 - 2**-45), 1e-12)


@every_form
def test_ours_at_rate_1_leaves_pure_memory(form, everything_dropped):
    """c_t is the product of the forget gates times c_0; a GRU's h_t that of 1 - z (z on the slides)."""
    masks, tolerance = everything_dropped("ours")
    cell, x, (h0, c0) = LSTM(), normal(7, B, D), (normal(B, H), normal(B, H, seed=4))
    run = bptt.forward(cell, x, (h0, c0), weights_of(cell), masks, form="explicit")
    kept = np.prod([saved.f for saved in run.saved], axis=0)
    _, _, c = outputs(form, cell, x, (h0, c0), weights_of(cell), masks)
    np.testing.assert_allclose(c, kept * c0, rtol=0, atol=tolerance)
    for cell in GRUS:
        run = bptt.forward(cell, x, (h0,), weights_of(cell), masks, form="explicit")
        kept = np.prod([1 - s.z if cell.convention == "thesis" else s.z for s in run.saved], axis=0)
        _, h = outputs(form, cell, x, (h0,), weights_of(cell), masks)
        np.testing.assert_allclose(h, kept * h0, rtol=0, atol=tolerance)


@every_form
def test_gal_at_rate_1_leaves_gates_that_see_x_alone_and_a_feed_forward_rnn(form, everything_dropped):
    masks, tolerance = everything_dropped("gal")
    x = normal(7, B, D)
    for cell in (LSTM(), *GRUS):
        start, weights = (normal(B, H), normal(B, H, seed=4))[: len(cell.states)], weights_of(cell)
        blind = weights._replace(weight_hh=np.zeros_like(weights.weight_hh))
        got = outputs(form, cell, x, start, weights, masks)
        for a, b in zip(got, outputs(form, cell, x, start, blind, Masks())):
            np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)
        other = outputs(form, cell, x, (*start[:-1], start[-1] + 1), weights, masks)
        assert not np.allclose(other[-1], got[-1])  # the memory still recurs, or the GRU's leak, which is not dropped
    w = weights_of(RNN())
    y, _ = outputs(form, RNN(), x, (normal(B, H),), w, masks)
    np.testing.assert_allclose(y, np.tanh(x @ w.weight_ih.T + w.bias_ih + w.bias_hh), rtol=0, atol=tolerance + 1e-15)


@every_form
def test_moon_at_rate_1_leaves_no_memory(form, everything_dropped):
    masks, tolerance = everything_dropped("moon")
    x, h0, c0 = normal(7, B, D), normal(B, H), normal(B, H, seed=4)
    for cell, start in ((LSTM(), (h0, c0)), *((gru, (h0,)) for gru in GRUS)):
        for state in outputs(form, cell, x, start, weights_of(cell), masks):
            assert np.abs(state).max() <= tolerance


@pytest.mark.parametrize("cell", GRUS, ids=str)
@pytest.mark.parametrize("gate", ["r", "z", "n"])
def test_gru_with_a_mask_follows_its_definition(cell, gate):
    mask = np.array([[0.0, 2.0, 1.0]] * B)
    weights, x, h = weights_of(cell), normal(B, D), normal(B, H)
    (plain,), saved = cell.step(x, (h,), weights)
    (moon,), _ = cell.step(x, (h,), weights, Masks(moon=mask))
    np.testing.assert_allclose(moon, mask * plain, rtol=0, atol=1e-15)
    (ours,), _ = cell.step(x, (h,), weights, Masks(ours=mask))
    new = saved.z if cell.convention == "thesis" else 1 - saved.z
    np.testing.assert_allclose(ours, (1 - new) * h + new * (mask * saved.n), rtol=0, atol=1e-15)
    (_,), gal = cell.step(x, (h,), weights, Masks(gal=mask))
    np.testing.assert_array_equal(gal.h_prev, h)  # the leak sees the undropped state
    assert not np.array_equal(getattr(gal, gate), getattr(saved, gate))


# ------------------------------------------------------------------------------------------ moon and ours are one


@pytest.mark.parametrize("form", ["explicit", "fused"])
def test_moon_and_ours_per_sequence_are_one_function_in_training_and_two_in_evaluation(form):
    """With 0/1 masks and c_0 = 0: m m = m, so a training curve cannot tell them apart."""
    x, dy, found, evaluated = Tensor(normal(8, B, D), True), normal(8, B, H), [], []
    for scheme in ("moon", "ours"):
        layer = nn.LSTM(D, H, rng=0, dtype=np.float64, kernels=form, recurrent_dropout=(scheme, 0.5, "per_sequence"))
        start = Tensor(normal(1, B, H), True), Tensor(np.zeros((1, B, H)), True)
        y, (h, c) = layer(x, start, streams=Streams(2))
        gradients = grad((y * dy).sum() + (h + c).sum(), [x, *start, *layer.parameters()])
        found.append([y.value, h.value, c.value, *(g.value for g in gradients)])
        evaluated.append(layer.eval()(x, start)[0].value)
    mask = layer.train()._masks(x, 0, Streams(2)).ours
    assert 0 < mask.mean() < 1
    for k, (moon, ours) in enumerate(zip(*found)):
        if k == 5:  # of c_0, where it is not dropped: a change of a dropped c_0 is seen by ours alone
            moon, ours = moon[0][mask == 1], ours[0][mask == 1]
        np.testing.assert_allclose(moon, ours, rtol=0, atol=1e-12)
    assert np.abs(evaluated[0] - evaluated[1]).max() > 0.01


def test_composed_moon_and_ours_are_one_function_too():
    masks = (np.random.default_rng(0).random((B, H)) < 0.5).astype(float)
    found = []
    for name in ("moon", "ours"):
        leaves = [Tensor(a, True) for a in (normal(8, B, D), *weights_of(LSTM()))]
        start = [Tensor(normal(B, H)), Tensor(np.zeros((B, H)))]
        y, final = composed.sequence(LSTM(), leaves[0], start, Weights(*leaves[1:]), Masks(**{name: masks}))
        gradients = grad((y * normal(8, B, H)).sum() + final[1].sum(), leaves)
        found.append([y.value, *(s.value for s in final), *(g.value for g in gradients)])
    for moon, ours in zip(*found):
        np.testing.assert_allclose(moon, ours, rtol=0, atol=1e-12)


# ------------------------------------------------------------------------------------------- a memory that only adds


def accumulator(steps, rows=1):
    """An LSTM whose gates are 1: weights, x (T, rows, 1) and the updates g (T, H), every row alike."""
    weights = Weights(np.zeros((4 * H, 1)), np.zeros((4 * H, H)), np.zeros(4 * H), np.zeros(4 * H))
    for gate in (0, 1, 3):
        weights.bias_ih[gate * H : (gate + 1) * H] = OPEN
    weights.weight_ih[2 * H : 3 * H, 0] = [0.3, -0.2, 0.1]
    x = normal(steps, 1, 1)
    return weights, np.repeat(x, rows, axis=1), np.tanh(x[:, 0] * weights.weight_ih[2 * H : 3 * H, 0])


def sums(scheme, keep, g, c0):
    """c_t for every t: thesis (3.3.14) for moon, thesis (3.3.16) with c_0 not multiplied by keep for ours."""
    if scheme == "ours":
        return c0 + keep * np.cumsum(g, axis=0)
    T = len(g)
    return np.array([keep ** (t + 1) * c0 + sum(keep ** (t - i + 1) * g[i] for i in range(t + 1)) for t in range(T)])


@every_form
@pytest.mark.parametrize("scheme", ["moon", "ours"])
@pytest.mark.parametrize("keep", [0.5, 0.75])
def test_evaluation_sums_what_the_thesis_says(form, scheme, keep):
    """thesis (3.3.11)-(3.3.14) and (3.3.16), to 1e-12 for 50 steps; y is tanh(c_t), the output gate being 1."""
    weights, x, g = accumulator(50)
    start = normal(1, H), normal(1, H, seed=1)
    expected = sums(scheme, keep, g, start[1][0])
    y, _, c = outputs(form, LSTM(), x, start, weights, evaluation(scheme, 1 - keep))
    np.testing.assert_allclose(y[:, 0], np.tanh(expected), rtol=0, atol=1e-12)
    np.testing.assert_allclose(c[0], expected[-1], rtol=0, atol=1e-12)
    if form != "composed":
        run = bptt.forward(LSTM(), x, start, weights, evaluation(scheme, 1 - keep), form=form)
        np.testing.assert_allclose(run.states[1][1:, 0], expected, rtol=0, atol=1e-12)


@every_form
def test_what_was_written_first_fades_with_moon_alone(form):
    """The share of the first update in the cell in evaluation: its logarithm falls by ln keep a step, or stays."""
    steps, keep = 30, 0.5
    for scheme, slope in (("moon", np.log(keep)), ("ours", 0.0), ("gal", 0.0)):
        weights, x, _ = accumulator(steps)
        unmarked = x.copy()
        unmarked[0] = 0
        cells = [
            np.arctanh(outputs(form, LSTM(), a, (np.zeros((1, H)),) * 2, weights, evaluation(scheme, 1 - keep))[0])
            for a in (x, unmarked)
        ]
        share = np.abs(cells[0] - cells[1])[:20, 0]
        np.testing.assert_allclose(np.diff(np.log(share), axis=0), slope, rtol=0, atol=1e-6)


@every_form
@pytest.mark.parametrize("rate", [0.25, 0.5])
def test_inverted_scaling_per_sequence_makes_what_survives_grow_by_1_over_keep_a_step(form, rate):
    """moon in training, thesis (3.3.15): a surviving unit's start and updates are multiplied at every step."""
    steps, rows, keep = 12, 6, 1 - rate
    weights, x, g = accumulator(steps, rows)
    start = np.zeros((rows, H)), np.ones((rows, H))
    spec = nn.RecurrentDropout("moon", rate, "per_sequence", "inverted")
    masks = spec.masks(np.random.default_rng(0), steps, rows, H, x, training=True)
    _, _, c = outputs(form, LSTM(), x, start, weights, masks)
    alive = sums("moon", 1 / keep, g, 1.0)[-1]
    expected = np.where(masks.moon > 0, alive, 0.0)
    np.testing.assert_allclose(c, expected, rtol=1e-12, atol=0)
    assert 0 < (masks.moon > 0).mean() < 1


MEANS = {
    # scheme, sampling, scaling -> the mean in training as (scheme, keep) of ``sums``, and whether evaluation gives it
    ("ours", "per_step", "test"): ("ours", 0.75, True),
    ("ours", "per_sequence", "test"): ("ours", 0.75, True),
    ("moon", "per_step", "test"): ("moon", 0.75, True),
    ("moon", "per_sequence", "test"): ("ours", 0.75, False),  # a unit that lives adds up without loss: keep times sum g
    ("ours", "per_step", "inverted"): ("ours", 1.0, True),
    ("ours", "per_sequence", "inverted"): ("ours", 1.0, True),
    ("moon", "per_step", "inverted"): ("ours", 1.0, True),
}


@pytest.mark.parametrize("case, mean", MEANS.items(), ids=lambda value: "-".join(map(str, value)))
def test_the_mean_over_masks_is_what_evaluation_computes_but_for_moon_per_sequence(case, mean):
    """Expectations of thesis (3.3.11)-(3.3.16) with c_0 = 0, over 20,000 rows, within four standard errors."""
    steps, rows, rate = 6, 20_000, 0.25
    spec, (scheme, keep, agrees) = nn.RecurrentDropout(case[0], rate, *case[1:]), mean
    weights, x, g = accumulator(steps, rows)
    start = (np.zeros((rows, H)),) * 2
    masks = spec.masks(np.random.default_rng(0), steps, rows, H, x, training=True)
    c = bptt.forward(LSTM(), x, start, weights, masks, form="fused").final[1]
    error = c.std(axis=0) / np.sqrt(rows)
    expected = sums(scheme, keep, g, 0.0)[-1]
    assert (np.abs(c.mean(axis=0) - expected) < 4 * error).all() and (error < 0.01).all()
    one = spec.masks(None, steps, 1, H, x, training=False)
    evaluated = bptt.forward(LSTM(), x[:, :1], tuple(s[:1] for s in start), weights, one, form="fused").final[1][0]
    if agrees:
        np.testing.assert_allclose(evaluated, expected, rtol=0, atol=1e-12)
    else:
        np.testing.assert_allclose(evaluated, sums(case[0], 1 - rate, g, 0.0)[-1], rtol=0, atol=1e-12)
        assert (np.abs(evaluated - expected) > 20 * error).all()

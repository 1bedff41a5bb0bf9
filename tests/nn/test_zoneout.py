"""Zoneout (slides; Krueger et al. 2017) in every form: gradients, the limits in which it becomes something simpler, and
how the layers draw it.

c_t = d^c c_{t-1} + (1 - d^c) c', h_t = d^h h_{t-1} + (1 - d^h) o tanh(c'), with c' of thesis (2.2.5); for a GRU h' of
thesis (2.2.9).
"""

import numpy as np
import pytest

from minirnn import Tensor, bptt, grad, nn
from minirnn.array import Streams
from minirnn.cells import GRU, LSTM, RNN, Masks, Weights
from minirnn.errors import InputError
from minirnn.nn import composed

T, B, D, H = 6, 4, 5, 3
LENGTHS = np.array([2, 6, 1, 4])
OPEN = 1000.0  # a bias at which a sigmoid is exactly 1
FORMS = ["composed", "explicit", "fused"]
CELLS = [LSTM(), LSTM(forget_gate=False), GRU(), GRU(convention="slides"), GRU(reset_after=True)]
EVERY = [
    pytest.param(cell, form, id=f"{cell} {form}")
    for cell in CELLS for form in FORMS if form != "fused" or cell != LSTM(forget_gate=False)
]


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def problem(cell):
    """x, state0, weights, dy, dfinal."""
    K, states = len(cell.gates), range(len(cell.states))
    weights = Weights(normal(K * H, D), normal(K * H, H), normal(K * H, seed=1), normal(K * H, seed=2))
    state0, dfinal = (tuple(normal(B, H, seed=s + k) for k in states) for s in (3, 5))
    return normal(T, B, D), state0, weights, normal(T, B, H), dfinal


def zoneout_of(cell, draw):
    return Masks(**{name: draw() for name in ("zoneout_c", "zoneout_h") if name in cell.masks})


def random_zoneout(cell, seed=8):
    """0/1 masks of every step, row and unit."""
    rng = np.random.default_rng(seed)
    return zoneout_of(cell, lambda: rng.integers(0, 2, (T, B, H)).astype(float))


def computed(form, cell, x, state0, weights, dy, dfinal, masks, lengths=None, reverse=False):
    """y, final states, dx, dstate0, dweights of one form, in one list."""
    if form != "composed":
        run = bptt.forward(cell, x, state0, weights, masks, lengths, reverse, form=form)
        got = bptt.backward(run, dy, dfinal)
        return [run.y, *run.final, got.x, *got.state0, *got.weights]
    leaves = [Tensor(a, True) for a in (x, *state0, *weights)]
    states = leaves[1 : 1 + len(state0)]
    y, final = composed.sequence(cell, leaves[0], states, Weights(*leaves[-4:]), masks, lengths, reverse)
    gradients = grad([y, *final], leaves, [Tensor(d) for d in (dy, *dfinal)])
    return [y.value, *(s.value for s in final), *(g.value for g in gradients)]


def assert_close(got, want, atol=1e-12):
    assert len(got) == len(want)
    for a, b in zip(got, want):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=atol * max(1, np.abs(b).max()))


@pytest.mark.parametrize("cell, form", EVERY)
def test_gradients_equal_central_differences_with_frozen_masks(cell, form):
    x, state0, weights, dy, dfinal = problem(cell)
    masks, n = random_zoneout(cell), len(cell.states)

    def loss(arrays):
        run = bptt.forward(cell, arrays[0], arrays[1 : 1 + n], Weights(*arrays[1 + n :]), masks, form="explicit")
        return (run.y * dy).sum() + sum((s * d).sum() for s, d in zip(run.final, dfinal))

    arrays = [x, *state0, *weights]
    gradients = computed(form, cell, x, state0, weights, dy, dfinal, masks)[1 + n :]
    rng = np.random.default_rng(0)
    for k, array in enumerate(arrays):
        every = list(np.ndindex(array.shape))
        for index in (every[i] for i in rng.permutation(len(every))[:16]):
            there, back = array.copy(), array.copy()
            there[index] += 1e-5
            back[index] -= 1e-5
            slope = (loss([*arrays[:k], there, *arrays[k + 1 :]]) - loss([*arrays[:k], back, *arrays[k + 1 :]])) / 2e-5
            assert abs(gradients[k][index] - slope) <= 1e-7 * max(1, np.abs(gradients[k]).max())


@pytest.mark.parametrize("cell, form", EVERY)
@pytest.mark.parametrize("kind", ["0 and 1", "shares", "per sequence", "constant", "with dropout"])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "padded"])
def test_every_form_is_the_explicit_one(cell, form, kind, reverse, lengths):
    rng = np.random.default_rng(9)
    masks = {
        "0 and 1": random_zoneout(cell),
        "shares": zoneout_of(cell, lambda: rng.random((T, B, H))),
        "per sequence": zoneout_of(cell, lambda: rng.integers(0, 2, (B, H)).astype(float)),
        "constant": zoneout_of(cell, lambda: 0.25),
        "with dropout": random_zoneout(cell)._replace(gal=2.0 * rng.integers(0, 2, (T, B, H)), moon=0.5,
                                                      ours=2.0 * rng.integers(0, 2, (B, H))),
    }[kind]
    arguments = (cell, *problem(cell), masks, lengths, reverse)
    assert_close(computed(form, *arguments), computed("explicit", *arguments))


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_the_states_follow_their_definition(cell):
    x, state0, weights, _, _ = problem(cell)
    plain = cell.step(x[0], state0, weights)[0]
    masks = zoneout_of(cell, lambda: np.random.default_rng(1).random((B, H)))
    zoned = cell.step(x[0], state0, weights, masks)[0]
    for name, old, new, got in zip(cell.states, state0, plain, zoned):
        d = getattr(masks, f"zoneout_{name}")
        np.testing.assert_allclose(got, d * old + (1 - d) * new, rtol=0, atol=1e-15)  # h from tanh c', not tanh c_t


@pytest.mark.parametrize("cell, form", EVERY)
def test_a_mask_of_zeros_is_the_plain_cell_to_the_bit(cell, form):
    for draw in (lambda: np.zeros((T, B, H)), lambda: np.zeros((B, H)), lambda: 0.0):
        arguments = problem(cell)
        for a, b in zip(computed(form, cell, *arguments, zoneout_of(cell, draw)),
                        computed(form, cell, *arguments, Masks())):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("cell, form", EVERY)
def test_a_mask_of_ones_freezes_the_state_and_its_gradient_is_the_identity(cell, form):
    x, state0, weights, dy, dfinal = problem(cell)
    got = computed(form, cell, x, state0, weights, dy, dfinal, zoneout_of(cell, lambda: np.ones((T, B, H))))
    n = len(state0)
    np.testing.assert_array_equal(got[0], np.broadcast_to(state0[0], (T, B, H)))
    for final, start in zip(got[1 : 1 + n], state0):
        np.testing.assert_array_equal(final, start)
    dstate0 = got[2 + n : 2 + 2 * n]
    np.testing.assert_allclose(dstate0[0], dfinal[0] + dy.sum(axis=0), rtol=0, atol=1e-14)
    for d, expected in zip(dstate0[1:], dfinal[1:]):
        np.testing.assert_array_equal(d, expected)
    for d in (got[1 + n], *got[2 + 2 * n :]):
        assert not d.any()


@pytest.mark.parametrize("form", FORMS)
def test_with_an_open_forget_gate_the_memory_is_that_of_dropout_of_the_update(form):
    """c_t = c_{t-1} + (1 - d) i g both ways, thesis (3.3.10) with mask 1 - d; h differs, since zoneout's phi sees the
    memory before the choice. So the gates are given x alone, and the loss is one of the memory."""
    cell = LSTM()
    x, state0, weights, dy, (_, dc) = problem(cell)
    for w in weights[:2]:
        w[H : 2 * H] = 0
    weights.weight_hh[:] = 0
    weights.bias_ih[H : 2 * H] = OPEN
    d, nothing = random_zoneout(cell).zoneout_c, np.zeros((B, H))
    zoned, dropped = (
        computed(form, cell, x, state0, weights, 0 * dy, (nothing, dc), masks)
        for masks in (Masks(zoneout_c=d), Masks(ours=1 - d))
    )
    (_, h, c, dx, dh0, dc0, dweight_ih, _, *dbiases), (_, h_dropped, *of_dropped) = zoned, dropped
    assert_close([c, dx, dh0, dc0, dweight_ih, *dbiases], of_dropped[:5] + of_dropped[6:])  # dweight_hh meets h
    assert np.abs(dweight_ih).max() > 0.1
    stayed = d[-1] == 1
    np.testing.assert_allclose(h[~stayed], h_dropped[~stayed], rtol=0, atol=1e-12)
    assert not np.isclose(h[stayed], h_dropped[stayed]).any()


@pytest.mark.parametrize("cell, form", EVERY)
def test_padding_may_hold_anything_and_each_row_is_as_if_alone(cell, form):
    x, state0, weights, dy, dfinal = problem(cell)
    masks = random_zoneout(cell)
    for b, n in enumerate(LENGTHS):
        x[n:, b] = np.nan
    got = computed(form, cell, x, state0, weights, dy, dfinal, masks, LENGTHS)
    n = len(state0)
    for b, steps in enumerate(LENGTHS):
        part = np.s_[:steps, b : b + 1]
        here = Masks(*(None if m is None else m[part] for m in masks))
        start, dend = (tuple(s[b : b + 1] for s in states) for states in (state0, dfinal))
        alone = computed(form, cell, x[part], start, weights, dy[part], dend, here)
        assert not got[0][steps:, b].any() and not got[1 + n][steps:, b].any()
        assert_close([got[0][:steps, b], got[1 + n][:steps, b]], [alone[0][:, 0], alone[1 + n][:, 0]])
        for k in (*range(1, 1 + n), *range(2 + n, 2 + 2 * n)):  # final states, and the gradients of the first
            assert_close([got[k][b]], [alone[k][0]])


@pytest.mark.parametrize("cell", CELLS, ids=str)
@pytest.mark.parametrize("clip", [None, 0.5])
def test_checkpoints_and_clipping_see_the_same_masks(cell, clip):
    x, state0, weights, dy, dfinal = problem(cell)
    options = {"masks": random_zoneout(cell), "lengths": LENGTHS}
    plain, kept = (bptt.forward(cell, x, state0, weights, **options, checkpoint_every=k) for k in (None, 2))
    (want, got) = (bptt.backward(run, dy, dfinal, clip_step=clip) for run in (plain, kept))
    assert_close([kept.y, got.x, *got.state0, *got.weights], [plain.y, want.x, *want.state0, *want.weights])


LAYERS = {
    "lstm": lambda **k: nn.LSTM(D, H, rng=0, dtype=np.float64, **{"zoneout": (0.5, 0.25), **k}),
    "gru": lambda **k: nn.GRU(D, H, rng=0, dtype=np.float64, **{"zoneout": 0.5, **k}),
    "gru reset_after": lambda **k: nn.GRU(D, H, rng=0, dtype=np.float64, reset_after=True, **{"zoneout": 0.5, **k}),
}
every_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


@every_layer
def test_a_layer_draws_its_masks_by_name_and_evaluates_with_the_rates(make):
    layer, x = make(), Tensor(normal(T, B, D))
    first, again, other = (layer(x, streams=Streams(0, step))[0].value for step in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    layer.eval()
    zero = tuple(np.zeros((B, H)) for _ in layer.cell.states)
    weights = Weights(*(w.value for w in layer.weights()))
    expected = bptt.forward(layer.cell, x.value, zero, weights, Masks(**layer.zoneout))
    np.testing.assert_array_equal(layer(x)[0].value, expected.y)
    assert not np.allclose(expected.y, make(zoneout=0.0).eval()(x)[0].value)


@every_layer
@pytest.mark.parametrize("form", ["explicit", "fused"])
def test_rate_0_is_the_plain_layer_to_the_bit_and_needs_no_rng(make, form):
    x, dy = Tensor(normal(T, B, D), True), normal(T, B, 2 * H)
    found = []
    for zoneout in (None, 0.0, 0):
        layer = make(zoneout=zoneout, num_layers=2, bidirectional=True, kernels=form)
        y, _ = layer(x, lengths=LENGTHS)
        found.append([y.value, *(g.value for g in grad((y * dy).sum(), [x, *layer.parameters()]))])
    for other in found[1:]:
        for a, b in zip(found[0], other):
            np.testing.assert_array_equal(a, b)


def test_the_drawn_masks_differ_by_unit_row_and_step_and_come_as_often_as_asked():
    layer = nn.LSTM(2, 30, rng=0, zoneout=(0.5, 0.05))
    x = Tensor(np.zeros((50, 40, 2), np.float32))
    masks = layer._masks(x, 0, Streams(3))
    assert masks[:3] == (None, None, None)
    for d, rate in ((masks.zoneout_c, 0.5), (masks.zoneout_h, 0.05)):
        assert d.shape == (50, 40, 30) and d.dtype == np.float32 and set(np.unique(d)) == {0.0, 1.0}
        assert abs(d.mean() - rate) < 4 * np.sqrt(rate * (1 - rate) / d.size)
        for axis in range(3):
            assert not np.array_equal(d.take(0, axis), d.take(1, axis))
    assert not np.array_equal(masks.zoneout_c > 0, masks.zoneout_h > 0)


def test_evaluation_is_the_mean_over_masks_of_a_memory_that_is_linear():
    rate, rows, cell = 0.25, 20_000, LSTM()
    weights = Weights(normal(4 * H, 1), np.zeros((4 * H, H)), np.repeat([OPEN, OPEN, 0.3, OPEN], H), np.zeros(4 * H))
    weights.weight_ih[np.r_[: 2 * H, 3 * H : 4 * H]] = 0
    x, zero = np.repeat(normal(T, 1, 1), rows, axis=1), (np.zeros((rows, H)),) * 2
    d = (np.random.default_rng(0).random((T, rows, H)) < rate).astype(float)
    trained = bptt.forward(cell, x, zero, weights, Masks(zoneout_c=d), form="explicit").final[1]
    evaluated = bptt.forward(cell, x[:, :1], tuple(s[:1] for s in zero), weights, Masks(zoneout_c=rate)).final[1]
    sigma = trained.std(axis=0) / np.sqrt(rows)
    assert (np.abs(trained.mean(axis=0) - evaluated[0]) < 4 * sigma).all() and (sigma > 0).all()


def test_dropout_masks_stay_what_they_were_when_zoneout_is_added():
    x, asked = Tensor(normal(T, B, D)), []
    options = {"num_layers": 2, "bidirectional": True, "recurrent_dropout": ("ours", 0.5), "dropout": 0.5}
    layer, alone = LAYERS["lstm"](**options), LAYERS["lstm"](**options, zoneout=None)
    np.testing.assert_array_equal(layer._masks(x, 2, Streams(5)).ours, alone._masks(x, 2, Streams(5)).ours)
    layer(x, streams=lambda *name: asked.append(name) or np.random.default_rng(len(asked)))
    both = lambda *places: [(purpose, place) for place in places for purpose in ("recurrent", "zoneout")]
    assert asked == [*both(0, 1), ("between", 0), *both(2, 3)]


@every_layer
def test_second_derivatives_through_a_layer(make):
    layer = make(bidirectional=True, recurrent_dropout=("ours", 0.25))
    x, cotangent, direction = normal(T, B, D), normal(T, B, 2 * H, seed=1), normal(T, B, D, seed=2)

    def first_slope(values, create_graph):
        leaf = Tensor(values, True)
        y, _ = layer(leaf, lengths=LENGTHS, streams=Streams(7))
        return leaf, grad((y * cotangent).sum(), leaf, create_graph=create_graph)[0]

    leaf, first = first_slope(x, True)
    np.testing.assert_allclose(first.value, first_slope(x, False)[1].value, rtol=0, atol=1e-12)
    second = grad((first * direction).sum(), leaf)[0].value
    rng = np.random.default_rng(0)
    for place in (tuple(rng.integers(0, size) for size in x.shape) for _ in range(12)):
        step = np.zeros_like(x)
        step[place] = 1e-5
        there, back = (float((first_slope(x + s, False)[1].value * direction).sum()) for s in (step, -step))
        assert abs(second[place] - (there - back) / 2e-5) < 1e-7 * max(1, np.abs(second).max())
    assert np.abs(second).max() > 1e-3


def test_a_float_is_for_every_state_and_a_pair_for_memory_and_hidden_state():
    assert nn.LSTM(D, H, zoneout=0.25).zoneout == {"zoneout_c": 0.25, "zoneout_h": 0.25}
    assert nn.LSTM(D, H, zoneout=(0.5, 0.05)).zoneout == {"zoneout_c": 0.5, "zoneout_h": 0.05}
    assert nn.GRU(D, H, zoneout=0.05).zoneout == {"zoneout_h": 0.05}


REFUSED = {
    "rate 1": (lambda: nn.LSTM(D, H, zoneout=1.0), r"LSTM: zoneout: rate must be a number in \[0, 1\), got 1.0; it is"),
    "negative": (lambda: nn.GRU(D, H, zoneout=-0.1), r"GRU: zoneout: rate must be a number in \[0, 1\), got -0.1"),
    "NaN": (lambda: nn.LSTM(D, H, zoneout=(0.5, float("nan"))), "got nan; it is the probability of keeping"),
    "text": (lambda: nn.LSTM(D, H, zoneout="half"), "rate must be a number .* got 'half'"),
    "three": (lambda: nn.LSTM(D, H, zoneout=(0.1, 0.2, 0.3)), r"zoneout must be a rate or a pair \(z_c, z_h\), got"),
    "GRU pair": (lambda: nn.GRU(D, H, zoneout=(0.5, 0.05)), r"GRU: zoneout must be a rate, got \(0.5, 0.05\)"),
    "no streams": (lambda: nn.LSTM(D, H, zoneout=0.5, dtype=np.float64)(normal(T, B, D)),
                   "streams must be .* pass streams="),
    "GRU's memory": (
        lambda: bptt.forward(GRU(), *problem(GRU())[:3], Masks(zoneout_c=0.5)),
        "masks of gru must be gal, moon, ours or zoneout_h, got zoneout_c; it has no memory cell"),
    "RNN": (
        lambda: bptt.forward(RNN(), *problem(RNN())[:3], Masks(zoneout_h=0.5)),
        "masks of rnn must be gal only, got zoneout_h"),
    "share": (
        lambda: bptt.forward(LSTM(), *problem(LSTM())[:3], Masks(zoneout_h=1.5)),
        r"mask zoneout_h must be in \[0, 1\], got 1.5; it is the share"),
    "fused without a kernel": (
        lambda: nn.LSTM(D, H, zoneout=0.5, forget_gate=False, kernels="fused")(
            normal(T, B, D, seed=1).astype(np.float32), streams=Streams(0)),
        "form must be 'explicit' here, got 'fused'; there is no kernel for LSTM.forget_gate=False"),
}


@pytest.mark.parametrize("call, message", REFUSED.values(), ids=REFUSED)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()

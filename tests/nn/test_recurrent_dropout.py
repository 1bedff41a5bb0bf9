"""Recurrent dropout as layers draw and apply it: gradients with frozen masks in every form, what a mask is, what
evaluation does, and what is refused.

The schemes: gal, thesis (3.3.8), and for a vanilla RNN thesis (3.3.4); moon, thesis (3.3.9); ours, thesis (3.3.10). The
scalings: thesis (3.3.2) and thesis (3.3.15); masks, thesis (3.3.1). What
they do to memory: test_recurrent_dropout_memory.
"""

import itertools
from functools import partial

import numpy as np
import pytest

from minirnn import Tensor, bptt, grad, nn
from minirnn.array import Streams
from minirnn.cells import Masks, Weights
from minirnn.errors import DtypeError, InputError
from minirnn.models.language_model.model import LanguageModel, detached
from minirnn.nn import composed
from minirnn.nn.layers import draw_mask

T, B, D, H = 5, 3, 1, 2
KINDS = {
    "rnn": nn.RNN,
    "lstm": nn.LSTM,
    "gru thesis": nn.GRU,
    "gru slides": partial(nn.GRU, convention="slides"),
    "gru reset_after": partial(nn.GRU, reset_after=True),
}
SCHEMES = ("gal", "moon", "ours")
ALL = {"gal": 0.5, "moon": 0.25, "ours": 0.5}
PAIRS = [
    pytest.param(kind, rates, id=f"{kind}-{'+'.join(rates)}")
    for kind in KINDS for rates in (*({s: 0.5} for s in SCHEMES), ALL)
    if kind != "rnn" or "moon" not in rates
] + [pytest.param("rnn", {"gal": 0.5, "ours": 0.25}, id="rnn-gal+ours")]
every_pair = pytest.mark.parametrize("kind, rates", PAIRS)


def normal(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def layer_of(kind, rates, sampling="per_step", scaling="test", **options):
    dropout = nn.RecurrentDropout(rate=rates, sampling=sampling, scaling=scaling)
    return KINDS[kind](D, H, recurrent_dropout=dropout, **{"rng": 0, "dtype": np.float64, **options})


def drawn(layer, seed=0, steps=T, rows=B):
    """The masks of a call on zeros."""
    return layer._masks(Tensor(np.zeros((steps, rows, D), layer.weight_ih_l0.dtype)), 0, Streams(seed))


def computed(form, cell, arrays, dy, dfinal, masks):
    """y, final states and the gradients of [x, states, weights] in one form."""
    n = len(cell.states)
    if form != "composed":
        run = bptt.forward(cell, arrays[0], arrays[1 : 1 + n], Weights(*arrays[1 + n :]), masks, form=form)
        got = bptt.backward(run, dy, dfinal)
        return [run.y, *run.final], [got.x, *got.state0, *got.weights]
    leaves = [Tensor(a, True) for a in arrays]
    y, final = composed.sequence(cell, leaves[0], leaves[1 : 1 + n], Weights(*leaves[1 + n :]), masks)
    gradients = grad([y, *final], leaves, [Tensor(d) for d in (dy, *dfinal)])
    return [y.value, *(s.value for s in final)], [g.value for g in gradients]


def assert_close(got, want, tolerance):
    assert len(got) == len(want)
    for a, b in zip(got, want):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1, np.abs(b).max()))


@every_pair
@pytest.mark.parametrize("sampling", ["per_step", "per_sequence"])
@pytest.mark.parametrize("scaling", ["test", "inverted", "evaluation"])
def test_gradients_with_frozen_masks_in_every_form(kind, rates, sampling, scaling):
    """Carried states and every weight; explicit against central differences, the others against explicit."""
    layer = layer_of(kind, rates, sampling, "test" if scaling == "evaluation" else scaling)
    masks, cell, n = drawn(layer.train(scaling != "evaluation"), seed=4), layer.cell, len(layer.cell.states)
    arrays = [normal(T, B, D), *(normal(B, H, seed=1 + k) for k in range(n))]
    arrays += [normal(*p.shape, seed=3) for p in layer.weights()]
    dy, dfinal = normal(T, B, H), tuple(normal(B, H, seed=5 + k) for k in range(n))

    def loss(arrays):
        run = bptt.forward(cell, arrays[0], arrays[1 : 1 + n], Weights(*arrays[1 + n :]), masks, form="explicit")
        return (run.y * dy).sum() + sum((s * d).sum() for s, d in zip(run.final, dfinal))

    outputs, gradients = computed("explicit", cell, arrays, dy, dfinal, masks)
    slopes = [np.empty_like(a) for a in arrays]
    for array, slope in zip(arrays, slopes):
        for index in np.ndindex(array.shape):
            value = array[index]
            array[index] = value + 1e-5
            there = loss(arrays)
            array[index] = value - 1e-5
            slope[index] = (there - loss(arrays)) / 2e-5
            array[index] = value
    assert_close(gradients, slopes, 1e-7)
    for form in ("composed", "fused"):
        other_outputs, other = computed(form, cell, arrays, dy, dfinal, masks)
        assert_close(other_outputs + other, outputs + gradients, 1e-12)


@every_pair
@pytest.mark.parametrize("form", ["explicit", "fused"])
def test_rate_0_is_the_plain_layer_to_the_bit_and_needs_no_rng(kind, rates, form):
    x, dy = Tensor(normal(T, B, D), True), normal(T, B, H)
    plain = KINDS[kind](D, H, rng=0, dtype=np.float64, kernels=form)
    for sampling, scaling in (("per_step", "test"), ("per_sequence", "inverted")):
        layer = layer_of(kind, dict.fromkeys(rates, 0.0), sampling, scaling, kernels=form)
        for one, other in zip(*([y.value, *(g.value for g in grad((y * dy).sum(), [x, *module.parameters()]))]
                                for module in (plain, layer) for y in [module(x)[0]])):
            np.testing.assert_array_equal(one, other)


@every_pair
@pytest.mark.parametrize("sampling", ["per_step", "per_sequence"])
def test_evaluation_draws_nothing_and_keeps_or_is_plain(kind, rates, sampling):
    """thesis (3.3.2): the factor keep in the mask's place; thesis (3.3.15): nothing."""
    x = Tensor(normal(T, B, D))
    layer = layer_of(kind, rates, sampling).eval()
    once, twice = layer(x)[0].value, layer(x)[0].value
    np.testing.assert_array_equal(once, twice)
    keep = {scheme: 1 - rate for scheme, rate in rates.items()}
    if kind == "rnn":
        keep = {"gal": np.prod(list(keep.values()))}
    zero = (np.zeros((B, H)),) * len(layer.cell.states)
    weights = Weights(*(w.value for w in layer.weights()))
    np.testing.assert_array_equal(once, bptt.forward(layer.cell, x.value, zero, weights, Masks(**keep)).y)
    plain = KINDS[kind](D, H, rng=0, dtype=np.float64)(x)[0].value
    assert not np.allclose(once, plain)
    np.testing.assert_array_equal(layer_of(kind, rates, sampling, "inverted").eval()(x)[0].value, plain)


@every_pair
def test_a_name_of_a_stream_gives_the_same_masks_and_another_others(kind, rates):
    layer, x = layer_of(kind, rates, rng=1), Tensor(normal(T, B, D) + 1)
    y = lambda seed, step: layer(x, streams=Streams(seed, step))[0].value
    np.testing.assert_array_equal(y(0, 3), y(0, 3))
    np.testing.assert_array_equal(layer(x, streams=np.random.default_rng(5))[0].value,
                                  layer(x, streams=np.random.default_rng(5))[0].value)
    assert len({y(seed, step).tobytes() for seed in (0, 1) for step in (3, 4)}) == 4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [0.25, 0.5, 0.9, 0.3])
@pytest.mark.parametrize("scaling", ["test", "inverted"])
def test_masks_are_0_or_one_factor_as_often_as_asked_and_fresh_where_they_should_be(dtype, rate, scaling):
    steps, rows, units, keep = 20, 80, 90, 1 - rate
    like, factor = np.zeros(1, dtype), dtype(1 if scaling == "test" else 1 / keep)
    for sampling, shape in (("per_step", (steps, rows, units)), ("per_sequence", (rows, units))):
        spec = nn.RecurrentDropout(rate=dict.fromkeys(SCHEMES, rate), sampling=sampling, scaling=scaling)
        masks = spec.masks(np.random.default_rng(0), steps, rows, units, like, True)
        assert masks[3:] == (None, None)
        for mask in masks[:3]:
            assert mask.shape == shape and mask.dtype == dtype and set(np.unique(mask)) == {0, factor}
            assert abs((mask > 0).mean() - keep) < 4 * np.sqrt(keep * rate / mask.size)
            for axis in range(mask.ndim):  # each step, row and unit has its own; a mask per sequence has no step
                assert not np.array_equal(mask.take(0, axis), mask.take(1, axis))
        assert not np.array_equal(masks.gal, masks.moon) and not np.array_equal(masks.moon, masks.ours)


def test_a_probability_finer_than_a_byte_is_kept_exactly():
    like, N = np.zeros(1, np.float32), 1 << 20
    for keep in (0.01 / 256, 3.25 / 256, 255.5 / 256):  # the bytes alone would give 0, 3 and 255 in 256
        count = int(draw_mask(np.random.default_rng(0), (N,), keep, like).sum())
        assert abs(count - N * keep) < 4 * np.sqrt(N * keep * (1 - keep))
    odd = draw_mask(np.random.default_rng(1), (3, 1, 7), 0.5, like, 2.0)
    assert odd.shape == (3, 1, 7) and set(np.unique(odd)) == {0, 2}


def test_a_sequence_is_one_call_and_the_state_is_carried_over():
    """thesis sec. 3.4.2: a new mask for each chunk, the same at every step of it."""
    layer = layer_of("lstm", {"ours": 0.5}, "per_sequence")
    x, first, second = Tensor(normal(2 * T, B, D)), drawn(layer, seed=1), drawn(layer, seed=2)
    assert not np.array_equal(first.ours, second.ours)
    _, state = layer(x[:T], streams=Streams(1))
    y, _ = layer(x[T:], detached(state), streams=Streams(2))
    each = np.concatenate([np.broadcast_to(m.ours, (T, B, H)) for m in (first, second)])
    weights, zero = Weights(*(w.value for w in layer.weights())), np.zeros((B, H))
    whole = bptt.forward(layer.cell, x.value, (zero, zero), weights, Masks(ours=each))
    np.testing.assert_allclose(y.value, whole.y[T:], rtol=0, atol=1e-12)


def test_every_layer_and_direction_draws_its_own_masks():
    asked = []
    layer = nn.GRU(3, 4, 2, bidirectional=True, dropout=0.5, rng=0, recurrent_dropout=("ours", 0.5))
    x = Tensor(np.zeros((4, 2, 3), np.float32))
    layer(x, streams=lambda *name: asked.append(name) or np.random.default_rng(len(asked)))
    assert asked == [("recurrent", 0), ("recurrent", 1), ("between", 0), ("recurrent", 2), ("recurrent", 3)]


def test_the_vanilla_rnn_takes_ours_as_dropout_of_the_returning_state():
    x = Tensor(normal(T, B, D))
    ours, gal = (layer_of("rnn", {scheme: 0.5}) for scheme in ("ours", "gal"))
    np.testing.assert_array_equal(ours(x, streams=Streams(1))[0].value, gal(x, streams=Streams(1))[0].value)
    both = drawn(layer_of("rnn", {"ours": 0.5, "gal": 0.5}), steps=200, rows=50)
    assert both.ours is None and abs(both.gal.mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / both.gal.size)  # kept by both
    with pytest.raises(InputError, match="masks of rnn must be gal only, got moon; it has no memory cell"):
        layer_of("rnn", {"moon": 0.5})(x, streams=Streams(1))


MODELS = [
    (cell, scheme, sampling, rate, forward)
    for cell, scheme, sampling, rate, forward in itertools.product(
        ("rnn", "lstm", "gru"), SCHEMES, ("per_step", "per_sequence"), (0.25, 0.5), ((0.0, 0.0), (0.2, 0.5)))
    if (cell, scheme) != ("rnn", "moon")
]


@pytest.mark.parametrize("cell, scheme, sampling, rate, forward", MODELS)
def test_a_model_differentiates_with_forward_and_recurrent_dropout(cell, scheme, sampling, rate, forward):
    """Along one random direction of all parameters at once; the streams freeze every mask."""
    model = LanguageModel(7, 4, 3, cell=cell, forward_dropout=forward, recurrent_dropout=(scheme, rate, sampling),
                          init=0.7, rng=0, dtype=np.float64)
    tokens = np.random.default_rng(0).integers(0, 7, (2, T, B))
    loss = lambda: nn.cross_entropy(model(tokens[0], streams=Streams(3))[0], tokens[1])
    parameters = model.parameters()
    directions = [normal(*p.shape, seed=k) for k, p in enumerate(parameters)]
    slope = sum((g.value * d).sum() for g, d in zip(grad(loss(), parameters), directions))
    values = [p.value for p in parameters]
    ends = []
    for step in (1e-5, -1e-5):
        for p, value, d in zip(parameters, values, directions):
            p.value = value + step * d
        ends.append(loss().item())
    assert abs(slope - (ends[0] - ends[1]) / 2e-5) < 1e-7 * max(1, abs(slope))
    assert abs(slope) > 1e-3


def test_forward_dropout_has_masks_of_its_own_for_every_step_divided_by_keep():
    """thesis (3.3.15), beside recurrent dropout, whose masks stay what they are without it."""
    dropped = nn.Dropout(0.2)(Tensor(np.ones((T, 40, 30))), streams=np.random.default_rng(0)).value
    assert set(np.unique(dropped)) == {0.0, 1.25}
    assert len({step.tobytes() for step in dropped}) == T
    asked = {}
    for forward in ((0.0, 0.0), (0.2, 0.5)):
        model = LanguageModel(7, 4, 3, forward_dropout=forward, recurrent_dropout=("ours", 0.25), rng=0)
        names = asked[forward] = []
        model(np.zeros((T, B), int), streams=lambda *name, names=names: names.append(name) or Streams(0)(*name))
    assert set(asked[0.2, 0.5]) == {("input",), ("recurrent", 0), ("output",)}
    assert ("recurrent", 0) in asked[0.0, 0.0]


def test_a_dict_of_rates_combines_schemes_however_it_is_given():
    rates = {"ours": 0.25, "gal": 0.5}
    for given in (rates, {"update": 0.25, "state": 0.5}, {"update": 0.25, "gal": 0.5}, (None, rates),
                  {"rate": rates}, nn.RecurrentDropout(None, rates)):
        spec = nn.LSTM(D, H, recurrent_dropout=given).recurrent_dropout
        assert spec.rates() == {"update": 0.25, "state": 0.5} and spec.sampling == "per_step" and spec.scaling == "test"
        masks = spec.masks(np.random.default_rng(0), T, B, H, np.zeros(1), False)
        assert (masks.gal, masks.moon, masks.ours) == (0.5, None, 0.75)
    assert nn.RecurrentDropout().rates() == nn.RecurrentDropout("ours").rates() == {"update": 0.25}
    rates["ours"] = 2.0  # what a layer was given stays
    assert spec.rates() == {"update": 0.25, "state": 0.5}


@pytest.mark.parametrize("name, alias, mask", [("state", "gal", "gal"), ("memory", "moon", "moon"),
                                               ("update", "ours", "ours")])
def test_a_scheme_goes_by_what_it_drops_or_by_its_name_in_the_tables(name, alias, mask):
    plain, known = nn.RecurrentDropout(name, 0.5), nn.RecurrentDropout(alias, 0.5)
    assert plain == known and known.scheme == name
    drawn = known.masks(np.random.default_rng(0), T, B, H, np.zeros(1), True)
    assert [field for field, m in drawn._asdict().items() if m is not None] == [mask]


x32, one = np.zeros((4, 2, D), np.float32), np.ones((2, H), np.float32)
MADE = lambda *a, **k: lambda: nn.RecurrentDropout(*a, **k)
LAYER = lambda value: lambda: nn.LSTM(D, H, recurrent_dropout=value)
CALL = lambda **k: lambda: nn.LSTM(D, H, recurrent_dropout=("ours", 0.5))(x32, **k)
CELL = lambda masks: lambda: nn.LSTMCell(D, H)(x32[0], masks=masks)
REFUSED = {
    "rate 1": (MADE("ours", 1.0), InputError, r"recurrent_dropout: rate must be a number in \[0, 1\), got 1.0; it is"),
    "rate below 0": (MADE("gal", -0.1), InputError, r"rate must be a number in \[0, 1\), got -0.1"),
    "rate NaN": (MADE("moon", float("nan")), InputError, r"rate must be a number in \[0, 1\), got nan"),
    "rate text": (MADE("ours", "0.5"), InputError, r"rate must be a number in \[0, 1\), got '0.5'"),
    "rate None": (MADE("ours", None), InputError, r"rate must be a number in \[0, 1\), got None"),
    "rate True": (MADE("ours", True), InputError, r"rate must be a number in \[0, 1\), got True"),
    "rate in a dict": (MADE(rate={"ours": 0.5, "gal": 1.5}), InputError, r"rate must be .* got 1.5"),
    "scheme": (MADE("mine", 0.5), InputError, "scheme must be one of state, memory, update, got 'mine'"),
    "scheme a list": (MADE(["ours"], 0.5), InputError, r"scheme must be one of state, memory, update, got \['ours'\]"),
    "scheme in a dict": (MADE(rate={"mine": 0.5}), InputError,
                         "scheme must be one of state, memory, update, got 'mine'"),
    "one scheme twice": (MADE(rate={"gal": 0.5, "state": 0.25}), InputError,
                         "keys of rate must be different schemes, got 'gal', 'state'; gal is state"),
    "scheme and dict": (MADE("ours", {"ours": 0.5}), InputError,
                        "scheme must be left out where rate is a dict, got 'ours'; the keys are the schemes"),
    "sampling": (MADE("ours", 0.5, "daily"), InputError, "sampling must be 'per_step' or 'per_sequence', got 'daily'"),
    "scaling": (MADE("ours", 0.5, "per_step", "none"), InputError, "scaling must be 'test' or 'inverted', got 'none'"),
    "a number": (LAYER(0.5), InputError, "recurrent_dropout: value must be None, .* to rates, got 0.5"),
    "too many": (LAYER(("ours", 0.5, "per_step", "test", 1)), InputError, "tuple or dict of"),
    "unknown name": (LAYER({"schema": "ours"}), InputError, "scheme, rate, sampling, scaling, or a dict from state"),
    "scheme and name": (LAYER({"ours": 0.5, "scaling": "test"}), InputError, "value must be None"),
    "empty dict": (LAYER({}), InputError, "value must be None"),
    "no streams": (CALL(), InputError, r"streams must be .* got None; pass streams=, or call eval\(\)"),
    "text for streams": (CALL(streams="3"), InputError, "streams must be None, a seed, a numpy .* got '3'"),
    "mask shape": (CELL(Masks(ours=one[:, :1])), InputError,
                   r"mask ours must be \(T, B, H\) = \(1, 2, 2\), \(B, H\) = \(2, 2\) or a number, got \(2, 1\)"),
    "mask dtype": (CELL(Masks(gal=one.astype(float))), DtypeError, "mask gal must be float32 like x, got float64"),
    "mask a list": (CELL(Masks(moon=[[1.0, 0.0]] * 2)), DtypeError, "mask moon must be an array, got list"),
    "mask a Tensor": (CELL(Masks(moon=Tensor(one))), DtypeError, "mask moon must be an array, got Tensor"),
    "an array for Masks": (CELL(one), InputError,
                           r"masks must be Masks\(gal, moon, ours, zoneout_c, zoneout_h\), got ndarray"),
    "too many masks": (CELL((one,) * 6), InputError, r"masks must be Masks\(gal, .*\), got tuple"),
}


@pytest.mark.parametrize("call, error, message", REFUSED.values(), ids=REFUSED)
def test_what_makes_no_sense_gets_one_clear_error(call, error, message):
    with pytest.raises(error, match=message):
        call()

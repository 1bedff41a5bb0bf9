"""The two forms of one run: fused equals explicit, in every way bptt can be asked to run."""

import numpy as np
import pytest

from minirnn import bptt
from minirnn.cells import GRU, LSTM, RNN, Masks, Weights
from minirnn.errors import InputError

T, B, D, H = 6, 4, 5, 3
LENGTHS = np.array([2, 6, 1, 4])
CELLS = [RNN(), RNN("relu"), RNN("identity"), LSTM(), LSTM(activation="relu"), GRU(), GRU(convention="slides"),
         GRU(reset_after=True)]
every_cell = pytest.mark.parametrize("cell", CELLS, ids=str)


def random_problem(cell, dtype=np.float64, bias=True):
    rng = np.random.default_rng(0)
    draw = lambda *shape: (rng.standard_normal(shape) * 0.7).astype(dtype)
    K, states = len(cell.gates), range(len(cell.states))
    weights = Weights(draw(K * H, D), draw(K * H, H), *((draw(K * H), draw(K * H)) if bias else ()))
    return draw(T, B, D), tuple(draw(B, H) for _ in states), weights, draw(T, B, H), tuple(draw(B, H) for _ in states)


def masks_of(cell, shape, dtype):
    rng = np.random.default_rng(5)
    draw = lambda kept: shape if np.isscalar(shape) else (kept * rng.integers(0, 2, shape)).astype(dtype)
    return Masks(**{name: draw(0.5 if name.startswith("zoneout") else 2) for name in cell.masks})


def assert_forms_agree(cell, dtype, bias=True, masks=None, **options):
    x, state0, weights, dy, dfinal = random_problem(cell, dtype, bias)
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    runs = [bptt.forward(cell, x, state0, weights, masks, form=form, **options) for form in ("explicit", "fused")]
    assert [run.form for run in runs] == ["explicit", "fused"]
    results = []
    for run in runs:
        back = bptt.backward(run, dy, dfinal)
        results.append(
            [run.y, *run.states, *run.final, back.x, *back.state0, *(w for w in back.weights if w is not None)]
        )
    for explicit, fused in zip(*results):
        assert explicit.shape == fused.shape and explicit.dtype == fused.dtype == dtype
        np.testing.assert_allclose(fused, explicit, rtol=0, atol=tolerance * max(1, np.abs(explicit).max()))


@every_cell
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "padded"])
def test_fused_equals_explicit(cell, dtype, reverse, lengths):
    assert_forms_agree(cell, dtype, reverse=reverse, lengths=lengths)


@every_cell
@pytest.mark.parametrize("shape", [(T, B, H), (B, H), 0.5], ids=["per step", "per sequence", "constant"])
@pytest.mark.parametrize("reverse", [False, True])
def test_fused_equals_explicit_with_masks(cell, shape, reverse):
    assert_forms_agree(cell, np.float64, masks=masks_of(cell, shape, np.float64), reverse=reverse, lengths=LENGTHS)


@every_cell
def test_fused_equals_explicit_without_bias(cell):
    assert_forms_agree(cell, np.float64, bias=False)


@every_cell
def test_fused_padding_may_hold_anything(cell):
    x, state0, weights, dy, dfinal = random_problem(cell)
    for b, n in enumerate(LENGTHS):
        x[n:, b] = np.nan
    run = bptt.forward(cell, x, state0, weights, lengths=LENGTHS, form="fused")
    back = bptt.backward(run, dy, dfinal)
    assert all(np.isfinite(a).all() for a in (run.y, *run.final, back.x, *back.state0, *back.weights))


@every_cell
def test_fused_backward_twice_gives_the_same(cell):
    x, state0, weights, dy, dfinal = random_problem(cell)
    run = bptt.forward(cell, x, state0, weights, form="fused")
    one, other = bptt.backward(run, dy, dfinal), bptt.backward(run, dy, dfinal)
    for a, b in zip([one.x, *one.state0, *one.weights], [other.x, *other.state0, *other.weights]):
        np.testing.assert_array_equal(a, b)


@every_cell
def test_form_is_fused_by_default_and_the_environment_decides(cell, monkeypatch):
    x, state0, weights, dy, _ = random_problem(cell)
    monkeypatch.delenv("MINIRNN_KERNELS", raising=False)
    assert bptt.forward(cell, x, state0, weights).form == "fused"
    monkeypatch.setenv("MINIRNN_KERNELS", "explicit")
    assert bptt.forward(cell, x, state0, weights).form == "explicit"
    assert bptt.forward(cell, x, state0, weights, form="fused").form == "fused"


def test_what_looks_at_every_step_repeats_an_open_run_explicitly_and_refuses_a_fused_one(monkeypatch):
    cell = LSTM()
    x, state0, weights, dy, dfinal = random_problem(cell)
    monkeypatch.delenv("MINIRNN_KERNELS", raising=False)
    for reverse in (False, True):
        options = {"lengths": LENGTHS, "reverse": reverse}
        explicit = bptt.forward(cell, x, state0, weights, form="explicit", **options)
        truth = bptt.backward(explicit, dy, dfinal, clip_step=0.5, record_flow=True)
        automatic = bptt.forward(cell, x, state0, weights, **options)
        assert automatic.form == "fused"
        got = bptt.backward(automatic, dy, dfinal, clip_step=0.5, record_flow=True)
        np.testing.assert_allclose(got.x, truth.x, rtol=0, atol=1e-14)
        np.testing.assert_allclose(got.flow["c"], truth.flow["c"], rtol=0, atol=1e-14)
        asked = bptt.forward(cell, x, state0, weights, form="fused", **options)
        with pytest.raises(InputError, match="the run's form must be 'explicit'"):
            bptt.backward(asked, dy, dfinal, record_flow=True)


def test_environment_asking_for_fused_is_a_preference_not_an_order(monkeypatch):
    monkeypatch.setenv("MINIRNN_KERNELS", "fused")
    cell = LSTM(forget_gate=False)
    run = bptt.forward(cell, *random_problem(cell)[:3])
    assert run.form == "explicit"

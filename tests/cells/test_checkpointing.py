"""Recomputation from checkpoints: the same gradients as the plain pass, and memory that does not grow with T."""

import weakref

import numpy as np
import pytest

from minirnn import Tensor, bptt, flow, fused, nn
from minirnn.cells import GRU, LSTM, RNN, CoupledLSTM, Masks, PeepholeLSTM
from minirnn.errors import InputError

T, B, D, H = 11, 4, 5, 3
CELLS = [RNN(), RNN("relu"), LSTM(), LSTM(forget_gate=False), PeepholeLSTM(), CoupledLSTM(), GRU(),
         GRU(convention="slides"), GRU(reset_after=True)]
LENGTHS = np.array([2, 11, 6, 3])  # unsorted; ends inside a segment, at its edge, and with the sequence
every_cell = pytest.mark.parametrize("cell", CELLS, ids=str)


def problem(cell, T=T, B=B, D=D, H=H):
    """x, state0, weights, dy, dfinal, all random."""
    rng = np.random.default_rng(0)
    states = range(len(cell.states))
    weights = cell.Weights(*(0.5 * rng.standard_normal(s) for s in cell.shapes(D, H).values()))
    state0, dfinal = (tuple(rng.standard_normal((B, H)) for _ in states) for _ in range(2))
    return rng.standard_normal((T, B, D)), state0, weights, rng.standard_normal((T, B, H)), dfinal


def every_array(run, gradients):
    return [run.y, *run.final, gradients.x, *gradients.state0, *gradients.weights]


def assert_close(found, truth):
    assert len(found) == len(truth)
    for a, b in zip(found, truth):
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12 * max(1, np.abs(b).max()))


@every_cell
@pytest.mark.parametrize("form", ["explicit", "fused"])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_gradients_equal_those_of_the_plain_pass(cell, form, reverse, padded):
    x, state0, weights, dy, dfinal = problem(cell)
    form = None if form == "fused" and fused.obstacle(cell, x) else form  # it has no kernel
    rng = np.random.default_rng(1)
    masks = Masks(gal=2.0 * rng.integers(0, 2, (T, B, H)))
    if cell.name != "rnn":
        masks = masks._replace(moon=2.0 * rng.integers(0, 2, (B, H)), ours=0.5, zoneout_h=rng.random((T, B, H)))
    if cell.name == "lstm":
        masks = masks._replace(zoneout_c=rng.random((B, H)))
    options = {"masks": masks, "lengths": LENGTHS if padded else None, "reverse": reverse, "form": form}
    if padded:
        x[np.arange(T)[:, None] >= LENGTHS] = np.nan  # what fills the padding must not matter
    plain = bptt.forward(cell, x, state0, weights, **options)
    truth = every_array(plain, bptt.backward(plain, dy, dfinal))
    for k in (1, 3, 4, T, 100):
        run = bptt.forward(cell, x, state0, weights, **options, checkpoint_every=k)
        assert run.form == plain.form
        assert_close(every_array(run, bptt.backward(run, dy, dfinal)), truth)


@every_cell
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "padded"])
def test_clipped_steps_and_recorded_norms_are_the_same(cell, reverse, lengths):
    x, state0, weights, dy, dfinal = problem(cell)
    options = {"lengths": lengths, "reverse": reverse}
    for clip in (None, 0.5):
        plain = bptt.forward(cell, x, state0, weights, form="explicit", **options)
        truth = bptt.backward(plain, dy, dfinal, clip_step=clip, record_flow=True)
        run = bptt.forward(cell, x, state0, weights, **options, checkpoint_every=4)
        found = bptt.backward(run, dy, dfinal, clip_step=clip, record_flow=True)
        assert_close(every_array(run, found), every_array(plain, truth))
        assert_close([*found.flow.values()], [*truth.flow.values()])


def test_a_padded_row_is_clipped_as_if_it_were_alone():
    cell = LSTM()
    x, state0, weights, dy, dfinal = problem(cell)
    got = bptt.backward(bptt.forward(cell, x, state0, weights, lengths=LENGTHS), dy, dfinal, clip_step=0.5)
    for b, n in enumerate(LENGTHS):
        one = slice(b, b + 1)
        alone = bptt.forward(cell, x[:n, one], tuple(s[one] for s in state0), weights)
        truth = bptt.backward(alone, dy[:n, one], tuple(d[one] for d in dfinal), clip_step=0.5)
        np.testing.assert_allclose(got.x[:n, one], truth.x, rtol=0, atol=1e-13)


def arrays_in(value):
    """Every array in a structure of tuples, lists and dicts, dropping views to the array that owns the memory."""
    if isinstance(value, np.ndarray):
        while isinstance(value.base, np.ndarray):
            value = value.base
        return {id(value): value}
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ()
    return {key: array for part in parts for key, array in arrays_in(part).items()}


def saved_numbers(run):
    """How many numbers a run keeps beside what its caller handed in."""
    given = arrays_in((run.x, run.weights))
    kept = arrays_in((run.y, run.states, run.saved, run.final))
    return sum(a.nbytes for key, a in kept.items() if key not in given) / run.x.itemsize


SIZES = {"T": 40, "B": 8, "D": 3, "H": 16}
PER_STEP = {("explicit", "rnn"): 2, ("explicit", "lstm"): 7, ("explicit", "gru"): 5,
            ("fused", "rnn"): 1, ("fused", "lstm"): 6, ("fused", "gru"): 5}


@pytest.mark.parametrize(("form", "name"), PER_STEP)
def test_memory_per_step_is_what_bptt_says(form, name):
    cell = {"rnn": RNN(), "lstm": LSTM(), "gru": GRU()}[name]
    x, state0, weights, _, _ = problem(cell, **SIZES)
    per_step = SIZES["B"] * SIZES["H"]
    plain = saved_numbers(bptt.forward(cell, x, state0, weights, form=form)) / per_step
    states = len(cell.states)
    assert PER_STEP[form, name] * 40 <= plain <= 1.125 * PER_STEP[form, name] * 40 + 3 * states
    line = f"    {form:<8}"
    (documented,) = (text.split()[1:4] for text in bptt.__doc__.splitlines() if text.startswith(line))
    assert int(documented[["rnn", "lstm", "gru"].index(name)]) == PER_STEP[form, name]
    kept = saved_numbers(bptt.forward(cell, x, state0, weights, form=form, checkpoint_every=8)) / per_step
    assert kept <= 40 + states * (40 / 8 + 2)


def test_only_one_segment_is_alive_at_a_time(monkeypatch):
    alive, most, original = weakref.WeakSet(), [0], bptt.forward

    class Holder:
        """Something that lives as long as a run does."""

    def watched(*args, **options):
        run = original(*args, **options)
        if run.checkpoint_every is None:
            holder = Holder()
            alive.add(holder)
            object.__setattr__(run, "holder", holder)
            most[0] = max(most[0], len(alive))
        return run

    monkeypatch.setattr(bptt, "forward", watched)
    x, state0, weights, dy, dfinal = problem(LSTM())
    run = bptt.forward(LSTM(), x, state0, weights, checkpoint_every=2)
    bptt.backward(run, dy, dfinal)
    assert most[0] == 1
    assert not alive


@pytest.mark.slow
def test_ten_thousand_steps_have_the_gradients_of_the_plain_pass_and_a_tenth_of_its_memory():
    cell, steps = LSTM(), 10_000
    x, state0, weights, dy, dfinal = problem(cell, steps, 2, 3, 4)
    plain = bptt.forward(cell, x, state0, weights)
    run = bptt.forward(cell, x, state0, weights, checkpoint_every=100)
    assert_close(every_array(run, bptt.backward(run, dy, dfinal)), every_array(plain, bptt.backward(plain, dy, dfinal)))
    beyond_y = lambda run: saved_numbers(run) - run.y.size
    segment = bptt.forward(cell, x[:100], state0, weights)
    assert beyond_y(run) + saved_numbers(segment) < 0.1 * beyond_y(plain)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_layers_take_it_with_every_option(kind):
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((T, B, D)), rng.standard_normal((T, B, 2 * H))
    found = []
    for k in (None, 4):
        layer = kind(D, H, 2, bidirectional=True, rng=0, dtype=np.float64, checkpoint_every=k)
        given = Tensor(x, requires_grad=True)
        y, _ = layer(given, lengths=LENGTHS)
        y.backward(dy)
        found.append([y.value, given.grad.value, *(p.grad.value for p in layer.parameters())])
    assert_close(found[1], found[0])


@pytest.mark.parametrize("k", [0, -1, 2.5, True, "2"])
def test_the_distance_is_a_positive_integer(k):
    x, state0, weights, _, _ = problem(RNN())
    with pytest.raises(InputError, match="checkpoint_every must be a positive integer"):
        bptt.forward(RNN(), x, state0, weights, checkpoint_every=k)


def test_what_needs_every_state_says_so():
    x, state0, weights, dy, _ = problem(RNN())
    run = bptt.forward(RNN(), x, state0, weights, form="fused", checkpoint_every=3)
    with pytest.raises(InputError, match="one that keeps its states"):
        flow.jacobian_product(run, 0, 2)
    with pytest.raises(InputError, match="'explicit'"):
        bptt.backward(run, dy, clip_step=1.0)


def test_segments_run_by_the_kernels_when_the_run_does(monkeypatch):
    calls, original = [], fused.forward
    monkeypatch.setattr(fused, "forward", lambda *args: calls.append(len(args[1])) or original(*args))
    x, state0, weights, dy, _ = problem(GRU())
    run = bptt.forward(GRU(), x, state0, weights, form="fused", checkpoint_every=4)
    bptt.backward(run, dy)
    assert calls == [4, 4, 3, 3, 4, 4]

"""Compound steps over a sequence: equal to the layers where there are layers, elsewhere proven to second order."""

import importlib
import tracemalloc
from contextlib import nullcontext

import numpy as np
import pytest

from minirnn import Tensor, gradcheck, nn, ops
from minirnn.array import Streams, stream
from minirnn.autograd import grad
from minirnn.errors import InputError
from minirnn.nn.module import StateDict

T, B, D, H = 5, 3, 4, 2
LENGTHS = np.array([3, 5, 1])
WIDE = {"dtype": np.float64, "rng": 0}


def signed(*shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(0.2, 1.2, shape) * rng.choice([-1, 1], shape)


def gradients(loss, tensors):
    return [g.value for g in grad(loss, tensors)]


# ------------------------------------------------------------------------------------------------ two compound steps
class Attention(nn.Module):
    """A decoder: a GRU cell that reads x_t and an average of a memory (N, B, H), weighted by what the state asks."""

    def __init__(self):
        rng = np.random.default_rng(3)
        self.cell = nn.GRUCell(D + H, H, rng=rng, dtype=np.float64)
        self.ask = nn.Linear(H, H, rng=rng, dtype=np.float64)

    def forward(self, x, h0, memory, **options):
        keys = ops.tanh(memory)  # made once, outside the step, and captured by it

        def step(x_t, h, streams):
            scores = ops.sum(keys * self.ask(h), axis=-1)  # (N, B)
            weights = ops.softmax(scores, axis=0)
            read = ops.sum(ops.unsqueeze(weights, -1) * memory, axis=0)  # (B, H)
            h = self.cell(ops.concatenate([x_t, read], axis=-1), h)
            return {"y": h, "weights": ops.transpose(weights)}, h

        y, h = nn.unroll(step, x, h0, **options)
        return y["y"], y["weights"], h


class Variational(nn.Module):
    """A stochastic step: z_t = mu + sigma eps_t from (x_t, h), then h from (x_t, z_t); KL to the prior of h."""

    def __init__(self):
        rng = np.random.default_rng(4)
        self.cell = nn.LSTMCell(D + 1, H, rng=rng, dtype=np.float64)
        self.prior = nn.Linear(H, 2, rng=rng, dtype=np.float64)
        self.encoder = nn.Linear(D + H, 2, rng=rng, dtype=np.float64)

    def forward(self, x, h0, c0, **options):
        def step(x_t, state, streams):
            h, _ = state
            mu, log_sigma = ops.split(self.encoder(ops.concatenate([x_t, h], axis=-1)), 2, axis=-1)
            prior_mu, prior_log = ops.split(self.prior(h), 2, axis=-1)
            eps = Tensor(streams("noise").standard_normal(mu.shape))
            z = mu + ops.exp(log_sigma) * eps
            state = self.cell(ops.concatenate([x_t, z], axis=-1), state)
            kl = prior_log - log_sigma - 0.5 + 0.5 * (
                ops.exp(2 * log_sigma) + (mu - prior_mu) ** 2) * ops.exp(-2 * prior_log)
            return (kl, state[0]), state

        (kl, h), final = nn.unroll(step, x, (h0, c0), streams=Streams(5), **options)
        return kl, h, final


class With:
    """A module called with options."""

    def __init__(self, module, **options):
        self.module, self.options = module, options
        self.named_parameters = module.named_parameters

    def __call__(self, *inputs):
        return self.module(*inputs, **self.options)


TOYS = {
    "attention": (Attention, [signed(T, B, D), signed(B, H, seed=1), signed(4, B, H, seed=2)]),
    "variational": (Variational, [signed(T, B, D), signed(B, H, seed=1), signed(B, H, seed=2)]),
}
WAYS = {"whole": {}, "padded": {"lengths": LENGTHS}, "reversed": {"lengths": LENGTHS, "reverse": True},
        "checkpoints": {"lengths": LENGTHS, "checkpoint_every": 2}}
every_toy = pytest.mark.parametrize("toy", TOYS)


@every_toy
@pytest.mark.parametrize("way", WAYS)
def test_a_compound_step_is_proven_to_second_order(toy, way):
    make, inputs = TOYS[toy]
    model = With(make(), **WAYS[way])
    assert gradcheck.check(model, inputs, entries=0, directions=2).verdict == "PASS"
    second = gradcheck.check(model, inputs, order=2, entries=0, directions=1)
    assert second.verdict == "PASS", str(second)


@every_toy
@pytest.mark.parametrize("size", [1, 2, 5, 9])
@pytest.mark.parametrize("reverse", [False, True])
def test_checkpoints_change_no_gradient_of_first_or_second_order(toy, size, reverse):
    make, arrays = TOYS[toy]

    def run(**options):
        model, leaves = make(), [Tensor(a, requires_grad=True) for a in arrays]
        every = [*leaves, *model.parameters()]
        outputs = model(*leaves, lengths=LENGTHS, reverse=reverse, **options)
        loss = sum(ops.sum(out * signed(*out.shape, seed=k)) for k, out in enumerate(flat(outputs)))
        first = grad(loss, every, create_graph=True)
        penalty = sum(ops.sum(g * g) for g in first)
        return [loss.value, *(g.value for g in first), *gradients(penalty, every)]

    for one, other in zip(run(), run(checkpoint_every=size)):
        np.testing.assert_allclose(other, one, rtol=1e-12, atol=1e-12)


def flat(nest):
    return [leaf for part in nest for leaf in flat(part)] if isinstance(nest, tuple) else [nest]


# --------------------------------------------------------------------------------------------- equal to the layers
@pytest.mark.parametrize("kind, single", [(nn.RNN, nn.RNNCell), (nn.LSTM, nn.LSTMCell), (nn.GRU, nn.GRUCell)])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_cell_unrolled_is_its_layer(kind, single, reverse):
    cell, layer = single(D, H, **WIDE), kind(D, H, bidirectional=True, **WIDE)
    suffix = "_l0_reverse" if reverse else "_l0"
    layer.load_state_dict(StateDict(layer.state_dict() | {n + suffix: v for n, v in cell.state_dict().items()}))
    x, dy = Tensor(signed(T, B, D), requires_grad=True), signed(T, B, H, seed=1)
    n = len(cell.cell.states)
    whole, finals = layer(x, lengths=LENGTHS)
    whole = whole[..., H:] if reverse else whole[..., :H]
    step = lambda x_t, s, streams: ((new := cell(x_t, s if n > 1 else s[0])) if n == 1 else (new := cell(x_t, s))[0],
                                    new if n > 1 else (new,))
    start = tuple(Tensor(np.zeros((B, H))) for _ in range(n))
    y, final = nn.unroll(step, x, start, lengths=LENGTHS, reverse=reverse)
    np.testing.assert_allclose(y.value, whole.value, rtol=0, atol=1e-14)
    for mine, theirs in zip(final, finals if n > 1 else (finals,)):
        np.testing.assert_allclose(mine.value, theirs.value[int(reverse)], rtol=0, atol=1e-14)
    own = [getattr(layer, f"{name}{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    theirs = gradients(ops.sum(whole * dy), [x, *own])
    mine = gradients(ops.sum(y * dy), [x, cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh])
    for a, b in zip(mine, theirs):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def test_what_fills_the_padding_does_not_matter():
    cell = nn.LSTMCell(D, H, **WIDE)
    step = lambda x_t, s, streams: ((new := cell(x_t, s))[0], new)

    def run(filling):
        x = signed(T, B, D)
        for row, length in enumerate(LENGTHS):
            x[length:, row] = filling
        x = Tensor(x, requires_grad=True)
        y, final = nn.unroll(step, x, (Tensor(signed(B, H)), Tensor(signed(B, H, seed=1))), lengths=LENGTHS)
        return [y.value, *(s.value for s in final), *gradients(ops.sum(y * y), [x, *cell.parameters()])]

    for one, other in zip(run(0.0), run(np.nan)):
        np.testing.assert_array_equal(one, other)
    y, (h, _) = run(0.0)[0], run(0.0)[1:3]
    assert all((y[length:, row] == 0).all() and (y[length - 1, row] == h[row]).all()
               for row, length in enumerate(LENGTHS))


def test_inputs_states_and_outputs_may_be_nests_and_integers():
    table = nn.Embedding(6, D, **WIDE)
    ids = np.array([[0, 5, 2], [1, 1, 4]])

    def step(x, state, streams):
        total = state["total"] + ops.sum(table(x["ids"]) * x["scale"], axis=-1)
        return [total, x["ids"]], {"total": total, "count": state["count"] + 1}

    start = {"total": np.zeros(B), "count": np.zeros(B, int)}
    (total, again), final = nn.unroll(step, {"ids": ids, "scale": signed(2, B, 1)}, start)
    picked = (table.weight.value[ids] * signed(2, B, 1)).sum(axis=-1)
    np.testing.assert_allclose(total.value, np.cumsum(picked, axis=0))
    assert again.value.tolist() == ids.tolist() and final["count"].value.tolist() == [2, 2, 2]
    (total, _), final = nn.unroll(step, {"ids": ids, "scale": signed(2, B, 1)}, start, lengths=[1, 2, 1],
                                  checkpoint_every=1)
    assert final["count"].value.tolist() == [1, 2, 1] and (total.value[1, [0, 2]] == 0).all()


# ------------------------------------------------------------------------------------------------------ checkpoints
def test_checkpoints_keep_less_and_compute_every_step_twice():
    long, wide, calls = 64, 400, []
    layer = nn.Linear(wide, wide, rng=0)

    def step(x_t, h, streams):
        calls.append(1)
        h = ops.tanh(layer(ops.tanh(h + x_t)))
        return h[:, :1], h

    def peak(**options):
        calls.clear()
        x, h = Tensor(np.ones((long, 50, wide), "f4"), requires_grad=True), Tensor(np.zeros((50, wide), "f4"))
        tracemalloc.start()
        y, _ = nn.unroll(step, x, h, **options)
        held = tracemalloc.get_traced_memory()[0]
        ops.sum(y).backward()
        tracemalloc.stop()
        return held, len(calls)

    (all_of_it, once), (some, twice) = peak(), peak(checkpoint_every=8)
    assert some < all_of_it / 4 and (once, twice) == (long, 2 * long)


def test_hooks_of_what_a_step_captures_see_its_whole_gradient_once():
    scale, seen = Tensor(np.array(0.7), requires_grad=True), []
    made = scale * 2.0
    scale.hook(lambda g: seen.append(("leaf", g.item())))
    made.hook(lambda g: seen.append(("made", g.item())))
    step = lambda x_t, h, streams: (h * made * scale, h * made * scale)
    y, _ = nn.unroll(step, Tensor(np.ones((4, 1, 1))), Tensor(np.ones((1, 1))), checkpoint_every=2)
    ops.sum(y[-1]).backward()  # 2^4 scale^8
    assert [name for name, _ in seen] == ["made", "leaf"]
    assert seen[0][1] == pytest.approx(4 * (1.4 * 0.7) ** 4 / 1.4)
    assert scale.grad.item() == pytest.approx(8 * 2**4 * 0.7**7)
    assert made.node is not None and len(scale.hooks) == 1


@pytest.mark.parametrize("streams", [3, Streams(3), np.random.default_rng(3)], ids=["seed", "streams", "generator"])
def test_steps_draw_anew_and_checkpoints_draw_the_same_again(streams):
    drop = nn.Dropout(0.5, purpose="mask")
    step = lambda x_t, h, streams: ((new := h + drop(x_t, streams=streams)), new)
    x = Tensor(np.ones((6, 2, 40)), requires_grad=True)
    y, final = nn.unroll(step, x, Tensor(np.zeros((2, 40))), checkpoint_every=2, streams=streams)
    ops.sum(final).backward()
    np.testing.assert_array_equal(x.grad.value.sum(axis=0), final.value)  # the masks of the backward are the forward's
    masks = x.grad.value.reshape(6, -1)
    assert len(np.unique(masks, axis=0)) == 6


def test_the_streams_of_step_t_end_with_t():
    found = []
    step = lambda x_t, h, streams: (found.append(streams("noise", 8).random()) or x_t, h)
    nn.unroll(step, np.ones((3, 1)), np.ones((1, 1)), streams=7)
    assert found == [stream(7, "noise", 0, 8, t).random() for t in range(3)]


# ------------------------------------------------------------------------------------------ checks, and skipping them
def test_single_steps_are_checked_at_the_first_step_only(monkeypatch):
    recurrence, seen = importlib.import_module("minirnn.nn.recurrence"), []
    cell = nn.GRUCell(D, H, **WIDE)
    true = recurrence.check_sequence
    monkeypatch.setattr(recurrence, "check_sequence", lambda *a: seen.append(1) or true(*a))
    step = lambda x_t, h, streams: ((new := cell(x_t, h)), new)
    nn.unroll(step, signed(T, B, D), Tensor(signed(B, H)))
    assert len(seen) == 1
    cell(signed(B, D), signed(B, H))
    assert len(seen) == 2


def test_an_error_of_a_step_ends_the_trust():
    cell = nn.GRUCell(D, H, **WIDE)
    calls = []

    def step(x_t, h, streams):
        calls.append(1)
        if len(calls) == 3:
            raise KeyError("a step's own")
        return cell(x_t, h), h

    with pytest.raises(KeyError):
        nn.unroll(step, signed(T, B, D), Tensor(signed(B, H)))
    with pytest.raises(InputError, match=r"GRUCell: h0 must be \(B, H\)"):
        cell(signed(B, D), signed(B + 1, H))


KEEP = lambda x_t, h, streams: (x_t, h)
BAD = {
    "T": (KEEP, (np.ones((3, 2)), np.ones((4, 2))), np.ones((2, 1)), {},
          r"one T and one B, at least 1, got \(3, 2\), \(4, 2\)"),
    "no time": (KEEP, np.ones(3), np.ones((3, 1)), {}, r"inputs must be .*, got \(3,\)"),
    "empty": (KEEP, np.ones((0, 2)), np.ones((2, 1)), {}, r"at least 1, got \(0, 2\)"),
    "batch": (KEEP, np.ones((3, 2)), {"h": np.ones((3, 1))}, {},
              r"state h must be \(B, ...\) = \(2, ...\), got \(3, 1"),
    "no pair": (lambda x, h, streams: x, np.ones((3, 2)), np.ones((2, 1)), {}, "must be a pair .*, got Tensor"),
    "state": (lambda x, h, streams: (x, h[:, :1]), np.ones((3, 2)), np.ones((2, 4)), {},
              r"the state that step returns must be \(2, 4\), got \(2, 1\)"),
    "form": (lambda x, h, streams: (x, (h,)), np.ones((3, 2)), {"h": np.ones((2, 4))}, {},
             r"must be h \(2, 4\), got 0"),
    "lengths": (KEEP, np.ones((3, 2)), np.ones((2, 1)), {"lengths": [4, 1]}, "lengths must be in 1..T = 1..3, got 4"),
    "size": (KEEP, np.ones((3, 2)), np.ones((2, 1)), {"checkpoint_every": 0},
             "checkpoint_every must be a positive int"),
    "streams": (KEEP, np.ones((3, 2)), np.ones((2, 1)), {"streams": "x"}, "streams must be None, a seed, .* got 'x'"),
}


@pytest.mark.parametrize("step, inputs, state, options, message", BAD.values(), ids=BAD)
def test_what_does_not_fit_is_refused(step, inputs, state, options, message):
    with pytest.raises(InputError, match=message):
        nn.unroll(step, inputs, state, **options)


# -------------------------------------------------------------------------------------- bugs that must be noticed
def one_row_at_a_time():
    """Outputs and gradients of the attention by bare loops over each row's own steps, last first: the truth."""
    model, leaves = Attention(), [Tensor(a, requires_grad=True) for a in TOYS["attention"][1]]
    x, h0, memory = leaves
    loss = 0
    dy, dh = signed(T, B, H, seed=6), signed(B, H, seed=7)
    for row, length in enumerate(LENGTHS):
        h, here = h0[row : row + 1], memory[:, row : row + 1]
        for t in reversed(range(length)):
            scores = ops.sum(ops.tanh(here) * model.ask(h), axis=-1)
            read = ops.sum(ops.unsqueeze(ops.softmax(scores, axis=0), -1) * here, axis=0)
            h = model.cell(ops.concatenate([x[t, row : row + 1], read], axis=-1), h)
            loss = loss + ops.sum(h * dy[t, row])
        loss = loss + ops.sum(h * dh[row])
    return np.concatenate([loss.value.ravel(), *(g.ravel() for g in gradients(loss, [*leaves, *model.parameters()]))])


def unrolled(**options):
    """The same by ``unroll``."""
    model, leaves = Attention(), [Tensor(a, requires_grad=True) for a in TOYS["attention"][1]]
    y, _, h = model(*leaves, lengths=LENGTHS, reverse=True, **options)
    loss = ops.sum(y * signed(T, B, H, seed=6)) + ops.sum(h * signed(B, H, seed=7))
    return np.concatenate([loss.value.ravel(), *(g.ravel() for g in gradients(loss, [*leaves, *model.parameters()]))])


def results_only(results, start):
    return [t for t in true_outside(results, start) if t.node is not None]


UNROLL, CHECKPOINTED = (importlib.import_module(f"minirnn.nn.{name}") for name in ("unroll", "checkpointed"))
true_outside = CHECKPOINTED._outside
BUGS = {
    "padded rows go on": (UNROLL._Loop, "_held", lambda self, t, state, new: new),
    "padded rows lose their state": (UNROLL._Loop, "_held", lambda self, t, state, new: new * self.active[t]),
    "padded outputs stay": (UNROLL, "_zero_outside", lambda active, x: x),
    "all rows are active": (UNROLL, "active_steps", lambda T, lengths, xp: np.ones((T, len(lengths), 1), bool)),
    "inputs in the other order": (UNROLL, "_steps", lambda x: [x[len(x) - 1 - t] for t in range(len(x))]),
    "what a step captures has no gradient": (CHECKPOINTED, "_outside", results_only),
    "segments walk into one another": (CHECKPOINTED, "_cut", lambda tensors: nullcontext()),
}


@pytest.mark.parametrize("options", [{}, {"checkpoint_every": 2}])
def test_rows_of_different_lengths_are_those_rows_alone(options):
    np.testing.assert_allclose(unrolled(**options), one_row_at_a_time(), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("where, name, bug", BUGS.values(), ids=BUGS)
def test_a_planted_bug_changes_what_the_test_above_compares(where, name, bug, monkeypatch):
    truth = one_row_at_a_time()
    monkeypatch.setattr(where, name, bug)
    found = unrolled(checkpoint_every=2)
    assert np.abs(found - truth).max() > 1e-3


def test_segments_that_drew_anew_would_be_noticed(monkeypatch):
    drop = nn.Dropout(0.5, purpose="mask")
    step = lambda x_t, h, streams: ((new := h + drop(x_t, streams=streams)), new)

    def gap():
        x = Tensor(np.ones((6, 2, 40)), requires_grad=True)
        _, final = nn.unroll(step, x, Tensor(np.zeros((2, 40))), checkpoint_every=2, streams=np.random.default_rng(3))
        ops.sum(final).backward()
        return np.abs(x.grad.value.sum(axis=0) - final.value).max()

    assert gap() == 0
    monkeypatch.setattr(UNROLL.copy, "deepcopy", lambda streams: streams)
    assert gap() > 0

"""Modules, layers and losses: state dicts, PyTorch's frozen numbers, padding, dropout, second derivatives, errors."""

from pathlib import Path

import numpy as np
import pytest

from minirnn import Tensor, grad, nn, ops
from minirnn.array import Streams
from minirnn.errors import DtypeError, InputError
from minirnn.models.language_model.model import LanguageModel, detached

GOLDEN = Path(__file__).parent / "golden" / "torch_recurrent.npz"
LAYERS = {
    "lstm": lambda *a, **k: nn.LSTM(*a, **k),
    "gru": lambda *a, **k: nn.GRU(*a, reset_after=True, **k),
    "rnn": lambda *a, **k: nn.RNN(*a, **k),
}


def normal(*shape, dtype=np.float64, seed=0):
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("form", ["explicit", "fused"])
@pytest.mark.parametrize("name", LAYERS)
def test_a_pytorch_state_dict_reproduces_pytorchs_outputs_and_gradients(name, form):
    frozen = {k.removeprefix(f"{name}/"): v for k, v in np.load(GOLDEN).items() if k.startswith(f"{name}/")}
    layer = LAYERS[name](4, 6, 2, bidirectional=True, dtype=np.float64, kernels=form)
    state = {k.removeprefix("param/"): v for k, v in frozen.items() if k.startswith("param/")}
    layer.load_state_dict(dict(reversed(state.items())))
    x = Tensor(frozen["x"], True)
    start = [Tensor(frozen[s], True) for s in ("h0", "c0") if s in frozen]
    y, final = layer(x, tuple(start) if len(start) > 1 else start[0])
    outputs = [y, *(final if isinstance(final, tuple) else (final,))]
    for out, expected in zip(outputs, [frozen["y"], frozen["final0"], frozen.get("final1")]):
        np.testing.assert_allclose(out.value, expected, rtol=1e-12, atol=1e-13)
    sum(((out * frozen[f"cotangent{k}"]).sum() for k, out in enumerate(outputs)), Tensor(np.zeros(()))).backward()
    np.testing.assert_allclose(x.grad.value, frozen["dx"], rtol=1e-11, atol=1e-13)
    for s, expected in zip(start, [frozen["dh0"], frozen.get("dc0")]):
        np.testing.assert_allclose(s.grad.value, expected, rtol=1e-11, atol=1e-13)
    for parameter_name, p in layer.named_parameters():
        np.testing.assert_allclose(p.grad.value, frozen[f"grad/{parameter_name}"], rtol=1e-11, atol=1e-13)
    saved = layer.state_dict()
    assert list(saved) == list(state)
    assert all(np.array_equal(saved[k], state[k]) for k in state)


RECURRENT = [
    ("rnn", {}), ("rnn", {"nonlinearity": "identity"}), ("lstm", {}), ("lstm", {"forget_gate": False}),
    ("gru", {}), ("gru", {"convention": "slides"}), ("gru", {"reset_after": True}),
]


def layer_of(name, options, *sizes, **more):
    return {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[name](*sizes, dtype=np.float64, rng=3, **options, **more)


@pytest.mark.parametrize(("name", "options"), RECURRENT)
def test_second_derivatives_through_a_recurrent_layer(name, options):
    layer = layer_of(name, options, 3, 2, 2, bidirectional=True)
    x, lengths, cotangent = normal(4, 2, 3), np.array([4, 2]), normal(4, 2, 4, seed=1)
    direction = normal(4, 2, 3, seed=2)

    def slope(values):
        leaf = Tensor(values, True)
        y, _ = layer(leaf, lengths=lengths)
        return float((grad((y * cotangent).sum(), leaf)[0].value * direction).sum())

    leaf = Tensor(x, True)
    y, _ = layer(leaf, lengths=lengths)
    (first,) = grad((y * cotangent).sum(), leaf, create_graph=True)
    np.testing.assert_allclose(first.value, grad((y * cotangent).sum(), leaf)[0].value, rtol=1e-12, atol=1e-14)
    second = grad((first * direction).sum(), [leaf, *layer.parameters()])
    expected = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = 1e-5
        expected[place] = (slope(x + step) - slope(x - step)) / 2e-5
    np.testing.assert_allclose(second[0].value, expected, rtol=1e-6, atol=1e-8)
    assert any(np.abs(g.value).max() > 1e-6 for g in second[1:])


@pytest.mark.parametrize(("name", "options"), RECURRENT)
def test_padding_is_invisible_and_each_row_ends_at_its_own_length(name, options):
    layer = layer_of(name, options, 3, 4, bidirectional=True)
    x, lengths = normal(5, 3, 3), np.array([2, 5, 3])
    filled = x.copy()
    filled[3:, 2] = np.nan
    y, final = layer(Tensor(filled), lengths=lengths)
    finals = final if isinstance(final, tuple) else (final,)
    for b, n in enumerate(lengths):
        alone, alone_final = layer(Tensor(x[:n, b : b + 1]))
        np.testing.assert_allclose(y.value[:n, b], alone.value[:, 0], rtol=1e-12)
        assert not y.value[n:, b].any()
        for s, expected in zip(finals, alone_final if isinstance(alone_final, tuple) else (alone_final,)):
            np.testing.assert_allclose(s.value[:, b], expected.value[:, 0], rtol=1e-12)


def test_batch_first_and_unbatched_are_the_same_numbers():
    x = normal(5, 3, 4)
    plain, first = (nn.LSTM(4, 6, 2, batch_first=b, rng=0, dtype=np.float64) for b in (False, True))
    y, (h, c) = plain(Tensor(x))
    y_first, (h_first, _) = first(Tensor(x.swapaxes(0, 1)))
    np.testing.assert_array_equal(y.value.swapaxes(0, 1), y_first.value)
    np.testing.assert_array_equal(h.value, h_first.value)
    alone, (h_alone, c_alone) = plain(Tensor(x[:, 1]))
    np.testing.assert_allclose(alone.value, y.value[:, 1], rtol=1e-12)
    np.testing.assert_allclose(c_alone.value, c.value[:, 1], rtol=1e-12)
    again, _ = plain(Tensor(x[:, 1]), (h_alone, c_alone))
    assert again.shape == (5, 6) and not np.allclose(again.value, alone.value)


@pytest.mark.parametrize(("step", "layer"), [(nn.RNNCell, nn.RNN), (nn.LSTMCell, nn.LSTM), (nn.GRUCell, nn.GRU)])
def test_single_steps_make_the_layer(step, layer):
    cell, whole = step(3, 4, rng=1, dtype=np.float64), layer(3, 4, rng=1, dtype=np.float64)
    x, state, outputs = normal(6, 2, 3), None, []
    for t in range(6):
        state = cell(Tensor(x[t]), state)
        outputs.append(state[0] if isinstance(state, tuple) else state)
    y, _ = whole(Tensor(x))
    np.testing.assert_allclose(np.stack([h.value for h in outputs]), y.value, rtol=1e-12)
    assert list(cell.state_dict()) == [k.removesuffix("_l0") for k in whole.state_dict()]


def test_dropout_divides_what_it_keeps_and_spares_the_last_layer():
    kept = nn.Dropout(0.75, streams=np.random.default_rng(0))(Tensor(np.ones((40, 50)))).value
    assert set(np.unique(kept)) == {0.0, 4.0} and abs(kept.mean() - 1) < 0.15
    layer = nn.LSTM(3, 4, dropout=0.5, rng=0)  # one layer: there is nothing between layers
    np.testing.assert_array_equal(layer(x32)[0].value, layer.eval()(x32)[0].value)


def test_clip_step_limits_the_gradient_that_travels_back():
    x = Tensor(normal(30, 2, 3), True)
    free, held = (nn.RNN(3, 4, nonlinearity="identity", rng=0, dtype=np.float64, clip_step=c) for c in (None, 0.1))
    for layer in (free, held):
        layer.weight_hh_l0.value = layer.weight_hh_l0.value * 1.3
    sizes = [np.abs(grad((layer(x)[0][-1] * 10.0).sum(), x)[0].value[0]).max() for layer in (free, held)]
    assert sizes[0] > 100 and sizes[1] < 1


def test_losses_values_masks_and_time():
    logits, targets = normal(4, 3, 5), np.random.default_rng(1).integers(0, 5, (4, 3))
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    nll = -np.log(np.take_along_axis(p, targets[..., None], -1))[..., 0]
    mask = np.array([[1, 1, 1], [1, 1, 1], [1, 0, 1], [0, 0, 1.0]])
    assert nn.cross_entropy(logits, targets).item() == pytest.approx(nll.mean())
    assert nn.cross_entropy(logits, targets, time="sum").item() == pytest.approx(nll.mean(1).sum())
    assert nn.cross_entropy(logits, targets, mask).item() == pytest.approx((nll * mask).sum() / mask.sum())
    assert nn.cross_entropy(logits, targets, mask, "sum").item() == pytest.approx((nll * mask).sum() / 3)
    z, y = normal(6) * 30, np.array([0, 1, 0, 1, 1, 0.0])
    expected = np.mean(np.logaddexp(0, z) - z * y)
    assert nn.bce_with_logits(z, y).item() == pytest.approx(expected)
    assert nn.mse_loss(z, y).item() == pytest.approx(((z - y) ** 2).mean())


@pytest.mark.parametrize("order", [1, 2])
def test_cross_entropy_gradients_against_log_softmax_on_the_tape(order):
    a, targets = normal(4, 3, 5), np.random.default_rng(1).integers(0, 5, (4, 3))
    mask = np.random.default_rng(2).random((4, 3))

    def fused(x):
        return nn.cross_entropy(x, targets, mask)

    def composed(x):
        nll = -ops.gather(ops.log_softmax(x), targets[..., None])[..., 0]
        return (nll * mask).sum() / mask.sum()

    results = []
    for loss in (fused, composed):
        x = Tensor(a, True)
        (g,) = grad(loss(x), x, create_graph=order == 2)
        results.append((grad((g * g).sum(), x)[0] if order == 2 else g).value)
    np.testing.assert_allclose(*results, rtol=1e-11, atol=1e-14)


def test_state_dict_errors_name_everything_and_change_nothing():
    layer = nn.LSTM(3, 4, rng=0)
    state = layer.state_dict()
    before = {k: v.copy() for k, v in state.items()}
    wrong = dict(state, weight_ih_l0=state["weight_ih_l0"].T, extra=np.ones(2))
    del wrong["bias_hh_l0"]
    with pytest.raises(InputError) as caught:
        layer.load_state_dict(wrong)
    text = str(caught.value)
    assert "missing 'bias_hh_l0' (16,)" in text and "unexpected 'extra'" in text
    assert "'weight_ih_l0' must be (16, 3), got (3, 16); is it transposed?" in text
    for half in (state["bias_hh_l0"].astype(np.float16), [[1.0], [1.0, 2.0]]):
        with pytest.raises(InputError, match="'bias_hh_l0' must"):
            layer.load_state_dict({**state, "weight_hh_l0": state["weight_hh_l0"] + 1, "bias_hh_l0": half})
    assert all(np.array_equal(before[k], v) for k, v in layer.state_dict().items())
    layer.load_state_dict({k: v.astype(np.float64) for k, v in state.items()})
    assert layer.weight_ih_l0.dtype == np.float32


MASKS = np.random.default_rng(0)


def test_modules_name_their_parts_and_switch_modes():
    model = nn.Sequential(nn.Linear(3, 4, rng=0), nn.Dropout(0.5, streams=MASKS), nn.Linear(4, 2, rng=1))
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    x = Tensor(normal(5, 3, dtype=np.float32))
    assert not np.array_equal(model(x).value, model(x).value)
    model.eval()
    np.testing.assert_array_equal(model(x).value, model(x).value)
    model.running = Tensor(np.zeros(3))
    assert [name for name, _ in model.named_buffers()] == ["running"] and "running" in model.state_dict()
    model(x).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.to("cpu").parameters())


def test_initialisers_have_their_properties():
    rng = np.random.default_rng(0)
    for shape in ((6, 4), (4, 6), (5, 5)):
        q = nn.init.orthogonal(rng, shape, dtype=np.float64)
        small = q.T @ q if shape[0] >= shape[1] else q @ q.T
        np.testing.assert_allclose(small, np.eye(min(shape)), atol=1e-12)
    corners = [nn.init.orthogonal(rng, (3, 3))[0, 0] for _ in range(40)]
    assert min(corners) < 0 < max(corners)  # any direction is as likely, as a bare QR factorisation's is not
    bound = np.sqrt(6 / (300 + 200))
    w = nn.init.glorot_uniform(rng, (300, 200))
    assert np.abs(w).max() <= bound and np.abs(w).max() > 0.99 * bound and w.dtype == np.float32
    assert nn.init.he_normal(rng, (400, 300)).std() == pytest.approx(np.sqrt(2 / 300), rel=0.02)
    np.testing.assert_array_equal(nn.init.identity((2, 2), 0.5), [[0.5, 0], [0, 0.5]])
    np.testing.assert_array_equal(nn.init.lstm_biases(2, 3.0), [-3, -3, 3, 3, 0, 0, -3, -3])
    np.testing.assert_array_equal(nn.init.lstm_biases(4, 3.0, blocks=2)[4:8], [1, 1, 3, 3])
    np.testing.assert_array_equal(nn.LSTM(3, 2, rng=0).bias_ih_l0.value, [0, 0, 1, 1, 0, 0, 0, 0])


def test_language_model_carries_its_state_and_starts_near_uniform():
    """thesis (2.2.3) with the softmax left to the loss."""
    model = LanguageModel(20, 8, 6, rng=0, dtype=np.float64, layers=2, cell="gru", forward_dropout=(0.2, 0.5))
    tokens = np.random.default_rng(0).integers(0, 20, (9, 2))
    model.eval()
    whole, _ = model(tokens)
    state, parts = None, []
    for chunk in (tokens[:4], tokens[4:]):
        logits, state = model(chunk, state)
        state = detached(state)
        parts.append(logits.value)
    np.testing.assert_allclose(np.concatenate(parts), whole.value, rtol=1e-12)
    assert nn.cross_entropy(whole, tokens).item() == pytest.approx(np.log(20), rel=0.02)
    assert max(np.abs(p.value).max() for p in model.parameters()) <= 0.05
    assert LanguageModel(9, 3, 4, layers=2, forward_dropout=(0.2, 0.5)).recurrent.dropout == 0.5
    model.train()
    first, second = (model(tokens, streams=Streams(0, 3))[0].value for _ in range(2))
    np.testing.assert_array_equal(first, second)
    asked = []
    model(tokens, streams=lambda *name: asked.append(name) or np.random.default_rng(0))
    assert asked == [("input",), ("between", 0), ("output",)]  # a stream of its own for every mask


x32 = np.zeros((4, 2, 3), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.LSTM(3, 4)(x32[..., :2]), InputError, r"x must be \(T, B, D\) or .* D = 3, got \(4, 2, 2\)"),
        (lambda: nn.LSTM(3, 4)(x32.astype(np.float64)), DtypeError, "float32|float64"),
        (lambda: nn.LSTM(3, 4)(x32.astype(np.int64)), DtypeError, "x must be float32 or float64, got int64"),
        (lambda: nn.LSTM(3, 4)(x32, np.zeros((1, 2, 4), np.float32)), InputError, r"2 tensors \(h, c\), got 1"),
        (lambda: nn.GRU(3, 4)(x32, np.zeros((2, 1, 4), np.float32)), InputError, r"h0 must be .* = \(1, 2, 4\), got"),
        (lambda: nn.GRU(3, 4)(x32, lengths=np.array([0, 4])), InputError, "lengths must be in 1..T"),
        (lambda: nn.GRU(3, 4)(x32, lengths=np.array([5, 4])), InputError, "lengths must be in 1..T"),
        (lambda: nn.GRU(3, 4)(x32, lengths=np.array([1.0, 4])), DtypeError, "lengths must be integers"),
        (lambda: nn.LSTM(3, 0), InputError, "hidden_size must be a positive int, got 0"),
        (lambda: nn.LSTM(3, 4, dropout=1.0), InputError, r"rate must be a number in \[0, 1\)"),
        (lambda: nn.LSTM(3, 4, clip_step=-1), InputError, "LSTM: clip_step must be a positive number, got -1"),
        (lambda: nn.GRU(3, 4, checkpoint_every=0), InputError, "checkpoint_every must be a positive integer, got 0"),
        (lambda: nn.LSTM(3, 4)(x32, lengths=[[1], [1, 2]]), InputError, r"lengths must be \(B,\) = \(2,\), got"),
        (lambda: nn.LSTM(3, 4).load_state_dict(None), InputError, "a dict {name: array}, got NoneType"),
        (lambda: nn.LSTM(3, 4, kernels="quick")(x32), InputError, "'explicit' or 'fused', got 'quick'"),
        (lambda: nn.Linear(3, 4)(x32[..., :2]), InputError, r"x must be \(..., in\) = \(..., 3\)"),
        (lambda: nn.Dropout(0.5)(Tensor(x32)), InputError, "streams must be a seed, a Generator or Streams"),
        (lambda: nn.Dropout(0.5, streams=0), InputError, "streams must be a Generator .* got 0; a seed would draw the"),
        (lambda: nn.cross_entropy(normal(2, 3), np.array([0, 3])), InputError, r"targets must be in .* = \[0, 3\)"),
        (lambda: nn.cross_entropy(normal(2, 3), np.array([0.0, 1])), DtypeError, "targets must be an integer array"),
        (lambda: nn.cross_entropy(normal(2, 3), np.array([0])), InputError, "targets must be logits' shape without V"),
        (lambda: nn.cross_entropy(normal(2, 3), np.array([0, 1]), np.zeros(2)), InputError, "not zero"),
        (lambda: nn.cross_entropy(normal(2, 3), np.array([0, 1]), time="all"), InputError, "'mean' or 'sum'"),
        (lambda: nn.bce_with_logits(normal(2), np.array([0, 2.0])), InputError, r"targets must be in \[0, 1\]"),
        (lambda: LanguageModel(10, cell="qrnn"), InputError, f"cell must be one of {', '.join(nn.RECURRENT)}"),
    ],
)
def test_bad_arguments_get_one_clear_error(call, error, message):
    with pytest.raises(error, match=message):
        call()


# ------------------------------------------------------------------------------------ options of a recurrent layer
def test_options_after_the_sizes_go_by_name():
    for kind in nn.RECURRENT.values():
        with pytest.raises(TypeError, match="positional"):
            kind(3, 4, 1, True)
    for kind in (nn.RNNCell, nn.LSTMCell, nn.GRUCell):
        with pytest.raises(TypeError, match="positional"):
            kind(3, 4, True)


@pytest.mark.parametrize("kind", nn.RECURRENT.values(), ids=nn.RECURRENT)
def test_every_recurrent_layer_has_the_same_options(kind):
    layer = kind(3, 4, 2, bias=False, batch_first=True, dropout=0.25, bidirectional=True, rng=0, dtype=np.float64,
                 recurrent_dropout=("state", 0.5), kernels="explicit", clip_step=2.0, checkpoint_every=3)
    assert layer.weights().bias_ih is None and layer.directions == 2 and layer.weights().weight_hh.dtype == np.float64
    assert (layer.batch_first, layer.dropout, layer.kernels, layer.clip_step) == (True, 0.25, "explicit", 2.0)
    assert layer.checkpoint_every == 3 and layer.recurrent_dropout.scheme == "state"


@pytest.mark.parametrize("make, message", [
    (lambda: nn.GRU(3, 4, bidirectonal=True),
     "GRU: option must be one of bias, .* got 'bidirectonal'; did you mean bid"),
    (lambda: nn.LSTM(3, 4, nonlinearity="relu"), "LSTM: option must be one of .* got 'nonlinearity'"),
    (lambda: nn.RNN(3, 4, zoneout=0.1), "RNN: zoneout must be left out for an rnn, got 0.1"),
])
def test_an_option_that_there_is_not_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()

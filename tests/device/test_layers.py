"""Layers, losses and optimisers: one body for every device, the same numbers as on the CPU, nothing crosses unseen."""

from functools import partial

import numpy as np
import pytest

from minirnn import Tensor, bptt, cells, nn, ops, optim
from minirnn.array import Streams, device_of, to_cpu, to_device, xp_of
from minirnn.autograd import grad
from minirnn.errors import InputError
from minirnn.flow import jacobian_product
from minirnn.metrics import ClassScores

WIDE = {"rng": 0, "dtype": np.float64}
LENGTHS = np.array([4, 1, 3])
IDS = np.array([[0, 3], [3, 1], [2, 3]])


def values(*shape, seed=1):
    return np.random.default_rng(seed).uniform(-1.5, 1.5, shape)



class Unrolled(nn.Module):
    """A step of several layers: a cell, dropout of its output, a linear layer that is fed back."""

    def __init__(self, **options):
        self.cell, self.back, self.options = nn.GRUCell(5, 2, **WIDE), nn.Linear(2, 5, **WIDE), options
        self.dropout = nn.Dropout(0.3, purpose="output")

    def forward(self, x, lengths, streams):
        def step(x, h, streams):
            h = self.cell(x + ops.tanh(self.back(h)), h)
            return self.dropout(h, streams=streams), h

        zero = Tensor(xp_of(x.value).zeros((3, 2)))
        return nn.unroll(step, x, zero, lengths=lengths, streams=streams, **self.options)


LAYERS = {
    "Linear": (lambda: nn.Linear(5, 2, **WIDE), values(4, 3, 5), {}),
    "Conv1d": (lambda: nn.Conv1d(3, 4, 3, padding="causal", **WIDE), values(2, 3, 7), {}),
    "Embedding": (lambda: nn.Embedding(4, 3, **WIDE), IDS, {}),
    "Embedding with a row of padding": (lambda: nn.Embedding(4, 3, padding_idx=3, **WIDE), IDS, {}),
    "activations": (lambda: nn.Sequential(nn.Linear(5, 4, **WIDE), nn.GELU(), nn.ELU(), nn.SiLU(), nn.LeakyReLU(),
                                          nn.GELU("tanh"), nn.LogSoftmax()), values(4, 3, 5), {}),
    "Dropout": (lambda: nn.Dropout(0.4), values(4, 3, 5), {"streams": 5}),
    "RNN": (lambda: nn.RNN(5, 2, nonlinearity="relu", **WIDE), values(4, 3, 5), {"lengths": LENGTHS}),
    "LSTM": (lambda: nn.LSTM(5, 2, **WIDE), values(4, 3, 5), {"lengths": LENGTHS}),
    "LSTM of two layers, both directions": (
        lambda: nn.LSTM(5, 2, 2, dropout=0.3, bidirectional=True, **WIDE), values(4, 3, 5), {"streams": 5}),
    "LSTM, batch first": (lambda: nn.LSTM(5, 2, batch_first=True, **WIDE), values(3, 4, 5), {}),
    "GRU": (lambda: nn.GRU(5, 2, **WIDE), values(4, 3, 5), {"lengths": LENGTHS}),
    "GRU, reset after": (lambda: nn.GRU(5, 2, reset_after=True, **WIDE), values(4, 3, 5), {}),
    "PeepholeLSTM": (lambda: nn.PeepholeLSTM(5, 2, **WIDE), values(4, 3, 5), {"lengths": LENGTHS}),
    "LSTMCell": (lambda: nn.LSTMCell(5, 2, **WIDE), values(3, 5), {}),
    "unroll": (lambda: Unrolled(), values(4, 3, 5), {"lengths": LENGTHS, "streams": 3}),
    "unroll with checkpoints, reversed": (
        lambda: Unrolled(checkpoint_every=3, reverse=True), values(4, 3, 5), {"lengths": LENGTHS, "streams": 3}),
    "zoneout": (lambda: nn.LSTM(5, 2, zoneout=(0.3, 0.2), **WIDE), values(4, 3, 5), {"streams": 5}),
    "checkpoints": (lambda: nn.LSTM(5, 2, checkpoint_every=3, **WIDE), values(4, 3, 5), {"lengths": LENGTHS}),
    "clip_step": (lambda: nn.GRU(5, 2, clip_step=0.05, **WIDE), values(4, 3, 5), {}),
    **{f"{name} {scheme}": (
        lambda layer=layer, scheme=scheme: layer(5, 2, recurrent_dropout=(scheme, 0.3, "per_step", "inverted"), **WIDE),
        values(4, 3, 5), {"streams": 5})
       for name, layer, schemes in (("LSTM", nn.LSTM, ("gal", "moon", "ours")), ("RNN", nn.RNN, ("gal", "ours")))
       for scheme in schemes},
    "combined, per sequence": (
        lambda: nn.LSTM(5, 2, recurrent_dropout={"gal": 0.2, "ours": 0.3}, **WIDE), values(4, 3, 5), {"streams": 5}),
}


def run(name, device, training=True, second=False):
    """Outputs and gradients (or gradients of gradients) of a layer on a device, as NumPy arrays."""
    make, x, options = LAYERS[name]
    options = {**options, **({"streams": np.random.default_rng(options["streams"])} if "streams" in options else {})}
    layer = make().to(device).train(training)
    x = Tensor(to_device(x, device), requires_grad=x.dtype.kind == "f")
    result = layer(x, **options)
    y = result[0] if isinstance(result, tuple) else result
    leaves = [t for t in (x, *layer.parameters()) if t.requires_grad]
    found = grad(ops.sum(ops.tanh(y) * y), leaves, create_graph=second)
    if second:
        found = grad(sum((ops.sum(g * g) for g in found[1:]), ops.sum(found[0] * found[0])), leaves)
    assert all(device_of(g.value) == device_of(x.value) for g in found)
    return [t.numpy() for t in (y, *found)]


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_computes_the_same_on_every_device(name, training, device):
    for there, here in zip(run(name, device, training), run(name, "cpu", training), strict=True):
        np.testing.assert_allclose(there, here, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", [n for n in LAYERS if "checkpoints" not in n and n != "clip_step"])
def test_a_second_derivative_too(name, device):
    for there, here in zip(run(name, device, second=True), run(name, "cpu", second=True), strict=True):
        np.testing.assert_allclose(there, here, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("where", ["host", "device"])
def test_lengths_may_be_on_either_side(where, device):
    lengths = LENGTHS if where == "host" else to_device(LENGTHS, device)
    x = to_device(values(4, 3, 5), device)
    y, _ = nn.LSTM(5, 2, **WIDE).to(device)(x, lengths=lengths)
    assert not to_cpu(y.value)[1:, 1].any() and to_cpu(y.value)[0, 1].all()


LOSSES = {
    "cross_entropy": (nn.cross_entropy, values(3, 2, 4), IDS, np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])),
    "bce_with_logits": (nn.bce_with_logits, values(3, 2), values(3, 2, seed=2) > 0, np.array([1.0, 0.0])),
    "mse_loss": (nn.mse_loss, values(3, 2), values(3, 2, seed=2), None),
    "nll_loss": (partial(nn.nll_loss, ignore_index=1), values(3, 2, 4), IDS,
                 np.array([[1.0, 0.0], [0.5, 1.0], [0.0, 1.0]])),
    "cross_entropy, weighted": (partial(nn.cross_entropy, weight=np.array([0.5, 2.0, 1.0, 0.25])), values(3, 2, 4), IDS,
                                np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])),
    "cross_entropy, smoothed": (
        partial(nn.cross_entropy, weight=np.array([0.5, 2.0, 1.0, 0.25]), ignore_index=2, label_smoothing=0.2),
        values(3, 2, 4), IDS, np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])),
}


@pytest.mark.parametrize("where", ["host", "device"])
@pytest.mark.parametrize("time", ["mean", "sum"])
@pytest.mark.parametrize("name", LOSSES)
def test_targets_and_masks_of_losses_may_be_on_either_side(name, time, where, device):
    loss, x, targets, mask = LOSSES[name]
    targets = targets if targets.dtype.kind == "i" else targets.astype(float)
    options = {} if mask is None else {"mask": np.broadcast_to(mask, targets.shape).copy(), "time": time}

    def result(device, there):
        put = (lambda a: to_device(a, device)) if there else (lambda a: a)
        z = Tensor(to_device(x, device), requires_grad=True)
        y = loss(z, put(targets), **{k: v if isinstance(v, str) else put(v) for k, v in options.items()})
        return y.item(), *(g.numpy() for g in grad(y, [z]))

    for found, expected in zip(result(device, where == "device"), result("cpu", False), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_class_weights_may_be_on_either_side_and_counting_what_is_kept_waits_for_nobody(device, request):
    z, weight = to_device(values(3, 4), device), np.array([0.5, 2.0, 1.0, 0.25])
    expected = nn.cross_entropy(values(3, 4), np.array([0, -1, 3]), weight=weight, ignore_index=-1).item()
    for put in (lambda a: a, lambda a: to_device(a, device)):
        for targets in (np.array([0, -1, 3]), to_device(np.array([0, -1, 3]), device)):
            loss = nn.cross_entropy(z, targets, weight=put(weight), ignore_index=-1)
            assert loss.item() == pytest.approx(expected, rel=1e-14)
    if request.node.callspec.params["device"] == "wall":
        traffic = request.getfixturevalue("traffic")
        traffic.clear()
        nn.cross_entropy(z, np.array([0, -1, 3]), weight=weight, ignore_index=-1)
        assert traffic.total("sync") == traffic.total("down") == 0, traffic.report()


def test_classes_and_shares_outside_are_refused_on_either_side(device):
    z, b = to_device(values(3, 4), device), to_device(values(3), device)
    for put in (lambda a: a, lambda a: to_device(a, device)):
        with pytest.raises(InputError, match=r"targets must be in \[0, V\) = \[0, 4\), got -1..3"):
            nn.cross_entropy(z, put(np.array([-1, 3, 0])))
        with pytest.raises(InputError, match="mask must be not zero everywhere"):
            nn.cross_entropy(z, put(np.array([1, 3, 0])), put(np.zeros(3)))
        with pytest.raises(InputError, match=r"targets must be in \[0, 1\]"):
            nn.bce_with_logits(b, put(np.array([0.5, 1.25, 0.0])))


OPTIMISERS = {
    "SGD": lambda p: optim.SGD(p, 0.1), "momentum": lambda p: optim.SGD(p, 0.1, momentum=0.9),
    "Adam": lambda p: optim.Adam(p, 0.01), "RMSProp": lambda p: optim.RMSProp(p, 0.01),
    "RMSProp of Graves": lambda p: optim.RMSProp(p, 0.01, 0.95, 0.9, True, 1e-4), "Adadelta": optim.Adadelta,
    "AdamW": optim.AdamW, "Adagrad": optim.Adagrad,
    "groups": lambda p: optim.SGD([{"params": p[:1], "lr": 0.2, "momentum": 0.5, "nesterov": True},
                                   {"params": p[1:]}], 0.1, weight_decay=0.3),
}


def trained(name, device, clip=0.7):
    """Parameters after three updates, the state carried through ``state_dict`` in between; the last norm."""
    layer = nn.Linear(5, 2, **WIDE).to(device)
    optimizer, average = OPTIMISERS[name](layer.parameters()), optim.WeightAverage(layer.parameters(), 0.5)
    for step in range(3):
        optimizer.zero_grad()
        ops.sum(layer(Tensor(to_device(values(4, 5, seed=step), device))) ** 2).backward()
        norm = optim.clip_grad_norm(layer.parameters(), clip)
        optimizer.step()
        average.update()
        saved = optimizer.state_dict()
        optimizer = OPTIMISERS[name](layer.parameters())
        optimizer.load_state_dict(saved)
    optim.clip_grad_value(layer.parameters(), 0.1)
    with average.applied():
        return layer.weight.numpy(), layer.weight.grad.numpy(), norm


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_makes_the_same_steps_on_every_device(name, device):
    for there, here in zip(trained(name, device), trained(name, "cpu"), strict=True):
        np.testing.assert_allclose(there, here, rtol=1e-12)


def test_an_optimiser_made_before_the_model_moved_says_so(traffic):
    layer = nn.Linear(2, 2, **WIDE)
    optimizer, average = optim.Adam(layer.parameters()), optim.WeightAverage(layer.parameters())
    layer.to("cuda")
    ops.sum(layer(to_device(values(3, 2), "cuda"))).backward()
    with pytest.raises(InputError, match="Adam: mean must be on cuda:0 like its parameter, got cpu; make the optimis"):
        optimizer.step()
    with pytest.raises(InputError, match="the average must be on cuda:0 like its parameter, got cpu; make it after"):
        average.update()


def test_the_global_norm_is_read_once(traffic):
    layer = nn.LSTM(5, 2, rng=0).to("cuda")
    for p in layer.parameters():
        p.grad = Tensor(to_device(values(*p.shape).astype(np.float32), "cuda"))
    traffic.clear()
    norm = optim.global_norm(layer.parameters())
    assert traffic.totals() == {"up": 0, "down": 0, "sync": 1}, traffic.report()
    assert optim.clip_grad_norm(layer.parameters(), 0.5, norm) == norm
    assert traffic.total("sync") == 1 and optim.global_norm(layer.parameters()) == pytest.approx(0.5)


def test_the_norm_of_gradients_too_large_for_float32_is_found_in_float64(device):
    p = nn.module.parameter(to_device(np.zeros(3, np.float32), device))
    p.grad = Tensor(to_device(np.array([3e20, -4e20, 0.0], np.float32), device))
    assert optim.global_norm([p]) == pytest.approx(5e20, rel=1e-6)


def test_redrawing_keeps_float_type_and_device(device):
    layer = nn.Linear(5, 2, **WIDE).to(device)
    nn.init.redraw_uniform(np.random.default_rng(3), layer.parameters(), 0.2)
    assert layer.weight.dtype == np.float64 and device_of(layer.bias.value) == device_of(to_device(values(1), device))
    assert 0 < abs(layer.weight.numpy()).max() <= 0.2


def test_masks_of_training_are_the_same_on_every_device(device):
    x = to_device(np.ones((40, 7)), device)
    there = nn.Dropout(0.3)(Tensor(x), streams=Streams(3, 7)).numpy()
    np.testing.assert_array_equal(there, nn.Dropout(0.3)(Tensor(np.ones((40, 7))), streams=Streams(3, 7)).numpy())


def test_metrics_are_made_of_what_came_home(device):
    scores = ClassScores(("good", "bad"))
    logits = to_device(np.array([[0.5, -1.0], [0.1, 0.2], [2.0, 1.0]]), device)
    scores.add(np.array([0, 1, 1]), to_cpu(logits.argmax(-1)))
    assert scores.accuracy == pytest.approx(200 / 3)


def test_flow_of_gradients_and_products_of_jacobians(device):
    cell, draw = cells.LSTM(), np.random.default_rng(0)
    shapes = (6, 3, 4), (3, 2), (3, 2), (8, 4), (8, 2), (8,), (8,), (6, 3, 2)
    arrays = [draw.uniform(-1, 1, shape) for shape in shapes]

    def flows(device):
        x, h, c, *weights, dy = (to_device(a, device) for a in arrays)
        masks = cells.Masks(ours=to_device(np.full((6, 3, 2), 0.5), device), gal=0.75)
        run = bptt.forward(cell, x, (h, c), cells.Weights(*weights), masks, np.array([6, 2, 4]), form="explicit")
        found = bptt.backward(run, dy, record_flow=True).flow
        product = jacobian_product(run, 1, 4)
        return [*map(to_cpu, found.values()), to_cpu(product.singular_values)]

    for there, here in zip(flows(device), flows("cpu"), strict=True):
        np.testing.assert_allclose(there, here, rtol=1e-11)

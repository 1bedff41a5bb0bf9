"""cross_entropy and nll_loss with PyTorch's weights, ignored targets, smoothing and reductions, to second order."""

from pathlib import Path

import numpy as np
import pytest

from minirnn import Tensor, grad, nn, ops
from minirnn.errors import DtypeError, InputError

GOLDEN = np.load(Path(__file__).parent / "golden" / "torch_ported.npz")
WEIGHT = np.array([0.5, 2.0, 1.0, 0.25])
OPTIONS = {
    "": {}, " ignoring": {"ignore_index": -100}, " weighted": {"weight": WEIGHT}, " smoothed": {"label_smoothing": 0.2},
    " all": {"weight": WEIGHT, "ignore_index": 2, "label_smoothing": 0.1},
}
NAMES = sorted({key.rsplit("/", 1)[0] for key in GOLDEN.files if key.split("/")[0] in ("cross_entropy", "nll_loss")})


def options_of(name):
    reduction = next(r for r in ("mean", "sum", "none") if name.startswith(r))
    return dict(OPTIONS[name.removeprefix(reduction)], reduction=reduction)


@pytest.mark.parametrize("name", NAMES)
def test_losses_and_their_gradients_are_pytorchs(name):
    kind, case = name.split("/")
    x = Tensor(GOLDEN[f"{name}/x"], True)
    y = getattr(nn, kind)(x, GOLDEN[f"{name}/targets"], **options_of(case))
    np.testing.assert_allclose(y.value, GOLDEN[f"{name}/y"], rtol=1e-13)
    dx = grad(y, x, GOLDEN[f"{name}/dy"], create_graph=True)[0].value
    np.testing.assert_allclose(dx, GOLDEN[f"{name}/dx"], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(grad(y, x, GOLDEN[f"{name}/dy"])[0].value, dx, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ["none", "sum weighted", "mean all", "none all"])
def test_second_derivatives_against_log_softmax(name):
    case, options = f"cross_entropy/{name}", options_of(name)
    targets, rows = GOLDEN[f"{case}/targets"], np.arange(6)
    smoothing, w = options.get("label_smoothing", 0), options.get("weight", np.ones(4))
    kept = targets != options.get("ignore_index", -100)
    wanted = (smoothing / 4 * w + (1 - smoothing) * np.eye(4)[targets] * w) * kept[:, None]
    if options["reduction"] == "mean":
        wanted /= (w[targets] * kept).sum()
    found = []
    for loss in (lambda x: nn.cross_entropy(x, targets, **options),
                 lambda x: (-ops.log_softmax(x) * wanted).sum(-1 if options["reduction"] == "none" else None)):
        x = Tensor(GOLDEN[f"{case}/x"], True)
        y = loss(x)
        (first,) = grad((y * y).sum(), x, create_graph=True)
        found.append([y.value, first.value, grad((first * np.cos(rows)[:, None]).sum(), x)[0].value])
    for ours, plain in zip(*found):
        np.testing.assert_allclose(ours, plain, rtol=1e-11, atol=1e-14)


def test_masks_time_and_classes_together():
    rng = np.random.default_rng(0)
    logits, targets = rng.standard_normal((3, 2, 4)), np.array([[0, 1], [3, 2], [1, 1]])
    mask = np.array([[1.0, 0.5], [1, 0], [0, 2]])
    nll = -np.log(np.take_along_axis(ops.softmax(logits).value, targets[..., None], -1))[..., 0]
    weighted = nll * mask * WEIGHT[targets]
    for loss, scores in ((nn.cross_entropy, logits), (nn.nll_loss, ops.log_softmax(logits))):
        call = lambda loss=loss, scores=scores, **o: loss(scores, targets, mask, weight=WEIGHT, **o).value
        np.testing.assert_allclose(call(), weighted.sum() / (mask * WEIGHT[targets]).sum())
        np.testing.assert_allclose(call(reduction="none"), weighted, atol=1e-16)
        np.testing.assert_allclose(call(time="sum"), weighted.sum() / 2)
        np.testing.assert_allclose(call(ignore_index=1, reduction="sum"), (weighted * (targets != 1)).sum())


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"reduction": "none"}])
def test_scores_of_ignored_targets_do_not_matter(options):
    for loss in (nn.cross_entropy, nn.nll_loss):
        if loss is nn.nll_loss and "label_smoothing" in options:
            continue
        x = Tensor(np.array([[0.5, -1.0], [np.nan, np.inf], [2.0, 0.1]]), True)
        y = loss(x, np.array([1, -100, 0]), ignore_index=-100, **options)
        (dx,) = grad(y, x, np.ones(y.shape))
        assert np.isfinite(y.value).all() and np.isfinite(dx.value).all() and not dx.value[1].any()


def test_float32_stays_and_a_class_of_no_weight_still_smooths():
    x = Tensor(np.array([[0.5, -1.0], [2.0, 0.1]], np.float32), True)
    y = nn.cross_entropy(x, np.array([0, 1]), weight=np.array([0.0, 1.0]), label_smoothing=0.5, reduction="none")
    logp = ops.log_softmax(x).value
    np.testing.assert_allclose(y.value, [-0.25 * logp[0, 1], -0.75 * logp[1, 1]], rtol=1e-6)
    assert y.dtype == grad(y, x, np.ones(2))[0].dtype == np.float32


def test_an_embedding_leaves_one_row_alone():
    plain, padded = (nn.Embedding(5, 3, rng=0, dtype=np.float64, padding_idx=k) for k in (None, -4))
    assert padded.padding_idx == 1 and not padded.weight.value[1].any()
    np.testing.assert_array_equal(np.delete(padded.weight.value, 1, 0), np.delete(plain.weight.value, 1, 0))
    padded.load_state_dict(plain.state_dict())
    ids, dy = np.array([[1, 2], [2, 1], [4, 0]]), np.random.default_rng(1).standard_normal((3, 2, 3))
    found = []
    for layer in (plain, padded):
        y = layer(ids)
        np.testing.assert_array_equal(y.value, plain.weight.value[ids])
        found.append(grad(y, layer.weight, dy)[0].value)
    assert found[0][1].any() and not found[1][1].any()
    np.testing.assert_array_equal(np.delete(found[0], 1, 0), np.delete(found[1], 1, 0))


z, t = np.zeros((2, 3)), np.array([0, 2])


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: nn.cross_entropy(z, t, weight=np.ones(2)), InputError, r"weight must be \(V,\) = \(3,\), got \(2,\)"),
    (lambda: nn.cross_entropy(z, t, ignore_index=1.5), DtypeError, "ignore_index must be an integer, got 1.5"),
    (lambda: nn.cross_entropy(z, t, label_smoothing=1.5), InputError, r"label_smoothing must be in \[0, 1\], got 1.5"),
    (lambda: nn.cross_entropy(z, t, label_smoothing=np.nan), InputError, r"label_smoothing must be in \[0, 1\]"),
    (lambda: nn.cross_entropy(z, t, reduction="all"), InputError, "reduction must be 'mean', 'sum' or 'none'"),
    (lambda: nn.cross_entropy(z, t, time="sum", reduction="none"), InputError, "'mean' where time='sum', got 'none'"),
    (lambda: nn.cross_entropy(z, np.array([1, 1]), ignore_index=1), InputError, "mask must be not zero everywhere"),
    (lambda: nn.cross_entropy(z, np.array([-100, 1])), InputError, r"targets must be in \[0, V\) .* got -100..1"),
    (lambda: nn.nll_loss(z, np.array([-100, 3]), ignore_index=-100), InputError, r"nll_loss: targets must be in"),
    (lambda: nn.nll_loss(z, t * 1.0), DtypeError, "nll_loss: targets must be an integer array"),
    (lambda: nn.nll_loss(z, t, np.ones(3)), InputError, "nll_loss: mask must be the targets' shape"),
    (lambda: nn.cross_entropy(1.0, np.array(0)), InputError, r"logits must be \(..., V\), got \(\)"),
    (lambda: nn.Embedding(5, 3, padding_idx=5), InputError, r"padding_idx must be in \[-5, 5\), got 5"),
    (lambda: nn.Embedding(5, 3, padding_idx=1.0), DtypeError, "padding_idx must be an integer, got 1.0"),
])
def test_what_does_not_fit_is_refused_in_our_words(call, error, message):
    with pytest.raises(error, match=message):
        call()

"""Losses: mean over the batch; over time a mean or a sum, which is an argument because it sets the meaning of
learning rates and clipping thresholds."""

import numpy as np

from minirnn import kernels, ops
from minirnn.array import xp_of
from minirnn.autograd import Tensor, record, recording
from minirnn.autograd.compiled import wanted
from minirnn.autograd.tape import lift, pair
from minirnn.errors import DtypeError, InputError, check_shape, must_be


def _weights(where, time, shape, mask, xp, dtype):
    """The weight of every entry's loss: (T, B) or (N,) -> same shape."""
    if time not in ("mean", "sum"):
        raise InputError(must_be(where, "time", "'mean' or 'sum'", repr(time)))
    if mask is None:
        mask = xp.ones(shape, dtype)
    else:
        mask = xp.asarray(mask.value if isinstance(mask, Tensor) else mask).astype(dtype)
        check_shape(where, "mask", mask, "the targets' shape", shape)
    if time == "sum" and len(shape) > 1:
        return mask / int(np.prod(shape[1:]))  # batch mean, added over the steps
    total = mask.sum()
    if total == 0:
        raise InputError(must_be(where, "mask", "not zero everywhere", "no counted entry"))
    return mask / total


def cross_entropy(logits, targets, mask=None, time="mean"):
    """Negative log-likelihood of classes: logits (T, B, V) or (N, V), integer targets (T, B) or (N,) -> one number.

    mask (targets' shape): weight of each entry, 0 for padding. time="mean" divides by the sum of the mask;
    time="sum" adds the steps up and divides by B (the thesis's language models). Gradient (softmax - onehot) x weight.
    Raises InputError for shapes that do not fit or a target outside [0, V), DtypeError for non-integer targets.
    """
    logits = lift(logits)
    a, xp = logits.value, xp_of(logits.value)
    targets = xp.asarray(targets.value if isinstance(targets, Tensor) else targets)
    if targets.dtype.kind not in "iu":
        raise DtypeError(must_be("cross_entropy", "targets", "an integer array", targets.dtype))
    check_shape("cross_entropy", "targets", targets, "logits' shape without V", a.shape[:-1])
    if targets.size == 0 or targets.min() < 0 or targets.max() >= a.shape[-1]:
        got = f"{int(targets.min())}..{int(targets.max())}" if targets.size else "no target"
        raise InputError(must_be("cross_entropy", "targets", f"in [0, V) = [0, {a.shape[-1]})", got))
    weight = _weights("cross_entropy", time, targets.shape, mask, xp, a.dtype)
    flat, counted = targets.reshape(-1), weight.reshape(-1)
    rows = a.reshape(-1, a.shape[-1])
    nll, backward = (_compiled_rows if wanted(8 * a.size, a) else _rows)(rows, flat, xp)

    def vjp(dloss):
        if recording():  # a second derivative is wanted: softmax on the tape
            onehot = (xp.arange(a.shape[-1]) == targets[..., None]).astype(a.dtype)
            return ((ops.softmax(logits) - onehot) * weight[..., None] * dloss,)
        return (Tensor(backward(counted * dloss.value).reshape(a.shape)),)

    nll = xp.where(counted == 0, nll.dtype.type(0), nll)  # whatever the logits of padding are
    return record("cross_entropy", (nll * counted).sum(), (logits,), vjp)


def _rows(a, targets, xp):
    """-log softmax at every row's target, and its backward: a (N, V), targets (N,) -> nll (N,), scale (N,) -> da."""
    places = xp.arange(len(a))
    p = a - a.max(axis=1, keepdims=True)
    at_target = p[places, targets]
    xp.exp(p, out=p)
    total = p.sum(axis=1, keepdims=True)
    p /= total

    def backward(scale):
        da = p * scale[:, None]
        da[places, targets] -= scale
        da[scale == 0] = 0
        return da

    return xp.log(total)[:, 0] - at_target, backward


def _compiled_rows(a, targets, xp):
    """As ``_rows``, by the kernel for large vocabularies."""
    nll, saved = kernels.softmax_xent_forward(a, targets)
    return nll, lambda scale: kernels.softmax_xent_backward(saved, scale)


def mse_loss(x, target):
    """Mean squared error over all entries: two arrays of one shape -> one number."""
    x, target = pair("mse_loss", x, target)
    check_shape("mse_loss", "target", target, "x's shape", x.shape)
    return ops.mean((x - target) * (x - target))


def bce_with_logits(logits, targets, mask=None, time="mean"):
    """Binary cross-entropy on logits: two arrays of one shape, targets in [0, 1] -> one number.

    max(z, 0) - z y + log(1 + e^-|z|), which neither overflows nor loses digits; gradient (sigmoid(z) - y) x weight.
    mask and time as in cross_entropy.
    """
    z, y = pair("bce_with_logits", logits, targets)
    check_shape("bce_with_logits", "targets", y, "the logits' shape", z.shape)
    if bool((y.value < 0).any() or (y.value > 1).any()):
        raise InputError(must_be("bce_with_logits", "targets", "in [0, 1]", "values outside"))
    weight = _weights("bce_with_logits", time, z.shape, mask, xp_of(z.value), z.dtype)
    return ops.sum((ops.softplus(z) - z * y) * weight)  # softplus(z) = max(z, 0) + log(1 + e^-|z|)

"""Losses: mean over the batch; over time a mean or a sum, which is an argument because it sets the meaning of
learning rates and clipping thresholds."""

import numpy as np

from minirnn import kernels, ops
from minirnn.array import large, xp_of
from minirnn.autograd import Tensor, record, recording
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
    if large(a, 64 * a.size):  # an exponential is worth tens of multiply-adds
        return _large_cross_entropy(logits, targets, weight)
    rows, flat = xp.arange(targets.size), targets.reshape(-1)
    p = a - a.max(axis=-1, keepdims=True)
    at_target = p.reshape(-1, p.shape[-1])[rows, flat]
    xp.exp(p, out=p)
    total = p.sum(axis=-1, keepdims=True)
    nll = xp.log(total).reshape(-1) - at_target
    p /= total

    def vjp(dloss):
        if recording():
            return (_softmax_gradient(logits, targets, weight, dloss),)
        scale = weight * dloss.value
        da = p * scale[..., None]
        da.reshape(-1, da.shape[-1])[rows, flat] -= scale.reshape(-1)
        return (Tensor(da),)

    return record("cross_entropy", (nll * weight.reshape(-1)).sum(), (logits,), vjp)


def _large_cross_entropy(logits, targets, weight):
    """The same by the kernel, which does not keep the probabilities."""
    a, flat = logits.value, targets.reshape(-1)
    nll, saved = kernels.softmax_xent_forward(a.reshape(-1, a.shape[-1]), flat)

    def vjp(dloss):
        if recording():
            return (_softmax_gradient(logits, targets, weight, dloss),)
        scale = (weight * dloss.value).reshape(-1)
        return (Tensor(kernels.softmax_xent_backward(saved, scale).reshape(a.shape)),)

    return record("cross_entropy", (nll * weight.reshape(-1)).sum(), (logits,), vjp)


def _softmax_gradient(logits, targets, weight, dloss):
    """(softmax - onehot) x weight on the tape, for a second derivative."""
    onehot = (xp_of(logits.value).arange(logits.shape[-1]) == targets[..., None]).astype(logits.dtype)
    return (ops.softmax(logits) - onehot) * weight[..., None] * dloss


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

"""Losses: mean over the batch; over time a mean or a sum, which is an argument because it sets the meaning of
learning rates and clipping thresholds."""

import numpy as np

from minirnn import ops
from minirnn.array import beside, numbers_below, xp_of
from minirnn.autograd import Tensor, record, recording
from minirnn.autograd.compiled import softmax_nll
from minirnn.autograd.tape import lift, pair
from minirnn.errors import InputError, check_shape, in_our_words, must_be


def _plain(array):
    """An argument that is no float of the tape: a Tensor's array, or what is an array already, lists included."""
    array = array.value if isinstance(array, Tensor) else array
    return array if hasattr(array, "dtype") else np.asarray(array)


def _weights(where, time, shape, mask, like):
    """The weight of every entry's loss, beside ``like``: (T, B) or (N,) -> same shape.

    A mask of the host is divided there, [1, 0, 1, 1] into thirds, so that nobody waits for its sum.
    """
    if time not in ("mean", "sum"):
        raise InputError(must_be(where, "time", "'mean' or 'sum'", repr(time)))
    given = mask is not None
    mask = _plain(mask).astype(like.dtype) if given else xp_of(like).ones(shape, like.dtype)
    check_shape(where, "mask", mask, "the targets' shape", shape)
    if time == "sum" and len(shape) > 1:
        return beside(mask / int(np.prod(shape[1:])), like, where, "mask")  # batch mean, added over the steps
    total = mask.sum()
    if not mask.size or given and total == 0:
        raise InputError(must_be(where, "mask", "not zero everywhere", "no counted entry"))
    return beside(mask / total, like, where, "mask")


@in_our_words
def cross_entropy(logits, targets, mask=None, time="mean"):
    """Negative log-likelihood of classes: logits (T, B, V) or (N, V), integer targets (T, B) or (N,) -> one number.

    mask (targets' shape): weight of each entry, 0 for padding. time="mean" divides by the sum of the mask;
    time="sum" adds the steps up and divides by B (the thesis's language models). Gradient (softmax - onehot) x weight.
    Raises InputError for shapes that do not fit or a target outside [0, V), DtypeError for non-integer targets. Targets
    and mask may be on the host.
    """
    logits, targets = lift(logits), _plain(targets)
    a, xp, V = logits.value, xp_of(logits.value), logits.shape[-1]
    check_shape("cross_entropy", "targets", targets, "logits' shape without V", a.shape[:-1])
    targets = numbers_below("cross_entropy", "targets", targets, V, a)
    if targets.size == 0:
        raise InputError(must_be("cross_entropy", "targets", f"in [0, V) = [0, {V})", "no target"))
    weight = _weights("cross_entropy", time, targets.shape, mask, a)
    counted = weight.reshape(-1)
    nll, backward = softmax_nll(a.reshape(-1, V), targets.reshape(-1))

    def vjp(dloss):
        if recording():  # a second derivative is wanted: softmax on the tape
            onehot = (xp.arange(V) == targets[..., None]).astype(a.dtype)
            return ((ops.softmax(logits) - onehot) * weight[..., None] * dloss,)
        return (Tensor(backward(counted * dloss.value).reshape(a.shape)),)

    nll = xp.where(counted == 0, nll.dtype.type(0), nll)  # whatever the logits of padding are
    return record("cross_entropy", (nll * counted).sum(), (logits,), vjp)


def _target(where, x, target):
    """A target that is no Tensor may be on the host; one that is lives where x does, or ``pair`` refuses it."""
    return target if isinstance(target, (Tensor, int, float)) else Tensor(
        beside(_plain(target), lift(x).value, where, "target"))


@in_our_words
def mse_loss(x, target):
    """Mean squared error over all entries: two arrays of one shape -> one number."""
    x, target = pair("mse_loss", x, _target("mse_loss", x, target))
    check_shape("mse_loss", "target", target, "x's shape", x.shape)
    return ops.mean((x - target) * (x - target))


@in_our_words
def bce_with_logits(logits, targets, mask=None, time="mean"):
    """Binary cross-entropy on logits: two arrays of one shape, targets in [0, 1] -> one number.

    max(z, 0) - z y + log(1 + e^-|z|), which neither overflows nor loses digits; gradient (sigmoid(z) - y) x weight.
    mask and time as in cross_entropy.
    """
    given = _plain(targets)  # looked at where they are: on the host nobody waits
    if bool(((given < 0) | (given > 1)).any()):
        raise InputError(must_be("bce_with_logits", "targets", "in [0, 1]", "values outside"))
    z, y = pair("bce_with_logits", logits, _target("bce_with_logits", logits, targets))
    check_shape("bce_with_logits", "targets", y, "the logits' shape", z.shape)
    weight = _weights("bce_with_logits", time, z.shape, mask, z.value)
    return ops.sum((ops.softplus(z) - z * y) * weight)  # softplus(z) = max(z, 0) + log(1 + e^-|z|)

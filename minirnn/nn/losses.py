"""Losses: mean over the batch; over time a mean or a sum, which is an argument because it sets the meaning of
learning rates and clipping thresholds."""

import numbers

import numpy as np

from minirnn import ops
from minirnn.array import beside, numbers_below, xp_of
from minirnn.autograd import Tensor, record, recording
from minirnn.autograd.compiled import softmax_nll
from minirnn.autograd.tape import lift, pair
from minirnn.errors import DtypeError, InputError, bound, check_shape, in_our_words, must_be


def _plain(array):
    """An argument that is no float of the tape: a Tensor's array, or what is an array already, lists included."""
    array = array.value if isinstance(array, Tensor) else array
    return array if hasattr(array, "dtype") else np.asarray(array)


def _mask(where, shape, mask, like):
    """How much every entry counts, in the float type of ``like``: ones there, or the mask where it is."""
    mask = xp_of(like).ones(shape, like.dtype) if mask is None else _plain(mask).astype(like.dtype)
    check_shape(where, "mask", mask, "the targets' shape", shape)
    return mask


def _divisor(where, time, mask, given, reduction="mean"):
    """What the sum of the losses is divided by: the sum of the mask, the batch with time="sum", 1 for no mean."""
    if time not in ("mean", "sum"):
        raise InputError(must_be(where, "time", "'mean' or 'sum'", repr(time)))
    if reduction not in ("mean", "sum", "none"):
        raise InputError(must_be(where, "reduction", "'mean', 'sum' or 'none'", repr(reduction)))
    if reduction != "mean":
        if time == "sum":
            cause = "time='sum' is a mean over the batch"
            raise InputError(must_be(where, "reduction", "'mean' where time='sum'", repr(reduction), cause))
        return 1
    if time == "sum" and mask.ndim > 1:
        return int(np.prod(mask.shape[1:]))  # batch mean, added over the steps
    total = mask.sum()
    if not mask.size or given and total == 0:
        raise InputError(must_be(where, "mask", "not zero everywhere", "no counted entry"))
    return total


def _weights(where, time, shape, mask, like):
    """The weight of every entry's loss, beside ``like``: (T, B) or (N,) -> same shape.

    A mask of the host is divided there, [1, 0, 1, 1] into thirds, so that nobody waits for its sum.
    """
    given, mask = mask is not None, _mask(where, shape, mask, like)
    return beside(mask / _divisor(where, time, mask, given), like, where, "mask")


def _times(a, b, like):
    """The product of two arrays, on the host where both are and else beside ``like``."""
    return a * b if xp_of(a, b) is np else beside(a, like) * beside(b, like)


def _counted(where, scores, targets, mask, time, weight, ignore_index, reduction):
    """Everything about the targets, beside the scores (..., V): targets in [0, V), the weight of each entry's loss, the
    weight of each entry, and the class weights (V,) or None.

    targets [1, 2, 1], weight [0.5, 2, 1] and ignore_index 2 -> [1, 0, 1], [0.5, 0, 0.5] and [0.25, 0, 0.25].
    """
    if not scores.ndim:
        raise InputError(must_be(where, "logits", "(..., V)", scores.shape))
    V, like, given = scores.shape[-1], scores.value, mask is not None
    check_shape(where, "targets", targets, "logits' shape without V", scores.shape[:-1])
    if ignore_index is not None:
        if not isinstance(ignore_index, numbers.Integral):
            raise DtypeError(must_be(where, "ignore_index", "an integer", repr(ignore_index)))
        kept = targets != ignore_index
        targets, given = xp_of(targets).where(kept, targets, targets.dtype.type(0)), True
        mask = kept if mask is None else _times(kept, _mask(where, targets.shape, mask, like), like)
    there = numbers_below(where, "targets", targets, V, like)
    if there.size == 0:
        raise InputError(must_be(where, "targets", f"in [0, V) = [0, {V})", "no target"))
    mask = whole = _mask(where, there.shape, mask, like)
    if weight is not None:
        weight, given = _plain(weight).astype(like.dtype), True
        check_shape(where, "weight", weight, "(V,)", (V,))
        at_home = xp_of(weight, targets) is np
        whole = _times(mask, weight[targets] if at_home else beside(weight, like, where, "weight")[there], like)
        weight = beside(weight, like, where, "weight")
    divisor = _divisor(where, time, whole, given, reduction)
    entry = beside(whole / divisor, like, where, "mask")
    if whole is mask:
        return there, entry, entry, weight
    mask = mask if xp_of(whole) is np else beside(mask, like)
    return there, entry, beside(mask / divisor, like), weight


@in_our_words
def cross_entropy(logits, targets, mask=None, time="mean", *, weight=None, ignore_index=None, label_smoothing=0.0,
                  reduction="mean"):
    """Negative log-likelihood of classes: logits (T, B, V) or (N, V), integer targets (T, B) or (N,) -> one number.

    mask (targets' shape): weight of each entry, 0 for padding. time="mean" divides by the sum of the mask;
    time="sum" adds the steps up and divides by B (the thesis's language models). Gradient (softmax - onehot) x weight.

    As in PyTorch: weight (V,) multiplies the loss of its class, and the mean divides by the weights it added up;
    targets equal to ignore_index count nothing; label_smoothing e moves e / V of a target to every class, so that with
    e = 0.2 and V = 4 the target keeps 0.85; reduction is "mean", "sum" or "none", which keeps the targets' shape.
    Raises InputError for shapes that do not fit or a target outside [0, V), DtypeError for non-integer targets. Targets
    and mask may be on the host.
    """
    smoothing = label_smoothing and bound("cross_entropy", "label_smoothing", label_smoothing)
    if smoothing and not 0 <= smoothing <= 1:
        raise InputError(must_be("cross_entropy", "label_smoothing", "in [0, 1]", label_smoothing))
    logits = lift(logits)
    targets, here, alike, weight = _counted("cross_entropy", logits, _plain(targets), mask, time, weight, ignore_index,
                                            reduction)
    if smoothing:
        return _smoothed(logits, targets, (1 - smoothing) * here, smoothing * alike, weight, reduction)
    return _nll(logits, targets, here, reduction)


def _nll(logits, targets, weight, reduction):
    """softmax and negative log-likelihood in one operation; weight (targets' shape) holds mask, classes and mean."""
    a, xp, V = logits.value, xp_of(logits.value), logits.shape[-1]
    counted = weight.reshape(-1)
    nll, backward = softmax_nll(a.reshape(-1, V), targets.reshape(-1))

    def vjp(dloss):
        if recording():  # a second derivative is wanted: softmax on the tape
            onehot = (xp.arange(V) == targets[..., None]).astype(a.dtype)
            dloss = dloss if reduction != "none" else ops.unsqueeze(dloss, -1)
            return ((ops.softmax(logits) - onehot) * weight[..., None] * dloss,)
        scale = dloss.value if reduction != "none" else dloss.value.reshape(-1)
        return (Tensor(backward(counted * scale).reshape(a.shape)),)

    nll = xp.where(counted == 0, nll.dtype.type(0), nll)  # whatever the logits of padding are
    value = (nll * counted).reshape(weight.shape) if reduction == "none" else (nll * counted).sum()
    return record("cross_entropy", value, (logits,), vjp)


def _smoothed(logits, targets, own, shared, weight, reduction):
    """cross_entropy on the tape: each target's class counts ``own``, and ``shared`` is spread over all classes."""
    V = logits.shape[-1]
    spread = shared[..., None] / V * (1 if weight is None else weight)
    wanted = own[..., None] * (xp_of(targets).arange(V) == targets[..., None]) + spread
    logits = ops.where(wanted.any(-1, keepdims=True), logits, 0.0)  # whatever the logits of padding are
    return _total(-ops.log_softmax(logits) * Tensor(wanted), reduction)


def _total(losses, reduction):
    """The sum of losses (..., V), over the classes alone where nothing is reduced."""
    return ops.sum(losses, -1 if reduction == "none" else None)


@in_our_words
def nll_loss(log_probabilities, targets, mask=None, time="mean", *, weight=None, ignore_index=None, reduction="mean"):
    """Negative log-likelihood of classes whose log-probabilities are given, (..., V), as ``ops.log_softmax`` makes
    them: [[-0.1, -2.4]] and target 0 -> 0.1; everything else as in cross_entropy."""
    scores = lift(log_probabilities)
    targets, here, _, _ = _counted("nll_loss", scores, _plain(targets), mask, time, weight, ignore_index, reduction)
    picked = ops.where((here == 0)[..., None], 0.0, ops.gather(scores, targets[..., None]))
    return _total(-picked * Tensor(here[..., None]), reduction)


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

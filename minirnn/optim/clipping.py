"""Gradient clipping over all parameters. Per-step clipping inside BPTT is ``bptt.backward(clip_step=)``."""

import math

import numpy as np

from minirnn.array import xp_of
from minirnn.autograd import Tensor
from minirnn.autograd.compiled import scaled
from minirnn.errors import DtypeError, InputError, must_be
from minirnn.optim.arguments import check_gradient, real, tensors_of

LEAST = np.finfo(np.float64).tiny / np.finfo(np.float64).eps  # below it squares have lost digits


def _bound(where, name, value):
    """A number above zero; infinity clips nothing."""
    return float(real(where, name, value, "a positive number", lambda v: v > 0))


def global_norm(parameters):
    """sqrt of the sum of all squared gradient entries, a float; of [3e300, 4e300] it is 5e300."""
    parameters = tensors_of("global_norm", parameters)
    for k, p in enumerate(parameters):
        if p.grad is not None:
            check_gradient("global_norm", k, p)
    gradients = [p.grad.value for p in parameters if p.grad is not None]
    squares = [xp_of(g).vdot(g, g).astype(np.float64) for g in gradients]  # BLAS, on the device
    total = float(sum(squares))  # read once
    if not np.isfinite(total):
        total = float(sum(map(_square_sum, gradients, squares)))
    if LEAST < total < math.inf:
        return total**0.5
    largest = max((float(abs(g).max()) for g in gradients if g.size), default=0.0)
    if not 0 < largest < math.inf:
        return total**0.5
    return largest * sum(float(((g.astype(np.float64) / largest) ** 2).sum()) for g in gradients) ** 0.5


def _square_sum(g, quick):
    """The sum of squares of an array, added up in float64 where the quick one overflowed float32."""
    xp = xp_of(g)
    return quick if g.dtype == np.float64 else xp.where(xp.isfinite(quick), quick, (g.astype(np.float64) ** 2).sum())


def clip_grad_norm(parameters, max_norm, norm=None):
    """Scale all gradients by max_norm / n when their global norm n exceeds max_norm; returns n (slides).

    The thesis's "max-norm gradient clipping". A non-finite n changes nothing: the caller skips the update. ``norm`` is
    n where the caller has asked for it already: max_norm 1 and n = 4 leave a quarter.
    """
    max_norm = _bound("clip_grad_norm", "max_norm", max_norm)
    parameters = tensors_of("clip_grad_norm", parameters)
    n = global_norm(parameters) if norm is None else norm
    if np.isfinite(n) and n > max_norm:
        for p in parameters:
            if p.grad is not None:
                g, factor = p.grad.value, p.dtype.type(max_norm / n)
                if factor < np.finfo(p.dtype).tiny:  # in one step it would lose its digits
                    p.grad = Tensor((g.astype(np.float64) / n * max_norm).astype(g.dtype))
                    continue
                p.grad = Tensor(scaled(g, factor))
    return n


def clip_grad_value(parameters, limit):
    """Limit every gradient entry to [-limit, limit]."""
    limit = _bound("clip_grad_value", "limit", limit)
    for k, p in enumerate(tensors_of("clip_grad_value", parameters)):
        if p.grad is not None:
            check_gradient("clip_grad_value", k, p)
            p.grad = Tensor(p.grad.value.clip(-limit, limit))


def suggest_threshold(norms):
    """Two candidates for max_norm from a log of global norms: (median, 95th percentile) of the finite ones."""
    try:
        norms = np.asarray(norms, float)
    except (TypeError, ValueError):
        raise DtypeError(must_be("suggest_threshold", "norms", "numbers", type(norms).__name__)) from None
    norms = norms[np.isfinite(norms)]
    if not norms.size:
        raise InputError(must_be("suggest_threshold", "norms", "at least one finite number", "none"))
    return float(np.median(norms)), float(np.percentile(norms, 95))

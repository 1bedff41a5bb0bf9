"""Gradient clipping over all parameters. Per-step clipping inside BPTT is ``bptt.backward(clip_step=)``."""

import numpy as np

from minirnn.array import xp_of
from minirnn.autograd import Tensor
from minirnn.autograd.compiled import scaled
from minirnn.errors import InputError, must_be


def _check(where, name, value):
    if not value > 0:
        raise InputError(must_be(where, name, "a positive number", value))


def global_norm(parameters):
    """sqrt of the sum of all squared gradient entries, a float; summed in float64 so that it cannot overflow early."""
    gradients = [p.grad.value for p in parameters if p.grad is not None]
    squares = [xp_of(g).vdot(g, g).astype(np.float64) for g in gradients]  # BLAS, on the device
    total = float(sum(squares))  # read once
    if not np.isfinite(total):
        total = float(sum(map(_square_sum, gradients, squares)))
    return total**0.5


def _square_sum(g, quick):
    """The sum of squares of an array, added up in float64 where the quick one overflowed float32."""
    xp = xp_of(g)
    return quick if g.dtype == np.float64 else xp.where(xp.isfinite(quick), quick, (g.astype(np.float64) ** 2).sum())


def clip_grad_norm(parameters, max_norm, norm=None):
    """Scale all gradients by max_norm / n when their global norm n exceeds max_norm; returns n (slides).

    The thesis's "max-norm gradient clipping". A non-finite n changes nothing: the caller skips the update. ``norm`` is
    n where the caller has asked for it already: max_norm 1 and n = 4 leave a quarter.
    """
    _check("clip_grad_norm", "max_norm", max_norm)
    parameters = list(parameters)
    n = global_norm(parameters) if norm is None else norm
    if np.isfinite(n) and n > max_norm:
        for p in parameters:
            if p.grad is not None:
                g, factor = p.grad.value, p.dtype.type(max_norm / n)
                p.grad = Tensor(scaled(g, factor))
    return n


def clip_grad_value(parameters, limit):
    """Limit every gradient entry to [-limit, limit]."""
    _check("clip_grad_value", "limit", limit)
    for p in parameters:
        if p.grad is not None:
            p.grad = Tensor(p.grad.value.clip(-limit, limit))


def suggest_threshold(norms):
    """Two candidates for max_norm from a log of global norms: (median, 95th percentile) of the finite ones."""
    norms = np.asarray(norms, float)
    norms = norms[np.isfinite(norms)]
    if not norms.size:
        raise InputError(must_be("suggest_threshold", "norms", "at least one finite number", "none"))
    return float(np.median(norms)), float(np.percentile(norms, 95))

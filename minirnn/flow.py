"""How gradients fare through time: norm curves, and the Jacobian of many steps with its singular values."""

from typing import Any, NamedTuple

from minirnn import bptt
from minirnn.array import xp_of
from minirnn.cells.operands import NO_MASKS, Masks
from minirnn.errors import InputError, must_be


def grad_norm_curve(cell, x, state0, weights, dfinal, masks=NO_MASKS):
    """How much of a gradient at the end arrives at each step: ||dL/ds_t|| over the batch, for t = 0..T. slides

    x (T, B, D), state0 and dfinal each (B, H) -> dict from state name to (T+1,); dfinal is dL/d(final states).
    Raises what ``bptt.forward`` and ``bptt.backward`` raise.
    """
    run = bptt.forward(cell, x, state0, weights, masks, form="explicit")
    flow = bptt.backward(run, dfinal=dfinal, record_flow=True).flow
    return {name: xp_of(norms).sqrt((norms * norms).sum(axis=1)) for name, norms in flow.items()}


class JacobianProduct(NamedTuple):
    """d s_{t1} / d s_{t0} as a matrix, and its singular values, largest first; NaN where the matrix is not finite."""

    matrix: Any  # (S*H, S*H), states stacked as in cell.states
    singular_values: Any  # (S*H,)


def jacobian_product(run, t0, t1, row=0):
    """The product of step Jacobians from states[t0] to states[t1] for one row of the batch -> JacobianProduct.

    A batch of identical copies of the row goes t0 -> t1, then back with the unit vectors as cotangents, so the cost is
    that of a batch of S*H; meant for small H. Raises InputError unless 0 <= t0 < t1 <= T (the row's length, if padded),
    for a row outside the batch, and for reversed runs. slides
    """
    T, B, _ = run.x.shape
    if run.states is None:
        raise InputError(must_be("jacobian_product", "run", "one that keeps its states", "one with checkpoint_every"))
    if run.reverse:
        raise InputError(must_be("jacobian_product", "run", "a forward run", "one with reverse=True"))
    if not 0 <= row < B:
        raise InputError(must_be("jacobian_product", "row", f"in 0..B-1 = 0..{B - 1}", row))
    end = T if run.lengths is None else int(run.lengths[row])
    if not 0 <= t0 < t1 <= end:
        raise InputError(must_be("jacobian_product", "t0, t1", f"0 <= t0 < t1 <= {end}", f"{t0}, {t1}"))
    xp, S, H = xp_of(run.x), len(run.states), run.y.shape[-1]
    copies = lambda a: xp.repeat(a[..., row : row + 1, :], S * H, axis=-2)
    masks = (m[t0:t1] if getattr(m, "ndim", 0) == 3 else m for m in run.masks)
    masks = Masks(*(copies(m) if getattr(m, "ndim", 0) else m for m in masks))
    state0 = tuple(copies(s[t0]) for s in run.states)
    again = bptt.forward(run.cell, copies(run.x[t0:t1]), state0, run.weights, masks, form="explicit")
    unit = xp.eye(S * H, dtype=run.x.dtype)
    dfinal = tuple(unit[:, k * H : (k + 1) * H] for k in range(S))
    matrix = xp.concatenate(bptt.backward(again, dfinal=dfinal).state0, axis=1)
    if not xp.isfinite(matrix).all():  # LAPACK may not return
        return JacobianProduct(matrix, xp.full(S * H, xp.nan, matrix.dtype))
    return JacobianProduct(matrix, xp.linalg.svd(matrix, compute_uv=False))

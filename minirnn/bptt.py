"""A recurrent cell over a sequence and back: backpropagation through time, full, truncated, padded or reversed.

    run = forward(cell, x, state0, weights)          # x (T, B, D), each state (B, H)
    gradients = backward(run, dy)                    # dy (T, B, H)

Two forms compute the same numbers: *explicit* loops over ``cell.step`` and works for every cell and device; *fused*
hands the sequence to ``minirnn.kernels``. ``form=None`` takes the environment variable MINIRNN_KERNELS (explicit or
fused) if set, else fused wherever the kernels know the cell.

Memory: beside x a run keeps this many B x H numbers a step for its backward, y among them, and one more with a mask
on the state (``gal``); so it grows linearly with T.

    form        RNN   LSTM   GRU
    explicit     2      7     5
    fused        1      6     5      (arrays above 32 KB may be rounded up by an eighth)

``checkpoint_every=k`` keeps y and the states at every k-th step, 1 + len(states)/k, and runs each k steps forward again
before it goes back through them: the numbers above for k steps at a time, and one more forward pass.
"""

import os
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from minirnn import fused
from minirnn.array import xp_of
from minirnn.border import check_cotangents, check_positive, check_sequence
from minirnn.cells.operands import NO_MASKS, Masks
from minirnn.errors import InputError, must_be

FORMS = ("explicit", "fused")


@dataclass(frozen=True)
class Run:
    """A forward pass with what its backward needs. Arrays may be views of one another: read them, do not write.

    ``y`` (T, B, H) is h at every step, zero where padded. ``states``, a (T+1, B, H) array for each of ``cell.states``,
    are indexed between the inputs: x[t] leads from ``s[t]`` to ``s[t+1]``, or from ``s[t+1]`` to ``s[t]`` when
    ``reverse``; padded steps hold the state. ``final`` is what the last step left, each (B, H). With
    ``checkpoint_every`` there are no ``states`` (None), and ``saved`` is what entered each segment.
    """

    cell: Any
    x: Any
    weights: Any  # the cell's own Weights
    masks: Masks
    active: Any  # (T, B, 1) bool, False where padded; None without lengths
    lengths: Any  # (B,) numpy integers or None
    reverse: bool
    form: str
    automatic: bool  # the form was chosen by forward, so backward may choose again
    y: Any
    states: tuple
    final: tuple
    saved: Any
    checkpoint_every: int | None = None


class Gradients(NamedTuple):
    """dL/d(everything that went in); ``flow`` maps a state's name to (T+1, B) norms, or is None."""

    x: Any  # (T, B, D)
    state0: tuple  # each (B, H)
    weights: Any  # the cell's own Weights
    flow: dict | None


def forward(cell, x, state0, weights, masks=NO_MASKS, lengths=None, reverse=False, form=None, checkpoint_every=None):
    """Run a cell over a sequence: x (T, B, D), state0 each (B, H) -> Run.

    masks: each field None, (T, B, H) for a mask per step, (B, H) for one per sequence, or a number (a constant factor,
    or share for zoneout); ``cell.masks`` names those that the cell takes.
    lengths: integers (B,), each in 1..T, in any order; row b ends after lengths[b] steps. ``reverse`` goes from the
    last step to the first, each row from its own last step. ``checkpoint_every``, a positive integer, trades time for
    memory as described above; gradients are the same to rounding.
    Raises InputError or DtypeError for arguments that do not fit each other, and InputError for ``form='fused'`` where
    the kernels cannot do what is asked. thesis (2.2.1)-(2.2.2)
    """
    x, state0, weights, masks, lengths = check_sequence("bptt.forward", cell, x, state0, weights, masks, lengths)
    asked = form if form is not None else os.environ.get("MINIRNN_KERNELS") or None
    if asked not in (None, *FORMS):
        raise InputError(must_be("bptt.forward", "form (or MINIRNN_KERNELS)", "'explicit' or 'fused'", repr(asked)))
    obstacle = None if asked == "explicit" else fused.obstacle(cell, x)
    if form == "fused" and obstacle:
        raise InputError(must_be("bptt.forward", "form", "'explicit' here", "'fused'", obstacle))
    chosen = "explicit" if asked == "explicit" or obstacle else "fused"
    if checkpoint_every is not None:
        check_positive("bptt.forward", "checkpoint_every", checkpoint_every, whole=True)
        return _forward_in_segments(
            Run(cell, x, weights, masks, None, lengths, reverse, chosen, form is None, None, None, state0, None,
                int(checkpoint_every)))

    active = None if lengths is None else active_steps(len(x), lengths, xp_of(x))
    if active is not None:
        x = xp_of(x).where(active, x, 0)  # whatever fills the padding, even NaN, must not matter
    unroll = explicit_forward if chosen == "explicit" else fused.forward
    states, saved = unroll(cell, x, state0, weights, masks, lengths, active, reverse)
    y = states[0][:-1] if reverse else states[0][1:]
    if active is not None:
        y = xp_of(x).where(active, y, 0)
    final = tuple(s[0] if reverse else s[-1] for s in states)
    return Run(cell, x, weights, masks, active, lengths, reverse, chosen, form is None, y, states, final, saved)


def backward(run, dy=None, dfinal=None, clip_step=None, record_flow=False):
    """Backpropagation through time: dy (T, B, H), dfinal each (B, H), either may be None -> Gradients.

    ``clip_step`` rescales, at every step, each row of e_t = dL/d(state after step t) to norm at most clip_step before
    it goes on (slides); for an LSTM the row is (dh, dc) together. ``record_flow`` keeps the norms of e_t, after any
    clipping: ``flow['h'][t]`` belongs to ``run.states[0][t]``; dc counts what step t+1 hands back, h held fixed.
    These two need the explicit form: a run whose form was left open is repeated so; one asked to be fused is refused.
    Raises InputError or DtypeError for gradients that do not fit the run.
    """
    dy, dfinal = check_cotangents("bptt.backward", run, dy, dfinal)
    if clip_step is not None:
        check_positive("bptt.backward", "clip_step", clip_step)
    if run.form == "fused" and (clip_step is not None or record_flow):
        if not run.automatic:
            cause = "clip_step and record_flow look at every step, which the kernels keep to themselves"
            raise InputError(must_be("bptt.backward", "the run's form", "'explicit'", "'fused'", cause))
        run = _explicitly(run)
    if run.checkpoint_every is not None:
        return _backward_in_segments(run, dy, dfinal, clip_step, record_flow)
    if run.form == "fused":
        return Gradients(*fused.backward(run, dy, dfinal), None)
    return explicit_backward(run, dy, dfinal, clip_step, record_flow)


def explicit_forward(cell, x, state0, weights, masks, lengths, active, reverse):
    """The loop over ``cell.step``, arguments unchecked: -> states, each (T+1, B, H), and every step's saved values."""
    xp, T = xp_of(x), len(x)
    dtype = xp.result_type(x, *state0, *(w for w in weights if w is not None))
    states = tuple(xp.empty((T + 1, *s.shape), dtype) for s in state0)
    saved = [None] * T
    for s, s0 in zip(states, state0):
        s[T if reverse else 0] = s0  # thesis (2.2.1), or whatever was handed in
    for t in reversed(range(T)) if reverse else range(T):
        before, after = (t + 1, t) if reverse else (t, t + 1)
        old = tuple(s[before] for s in states)
        new, saved[t] = cell.step(x[t], old, weights, mask_at(masks, t))
        if active is not None:
            new = tuple(xp.where(active[t], n, o) for n, o in zip(new, old))
        for s, n in zip(states, new):
            s[after] = n
    return states, saved


def explicit_backward(run, dy, dfinal, clip_step=None, record_flow=False):
    """The loop over ``cell.step_backward``, from the last step run to the first; arguments unchecked."""
    xp, T, B = xp_of(run.x), len(run.x), run.x.shape[1]
    dtype = run.states[0].dtype
    dx = xp.zeros(run.x.shape, dtype)
    dweights = type(run.weights)(*(None if w is None else xp.zeros(w.shape, dtype) for w in run.weights))
    flow = {name: xp.zeros((T + 1, B), dtype) for name in run.cell.states} if record_flow else None
    dstate = dfinal
    for t in range(T) if run.reverse else reversed(range(T)):
        before, after = (t + 1, t) if run.reverse else (t, t + 1)
        e = (dstate[0] + dy[t], *dstate[1:])  # e_t: this step's loss and all later steps
        if clip_step is not None:
            clipped = clip_rows(e, clip_step)  # a padded step only hands on
            e = clipped if run.active is None else tuple(xp.where(run.active[t], c, d) for c, d in zip(clipped, e))
        if record_flow:
            _record(flow, after, e)
        if run.active is None:
            dx[t], dstate, step_dweights = run.cell.step_backward(e, run.saved[t], run.weights)
        else:
            arrived = tuple(xp.where(run.active[t], d, 0) for d in e)
            dx[t], dstate, step_dweights = run.cell.step_backward(arrived, run.saved[t], run.weights)
            dstate = tuple(xp.where(run.active[t], d, held) for d, held in zip(dstate, e))  # padded: s_t is s_{t-1}
        for total, part in zip(dweights, step_dweights):
            if total is not None:
                total += part  # one matrix serves every step: (2.2.2)
    if record_flow:
        _record(flow, before, dstate)
    return Gradients(dx, dstate, dweights, flow)


def clip_rows(e, limit):
    """Rescale each row of the concatenated states to norm <= limit: arrays (B, H) -> arrays (B, H). slides

    A row that is not finite stays as it is, and so do all under an infinite limit.
    """
    limit, xp = float(limit), xp_of(e[0])
    if limit == float("inf"):
        return tuple(e)
    with np.errstate(over="ignore"):
        norm = xp.sqrt(sum((d * d).sum(axis=-1, keepdims=True) for d in e))  # (B, 1)
    if not xp.isfinite(norm).all():  # squares too large for the type, of a row that may be finite
        top = xp.maximum(sum(abs(d).max(axis=-1, keepdims=True) for d in e), np.finfo(norm.dtype).tiny)
        with np.errstate(invalid="ignore"):
            scaled = top * xp.sqrt(sum(((d / top) ** 2).sum(axis=-1, keepdims=True) for d in e))
        norm = xp.where(xp.isfinite(norm), norm, xp.where(xp.isfinite(scaled), scaled, limit))
    scale = limit / xp.maximum(norm, limit)
    return tuple(d * scale for d in e)


class Window(NamedTuple):
    """One chunk of truncated backpropagation: steps ``start`` to ``start + len(run.x)`` of the stream."""

    start: int
    run: Run
    gradients: Gradients


def truncated(cell, x, state0, weights, window, loss_grad, masks=NO_MASKS, form=None, **backward_options):
    """Truncated BPTT over a long stream: yields a Window for every ``window`` steps of x (T, B, D). slides

    The value of the last state starts the next window; its gradient is cut. ``loss_grad(run, start)`` returns dy
    (window, B, H), the loss's gradient with respect to ``run.y``. Weights may be updated between windows: pass a
    function without arguments that returns the current ones. Options (clip_step, record_flow) go to ``backward``.
    Raises InputError for a window that is not a positive integer; the last window may be shorter.
    """
    check_positive("bptt.truncated", "window", window, whole=True)
    current = weights if callable(weights) else lambda: weights
    masks = Masks(*masks)
    for start in range(0, len(x), window):
        chunk = slice(start, start + window)
        here = Masks(*(m[chunk] if getattr(m, "ndim", 0) == 3 else m for m in masks))
        run = forward(cell, x[chunk], state0, current(), here, form=form)
        yield Window(start, run, backward(run, loss_grad(run, start), **backward_options))
        state0 = run.final


def active_steps(T, lengths, xp):
    """Which steps are real: lengths (B,) -> bool (T, B, 1)."""
    return (xp.arange(T)[:, None] < xp.asarray(lengths)[None, :])[..., None]


def mask_at(masks, t):
    """The masks of step t: (T, B, H) fields lose their first axis, the others serve every step."""
    return Masks(*(m[t] if getattr(m, "ndim", 0) == 3 else m for m in masks))


def _record(flow, position, e):
    for norms, d in zip(flow.values(), e):
        norms[position] = xp_of(d).sqrt((d * d).sum(axis=-1))


def _explicitly(run):
    """The same run in the explicit form; with checkpoints, its segments are about to be repeated anyway."""
    if run.checkpoint_every is not None:
        return replace(run, form="explicit")
    state0 = tuple(s[-1 if run.reverse else 0] for s in run.states)
    return forward(run.cell, run.x, state0, run.weights, run.masks, run.lengths, run.reverse, form="explicit")


# ------------------------------------------------------------------------------------------------------- checkpoints


def _segments(run):
    """(steps, rows) of every segment in the order in which it runs; rows None where no row has ended before it."""
    T, k = len(run.x), run.checkpoint_every
    starts = range(0, T, k)
    for start in reversed(starts) if run.reverse else starts:
        rows = None if run.lengths is None or run.lengths.min() > start else np.flatnonzero(run.lengths > start)
        if rows is None or len(rows):
            yield slice(start, min(start + k, T)), rows


def _run_segment(run, steps, rows, state):
    """Plain forward over a segment: the rows that have steps in it, from their state (rows, H)."""
    pick = (lambda a: a) if rows is None else (lambda a: a[..., xp_of(a).asarray(rows), :])
    masks = (m[steps] if getattr(m, "ndim", 0) == 3 else m for m in run.masks)
    masks = Masks(*(pick(m) if getattr(m, "ndim", 0) else m for m in masks))
    lengths = None
    if run.lengths is not None:
        lengths = np.minimum(run.lengths if rows is None else run.lengths[rows], steps.stop) - steps.start
    return forward(run.cell, pick(run.x[steps]), state, run.weights, masks, lengths, run.reverse, run.form)


def _forward_in_segments(run):
    """Fill in y, final and the checkpoints of a run whose ``final`` is the initial state."""
    T, B, _ = run.x.shape
    xp, state, kept = xp_of(run.x), tuple(s.copy() for s in run.final), []
    y = xp.zeros((T, B, state[0].shape[1]), run.x.dtype)
    for steps, rows in _segments(run):
        here = slice(None) if rows is None else xp.asarray(rows)
        entering = tuple(s[here].copy() for s in state)
        part = _run_segment(run, steps, rows, entering)
        kept.append(entering)
        y[steps, here] = part.y
        for s, left in zip(state, part.final):
            s[here] = left
        del part  # before the next one is made
    active = None if run.lengths is None else active_steps(T, run.lengths, xp)
    return replace(run, y=y, final=state, saved=tuple(kept), active=active)


def _backward_in_segments(run, dy, dfinal, clip_step, record_flow):
    """From the segment that ran last to the first: forward again from its checkpoint, then back through it."""
    xp, (T, B, _) = xp_of(run.x), run.x.shape
    dx, dstate, total = xp.zeros_like(run.x), tuple(d.copy() for d in dfinal), None
    flow = {name: xp.zeros((T + 1, B), run.x.dtype) for name in run.cell.states} if record_flow else None
    for (steps, rows), entering in reversed(list(zip(_segments(run), run.saved))):
        here = slice(None) if rows is None else xp.asarray(rows)
        part = _run_segment(run, steps, rows, entering)
        got = backward(part, dy[steps, here], tuple(d[here] for d in dstate), clip_step, record_flow)
        dx[steps, here] = got.x
        for d, arrived in zip(dstate, got.state0):
            d[here] = arrived
        total = got.weights if total is None else type(total)(
            *(None if a is None else a + b for a, b in zip(total, got.weights)))
        if record_flow:
            for norms, found in zip(flow.values(), got.flow.values()):
                norms[steps.start : steps.stop + 1, here] = found
        del part
    if record_flow and run.lengths is not None:  # after a row's last segment its gradient is handed on as it is
        ended = xp.asarray(np.minimum(-(-run.lengths // run.checkpoint_every) * run.checkpoint_every, T))
        for norms, d in zip(flow.values(), dstate if run.reverse else dfinal):
            norms[:] = xp.where(xp.arange(T + 1)[:, None] > ended, xp.sqrt((d * d).sum(axis=-1)), norms)
    return Gradients(dx, dstate, total, flow)

"""A whole recurrence as one operation of the tape, differentiated by the hand-derived backward of ``minirnn.bptt``."""

import threading
from contextlib import contextmanager

from minirnn import bptt
from minirnn.array import xp_of
from minirnn.autograd import grad, record, record_many, recording
from minirnn.autograd.tape import Tensor, lift
from minirnn.border import as_weights, check_sequence
from minirnn.cells import Masks
from minirnn.errors import DtypeError, in_our_words, must_be
from minirnn.nn import composed


class _Trust(threading.local):
    given = False


_trust = _Trust()


@contextmanager
def trusting(given):
    """Inside this context, where ``given``, single steps do not check what they are given: ``unroll`` has seen one."""
    before, _trust.given = _trust.given, given
    try:
        yield
    finally:
        _trust.given = before


@in_our_words
def recurrence(cell, x, state, weights, masks=None, *, lengths=None, reverse=False, form=None, clip_step=None,
               checkpoint_every=None):
    """A cell over a sequence: x (T, B, D), state (B, H) and weights Tensors -> y (T, B, H), final state.

    masks, lengths, reverse, form and checkpoint_every as in ``bptt.forward``, which raises the errors; clip_step as in
    ``bptt.backward``.
    A second derivative runs the recurrence again with tape operations (without clip_step: a clipped gradient is no
    derivative of anything).
    """
    if isinstance(cell, type) or not callable(getattr(cell, "step", None)):
        raise DtypeError(must_be("recurrence", "cell", "a cell, such as LSTM()", type(cell).__name__))
    if isinstance(cell, type) or not callable(getattr(cell, "step", None)):
        raise DtypeError(must_be("recurrence", "cell", "a cell, such as LSTM()", type(cell).__name__))
    masks = Masks() if masks is None else masks
    x, state = lift(x), tuple(lift(s) for s in state)
    given = cell.Weights(*(None if w is None else lift(w) for w in as_weights("recurrence", cell, weights)))
    arrays = cell.Weights(*(None if w is None else w.value for w in given))
    start = tuple(s.value for s in state)
    run = bptt.forward(cell, x.value, start, arrays, masks, lengths, reverse, form, checkpoint_every)
    parents = (x, *state, *(w for w in given if w is not None))

    def vjp(dy, *dfinal):
        if recording():
            return _again(parents, again, (dy, *dfinal))
        values = [None if d is None else d.value for d in (dy, *dfinal)]
        gradients = bptt.backward(run, values[0], tuple(values[1:]), clip_step=clip_step)
        dweights = [d for d in gradients.weights if d is not None]
        return [Tensor(d) for d in (gradients.x, *gradients.state0, *dweights)]

    def again(copies):
        x_again, state_again = next(copies), tuple(next(copies) for _ in state)
        weights_again = cell.Weights(*(None if w is None else next(copies) for w in given))
        y, final = composed.sequence(cell, x_again, state_again, weights_again, masks, run.lengths, reverse)
        return y, *final

    y, *final = record_many(cell.name, (run.y, *run.final), parents, vjp)
    return y, tuple(final)


def one_step(where, cell, x, state, weights, masks=None):
    """One step of a cell as one operation: x (B, D), state and weights Tensors -> new state, a tuple of (B, H).

    masks as in ``cells.Masks``, each (B, H) or a number. As ``recurrence`` with T = 1, which raises the errors.
    """
    x, state, masks = lift(x), tuple(lift(s) for s in state), Masks() if masks is None else masks
    arrays = cell.Weights(*(None if w is None else w.value for w in weights))
    values = tuple(s.value for s in state)
    if not _trust.given:
        _, values, arrays, masks, _ = check_sequence(where, cell, x.value[None], values, arrays, masks, None)
        masks = bptt.mask_at(masks, 0)
    new, saved = cell.step(x.value, values, arrays, masks)
    parents = (x, *state, *(w for w in weights if w is not None))

    def vjp(*dstate):
        if recording():
            return _again(parents, again, dstate)
        dstate = tuple(xp_of(n).zeros_like(n) if d is None else d.value for d, n in zip(dstate, new))
        dx, dprev, dweights = cell.step_backward(dstate, saved, arrays)
        return [Tensor(d) for d in (dx, *dprev, *(d for d in dweights if d is not None))]

    def again(copies):
        here = next(copies), tuple(next(copies) for _ in state)
        return composed.step(cell, *here, cell.Weights(*(None if w is None else next(copies) for w in weights)), masks)

    return record_many(cell.name, new, parents, vjp)


def _again(parents, run, cotangents):
    """Gradients of ``run``, which makes the outputs from copies of the parents on the tape, to be differentiated."""
    fresh = [identity(p) for p in parents]
    outputs = [(out, d) for out, d in zip(run(iter(fresh)), cotangents) if d is not None and out.requires_grad]
    wanted = [p for p in fresh if p.requires_grad]
    found = iter(grad([o for o, _ in outputs], wanted, [d for _, d in outputs], create_graph=True))
    return [next(found) if p.requires_grad else None for p in fresh]


def identity(x):
    """The same tensor as a new result, so that a walk back from later operations stops here."""
    return record("identity", x.value, (x,), lambda dy: (dy,))

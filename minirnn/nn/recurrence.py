"""A whole recurrence as one operation of the tape, differentiated by the hand-derived backward of ``minirnn.bptt``."""

from minirnn import bptt
from minirnn.autograd import grad, record, record_many, recording
from minirnn.autograd.tape import Tensor, lift
from minirnn.cells import Masks, Weights
from minirnn.errors import in_our_words
from minirnn.nn import composed


@in_our_words
def recurrence(cell, x, state, weights, masks=None, *, lengths=None, reverse=False, form=None, clip_step=None,
               checkpoint_every=None):
    """A cell over a sequence: x (T, B, D), state Tensors (B, H), Weights of Tensors -> y (T, B, H), final state (B, H).

    masks, lengths, reverse, form and checkpoint_every as in ``bptt.forward``, which raises the errors; clip_step as in
    ``bptt.backward``.
    A second derivative runs the recurrence again with tape operations (without clip_step: a clipped gradient is no
    derivative of anything).
    """
    masks = Masks() if masks is None else masks
    x, state = lift(x), tuple(lift(s) for s in state)
    given = Weights(*(None if w is None else lift(w) for w in weights))
    arrays = Weights(*(None if w is None else w.value for w in given))
    start = tuple(s.value for s in state)
    run = bptt.forward(cell, x.value, start, arrays, masks, lengths, reverse, form, checkpoint_every)
    parents = (x, *state, *(w for w in given if w is not None))

    def vjp(dy, *dfinal):
        if recording():
            return _composed_again((dy, *dfinal))
        values = [None if d is None else d.value for d in (dy, *dfinal)]
        gradients = bptt.backward(run, values[0], tuple(values[1:]), clip_step=clip_step)
        dweights = [d for d in gradients.weights if d is not None]
        return [Tensor(d) for d in (gradients.x, *gradients.state0, *dweights)]

    def _composed_again(cotangents):
        fresh = [_identity(p) for p in parents]
        copies = iter(fresh)
        x_again, state_again = next(copies), tuple(next(copies) for _ in state)
        weights_again = Weights(*(None if w is None else next(copies) for w in given))
        y, final = composed.sequence(cell, x_again, state_again, weights_again, masks, run.lengths, reverse)
        outputs = [(out, d) for out, d in zip((y, *final), cotangents) if d is not None and out.requires_grad]
        wanted = [p for p in fresh if p.requires_grad]
        found = iter(grad([o for o, _ in outputs], wanted, [d for _, d in outputs], create_graph=True))
        return [next(found) if p.requires_grad else None for p in fresh]

    y, *final = record_many(cell.name, (run.y, *run.final), parents, vjp)
    return y, tuple(final)


def _identity(x):
    """The same tensor as a new result, so that a walk back from later operations stops here."""
    return record("identity", x.value, (x,), lambda dy: (dy,))

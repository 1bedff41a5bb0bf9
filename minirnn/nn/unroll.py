"""A step made of several layers, over a sequence: attention, glimpses, a decoder that reads what it wrote."""

import copy

from minirnn import ops
from minirnn.array import xp_of
from minirnn.autograd import Tensor, record_many
from minirnn.autograd.tape import lift
from minirnn.border import check_lengths, check_positive
from minirnn.bptt import active_steps
from minirnn.errors import DtypeError, InputError, must_be
from minirnn.nn.checkpointed import checkpointed
from minirnn.nn.nest import leaves, names, rebuilt
from minirnn.nn.recurrence import identity, trusting
from minirnn.nn.streams import Extended
from minirnn.nn.streams import streams as as_streams


class Record:
    """What an unrolled step did, and after ``backward`` how its gradient travelled; by the names of the nest's leaves.

    ``states`` {name: (T+1, B, ...)} and ``y`` {name: (T, B, ...)}; ``flow`` {name: (T+1, B)}, the norm of each row of
    dL/d(state), and ``dy`` {name: (T, B)} that of dL/dy; zero where no gradient came. States are indexed between the
    inputs, as in ``bptt.Run``. A state's gradient is its Tensor's: with dL/dy_t where y_t is h_t itself, and in c_t
    without what comes through h_t where one operation makes both, as single-step cells do.

        record = nn.Record()
        y, _ = nn.unroll(step, x, {"h": h0}, record=record)
        ops.sum(y[-1]).backward()
        record.flow["h"][:, 0]    # how much of the last step's gradient arrives at each state of the first row
    """

    def __init__(self):
        self.states, self.y, self.flow, self.dy = {}, {}, {}, {}

    def note(self, place, T, state):
        """The state at one place of T+1, and a place for its gradient."""
        for name, tensor in zip(names(state), leaves(state)):
            xp = xp_of(tensor.value)
            if name not in self.states:
                self.states[name] = xp.zeros((T + 1, *tensor.shape), tensor.dtype)
                self.flow[name] = xp.zeros((T + 1, tensor.shape[0]), tensor.dtype)
            self.states[name][place] = tensor.value
            self._listen(tensor, self.flow[name], place)

    def outputs(self, y):
        """What came out, (T, B, ...) each, and a place for its gradient."""
        for name, tensor in zip(names(y), leaves(y)):
            self.y[name] = tensor.value
            self.dy[name] = xp_of(tensor.value).zeros(tensor.shape[:2], tensor.dtype)
            self._listen(tensor, self.dy[name], ...)

    @staticmethod
    def _listen(tensor, norms, place):
        def keep(gradient):
            d = gradient.value
            norms[place] = xp_of(d).sqrt((d * d).reshape(*norms[place].shape, -1).sum(axis=-1))

        if tensor.node is not None:
            tensor.hook(keep)


def unroll(step, inputs, state, *, lengths=None, reverse=False, checkpoint_every=None, record=None, streams=None):
    """Run ``step(x_t, state, streams) -> (y_t, state)`` over a sequence on the tape -> y, final state.

    inputs: a Tensor (T, B, ...) or a tuple or dict of them; state: any nest of Tensors (B, ...); y_t: a nest of Tensors
    (B, ...), which come back as (T, B, ...). lengths (B,): after its own steps a row holds its state and y is zero.
    ``reverse`` goes from the last step to the first, each row from its own last. ``checkpoint_every=k`` keeps what
    enters every k-th step and computes the rest again for the gradient; the step must then do the same again.
    ``record`` is a Record to fill. ``streams`` as ``nn.streams`` takes it; step t gets those whose names end with t.

        cell = nn.GRUCell(3, 4)
        y, h = nn.unroll(lambda x, h, streams: (h := cell(x, h), h), x, h0)    # x (T, B, 3), h0 (B, 4): y (T, B, 4)

    Raises InputError where inputs differ in T or B, and where a step returns no pair or another form of state.
    """
    if not callable(step):
        raise DtypeError(must_be("unroll", "step", "a function", type(step).__name__))
    inputs, state = (rebuilt(nest, map(lift, leaves(nest))) for nest in (inputs, state))
    T, B = _sizes(leaves(inputs))
    for name, leaf in zip(names(state), leaves(state)):
        if leaf.shape[:1] != (B,):
            raise InputError(must_be("unroll", f"state {name}".strip(), f"(B, ...) = ({B}, ...)", leaf.shape))
    lengths = check_lengths("unroll", lengths, T, B)
    loop = _Loop(step, inputs, reverse, lengths, record, T)
    parts, streams = leaves(inputs), as_streams(streams)
    if loop.active is not None:
        parts = [_zero_outside(loop.active, x) for x in parts]
    if record is not None:
        state = rebuilt(state, map(identity, leaves(state)))
        record.note(T if reverse else 0, T, state)
    if checkpoint_every is None:
        y, state = loop.run(range(T), [_steps(x) for x in parts], state, streams)
    else:
        check_positive("unroll", "checkpoint_every", checkpoint_every, whole=True)
        y, state = loop.run_in_segments(int(checkpoint_every), parts, state, streams)
    if loop.active is not None:
        y = [_zero_outside(loop.active, part) for part in y]
    y = rebuilt(loop.form_of_y, iter(y))
    if record is not None:
        record.outputs(y)
    return y, state


class _Loop:
    """The loop over time: which rows are active, what the step's results look like."""

    def __init__(self, step, inputs, reverse, lengths, record, T):
        self.step, self.inputs, self.reverse, self.record, self.T = step, inputs, reverse, record, T
        self.active = None if lengths is None else active_steps(T, lengths, xp_of(leaves(inputs)[0].value))
        self.shortest = T if lengths is None else int(lengths.min())
        self.form_of_y, self.seen = None, False  # seen: one step has been done and checked

    def run(self, times, parts, state, streams):
        """The steps ``times``, parts being the input's leaves, a Tensor a step -> y's leaves, state.

        The first step ever is done with the cells' own checks, which hold for all others.
        """
        made = [None] * len(times)
        for k in reversed(range(len(times))) if self.reverse else range(len(times)):
            x = rebuilt(self.inputs, iter([part[k] for part in parts]))
            with trusting(self.seen):
                result = self.step(x, state, None if streams is None else Extended(streams, times[k]))
            y, new = result if self.seen else self._first(result, state)
            if times[k] < self.shortest:
                state = new
            else:
                state = self._held(times[k], state, new)
                kept = {id(n): held for n, held in zip(leaves(new), leaves(state))}
                y = rebuilt(y, iter([kept.get(id(part), part) for part in leaves(y)]))  # h_t is y_t: one Tensor still
            made[k] = leaves(y)
            if self.record is not None:
                self.record.note(times[k] + (not self.reverse), self.T, state)
        return [ops.stack(part) for part in zip(*made)], state

    def run_in_segments(self, size, parts, state, streams):
        """As ``run`` over all steps, in segments of ``size`` that keep their results alone."""
        starts = range(0, self.T, size)
        times = [range(start, min(start + size, self.T)) for start in starts]
        cut = [ops.split(x, [len(t) for t in times]) for x in parts]
        made = [None] * len(times)
        for k in reversed(range(len(times))) if self.reverse else range(len(times)):
            results = checkpointed(self._segment(times[k], [part[k] for part in cut], state, streams))
            outputs = len(leaves(self.form_of_y))
            made[k], state = results[:outputs], rebuilt(state, iter(results[outputs:]))
        return [ops.concatenate(part) if len(part) > 1 else part[0] for part in zip(*made)], state

    def _segment(self, times, parts, state, streams):
        """A function that runs these steps and, however often it is called, draws the same."""
        fresh, kept = [streams], copy.deepcopy(streams)

        def run():
            given = fresh.pop() if fresh else copy.deepcopy(kept)
            y, after = self.run(times, [_steps(part) for part in parts], state, given)
            return [*y, *leaves(after)]

        return run

    def _first(self, result, state):
        """What the first step returned, or InputError where it cannot be the next step's state."""
        if not isinstance(result, tuple) or len(result) != 2:
            raise InputError(must_be("unroll", "what step returns", "a pair (y_t, state)", type(result).__name__))
        y, new = result
        forms = [[(name, tuple(getattr(leaf, "shape", ()))) for name, leaf in zip(names(s), leaves(s))] for s in result]
        before = [(name, leaf.shape) for name, leaf in zip(names(state), leaves(state))]
        if forms[1] != before:
            raise InputError(must_be("unroll", "the state that step returns", _in_words(before), _in_words(forms[1])))
        self.form_of_y, self.seen = rebuilt(y, iter([None] * len(forms[0]))), True
        return y, new

    def _held(self, t, state, new):
        """The new state for rows that are active at step t, the old one for the others."""
        pairs = zip(leaves(new), leaves(state))
        return rebuilt(state, iter([ops.where(_widened(self.active[t], n.ndim), n, o) for n, o in pairs]))


def _sizes(parts):
    """T and B of the inputs' leaves."""
    first = parts[0].shape[:2] if parts else ()
    if len(first) < 2 or 0 in first or any(part.shape[:2] != first for part in parts):
        got = ", ".join(str(part.shape) for part in parts) or "none"
        raise InputError(must_be("unroll", "inputs", "Tensors (T, B, ...) with one T and one B, at least 1", got))
    return first


def _in_words(form):
    return ", ".join(f"{name} {shape}".strip() for name, shape in form) or "nothing"


def _steps(x):
    """The rows of a Tensor along time: (T, B, ...) -> T Tensors (B, ...), as one operation."""

    def vjp(*dys):
        zero = Tensor(xp_of(x.value).zeros(x.shape[1:], x.dtype))
        return (ops.stack([zero if d is None else d for d in dys]),)

    return record_many("steps", list(x.value), (x,), vjp)


def _zero_outside(active, x):
    """Zero at the steps that a row does not have: active (T, B, 1), x (T, B, ...)."""
    return ops.where(_widened(active, x.ndim), x, Tensor(xp_of(x.value).zeros((), x.dtype)))


def _widened(active, ndim):
    """The mask (..., 1) with as many axes as what it is for, without its last where that has none."""
    last = active.ndim - 1
    return active.reshape(*active.shape[:last], *[1] * (ndim - last))

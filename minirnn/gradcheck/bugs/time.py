"""What goes wrong in the loop back through time: typed for padding, derived for every state and quantity of a cell."""

from functools import cache

from minirnn import bptt
from minirnn.gradcheck.bugs.mutant import in_words, planted, saved_fields

BUGS = planted(bptt.explicit_backward, [
    ("weight gradients are averaged over time, not summed", "total += part", "total += part / T"),
    ("padded steps leak into the gradients", "tuple(xp.where(run.active[t], d, 0) for d in e)", "e"),
    ("padded steps swallow the gradient instead of passing it on",
     "tuple(xp.where(run.active[t], d, held) for d, held in zip(dstate, e))", "dstate"),
    ("the initial state's gradient is that of the state after the first step",
     "return Gradients(dx, dstate,", "return Gradients(dx, e,"),
])
ARRIVES = "e = (dstate[0] + dy[t], *dstate[1:])"
LOOP = "range(T) if run.reverse else reversed(range(T))"
START = "dstate = dfinal"
SUM = "total += part"
BEFORE, AFTER = "(run.saved[-1], *run.saved[:-1])", "(*run.saved[1:], run.saved[0])"


@cache
def over_time(cell):
    """The Mutants of the loop over time for this cell: every off-by-one, what is not passed on, what is cut off."""
    rows = [*_of_the_loop(cell), *_of_the_sums(cell)]
    for k, state in enumerate(cell.states):
        rows += _of_a_state(k, state, cell.states)
    return planted(bptt.explicit_backward, rows)


def _of_the_loop(cell):
    yield "time step t = 0 is skipped by the loop back through time", LOOP, (
        "range(T - 1) if run.reverse else reversed(range(1, T))")
    yield "the last time step is skipped by the loop back through time", LOOP, (
        "range(1, T) if run.reverse else reversed(range(T - 1))")
    yield "the loop back through time is not reversed", LOOP, "reversed(range(T)) if run.reverse else range(T)"
    for k in (1, 2, 3):
        cut = f"(t != T - {k + 1})"
        yield f"the sequence is truncated: the gradient stops {k} step{'s' * (k > 1)} before the end", ARRIVES, (
            f"e = (dstate[0] * {cut} + dy[t], *(d * {cut} for d in dstate[1:]))")
    for words, dy in (("taken one step too early: dy[t-1] for dy[t]", "dy[t - 1]"), ("divided by T", "dy[t] / T"),
                      ("taken one step too late: dy[t+1] for dy[t]", "dy[(t + 1) % T]"), ("subtracted", "-dy[t]"),
                      ("taken in reverse order", "dy[T - 1 - t]"), ("added twice", "2 * dy[t]"),
                      ("forgotten: only the final state counts", "0 * dy[t]"), ("divided by B", "dy[t] / B"),
                      ("that of the last step alone", "(t == T - 1) * dy[t]")):
        yield f"the loss's gradient is {words}", ARRIVES, ARRIVES.replace("dy[t]", dy)
    for words, clipped in (("each entry is clipped at 1", "tuple(xp.clip(d, -1, 1) for d in {})"),
                           ("each row is scaled to a norm of at most 1", "clip_rows({}, 1)")):
        yield f"{words} at every step", ARRIVES, "e = " + clipped.format(ARRIVES.removeprefix("e = "))
    for when, steps in (("before", BEFORE), ("after", AFTER)):
        yield f"every step goes back with what the step {when} it kept", START, (
            f"{START}\n    run = replace(run, saved={steps})")
        for field in saved_fields(cell):
            yield f"{in_words(field)} is read from the step {when}, not from the step itself", START, (
                f"{START}\n    run = replace(run, saved=[a._replace({field}=b.{field}) for a, b in zip("
                f"run.saved, {steps})])")


def _of_the_sums(cell):
    yield "weight gradients are overwritten, not summed: only the first time step counts", SUM, "total[...] = part"
    yield "weight gradients count the last time step alone", SUM, "total += part * (t == T - 1)"
    yield "weight gradients are divided by the batch size", SUM, "total += part / B"
    for name in cell.Weights._fields:
        here = f"(total is dweights.{name})"
        yield f"{name} is overwritten, not summed: only the first time step counts", SUM, (
            f"total[...] = part + total * (not {here})")
        yield f"{name} is subtracted, not added", SUM, f"total += part * (1 - 2 * {here})"


def _of_a_state(k, state, states):
    arrives = [f"dstate[{j}]{' + dy[t]' * (j == 0)}" for j in range(len(states))]
    with_ = lambda one: f"e = ({', '.join([*arrives[:k], one, *arrives[k + 1 :]])},)"
    own = "dy[t]" if k == 0 else "0 * dstate[1]"
    yield f"d{state} from the next step is dropped: each step sees only its own loss", ARRIVES, with_(own)
    yield f"d{state} from the next step is counted twice", ARRIVES, with_(f"{arrives[k]} + dstate[{k}]")
    yield f"d{state} is added to, not replaced: what arrived at a step stays for the step before", ARRIVES, with_(
        f"{arrives[k]} + (0 if dstate is dfinal else e[{k}])")
    yield f"the gradient of the final state {state}_T is ignored", START, (
        f"{START[: -len('dfinal')]}tuple(d * (k != {k}) for k, d in enumerate(dfinal))")
    yield f"the gradient of the final state {state}_T is added at every step", ARRIVES, with_(
        f"{arrives[k]} + (dstate is not dfinal) * dfinal[{k}]")

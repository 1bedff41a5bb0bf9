"""What goes wrong in the loop back through time."""

from minirnn import bptt
from minirnn.gradcheck.bugs.mutant import planted

BUGS = planted(bptt.explicit_backward, [
    ("time step t = 0 is skipped by the loop back through time",
     "range(T) if run.reverse else reversed(range(T))",
     "range(T - 1) if run.reverse else reversed(range(1, T))"),
    ("the sequence is truncated too early: the gradient stops two steps before the end",
     "e = (dstate[0] + dy[t], *dstate[1:])",
     "e = (dstate[0] * (t != T - 3) + dy[t], *(d * (t != T - 3) for d in dstate[1:]))"),
    ("dh from the next step is dropped: each step sees only its own loss",
     "e = (dstate[0] + dy[t], *dstate[1:])", "e = (dy[t], *dstate[1:])"),
    ("the loss's gradient is taken one step too early: dy[t-1] for dy[t]",
     "e = (dstate[0] + dy[t], *dstate[1:])", "e = (dstate[0] + dy[t - 1], *dstate[1:])"),
    ("the gradient of the final state is ignored", "dstate = dfinal", "dstate = tuple(0 * d for d in dfinal)"),
    ("weight gradients are overwritten, not summed: only the first time step counts",
     "total += part", "total[...] = part"),
    ("weight gradients are averaged over time, not summed", "total += part", "total += part / T"),
    ("padded steps leak into the gradients", "tuple(xp.where(run.active[t], d, 0) for d in e)", "e"),
    ("padded steps swallow the gradient instead of passing it on",
     "tuple(xp.where(run.active[t], d, held) for d, held in zip(dstate, e))", "dstate"),
    ("the initial state's gradient is that of the state after the first step",
     "return Gradients(dx, dstate,", "return Gradients(dx, e,"),
])

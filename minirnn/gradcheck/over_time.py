"""What a wrong backward over a few steps counts: which step's quantities, and what arrives where, written out.

The gradients of the pre-activations can be read off at every step, because every row of x at every step is a unit
vector: da[t] of row b is a column of weight_ih's gradient. What arrived at a step follows from them, and is a sum of
known arrays: the step's loss, what the next step hands back, the final state's gradient. So "dh misses what the next
step hands back" and "da_i is dc * g * i[t-1] * (1 - i)" are found, and the weights' gradients as sums over steps.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from minirnn.cells import GRU, LSTM
from minirnn.gradcheck import recurrent
from minirnn.gradcheck.fits import DERIVED, added, equal, scaled, written
from minirnn.gradcheck.quantities import of_step

T, ROWS, UNITS = 4, 17, 6
NEXT, BEFORE = "the next step", "the step before"


class Steps(NamedTuple):
    """A problem of T steps, its gradients and what each step saved."""

    problem: Any
    truth: dict
    saved: tuple


def explain(cell, seed, dtype, bias, claim, same):
    """Lines about T steps of a recurrent gradient that is right for a single one; [] for none."""
    steps = _steps(cell, seed, dtype, bias)
    try:
        claimed = claim(steps.problem)
    except (ValueError, TypeError, IndexError, KeyError):  # code that is made for other sizes
        return []
    truth = steps.truth
    if any(n not in claimed or np.shape(claimed[n]) != true.shape for n, true in truth.items()):
        return []
    right = {name for name in truth if equal(claimed[name], truth[name], same)}
    da = _deltas(steps, (truth if right & {"x", "weight_ih"} else claimed)["weight_ih"])
    found = list(_arrivals(steps, da, claim, same)) if not right & {"x", "weight_ih"} else []
    handed, arrived, _ = _local(steps, da, same)
    found += _states(steps, claimed, handed, arrived, right, same)
    found += [] if "x" in right else _inputs(steps, claimed, da, same)
    found += _weights(steps, claimed, da, same)
    return [f"{T} steps: {line}".replace(f"1/{ROWS} ", "1/B ").replace(f"1/{T} ", "1/T ") for line in found]


@lru_cache(maxsize=8)
def _steps(cell, seed, dtype, bias):
    p = recurrent.random_problem(cell, seed, T=T, B=ROWS, D=T * ROWS, H=UNITS, dtype=np.dtype(dtype), bias=bias)
    shrunk = p.weights._replace(weight_ih=p.weights.weight_ih, weight_hh=p.weights.weight_hh / 2)
    p = recurrent.replace(p, x=np.eye(T * ROWS, dtype=p.x.dtype).reshape(T, ROWS, -1), weights=shrunk)
    state, saved = p.state0, []
    for x in p.x:
        state, kept = cell.step(x, state, p.weights)
        saved.append(kept)
    return Steps(p, recurrent.gradients(p), tuple(saved))


def _deltas(steps, weight_ih):
    """The gradients of the pre-activations (T, B, K H), from weight_ih's."""
    return weight_ih.T.reshape(T, ROWS, -1)


def _back(steps, t, arrived):
    """da (B, K H) and what step t hands back, for what arrived at it."""
    _, handed, dweights = steps.problem.cell.step_backward(arrived, steps.saved[t], steps.problem.weights)
    return dweights.weight_ih.T[t * ROWS : (t + 1) * ROWS], handed


def _arrived(steps, t, da):
    """What must have arrived at step t for this da."""
    cell, s = steps.problem.cell, steps.saved[t]
    block = dict(zip(cell.gates, np.split(da, len(cell.gates), axis=1)))
    if isinstance(cell, LSTM):
        dh = block["o"] / (s.o * (1 - s.o) * s.phi_c)
        return dh, block["g"] / (s.i * (1 - s.g**2)) - dh * s.o * (1 - s.phi_c**2)
    if isinstance(cell, GRU):
        new = s.z if cell.convention == "thesis" else 1 - s.z
        return (block["n"] / (new * (1 - s.n**2)),)
    return (da / (1 - s.h**2),)


def _local(steps, da, same):
    """For every step: what it hands back, what arrived at it, and whether its da follows from what arrived."""
    arrived = [_arrived(steps, t, da[t]) for t in range(T)]
    back = [_back(steps, t, a) for t, a in enumerate(arrived)]
    return [handed for _, handed in back], arrived, [equal(da[t], one, same) for t, (one, _) in enumerate(back)]


def _arrivals(steps, da, claim, same):
    """Lines about what arrived at each step, of steps with the same in one; else the first gate that is wrong."""
    p, (handed, arrived, follows) = steps.problem, _local(steps, da, same)
    said, fits = {}, all(follows)
    for t in reversed(range(T)) if fits else ():
        for k, state in enumerate(p.cell.states):
            terms = {"what the next step hands back": handed[t + 1][k]} if t < T - 1 else {
                f"the final state's gradient d{state}_T": p.dfinal[k]}
            if k == 0:
                terms["dy of the step"] = p.dy[t]
            others = _others(steps, t, k, handed, arrived, terms)
            words = added(arrived[t][k], terms, others, same)
            fits = fits and (bool(words) or equal(arrived[t][k], sum(terms.values()), same))
            said.setdefault(f"the d{state} that arrives {words}" if words else "", []).insert(0, t)
    yield from _at_steps(said) if fits else _gates(steps, claim, same)


def _at_steps(said):
    """{words: steps} as lines."""
    return [f"at t = {', '.join(map(str, at))}, {words}" for words, at in said.items() if words]


def _others(steps, t, k, handed, arrived, terms):
    """What may arrive at step t where it does not belong: a list of {words: array}, one of which is tried at a time."""
    p, states = steps.problem, steps.problem.cell.states
    elsewhere = [s for s in range(T) if s != t]
    dys = {f"dy of {_when(s - t)}": p.dy[s] for s in elsewhere} if k == 0 else {"dy of the step": p.dy[t]}
    backs = {f"what {_when(s - t)} hands back": handed[s][k] for s in range(T) if s != t + 1}
    final = {f"the final state's gradient d{state}_T": d for state, d in zip(states, p.dfinal)}
    whole = {f"all that arrives at {_when(s - t)}": arrived[s][k] for s in elsewhere}
    others = {"ones": np.ones_like(p.dy[t])}
    crossed = {f"the d{state} that {_when(s - t)} hands back": handed[s][j] for s in range(T)
               for j, state in enumerate(states) if j != k}
    every = [{w: a for w, a in one.items() if w not in terms} for one in (dys, backs, final, whole, crossed, others)]
    singles = [{w: a} for one in every for w, a in one.items()]
    return [*singles, *every, {**every[1], **every[2]}, {**every[0], **every[2]}]


def _when(shift):
    """Another step, seen from this one."""
    far = {0: "the step itself", 1: NEXT, -1: BEFORE}
    return far.get(shift, f"the step {abs(shift)} {'later' if shift > 0 else 'earlier'}")


def _gates(steps, claim, same):
    """Lines about the gates at the last step at which a loss there alone, on one state, leaves them wrong."""
    p, gates = steps.problem, steps.problem.cell.gates
    split = lambda g, t: dict(zip(gates, np.split(_deltas(steps, g["weight_ih"])[t], len(gates), axis=1)))
    for t in reversed(range(T)):
        found = []
        for state in p.cell.states if t == T - 1 else ("h",):
            here = _loss_on(p, state, t)
            got, true = split(claim(here), t), split(recurrent.gradients(here), t)
            arrives = here.dy[t] if state == "h" else here.dfinal[1]
            for gate in (k for k in gates if not equal(got[k], true[k], same)):
                name = f"da_{gate}" if len(gates) > 1 else "da"
                words = next(filter(None, (
                    written(got[gate], true[gate], _known(steps, t, other, {f"d{state}": arrives}, got), same,
                            deep=len(gates) == 1) for other in range(T) if other != t)), "")
                found += [f"a loss on {state} at t = {t}: {name} {words}"] * bool(words)
        if found:
            yield from found
            return


def _loss_on(p, state, t):
    """The problem with a loss on one state after step t alone; for c the last one."""
    none = tuple(np.zeros_like(d) for d in p.dfinal)
    if state == "h":
        return recurrent.replace(p.loss_at(t), dfinal=none)
    return recurrent.replace(p, dy=np.zeros_like(p.dy), dfinal=(none[0], p.dfinal[1]))


def _known(steps, t, other, arrives, da):
    """The quantities of step t and of another one, and what arrives."""
    p = steps.problem
    known = {**arrives, **of_step(p.cell, steps.saved[t], p.weights, da)}
    if isinstance(p.cell, LSTM):  # o of the step before is h_prev / tanh(c_prev), and should be called o[t-1]
        again = ("tanh(c_prev)", "h_prev") if other == t - 1 else ("tanh(c_prev)",)
        known = {name: array for name, array in known.items() if not any(one in name for one in again)}
    for name, array in of_step(p.cell, steps.saved[other], p.weights, da).items():
        left_out = name in DERIVED or name.startswith("W_n") or name.startswith("1 + ") and name.endswith("^2")
        if not left_out and not any(np.array_equal(array, k) for k in known.values()):
            known[_at(name, f"[t{other - t:+d}]")] = array
    return known


def _at(name, when):
    """A quantity's name with another step: "1 - i" is "1 - i[t-1]"."""
    return name.removesuffix("^2") + when + ("^2" if name.endswith("^2") else "")


def _states(steps, claimed, handed, arrived, right, same):
    """Lines about the initial states' gradients, which are what step 0 hands back."""
    p = steps.problem
    for k, state in enumerate(p.cell.states):
        name = f"{state}0"
        if name in right:
            continue
        others = [{f"what step {s} hands back": handed[s][k]} for s in range(1, T)]
        others += [{f"what arrives at step {s}": arrived[s][k]} for s in range(T)]
        others += [{f"the final state's gradient d{state}_T": p.dfinal[k]}, {"dy of step 0": p.dy[0]}]
        words = added(claimed[name], {"what step 0 hands back": handed[0][k]}, others, same)
        yield from [f"the gradient of {name} {words}"] * bool(words)


def _inputs(steps, claimed, da, same):
    """Lines about x's gradient: da[t] W_ih at every step."""
    p, said = steps.problem, {}
    through = da @ p.weights.weight_ih
    for t in range(T):
        others = [{f"that of {_when(s - t)}": through[s]} for s in range(T) if s != t]
        words = added(claimed["x"][t], {"that of the step": through[t]}, others, same)
        said.setdefault(f"dx {words}" if words else "", []).append(t)
    return _at_steps(said)


def _weights(steps, claimed, da, same):
    """Lines about the weights' gradients: sums over steps of products of da and what it was multiplied by."""
    p, cell, H = steps.problem, steps.problem.cell, UNITS
    into = da.copy()
    states = np.stack([_before(s) for s in steps.saved])
    inputs = {gate: states for gate in cell.gates}
    if isinstance(cell, GRU):
        r = np.stack([s.r for s in steps.saved])
        if cell.reset_after:
            into[..., 2 * H :] *= r
        else:
            inputs["n"] = r * states
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        if name not in claimed or equal(claimed[name], steps.truth[name], same):
            continue
        said = {}
        for k, gate in enumerate(cell.gates):
            rows = slice(k * H, (k + 1) * H)
            left = (into if name.endswith("hh") else da)[..., rows]
            other = np.ones((T, ROWS, 1)) if "bias" in name else p.x if name == "weight_ih" else inputs[gate]
            got = claimed[name][rows].reshape(H, -1)
            said.setdefault(_over_steps(got, left, other, name, same), []).append(gate)
        for words, of in said.items():
            some = f" gate{'s' * (len(of) > 1)} {', '.join(of)}" if len(of) < len(cell.gates) else ""
            yield from [f"{name}{some} {words}"] * bool(words)


def _before(saved):
    return saved.h_prev if hasattr(saved, "h_prev") else saved.h_in


def _over_steps(got, left, right, name, same):
    """Words about one block: how often each step counts, or which steps' arrays were multiplied with one another."""
    each = [l.T @ r for l, r in zip(left, right)]
    true = sum(each)
    words = scaled(got, true, same)
    if words or equal(got, true, same):
        return words
    columns = np.stack([one.ravel() for one in each], axis=1)
    counts, *_ = np.linalg.lstsq(columns, got.ravel(), rcond=None)
    if equal(got.ravel(), columns @ counts, same):
        times = ", ".join(f"{count:.4g}" if abs(count) > 1e-6 else "0" for count in counts)
        return f"counts the steps t = 0 .. {T - 1} so often: {times}; each belongs once"
    if "bias" in name:
        return ""
    what = "x" if name == "weight_ih" else "h_prev"
    pairs = {f"da[{s}] with {what}[{u}]": left[s].T @ right[u] for s in range(T) for u in range(T)}
    terms = {words: array for words, array in pairs.items() if words[3] == words[-2]}
    return added(got, terms, [pairs], same)

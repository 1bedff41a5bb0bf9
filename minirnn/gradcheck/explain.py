"""What a wrong backward of one step computes, written out by the step's own quantities: the smallest wrong case.

A backward pass is linear in what arrives, so a loss on one state alone leaves each gate's gradient one product, such as
dc * g * i * (1 - i). The logarithm of a product is a sum: exponents of i, 1 - i, g, ... that fit the claimed numbers at
many rows and units are found by least squares, and are whole numbers only for the product that is really there. So a
mistake that nobody listed is written out too: "da_i is dc * i * (1 - i), it should be dc * g * i * (1 - i)". What is
added up, over gates or rows, is a sum of known arrays, whose counts are found the same way. Where one step is right,
``over_time`` looks at several.
"""

from functools import lru_cache

import numpy as np

from minirnn.cells import GRU
from minirnn.gradcheck import over_time, recurrent
from minirnn.gradcheck.fits import GATES, added, equal, named, product
from minirnn.gradcheck.quantities import cell_keeps, knows, quantities

ROWS, UNITS = 24, 3  # one input for every row, so that the gradient of weight_ih is the gates' gradient itself
FAILS = (ValueError, TypeError, IndexError, KeyError)  # of code that is made for other sizes


def explain(problem, claim, same, seed=None):
    """Lines about the smallest wrong case of a recurrent gradient ``claim`` (problem -> {name: array}); [] for none.

    One step of ROWS rows, a loss on each state alone, and where that is right a few steps, at the point of ``seed``,
    which is by default another for every problem. ``same``: the relative error up to which numbers are equal.
    """
    if not knows(problem.cell):
        return []
    seed = int(abs(float(problem.x.sum())) * 1e6) % 2**31 if seed is None else seed
    alike = (problem.cell, seed, problem.x.dtype.name, problem.weights[-1] is not None)
    found = {}
    for state in problem.cell.states:
        here, truth = one_step(*alike, state)
        try:
            claimed = claim(here)
        except FAILS:
            break
        if set(truth) - set(claimed):
            return []
        for line in _lines(here, state, claimed, truth, same):
            found.setdefault(line, []).append(state)
    said = [f"one step, a loss on {' or '.join(states)}: {line}" for line, states in found.items()]
    return said or over_time.explain(*alike, claim, same)


@lru_cache(maxsize=16)
def one_step(cell, seed, dtype, bias, state):
    """A Problem with T = 1, x = identity and a cotangent of ``state`` alone, and its gradients."""
    p = recurrent.random_problem(cell, seed, T=1, B=ROWS, D=ROWS, H=UNITS, dtype=np.dtype(dtype), bias=bias)
    zero = np.zeros_like(p.dfinal[0])
    dfinal = tuple(d if name == state and name != "h" else zero for name, d in zip(cell.states, p.dfinal))
    dy = p.dy if state == "h" else np.zeros_like(p.dy)
    p = recurrent.replace(p, x=np.eye(ROWS, dtype=p.x.dtype)[None], dy=dy, dfinal=dfinal)
    return p, recurrent.gradients(p)


def _lines(p, state, claimed, truth, same):
    gates = p.cell.gates
    split = lambda g: dict(zip(gates, np.split(g["weight_ih"].T, len(gates), axis=1)))
    da, right = split(claimed), split(truth)
    if equal(claimed["x"], truth["x"], same):  # then the gates' gradients are right, whatever weight_ih says
        da = right
    known = {f"d{state}": p.dy[0] if state == "h" else p.dfinal[p.cell.states.index(state)], **quantities(p, da)}
    for gate in gates:
        others = {f"gate {gate} has the gradient of gate {k}": right[k] for k in gates if k != gate}
        yield from written(_of(gate, gates), da[gate], right[gate], known, same, others)
    if "c" in p.cell.states:
        yield from written("dc_prev", claimed["c0"], truth["c0"], known, same)
    yield from _sums(p, claimed, da, known, same)


def written(name, got, true, known, same, others=None):
    """One claimed array against the true one, both as products, or as one of ``others`` {words: array}.

    Nothing where it is right, or no product.
    """
    if equal(got, true, same):
        return
    should = product(true, known, same)
    if not np.abs(got).max() > same * max(np.abs(true).max(), 1e-300):
        if should:
            yield f"{name} is zero, it should be {should}"
        return
    yield from (words for words, other in (others or {}).items() if equal(got, other, same) and np.abs(other).max() > 0)
    is_now = product(got, known, same)
    if is_now and (should or not np.abs(true).max() > 0):
        yield f"{name} is {is_now}, it should be {should or 'zero'}"


def _sums(p, claimed, da, known, same):
    """Lines about what is added up from the gates' gradients: dx, dh_prev, the other weights, the biases."""
    gates, cell = p.cell.gates, p.cell
    W, U = (dict(zip(gates, np.split(w, len(gates)))) for w in (p.weights.weight_ih, p.weights.weight_hh))
    yield from added("dx", claimed["x"][0], {f"gate {k}": da[k] @ W[k] for k in gates}, [
        {f"{words}, where {_of(k, gates)} belongs": array @ W[k]} for k in gates
        for words, array in _deltas(da, known, k, gates)], same)
    inner = {k: da[k] @ U[k] for k in gates}
    state = p.state0[0]
    inputs, into = dict.fromkeys(gates, state), dict(da)
    terms, instead = {f"gate {k}": inner[k] for k in gates}, {}
    if isinstance(cell, GRU):
        r, direct = known["r"], known["keep"] * known["dh"]
        terms["gate n"] = (da["n"] * r) @ U["n"] if cell.reset_after else inner["n"] * r
        if cell.reset_after:
            into["n"] = da["n"] * r
        else:
            inputs["n"] = r * state
        terms[f"the direct path dh * {cell_keeps(cell)}"] = direct
        factors = {name: array for name, array in known.items() if name in GATES or name.startswith("1 - ")}
        instead = {"gate n without r": inner["n"], "dh, whole": known["dh"]}
        instead |= {f"dh * {name if ' ' not in name else f'({name})'}": known["dh"] * array
                    for name, array in factors.items()}
        if not cell.reset_after:
            instead |= {f"gate n with {name} for r": inner["n"] * array for name, array in factors.items()}
        instead |= {f"{words}, not through any matrix": array for words, array in
                    (("da_n", da["n"]), ("da_z", da["z"]), ("da_r", da["r"]))}
    turned = {f"gate {k}, its matrix transposed": da[k] @ U[k].T for k in gates}
    if isinstance(cell, GRU):
        turned["gate n, its matrix transposed"] = (into["n"] @ U["n"].T if cell.reset_after
                                                   else known["r"] * (da["n"] @ U["n"].T))
    swapped = {f"{words}, where {_of(k, gates)} belongs": array @ U[k] for k in gates
               for words, array in _deltas(da, known, k, gates)}
    others = [{words: array} for words, array in {**instead, **turned, **swapped}.items()]
    yield from added("dh_prev", claimed["h0"], terms, [*others, turned], same)
    for k, block in zip(gates, np.split(claimed["weight_ih"], len(gates))):
        others = {f"is made with {words}, where {_of(k, gates)} belongs": array.T @ p.x[0]
                  for words, array in _deltas(da, known, k, gates)}
        yield from named(f"weight_ih gate {k}", block, da[k].T @ p.x[0], others, same)
    for k, block in zip(gates, np.split(claimed["weight_hh"], len(gates))):
        right_input = "r * h_{t-1}" if inputs[k] is not state else "h_{t-1}"
        others = {"is made with h_t, where h_{t-1} belongs": into[k].T @ known["h_t"], "is made with h_{t-1} without r": into[k].T @ state,
                  "is made with the gradient without r": da[k].T @ inputs[k]}
        others |= {f"is made with {words}, where {right_input} belongs": into[k].T @ array for words, array in known.items()}
        others |= {f"is made with {words}, where {_of(k, gates)} belongs": array.T @ inputs[k]
                   for words, array in _deltas(da, known, k, gates)}
        yield from named(f"weight_hh gate {k}", block, into[k].T @ inputs[k], others, same)
    for name in ("bias_ih", "bias_hh"):
        if name in claimed:
            for k, block in zip(gates, np.split(claimed[name], len(gates))):
                right = (into if name == "bias_hh" else da)[k]
                others = {f"is the sum of {words}": array.sum(0) for words, array in _deltas(da, known, k, gates)}
                yield from named(f"{name} gate {k}", block, right.sum(0), {
                    **others, "is the sum of da_n without r": da[k].sum(0), "is the sum over everything": np.full_like(right[0], right.sum()),
                    "is the largest entry, not the sum": right.max(0),
                    "is the first row alone": right[0]}, same)


def _of(gate, gates):
    return f"da_{gate}" if len(gates) > 1 else "da"


def _deltas(da, known, gate, gates):
    """(words, array) of what somebody may take for a gate's gradient: another gate's, or what arrives at the step."""
    yield from ((_of(j, gates), da[j]) for j in gates if j != gate)
    arrived = [(name, array) for name, array in known.items() if name in ("dh", "dc")]
    yield from (*arrived, *_before_slopes(known).items())
    yield from ((name, array) for name, array in known.items() if name in GATES)


def _before_slopes(known):
    """The gradients of the gates themselves, which their slopes turn into those of the pre-activations."""
    if "c_prev" in known:
        dc = known["dc"] if "dc" in known else known["dh"] * known["o"] * (1 - known["tanh(c)"] ** 2)
        gates = {"di": dc * known["g"], "df": dc * known["c_prev"], "dg": dc * known["i"]}
        return gates | ({"do": known["dh"] * known["tanh(c)"]} if "dh" in known else {})
    if "n - h_prev" in known:
        dz, dn = known["dh"] * known["n - h_prev"], known["dh"] * (1 - known["keep"])
        back = known.get("W_n^T da_n")
        dr = dn * (1 - known["n"] ** 2) * known["W_n h + b"] if back is None else back * known["h_prev"]
        return {"dz": dz, "-dz": -dz, "dn": dn, "dr": dr} | ({} if back is None else {"W_n^T da_n": back})
    return {}

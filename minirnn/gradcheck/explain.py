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
from minirnn.gradcheck.fits import GATES, added, equal, named, scaled, written
from minirnn.gradcheck.quantities import cell_keeps, knows, quantities

ROWS, UNITS = 23, 3  # one input for every row, so that the gradient of weight_ih is the gates' gradient itself
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
    for state in reversed(problem.cell.states):  # a loss on c has the shorter products
        here, truth = one_step(*alike, state)
        try:
            claimed = claim(here)
        except FAILS:
            break
        if any(n not in claimed or np.shape(claimed[n]) != true.shape for n, true in truth.items()):
            return []
        for about, line in _lines(here, state, claimed, truth, same):
            if line and (about not in found or line in found[about]):
                found.setdefault(about, {}).setdefault(line, []).insert(0, state)
    said = {}
    for about, lines in found.items():
        for line, states in lines.items():
            line = line.replace(f"1/{ROWS} ", "1/B ")
            said.setdefault(f"one step, a loss on {' or '.join(states)}: ", {}).setdefault(line, []).append(about)
    return [start + _together(line, of) for start, lines in said.items() for line, of in lines.items()] or (
        over_time.explain(*alike, claim, same))


def _together(line, of):
    """One line for all it is said of: "weight_hh gates i, f" for weight_hh gate i and weight_hh gate f."""
    name, _, _ = of[0].partition(" gate ")
    if len(of) == 1:
        return f"{of[0]} {line}"
    if all(one.startswith(f"{name} gate ") for one in of):
        return f"{name} gates {', '.join(one.split()[-1] for one in of)} {line}"
    return f"{', '.join(of)}: each {line}"


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
    """(what is spoken of, what is said of it) of everything that is looked at, "" for nothing."""
    gates = p.cell.gates
    split = lambda g: dict(zip(gates, np.split(g["weight_ih"].T, len(gates), axis=1)))
    da, right = split(claimed), split(truth)
    if equal(claimed["x"], truth["x"], same):  # then the gates' gradients are right, whatever weight_ih says
        da = right
    arrives = {f"d{state}": p.dy[0] if state == "h" else p.dfinal[p.cell.states.index(state)]}
    known, rightly = ({**arrives, **quantities(p, given)} for given in (da, right))
    clipped = "" if da is right else scaled(claimed["weight_ih"], truth["weight_ih"], same)
    if len(gates) > 1 and clipped.startswith("is clipped"):
        yield "da, of all gates,", clipped
    else:
        for gate in gates:
            others = {f"has the gradient of gate {k}": right[k] for k in gates if k != gate}
            words = written(da[gate], right[gate], known, same, others, rightly=rightly)
            yield f"gate {gate}" if words in others else _of(gate, gates), words
    if "c" in p.cell.states:
        others = {"is what belongs to dh_prev": truth["h0"]}
        yield "dc_prev", written(claimed["c0"], truth["c0"], {**known, "dh_prev": claimed["h0"]}, same, others)
    wrong = {name: g for name, g in claimed.items() if not equal(g, truth[name], same)}
    yield from _sums(p, wrong, da, {**known, **({"dc_prev": truth["c0"]} if "c0" in truth else {})}, same)
    yield from _weights(p, wrong, truth, da, known, same)


def _sums(p, wrong, da, known, same):
    """What is said about dx and dh_prev, which are added up from the gates' gradients, where they are ``wrong``."""
    gates, cell = p.cell.gates, p.cell
    W, U = (dict(zip(gates, np.split(w, len(gates)))) for w in (p.weights.weight_ih, p.weights.weight_hh))
    if "x" in wrong:
        yield "dx", added(wrong["x"][0], {f"gate {k}": da[k] @ W[k] for k in gates}, [
            {f"{words}, where {_of(k, gates)} belongs": array @ W[k]} for k in gates
            for words, array in _deltas(da, known, k, gates)], same)
    if "h0" not in wrong:
        return
    into, _ = _products(p, da, known)
    through = lambda array, k, turned=False: (known["r"] * (array @ (U[k].T if turned else U[k])) if _reset(cell, k)
                                              else array @ (U[k].T if turned else U[k]))
    terms, instead = {f"gate {k}": through(into[k], k) for k in gates}, {}
    if isinstance(cell, GRU):
        terms[f"the direct path dh * {cell_keeps(cell)}"] = known["dh"] * known["keep"]
        instead = _instead(cell, da, known, U)
    if "dc_prev" in known:
        instead["what belongs to dc_prev"] = known["dc_prev"]
    turned = {f"gate {k}, its matrix transposed": through(into[k], k, turned=True) for k in gates}
    swapped = {f"{words}, where {_of(k, gates)} belongs": through(array, k) for k in gates
               for words, array in _deltas(da, known, k, gates)}
    name = "gate {} through the matrix of gate {}".format
    crossed = {name(k, j): (known["r"] if _reset(cell, k) else 1) * (into[k] @ U[j])
               for k in gates for j in gates if j != k}
    pairs = [{w: crossed[w] for w in (name(k, j), name(j, k))} for k in gates for j in gates if k < j]
    others = [{words: array} for words, array in {**instead, **turned, **swapped, **crossed}.items()]
    yield "dh_prev", added(wrong["h0"], terms, [*others, *pairs, turned], same)


def _instead(cell, da, known, U):
    """What a GRU's dh_prev may have in place of one of its terms: {words: array}."""
    factors = {name: array for name, array in known.items() if name in GATES or name.startswith("1 - ")}
    deltas = {**{_of(k, cell.gates): a for k, a in da.items()}, **_before_slopes(known)}
    bracketed = lambda name: name if " " not in name else f"({name})"
    found = {"gate n without r": da["n"] @ U["n"], "dh, whole": known["dh"]}
    found |= {f"dh * {bracketed(name)}": known["dh"] * array for name, array in factors.items()}
    if not cell.reset_after:
        found |= {f"gate n with {name} for r": da["n"] @ U["n"] * array for name, array in factors.items()}
    found |= {f"{words}, not through any matrix": array for words, array in deltas.items()}
    for factor, array in ((cell_keeps(cell), known["keep"]), ("r", known["r"])):
        found |= {f"{words} * {factor}": delta * array for words, delta in deltas.items()}
    return found | {name: array for name, array in factors.items()} | {f"dh * {cell_keeps(cell)}^2":
                                                                       known["dh"] * known["keep"] ** 2}


def _weights(p, wrong, truth, da, known, same):
    """What is said about the weights and biases, which are summed over the rows, where they are ``wrong``."""
    gates = p.cell.gates
    into, inputs = _products(p, da, known)
    for name in (name for name in p.cell.shapes(1, 1) if name in wrong):
        left = into if name.endswith("hh") else da
        times = dict.fromkeys(gates, p.x[0]) if name == "weight_ih" else inputs
        summed = (lambda a, k: a.sum(0)) if "bias" in name else (lambda a, k, times=times: a.T @ times[k])
        right = np.concatenate([summed(left[k], k) for k in gates])
        if equal(wrong[name], right, same):
            continue
        everything = np.full_like(right, right.sum())
        whole = named(wrong[name], right, {"is the sum over everything": everything} if "bias" in name else {}, same)
        if whole:
            yield name, whole
            continue
        for k, block, true in zip(gates, *(np.split(g[name], len(gates)) for g in (wrong, truth))):
            if equal(block, true, same):
                continue
            belongs = _of(k, gates)
            if "bias" in name:
                others = {f"is the sum of {words}": a.sum(0) for words, a in _deltas(da, known, k, gates)}
                others |= {"is the sum of da_n without r": da[k].sum(0), "is the first row alone": left[k][0],
                           "is the sum over all units": np.full_like(left[k][0], left[k].sum()),
                           "is the largest entry, not the sum": left[k].max(0)}
            else:
                others = _factors(p, k, into, inputs, da, known) if name == "weight_hh" else {}
                others |= {f"is made with {words}, where {belongs} belongs": a.T @ times[k]
                           for words, a in _deltas(da, known, k, gates)}
            about = f"{name} gate {k}" if len(gates) > 1 else name
            yield about, named(block, summed(left[k], k), others, same)


def _factors(p, k, into, inputs, da, known):
    """What a gate's recurrent weights may be made with in place of h_{t-1} or of da: {words: array}."""
    state, right = p.state0[0], "r * h_{t-1}" if _reset(p.cell, k) else "h_{t-1}"
    others = {"is made with h_t, where h_{t-1} belongs": into[k].T @ known["h_t"],
              "is made with h_{t-1} without r": into[k].T @ state,
              "is made with the gradient without r": da[k].T @ inputs[k]}
    others |= {f"is made with {words}, where {right} belongs": into[k].T @ array for words, array in known.items()}
    plain = {name: array for name, array in known.items() if name in GATES}
    return others | {f"is made with {one} * {other}, where {right} belongs": into[k].T @ (a * b)
                     for one, a in plain.items() for other, b in plain.items() if one <= other} if _reset(
                         p.cell, k) else others


def _reset(cell, gate):
    """Whether the state meets the reset gate before this gate's matrix."""
    return isinstance(cell, GRU) and gate == "n" and not cell.reset_after


def _products(p, da, known):
    """({gate: the gradient of its recurrent product}, {gate: what its recurrent matrix multiplies})."""
    into, inputs = dict(da), dict.fromkeys(p.cell.gates, p.state0[0])
    if isinstance(p.cell, GRU):
        into["n"] = da["n"] * (known["r"] if p.cell.reset_after else 1)
        inputs["n"] = inputs["n"] * (1 if p.cell.reset_after else known["r"])
    return into, inputs


def _of(gate, gates):
    return f"da_{gate}" if len(gates) > 1 else "da"


def _deltas(da, known, gate, gates):
    """(words, array) of what somebody may take for a gate's gradient: another gate's, or what arrives at the step."""
    yield from ((_of(j, gates), da[j]) for j in gates if j != gate)
    if "W_n h + b" in known:
        yield from ((f"{_of(j, gates)} * r", a * known["r"]) for j, a in da.items())
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

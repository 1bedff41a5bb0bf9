"""What a wrong backward of one step computes, written out as a product of the step's own quantities.

A backward pass is linear in what arrives, so a loss on one state alone leaves each gate's gradient one product, such as
dc * g * i * (1 - i). The logarithm of a product is a sum: exponents of i, 1 - i, g, ... that fit the claimed numbers at
many rows and units are found by least squares, and are whole numbers only for the product that is really there. So a
mistake that nobody listed is written out too: "da_i is dc * i * (1 - i), it should be dc * g * i * (1 - i)".
"""

import numpy as np

from minirnn.cells import GRU, LSTM, RNN
from minirnn.gradcheck import recurrent

ROWS, UNITS = 16, 3  # one input for every row, so that the gradient of weight_ih is the gates' gradient itself
WHOLE = 1e-4  # how near to a whole number an exponent must come
MOST = 3  # the largest exponent that is believed
GATES = ("i", "f", "g", "o", "r", "z", "n", "h_prev", "c_prev", "h_t", "c", "tanh(c)", "W_n h + b")
DERIVED = ("h_t", "keep")  # products of the others, which a product cannot tell from them


def explain(problem, claim, same, seed=1):
    """Lines about one step of a recurrent gradient ``claim`` (problem -> {name: array}) that is wrong; [] for none.

    One step of ROWS rows at the point of ``seed``, a loss on each state alone. ``same``: the relative error up to which
    numbers are equal.
    """
    kind = next((known for known in QUANTITIES if type(problem.cell) is known), None)
    if kind is None or getattr(problem.cell, "activation", "tanh") != "tanh" or (
            getattr(problem.cell, "nonlinearity", "tanh") != "tanh"):
        return []
    found = {}
    for state in problem.cell.states:
        here = one_step(problem, state, seed)
        try:
            claimed = claim(here)
        except (ValueError, TypeError, IndexError):  # code that is made for other sizes
            return []
        truth = recurrent.gradients(here)
        if set(truth) - set(claimed):
            return []
        for line in _lines(here, state, claimed, truth, same):
            found.setdefault(line, []).append(state)
    said = [f"one step, a loss on {' or '.join(states)}: {line}" for line, states in found.items()]
    return said or _over_time(problem.cell, claim, problem, seed, same)


def one_step(problem, state, seed):
    """A Problem of the same cell with T = 1, x = identity and a cotangent of ``state`` alone."""
    p = recurrent.random_problem(problem.cell, seed, T=1, B=ROWS, D=ROWS, H=UNITS, dtype=problem.x.dtype,
                                 bias=problem.weights[-1] is not None)
    zero = np.zeros_like(p.dfinal[0])
    dfinal = tuple(d if name == state and name != "h" else zero for name, d in zip(p.cell.states, p.dfinal))
    dy = p.dy if state == "h" else np.zeros_like(p.dy)
    return recurrent.replace(p, x=np.eye(ROWS, dtype=p.x.dtype)[None], dy=dy, dfinal=dfinal)


def _over_time(cell, claim, problem, seed, same):
    """Where one step is right: which steps each weight's gradient counts, and how often, as lines."""
    T = 4
    p = recurrent.random_problem(cell, seed, T=T, B=3, D=5, H=2 * T, dtype=problem.x.dtype,
                                 bias=problem.weights[-1] is not None)
    try:
        claimed = claim(p)
    except (ValueError, TypeError, IndexError):
        return []
    steps, truth = _by_step(p), recurrent.gradients(p)
    if not all(name in claimed and _equal(claimed[name], truth[name], same) for name in ("x", "h0")):
        return []
    lines = []
    for name in (n for n in steps[0] if not _equal(claimed[n], truth[n], same)):
        columns = np.stack([step[name].ravel() for step in steps], axis=1)
        counts, *_ = np.linalg.lstsq(columns, claimed[name].ravel(), rcond=None)
        if _equal(claimed[name].ravel(), columns @ counts, same):
            times = ", ".join(f"{count:.4g}" if abs(count) > 1e-6 else "0" for count in counts)
            lines.append(f"{T} steps: {name} counts the steps t = 0 .. {T - 1} so often: {times}; each belongs once")
    return lines


def _by_step(p):
    """[{weight: what step t adds to its gradient}] of a problem."""
    state, kept = p.state0, []
    for x in p.x:
        state, saved = p.cell.step(x, state, p.weights)
        kept.append(saved)
    back, parts = tuple(p.dfinal), []
    for t in reversed(range(len(p.x))):
        back = (back[0] + p.dy[t], *back[1:])
        _, back, dweights = p.cell.step_backward(back, kept[t], p.weights)
        parts.insert(0, {n: w for n, w in dweights._asdict().items() if w is not None})
    return parts


def _lines(p, state, claimed, truth, same):
    gates = p.cell.gates
    da, right = (dict(zip(gates, np.split(g["weight_ih"].T, len(gates), axis=1))) for g in (claimed, truth))
    known = {f"d{state}": p.dy[0] if state == "h" else p.dfinal[p.cell.states.index(state)],
             **QUANTITIES[type(p.cell)](p, da)}
    for gate in gates:
        yield from _written(_of(gate, gates), da[gate], right[gate], known, same)
    if "c" in p.cell.states:
        yield from _written("dc_prev", claimed["c0"], truth["c0"], known, same)
    yield from _sums(p, claimed, da, known, same)


def _written(name, got, true, known, same):
    """One claimed array against the true one, both as products; nothing where it is right or no product."""
    if _equal(got, true, same):
        return
    should = product(true, known, same)
    if not np.abs(got).max() > same * max(np.abs(true).max(), 1e-300):
        if should:
            yield f"{name} is zero, it should be {should}"
        return
    is_now = product(got, known, same)
    if is_now and (should or not np.abs(true).max() > 0):
        yield f"{name} is {is_now}, it should be {should or 'zero'}"


def product(values, known, same):
    """``values`` (B, H) as a product of powers of the ``known`` arrays, in words; "" where it is none.

    product(2 * dh * o, {"dh": dh, "o": o, "g": g}, 1e-6) is "2 * dh * o".
    """
    if not np.abs(values).min() > 0:
        return ""
    found = _fitted(values, known, same)
    plain = [name for name in known if name in GATES and name not in DERIVED] if not found else []
    for one in plain:  # a difference of two quantities in place of one factor
        for other in plain:
            if found or one == other:
                continue
            found = _fitted(values, {**known, f"{one} - {other}": known[one] - known[other],
                                     f"{one} + {other}": known[one] + known[other]}, same)
    return found


def _fitted(values, known, same):
    names = [name for name, array in known.items() if name not in DERIVED and np.abs(array).min() > 0]
    logs = np.stack([np.log(np.abs(known[name]).ravel()) for name in names] + [np.ones(values.size)], axis=1)
    fitted, *_ = np.linalg.lstsq(logs, np.log(np.abs(values).ravel()), rcond=None)
    powers = np.round(fitted[:-1]).astype(int)
    if np.abs(fitted[:-1] - powers).max() > max(WHOLE, 10 * same) or np.abs(powers).max() > MOST:
        return ""
    exact = np.ones_like(values)
    for name, power in zip(names, powers):
        exact = exact * known[name] ** float(power)
    factor = float((values * exact).sum() / (exact * exact).sum())
    if not _equal(values, factor * exact, same):
        return ""
    return _in_words(factor, dict(zip(names, powers)))


def _in_words(factor, powers):
    """(-1.0, {"dc": 1, "1 - g": 1, "1 + g": 1}) -> "-dc * (1 - g^2)"."""
    powers = dict(powers)
    for name in [n for n in powers if n.startswith("1 + ")]:
        plain, both = name.removeprefix("1 + "), powers[name]
        if both and both == powers.get(f"1 - {plain}"):
            powers[f"1 - {plain}"], powers[name] = 0, 0
            powers[f"1 - {plain}^2"] = both
    parts = []
    for name, power in powers.items():
        shown = f"({name})" if " " in name else name
        parts += [shown if power == 1 else f"{shown}^{power}"] if power else []
    number = "" if abs(abs(factor) - 1) < 1e-5 else f"{abs(factor):.6g}"
    return ("-" if factor < 0 else "") + " * ".join([number] * bool(number) + parts or ["1"])


def _sums(p, claimed, da, known, same):
    """Lines about what is added up from the gates' gradients: dx, dh_prev, the other weights, the biases."""
    gates, cell = p.cell.gates, p.cell
    W, U = (dict(zip(gates, np.split(w, len(gates)))) for w in (p.weights.weight_ih, p.weights.weight_hh))
    yield from _added("dx", claimed["x"][0], {f"gate {k}": da[k] @ W[k] for k in gates}, [
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
        quantities = {name: array for name, array in known.items() if name in GATES or name.startswith("1 - ")}
        instead = {"gate n without r": inner["n"], "dh, whole": known["dh"]}
        instead |= {f"dh * {name if ' ' not in name else f'({name})'}": known["dh"] * array
                    for name, array in quantities.items()}
        if not cell.reset_after:
            instead |= {f"gate n with {name} for r": inner["n"] * array for name, array in quantities.items()}
        instead |= {f"{words}, not through any matrix": array for words, array in
                    (("da_n", da["n"]), ("da_z", da["z"]), ("da_r", da["r"]))}
    turned = {f"gate {k}, its matrix transposed": da[k] @ U[k].T for k in gates}
    if isinstance(cell, GRU):
        turned["gate n, its matrix transposed"] = (into["n"] @ U["n"].T if cell.reset_after
                                                   else known["r"] * (da["n"] @ U["n"].T))
    swapped = {f"{words}, where {_of(k, gates)} belongs": array @ U[k] for k in gates
               for words, array in _deltas(da, known, k, gates)}
    others = [{words: array} for words, array in {**instead, **turned, **swapped}.items()]
    yield from _added("dh_prev", claimed["h0"], terms, [*others, turned], same)
    for k, block in zip(gates, np.split(claimed["weight_hh"], len(gates))):
        right_input = "r * h_{t-1}" if inputs[k] is not state else "h_{t-1}"
        others = {"h_t, where h_{t-1} belongs": into[k].T @ known["h_t"], "h_{t-1} without r": into[k].T @ state,
                  "the gradient without r": da[k].T @ inputs[k]}
        others |= {f"{words}, where {right_input} belongs": into[k].T @ array for words, array in known.items()}
        others |= {f"{words}, where {_of(k, gates)} belongs": array.T @ inputs[k]
                   for words, array in _deltas(da, known, k, gates)}
        yield from _named(f"weight_hh gate {k}", block, into[k].T @ inputs[k], others, same)
    for name in ("bias_ih", "bias_hh"):
        if name in claimed:
            for k, block in zip(gates, np.split(claimed[name], len(gates))):
                right = (into if name == "bias_hh" else da)[k]
                others = {f"the sum of {words}": array.sum(0) for words, array in _deltas(da, known, k, gates)}
                yield from _named(f"{name} gate {k}", block, right.sum(0), {
                    **others, "the sum of da_n without r": da[k].sum(0), "the mean over the batch": right.mean(0),
                    "the first row alone": right[0]}, same)


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


def cell_keeps(cell):
    """How much of the old state a GRU keeps, in words: "1 - z" in the thesis, "z" on the slides."""
    return "(1 - z)" if cell.convention == "thesis" else "z"


def _added(name, got, terms, instead, same):
    """A claimed sum against its ``terms``: which are missing or counted otherwise, and which of ``instead`` it has."""
    if _equal(got, sum(terms.values()), same):
        return
    for extra in ({}, *instead):
        every = {**terms, **extra}
        columns = np.stack([array.ravel() for array in every.values()], axis=1)
        counts, *_ = np.linalg.lstsq(columns, got.ravel(), rcond=None)
        if _equal(got.ravel(), columns @ counts, same):
            said = [_counted(words, count, words in terms) for words, count in zip(every, counts)]
            yield f"{name} " + ", ".join(words for words in said if words)
            return


def _counted(words, count, belongs):
    near = abs(count - 1) < 1e-4
    if near or abs(count) < 1e-4:
        return "" if near == belongs else f"misses {words}" if belongs else f"has {words}"
    return f"has {words} {count:.6g} times"


def _named(name, got, right, others, same):
    if _equal(got, right, same):
        return
    if not np.abs(got).max() > same * max(np.abs(right).max(), 1e-300):
        yield f"{name} is zero"
        return
    for words, other in others.items():
        if not _equal(right, other, same) and _equal(got, other, same):
            yield f"{name} is made with {words}" if "mean" not in words and "sum" not in words else f"{name} is {words}"
            return
    ratio = float((got * right).sum() / (right * right).sum())
    if _equal(got, ratio * right, same):
        yield f"{name} is {ratio:.6g} times the right one"


def _equal(one, other, same):
    return one.shape == other.shape and np.abs(one - other).max() <= same * max(np.abs(other).max(), 1e-300)


# ---------------------------------------------------------- what each cell has at hand: {name in words: array (B, H)}
def _saved(p):
    (_, saved) = p.cell.step(p.x[0], p.state0, p.weights)
    return saved


def _of_sigmoid(name, gate):
    return {name: gate, f"1 - {name}": 1 - gate, f"1 + {name}": 1 + gate}


def _of_tanh(name, gate):
    return {**_of_sigmoid(name, gate), f"1 + {name}^2": 1 + gate**2}


def _lstm(p, da):
    s = _saved(p)
    before = {"tanh(c_prev)": np.tanh(s.c_prev), "1 - tanh(c_prev)^2": 1 - np.tanh(s.c_prev) ** 2}
    forget = _of_sigmoid("f", s.f) if p.cell.forget_gate else {}
    gates = {**before, **_of_sigmoid("i", s.i), **forget, **_of_tanh("g", s.g), **_of_sigmoid("o", s.o),
             **_of_tanh("tanh(c)", s.phi_c)}
    c = s.f * s.c_prev + s.i * s.g
    return {**gates, "c_prev": s.c_prev, **_of_tanh("c", c), **_of_sigmoid("h_prev", s.h_in), "h_t": s.o * s.phi_c}


def _gru(p, da):
    s = _saved(p)
    H, new = s.h_prev.shape[1], s.z if p.cell.convention == "thesis" else 1 - s.z
    weight = p.weights.weight_hh[2 * H :]
    back = {"W_n^T da_n": da["n"] @ weight, "W_n da_n": da["n"] @ weight.T}
    more = {"W_n h + b": s.h_n, "1 - (W_n h + b)": 1 - s.h_n} if p.cell.reset_after else back
    h = (1 - new) * s.h_prev + new * s.n
    return {**_of_sigmoid("r", s.r), **_of_sigmoid("z", s.z), **_of_tanh("n", s.n), **_of_sigmoid("h_prev", s.h_prev),
            "n - h_prev": s.n - s.h_prev, **more, "keep": 1 - new, "h_t": h}


def _rnn(p, da):
    h = recurrent.outputs(p)[0][0]
    return {**_of_tanh("h", h), **_of_tanh("h_prev", p.state0[0]), "h_t": h}


QUANTITIES = {LSTM: _lstm, GRU: _gru, RNN: _rnn}

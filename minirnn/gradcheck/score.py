"""How many mistakes are named: one at a time is made in a right backward, at random, and the diagnosis is read.

What is said is right if it is said again at another point, with other numbers, and where it is a product, if that
product worked out at a third point is what the mistaken code computes there.
"""

import importlib
import re

import numpy as np

from minirnn.cells import GRU, LSTM, RNN
from minirnn.gradcheck import recurrent, written
from minirnn.gradcheck.cells import check_cell, measure_cell
from minirnn.gradcheck.explain import one_step
from minirnn.gradcheck.mistakes import mistakes
from minirnn.gradcheck.quantities import quantities
from minirnn.gradcheck.verdict import Verdict

KINDS = {"rnn": RNN(), "lstm": LSTM(), "gru": GRU(), "gru_reset_after": GRU(reset_after=True)}
SAID = ("looks like: ", "  one step, ", "  4 steps: ")  # a line of these begins names the mistake


def claim_of(style, cell, backward=None):
    """problem -> {name: gradient} by the layer of a style, with another ``backward`` if given."""
    module = importlib.import_module(f"minirnn.gradcheck.written.{style}")
    forward = getattr(module, f"{cell}_forward")
    backward = backward or getattr(module, f"{cell}_backward")

    def claim(p):
        arrays = [p.arrays[name].copy() for name in p.arrays]
        _, cache = forward(*arrays)
        weights = arrays[1 + len(p.dfinal) :]
        got = backward(p.dy.copy(), *(d.copy() for d in p.dfinal), cache, *weights)
        return dict(zip(p.arrays, got))

    return claim


def score(cell, count=500, seed=0, say=None):
    """Make up to ``count`` mistakes in a cell, spread over the styles, and read what is said of each -> dict.

    "made": how many change the gradient; "missed": not called WRONG; "named": in words; "right": of these, said again
    at another point, and true there; "recall": named of made; "precision": right of named; "unnamed": what was made in
    the others, in words. Mistakes that raise or change nothing are left out.
    """
    kind, rng = KINDS[cell], np.random.default_rng(seed)
    problems = [recurrent.random_problem(kind, k, T=5, B=4, D=6, H=3) for k in (0, 1)]
    truths = [recurrent.gradients(p) for p in problems]
    points = [measure_cell(p) for p in problems]
    every = [m for style in written.STYLES for m in mistakes(style, cell)]
    made, missed, named, false, unnamed = 0, [], 0, [], []
    for number in rng.permutation(len(every)):
        if made == count:
            break
        mistake = every[number]
        claim = claim_of(mistake.style, cell, mistake.backward)
        if not all(_shows(claim, p, truth) for p, truth in zip(problems, truths)):
            continue
        made += 1
        if say:
            say(f"{cell}: {made} of {count}")
        where = f"{mistake.style}, {mistake.words}"
        findings = [check_cell(p, claim, measurement=point) for p, point in zip(problems, points)]
        if any(f.verdict is not Verdict.WRONG for f in findings):
            missed.append(where)
            continue
        one, other = (said(f) for f in findings)
        alike = len({frozenset(line.partition(": ")[2] for line in lines) for lines in (one, other)}) == 1
        named += bool(one)
        if not one:
            unnamed.append(where)
        elif not alike or not all(holds(line, kind, claim) for line in one):
            false.append(where)
    right = named - len(false)
    return {"cell": cell, "made": made, "possible": len(every), "missed": missed, "named": named, "right": right,
            "recall": round(named / max(made, 1), 4), "precision": round(right / max(named, 1), 4), "false": false,
            "unnamed": unnamed}


def said(finding):
    """The lines of a diagnosis that name the mistake: none that only says where it shows.

    What is said array by array counts where it covers every array that is wrong.
    """
    lines = {line for line in finding.diagnosis if line.startswith(SAID)}
    wrong = [t.name for t in finding.tensors if t.verdict is Verdict.WRONG]
    of = {name: [line for line in finding.diagnosis if line.startswith(f"{name} ") and " gate " not in line and
                 not line.startswith(f"{name} is wrong in")] for name in wrong}
    return lines or (set().union(*of.values()) if all(of.values()) else set())


PRODUCT = re.compile(r"one step, a loss on (\w)(?: or \w)?: (da(?:_\w)?|dc_prev) is (.*), it should be (.*)")
NAMES = {"W_n^T da_n": "back", "W_n da_n": "turned", "W_n h + b": "m", "^": "**"}


SPOKEN_OF = re.compile(r"one step, a loss on (\w)(?: or \w)?: (.*?) (?:is|has|misses|each) ")
ARRAYS = {"dx": "x", "dh_prev": "h0", "dc_prev": "c0"}


def holds(line, kind, claim, seed=7):
    """Whether what a line says of one step is so at a point that the diagnosis never saw; other lines are believed.

    Both products of "da_i is P, it should be Q" are worked out from the step's quantities, the one compared with the
    claim, the other with the truth. Any other array must be wrong, and "k times the right one" where it is said to be;
    where a clip bites is the point's.
    """
    if "clipped" in line:
        return True
    match, spoken = PRODUCT.search(line), SPOKEN_OF.search(line)
    if not match:
        return not spoken or _wrong_as_said(line, *spoken.groups(), kind, claim, seed)
    state, name, is_now, should = match.groups()
    here, truth = one_step(kind, seed, "float64", True, state)
    arrives = here.dy[0] if state == "h" else here.dfinal[1]
    for words, gradients in ((is_now, claim(here)), (should, truth)):
        da = dict(zip(kind.gates, np.split(gradients["weight_ih"].T, len(kind.gates), axis=1)))
        value = gradients["c0"] if name == "dc_prev" else da[name[3:] if name[2:] else "h"]
        known = {f"d{state}": arrives, **quantities(here, da), "dh_prev": gradients["h0"]}
        plain = {NAMES.get(n, n): a for n, a in known.items() if n in NAMES or n.isidentifier()}
        for old, new in NAMES.items():
            words = words.replace(old, new)
        worked_out = 0 if words == "zero" else eval(words, {"tanh": np.tanh, "B": here.x.shape[1], **plain})
        if not np.allclose(value, worked_out, rtol=1e-5, atol=1e-9):
            return False
    return True


def _wrong_as_said(line, state, names, kind, claim, seed):
    """Whether each array of "weight_hh gates i, f" or "dx, dh_prev" is wrong, and scaled as the line has it."""
    here, truth = one_step(kind, seed, "float64", True, state)
    claimed, times = claim(here), re.search(r"(?:is|each is) ([-\d./B]+) times the right one", line)
    factor = eval(times[1], {"B": here.x.shape[1]}) if times else -1 if "wrong sign" in line else None
    name, _, some = names.partition(" gate")
    some = [k for k in kind.gates if k in re.findall(r"\b\w\b", some)] if name in claimed else []
    for each in [name] if some else [ARRAYS.get(n.strip(), n.strip()) for n in names.split(",")]:
        if each not in claimed:
            continue
        blocks = [np.split(g[each], len(kind.gates)) for g in (claimed, truth)] if some else None
        for k in some or [None]:
            got, true = (b[kind.gates.index(k)] for b in blocks) if some else (claimed[each], truth[each])
            if np.allclose(got, true, rtol=1e-6, atol=1e-9) or factor and not np.allclose(
                    got, factor * true, rtol=1e-4, atol=1e-9):
                return False
    return True


def _shows(claim, problem, truth):
    """Whether the mistaken code runs and gives finite gradients of the right shapes, at least one of them wrong."""
    try:
        with np.errstate(all="ignore"):
            got = claim(problem)
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, UnboundLocalError, NameError):
        return False
    if any(np.shape(got[name]) != true.shape or not np.isfinite(got[name]).all() for name, true in truth.items()):
        return False
    return any(np.abs(got[name] - true).max() > 1e-6 * np.abs(true).max() for name, true in truth.items())

"""How many mistakes are named: one at a time is made in a right backward, at random, and the diagnosis is read.

What is said is right if it is said again at another point, with other numbers.
"""

import importlib

import numpy as np

from minirnn.cells import GRU, LSTM, RNN
from minirnn.gradcheck import recurrent, written
from minirnn.gradcheck.cells import check_cell, measure_cell
from minirnn.gradcheck.mistakes import mistakes
from minirnn.gradcheck.verdict import Verdict

KINDS = {"rnn": RNN(), "lstm": LSTM(), "gru": GRU(), "gru_reset_after": GRU(reset_after=True)}
SAID = ("looks like: ", "one step, ", "4 steps: ")  # a line of these begins names the mistake


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

    "made": how many change the gradient; "missed": not called WRONG; "named": named in words; "right": of these, said
    again at another point; "unnamed": what was made in the others, in words. Mistakes that raise or change nothing
    are left out.
    """
    kind, rng = KINDS[cell], np.random.default_rng(seed)
    problems = [recurrent.random_problem(kind, k, T=5, B=4, D=6, H=3) for k in (0, 1)]
    truths = [recurrent.gradients(p) for p in problems]
    points = [measure_cell(p) for p in problems]
    every = [m for style in written.STYLES for m in mistakes(style, cell)]
    made, missed, named, right, unnamed = 0, [], 0, 0, []
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
        findings = [check_cell(p, claim, measurement=point) for p, point in zip(problems, points)]
        if any(f.verdict is not Verdict.WRONG for f in findings):
            missed.append(f"{mistake.style}, {mistake.words}")
            continue
        one, other = ({line for line in f.diagnosis if line.startswith(SAID)} for f in findings)
        if one:
            named += 1
            right += one == other
        else:
            unnamed.append(f"{mistake.style}, {mistake.words}")
    return {"cell": cell, "made": made, "possible": len(every), "missed": missed, "named": named, "right": right,
            "unnamed": unnamed}


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

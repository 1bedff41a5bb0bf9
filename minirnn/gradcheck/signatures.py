"""What a wrong gradient looks like: which blocks are wrong, in what way, from which time step, and by which mistake.

A mistake leaves a signature, its error at a random point, that no other mistake leaves. So the error is compared with
that of every planted bug at the same point; an equal one names the mistake.
"""

from functools import lru_cache

import numpy as np

from minirnn.gradcheck import mutants, recurrent
from minirnn.gradcheck.explain import explain
from minirnn.gradcheck.fits import scaled

SAME = {"float64": 1e-6, "float32": 2e-3}  # of the error's norm: two gradients count as one
ALIKE = 0.9  # cosine from which an error resembles a planted bug's


def describe(claimed, truth, same=1e-6, others=()):
    """How one array differs from the true one, in words; '' when nothing simple fits.

    claimed, truth: arrays of one shape; others: (words, array) of what it might be instead.
    """
    close = lambda a, b: a.shape == b.shape and np.abs(a - b).max() <= same * max(np.abs(b).max(), 1e-300)
    if not np.abs(claimed).max() > same * np.abs(truth).max():
        return "is zero"
    for words, other in others:
        if close(claimed, other):
            return f"is {words}"
    if truth.ndim == 2 and close(claimed, truth.T):
        return "is transposed"
    if not close(claimed, truth) and (words := scaled(claimed, truth, same)):
        return words
    if truth.ndim > 1 and len(truth) > 1 and close(claimed, truth[::-1]):
        return "is in reverse order along its first axis"
    for shift in (1, -1):
        if truth.ndim > 1 and len(truth) > 1 and close(claimed, np.roll(truth, shift, axis=0)):
            return f"is shifted by {shift} along its first axis"
    off = np.argwhere(np.abs(claimed - truth) > same * np.abs(truth).max())
    if truth.size > 1 and len(off) == 1:
        return f"is wrong in the one entry [{', '.join(map(str, off[0]))}]"
    return ""


def describe_finding(finding):
    """Lines about each wrong array of a check on any function, as far as every entry was measured."""
    lines = []
    for t in finding.tensors:
        if t.verdict == "WRONG" and t.measured is not None and np.isfinite(t.measured).all() and not t.note:
            words = describe(t.claimed.astype(float), t.measured, SAME[finding.dtype])
            lines += [f"the gradient of {t.name} {words}"] if words else []
    return lines


def described(finding):
    """The finding, with those lines where it is WRONG."""
    return finding.with_diagnosis(describe_finding(finding)) if finding.verdict == "WRONG" else finding


def diagnose(problem, claim, claimed, truth):
    """The diagnosis of a wrong recurrent gradient as lines of text.

    problem: a ``recurrent.Problem``; claim: problem -> {name: array}, the gradient under suspicion, asked again for
    losses at single steps; claimed, truth: {name: array} at the problem itself.
    """
    same = SAME[problem.x.dtype.name]
    blocks = list(_blocks(problem, claimed, truth))
    wrong = [(name, got, true) for name, got, true in blocks if _off(got, true, truth[name.split()[0]]) > same]
    right = [name for name in truth if not any(block.split()[0] == name for block, _, _ in wrong)]
    exact, near = nearest(problem, claimed, truth)
    written_out = explain(problem, claim, same)
    lines = ["smallest wrong case:", *(f"  {line}" for line in written_out)] if written_out else []
    lines += [f"looks like: {mutant.says}" for mutant in exact]
    lines += [f"            {before!r} written as {after!r}" for mutant in exact[:1] for before, after in
              _short_edits(mutant)]
    if not exact:
        lines += _array_by_array(blocks, wrong, claimed, truth, right, same)
    if near and not (written_out and all(mask is None for mask in problem.masks)):  # what is written out knows no masks
        mutant, cosine = near
        lines.append(f"resembles (cosine {cosine:.2f}): {mutant.says}")
    lines.append(f"wrong: {_by_array(problem, [name for name, _, _ in wrong])}")
    lines += [f"right: {', '.join(right)}"] if right else []
    return lines + _in_time(problem, claim, same)


def _array_by_array(blocks, wrong, claimed, truth, right, same):
    """Lines about each wrong array, or else about its gates."""
    for name in (n for n in truth if n not in right):
        words = describe(claimed[name], truth[name], same)
        if words:
            yield f"{name} {words}"
            continue
        for block, got, true in (b for b in wrong if b[0].split()[0] == name and b[0] != name):
            siblings = [(f"the {n.split(None, 1)[1]} gradient", t) for n, _, t in blocks if _sibling(n, block)]
            words = describe(got, true, same, siblings)
            if words:
                yield f"{block} {words}"


def nearest(problem, claimed, truth):
    """Planted bugs that give just this gradient (a tuple, usually of one), and else the (mutant, cosine) most alike."""
    same = SAME[problem.x.dtype.name]
    error = mutants.flat_errors(claimed, truth)
    exact, alike = [], []
    for mutant in mutants.mutants_of(problem.cell):
        other = mutants.flat_errors({n: g for n, g in _of_mutant(mutant, problem).items() if n in claimed}, truth)
        if np.linalg.norm(other) <= same:
            continue  # this bug does not show at this point
        if np.linalg.norm(error - other) <= same * np.linalg.norm(error):
            exact.append(mutant)
        one, two = np.linalg.norm(error), np.linalg.norm(other)
        if 2 / 3 < one / two < 3 / 2:  # a cosine forgets the length: a gate of zeros is no gate of the wrong sign
            alike.append((float(error @ other / (one * two)), mutant))
    cosine, mutant = max(alike, key=lambda pair: pair[0], default=(0.0, None))
    return tuple(exact), (mutant, cosine) if cosine >= ALIKE and not exact else None


_of_mutant = lru_cache(maxsize=2000)(mutants.gradients)  # asked again and again at one problem by a score


def _blocks(problem, claimed, truth):
    """("weight_hh gate f", claimed block, true block), one for each gate of a weight and one for any other array."""
    H = problem.cell.hidden(problem.weights)
    for name, true in truth.items():
        if name not in claimed:
            continue
        gates = () if name == "x" or name.endswith("0") else problem.cell.stacked(name)
        if len(gates) < 2:
            yield name, claimed[name], true
        else:
            for k, gate in enumerate(gates):
                rows = slice(k * H, (k + 1) * H)
                yield f"{name} gate {gate}", claimed[name][rows], true[rows]


def _off(got, true, whole):
    """The error of a block relative to the largest gradient of its whole array."""
    return np.abs(got - true).max() / max(np.abs(whole).max(), 1e-300)


def _sibling(name, other):
    return name != other and " " in name and name.split()[0] == other.split()[0]


def _by_array(problem, blocks):
    """Names of blocks, gates of one array together: "x, bias_ih (gates i, f), weight_ih"."""
    gates = {}
    for block in blocks:
        name, _, gate = block.partition(" gate ")
        gates.setdefault(name, []).append(gate)
    few = lambda name, g: len(g) < len(problem.cell.stacked(name)) and g[0]
    some = lambda g: f" (gate{'s' if len(g) > 1 else ''} {', '.join(g)})"
    return ", ".join(name + (some(g) if few(name, g) else "") for name, g in gates.items())


def _in_time(problem, claim, same):
    """For which steps a loss there alone has a wrong gradient, and the blocks of the first; the truth is the tape's."""
    T, wrong, right, first = len(problem.x), [], [], []
    for t in range(T + 1):
        here = problem.loss_at(t)
        truth, got = _truth_at(problem, t), claim(here)
        tiny = same * max(np.abs(true).max() for true in truth.values())
        bad = [n for n, g, true in _blocks(here, got, truth) if np.abs(g - true).max() > tiny]
        (wrong if bad else right).append("the final state" if t == T else f"t = {t}")
        first = first or bad
    if not wrong:
        return ["in time: right for a loss at any single step"]
    text = f"in time: wrong for a loss at {', '.join(wrong)}" + (f"; right at {', '.join(right)}" if right else "")
    return [text, f"a loss at {wrong[0]} alone is wrong in: {_by_array(problem, first)}"]


@lru_cache(maxsize=32)
def _truth_at(problem, step):
    return recurrent.composed_gradients(problem.loss_at(step))


def _short_edits(mutant):
    """A mutant's edits that fit a line."""
    return [(right, wrong) for right, wrong in mutant.edits if "\n" not in wrong and len(right) + len(wrong) < 90]

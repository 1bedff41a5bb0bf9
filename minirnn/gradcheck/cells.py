"""Checks of recurrent cells: a form of the gradient against differences, and one form against another."""

from dataclasses import replace

import numpy as np

from minirnn.errors import DtypeError, InputError, must_be
from minirnn.gradcheck import recurrent, signatures
from minirnn.gradcheck.check import compare
from minirnn.gradcheck.measurement import Measurement
from minirnn.gradcheck.verdict import Verdict


def measure_cell(problem, **options):
    """The slopes of a recurrent problem, from the explicit forward pass: -> Measurement."""
    names = list(problem.arrays)
    f = lambda *arrays: recurrent.outputs(problem.at(dict(zip(names, arrays))))
    cotangents = [kept(problem), *problem.dfinal]
    return Measurement(f, problem.arrays.values(), names=names, cotangents=cotangents, **options)


def check_cell(
    problem, claim=recurrent.gradients, *, name=None, measurement=None, rtol=None, constants=(), lenient=False
):
    """Check a gradient of a recurrent problem: claim(problem) -> {name of array: gradient}. -> Finding.

    claim defaults to the explicit backward; it is called at other arrays and with other cotangents too. A WRONG
    finding carries a diagnosis: the blocks that are wrong, from which time step, and the mistake it looks like.
    It is given copies, and what it returns is copied. ``constants`` and ``lenient`` as for ``check_vjp``.
    ``measurement`` is that of ``measure_cell`` for this problem, where one is at hand.
    """
    if not isinstance(problem, recurrent.Problem):
        raise DtypeError(must_be("check_cell", "problem", "a gradcheck.Problem", type(problem).__name__))
    point = measurement if measurement is not None else measure_cell(problem)
    names = list(problem.arrays)

    def vjp(dys, *arrays):
        got = claim(replace(problem.at(dict(zip(names, arrays))), dy=dys[0], dfinal=tuple(dys[1:])))
        for given in got:
            if given not in names:
                raise InputError(must_be(name, "the gradients' names", ", ".join(names), repr(given)))
        return tuple(got.get(n) for n in names)

    def isolated(p):
        """The claim on arrays of its own: code that adds to what it was given must not change the check's."""
        own = replace(p.at({n: a.copy() for n, a in p.arrays.items()}), dy=p.dy.copy(),
                      dfinal=tuple(d.copy() for d in p.dfinal))
        return {n: np.array(g) for n, g in claim(own).items() if g is not None}

    name = name or f"{problem.cell}"
    options = {"constants": constants, "lenient": lenient}
    finding = compare(point, vjp, name=name, rtol=rtol, in_words=problem.in_words, **options)
    finding = finding.with_blocks(problem.blocks)
    if finding.verdict is not Verdict.WRONG or finding.unclaimed or constants:
        return finding
    measured = {t.name: t.measured for t in finding.tensors if t.measured is not None}
    claimed = {t.name: t.claimed for t in finding.tensors if t.measured is not None}
    if len(measured) < len(finding.tensors) or not all(np.isfinite(c).all() for c in claimed.values()):
        return finding
    return finding.with_diagnosis(signatures.diagnose(problem, isolated, claimed, measured))


def largest_difference(one, other):
    """The largest difference of two {name: array}, relative to the largest entry of each array."""
    return max(float(np.abs(one[n] - other[n]).max() / max(1.0, np.abs(other[n]).max())) for n in other)


def kept(problem):
    """dy without what falls on padding, where y is zero whatever happens: (T, B, H)."""
    if problem.lengths is None:
        return problem.dy
    steps = np.arange(len(problem.dy))[:, None, None]
    return np.where(steps < np.asarray(problem.lengths)[None, :, None], problem.dy, 0)

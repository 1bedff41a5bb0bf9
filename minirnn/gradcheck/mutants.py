"""Planted bugs at work: the edited source of a ``step_backward``, or of the loop over time, compiled and run.

A gradient that comes out wrong is compared with every mutant's (``signatures``), and the same mutants measure how
good the checker is: each must be found, and named. The ``bugs`` lists them.
"""

import inspect
import textwrap
from dataclasses import fields
from functools import cache
from types import FunctionType

import numpy as np

from minirnn import bptt
from minirnn.cells import operands
from minirnn.gradcheck import recurrent
from minirnn.gradcheck.bugs import BUGS
from minirnn.gradcheck.bugs.derived import derived
from minirnn.gradcheck.bugs.time import over_time
from minirnn.gradcheck.recurrent import named, random_problem

SAME = 1e-6  # of the largest error: two bugs count as one


def gradients(mutant, problem):
    """dL/d(arrays) of a problem as the bug computes it: name -> array."""
    p = problem
    run = bptt.forward(p.cell, p.x, p.state0, p.weights, p.masks, p.lengths, p.reverse, form="explicit")
    cell, loop = _planted(mutant, p.cell)
    got = named(p, loop(_with_cell(run, cell), run.active * p.dy if run.active is not None else p.dy, p.dfinal))
    whole = lambda name, g: np.full_like(p.arrays[name], g) if np.ndim(g) == 0 else g  # a state's, without its terms
    return {name: whole(name, g) for name, g in got.items()}


@cache
def _planted(mutant, cell):
    """The cell and the loop over time with the bug in one of them."""
    edited = _edited(mutant)
    if mutant.function is bptt.explicit_backward:
        return cell, edited
    if mutant.function is operands.affine_backward:  # the same step, with another affine_backward among its globals
        step = type(cell).step_backward
        edited = FunctionType(step.__code__, {**step.__globals__, "affine_backward": edited}, step.__name__)
    kind = type(cell)
    buggy = type(kind.__name__, (kind,), {"step_backward": edited})
    return buggy(**{field.name: getattr(cell, field.name) for field in fields(cell)}), bptt.explicit_backward


def _edited(mutant):
    """The function compiled from its source with each fragment, which must occur exactly once, replaced."""
    function, source = mutant.function, mutant.source
    if source is None:
        source = textwrap.dedent(inspect.getsource(function))
        for right, wrong in mutant.edits:
            if source.count(right) != 1:
                name = function.__qualname__
                raise LookupError(f"mutants: {name} has {source.count(right)} times {right!r}, not once")
            source = source.replace(right, wrong)
    scope = dict(function.__globals__)
    exec(compile(source, f"<mutant of {function.__qualname__}>", "exec"), scope)
    return scope[function.__name__]


def _with_cell(run, cell):
    return type(run)(**{**vars(run), "cell": cell})


@cache
def mutants_of(cell):
    """The planted bugs this cell's backward pass can have: those typed by hand, then those derived from it.

    Of the derived ones only those that give finite gradients, wrong and unlike any before.
    """
    problem = random_problem(cell, T=5, masked=True, padded=True)
    truth = recurrent.gradients(problem)
    kept = [mutant for mutant in BUGS if mutant.applies(cell)]
    errors = [errors_of(mutant, problem, truth) for mutant in kept]
    for mutant in (*derived(cell), *over_time(cell)):
        try:
            error = errors_of(mutant, problem, truth)
        except ValueError:  # a name for another whose shape does not fit
            continue
        others = np.array([np.zeros_like(error), *errors])
        if np.isfinite(error).all() and np.abs(others - error).max(axis=1).min() > SAME * np.abs(error).max():
            kept.append(mutant)
            errors.append(error)
    return kept


def errors_of(mutant, problem, truth):
    """The errors of every array of a mutant's gradients, relative to its largest true entry, as one vector."""
    return flat_errors(gradients(mutant, problem), truth)


def flat_errors(claimed, truth):
    """The same of any gradients {name: array}; arrays that are missing are left out."""
    scale = {name: max(np.abs(t).max(), 1e-300) for name, t in truth.items()}
    off = {n: claimed[n] - truth[n] for n in truth if n in claimed}
    if any(np.shape(claimed[n]) != truth[n].shape for n in off):
        raise ValueError("a gradient has another shape than its array")
    return np.concatenate([(error / scale[n]).ravel() for n, error in off.items()])

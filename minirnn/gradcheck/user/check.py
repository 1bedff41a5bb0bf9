"""Checks of a user's own code: ``path/to/file.py:forward,backward`` or ``file.py:Class``."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from minirnn import cells
from minirnn.errors import DtypeError, InputError, must_be
from minirnn.gradcheck import signatures
from minirnn.gradcheck.check import check_vjp
from minirnn.gradcheck.user import trial
from minirnn.gradcheck.user.diagnosis import diagnosis, in_words
from minirnn.gradcheck.user.job import Job
from minirnn.gradcheck.user.running import Watch
from minirnn.gradcheck.verdict import Verdict

SECONDS = 10.0


def check_file(target, *, shapes=(), cell=None, saved=False, gates="", layout=(), init=None, dtype="float64", seed=0,
               constants=(), time_limit=SECONDS):
    """Check ``file.py:forward,backward[,inputs]``, ``file.py:Class`` or ``file.py:Class.forward,Class.backward``.

    forward(*args) -> y or (y, ...); backward(dy, *args) -> one gradient for each arg, or a dict of them by name. With
    ``saved``, forward returns (y, saved) and backward takes (dy, saved). Of a class the float attributes that forward
    reads are checked too, their gradients in attributes (dW, grads["W"], W.grad); ``init`` are the constructor's
    arguments as text: "5, 2". The file may be a notebook. The args are what ``inputs()`` of the file returns, a tuple
    or a dict, or random arrays of ``shapes`` ("3,5", or "int10:3" for integers below 10), or, with ``cell``, a sequence
    or a step for that recurrent cell; a wrong gradient is then diagnosed gate by gate. How its weights are laid out is
    said by ``gates`` ("figo") and ``layout`` ("in,hidden", "batch,time"), or found by trial and noted.
    Arguments named in ``constants`` need no gradient. Running the file, and each call, may take ``time_limit`` seconds.
    What the code prints comes on standard error, and only for the first call of each function. -> Finding.
    Raises InputError for a missing file or function, code that raises, and results of the wrong number or shape.
    """
    if not isinstance(target, (str, Path)):
        raise DtypeError(must_be("check_file", "target", "text or a path", type(target).__name__))
    if not isinstance(seed, int) or seed < 0:
        raise InputError(must_be("gradcheck", "--seed", "an integer of at least 0", repr(seed)))
    wanted = trial.asked(cell, gates, layout)
    with Watch(time_limit) as watch:
        job = Job(str(target), np.dtype(dtype), seed, saved, init, constants, watch)
        try:
            finding = _as_function(job, shapes, constants) if cell is None else _as_cell(job, cell, wanted, constants)
        except InputError as error:
            if job.keeps() and not saved:
                raise InputError(f"{error}; is --saved missing?") from error
            raise
    unlimited = () if watch.works else ("without a time limit, which needs the main thread of a system with timers",)
    return replace(finding, notes=(*finding.notes, *job.source.notes, *unlimited))


def _as_function(job, shapes, constants):
    """Any pair of functions, or an object's methods."""
    try:
        code, args = job.code_at(shapes)
        options = {"names": code.names, "rng": job.seed, "constants": constants, "lenient": True, "drawn": bool(shapes)}
        finding = check_vjp(code.forward, code.backward, args, name=job.name, **options)
    except InputError as error:
        if shapes and isinstance(error.__cause__, (IndexError, TypeError)) and "ind" in str(error.__cause__):
            raise InputError(f"{error}; for an argument of integers below 10 give --shapes int10:4,3") from error
        raise
    finding = finding if finding.unclaimed else signatures.described(finding)
    return replace(finding, notes=(*finding.notes, *code.notes))


def _fitted(job, cell, wanted):
    """(Fit, code, arguments): the first layout that suits backward too, else the first that backward runs in.

    Code for columns may take a batch forwards and not backwards.
    """
    error, first = None, None
    for found, code in trial.fits(job.cell_code, cell, wanted, job.dtype, job.seed, job.sizes):
        args = [np.ascontiguousarray(a) for a in found.layout.arrays(found.problem)]
        try:
            if code.probe(args).fits:
                return found, code, args
            first = first or (found, code, args)
        except InputError as raised:
            error = error or raised
    if first is None:
        raise error
    first[1].probe(first[2])
    return first


def _as_cell(job, cell, wanted, constants):
    """A recurrent cell in whatever layout, diagnosed gate by gate."""
    job.house = trial.house_names(cell)
    try:
        found, code, args = _fitted(job, cell, wanted)
    except InputError as error:
        if not job.may_take_a_pair(cells.find(cell)[1]):
            raise
        try:
            found, code, args = _fitted(job, cell, wanted)
        except InputError:
            raise error from None
    layout, problem = found.layout, found.problem
    job.known = code
    options = {"names": code.names, "rng": job.seed, "constants": constants, "lenient": True}
    finding = check_vjp(code.forward, code.backward, args, name=job.name, in_words=in_words(layout, problem), **options)
    finding = finding.with_blocks(lambda name: layout.blocks(name, problem.cell.hidden(problem.weights)))
    if finding.verdict is Verdict.WRONG and not finding.unclaimed:
        lines = diagnosis(job.cell_code, replace(layout, results=layout.results[: code.asked]), problem)
        finding = finding.with_diagnosis(lines or signatures.describe_finding(finding))
    other = [f"result {k}" for k, (role, _) in enumerate(layout.results) if not role]
    more = [f"{', '.join(other)}: checked, but nothing that a {layout.name} returns"] if other else []
    read = [] if trial.as_in_the_house(layout, cell) else [f"read as: {trial.in_words(layout)}"]
    return replace(finding, notes=(*finding.notes, *read, *more, *code.notes))

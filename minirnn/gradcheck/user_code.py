"""Checks of a user's own code: ``path/to/file.py:forward,backward``."""

import importlib.util
import io
import math
import sys
import traceback
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np

from minirnn import cells
from minirnn.errors import InputError, must_be
from minirnn.gradcheck import recurrent, signatures
from minirnn.gradcheck.cells import check_cell, kept
from minirnn.gradcheck.check import check_vjp
from minirnn.gradcheck.measurement import Measurement, argument_names, numbers_of, tupled
from minirnn.gradcheck.verdict import Verdict
from minirnn.memory_limit import check_fits

SAME_FORWARD = 1e-6
COPIES = 10  # of the arguments, that a check has at one time: copies, gradients, their noise, what backward keeps


def is_user_code(target):
    """Whether a command-line target names a file rather than a case of the suite."""
    path, colon, _ = target.rpartition(":")
    return target.endswith(".py") or bool(colon) and path.endswith(".py")


def check_file(target, *, shapes=(), cell=None, saved=False, dtype="float64", seed=0, constants=()):
    """Check ``file.py:forward,backward`` or ``file.py:forward,backward,inputs`` -> Finding.

    forward(*args) -> y or (y, ...); backward(dy, *args) -> one gradient for each arg. With ``saved``, forward returns
    (y, saved) and backward gets (dy, saved). The args are what ``inputs()`` of the file returns, or random arrays of
    ``shapes`` ("3,5"), or, with ``cell``, a sequence for that recurrent cell: x, h0 (c0), weight_ih, weight_hh,
    bias_ih, bias_hh -> y, h_T (c_T); a wrong gradient is then diagnosed gate by gate.
    Arguments named in ``constants`` need no gradient. What the code prints comes on standard error, and only for the
    first call of each function.
    Raises InputError for a missing file or function, code that raises, and results of the wrong number or shape.
    """
    if not isinstance(seed, int) or seed < 0:
        raise InputError(must_be("gradcheck", "--seed", "an integer of at least 0", repr(seed)))
    path, functions, called = _load(target)
    name = f"{path.name}:{','.join(called)}"
    forward, backward = (_guarded(path, f, n) for f, n in zip(functions[:2], called))
    if saved:
        forward = _pair(name, forward)
    f = (lambda *args: forward(*args)[0]) if saved else forward
    vjp = (lambda dy, *args: backward(dy, forward(*args)[1])) if saved else backward
    f.__name__ = called[0]
    if cell is not None:
        return _check_as_cell(name, f, vjp, cell, np.dtype(dtype), seed, constants)
    args = _inputs(path, functions[2:], shapes, np.dtype(dtype), seed)
    names = argument_names(functions[0], len(args))
    flat = lambda *a: _flat(f(*a))
    flat.__name__ = called[0]
    options = {"names": names, "rng": seed, "constants": constants, "lenient": True, "drawn": bool(shapes)}
    finding = check_vjp(flat, vjp, args, name=name, **options)
    if finding.verdict is Verdict.WRONG and not finding.unclaimed:
        return finding.with_diagnosis(signatures.describe_finding(finding))
    return finding


def _check_as_cell(name, f, vjp, cell, dtype, seed, constants):
    cell, kind = cells.named("gradcheck", cell, "--cell")
    problem = recurrent.random_problem(kind, seed, dtype=dtype)
    arrays = problem.arrays
    given = tupled(_flat(f(*(a.copy() for a in arrays.values()))))
    ours, yours = recurrent.outputs(problem), [numbers_of(y, f"result {k}", name) for k, y in enumerate(given)]
    if [np.shape(y) for y in yours] != [y.shape for y in ours]:
        expected = (
            f"y and the final state{'s' if len(ours) > 2 else ''}, of shapes {', '.join(str(y.shape) for y in ours)}"
        )
        raise InputError(must_be(name, "what forward returns", expected, ", ".join(str(np.shape(y)) for y in yours)))
    off = max(float(np.abs(a - b).max()) for a, b in zip(ours, yours))
    if off > (SAME_FORWARD if dtype == np.float64 else 1e-3):
        cause = f"check the order of the gates ({' '.join(kind.gates)}), or leave --cell out"
        raise InputError(must_be(name, "forward", f"the {cell} of this library", f"values {off:.1g} away", cause))

    def claim(p):
        got = vjp((p.dy.copy(), *(d.copy() for d in p.dfinal)), *(a.copy() for a in p.arrays.values()))
        if len(tupled(got)) != len(arrays):
            expected = f"{len(arrays)} gradients, of {', '.join(arrays)}"
            raise InputError(must_be(name, "what backward returns", expected, len(tupled(got))))
        return {n: numbers_of(g, f"the gradient of {n}", name) for n, g in zip(arrays, got) if g is not None}

    cotangents = [kept(problem), *problem.dfinal]
    point = Measurement(lambda *a: _flat(f(*a)), arrays.values(), names=list(arrays), cotangents=cotangents)
    return check_cell(problem, claim, name=name, measurement=point, constants=constants, lenient=True)


def _load(target):
    """The file and its functions; InputError for whatever is missing."""
    file, _, listed = target.rpartition(":") if ":" in target else (target, "", "forward,backward")
    names = [n.strip() for n in listed.split(",")]
    path = Path(file)
    if len(names) not in (2, 3) or not all(names):
        raise InputError(
            must_be("gradcheck", "target", "file.py:forward,backward or file.py:forward,backward,inputs", target)
        )
    if not path.is_file():
        raise InputError(must_be("gradcheck", "target", "a Python file", f"{file}, which does not exist"))
    spec = importlib.util.spec_from_file_location(f"checked_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent.resolve()))  # so that the file may import its neighbours
    try:
        with redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever a user's file raises is the user's, and is said in one line
        raise InputError(f"gradcheck: {path} does not run: {_one_line(path, error)}") from error
    finally:
        sys.path.remove(str(path.parent.resolve()))
    if len(names) == 2 and hasattr(module, "inputs"):
        names.append("inputs")
    for name in names:
        if not callable(getattr(module, name, None)):
            found = [
                n for n, v in vars(module).items() if callable(v) and getattr(v, "__module__", "") == module.__name__
            ]
            expected = f"a function of {path}, which defines {', '.join(found) or 'none'}"
            raise InputError(must_be("gradcheck", repr(name), expected, "no such function"))
    return path, [getattr(module, name) for name in names], names


def _guarded(path, function, name):
    """The function, whose exceptions become one clear line, and of whose prints those of the first call are shown."""
    shown = iter([sys.stderr])

    def call(*args):
        try:
            with redirect_stdout(next(shown, None) or io.StringIO()):
                return function(*args)
        except InputError:
            raise
        except (Exception, SystemExit) as error:  # as above
            raise InputError(f"gradcheck: {name} raised {_one_line(path, error)}") from error

    return call


def _pair(name, forward):
    """forward of code with --saved, which returns (y, saved)."""

    def call(*args):
        got = forward(*args)
        if not isinstance(got, (tuple, list)) or len(got) != 2:
            raise InputError(must_be(name, "what forward returns with --saved", "(y, saved)", type(got).__name__))
        return got

    return call


def _one_line(path, error):
    """ "ValueError: message (file.py, line 12)", the line being the last one in the user's own file."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).name == path.name]
    line = lines[-1] if lines else getattr(error, "lineno", None)
    return f"{type(error).__name__}: {error}" + (f" ({path.name}, line {line})" if line else "")


def _inputs(path, given, shapes, dtype, seed):
    if shapes:
        sizes = [math.prod(_shape(text)) for text in shapes]
        check_fits("gradcheck", "--shapes", COPIES * sum(sizes) * dtype.itemsize)
        rng = np.random.default_rng(seed)
        return [rng.standard_normal(_shape(text)).astype(dtype) for text in shapes]
    if not given:
        cause = "give --shapes 3,5 5,2, or --cell lstm, or a function inputs() in the file"
        raise InputError(must_be("gradcheck", "the arguments of forward", "known", "no shapes", cause))
    got = tupled(_guarded(path, given[0], "inputs")())
    args = [numbers_of(a, f"argument {k}", "inputs") for k, a in enumerate(got)]
    return [a.astype(dtype) if a.dtype.kind == "f" else a for a in args]


def _shape(text):
    parts = [part for part in text.strip("()").split(",") if part.strip()]
    if not all(part.strip().isascii() and part.strip().isdigit() and int(part) > 0 for part in parts):
        raise InputError(must_be("gradcheck", "--shapes", "positive sizes with commas between, like 3,5", repr(text)))
    return tuple(int(part) for part in parts)


def _flat(ys):
    """A result that may be nested, (y, (h, c)), as one level; a single array stays one."""
    if not isinstance(ys, (tuple, list)):
        return ys
    return tuple(part for y in ys for part in tupled(_flat(y)))

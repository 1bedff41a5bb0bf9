"""Bug hunts: the backward of a cell with one slip of the catalogue in it, whose line is to be named. ::

    h = hunt("lstm", seed=7)
    h                                       # the code, line by line
    print(check_cell(h.problem, h.backward))    # what gradcheck says of it
    h.answer(12)                            # is it line 12?
"""

import ast
import html
import inspect
import re
import textwrap
import zlib
from dataclasses import dataclass, fields
from functools import cache
from types import FunctionType

import numpy as np

from minirnn import bptt
from minirnn.cells import GRU, LSTM, RNN, operands
from minirnn.course.exercises.exercise import Report
from minirnn.course.exercises.guard import StudentError
from minirnn.errors import InputError, must_be, near
from minirnn.gradcheck import mutants, random_problem
from minirnn.gradcheck.bugs.derived import source_of
from minirnn.gradcheck.recurrent import gradients, named

CELLS = {"rnn": RNN(), "lstm": LSTM(), "gru": GRU(), "gru_reset_after": GRU(reset_after=True)}
GIVEN_AWAY = ("0 * ", "1 * ", "\n", "ACTIVATIONS[")  # what nobody writes by mistake
OTHER_NAMES = {"da": ("delta", "d_a", "grad_a"), "dx": ("d_x", "grad_x"), "dh_in": ("d_in", "back", "grad_in"),
               "dweights": ("grads", "dw"), "dbias": ("db", "d_b", "grad_b"), "slope": ("derivative", "dphi")}
LONG = re.compile(r", (weight_hh|bias_ih|bias_hh)=")  # where a call of Weights goes on in a line of its own
SLIP = 40  # characters more than the right code has: what is longer is no slip
TELLING = 1e-3  # of a gradient: a slip must change some gradient by more


@dataclass(frozen=True, repr=False)
class Hunt:
    """One hunt: ``source`` is the code to read, ``backward(problem)`` -> {name: gradient} runs it, as a claim of
    ``check_cell``, and ``problem`` is one to try it at."""

    cell: str
    seed: int
    source: str
    _lines: tuple
    _says: str
    _run: FunctionType

    @property
    def problem(self):
        return random_problem(CELLS[self.cell], self.seed)

    def backward(self, problem):
        """The gradients of a problem of this cell, as the code computes them: name -> array."""
        p = problem
        run = bptt.forward(p.cell, p.x, p.state0, p.weights, p.masks, p.lengths, p.reverse, form="explicit")
        kind = type(p.cell)
        buggy = type(kind.__name__, (kind,), {"step_backward": self._run})
        cell = buggy(**{field.name: getattr(p.cell, field.name) for field in fields(p.cell)})
        own = type(run)(**{**vars(run), "cell": cell})
        return named(p, bptt.explicit_backward(own, run.active * p.dy if run.active is not None else p.dy, p.dfinal))

    def answer(self, line):
        """Whether the slip is in this line, 1 for the first: -> Named, true where it is."""
        try:
            report = self.report(line)
        except StudentError as error:
            return Named(False, str(error))
        return Named(report.solved, report.lines[0])

    def report(self, line):
        """The same as a Report; StudentError for what is no line number."""
        last = len(self.source.splitlines())
        if isinstance(line, bool) or not isinstance(line, (int, np.integer)) or not 1 <= line <= last:
            got = line if isinstance(line, (int, float)) else type(line).__name__
            raise StudentError(f"the line must be a number from 1 to {last}, got {got}")
        if line in self._lines:
            return Report(1.0, (f"line {line} it is: {self._says}",))
        return Report(0.0, (f"line {line} is right: let gradcheck say which arrays are wrong, and from where",))

    def __repr__(self):
        return "\n".join(f"{n:>3}  {line}" for n, line in enumerate(self.source.splitlines(), 1))

    def _repr_html_(self):
        return f"<p>One line of this backward of <b>{self.cell}</b> is wrong.</p><pre>{html.escape(repr(self))}</pre>"


@dataclass(frozen=True, repr=False)
class Named:
    """What came of naming a line."""

    solved: bool
    says: str

    def __bool__(self):
        return self.solved

    def __repr__(self):
        return f"{'✓' if self.solved else '✗'} {self.says}"


def hunt(cell, seed=0):
    """A backward of "rnn", "lstm", "gru" or "gru_reset_after" with one slip: equal for equal seeds, -> Hunt.

    The seed chooses the slip, the order of the lines and some names. InputError for another cell or seed.
    """
    if cell not in CELLS:
        known = f"one of {', '.join(CELLS)}"
        raise InputError(must_be("hunt", "cell", known, repr(cell), near(str(cell), CELLS)))
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise InputError(must_be("hunt", "seed", "a whole number of at least 0", repr(seed)))
    slips = _slips(cell)
    round_, place = divmod(int(seed), len(slips))
    order = np.random.default_rng([round_, zlib.crc32(cell.encode())]).permutation(len(slips))
    mutant = slips[order[place]]
    return _hunt(cell, int(seed), mutant)


@cache
def _slips(cell):
    """The planted bugs of the step that look like a slip and change the gradient."""
    problem = random_problem(CELLS[cell])
    right, found = gradients(problem), []
    for mutant in mutants.mutants_of(CELLS[cell]):
        plain = not any(mark in wrong or len(wrong) > len(right_one) + SLIP
                        for right_one, wrong in mutant.edits for mark in GIVEN_AWAY)
        if plain and mutant.function is not bptt.explicit_backward:
            wrong = mutants.gradients(mutant, problem)
            if any(np.abs(wrong[n] - g).max() > TELLING * np.abs(g).max() for n, g in right.items()):
                found.append(mutant)
    return found


def _hunt(cell, seed, mutant):
    step = type(CELLS[cell]).step_backward
    functions = [step] + [operands.affine_backward] * ("affine_backward" in step.__code__.co_names)
    rng = np.random.default_rng(seed)
    texts, right = [], []
    for function in functions:
        one, two = _shuffled(*_with_and_without(function, mutant, CELLS[cell]), rng)
        right.append(one)
        texts.append(two)
    source = "\n\n\n".join(texts)
    lines = [n for n, (one, two) in enumerate(zip("\n\n\n".join(right).splitlines(), source.splitlines()), 1)
             if one != two]
    scope = {**operands.affine_backward.__globals__, **step.__globals__}
    exec(compile(source, f"<hunt {cell} {seed}>", "exec"), scope)
    return Hunt(cell, seed, source, tuple(lines), mutant.says, scope["step_backward"])


def _with_and_without(function, mutant, cell):
    """A function's source as it is, and with the slip if it is made there."""
    if function is mutant.function and mutant.source is not None:
        return source_of(cell), mutant.source
    clean = slipped = textwrap.dedent(inspect.getsource(function))
    for good, bad in mutant.edits if function is mutant.function else ():
        slipped = slipped.replace(good, bad)
    return clean, slipped


def _shuffled(clean, slipped, rng):
    """Both functions with their statements in the same other order, one in which every name is made before it is used
    and nothing is used after it is made anew, some names changed; comments and the docstring are left out."""
    trees = [ast.parse(text) for text in (clean, slipped)]
    bodies = [tree.body[0].body for tree in trees]
    for body in bodies:
        del body[0]  # the docstring
    uses = [[_names(statement) for statement in body] for body in bodies]
    count, before = len(bodies[0]), {}
    for late in range(count):
        before[late] = {early for early in range(late) for use in uses if _depend(use[early], use[late])}
    before[count - 1] = set(range(count - 1))  # the return
    order = []
    while len(order) < count:
        ready = [n for n in range(count) if n not in order and before[n] <= set(order)]
        order.append(ready[rng.integers(len(ready))])
    for body in bodies:
        body[:] = [body[n] for n in order]
    renamed = {name: rng.choice([name, *others]) for name, others in OTHER_NAMES.items()}
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Name):
            node.id = str(renamed.get(node.id, node.id))
        elif isinstance(node, ast.arg):
            node.arg = str(renamed.get(node.arg, node.arg))
    return [LONG.sub(r",\n        \1=", ast.unparse(tree)) for tree in trees]


def _names(statement):
    """(names read, names made) in a statement."""
    nodes = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
    made = {node.id for node in nodes if isinstance(node.ctx, ast.Store)}
    changed = {node.value.id for node in ast.walk(statement) if isinstance(node, ast.Subscript)
               and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name)}
    return {node.id for node in nodes if isinstance(node.ctx, ast.Load)} | changed, made | changed


def _depend(early, late):
    (reads, makes), (reads_late, makes_late) = early, late
    return bool(makes & reads_late or reads & makes_late or makes & makes_late)


@dataclass(frozen=True)
class Hunted:
    """The checker of a bug hunt whose seed the student chose or was given: the answer is (seed, line)."""

    cell: str

    def judge(self, answer):
        """All of the points or none."""
        if not isinstance(answer, (tuple, list)) or len(answer) != 2:
            raise StudentError("the answer must be (seed, line), such as (7, 12)")
        seed, line = answer
        try:
            found = hunt(self.cell, seed)
        except InputError as error:
            raise StudentError(str(error)) from None
        return found.report(line)

"""How many mistakes are named: one at a time is made in a right backward, at random, and the diagnosis is read.

The mistakes are edits of the syntax tree (a factor left out, a name for another, 1 - s for s, += for =, a step too many
or too few), not the list that the diagnosis knows, in the layers of ``minirnn.gradcheck.written``. What is said is
right if it is said again at another point, with other numbers.
"""

import ast
import copy
import importlib
import inspect
import textwrap
from dataclasses import dataclass

import numpy as np

from minirnn.cells import GRU, LSTM, RNN
from minirnn.gradcheck import recurrent, written
from minirnn.gradcheck.cells import check_cell, measure_cell
from minirnn.gradcheck.verdict import Verdict

KINDS = {"rnn": RNN(), "lstm": LSTM(), "gru": GRU(), "gru_reset_after": GRU(reset_after=True)}
SAID = ("looks like: ", "one step, ", "4 steps: ")  # a line of these begins names the mistake


@dataclass(frozen=True)
class Mistake:
    """One edit of one backward: in words, and the function with it."""

    style: str
    words: str
    backward: object


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


def mistakes(style, cell):
    """Every single edit of a backward that compiles: a list of Mistakes."""
    module = importlib.import_module(f"minirnn.gradcheck.written.{style}")
    function = getattr(module, f"{cell}_backward")
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    names = {name: [other for other in family if other in used and other != name]
             for family in ALIKE for name in family if name in used}
    found = []
    for number, node in enumerate(ast.walk(tree)):
        for words, make in _edits(node, names):
            edited = copy.deepcopy(tree)
            target = list(ast.walk(edited))[number]
            before = ast.unparse(node)
            new = make(copy.deepcopy(target))
            edited = _Replace(target, new).visit(edited)
            scope = dict(vars(module))
            exec(compile(ast.fix_missing_locations(edited), f"<{style} {cell}>", "exec"), scope)
            line = getattr(node, "lineno", 0)
            found.append(Mistake(style, f"line {line}: {words}: {before}", scope[function.__name__]))
    return found


# names that somebody may take for one another
ALIKE = ("i f g o tc tanh_c c c_new h old n r z u m rh slope x".split(),
         "dh dc di df dg do d_i d_f d_g d_o dz dn dr drh da ar az an dax dah du dm dreset back da_r da_z da_n".split(),
         "wx wh Wx Wh".split())


class _Replace(ast.NodeTransformer):
    def __init__(self, old, new):
        self.old, self.new = old, new

    def visit(self, node):
        return self.new if node is self.old else super().visit(node)


def _edits(node, names):
    """(words, node -> node) of every mistake that can be made at this node."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Add)):
        what = "factor" if isinstance(node.op, ast.Mult) else "term"
        yield f"the second {what} is left out", lambda n: n.left
        yield f"the first {what} is left out", lambda n: n.right
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        yield "a plus for a minus", lambda n: ast.BinOp(n.left, ast.Add(), n.right)
        yield "the subtraction is left out", lambda n: n.right
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        yield "not squared", lambda n: n.left
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
        for other in names[node.id]:
            yield f"{other} for {node.id}", lambda n, other=other: ast.Name(other, ast.Load())
    if isinstance(node, ast.AugAssign):
        yield "= for +=", lambda n: ast.Assign([n.target], n.value, lineno=n.lineno)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "reversed":
        yield "not reversed", lambda n: n.args[0]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("sum", "copy"):
        if node.func.attr == "sum":
            yield "a mean for a sum", lambda n: ast.Call(ast.Attribute(n.func.value, "mean", ast.Load()), n.args,
                                                         n.keywords)
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and isinstance(node.slice, ast.Name) and (
            node.slice.id == "t"):
        yield "a step too early", lambda n: ast.Subscript(n.value, ast.parse("t - 1", mode="eval").body, n.ctx)
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and ast.unparse(node.slice) == "t + 1":
        yield "a step too early", lambda n: ast.Subscript(n.value, ast.Name("t", ast.Load()), n.ctx)
    if isinstance(node, ast.Attribute) and node.attr == "T" and isinstance(node.ctx, ast.Load):
        yield "not transposed", lambda n: n.value


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
        if not _shows(claim, problems[0], truths[0]):
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

"""What goes wrong in any step: bugs made from the derivation itself, by edits of the syntax tree of ``step_backward``.

For each slope: left out, or written 1 - s or s; each factor of each product: left out, or another quantity of the step;
each term of each sum: left out; each gradient: another one; every order of the gates.
"""

import ast
import inspect
import itertools
import re
import textwrap
from functools import cache

from minirnn.cells import GRU
from minirnn.gradcheck.bugs.mutant import Mutant, in_words, saved_fields
from minirnn.gradcheck.syntax import expression, places, swap

GATES = {"i": "input gate", "f": "forget gate", "g": "candidate", "o": "output gate", "r": "reset gate",
         "z": "update gate", "n": "candidate", "phi_c": "memory", "h": "state"}
TARGETS = {"dc_prev": "the gradient of c_{t-1}", "dh_prev": "the gradient of h_{t-1}",
           "dc": "the new memory's gradient", "dnew": "the update gate's gradient",
           "dreset": "the gradient of r * h_{t-1}", "da": "the pre-activation's gradient",
           "dproduct": "the gradient of the candidate's recurrent product",
           "dh_in": "what goes back through the matrices"}
SLOPES = ("sigmoid_slope", "tanh_slope", "slope")
LEFT_ALONE = ("x", "dh_old", "dc_old", "h_n")  # typed by hand, or no quantity of the step


@cache
def derived(cell):
    """The Mutants of a cell's step, as many as its derivation has places for a mistake; no two of the same words."""
    tree = _specialised(cell)
    function, known = tree.body[0], _quantities(cell)
    kind = getattr(cell, "activation", getattr(cell, "nonlinearity", "tanh"))
    deltas = _names(function, lambda name: name.startswith("d") and not name.startswith("dweight"))
    found = {}
    for statement in function.body:
        for target, value, where in _expressions(statement):
            made = [s for s in deltas if s in _before(function, statement)]
            for words, put, back in _edits(value, where, known, made, _about(target), kind):
                before = ast.unparse(statement)
                put()
                after, source = ast.unparse(statement), ast.unparse(ast.fix_missing_locations(tree))
                back()
                found.setdefault(words, Mutant(words, type(cell).step_backward, ((before, after),), source=source))
    for mutant in _orders(cell, tree):
        found.setdefault(mutant.says, mutant)
    return tuple(found.values())


def source_of(cell):
    """The source of a cell's ``step_backward`` for this form, which the derived bugs are edits of."""
    return ast.unparse(_specialised(cell))


def _specialised(cell):
    """The syntax tree of the cell's ``step_backward`` for this form: no branch on its settings is left."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(type(cell).step_backward)))
    return ast.fix_missing_locations(_Settled(cell).visit(tree))


class _Settled(ast.NodeTransformer):
    def __init__(self, cell):
        self.cell = cell

    def visit_If(self, node):
        self.generic_visit(node)
        chosen = self._settled(node.test)
        return node if chosen is None else node.body if chosen else node.orelse

    def visit_IfExp(self, node):
        self.generic_visit(node)
        chosen = self._settled(node.test)
        return node if chosen is None else node.body if chosen else node.orelse

    def _settled(self, test):
        text = ast.unparse(test)
        return bool(eval(text, {"self": self.cell})) if text.startswith("self.") else None


def _quantities(cell):
    """Names in ``step_backward`` of what a step keeps, that may be taken for one another."""
    fields = inspect.getsource(type(cell).step_backward)
    saved = [name for name in saved_fields(cell) if name not in LEFT_ALONE]
    dotted = [f"saved.{name}" for name in saved if f"saved.{name}" in fields]
    forget = getattr(cell, "forget_gate", True)
    return dotted or [name for name in saved if name != "f" or forget]


def _names(function, wanted):
    names = [n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    return [name for name in dict.fromkeys(names) if wanted(name) and name not in LEFT_ALONE]


def _before(function, statement):
    """Names of arrays (B, H) that have a value before a statement."""
    above = function.body[: function.body.index(statement)]
    names = {n.id for s in above for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return names - {"da", "da_rz", "dx", "dstate", "dweights"}


def _expressions(statement):
    """(what it is the gradient of, expression, (parent, field, index)) of a statement that computes gradients."""
    if not isinstance(statement, ast.Assign) or "zoneout" in ast.unparse(statement):
        return
    target, value = statement.targets[0], statement.value
    if isinstance(value, ast.Dict):
        for k, (key, one) in enumerate(zip(value.keys, value.values)):
            yield f"da_{key.value}", one, (value, "values", k)
    elif isinstance(target, ast.Subscript) and target.value.id == "da":
        yield f"da_{target.slice.value}", value, (statement, "value", None)
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for k, (name, one) in enumerate(zip(target.elts, value.elts)):
            yield ast.unparse(name), one, (value, "elts", k)
    elif isinstance(target, ast.Name) and re.fullmatch("d[a-z]*(_prev)?|da_n", target.id):
        yield target.id, value, (statement, "value", None)


def _about(target):
    """ "da_i" -> "the input gate's pre-activation gradient"."""
    name = GATES.get(target.removeprefix("da_").removeprefix("d"), "")
    if target in TARGETS or not name:
        return TARGETS.get(target, target)
    return f"the {name}'s {'pre-activation ' * target.startswith('da_')}gradient"


def _edits(value, where, known, deltas, about, kind):
    """(words, put, back) of every bug in an expression: functions that change the tree, and change it back."""
    for parent, field, k, node in [(*where, value), *_below(value)]:
        for words, new in _variants(node, known, deltas, about, kind):
            yield words, *swap(parent, field, k, new)


def _below(value):
    if isinstance(value, (ast.Attribute, ast.Subscript)):
        return
    for place in places(value):
        if isinstance(place[-1], ast.expr) and place[1] != "func":
            yield place
            yield from _below(place[-1])


def _variants(node, known, deltas, about, kind):
    """(words, node) of what a node may be written as."""
    text = ast.unparse(node)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SLOPES:
        yield from _slopes(node.args[0], "sigmoid" if node.func.id.startswith("sigmoid") else kind)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        for kept, lost in ((node.left, node.right), (node.right, node.left)):
            if not isinstance(lost, ast.Call):
                yield f"{about} misses the factor {in_words(ast.unparse(lost))}", kept
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        for kept, lost in ((node.left, node.right), (node.right, node.left)):
            if not ast.unparse(lost).endswith("_old"):
                yield f"{about} misses the term {ast.unparse(lost)}", kept
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        yield f"{about} has {text} with a plus for the minus", ast.BinOp(node.left, ast.Add(), node.right)
    if text in known:
        for other in known:
            if in_words(other) != in_words(text):
                yield f"{about} has {in_words(other)} where {in_words(text)} belongs", expression(other)
    if text in deltas:
        for other in deltas:
            if other != text:
                yield f"{about} has {other} where {text} belongs", expression(other)


def _slopes(inner, kind):
    """What a slope may be written as. inner: the gate; kind: its activation."""
    gate = ast.unparse(inner)
    name = in_words(gate)
    whose = f"the {kind} derivative of the {GATES.get(gate.removeprefix('saved.'), name)}"
    yield f"{whose} is forgotten", ast.Constant(1)
    if kind in ("sigmoid", "tanh"):
        yield f"{whose} is written 1 - {name}" + f", not 1 - {name}^2" * (kind == "tanh"), expression(f"1 - {gate}")
    if kind == "sigmoid":
        yield f"{whose} is written {name}, without 1 - {name}", inner
        yield f"{whose} is written as if of tanh, 1 - {name}^2", expression(f"1 - {gate} ** 2")
    if kind == "tanh":
        yield f"{whose} is written 1 + {name}^2", expression(f"1 + {gate} ** 2")
        yield f"{whose} is written as if of a sigmoid, {name} (1 - {name})", expression(f"{gate} * (1 - {gate})")


def _orders(cell, tree):
    """A Mutant for every wrong order of the gates."""
    right, gates = ast.unparse(tree), cell.gates
    for order in itertools.permutations(gates):
        words = f"the gates' gradients are stacked {' '.join(order)}, not {' '.join(gates)}"
        if isinstance(cell, GRU):
            old, new = "da_rz = stack(", f"da_r, da_z, da_n = {', '.join(f'da_{k}' for k in order)}\n    da_rz = stack("
        else:
            old, new = "for gate in self.gates]", f"for gate in {order!r}]"
        if order != gates and right.count(old) == 1:
            yield Mutant(words, type(cell).step_backward, ((old, new),), source=right.replace(old, new))

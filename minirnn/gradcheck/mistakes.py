"""Single mistakes as people make them, each one edit of a right backward's syntax tree; ``score`` counts the named.

They are made in the layers of ``minirnn.gradcheck.written`` and know nothing of what the diagnosis looks for: a factor
or a line left out, a name, gate, index or step for another, a wrong sign, constant or slope, = for +=, a transpose too
many, a loop's wrong bounds, a mean for a sum, a clip, the loss's gradient of another step.
"""

import ast
import importlib
import inspect
import textwrap
from dataclasses import dataclass
from functools import cached_property

from minirnn.gradcheck.syntax import expression, places, swap

# names that somebody may take for one another
ALIKE = ("i f g o tc tanh_c c c_new h old n r z u m rh slope x s v".split(),
         ("dh dc di df dg do d_i d_f d_g d_o dz dn dr drh da ar az an dax dah du dm dreset back "
          "da_i da_f da_g da_o da_r da_z da_n dhraw dhnext dcnext").split(),
         "wx wh Wx Wh".split())
BOUND = 0.3  # a clip at it bites


@dataclass(frozen=True)
class Mistake:
    """One edit of one backward: where and what in words, and the source with it."""

    style: str
    words: str
    source: str

    @cached_property
    def backward(self):
        """The function with the mistake."""
        scope = dict(vars(_module(self.style)))
        exec(compile(self.source, f"<{self.style}>", "exec"), scope)
        return scope[ast.parse(self.source).body[0].name]


def mistakes(style, cell):
    """Every single edit of a backward, as Mistakes; two that read the same are one."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(getattr(_module(style), f"{cell}_backward"))))
    right, found = ast.unparse(tree), {}
    for words, line, edit, undo in _every(tree):
        edit()
        source = ast.unparse(tree)
        undo()
        if source != right:
            found.setdefault(source, Mistake(style, f"line {line}: {words}", source))
    return list(found.values())


def _module(style):
    return importlib.import_module(f"minirnn.gradcheck.written.{style}")


def _every(tree):
    """(words, line, edit, undo) of each mistake: two functions that change the tree and change it back."""
    function = tree.body[0]
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    names = {name: [other for other in family if other in used and other != name]
             for family in ALIKE for name in family if name in used}
    nodes = [one for statement in function.body for one in ast.walk(statement)]
    for parent, field, k, node in [place for one in nodes for place in places(one)]:
        if isinstance(node, ast.expr):
            shown = ast.unparse(node)
            for words, new in _expressions(node, parent, names):
                yield f"{words}: {shown}", node.lineno, *swap(parent, field, k, new)
    for loop in (n for n in ast.walk(function) if isinstance(n, (ast.For, ast.FunctionDef))):
        for k, statement in enumerate(loop.body):
            shown = ast.unparse(statement).split("\n")[0]
            for words, new in _statements(statement):
                body = loop.body[:k] + new + loop.body[k + 1 :]
                yield f"{words}: {shown}", statement.lineno, *swap(loop, "body", None, body)
    yield from _around(function)


def _stmts(text):
    return ast.parse(text).body


def _expressions(node, parent, names):
    """(words, new node) of every mistake at an expression."""
    text, loads = ast.unparse(node), isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
    index = isinstance(parent, ast.Subscript) and node is parent.slice
    if isinstance(node, ast.BinOp) and not index and not text.startswith(("T ", "t ", "len(")):
        yield from _operations(node)
    if isinstance(node, ast.Name) and loads:
        yield from ((f"{other} for {node.id}", ast.Name(other, ast.Load())) for other in names.get(node.id, ()))
    if isinstance(node, ast.Subscript):
        yield from _indices(node)
    if isinstance(node, ast.Attribute) and node.attr == "T" and loads:
        yield "not transposed", node.value
    if isinstance(node, ast.Call):
        yield from _calls(node, text)
    if isinstance(node, ast.Tuple) and len(node.elts) > 1 and not index:
        for k in range(len(node.elts) - 1):
            one, two = node.elts[k : k + 2]
            swapped = [*node.elts[:k], two, one, *node.elts[k + 2 :]]
            yield f"{ast.unparse(one)} and {ast.unparse(two)} exchanged", ast.Tuple(swapped, node.ctx)


def _operations(node):
    left, right = node.left, node.right
    if isinstance(node.op, (ast.Mult, ast.Add)):
        what = "factor" if isinstance(node.op, ast.Mult) else "term"
        yield f"the second {what} is left out", left
        yield f"the first {what} is left out", right
    if isinstance(node.op, ast.Add):
        yield "a minus for a plus", ast.BinOp(left, ast.Sub(), right)
    if isinstance(node.op, ast.Mult):
        yield "a plus for a times", ast.BinOp(left, ast.Add(), right)
    if isinstance(node.op, ast.Sub):
        yield "a plus for a minus", ast.BinOp(left, ast.Add(), right)
        yield "the subtraction is left out", right
        yield "subtracted the wrong way round", ast.BinOp(right, ast.Sub(), left)
        yield "nothing is subtracted", left
        if isinstance(left, ast.Constant):
            yield "2 for 1", ast.BinOp(ast.Constant(2), ast.Sub(), right)
            yield "0.5 for 1", ast.BinOp(ast.Constant(0.5), ast.Sub(), right)
    if isinstance(node.op, ast.Pow):
        yield "not squared", left
        yield "twice for squared", ast.BinOp(ast.Constant(2), ast.Mult(), left)
        yield "to the third for squared", ast.BinOp(left, ast.Pow(), ast.Constant(3))
    if isinstance(node.op, ast.MatMult):
        yield "transposed", expression(f"{ast.unparse(left)} @ ({ast.unparse(right)}).T")
        yield "the operands exchanged", expression(f"({ast.unparse(right)}) @ ({ast.unparse(left)})")
        yield "elementwise for a product of matrices", ast.BinOp(left, ast.Mult(), right)


def _indices(node):
    where = ast.unparse(node).removeprefix(ast.unparse(node.value))[1:-1]
    if where in ("t", "t + 1", "t - 1"):
        for other in ("t - 1", "t", "t + 1", "0", "-1"):
            if other != where:
                yield f"[{other}] for [{where}]", ast.Subscript(node.value, expression(other), node.ctx)
    if isinstance(node.slice, ast.Constant) and node.slice.value in tuple("ifgorzn"):
        for gate in "ifgo" if node.slice.value in "ifgo" else "rzn":
            if gate != node.slice.value:
                yield f"[{gate!r}] for [{where}]", ast.Subscript(node.value, ast.Constant(gate), node.ctx)
    blocks = (":H", "H:2 * H", "2 * H:3 * H", "3 * H:", "2 * H:", ":2 * H")
    for head in ("", "t, ", "t, :, ", ":, "):
        if where.removeprefix(head) in blocks and where.startswith(head):
            for block in blocks:
                if block != where.removeprefix(head):
                    yield f"[{head}{block}] for [{where}]", ast.Subscript(
                        node.value, expression(f"a[{head}{block}]").slice, node.ctx)
            return
    if where == "::-1":
        yield "not reversed", node.value


def _calls(node, text):
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    inner = ast.unparse(node.args[0]) if node.args else ""
    if name == "reversed":
        yield "not reversed", node.args[0]
        if inner.startswith("range("):
            n = inner[len("range(") : -1]
            yield "the first step is missed", expression(f"reversed(range(1, {n}))")
            yield "the last step is missed", expression(f"reversed(range({n} - 1))")
        else:
            yield "the first step is missed", expression(f"reversed({inner}[1:])")
            yield "steps too few", expression(f"reversed({inner}[:-1])")
    if name == "range" and text.endswith(", -1, -1)"):
        n = inner.removesuffix(" - 1")
        yield "not reversed", expression(f"range({n})")
        yield "the first step is missed", expression(f"range({n} - 1, 0, -1)")
        yield "the last step is missed", expression(f"range({n} - 2, -1, -1)")
        yield "stops after two steps", expression(f"range({n} - 1, {n} - 3, -1)")
    if name == "sum":
        array = inner if isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "np" else (
            ast.unparse(node.func.value))
        axis = ast.unparse(node.keywords[0].value) if node.keywords else ast.unparse(node.args[-1])
        yield "a mean for a sum", expression(f"({array}).mean(axis={axis})")
        yield "summed over everything", expression(f"({array}).sum()")
        yield "the largest for the sum", expression(f"({array}).max(axis={axis})")
        yield "the first for the sum", expression(f"({array})[0]" if axis != "(0, 1)" else f"({array}).sum(axis=0)[0]")
    if name == "tanh":
        yield "tanh left out", node.args[0]
        yield "a sigmoid for tanh", expression(f"sigmoid({inner})")


def _statements(node):
    """(words, new statements) of every mistake that concerns a whole line."""
    if isinstance(node, ast.AugAssign):
        target, value = ast.unparse(node.target), ast.unparse(node.value)
        yield "left out", [ast.Pass()]
        yield "= for +=", _stmts(f"{target} = {value}")
        yield "-= for +=", _stmts(f"{target} -= {value}")
        yield "twice", [node, node]
        yield from ((words, _stmts(f"{target} += {new}")) for words, new in _scaled(value))
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target, value = ast.unparse(node.targets[0]), ast.unparse(node.value)
        if isinstance(node.targets[0], ast.Tuple) or value.startswith(("np.zeros", "len(", "{", "lambda", "_gates")):
            return
        yield "left out", [ast.Pass()]
        if target.startswith(("dh", "dc")):
            yield "+= for =", _stmts(f"{target} = {target} + {value}")
        yield from ((words, _stmts(f"{target} = {new}")) for words, new in _scaled(value))


def _scaled(value):
    yield "the wrong sign", f"-({value})"
    yield "twice as large", f"2 * ({value})"
    yield "half as large", f"0.5 * ({value})"
    yield "divided by the batch", f"({value}) / dy.shape[1]"
    yield "divided by the steps", f"({value}) / len(dy)"
    yield "clipped", f"np.clip({value}, -{BOUND}, {BOUND})"
    yield "zero", f"0 * ({value})"


def _around(function):
    """Mistakes about the loop and what enters it."""
    loop = next(n for n in function.body if isinstance(n, ast.For))
    line, start = loop.lineno, function.body.index(loop)
    arguments = [a.arg for a in function.args.args if a.arg not in ("self", "cache")][:3]
    states = [a for a in arguments if a.startswith(("dh", "dc"))]
    heads = [("dy of the step before", "dy = np.roll(dy, 1, 0)"), ("dy of the next step", "dy = np.roll(dy, -1, 0)"),
             ("dy in reverse order", "dy = dy[::-1]"), ("dy of the last step alone", "dy = dy * (np.arange(len(dy)) == "
              "len(dy) - 1)[:, None, None]"), ("dy forgotten", "dy = 0 * dy"), ("dy with the wrong sign", "dy = -dy"),
             ("dy divided by the steps", "dy = dy / len(dy)"), ("dy divided by the batch", "dy = dy / dy.shape[1]"),
             ("dy clipped", f"dy = np.clip(dy, -{BOUND}, {BOUND})"), ("dy added twice", "dy = 2 * dy")]
    for state in states:
        heads += [(f"{state} forgotten", f"{state} = np.zeros_like({state})"),
                  (f"{state} with the wrong sign", f"{state} = -{state}"),
                  (f"ones for {state}", f"{state} = np.ones_like({state})"),
                  (f"dy of the last step for {state}", f"{state} = dy[-1]"),
                  (f"{state} added at every step",
                   f"dy = dy + (np.arange(len(dy)) < len(dy) - 1)[:, None, None] * {state}")]
    for words, text in heads:
        yield words, line, *swap(function, "body", None, [function.body[0], *_stmts(text), *function.body[1:]])
    for statement in function.body[:start]:
        shown = ast.unparse(statement)
        if isinstance(statement, ast.Assign) and ("zeros" in shown or ".copy()" in shown):
            yield f"set anew at every step: {shown}", statement.lineno, *swap(loop, "body", None, [
                statement, *loop.body])
    for k in range(len(loop.body) - 1):  # lines in the other order
        one, two = loop.body[k : k + 2]
        yield f"before the line above it: {ast.unparse(two)}", two.lineno, *swap(loop, "body", None, [
            *loop.body[:k], two, one, *loop.body[k + 2 :]])
    cut = [name for name in ("dh", "dc", "dh_next") if any(
        isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == name for n in loop.body)]
    for name in cut:
        yield f"{name} cut off after a step", line, *swap(loop, "body", None, [
            *loop.body, *_stmts(f"{name} = 0 * {name}")])
        yield f"{name} clipped at every step", line, *swap(loop, "body", None, [
            *loop.body, *_stmts(f"{name} = np.clip({name}, -{BOUND}, {BOUND})")])

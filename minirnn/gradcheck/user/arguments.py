"""What forward is called with: random arrays of given shapes, what ``inputs()`` returns, a constructor's arguments."""

import ast
import functools
import inspect
import math
import re

import numpy as np

from minirnn.errors import InputError, must_be
from minirnn.gradcheck.measurement import numbers_of, tupled
from minirnn.memory_limit import check_fits

COPIES = 10  # of the arguments, that a check has at one time: copies, gradients, their noise, what backward keeps
BELOW = 2**31
SHAPE = "positive sizes with commas between, like 3,5, or int10:3,5 for integers below 10"


def random_arrays(texts, dtype, seed):
    """Arrays of shapes in words: "3,5" of normal numbers, "int10:3,5" of integers from 0 to 9, "()" of one number."""
    parsed = [_shape(text) for text in texts]
    check_fits("gradcheck", "--shapes", COPIES * sum(math.prod(s) for s, _ in parsed) * dtype.itemsize)
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(s).astype(dtype) if below is None else rng.integers(below, size=s)
            for s, below in parsed]


def _shape(text):
    kind, colon, sizes = text.rpartition(":")
    below = re.fullmatch(r"int(\d+)", kind.strip(), re.ASCII)
    parts = [part.strip() for part in sizes.strip().removeprefix("(").removesuffix(")").split(",") if part.strip()]
    right = all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts) and (parts or "()" in sizes)
    if not right or colon and not (below and 0 < int(below[1]) < BELOW):
        raise InputError(must_be("gradcheck", "--shapes", SHAPE, repr(text)))
    return tuple(map(int, parts)), int(below[1]) if below else None


def from_inputs(inputs, dtype):
    """(names or None, arrays) of the user's ``inputs()``, which returns a tuple, or a dict of them by name."""
    got = inputs()
    names = list(map(str, got)) if isinstance(got, dict) else None
    got = tuple(got.values()) if names else tupled(got)
    arrays = [numbers_of(a, f"argument {names[k] if names else k}", "inputs") for k, a in enumerate(got)]
    return names, [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]


def parameters(function):
    """(names that may be given by position, the name of ``*rest`` or ""); ([], "args") for what has no signature."""
    try:
        every = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # builtins have none
        return [], "args"
    plain = [p.name for p in every if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return plain, next((p.name for p in every if p.kind is p.VAR_POSITIONAL), "")


def required(function):
    """Names of the arguments without a default."""
    try:
        every = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in every if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def names_of(function, count):
    """A name for each of ``count`` arguments, from the signature: x, w[0], w[1] for ``f(x, *w)``."""
    plain, rest = parameters(function)
    more = [f"{rest or 'args'}[{k}]" for k in range(count - len(plain))]
    return plain[:count] + more


def paired(function, name):
    """A function whose argument ``name`` is (h, c) as one that takes h0 and c0 in its place: g(x, h0, c0, W)."""
    plain, _ = parameters(function)
    if name not in plain:
        return function
    at = plain.index(name)

    @functools.wraps(function)
    def call(*args, **options):
        return function(*args[:at], tuple(args[at : at + 2]), *args[at + 2 :], **options)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = [*plain[:at], "h0", "c0", *(p for p in plain[at + 1 :] if p in required(function))]
    call.__signature__ = inspect.Signature([inspect.Parameter(n, kind) for n in names])
    return call


def constructor_arguments(text, dtype, seed, sizes):
    """--init "D, H, bias=False" -> (args, options). A tuple is the shape of a random array; letters are ``sizes``."""
    try:
        call = ast.parse(f"f({text})", mode="eval").body
        rng = np.random.default_rng(seed)
        value = lambda node: _value(node, sizes, rng, dtype)
        return [value(a) for a in call.args], {k.arg: value(k.value) for k in call.keywords}
    except (SyntaxError, ValueError, AttributeError, KeyError, TypeError):
        letters = f", {' and '.join(sizes)}" if sizes else ""
        what = f"arguments as in a call: numbers, texts{letters}, and tuples for arrays, like '5, 2' or '(4, 3), (4,)'"
        raise InputError(must_be("gradcheck", "--init", what, repr(text))) from None


def _value(node, sizes, rng, dtype):
    if isinstance(node, ast.Tuple):
        return rng.uniform(-1, 1, [_value(part, sizes, rng, dtype) for part in node.elts]).astype(dtype)
    if isinstance(node, ast.Name):
        return {**sizes, **{k.lower(): v for k, v in sizes.items()}}[node.id]
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mult)):
        left, right = (_value(part, sizes, rng, dtype) for part in (node.left, node.right))
        return left + right if isinstance(node.op, ast.Add) else left * right
    return ast.literal_eval(node)

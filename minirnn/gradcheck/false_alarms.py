"""Right code, made at random, and how often a check says that it is wrong: the other half of being trusted.

Half of it are the layers of ``written`` as people run them: in float32, in float64 with float32 inside, adding up into
attributes, writing into what they were given, handing out the buffers they keep. The other half are expressions of
random operations, with the tape's gradients. Sizes go up to T = 20 and H = 128.
"""

import importlib

import numpy as np

from minirnn import ops
from minirnn.autograd import Tensor, grad, no_grad
from minirnn.gradcheck import written
from minirnn.gradcheck.check import check_vjp
from minirnn.gradcheck.verdict import Verdict

PRECISIONS = ("float64", "float32", "float32 inside", "float32 buffers", "float32 out")
HABITS = ("plain", "in place", "kept buffers", "attributes")
ALARMS = (Verdict.WRONG, Verdict.NON_DETERMINISTIC)


def false_alarms(checks, seed=0, first=0):
    """Check ``checks`` pieces of random right code, numbers ``first`` and on of a seed, and each again, made wrong.

    -> {"checks", "PASS", "KINK", "UNDECIDABLE AT THIS PRECISION": how many of the right; "alarms": those called wrong,
    in words; "mistakes": how many that passed were made wrong, "missed": those that passed again, in words}.
    """
    counts = {str(verdict): 0 for verdict in Verdict if verdict not in ALARMS}
    mistakes, alarms, missed = 0, [], []
    for number in range(first, first + checks):
        rng = np.random.default_rng([seed, number])
        words, check, f, vjp, args = _piece(rng)
        verdict = check(vjp).verdict
        if verdict in ALARMS:
            alarms.append(f"{number}: {words}: {verdict}")
            continue
        counts[str(verdict)] += 1
        how, wrong = _made_wrong(f, vjp, args, rng)
        if verdict is Verdict.PASS and how:
            mistakes += 1
            missed += [f"{number}: {words}, {how}"] if check(wrong).ok else []
    return {"checks": checks, **counts, "alarms": alarms, "mistakes": mistakes, "missed": missed}


def together(parts):
    """Several results of ``false_alarms`` as one."""
    return {key: sum((part[key] for part in parts), type(value)()) for key, value in parts[0].items()}


def _piece(rng):
    """One piece of right code: in words, how to check a vjp for it, its f, its vjp and its arguments."""
    words, f, vjp, shapes, scale = _layer(rng) if rng.random() < 0.5 else _expression(rng)
    precision, habit = rng.choice(PRECISIONS), rng.choice(HABITS)
    dtype = np.float32 if precision == "float32" else np.float64
    args = [(scale * rng.standard_normal(shape)).astype(dtype) for shape in shapes]
    f, vjp = _with_habit(*_in_precision(f, vjp, precision), habit)
    large = sum(a.size for a in args) > 500
    options = {"lenient": True, "drawn": True, "rng": int(rng.integers(1 << 30))}
    options |= {"entries": 16, "directions": 2} if large else {"entries": int(rng.choice([8, 24])), "directions": 3}
    words = f"{words}, {precision}, {habit}, arguments of size {scale:g}"
    return words, lambda claim: check_vjp(f, claim, args, **options), f, vjp, args


def _made_wrong(f, vjp, args, rng):
    """A vjp with one array of it wrong, and how, in words; "" where that changes nothing but rounding."""
    k, how = int(rng.integers(len(args))), str(rng.choice(["2 % too large", "negative", "zero", "of another point"]))
    factor = {"2 % too large": 1.02, "negative": -1, "zero": 0}.get(how, 1)

    def wrong(dy, *at):
        grads = [np.array(g) for g in vjp(_copied(dy), *_copied(at))]
        if how == "of another point":
            grads[k] = np.array(vjp(_copied(dy), *(1.1 * a for a in at))[k])
        grads[k] = factor * grads[k]
        return tuple(grads)

    ys = f(*_copied(tuple(args)))
    ones = lambda y: np.ones(np.shape(y), args[0].dtype)
    dy = tuple(map(ones, ys)) if isinstance(ys, tuple) else ones(ys)
    right, now = (np.array(v(_copied(dy), *_copied(tuple(args)))[k], float) for v in (vjp, wrong))
    size = sum(float(np.abs(y).sum()) for y in (ys if isinstance(ys, tuple) else (ys,)))
    seen = np.abs(now - right).max() > 0.01 * np.abs(right).max() > 1e-5 * max(size, 1)
    return (f"the gradient of argument {k} {how}", wrong) if seen else ("", wrong)


def _copied(arrays):
    return tuple(np.array(a) for a in arrays) if isinstance(arrays, tuple) else np.array(arrays)


def _size(rng, most):
    """A size from 1 to ``most``, small ones oftener: as often from 1 to 4 as from 16 to 64."""
    return int(np.exp(rng.uniform(0, np.log(most + 1))))


def _layer(rng):
    """A layer of ``written`` of random sizes: words, f, vjp, the shapes of its arguments and their scale."""
    style, cell = rng.choice(written.STYLES), rng.choice(written.CELLS)
    module = importlib.import_module(f"minirnn.gradcheck.written.{style}")
    forward, backward = (getattr(module, f"{cell}_{way}") for way in ("forward", "backward"))
    T, B, D, H = _size(rng, 20), _size(rng, 8), _size(rng, 32), _size(rng, 128)
    gates, states = {"rnn": (1, 1), "lstm": (4, 2)}.get(cell, (3, 1))
    shapes = [(T, B, D), *[(B, H)] * states, (gates * H, D), (gates * H, H), (gates * H,), (gates * H,)]

    def vjp(dys, *args):
        _, cache = forward(*args)
        return backward(*dys, cache, *args[1 + states :])

    scale = float(rng.choice([0.1, 0.3, 1.0]))
    return f"{cell} in the style {style}, T {T}, B {B}, D {D}, H {H}", lambda *a: forward(*a)[0], vjp, shapes, scale


UNARY = {
    "tanh": ops.tanh, "sigmoid": ops.sigmoid, "relu": ops.relu, "exp": lambda x: ops.exp(x * 0.5), "sin": ops.sin,
    "abs": abs, "gelu": ops.gelu, "softmax": ops.softmax, "log_softmax": ops.log_softmax,
    "log(1 + x^2)": lambda x: ops.log1p(x * x), "sqrt(1 + x^2)": lambda x: ops.sqrt(x * x + 1.0),
    "x / (1 + x^2)": lambda x: x / (x * x + 1.0), "cumsum": lambda x: ops.cumsum(x, 0),
    "sort": lambda x: ops.sort(x, 0)[0],
    "x - mean": lambda x: x - ops.mean(x, 0, keepdims=True), "x times its column": lambda x: x * x[:, :1],
    "maximum(x, 0.3)": lambda x: ops.maximum(x, 0.3), "reversed": lambda x: x[::-1],
}
LAST = {
    "itself": lambda x: x, "sum": lambda x: ops.sum(x), "mean": lambda x: ops.mean(x), "max": lambda x: ops.max(x, -1),
    "logsumexp": ops.logsumexp, "norm": lambda x: ops.sqrt(ops.sum(x * x) + 1e-3),
}


def _expression(rng):
    """Some operations in a row on x @ w + b, and another matrix between them, with the tape's gradient."""
    n, m, k = _size(rng, 32), _size(rng, 32), _size(rng, 64)
    names = [str(name) for name in rng.choice(list(UNARY), int(rng.integers(1, 6)))]
    middle, last = int(rng.integers(len(names))), str(rng.choice(list(LAST)))

    def of(x, w, b, v):
        for position, name in enumerate(names):
            x = x @ w + b if position == 0 else x @ v if position == middle else x
            x = UNARY[name](x)
        return LAST[last](x)

    def f(*args):
        with no_grad():
            return of(*map(Tensor, args)).value

    def vjp(dys, *args):
        leaves = [Tensor(a, requires_grad=True) for a in args]
        got = grad(of(*leaves), leaves, Tensor(dys if isinstance(dys, np.ndarray) else dys[0]))
        return tuple(g.value for g in got)

    return f"{', '.join(names)}, {last} of ({n}, {m})", f, vjp, [(n, m), (m, k), (k,), (k, k)], float(
        rng.choice([0.3, 1.0]))


def _in_precision(f, vjp, precision):
    """The pair computing as ``precision`` says, whatever it is given."""
    if precision not in PRECISIONS[2:]:
        return f, vjp
    single = lambda arrays: [a.astype(np.float32) for a in arrays]
    rounded = lambda y: y.astype(np.float32)
    wide = lambda y: y.astype(np.float64)
    each = lambda of, ys: tuple(map(of, ys)) if isinstance(ys, (tuple, list)) else of(ys)
    if precision == "float32 inside":  # both ways in float32, float64 outside
        return (lambda *a: each(wide, f(*single(a))),
                lambda dy, *a: tuple(wide(g) for g in vjp(each(rounded, dy), *single(a))))
    out = wide if precision == "float32 buffers" else lambda y: y  # what comes out was stored in float32
    return lambda *a: each(lambda y: out(rounded(y)), f(*a)), vjp


def _with_habit(f, vjp, habit):
    """The pair with a habit that people have: the numbers stay the same."""
    if habit == "plain":
        return f, vjp
    kept = {}

    def backward(dy, *args):
        grads = [np.array(g) for g in vjp(dy, *args)]
        if habit == "in place":
            for given in (*(dy if isinstance(dy, tuple) else (dy,)), *args):
                given *= 0.5
            return tuple(grads)
        for k, g in enumerate(grads):
            if habit == "attributes":  # zeroed, then added to
                kept.setdefault(k, np.empty_like(g))[...] = 0
                kept[k] += g
            else:
                kept.setdefault(k, np.empty_like(g))[...] = g
        return tuple(kept[k] for k in range(len(grads)))

    def forward(*args):
        ys = f(*args)
        if habit != "in place":
            return ys
        ys = tuple(map(np.array, ys)) if isinstance(ys, (tuple, list)) else np.array(ys)
        for given in args:
            given *= 0.5
        return ys

    return forward, backward

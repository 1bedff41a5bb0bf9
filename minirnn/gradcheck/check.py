"""Check any function on arrays against its claimed vector-Jacobian product: entry by entry, or along directions."""

import inspect
import time
import warnings
from dataclasses import replace

import numpy as np

from minirnn.array import check_float, to_cpu
from minirnn.errors import InputError, must_be
from minirnn.gradcheck import sweep
from minirnn.gradcheck.findings import Entry, Finding, TensorFinding
from minirnn.gradcheck.verdict import RTOL, Verdict, judge

JITTER_ULPS = 4
# what functions that cannot take a complex argument raise when tried; anything else is a defect and is shown
NOT_COMPLEX = (TypeError, ValueError, NotImplementedError, np.exceptions.ComplexWarning)


def check_vjp(
    f,
    vjp,
    args,
    *,
    name=None,
    names=None,
    cotangents=None,
    rng=0,
    entries=256,
    directions=8,
    rtol=None,
    complex_step=True,
    in_words=None,
):
    """Check a pair of functions on arrays: f(*args) -> y or (y, ...), vjp(dy, *args) -> gradients of the args.

    args: arrays; the float ones are differentiated, others only handed through (their gradient may be None, and
    None is also zero-cost for a float array whose gradient is not claimed). dy has y's structure: an array or a tuple.
    Arrays of up to ``entries`` numbers are checked entry by entry, larger ones in that many random entries and along
    random ``directions``. ``cotangents`` are drawn from ``rng`` (a Generator or a seed) unless given. ``rtol`` is the
    relative error at which a gradient counts as equal: 1e-8 in float64, 1e-3 in float32. ``in_words(name, index)`` may
    put an entry into words. -> Finding.
    Raises InputError for gradients of the wrong number or shape, and for a function without float arguments.
    """
    name = name or getattr(f, "__name__", "function")
    return _Check(f, vjp, args, name, names, cotangents, rng, entries, directions, rtol, complex_step, in_words).run()


class _Check:
    """One check in progress: the point, the fixed cotangents, the claimed gradients, and how often f was called."""

    def __init__(self, f, vjp, args, name, names, cotangents, rng, entries, directions, rtol, complex_step, in_words):
        self.f, self.vjp, self.name, self.in_words = f, vjp, name, in_words
        self.args = [a if hasattr(a, "dtype") else np.asarray(a) for a in args]
        self.names = list(names) if names is not None else _argument_names(f, len(self.args))
        self.rng = np.random.default_rng(rng)
        self.limit, self.directions, self.complex_step = entries, directions, complex_step
        self.evaluations = 0
        floats = [k for k, a in enumerate(self.args) if a.dtype.kind == "f"]
        if not floats:
            raise InputError(must_be("gradcheck", "args", "at least one array of float32 or float64", "none"))
        for k in floats:
            check_float("gradcheck", self.names[k], self.args[k])
        self.dtype = np.result_type(*(self.args[k].dtype for k in floats))
        self.eps = float(np.finfo(self.dtype).eps)
        self.rtol = RTOL[self.dtype.name] if rtol is None else float(rtol)
        self.steps = sweep.ladder(self.dtype)
        self.single = not isinstance(self.outputs(self.args), (tuple, list))
        ys = self.tupled(self.outputs(self.args))
        if cotangents is None:
            cotangents = [self.rng.standard_normal(np.shape(y)) for y in ys]
        self.cotangents = [np.asarray(u, np.float64) for u in self.tupled(cotangents)]
        for y, u in zip(ys, self.cotangents):
            if np.shape(y) != u.shape:
                raise InputError(must_be("gradcheck", "cotangents", f"of the outputs' shape {np.shape(y)}", u.shape))
        self.size = sum(float(np.abs(u * to_cpu(y)).sum()) for u, y in zip(self.cotangents, ys))

    def tupled(self, value):
        return tuple(value) if isinstance(value, (tuple, list)) else (value,)

    def outputs(self, args):
        self.evaluations += 1
        with np.errstate(all="ignore"):
            return self.f(*(a.copy() for a in args))

    def loss(self, args):
        """<cotangents, f(args)> in double precision, whatever f computes in; complex when f returns complex."""
        ys = self.tupled(self.outputs(args))
        return sum((u * to_cpu(np.asarray(y) if np.isscalar(y) else y)).sum() for u, y in zip(self.cotangents, ys))

    def gradients(self, args):
        dys = tuple(u.astype(self.dtype) for u in self.cotangents)
        with np.errstate(all="ignore"):
            got = self.vjp(dys[0] if self.single else dys, *(a.copy() for a in args))
        got = tuple(got) if isinstance(got, (tuple, list)) else (got,)
        if len(got) != len(args):
            cause = "use None for an argument without a gradient"
            raise InputError(
                must_be(
                    "gradcheck", f"the gradients of {self.name}", f"{len(args)}, one for each argument", len(got), cause
                )
            )
        return [None if g is None else to_cpu(g if hasattr(g, "dtype") else np.asarray(g)) for g in got]

    def run(self):
        start = time.perf_counter()
        claimed = self.gradients(self.args)
        for name, a, g in zip(self.names, self.args, claimed):
            if g is not None and a.dtype.kind == "f" and g.shape != a.shape:
                cause = "is it transposed?" if g.shape == a.shape[::-1] else "a gradient has the shape of its argument"
                raise InputError(must_be("gradcheck", f"the gradient of {name}", f"of shape {a.shape}", g.shape, cause))
        changes = self.changes_by_itself(claimed)
        wanted = [k for k, g in enumerate(claimed) if g is not None and self.args[k].dtype.kind == "f"]
        slopes, method, tensors = {}, "central differences", ()
        if not changes:
            self.centre = float(np.real(self.loss(self.args)))
            lines = {k: self.lines(k) for k in wanted}
            slopes = {k: [self.measured(k, line, claimed[k]) for line in lines[k]] for k in wanted}
            if self.complex_step and self.all_analytic(wanted, lines, slopes):
                method = "complex step"
            noise = self.gradient_noise(claimed)
            tensors = tuple(self.finding(k, lines[k], slopes[k], claimed[k], noise[k]) for k in wanted)
            if self.dtype == np.float32 and any(t.verdict is Verdict.WRONG and not t.note for t in tensors):
                tensors = self.second_opinion(claimed, tensors)
        missing = [n for n, a, g in zip(self.names, self.args, claimed) if g is None and a.dtype.kind == "f"]
        notes = (f"no gradient was claimed for {', '.join(missing)}: not checked",) if missing else ()
        seconds = time.perf_counter() - start
        return Finding(
            self.name, self.dtype.name, method, tensors, self.rtol, self.evaluations, seconds, notes, changes
        )

    def changes_by_itself(self, claimed):
        """What differs between two evaluations at the same point, in words; '' when nothing beyond rounding does."""
        ys, again = (self.tupled(self.outputs(self.args)) for _ in range(2))
        slack = 1000 * self.eps
        for k, (one, other) in enumerate(zip(ys, again)):
            if _differ(to_cpu(one), to_cpu(other), slack):
                return f"two calls of the function with the same arguments gave different values of output {k}"
        for name, one, other in zip(self.names, claimed, self.gradients(self.args)):
            if one is not None and _differ(one, other, slack):
                return f"two calls of the backward with the same arguments gave different gradients of {name}"
        return ""

    def lines(self, k):
        """The lines through the point to be measured: entries of argument k, and directions when it is large."""
        shape, size = self.args[k].shape, self.args[k].size
        if size <= self.limit:
            return list(np.ndindex(shape))
        chosen = self.rng.choice(size, max(self.limit // 8, 1), replace=False)
        signs = [self.rng.choice([-1.0, 1.0], shape) for _ in range(self.directions)]
        return [np.unravel_index(i, shape) for i in chosen] + signs

    def moved(self, k, line, step):
        """The arguments with number k moved along a line, and the step as the dtype represents it."""
        a = self.args[k]
        there = a.astype(np.result_type(a.dtype, np.complex64)) if isinstance(step, complex) else a.copy()
        if isinstance(line, tuple):
            there[line] += step
            taken = step if isinstance(step, complex) else float(there[line]) - float(a[line])
        else:
            there = there + (step * line).astype(there.dtype)
            taken = step
        return [*self.args[:k], there, *self.args[k + 1 :]], taken

    def measured(self, k, line, claimed):
        a = self.args[k]
        unit = max(1.0, float(np.abs(a[line] if isinstance(line, tuple) else a).max()))
        values, taken = np.empty((2, len(self.steps))), np.empty((2, len(self.steps)))
        for sign, row in ((1.0, 0), (-1.0, 1)):
            for j, step in enumerate(self.steps):
                args, taken[row, j] = self.moved(k, line, sign * step * unit)
                values[row, j] = np.real(self.loss(args))
        values[~np.isfinite(values)] = np.nan
        slope_scale = float(np.abs(claimed[line] * a[line]) if isinstance(line, tuple) else np.abs(claimed * a).sum())
        noise = self.eps * (self.size + np.nan_to_num(slope_scale, nan=0.0, posinf=0.0))
        return sweep.measure(self.centre, values[0], values[1], (taken[0] - taken[1]) / 2, noise)

    def all_analytic(self, wanted, lines, slopes):
        """Try the complex step everywhere; where it agrees with all differences, take its sharper values over."""
        step = 1j * sweep.COMPLEX_STEP[self.dtype.name]
        sharper = {}
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            for k in wanted:
                sharper[k] = []
                for line, slope in zip(lines[k], slopes[k]):
                    try:
                        value = np.imag(self.loss(self.moved(k, line, step)[0])) / step.imag
                    except NOT_COMPLEX:
                        return False
                    if slope.kind != "smooth":
                        sharper[k].append(slope)
                        continue
                    rounding = 32 * self.eps * (abs(value) + self.size)
                    if not abs(value - slope.value) <= 10 * slope.uncertainty + rounding:
                        return False
                    sharper[k].append(slope._replace(value=float(value), uncertainty=min(slope.uncertainty, rounding)))
        slopes.update(sharper)
        return True

    def gradient_noise(self, claimed):
        """How far each claimed gradient moves when all arguments are jittered by a few ulps: rounding's share."""
        noise = [None if g is None else np.zeros(g.shape) for g in claimed]
        rng = np.random.default_rng(0)
        for _ in range(3):
            shaken = [
                a
                if a.dtype.kind != "f"
                else (a * (1 + JITTER_ULPS * self.eps * rng.uniform(-1, 1, a.shape))).astype(a.dtype)
                for a in self.args
            ]
            for k, g in enumerate(self.gradients(shaken)):
                if noise[k] is not None and g is not None:
                    noise[k] = np.fmax(noise[k], np.abs(g.astype(float) - claimed[k]))
        return noise

    def second_opinion(self, claimed, tensors):
        """A float32 claim that looks wrong is held against f in float64: if right there, it is undecidable."""
        wide = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in self.args]
        held = [None if g is None else g.astype(np.float64) for g in claimed]
        options = {"names": self.names, "cotangents": self.cotangents, "rng": self.rng, "entries": self.limit}
        second = check_vjp(lambda *args: self.f(*args), lambda dy, *args: held, wide, rtol=self.rtol, **options)
        right = {t.name for t in second.tensors if t.verdict is Verdict.PASS}
        return tuple(_softened(t) if t.name in right and t.verdict is Verdict.WRONG else t for t in tensors)

    def located(self, k, line, claimed, slope):
        """The entry behind a wrong direction: halve its support, keep the half with more of the error."""
        inside, error = np.arange(line.size), float((claimed * line).sum()) - slope.value
        while len(inside) > 1:
            half = np.zeros(line.size)
            half[inside[: len(inside) // 2]] = line.ravel()[inside[: len(inside) // 2]]
            half = half.reshape(line.shape)
            part = float((claimed * half).sum()) - self.measured(k, half, claimed).value
            first = abs(part) >= abs(error - part)
            inside = inside[: len(inside) // 2] if first else inside[len(inside) // 2 :]
            error = part if first else error - part
        return np.unravel_index(inside[0], line.shape)

    def finding(self, k, lines, slopes, claimed, noise):
        """Judge every line of one argument."""
        a = self.args[k]
        single = [s.value for line, s in zip(lines, slopes) if isinstance(line, tuple)]
        scale = _largest(claimed, single) or 1.0
        judged = [self.entry(line, slope, claimed, noise, scale) for line, slope in zip(lines, slopes)]
        wrong = [(e, line, s) for e, line, s in zip(judged, lines, slopes) if e.verdict is Verdict.WRONG]
        if wrong and all(e.index is None for e, _, _ in wrong):
            line = self.located(k, *wrong[0][1:2], claimed, wrong[0][2])
            judged.append(self.entry(line, self.measured(k, line, claimed), claimed, noise, scale))
        values = [float(claimed[n] if isinstance(n, tuple) else (claimed * n).sum()) for n in lines]
        sizes = [scale if isinstance(n, tuple) else scale * np.sqrt(a.size) for n in lines]
        curves = [np.abs(s.table - value) / size for s, value, size in zip(slopes, values, sizes)]
        return TensorFinding(
            name=self.names[k],
            shape=a.shape,
            entries=tuple(judged),
            claimed=claimed,
            measured=np.array(single).reshape(a.shape) if a.size == len(single) == len(lines) else None,
            steps=self.steps,
            errors=np.fmax.reduce(np.array(curves), axis=0),
            note=f"its gradient is {claimed.dtype}, it is {a.dtype}" if claimed.dtype != a.dtype else "",
            in_words=self.in_words,
        )

    def entry(self, line, slope, claimed, noise, scale):
        """One claimed slope judged: along an entry, or along a direction, where errors of random sign add up."""
        if isinstance(line, tuple):
            index, value, doubt = tuple(int(i) for i in line), float(claimed[line]), float(noise[line])
        else:
            index, value, doubt = None, float((claimed * line).sum()), float(np.sqrt((noise**2).sum()))
            scale = scale * np.sqrt(line.size)
        doubt += slope.uncertainty
        verdict = judge(value, slope, doubt, scale, self.rtol)
        error = 0.0 if verdict is Verdict.KINK else abs(value - slope.value) / scale
        return Entry(index, value, slope, doubt, error, verdict)


def _softened(tensor):
    weaker = (replace(e, verdict=Verdict.UNDECIDABLE) if e.verdict is Verdict.WRONG else e for e in tensor.entries)
    return replace(tensor, entries=tuple(weaker))


def _argument_names(f, count):
    """The function's own parameter names where it has that many, else arg0, arg1, ..."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # builtins have no signature
        parameters = []
    plain = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return plain[:count] if len(plain) >= count else [f"arg{k}" for k in range(count)]


def _differ(one, other, slack):
    one, other = np.asarray(one, float), np.asarray(other, float)
    if one.shape != other.shape:
        return True
    same = (
        (one == other) | (np.isnan(one) & np.isnan(other)) | (np.abs(one - other) <= slack * np.abs(one).max(initial=0))
    )
    return not same.all()


def _largest(claimed, measured):
    both = np.concatenate([np.ravel(claimed).astype(float), np.asarray(measured, float)])
    return float(np.abs(both[np.isfinite(both)]).max(initial=0.0))

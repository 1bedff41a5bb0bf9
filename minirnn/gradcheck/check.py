"""Check any function on arrays against its claimed vector-Jacobian product."""

import time
from dataclasses import replace

import numpy as np

from minirnn.array import device_of, to_device
from minirnn.errors import DtypeError, InputError, must_be
from minirnn.gradcheck.findings import Entry, Finding, TensorFinding
from minirnn.gradcheck.measurement import Measurement, differ, numbers_of
from minirnn.gradcheck.verdict import RTOL, SAFETY, Verdict, judge

JITTER_ULPS = 4


def check_vjp(f, vjp, args, *, name=None, rtol=None, in_words=None, constants=(), lenient=False, **options):
    """Check a pair of functions on arrays: f(*args) -> y or (y, ...), vjp(dy, *args) -> gradients of the args.

    dy has y's structure: an array or a tuple. vjp returns one gradient for each arg, None for an integer
    argument and for those named in ``constants``; None for another is WRONG. With ``lenient`` a gradient of another
    float type than its argument is only noted. ``rtol`` is the relative error up to which a gradient counts as equal:
    1e-8 in float64, 1e-3 in float32. ``in_words(name, index)`` may describe an entry. Options (names, cotangents, rng,
    entries, directions, complex_step) are those of ``Measurement``. -> Finding.
    Raises InputError for gradients of the wrong number or shape, and for a function without float arguments.
    """
    if not callable(vjp):
        raise DtypeError(must_be("gradcheck", "vjp", "callable", type(vjp).__name__))
    name = name or getattr(f, "__name__", "function")
    rest = {"rtol": rtol, "in_words": in_words, "constants": constants, "lenient": lenient}
    return compare(Measurement(f, args, **options), vjp, name=name, **rest)


def compare(measurement, vjp, *, name, rtol=None, in_words=None, constants=(), lenient=False):
    """Hold a claimed vjp against a Measurement, which may be used again: -> Finding. As ``check_vjp`` otherwise."""
    return _Comparison(measurement, vjp, name, rtol, in_words, constants, lenient).run()


class _Comparison:
    """One claimed vjp against one measurement."""

    def __init__(self, measurement, vjp, name, rtol, in_words, constants, lenient):
        self.point, self.vjp, self.name, self.in_words = measurement, vjp, name, in_words
        self.rtol = RTOL[measurement.weakest.name] if rtol is None else float(rtol)
        self.lenient, self.types = lenient, {}
        self.constants = (constants,) if isinstance(constants, str) else tuple(constants)
        for constant in self.constants:
            if constant not in measurement.names:
                known = ", ".join(measurement.names)
                raise InputError(must_be("gradcheck", "constants", f"names of arguments ({known})", repr(constant)))

    def run(self):
        start, point = time.perf_counter(), self.point
        claimed = self.gradients(point.args)
        self.check_shapes(claimed)
        method, tensors = "central differences", ()
        changes = self.changes(claimed)
        if not changes:
            slopes, method = point.slopes
            noise = self.noise(claimed)
            tensors = [self.tensor(k, slopes[k], claimed[k], noise[k]) for k in slopes if claimed[k] is not None]
            if point.dtype == np.float32 and any(t.verdict is Verdict.WRONG and not t.note for t in tensors):
                tensors = self.second_opinion(claimed, tensors)
        missing = [point.names[k] for k in point.floats if claimed[k] is None]
        unclaimed = tuple(name for name in missing if name not in self.constants)
        notes = []
        if unclaimed:
            every = len(unclaimed) == len(point.floats)
            cause = "did backward forget its return?" if every else "return it, or declare the argument constant"
            notes.append(f"no gradient was claimed for {', '.join(unclaimed)}: {cause}")
        if len(missing) > len(unclaimed):
            notes.append(f"declared constant, not checked: {', '.join(n for n in missing if n in self.constants)}")
        if not np.isfinite(point.size):
            notes.append("the function itself is not finite at this point, and has no slope there")
        notes += [f"the gradient of {name} is {got}, the argument {own}" for name, (got, own) in self.types.items()]
        return Finding(
            name=self.name,
            dtype=point.dtype.name,
            method=method,
            tensors=tuple(tensors),
            rtol=self.rtol,
            evaluations=point.evaluations,
            seconds=time.perf_counter() - start,
            notes=tuple(notes),
            unclaimed=unclaimed,
            nondeterministic=changes,
        )

    def gradients(self, args):
        """What the vjp claims at these arguments: one array or None for each."""
        point = self.point
        dys = tuple(to_device(u.astype(point.dtype), point.device) for u in point.cotangents)
        with np.errstate(all="ignore"):
            got = self.vjp(dys[0] if point.single else dys, *(a.copy() for a in args))
        got = tuple(got) if isinstance(got, (tuple, list)) else (got,)
        if len(got) != len(args):
            expected, cause = f"{len(args)}, one for each argument", "use None for an argument without a gradient"
            raise InputError(must_be("gradcheck", f"the number of gradients of {self.name}", expected, len(got), cause))
        return [None if g is None else self.gradient(k, g) for k, g in enumerate(got)]

    def gradient(self, k, g):
        """A claimed gradient as an array of its own: what the caller keeps and adds to later does not change it."""
        name, own = self.point.names[k], self.point.args[k].dtype
        g = np.array(numbers_of(g, f"the gradient of {name}", self.name))
        if self.lenient and own.kind == g.dtype.kind == "f" and g.dtype != own:
            self.types[name] = g.dtype, own
            g = g.astype(own)
        return g

    def check_shapes(self, claimed):
        for k in self.point.floats:
            g, shape = claimed[k], self.point.args[k].shape
            if g is not None and g.shape != shape:
                cause = "is it transposed?" if g.shape == shape[::-1] else "a gradient has the shape of its argument"
                what = f"the gradient of {self.point.names[k]}"
                raise InputError(must_be("gradcheck", what, f"of shape {shape}", g.shape, cause))

    def changes(self, claimed):
        """What differs between evaluations at the same point, in words; '' when nothing beyond rounding does."""
        if self.point.changes is not None:
            output = self.point.changes
            return f"two calls of the function with the same arguments gave different values of output {output}"
        for name, one, other in zip(self.point.names, claimed, self.gradients(self.point.args)):
            if one is not None and differ(one, other, 1000 * self.point.eps):
                text = f"two calls of the backward with the same arguments gave different gradients of {name}"
                return text + "; it adds up: did you forget to zero it?" * _adds_up(one, other)
        return ""

    def noise(self, claimed):
        """How far each claimed gradient moves when all arguments are jittered by a few ulps: rounding's share."""
        noise = [None if g is None else np.zeros(g.shape) for g in claimed]
        rng = np.random.default_rng(0)
        jitter = lambda a: to_device(1 + JITTER_ULPS * self.point.eps * rng.uniform(-1, 1, a.shape), device_of(a))
        for _ in range(3):
            shaken = [(a * jitter(a)).astype(a.dtype) if a.dtype.kind == "f" else a for a in self.point.args]
            for k, g in enumerate(self.gradients(shaken)):
                if g is not None and noise[k] is not None:
                    noise[k] = np.fmax(noise[k], np.abs(g.astype(float) - claimed[k]))
        return noise

    def tensor(self, k, slopes, claimed, noise):
        """Judge every measured line of one argument."""
        point, a, lines = self.point, self.point.args[k], self.point.lines[k]
        single = np.array([s.value for line, s in zip(lines, slopes) if isinstance(line, tuple)])
        scale = self.scale(claimed, single, slopes)
        judged = [self.entry(line, slope, claimed, noise, scale) for line, slope in zip(lines, slopes)]
        wrong = [(entry, line) for entry, line in zip(judged, lines) if entry.verdict is Verdict.WRONG]
        if wrong and all(entry.index is None for entry, _ in wrong):
            line = self.located(k, wrong[0][1], claimed, wrong[0][0].slope)
            judged.append(self.entry(line, point.slope(k, line), claimed, noise, scale))
        curves = [np.abs(e.slope.table - e.claimed) / e.scale for e in judged]
        return TensorFinding(
            name=point.names[k],
            shape=a.shape,
            entries=tuple(judged),
            claimed=claimed,
            measured=single.reshape(a.shape) if a.size == len(single) == len(lines) else None,
            steps=point.steps,
            errors=np.fmax.reduce(np.array(curves), axis=0),
            note=f"its gradient is {claimed.dtype}, it is {a.dtype}" if claimed.dtype != a.dtype else "",
            in_words=self.in_words,
        )

    def scale(self, claimed, single, slopes):
        """What the errors of a tensor are relative to: its largest gradient, claimed or measured.

        Where that is nothing but rounding (a loss that does not change when all logits grow alike), the loss itself.
        """
        size = self.point.size
        claims_zero = np.abs(claimed).max(initial=0.0) <= 10 * self.point.eps * size
        if claims_zero and all(abs(s.value) <= SAFETY * s.uncertainty for s in slopes):
            return size or 1.0
        both = np.concatenate([claimed.ravel().astype(float), single])
        return float(np.abs(both[np.isfinite(both)]).max(initial=0.0)) or 1.0

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
        return Entry(index, value, slope, doubt, scale, error, verdict)

    def located(self, k, line, claimed, slope):
        """The entry behind a wrong direction: halve its support, keep the half with more of the error."""
        inside, error = np.arange(line.size), float((claimed * line).sum()) - slope.value
        while len(inside) > 1:
            left, right = np.array_split(inside, 2)
            half = np.zeros(line.size)
            half[left] = line.ravel()[left]
            half = half.reshape(line.shape)
            part = float((claimed * half).sum()) - self.point.slope(k, half).value
            inside, error = (left, part) if abs(part) >= abs(error - part) else (right, error - part)
        return np.unravel_index(inside[0], line.shape)

    def second_opinion(self, claimed, tensors):
        """A float32 claim that looks wrong is held against f in float64: if right there, it is undecidable here."""
        point = self.point
        wide = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in point.args]
        held = [None if g is None else g.astype(np.float64) for g in claimed]
        options = {"names": point.names, "cotangents": point.cotangents, "entries": point.entries}
        second = check_vjp(lambda *args: point.f(*args), lambda dy, *args: held, wide, rtol=self.rtol, **options)
        right = {t.name for t in second.tensors if t.verdict is Verdict.PASS}
        return [_softened(t) if t.name in right and t.verdict is Verdict.WRONG else t for t in tensors]


def _adds_up(one, other):
    """Whether a gradient is that of the call before and once more its share: 2/1, 3/2, 4/3, ... of it."""
    ratio = float((one * other).sum() / max(float((one * one).sum()), 1e-300))
    calls = 1 / (ratio - 1) if ratio > 1 else 0
    return 0 < calls < 100 and abs(calls - round(calls)) < 1e-3 and not differ(ratio * one, other, 1e-6)


def _softened(tensor):
    weaker = (replace(e, verdict=Verdict.UNDECIDABLE) if e.verdict is Verdict.WRONG else e for e in tensor.entries)
    return replace(tensor, entries=tuple(weaker))

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
OPEN = (Verdict.WRONG, Verdict.UNDECIDABLE)  # in float32, before float64 has been heard
ACCUSED = 4  # that many slopes that look wrong and are not clear the others of their array
CONSISTENT = 0.4  # of the error at the point: what a mistake leaves of it in the mean is most of it
QUADRATURES = (5, 7, 9, 12)  # nodes: smooth claims have one mean by all of them
SMALLER = 0.1  # by how much the arguments shrink where nothing can be decided: less is saturated, less is chaotic


def check_vjp(f, vjp, args, *, name=None, rtol=None, in_words=None, constants=(), lenient=False, drawn=False,
              **options):
    """Check a pair of functions on arrays: f(*args) -> y or (y, ...), vjp(dy, *args) -> gradients of the args.

    dy has y's structure: an array or a tuple. vjp returns one gradient for each arg, None for an integer
    argument and for those named in ``constants``; None for another is WRONG. With ``lenient`` a gradient of another
    float type than its argument is only noted. ``rtol`` is the relative error up to which a gradient counts as equal:
    1e-8 in float64, 1e-3 in float32. ``in_words(name, index)`` may describe an entry. Options (names, cotangents, rng,
    entries, directions, complex_step) are those of ``Measurement``. -> Finding.
    Where nothing can be decided the check is made once more at a tenth of the arguments, and a note says what came of
    it; if they were ``drawn`` at random, and not given for a reason, what came of it is the verdict.
    Raises InputError for gradients of the wrong number or shape, and for a function without float arguments.
    """
    if not callable(vjp):
        raise DtypeError(must_be("gradcheck", "vjp", "callable", type(vjp).__name__))
    name = name or getattr(f, "__name__", "function")
    rest = {"rtol": rtol, "in_words": in_words, "constants": constants, "lenient": lenient}
    point = Measurement(f, args, **options)
    finding = compare(point, vjp, name=name, **rest)
    if finding.verdict is not Verdict.UNDECIDABLE:
        return finding
    smaller = [(a * SMALLER).astype(a.dtype) if a.dtype.kind == "f" else a for a in point.args]
    second = compare(Measurement(f, smaller, **options), vjp, name=name, **rest)
    hidden = set(second.hidden) - set(finding.hidden)
    if second.verdict is Verdict.UNDECIDABLE or hidden or not (drawn or second.verdict is Verdict.WRONG):
        return finding.with_note(f"tried at a tenth of these arguments: {second.verdict}")
    return second.with_note("checked at a tenth of the arguments: at their full size rounding hides the gradient")


def compare(measurement, vjp, *, name, rtol=None, in_words=None, constants=(), lenient=False):
    """Hold a claimed vjp against a Measurement, which may be used again: -> Finding. As ``check_vjp`` otherwise."""
    return _Comparison(measurement, vjp, name, rtol, in_words, constants, lenient).run()


class _Comparison:
    """One claimed vjp against one measurement."""

    def __init__(self, measurement, vjp, name, rtol, in_words=None, constants=(), lenient=False):
        self.point, self.vjp, self.name, self.in_words = measurement, vjp, name, in_words
        self.rtol = RTOL[measurement.weakest.name] if rtol is None else float(rtol)
        self.lenient, self.types, self.hidden = lenient, {}, ()
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
            if point.dtype == np.float32 and any(t.verdict in OPEN and not t.note for t in tensors):
                tensors = self.second_opinion(claimed, tensors, noise)
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
        if self.hidden:
            notes.append(f"nothing but rounding, claimed and measured: the gradient of {', '.join(self.hidden)}")
        if point.narrow_inside:
            notes.append("the function computes in float32 inside, and is checked as sharply as that allows")
        if any(t.verdict is Verdict.UNDECIDABLE for t in tensors) and np.isfinite(point.size):
            wider = ", or check in float64 (--dtype float64)" if point.dtype == np.float32 else ""
            notes.append("rounding in the function hides the gradient where it is undecidable: try smaller sizes, or "
                         f"smaller weights, which saturate and amplify less{wider}")
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
            hidden=self.hidden,
        )

    def gradients(self, args):
        """What the vjp claims at these arguments: one array or None for each. f is called first, for code that keeps
        in f what its backward uses."""
        point = self.point
        point.outputs(args)
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
                    with np.errstate(invalid="ignore", over="ignore"):
                        noise[k] = np.fmax(noise[k], np.abs(g.astype(float) - claimed[k]))
        return noise

    def tensor(self, k, slopes, claimed, noise):
        """Judge every measured line of one argument."""
        point, a, lines = self.point, self.point.args[k], self.point.lines[k]
        single = np.array([s.value for line, s in zip(lines, slopes) if isinstance(line, tuple)])
        scale = self.scale(k, claimed, single, slopes)
        judged = [self.entry(k, line, slope, claimed, noise, scale) for line, slope in zip(lines, slopes)]
        wrong = [(entry, line) for entry, line in zip(judged, lines) if entry.verdict is Verdict.WRONG]
        if wrong and all(entry.index is None for entry, _ in wrong):
            line = self.located(k, wrong[0][1], claimed, wrong[0][0].slope)
            judged.append(self.entry(k, line, point.slope(k, line), claimed, noise, scale))
        if self.vjp is not None:
            judged = self.heard(k, judged, [*lines, judged[-1].index])
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

    def heard(self, k, judged, lines):
        """The entries, without the accusations of slopes that are no slopes: of a function that bends between steps.

        The mean of a right gradient between two points is the slope between them, whatever the function does there.
        """
        order = sorted((n for n, e in enumerate(judged) if self.can_be_cleared(e)), key=lambda n: -judged[n].error)
        for tried, n in enumerate(order):
            if tried < ACCUSED and not self.consistent(k, lines[n], judged[n]):
                break
            judged[n] = replace(judged[n], verdict=Verdict.UNDECIDABLE)
        return judged

    def can_be_cleared(self, entry):
        return entry.verdict is Verdict.WRONG and entry.slope.kind in ("smooth", "kink") and np.isfinite(entry.error)

    def consistent(self, k, line, entry):
        """Whether the claims around the point agree with the function's values there, better than at it."""
        point, slope = self.point, entry.slope
        error = min(abs(entry.claimed - value) for value in (slope.value, slope.left, slope.right))
        of = lambda g: float(g[k][line] if isinstance(line, tuple) else (g[k] * line).sum())
        claims = lambda step, nodes: point.along(lambda args: of(self.gradients(args)), k, line, step, nodes)
        if slope.kind == "kink" and not abs(claims(point.steps[-1], 2)[0] - entry.claimed) <= 0.1 * error:
            return False  # claimed for this very point
        means, spreads = zip(*(claims(slope.step, nodes) for nodes in QUADRATURES))
        if max(spreads) > 0.1 * error and np.ptp(means) > 0.03 * min(spreads):
            return True  # the claims jump about between the steps: what was measured there says nothing
        wide = max(slope.step, point.steps[3])
        steps = [wide, 1e4 * wide] if slope.value == 0 else [wide]  # smaller ones may have drowned inside
        others = (s for s in steps if s != slope.step)
        for step, mean in [(slope.step, means[-1]), *((s, claims(s, QUADRATURES[-1])[0]) for s in others)]:
            off = abs(mean - point.mean_slope(k, line, step))
            if off <= CONSISTENT * error or off * point.steps[3] <= 10 * point.floor:
                return True
        return False

    def scale(self, k, claimed, single, slopes):
        """What the errors of a tensor are relative to: its largest gradient, claimed or measured.

        Where that is nothing but rounding (a loss that does not change when all logits grow alike), the loss itself.
        """
        size = self.point.size
        least = max(size, *(float(np.abs(u).max(initial=0.0)) for u in self.point.cotangents))
        claims_zero = np.abs(claimed).max(initial=0.0) <= 10 * self.point.eps * least
        if claims_zero and all(abs(s.value) <= SAFETY * s.uncertainty for s in slopes):
            self.hidden += (self.point.names[k],)
            return size or 1.0
        both = np.concatenate([claimed.ravel().astype(float), single])
        return float(np.abs(both[np.isfinite(both)]).max(initial=0.0)) or 1.0

    def entry(self, k, line, slope, claimed, noise, scale):
        """One claimed slope judged: along an entry, or along a direction, where errors of random sign add up."""
        if isinstance(line, tuple):
            index, value, doubt = tuple(int(i) for i in line), float(claimed[line]), float(noise[line])
        else:
            index, value, doubt = None, float((claimed * line).sum()), float(np.sqrt((noise**2).sum()))
            own = max(float(np.linalg.norm(claimed.astype(float))), abs(slope.value))
            scale = own if own and self.point.names[k] not in self.hidden else scale * np.sqrt(line.size)
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

    def second_opinion(self, claimed, tensors, noise):
        """What float32 leaves open or calls wrong, held against f in float64: there it may be right, or not wrong."""
        point = self.point
        wide = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in point.args]
        options = {"names": point.names, "cotangents": point.cotangents, "entries": point.entries}
        second = _Comparison(Measurement(lambda *args: point.f(*args), wide, **options), None, self.name, self.rtol)
        slopes, _ = second.point.slopes
        judged = []
        for k, t in zip([k for k in slopes if claimed[k] is not None], tensors):
            if t.verdict in OPEN and not t.note:
                sharper = second.tensor(k, slopes[k], claimed[k].astype(float), noise[k])
                if t.verdict is Verdict.UNDECIDABLE:
                    t = sharper if sharper.verdict is Verdict.PASS else t
                elif sharper.verdict is not Verdict.WRONG:
                    t = _softened(t)
            judged.append(t)
        return judged


def _adds_up(one, other):
    """Whether a gradient is that of the call before and once more its share: 2/1, 3/2, 4/3, ... of it."""
    ratio = float((one * other).sum() / max(float((one * one).sum()), 1e-300))
    calls = 1 / (ratio - 1) if ratio > 1 else 0
    return 0 < calls < 100 and abs(calls - round(calls)) < 1e-3 and not differ(ratio * one, other, 1e-6)


def _softened(tensor):
    weaker = (replace(e, verdict=Verdict.UNDECIDABLE) if e.verdict is Verdict.WRONG else e for e in tensor.entries)
    return replace(tensor, entries=tuple(weaker))

"""The measured half of a check: the slopes of a function at one point, whatever anyone claims they are."""

import contextlib
import inspect
import warnings
from functools import cached_property

import numpy as np

from minirnn.array import array_of, check_float, device_of, to_cpu, to_device, xp_of
from minirnn.errors import DtypeError, InputError, in_our_words, must_be
from minirnn.gradcheck import sweep

WHOLE = 2**20  # larger numbers of float32 look whole, whatever they are
NEAR, FAR = 2.0**-42, 1e-4  # shares by which arguments change: beneath float32's roundings, and well above them
# what functions that cannot take a complex argument raise when tried; anything else is a defect and is shown
NOT_COMPLEX = (TypeError, ValueError, NotImplementedError, np.exceptions.ComplexWarning)


class Measurement:
    """The loss <cotangents, f(args)> around one point: its slopes along entries, or along random directions.

    f(*args) -> an array or a tuple of arrays; float args are moved, others only handed through. An array of up to 256
    numbers (``entries``) is measured at every entry. A larger one would take too long: 32 of its entries are measured,
    chosen at random, and 8 random ``directions``, each of which moves all entries at once by + or - the step; a mistake
    anywhere shows in most directions. With entries=0 there are directions alone. cotangents are drawn from rng (a
    Generator or a seed) unless given. Raises InputError without a float argument or for cotangents of another shape,
    DtypeError for float16.
    """

    def __init__(self, f, args, *, names=None, cotangents=None, rng=0, entries=256, directions=8, complex_step=True):
        if not callable(f):
            raise DtypeError(must_be("gradcheck", "the function", "callable", type(f).__name__))
        if not isinstance(args, (list, tuple)) and not hasattr(args, "__iter__"):
            raise DtypeError(must_be("gradcheck", "args", "a list of arrays", type(args).__name__))
        self.f = f
        self.args = [a if isinstance(a, xp_of(a).ndarray) else array_of("gradcheck", "args", a)
                     for a in in_our_words(list)(args)]
        self.names = list(names) if names is not None else argument_names(f, len(self.args))
        self.rng = np.random.default_rng(rng)
        self.entries, self.directions, self.complex_step = entries, directions, complex_step
        self.evaluations = 0
        self.floats = [k for k, a in enumerate(self.args) if a.dtype.kind == "f"]
        if not self.floats:
            raise InputError(must_be("gradcheck", "args", "at least one array of float32 or float64", "none"))
        for k in self.floats:
            check_float("gradcheck", self.names[k], self.args[k])
        self.dtype = np.result_type(*(self.args[k].dtype for k in self.floats))
        self.device = device_of(self.args[self.floats[0]])
        self.eps = float(np.finfo(self.dtype).eps)
        self.steps = sweep.ladder(self.dtype)
        first = self.outputs(self.args)
        kinds = [y.dtype for y in tupled(first) if y.dtype.kind == "f"]
        self.weakest = min([self.dtype, *kinds], key=lambda kind: kind.itemsize)  # a function may compute in less
        self.narrow_inside = self.weakest == np.float64 and self._narrow_inside(tupled(first))
        if self.narrow_inside:
            self.weakest = np.dtype(np.float32)
        if self.weakest == np.float32 != self.dtype:
            self.eps, self.steps = float(np.finfo(np.float32).eps), sweep.ladder(np.float32)
        self.single = not isinstance(first, (tuple, list))
        ys = tupled(first)
        if cotangents is None:
            cotangents = [self.rng.standard_normal(shape_of(y)) for y in ys]
        self.cotangents = [np.asarray(to_cpu(u), np.float64) for u in tupled(cotangents)]
        for y, u in zip(ys, self.cotangents, strict=True):
            if shape_of(y) != u.shape:
                raise InputError(must_be("gradcheck", "cotangents", f"of the outputs' shape {shape_of(y)}", u.shape))
        self.first = [np.array(to_cpu(y)) for y in ys]
        self.size = sum(float(np.abs(u * y).sum()) for u, y in zip(self.cotangents, self.first))

    def outputs(self, args):
        self.evaluations += 1
        with np.errstate(all="ignore"):
            got = self.f(*(a.copy() for a in args))
        if type(got) is np.ndarray:
            return got
        name = getattr(self.f, "__name__", "the function")
        if isinstance(got, (tuple, list)):
            return tuple(numbers_of(y, f"result {k}", name) for k, y in enumerate(got))
        return numbers_of(got, "its result", name)

    def _narrow_inside(self, first):
        """Whether f computes in float32 inside: all it returns are numbers of float32, also where the arguments are
        none; or outputs that move with an argument stay the same, bit for bit, where it moves by less than float32
        sees.
        """
        wide = [k for k, y in enumerate(first) if y.dtype.kind == "f"]
        of = lambda ys: np.concatenate([to_cpu(tupled(ys)[k]).ravel() for k in wide] or [np.empty(0)])
        y = of(first)
        every = np.concatenate([y, *(of(self.outputs(self._shaken(share, self.floats))) for share in (NEAR, FAR)),
                                of(self.outputs(self._apart()))])
        every = every[np.isfinite(every)]
        with np.errstate(over="ignore"):
            narrow = (every == every.astype(np.float32)).all()
        if narrow:
            return bool(((every != np.round(every)) | (np.abs(every) > WHOLE)).any())
        for k in self.floats:
            near, far = (of(self.outputs(self._shaken(share, [k]))) for share in (NEAR, FAR))
            if y.shape == near.shape == far.shape:
                moving = np.abs(y - far) > FAR / 100 * np.abs(y)
                if 2 * (moving & (y == near)).sum() > moving.sum():
                    return True
        return False

    @cached_property
    def floor(self):
        """By how much the loss moves where every argument moves by a few roundings: what nobody can see beneath."""
        moved = [self.loss(self._shaken(4 * self.eps, self.floats, seed)) for seed in range(3)]
        return float(np.max(np.abs(np.array(moved) - self.loss(self.args))))

    def _shaken(self, share, which, seed=0):
        """The arguments, every one of ``which`` changed by about this share of itself."""
        rng = np.random.default_rng(seed)
        change = lambda a: to_device(1 + share * rng.choice([-1, 1], a.shape) * rng.uniform(0.5, 1, a.shape),
                                     device_of(a))
        return [(a * change(a)).astype(a.dtype) if k in which else a for k, a in enumerate(self.args)]

    def _apart(self):
        """The arguments, moved as far as the largest step leads."""
        rng, top = np.random.default_rng(0), float(self.steps[0])
        moved = lambda a: to_device(np.asarray(rng.uniform(-top, top, a.shape)).astype(a.dtype), device_of(a))
        return [a + moved(a) if k in self.floats else a for k, a in enumerate(self.args)]

    def loss(self, args):
        """<cotangents, f(args)> in double precision whatever f computes in; complex where f returns complex."""
        return sum((u * to_cpu(np.asarray(y) if np.isscalar(y) else y)).sum() for u, y in self.paired(args))

    def paired(self, args):
        return zip(self.cotangents, tupled(self.outputs(args)))

    @cached_property
    def changes(self):
        """Which output differs between evaluations at the point by more than rounding: its number, or None."""
        for _ in range(2):
            for k, (one, other) in enumerate(zip(self.first, tupled(self.outputs(self.args)))):
                if differ(one, to_cpu(other), 1000 * self.eps):
                    return k
        return None

    @cached_property
    def lines(self):
        """For each float argument the lines to measure: an index for an entry, an array of signs for a direction."""
        return {k: self._lines(self.args[k]) for k in self.floats}

    def _lines(self, a):
        if a.size <= self.entries:
            return list(np.ndindex(a.shape))
        chosen = self.rng.choice(a.size, -(-self.entries // 8), replace=False)  # none where no entry is wanted
        signs = [self.rng.choice([-1.0, 1.0], a.shape) for _ in range(self.directions)]
        return [np.unravel_index(i, a.shape) for i in chosen] + signs

    @cached_property
    def slopes(self):
        """The measured ``sweep.Slope`` of every line, and by which method: ({argument: slopes}, method)."""
        self.centre = float(np.real(self.loss(self.args)))
        slopes = {k: [self.slope(k, line) for line in lines] for k, lines in self.lines.items()}
        sharper = self._complex_slopes(slopes) if self.complex_step else None
        return (slopes, "central differences") if sharper is None else (sharper, "complex step")

    def mean_slope(self, k, line, step):
        """The slope between ``step`` to the left and to the right: what the mean of right claims there must be."""
        (right, up), (left, down) = self._moved(k, line, step), self._moved(k, line, -step)
        return float(np.real(self.loss(right) - self.loss(left))) / (up - down)

    def along(self, claim, k, line, step, nodes):
        """claim(args), a number, between ``step`` to the left and to the right: its mean, by Gauss's quadrature, and
        how far it reaches from the least to the greatest."""
        places, weights = np.polynomial.legendre.leggauss(nodes)
        values = np.array([claim(self._moved(k, line, p * step)[0]) for p in places])
        return float(values @ weights) / 2, float(np.ptp(values))

    def slope(self, k, line):
        """Measure argument k along one line on the whole ladder of steps."""
        a = self.args[k]
        reach = float(abs(a[line] if isinstance(line, tuple) else a).max())
        values, taken = self._climb(k, line, max(1.0, reach))
        if 0 < reach < 1 and not np.isfinite(values).all():  # the ladder leaves the domain, such as that of a logarithm
            values, taken = self._climb(k, line, reach)
        values[~np.isfinite(values)] = np.nan
        if not isinstance(line, tuple):
            reach *= np.sqrt(a.size)
        return sweep.measure(self.centre, *values, (taken[0] - taken[1]) / 2, self.eps, self.size, reach)

    def _climb(self, k, line, unit):
        """The losses at plus and minus every step (in units of ``unit``), and the steps taken: each (2, n)."""
        values, taken = np.empty((2, len(self.steps))), np.empty((2, len(self.steps)))
        for row, sign in enumerate((1.0, -1.0)):
            for j, step in enumerate(self.steps):
                args, taken[row, j] = self._moved(k, line, sign * step * unit)
                values[row, j] = np.real(self.loss(args))
        return values, taken

    def _moved(self, k, line, step):
        """The arguments with number k moved along a line, and the step as the dtype represents it."""
        a = self.args[k]
        wide = np.result_type(a.dtype, np.complex64) if isinstance(step, complex) else a.dtype
        there, taken = a.astype(wide), step
        if isinstance(line, tuple):
            there[line] += step
            taken = step if isinstance(step, complex) else float(there[line]) - float(a[line])
        else:
            there = there + to_device((step * line).astype(wide), device_of(a))
        return [*self.args[:k], there, *self.args[k + 1 :]], taken

    def _complex_slopes(self, slopes):
        """Try the complex step on every line; where all agree with the differences, their sharper values, else None."""
        step = 1j * sweep.COMPLEX_STEP[self.dtype.name]
        sharper = {k: [] for k in slopes}
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            for k, line, slope in [(key, *pair) for key in slopes for pair in zip(self.lines[key], slopes[key])]:
                try:
                    value = float(np.imag(self.loss(self._moved(k, line, step)[0])) / step.imag)
                except NOT_COMPLEX:
                    return None
                if slope.kind == "smooth":
                    rounding = 32 * self.eps * (abs(value) + self.size)
                    if not abs(value - slope.value) <= 10 * slope.uncertainty + rounding:
                        return None  # not analytic on this line
                    slope = slope._replace(value=value, uncertainty=min(slope.uncertainty, rounding))
                sharper[k].append(slope)
        return sharper


def numbers_of(value, what, name):
    """An array or number as a NumPy array on the CPU; InputError for anything else a function may return."""
    value = to_cpu(value)
    array = None
    if value is not None and not isinstance(value, (str, bytes, dict, set)):
        with contextlib.suppress(TypeError, ValueError, RuntimeError):  # PyTorch's tensors may refuse
            array = np.asarray(value)
    if array is None or array.dtype.kind not in "fiubc":
        cause = "did it forget its return?" if value is None else ""
        raise InputError(must_be(name, what, "an array or a number", type(value).__name__, cause))
    return array


def shape_of(y):
    """The shape of an output: an array on any device, or a number."""
    return tuple(y.shape) if hasattr(y, "shape") else np.shape(y)


def tupled(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def argument_names(f, count):
    """The function's own parameter names where it has that many, else arg0, arg1, ..."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # builtins have no signature
        parameters = []
    plain = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return plain[:count] if len(plain) >= count else [f"arg{k}" for k in range(count)]


def differ(one, other, slack):
    """Whether two results of one call differ by more than ``slack`` of their largest entry; NaN equals NaN."""
    one, other = np.asarray(one, float), np.asarray(other, float)
    if one.shape != other.shape:
        return True
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    with np.errstate(invalid="ignore"):
        same |= np.abs(one - other) <= slack * np.abs(one).max(initial=0)
    return not same.all()

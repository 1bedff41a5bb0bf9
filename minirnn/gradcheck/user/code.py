"""A user's forward and backward, however they are called, as one pair of functions on arrays."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from minirnn.errors import InputError, must_be
from minirnn.gradcheck.measurement import numbers_of, shape_of, tupled
from minirnn.gradcheck.user.arguments import parameters, required
from minirnn.gradcheck.user.names import CACHE, matching

NUMBERS = (np.ndarray, np.generic, int, float)
DY = object()  # the part of a result's gradient among backward's parameters


@dataclass
class Trace:
    """A forward pass that a backward can follow: its results, what it saved, the backward, and gradients elsewhere."""

    ys: list
    saved: Any
    backward: Any
    elsewhere: Any = dict  # () -> {name: gradient} that backward left in attributes


class Code(ABC):
    """forward(*arrays) -> y or a tuple, backward(dys, *arrays) -> one gradient or None for each of ``names``.

    ``probe(arrays)``, first of all, finds how the user's backward is called and how many results it asks about.
    """

    partly = False  # whether backward returns the gradients of forward's arguments alone, the others lie elsewhere

    def __init__(self, name, names, saved):
        self.name, self.names, self.saved = name, list(names), saved
        self.takes, self.asked, self.notes = None, None, []

    @abstractmethod
    def trace(self, arrays):
        """A Trace at these arrays."""

    def forward(self, *arrays):
        ys = self.trace(arrays).ys[: self.asked]
        return ys[0] if len(ys) == 1 and not self.several else tuple(ys)

    def backward(self, dys, *arrays):
        return self.scaled(self.gradients(self.takes, tupled(dys), arrays), tupled(dys))

    def gradients(self, takes, dys, arrays):
        """What the user's backward gives, called one way; ``takes`` makes its arguments."""
        trace = self.trace([a.copy() for a in arrays])
        got = trace.backward(*takes(dys, trace.saved, [a.copy() for a in arrays]))
        returned, elsewhere = self.read(got, arrays), trace.elsewhere()
        return [elsewhere.get(n) if g is None else g for n, g in zip(self.names, returned)]

    def scaled(self, gradients, dys):
        """Gradients of a loss, of which backward takes no cotangent, times the one there is."""
        if DY in self.roles(1) or np.size(dys[0]) != 1 or len(dys) > 1:
            return gradients
        self.note("backward takes no gradient of the result: read as that of the loss itself")
        return [None if g is None else float(np.sum(dys[0])) * np.asarray(g) for g in gradients]

    def probe(self, arrays):
        """Find the way backward is called: the first that runs and gives the right shapes, else the first that runs."""
        ys = self.numbers(self.trace([a.copy() for a in arrays]).ys)
        self.several = len(ys) > 1
        rng = np.random.default_rng(0)
        kind = np.result_type(*[a.dtype for a in arrays if a.dtype.kind == "f"] or [np.float64])
        dys = tuple(rng.standard_normal(shape_of(y)).astype(kind) for y in ys)
        ran, error, fits = None, None, False
        for takes, asked in self.ways(len(ys)):
            self.notes = []
            try:
                got = self.gradients(takes, dys[:asked], [a.copy() for a in arrays])
            except InputError as raised:
                error = error or raised
                continue
            fits = all(g is None or shape_of(g) == a.shape for g, a in zip(got, arrays) if a.dtype.kind == "f")
            if fits or ran is None:
                ran = takes, asked, self.notes
            if fits:
                break
        if ran is None:
            raise error
        (self.takes, self.asked, self.notes), self.fits = ran, fits
        if self.asked < len(ys):
            self.notes.append(f"backward takes the gradient of {self.asked} of the {len(ys)} results of forward")
        return self

    def numbers(self, ys):
        """forward's results as arrays; InputError for what is none."""
        where = getattr(self.forward_function, "__name__", "forward")
        return [numbers_of(y, f"result {k}" if len(ys) > 1 else "its result", where) for k, y in enumerate(ys)]

    def ways(self, results):
        """The ways to call backward that its parameters allow: [((dys, saved, arrays) -> arguments, of how many
        results)]."""
        roles = self.roles(results)
        asked = roles.count(DY)
        if asked > results:  # the user's own error says what is wrong
            roles, asked = self.house(), 1

        def takes(dys, saved, arrays, whole=True):
            known, values = dict(zip(self.arguments, arrays)), iter(dys)
            if asked == 1:
                values = iter([tuple(dys) if whole and results > 1 else dys[0]])
            return [saved if role is CACHE else next(values) if role is DY else known[role] for role in roles]

        ways = [(takes, results if asked <= 1 else asked)]
        return [*ways, (partial(takes, whole=False), 1)] if asked == 1 < results else ways

    def roles(self, results):
        """What each parameter of backward is: DY, CACHE, or the name of an argument of forward."""
        plain, rest = parameters(self.backward_function)
        if rest or not plain:
            return self.house()
        wants, mine = required(self.backward_function), self.arguments
        if not self.saved and mine and len(wants) - len(mine) in (1, results):
            return [DY] * (len(wants) - len(mine)) + mine  # by place, whatever they are called
        cache = next((p for p in wants if CACHE.fullmatch(p)), wants[-1] if wants else None) if self.saved else None
        read = lambda names: [CACHE if p == cache else p if p in mine else DY for p in names]
        return read(plain) if read(plain).count(DY) == results else read(wants)  # dh=None may be given

    def house(self):
        """backward(dy, saved) or backward(dy, *arguments)."""
        return [DY, CACHE] if self.saved else [DY, *self.arguments]

    def read(self, got, arrays):
        """What backward returned as one gradient or None for each name."""
        if isinstance(got, dict):
            return self._by_name(got)
        flat = list(tupled(flattened(got)))
        if len(flat) == len(self.names):
            return flat
        missing = [None] * (len(self.names) - len(self.arguments))
        if self.partly and got is None:
            return [None] * len(self.names)
        if self.partly and len(flat) >= len(self.arguments):  # of a state that was not given, too
            if len(flat) > len(self.arguments):
                self.note(f"backward returns {len(flat)} gradients, the first are of {', '.join(self.arguments)}")
            return [*flat[: len(self.arguments)], *missing]
        found = self._by_shape(flat, arrays)
        if found is None:
            expected, cause = f"{len(self.names)}, one for each argument", "use None for an argument without a gradient"
            got = len(flat)
            raise InputError(must_be("gradcheck", f"the number of gradients of {self.name}", expected, got, cause))
        claimed = ", ".join(n for n, g in zip(self.names, found) if g is not None)
        self.note(f"backward returns fewer gradients than there are arguments, by their shapes those of {claimed}")
        return found

    def _by_name(self, got):
        where = {name: matching(name, got) for name in self.names}
        if not any(k is not None for k in where.values()):
            known = ", ".join(map(str, got)) or "none"
            raise InputError(must_be(self.name, "the gradients' names", f"like d{self.names[0]} or {self.names[0]}, "
                                     f"of {', '.join(self.names)}", known))
        return [None if k is None else got[k] for k in where.values()]

    def _by_shape(self, flat, arrays):
        """Gradients that are fewer than the arguments, in their order, where the shapes leave no doubt; else None."""
        if any(g is None for g in flat) or len(flat) > len(arrays):
            return None
        shapes = [shape_of(a) for a in arrays]
        places = [[k for k, shape in enumerate(shapes) if shape == shape_of(g)] for g in flat]
        if any(len(p) != 1 for p in places) or len({p[0] for p in places}) < len(places):
            return None
        return [next((g for g, p in zip(flat, places) if p == [k]), None) for k in range(len(arrays))]

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def split(self, got):
        """What forward returned -> (flat results, what it saved): the last result that is no array, or the last."""
        if not self.saved:
            return list(tupled(flattened(got))), None
        if not isinstance(got, (tuple, list)) or len(got) < 2:
            raise InputError(must_be(self.name, "what forward returns with --saved", "(y, saved)", type(got).__name__))
        at = next((k for k in reversed(range(len(got))) if not isinstance(got[k], NUMBERS)), len(got) - 1)
        return list(tupled(flattened([*got[:at], *got[at + 1 :]]))), got[at]


class Functions(Code):
    """Two functions of a file."""

    def __init__(self, name, forward, backward, names, saved):
        super().__init__(name, names, saved)
        self.forward_function, self.backward_function, self.arguments = forward, backward, self.names

    def trace(self, arrays):
        return Trace(*self.split(self.forward_function(*arrays)), self.backward_function)

    def gradients(self, takes, dys, arrays):
        if self.saved:
            return super().gradients(takes, dys, arrays)
        return self.read(self.backward_function(*takes(dys, None, [a.copy() for a in arrays])), arrays)


def flattened(ys):
    """A result that may be nested, (y, (h, c)), as one level; a single array stays one."""
    if not isinstance(ys, (tuple, list)):
        return ys
    return tuple(part for y in ys for part in tupled(flattened(y)))

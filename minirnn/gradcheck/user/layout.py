"""How a user lays out a recurrent cell's arrays, and the way from ours to theirs and of their gradients back.

Every layout is linear: blocks of rows in another order, matrices turned or side by side, axes exchanged, two biases
added. So it is kept as numbers: which entry of ours stands where in theirs, with a minus where a gate is 1 - ours.
"""

from dataclasses import dataclass, replace

import numpy as np

from minirnn.errors import InputError, must_be
from minirnn.gradcheck import recurrent

ONE = "1"  # in Part.sources: the bias as a column of a joint matrix
VECTORS = {"flat": lambda v: v, "row": lambda v: v[None], "column": lambda v: v[:, None]}
BATCHED = ("TBD", "BTD", "DBT", "TDB", "BD", "DB")  # x as (time, batch, in), ...; the last two are one step
SINGLE = ("TD", "TD1", "D", "D1", "1D")  # one sequence, one example
IN_WORDS = {"T": "time", "B": "batch", "D": "in", "H": "hidden", "1": "1"}


@dataclass(frozen=True)
class Part:
    """One array of the user's, made of ours: ``sources`` side by side, the rows of ``gates``.

    Part("Wxi", ("weight_ih",), "i", turned=True) is the input gate's part of weight_ih as (in, hidden).
    axes: of x and the states, such as "BTD", else "".
    """

    name: str
    sources: tuple
    gates: str = ""
    turned: bool = False
    vector: str = "flat"
    axes: str = ""

    def build(self, cell, arrays, flipped=""):
        """The user's array from ours, by name."""
        if self.axes:
            return arranged(arrays[self.sources[0]], "TBD" if self.sources == ("x",) else "BH", self.axes)
        blocks = [self._rows(cell, arrays, source, flipped) for source in self.sources]
        if blocks[0].ndim == 1 and len(blocks) == 1:
            return VECTORS[self.vector](blocks[0])
        joint = np.concatenate([b[:, None] if b.ndim == 1 else b for b in blocks], axis=1)
        return joint.T if self.turned else joint

    def _rows(self, cell, arrays, source, flipped):
        array = arrays["bias" if source == ONE else source]
        own = cell.stacked("bias_ih" if source in (ONE, "bias") else source)
        blocks = dict(zip(own, np.split(array, len(own))))
        return np.concatenate([-blocks[g] if g in flipped else blocks[g] for g in self.gates if g in own])


def arranged(array, given, wanted):
    """An array whose axes are the letters ``given`` with those ``wanted``: a letter left out has size 1, 1 is a new
    axis; arranged(x, "TBD", "BTD") is batch first."""
    kept = [letter for letter in given if letter in wanted]
    array = array[tuple(slice(None) if letter in kept else 0 for letter in given)]
    letters = [letter for letter in wanted if letter != "1"]
    array = array.transpose([kept.index(letter) for letter in letters])
    return np.expand_dims(array, tuple(k for k, letter in enumerate(wanted) if letter == "1"))


@dataclass(frozen=True)
class Layout:
    """The whole of a user's layout. ``results``: for each result what it is ("y", "h", "c", ... or "") and its axes."""

    cell: object
    name: str  # of the cell
    parts: tuple
    biases: int = 2
    flipped: str = ""  # gates that are 1 - ours: their rows change sign
    results: tuple = ()

    @property
    def x_axes(self):
        return next(part.axes for part in self.parts if part.sources == ("x",))

    @property
    def sources(self):
        return {source for part in self.parts for source in part.sources}

    def problem(self, D, H, dtype=np.float64, seed=0):
        """A random Problem this layout can express: its biases, zero states where the user has none, its sizes."""
        sizes = {"T": 4 if "T" in self.x_axes else 1, "B": 3 if "B" in self.x_axes else 1, "D": D, "H": H}
        return self.fitted(recurrent.random_problem(self.cell, seed, dtype=dtype, bias=self.biases > 0, **sizes))

    def fitted(self, p):
        weights = p.weights
        if self.biases == 1 and getattr(self.cell, "reset_after", False):
            weights = weights._replace(bias_hh=None)  # inside the reset there is none
        given = self.sources
        state0 = tuple(s if f"{n}0" in given else 0 * s for n, s in zip(p.cell.states, p.state0))
        return replace(p, weights=weights, state0=state0)

    def arrays(self, p):
        """The user's arrays at a problem, in their order. Raises InputError for one that the layout cannot express."""
        given = self.sources
        for n, s in zip(p.cell.states, p.state0):
            if f"{n}0" not in given and np.any(s):
                raise InputError(must_be("gradcheck", f"{n}0", "zero, for forward takes none", "other"))
        ok = ("T" in self.x_axes or len(p.x) == 1) and ("B" in self.x_axes or p.x.shape[1] == 1)
        if not ok:
            raise InputError(must_be("gradcheck", "the sizes", f"those of {self.x_axes}", p.x.shape))
        return self._built(self._merged(p))

    def _built(self, merged):
        return [part.build(self.cell, merged, self.flipped) for part in self.parts]

    def _merged(self, p):
        """Our arrays by name, and "bias", the sum of both."""
        arrays = dict(p.arrays)
        zero = lambda: np.zeros(p.weights.weight_ih.shape[0], p.x.dtype)
        both = [arrays.get("bias_ih"), arrays.get("bias_hh")]
        arrays["bias"] = sum((b for b in both if b is not None), start=zero())
        for name, b in zip(("bias_ih", "bias_hh"), both):
            arrays[name] = zero() if b is None else b
        return arrays

    def blocks(self, name, H):
        """The gates an array of the user's is made of, as ``Problem.blocks`` gives them: of rows, or of columns."""
        part = next((part for part in self.parts if part.name == name), None)
        gates = part.gates if part is not None and len(part.gates) > 1 else ""
        flat = not gates or not {"bias", "bias_ih", "bias_hh"} & set(part.sources)
        across = bool(gates) and (part.turned if flat else part.vector == "row")
        return tuple((gate, k * H, (k + 1) * H) for k, gate in enumerate(gates)), across

    def labels(self, p):
        """(the user's arrays filled with the place of each entry in ours, counted from 1; {our name: first place})."""
        merged, at, start = self._merged(p), {}, 1
        for name, array in merged.items():
            at[name] = start
            merged[name] = np.arange(start, start + array.size, dtype=np.int64).reshape(array.shape)
            start += array.size
        return self._built(merged), at

    def gradients(self, p, given):
        """The user's gradients, in their order, None for none, as ours by name; what they do not have is left out."""
        labels, at = self.labels(p)
        merged = self._merged(p)
        flat, known = np.zeros(sum(a.size for a in merged.values()), p.x.dtype), np.zeros(0, int)
        for label, g in zip(labels, given):
            if g is not None:
                g = np.asarray(g)
                if g.shape != label.shape:
                    raise InputError(must_be("gradcheck", "a gradient", f"of shape {label.shape}", g.shape))
                np.add.at(flat, np.abs(label) - 1, np.sign(label) * g)
                known = np.append(known, np.abs(label).ravel())
        known = set(known.tolist())
        got = {}
        for name, array in merged.items():
            if at[name] in known:
                got[name] = flat[at[name] - 1 :][: array.size].reshape(array.shape)
        for name in ("bias_ih", "bias_hh"):
            if "bias" in got:
                got[name] = got["bias"].copy()
        return {name: got[name] for name in p.arrays if name in got}

    def cotangents(self, p):
        """What arrives at each of the user's results for the loss of a problem, and the Problem of what cannot."""
        roles = [role for role, _ in self.results]
        dy, left, given = p.dy.copy(), dict(zip(p.cell.states, (d.copy() for d in p.dfinal))), {}
        y = next((role for role in roles if role in ("y", "y0")), None)
        c = next((role for role in ("c", "cs", "cs0") if role in roles), None)
        if y and "h" not in roles:
            dy[-1] += left["h"]  # the last of y is h_T
            left["h"][...] = 0
        elif "h" in roles and not y:
            left["h"] += dy[-1]
            dy[-1] = 0
        if y:
            given[y], dy = _after_none(dy, y), 0 * dy
        if "h" in roles:
            given["h"], left["h"] = left["h"], 0 * left["h"]
        if c:
            given[c] = left["c"] if c == "c" else _after_none(np.concatenate([0 * p.dy[1:], left["c"][None]]), c)
            left["c"] = 0 * left["c"]
        out = [arranged(d, "BH" if d.ndim == 2 else "TBH", axes) if (d := given.pop(role, None)) is not None else None
               for role, axes in self.results]  # of a result that is there twice the first; None where nothing arrives
        return out, replace(p, dy=dy, dfinal=tuple(left[s] for s in p.cell.states))


def _after_none(dy, role):
    return np.concatenate([0 * dy[:1], dy]) if role.endswith("0") else dy


def catalogue(p):
    """What a forward may return of a problem, by name: y, h, c, and the memories cs; y0 and cs0 begin with the initial
    state. Each (T, B, H) or (B, H)."""
    state, kept = p.state0, [p.state0]
    for x in p.x:
        state, _ = p.cell.step(x, state, p.weights)
        kept.append(state)
    found = {}
    for k, name in enumerate(p.cell.states):
        every = np.stack([s[k] for s in kept])
        found |= {name: every[-1], {"h": "y", "c": "cs"}[name]: every[1:], {"h": "y0", "c": "cs0"}[name]: every}
    return found


def axes_of(role, x_axes):
    """The axes in which a result may come: of h and c after x's, of whole sequences in any order."""
    step = x_axes.replace("T", "").replace("D", "H")
    if role in ("h", "c"):
        return dict.fromkeys((step, "BH" if "B" in x_axes else "H", "1BH" if "B" in x_axes else "1H"))
    if "T" not in x_axes:
        return ()
    orders = ("TBH", "BTH", "HBT", "THB") if "B" in x_axes else ("TH", "TH1", "T1H", "HT")
    return dict.fromkeys((x_axes.replace("D", "H"), *orders))

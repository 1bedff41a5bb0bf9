"""One concrete question about a recurrent cell over a sequence, which every form of its gradient can be asked."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minirnn import bptt
from minirnn.cells import Masks
from minirnn.errors import DtypeError, in_our_words, must_be


@dataclass(frozen=True, eq=False)
class Problem:
    """A cell at one point with fixed cotangents: x (T, B, D), state0 and dfinal each (B, H), dy (T, B, H)."""

    cell: Any
    x: Any
    state0: tuple
    weights: Any
    dy: Any
    dfinal: tuple
    masks: Masks = Masks()
    lengths: Any = None
    reverse: bool = False

    @property
    def arrays(self):
        """Everything differentiated, by name: x, h0 (and c0), and the weights there are."""
        states = {f"{name}0": s for name, s in zip(self.cell.states, self.state0)}
        return {"x": self.x, **states, **{n: w for n, w in self.weights._asdict().items() if w is not None}}

    def at(self, arrays):
        """The same question at other arrays, given by name."""
        weights = self.cell.Weights(*(arrays.get(name) for name in self.cell.Weights._fields))
        state0 = tuple(arrays[f"{name}0"] for name in self.cell.states)
        return replace(self, x=arrays["x"], state0=state0, weights=weights)

    def loss_at(self, step):
        """The same question with the loss at one step alone; step T means the final states."""
        dy = np.zeros_like(self.dy)
        dfinal = tuple(np.zeros_like(d) for d in self.dfinal)
        if step == len(self.x):
            return replace(self, dy=dy, dfinal=self.dfinal)
        dy[step] = self.dy[step]
        return replace(self, dy=dy, dfinal=dfinal)

    def in_words(self, name, index):
        """An entry's parameter, index, gate and time step: "weight_hh[5, 1] (gate g, unit 1, from unit 1)"."""
        H = self.cell.hidden(self.weights)
        where = f"{name}[{', '.join(map(str, index))}]"
        if name == "x":
            t, b, d = index
            return f"{where} (time step t = {t}, row {b}, input {d})"
        if name.endswith("0"):
            return f"{where} (initial {name[:-1]}, row {index[0]}, unit {index[1]})"
        gates = self.cell.stacked(name)
        if not gates:
            return where
        gate, unit = gates[index[0] // H], index[0] % H
        source = {"D": "input", "H": "unit"}.get(self.cell.shapes("D", "H")[name][-1]) if len(index) == 2 else None
        return f"{where} (gate {gate}, unit {unit}" + (f", from {source} {index[1]})" if source else ")")

    def blocks(self, name):
        """The gates an array is made of and their rows: (("i", 0, H), ("f", H, 2H), ...), () for one without gates; and
        False, for they are not of columns."""
        H, gates = self.cell.hidden(self.weights), self.cell.stacked(name) if name in self.cell.Weights._fields else ()
        return tuple((gate, k * H, (k + 1) * H) for k, gate in enumerate(gates)), False


@in_our_words
def random_problem(cell, seed=0, *, T=4, B=3, D=5, H=2, masked=False, padded=False, dtype=np.float64, bias=True):
    """A Problem with every size different and every number random and non-zero, of both signs.

    masked: per-step factors of 1/2 and 2 for every dropout scheme the cell knows, shares of 1/4 and 3/4 for zoneout, or
    the names of some of these masks. Zeros would hide paths.
    padded: lengths in 1..T, unsorted.
    """
    if not all(hasattr(cell, name) for name in ("gates", "states", "masks")) or isinstance(cell, type):
        raise DtypeError(must_be("random_problem", "cell", "a cell, such as LSTM()", type(cell).__name__))
    rng = np.random.default_rng(seed)
    draw = lambda *shape: (rng.uniform(0.2, 1.2, shape) * rng.choice([-1, 1], shape)).astype(dtype)
    n, optional = range(len(cell.states)), () if bias else cell.Weights._field_defaults
    weights = cell.Weights(**{name: draw(*s) for name, s in cell.shapes(D, H).items() if name not in optional})
    names = cell.masks if masked is True else masked or ()
    values = {name: (0.25, 0.75) if name.startswith("zoneout") else (0.5, 2.0) for name in names}
    masks = {name: rng.choice(pair, (T, B, H)).astype(dtype) for name, pair in values.items()}
    lengths = 1 + (T - 1 + 2 * np.arange(B)) % T if padded else None
    state0, dfinal = tuple(draw(B, H) for _ in n), tuple(draw(B, H) for _ in n)
    return Problem(cell, draw(T, B, D), state0, weights, draw(T, B, H), dfinal, Masks(**masks), lengths)


def outputs(problem):
    """y and the final states by the explicit loop, borders unchecked, so that complex arrays may pass."""
    p = problem
    active = None if p.lengths is None else bptt.active_steps(len(p.x), p.lengths, np)
    states, _ = bptt.explicit_forward(p.cell, p.x, p.state0, p.weights, p.masks, p.lengths, active, p.reverse)
    y = states[0][:-1] if p.reverse else states[0][1:]
    return y if active is None else np.where(active, y, 0), *(s[0] if p.reverse else s[-1] for s in states)


def gradients(problem, form="explicit"):
    """dL/d(arrays) of a problem by bptt in one form: name -> array."""
    p = problem
    run = bptt.forward(p.cell, p.x, p.state0, p.weights, p.masks, p.lengths, p.reverse, form=form)
    return named(problem, bptt.backward(run, p.dy, p.dfinal))


def composed_gradients(problem):
    """dL/d(arrays) of a problem by the tape, from the cell's definition alone: name -> array."""
    from minirnn.autograd import Tensor, grad
    from minirnn.nn import composed

    tensors = {name: Tensor(a, requires_grad=True) for name, a in problem.arrays.items()}
    p = problem.at(tensors)
    y, final = composed.sequence(p.cell, p.x, p.state0, p.weights, p.masks, p.lengths, p.reverse)
    got = grad([y, *final], list(tensors.values()), [Tensor(d) for d in (p.dy, *p.dfinal)])
    return {name: g.value for name, g in zip(tensors, got)}


def named(problem, got):
    """bptt's Gradients by the names of ``problem.arrays``."""
    states = {f"{name}0": d for name, d in zip(problem.cell.states, got.state0)}
    return {"x": got.x, **states, **{n: w for n, w in got.weights._asdict().items() if w is not None}}

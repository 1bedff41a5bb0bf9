"""Recurrent cells on plain arrays: step and hand-derived step_backward.

A cell is a small frozen object that owns its parameters: ``Weights``, a NamedTuple of arrays; ``shapes(D, H)``,
``hidden(weights)`` and ``initial(rng, D, H)``. It has ``name``, ``gates`` (as stacked in its weights), ``states``,
``masks`` (the fields of Masks it takes) and two functions::

    state, saved = cell.step(x, state, weights, masks)
    dx, dstate_prev, dweights = cell.step_backward(dstate, saved, weights)

Cells know neither the tape nor sequences; ``minirnn.bptt`` runs them over time. ``CELLS`` names them all.
"""

from minirnn.cells.coupled import CoupledLSTM
from minirnn.cells.gru import GRU
from minirnn.cells.lstm import LSTM
from minirnn.cells.operands import Masks, Weights
from minirnn.cells.order import from_onnx, reordered, to_onnx
from minirnn.cells.peephole import PeepholeLSTM
from minirnn.cells.rnn import RNN
from minirnn.errors import InputError, must_be
from minirnn.errors import near as near_names

__all__ = ["CELLS", "GRU", "LSTM", "RNN", "CoupledLSTM", "Masks", "PeepholeLSTM", "Weights", "find", "from_onnx",
           "near", "reordered", "to_onnx"]

CELLS = {
    "rnn": RNN(),
    "rnn-relu": RNN("relu"),
    "rnn-identity": RNN("identity"),
    "lstm": LSTM(),
    "lstm-relu": LSTM(activation="relu"),
    "lstm-version-0": LSTM(forget_gate=False),
    "lstm-peephole": PeepholeLSTM(),
    "lstm-coupled": CoupledLSTM(),
    "gru": GRU(),
    "gru-slides": GRU(convention="slides"),
    "gru-reset-after": GRU(reset_after=True),
}
ALIASES = {"rnn-tanh": "rnn", "lstm-v0": "lstm-version-0", "peephole": "lstm-peephole",
           "coupled": "lstm-coupled", "cifg": "lstm-coupled",
           "gru-thesis": "gru", "gru-after": "gru-reset-after"}


def find(name):
    """(name, cell) of CELLS by name or alias, blanks and underscores as hyphens: "LSTM v0" is "lstm-version-0"."""
    known = _plain(name)
    known = ALIASES.get(known, known)
    return (known, CELLS[known]) if known in CELLS else (None, None)


def named(where, name, what="cell"):
    """``find``, or InputError with the names that look like this one."""
    known, cell = find(name)
    if cell is None:
        raise InputError(must_be(where, what, f"one of {', '.join(CELLS)}", repr(name), near(name)))
    return known, cell


def near(name, *others):
    """``errors.near`` among the names and aliases of CELLS, and ``others``."""
    return near_names(_plain(name), [*CELLS, *ALIASES, *others])


def _plain(name):
    return str(name).strip().lower().replace(" ", "-").replace("_", "-")

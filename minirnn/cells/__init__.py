"""Recurrent cells on plain arrays: step and hand-derived step_backward.

A cell is a small frozen object with ``name``, ``gates`` (as stacked in its weights), ``states``, ``masks`` (the fields
of Masks it takes) and two functions::

    state, saved = cell.step(x, state, weights, masks)
    dx, dstate_prev, dweights = cell.step_backward(dstate, saved, weights)

Cells know neither the tape nor sequences; ``minirnn.bptt`` runs them over time.
"""

from minirnn.cells.gru import GRU
from minirnn.cells.lstm import LSTM
from minirnn.cells.operands import Masks, Weights
from minirnn.cells.order import reordered
from minirnn.cells.rnn import RNN

__all__ = ["GRU", "LSTM", "RNN", "Masks", "Weights", "reordered"]

"""Recurrent layers as people write them, right, in four styles: what ``gradcheck --score`` makes mistakes in.

Each style is a module with, for every cell of CELLS, ``NAME_forward(x, states..., weights...)`` -> (y, states...),
cache, and ``NAME_backward(dy, dstates..., cache, weights...)`` -> one gradient for each argument of forward.
"""

CELLS = ("rnn", "lstm", "gru", "gru_reset_after")
STYLES = ("step", "gates", "arrays", "columns")

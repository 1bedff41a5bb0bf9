"""Gates stacked in another order: between the code (i f g o), the thesis (i f o g) and the slides (g i o f)."""

from minirnn.array import xp_of
from minirnn.cells.operands import Weights, split
from minirnn.errors import InputError, must_be


def reordered(weights, given, wanted):
    """Weights whose stacked gates stand in another order: one letter for each gate, ``reordered(w, "giof", "ifgo")``.

    Raises InputError for weights of another kind, and when the two orders are not made of the same letters or their
    number does not divide the rows.
    """
    if not isinstance(weights, Weights):
        raise InputError(must_be("reordered", "weights", "cells.Weights, all gates in each", type(weights).__name__))
    if sorted(given) != sorted(wanted) or len(set(given)) != len(given):
        raise InputError(must_be("reordered", "wanted", f"the letters of {given!r} in another order", repr(wanted)))
    rows = weights.weight_ih.shape[0]
    if rows % len(given):
        raise InputError(must_be("reordered", "weights", f"{len(given)} stacked gates", f"{rows} rows"))
    places = [given.index(gate) for gate in wanted]

    def moved(array):
        if array is None:
            return None
        blocks = split(array.T, len(given))
        return xp_of(array).concatenate([blocks[k] for k in places], axis=-1).T

    return Weights(*map(moved, weights))

"""What a planted bug is, and how a file of them is written."""

import inspect
from collections.abc import Callable
from typing import NamedTuple

from minirnn import bptt
from minirnn.cells import operands

EVERY_FORM = lambda cell: True


class Mutant(NamedTuple):
    """One planted bug: in words, the function it is made in, and its edits (fragment as it is, fragment with the bug).

    ``fits(cell)`` narrows it to the forms of a cell that have the part it breaks.
    """

    says: str
    function: Callable
    edits: tuple
    fits: Callable = EVERY_FORM
    source: str | None = None  # the whole function with the bug, where it is not made by these edits

    def applies(self, cell):
        """Whether this cell runs the edited code."""
        step = type(cell).step_backward
        if self.function is operands.affine_backward:
            return "affine_backward" in step.__code__.co_names
        return self.function in (step, bptt.explicit_backward) and self.fits(cell)


def planted(function, rows, fits=EVERY_FORM):
    """Rows of (says, fragment, bug, fragment, bug, ...) as Mutants of one function."""
    return tuple(Mutant(says, function, tuple(zip(edits[::2], edits[1::2])), fits) for says, *edits in rows)


def shared_biases(function, gates, before, pairs, fits=EVERY_FORM):
    """Mutants whose bias of one gate receives another's gradient; ``before`` is the line ahead of which it happens.

    gates: {letter: name} in stacking order; pairs: (receives, of) as letters, "if".
    """
    rows, order = [], list(gates)
    for to, of in pairs:
        code = f"""for b in (b for b in (dweights.bias_ih, dweights.bias_hh) if b is not None):
        H = b.size // {len(order)}
        b[{order.index(to)} * H :][:H] = b[{order.index(of)} * H :][:H]
    {before}"""
        rows.append((f"b_{to} receives the {gates[of]} gate's delta", before, code))
    return planted(function, rows, fits)


def saved_fields(cell):
    """What a step keeps for its backward, masks aside, in the order of its ``Saved``."""
    return [name for name in inspect.getmodule(type(cell)).Saved._fields if name not in ("masks", "gal")]


QUANTITIES = {"phi_c": "phi(c_t)", "c_prev": "c_{t-1}", "c_new": "c_t", "h_in": "h_{t-1}", "h_prev": "h_{t-1}",
              "h": "h_t"}


def in_words(name):
    """A name of the source as the equations have it: "phi_c" is "phi(c_t)"."""
    return QUANTITIES.get(name.removeprefix("saved."), name.removeprefix("saved."))

"""The vanilla recurrent network, one step and its hand-derived backward."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from minirnn.cells.activations import ACTIVATIONS
from minirnn.cells.operands import NO_MASKS, affine, affine_backward, masked
from minirnn.cells.stacked import Settings, Stacked, Words
from minirnn.errors import InputError, must_be


class Saved(NamedTuple):
    """What ``RNN.step`` keeps for its backward."""

    x: Any  # (B, D)
    h_in: Any  # (B, H): the previous state as the recurrence saw it
    h: Any  # (B, H)
    gal: Any


@dataclass(frozen=True)
class RNN(Stacked):
    """h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), with f tanh, relu or identity. thesis (2.2.2)

    The only dropout mask it knows is ``gal``, thesis (3.3.4); it has no memory cell for ``moon`` or ``ours`` to mask.
    Raises InputError for an unknown nonlinearity.
    """

    nonlinearity: str = "tanh"

    name: ClassVar[str] = "rnn"
    gates: ClassVar[tuple] = ("h",)
    states: ClassVar[tuple] = ("h",)
    masks: ClassVar[tuple] = ("gal",)
    instead: ClassVar[dict] = {"ours": "gal"}  # it has no update: thesis (3.3.4)
    kernel: ClassVar[str] = "rnn"
    kernel_options: ClassVar[tuple] = ("nonlinearity",)
    settings: ClassVar[Settings] = Settings(
        "gain of W_hh", tuple((f"gain {g:g}", g, {}) for g in (0.7, 1.0, 1.5, 2.0, 3.0)))
    words: ClassVar[Words] = Words(
        gates="h_t = f(a_t), thesis (2.2.2)",
        road="each step back multiplies it by diag(f′)W_{hh}, from thesis (2.2.2)",
        contents={"h": "the hidden state, thesis (2.2.2)"},
        masks={"gal": "it multiplies the state that enters the recurrence, thesis (3.3.4)"},
    )

    def __post_init__(self):
        if self.nonlinearity not in ACTIVATIONS:
            known = f"one of {', '.join(ACTIVATIONS)}"
            raise InputError(must_be("RNN", "nonlinearity", known, repr(self.nonlinearity)))

    @property
    def watched(self):
        """{what is looked at: (its field of Saved, its activation)}."""
        return {"h": ("h", self.nonlinearity)}

    def step(self, x, state, weights, masks=NO_MASKS):
        """One step: x (B, D), (h_prev (B, H),), weights with K = 1 -> (h (B, H),), saved."""
        (h_prev,) = state
        f, _ = ACTIVATIONS[self.nonlinearity]
        h_in = masked(masks.gal, h_prev)  # thesis (3.3.4)
        h = f(affine(x, h_in, weights))  # thesis (2.2.2), again (3.3.3)
        return (h,), Saved(x, h_in, h, masks.gal)

    def step_backward(self, dstate, saved, weights):
        """Backward of one step: (dh (B, H),), saved -> dx (B, D), (dh_prev (B, H),), dweights."""
        (dh,) = dstate
        _, slope = ACTIVATIONS[self.nonlinearity]
        da = dh * slope(saved.h)  # from thesis (2.2.2)
        dx, dh_in, dweights = affine_backward(da, saved.x, saved.h_in, weights)
        dh_prev = masked(saved.gal, dh_in)  # from thesis (3.3.4)
        return dx, (dh_prev,), dweights

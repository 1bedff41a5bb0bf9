"""What cells with stacked gates share: their parameters, and what is to be said about them elsewhere."""

from typing import Any, NamedTuple

import numpy as np

from minirnn import init
from minirnn.cells.operands import Weights


class Words(NamedTuple):
    """A cell in words, for headings and sentences; ``h_t`` and ``W_{hh}`` are subscripts.

    gates: what the gates are; road: how a gradient goes back through a step; contents {state: what it is};
    masks {name: what it multiplies}, where that differs from the other cells'. '' or left out: nothing is said.
    """

    gates: str = ""
    road: str = ""
    contents: dict = {}
    masks: dict = {}


class Settings(NamedTuple):
    """What a random layer is tried with, from forgetting to remembering: ``varied``, and for each choice
    (label, gain of weight_hh, {gate: bias})."""

    varied: str = "nothing"
    choices: tuple = (("as initialised", 1.0, {}),)


class Stacked:
    """A cell whose gates stand one under the other in its weights: weight_ih (K*H, D), weight_hh (K*H, H), two biases.

    Subclasses say ``name``, ``gates``, ``states``, ``masks``, what is ``watched`` and how a step is done; and, where it
    differs from what stands here, their Weights, the gates that start with a bias of 1, and their kernel.

        LSTM().shapes(5, 2)["weight_hh"]    # (8, 2): four gates of two units
    """

    Weights: Any = Weights
    open_gates = ()  # gates whose bias starts at 1
    instead = {}  # {mask it has no place for: the mask that acts instead}
    kernel = None  # the sequence kernel that computes it: minirnn.kernels.NAME_forward and NAME_backward
    kernel_options = ()  # the fields of the cell that the kernel takes
    settings = Settings()
    words = Words()

    def shapes(self, D, H):
        """{field of Weights: shape} for D inputs and H units."""
        rows = len(self.gates) * H
        return {"weight_ih": (rows, D), "weight_hh": (rows, H), "bias_ih": (rows,), "bias_hh": (rows,)}

    def hidden(self, weights):
        """H, the number of units of some weights."""
        return weights.weight_hh.shape[-1]

    def stacked(self, name):
        """The gates whose blocks of H rows make up a field of Weights."""
        return self.gates

    def initial(self, rng, D, H, dtype=np.float32, bias=True):
        """Weights drawn from ``rng``: each gate's weight_ih Glorot uniform, weight_hh orthogonal, biases 0, b_f 1."""
        weight_ih = np.concatenate([init.glorot_uniform(rng, (H, D), dtype=dtype) for _ in self.gates])
        weight_hh = np.concatenate([init.orthogonal(rng, (H, H), dtype=dtype) for _ in self.gates])
        if not bias:
            return Weights(weight_ih, weight_hh)
        bias_ih = init.gate_biases(H, [float(gate in self.open_gates) for gate in self.gates], dtype)
        return Weights(weight_ih, weight_hh, bias_ih, np.zeros_like(bias_ih))

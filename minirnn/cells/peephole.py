"""Long short-term memory whose gates see the memory, one step and its hand-derived backward."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from minirnn import init
from minirnn.cells.activations import sigmoid, sigmoid_slope, tanh, tanh_slope
from minirnn.cells.lstm import LSTM
from minirnn.cells.operands import (
    NO_MASKS,
    Masks,
    affine,
    affine_backward,
    masked,
    split,
    stack,
    zoneout,
    zoneout_backward,
)
from minirnn.cells.stacked import Stacked, Words


class PeepholeWeights(NamedTuple):
    """An LSTM's parameters and weight_ch (3H,), the peepholes of i, f and o: each gate sees its own unit's memory."""

    weight_ih: Any  # (4H, D)
    weight_hh: Any  # (4H, H)
    weight_ch: Any  # (3H,)
    bias_ih: Any = None  # (4H,)
    bias_hh: Any = None  # (4H,)


class Saved(NamedTuple):
    """What ``PeepholeLSTM.step`` keeps for its backward; (B, H) unless said."""

    x: Any  # (B, D)
    h_in: Any  # the previous hidden state as the gates saw it
    c_prev: Any
    i: Any
    f: Any
    g: Any
    o: Any
    c_new: Any  # the new memory, before any zoneout: what the output gate saw
    phi_c: Any  # its tanh
    masks: Masks


@dataclass(frozen=True)
class PeepholeLSTM(Stacked):
    """An LSTM in which i and f see c_{t-1} and o sees c_t, through a weight for each unit. graves (7)-(11)

    Gates stacked i f g o, peepholes i f o; with weight_ch = 0 it is ``LSTM()``. Masks act where they do there: o sees
    the new memory after ``moon`` and before zoneout.
    """

    name: ClassVar[str] = "lstm-peephole"
    gates: ClassVar[tuple] = ("i", "f", "g", "o")
    states: ClassVar[tuple] = ("h", "c")
    masks: ClassVar[tuple] = Masks._fields
    Weights: ClassVar[type] = PeepholeWeights
    open_gates: ClassVar[tuple] = ("f",)
    watched: ClassVar[dict] = LSTM().watched
    settings: ClassVar[tuple] = LSTM().settings
    words: ClassVar[Words] = Words(
        gates="i, f, o = σ(a), graves (7), (8) and (10), where a has the memory in it, and g = tanh(a)",
        road="c has a road of its own, where each step back multiplies by f_t, from graves (9), and adds what comes "
        "through the gates that saw it, from graves (7) and (8)",
        contents={"c": "the memory, graves (9)", "h": "what the output gate shows of the memory, graves (11)"},
    )

    def shapes(self, D, H):
        """As ``Stacked.shapes``, and three peepholes a unit."""
        shapes = {**super().shapes(D, H), "weight_ch": (3 * H,)}
        return {name: shapes[name] for name in PeepholeWeights._fields}

    def stacked(self, name):
        """The gates whose blocks of H rows make up a field of the weights."""
        return ("i", "f", "o") if name == "weight_ch" else self.gates

    def initial(self, rng, D, H, dtype=np.float32, bias=True):
        """As ``Stacked.initial``, and then weight_ch from U(+-1 / sqrt(H))."""
        w = super().initial(rng, D, H, dtype, bias)
        return PeepholeWeights(w.weight_ih, w.weight_hh, init.uniform(rng, (3 * H,), H**-0.5, dtype), *w[2:])

    def step(self, x, state, weights, masks=NO_MASKS):
        """One step: x (B, D), (h_prev, c_prev) each (B, H) -> (h, c), saved."""
        h_prev, c_prev = state
        p_i, p_f, p_o = split(weights.weight_ch, 3)  # each (H,)
        h_in = masked(masks.gal, h_prev)
        a_i, a_f, a_g, a_o = split(affine(x, h_in, weights), 4)  # each (B, H)
        i = sigmoid(a_i + p_i * c_prev)  # graves (7)
        f = sigmoid(a_f + p_f * c_prev)  # graves (8)
        g = tanh(a_g)
        c_new = masked(masks.moon, f * c_prev + i * masked(masks.ours, g))  # graves (9)
        o = sigmoid(a_o + p_o * c_new)  # graves (10)
        phi_c = tanh(c_new)
        h = zoneout(masks.zoneout_h, h_prev, o * phi_c)  # graves (11)
        c = zoneout(masks.zoneout_c, c_prev, c_new)
        return (h, c), Saved(x, h_in, c_prev, i, f, g, o, c_new, phi_c, masks)

    def step_backward(self, dstate, saved, weights):
        """Backward of one step: (dh, dc) each (B, H), saved -> dx (B, D), (dh_prev, dc_prev), dweights."""
        dh, dc = dstate
        x, h_in, c_prev, i, f, g, o, c_new, phi_c, masks = saved
        p_i, p_f, p_o = split(weights.weight_ch, 3)
        dh_old, dh = zoneout_backward(masks.zoneout_h, dh)
        dc_old, dc = zoneout_backward(masks.zoneout_c, dc)
        da_o = dh * phi_c * sigmoid_slope(o)  # from graves (11) and (10)
        dc = dc + dh * o * tanh_slope(phi_c) + da_o * p_o  # three paths: the next step, (11), and o's peephole in (10)
        dc = masked(masks.moon, dc)
        da_i = dc * masked(masks.ours, g) * sigmoid_slope(i)  # from graves (9) and (7)
        da_f = dc * c_prev * sigmoid_slope(f)  # from graves (9) and (8)
        da_g = masked(masks.ours, dc * i) * tanh_slope(g)  # from graves (9)
        dc_prev = dc * f + da_i * p_i + da_f * p_f + dc_old  # the road of (9), and the peepholes of (7) and (8)

        dx, dh_in, d = affine_backward(stack([da_i, da_f, da_g, da_o]), x, h_in, weights)
        dweight_ch = stack([(da_i * c_prev).sum(axis=0), (da_f * c_prev).sum(axis=0), (da_o * c_new).sum(axis=0)])
        dh_prev = masked(masks.gal, dh_in) + dh_old
        return dx, (dh_prev, dc_prev), PeepholeWeights(d.weight_ih, d.weight_hh, dweight_ch, d.bias_ih, d.bias_hh)

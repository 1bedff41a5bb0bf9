"""Long short-term memory whose input gate is what the forget gate leaves, one step and its hand-derived backward."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

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
from minirnn.cells.stacked import Settings, Stacked, Words


class Saved(NamedTuple):
    """What ``CoupledLSTM.step`` keeps for its backward; (B, H) unless said."""

    x: Any  # (B, D)
    h_in: Any  # the previous hidden state as the gates saw it
    c_prev: Any
    f: Any
    g: Any
    o: Any
    phi_c: Any  # tanh of the new memory, before any zoneout: what the output gate saw
    masks: Masks


@dataclass(frozen=True)
class CoupledLSTM(Stacked):
    """An LSTM with i = 1 - f: as much is written as was forgotten. thesis (2.2.4)-(2.2.6) with one gate fewer

    Gates stacked f g o. c_t = f c_{t-1} + (1 - f) g lies between the two, so that with |c_0| <= 1 no memory leaves
    [-1, 1]. Masks act where they do in ``LSTM()``.
    """

    name: ClassVar[str] = "lstm-coupled"
    gates: ClassVar[tuple] = ("f", "g", "o")
    states: ClassVar[tuple] = ("h", "c")
    masks: ClassVar[tuple] = Masks._fields
    open_gates: ClassVar[tuple] = ("f",)
    watched: ClassVar[dict] = {name: kind for name, kind in LSTM().watched.items() if name != "i"}
    settings: ClassVar[Settings] = LSTM().settings
    words: ClassVar[Words] = Words(
        gates="f, o = σ(a) and g = tanh(a), thesis (2.2.4), with 1 − f in place of i",
        road=LSTM().words.road,
        contents=LSTM().words.contents,
    )

    def step(self, x, state, weights, masks=NO_MASKS):
        """One step: x (B, D), (h_prev, c_prev) each (B, H), weights with K = 3 -> (h, c), saved."""
        h_prev, c_prev = state
        h_in = masked(masks.gal, h_prev)  # thesis (3.3.8)
        a_f, a_g, a_o = split(affine(x, h_in, weights), 3)  # each (B, H)
        f, g, o = sigmoid(a_f), tanh(a_g), sigmoid(a_o)  # thesis (2.2.4)
        update = (1 - f) * masked(masks.ours, g)  # thesis (3.3.10)
        c_new = masked(masks.moon, f * c_prev + update)  # thesis (2.2.5), dropped: thesis (3.3.9)
        phi_c = tanh(c_new)
        h = zoneout(masks.zoneout_h, h_prev, o * phi_c)  # thesis (2.2.6); zoneout: slides
        c = zoneout(masks.zoneout_c, c_prev, c_new)
        return (h, c), Saved(x, h_in, c_prev, f, g, o, phi_c, masks)

    def step_backward(self, dstate, saved, weights):
        """Backward of one step: (dh, dc) each (B, H), saved -> dx (B, D), (dh_prev, dc_prev), dweights."""
        dh, dc = dstate
        x, h_in, c_prev, f, g, o, phi_c, masks = saved
        dh_old, dh = zoneout_backward(masks.zoneout_h, dh)
        dc_old, dc = zoneout_backward(masks.zoneout_c, dc)
        dc = dc + dh * o * tanh_slope(phi_c)  # the new memory's two paths: (2.2.6) and the next step
        dc = masked(masks.moon, dc)  # from thesis (3.3.9)
        df = dc * (c_prev - masked(masks.ours, g))  # from thesis (2.2.5): what is kept, less what is not written
        dg = masked(masks.ours, dc * (1 - f))
        da_f = df * sigmoid_slope(f)  # from thesis (2.2.4)
        da_g = dg * tanh_slope(g)
        da_o = dh * phi_c * sigmoid_slope(o)  # from thesis (2.2.6)
        dx, dh_in, dweights = affine_backward(stack([da_f, da_g, da_o]), x, h_in, weights)
        dh_prev = masked(masks.gal, dh_in) + dh_old  # from thesis (3.3.8)
        return dx, (dh_prev, dc * f + dc_old), dweights

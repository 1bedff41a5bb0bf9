"""Long short-term memory, with and without a forget gate, one step and its hand-derived backward."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from minirnn.cells.activations import ACTIVATIONS, sigmoid, sigmoid_slope
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
from minirnn.errors import InputError, must_be


class Saved(NamedTuple):
    """What ``LSTM.step`` keeps for its backward; (B, H) unless said."""

    x: Any  # (B, D)
    h_in: Any  # the previous hidden state as the gates saw it
    c_prev: Any
    i: Any
    f: Any  # 1.0 in version 0
    g: Any
    o: Any
    phi_c: Any  # phi of the new memory, before any zoneout: what the output gate saw
    masks: Masks


@dataclass(frozen=True)
class LSTM(Stacked):
    """c_t = f c_{t-1} + i g,  h_t = o phi(c_t), gates stacked i f g o. thesis (2.2.4)-(2.2.6), again (3.3.5)-(3.3.7)

    With zoneout, c_t and h_t are the shares d of c_{t-1} and h_{t-1} and 1 - d of these; phi acts on the new memory,
    not on c_t (slides).

    ``forget_gate=False`` is the 1997 version 0 (slides): f is 1, the gates are stacked i g o, and dc_t/dc_{t-1} = 1.
    ``activation`` is phi, tanh or relu, for the candidate and the memory alike.
    Raises InputError for another activation.
    """

    forget_gate: bool = True
    activation: str = "tanh"

    name: ClassVar[str] = "lstm"
    states: ClassVar[tuple] = ("h", "c")
    masks: ClassVar[tuple] = Masks._fields
    open_gates: ClassVar[tuple] = ("f",)
    kernel: ClassVar[str] = "lstm"
    kernel_options: ClassVar[tuple] = ("activation",)

    def __post_init__(self):
        if self.activation not in ("tanh", "relu"):
            raise InputError(must_be("LSTM", "activation", "'tanh' or 'relu'", repr(self.activation)))

    @property
    def gates(self):
        return ("i", "f", "g", "o") if self.forget_gate else ("i", "g", "o")

    @property
    def watched(self):
        """{what is looked at: (its field of Saved, its activation)}."""
        kinds = {gate: (gate, self.activation if gate == "g" else "sigmoid") for gate in self.gates}
        return {**kinds, "phi(c)": ("phi_c", self.activation)}

    @property
    def settings(self):
        """The bias that keeps the memory: of the forget gate, or without one those that shut what enters and leaves."""
        if self.forget_gate:
            choices = tuple((f"b_f = {b:g}", 1.0, {"f": b}) for b in (0.0, 1.0, 2.0, 3.0, 5.0))
            return Settings("initial bias b_f", choices)
        choices = tuple((f"a = {a:g}", 1.0, {"i": -a, "o": -a}) for a in (0.0, 1.0, 2.0, 3.0))
        return Settings("initial biases b_i = b_o = -a", choices)

    @property
    def words(self):
        """The cell in words."""
        passes = "each step back multiplies by f_t alone, from thesis (2.2.5)"
        gates = "i, f, o = σ(a) and g = φ(a), thesis (2.2.4)"
        if not self.forget_gate:
            passes = "nothing multiplies it on the way back, for there is no forget gate"
            gates = "i, o = σ(a) and g = φ(a), version 0 of thesis (2.2.4)"
        return Words(
            gates=gates,
            road=f"c has a road of its own, where {passes}; ∂L/∂c_t counts what step t+1 hands back, h_t held fixed",
            contents={"c": "the memory, thesis (2.2.5)",
                      "h": "what the output gate shows of the memory, thesis (2.2.6)"},
        )

    def step(self, x, state, weights, masks=NO_MASKS):
        """One step: x (B, D), (h_prev, c_prev) each (B, H), weights with K = 4 (3) -> (h, c), saved."""
        h_prev, c_prev = state
        phi, _ = ACTIVATIONS[self.activation]
        h_in = masked(masks.gal, h_prev)  # thesis (3.3.8)
        a = dict(zip(self.gates, split(affine(x, h_in, weights), len(self.gates))))  # each (B, H)
        i = sigmoid(a["i"])  # thesis (2.2.4)
        f = sigmoid(a["f"]) if self.forget_gate else 1.0
        g = phi(a["g"])
        o = sigmoid(a["o"])
        update = i * masked(masks.ours, g)  # thesis (3.3.10)
        c_new = masked(masks.moon, f * c_prev + update)  # thesis (2.2.5), dropped: thesis (3.3.9)
        phi_c = phi(c_new)
        h = zoneout(masks.zoneout_h, h_prev, o * phi_c)  # thesis (2.2.6); zoneout: slides
        c = zoneout(masks.zoneout_c, c_prev, c_new)
        return (h, c), Saved(x, h_in, c_prev, i, f, g, o, phi_c, masks)

    def step_backward(self, dstate, saved, weights):
        """Backward of one step: (dh, dc) each (B, H), saved -> dx (B, D), (dh_prev, dc_prev), dweights."""
        dh, dc = dstate
        x, h_in, c_prev, i, f, g, o, phi_c, masks = saved
        _, slope = ACTIVATIONS[self.activation]
        dh_old, dh = zoneout_backward(masks.zoneout_h, dh)
        dc_old, dc = zoneout_backward(masks.zoneout_c, dc)
        do = dh * phi_c  # from thesis (2.2.6)
        dc = dc + dh * o * slope(phi_c)  # the new memory's two paths: (2.2.6) and the next step
        dc = masked(masks.moon, dc)  # from thesis (3.3.9)
        di = dc * masked(masks.ours, g)  # from thesis (2.2.5)
        dg = masked(masks.ours, dc * i)
        df = dc * c_prev
        dc_prev = dc * f + dc_old

        da = {"i": di * sigmoid_slope(i), "g": dg * slope(g), "o": do * sigmoid_slope(o)}  # from thesis (2.2.4)
        if self.forget_gate:
            da["f"] = df * sigmoid_slope(f)
        dx, dh_in, dweights = affine_backward(stack([da[gate] for gate in self.gates]), x, h_in, weights)
        dh_prev = masked(masks.gal, dh_in) + dh_old  # from thesis (3.3.8)
        return dx, (dh_prev, dc_prev), dweights

"""The gated recurrent unit in three forms, one step and its hand-derived backward."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from minirnn.array import xp_of
from minirnn.cells.activations import sigmoid, sigmoid_slope, tanh, tanh_slope
from minirnn.cells.operands import NO_MASKS, Masks, Weights, masked, split, stack, zoneout, zoneout_backward
from minirnn.cells.stacked import Settings, Stacked, Words
from minirnn.errors import InputError, must_be


class Saved(NamedTuple):
    """What ``GRU.step`` keeps for its backward; (B, H) unless said."""

    x: Any  # (B, D)
    h_prev: Any
    h_in: Any  # the previous state as the gates saw it
    r: Any
    z: Any
    n: Any
    h_n: Any  # W_hn h_in + b_hn when the reset comes after the product, r * h_in when before
    masks: Masks


@dataclass(frozen=True)
class GRU(Stacked):
    """h_t mixes h_{t-1} and a candidate n by the update gate z; gates stacked r z n. thesis (2.2.7)-(2.2.9)

    ==================  =======================  ==========================================
    form                new state                reset gate
    ==================  =======================  ==========================================
    ``GRU()``           (1-z) h_{t-1} + z n      before the product: W_hn (r * h_{t-1})
    convention slides   z h_{t-1} + (1-z) n      before the product
    reset_after=True    z h_{t-1} + (1-z) n      after it: r * (W_hn h_{t-1} + b_hn), PyTorch
    ==================  =======================  ==========================================

    With zoneout h_t is the share d of h_{t-1} and 1 - d of this (after the slides' LSTM).
    ``convention`` is 'thesis' or 'slides'; left out, it is 'slides' where ``reset_after`` and 'thesis' elsewhere.
    Raises InputError for another convention, and for 'thesis' with ``reset_after``, a form no source has.
    """

    reset_after: bool = False
    convention: str | None = None

    name: ClassVar[str] = "gru"
    gates: ClassVar[tuple] = ("r", "z", "n")
    states: ClassVar[tuple] = ("h",)
    masks: ClassVar[tuple] = ("gal", "moon", "ours", "zoneout_h")
    kernel: ClassVar[str] = "gru"
    kernel_options: ClassVar[tuple] = ("reset_after", "convention")
    watched: ClassVar[dict] = {"r": ("r", "sigmoid"), "z": ("z", "sigmoid"), "n": ("n", "tanh")}
    words: ClassVar[Words] = Words(
        gates="r, z = σ(a), thesis (2.2.7), and n = tanh(a), thesis (2.2.8)",
        road="the part that was kept passes from h_t to h_{t−1} without a matrix, from thesis (2.2.9)",
        contents={"h": "memory and output in one, thesis (2.2.9)"},
    )

    def __post_init__(self):
        if self.convention is None:
            object.__setattr__(self, "convention", "slides" if self.reset_after else "thesis")
        if self.convention not in ("thesis", "slides"):
            raise InputError(must_be("GRU", "convention", "'thesis' or 'slides'", repr(self.convention)))
        if self.reset_after and self.convention == "thesis":
            cause = "PyTorch's form keeps the old state where z is 1"
            raise InputError(must_be("GRU", "convention", "'slides' when reset_after=True", "'thesis'", cause))

    @property
    def settings(self):
        """The bias of the update gate, of the sign that keeps the old state."""
        sign = -1.0 if self.convention == "thesis" else 1.0
        choices = tuple((f"b_z = {b:g}", 1.0, {"z": b}) for b in (0.0, sign, 2 * sign, 3 * sign, 5 * sign))
        return Settings("initial bias b_z", choices)

    def step(self, x, state, weights, masks=NO_MASKS):
        """One step: x (B, D), (h_prev (B, H),), weights with K = 3 -> (h (B, H),), saved."""
        (h_prev,) = state
        H = h_prev.shape[-1]
        h_in = masked(masks.gal, h_prev)
        a_r, a_z, a_n = split(_product(x, weights.weight_ih, weights.bias_ih), 3)  # each (B, H)
        rz = _product(h_in, weights.weight_hh[: 2 * H], _rows(weights.bias_hh, 0, 2 * H))  # (B, 2H)
        r = sigmoid(a_r + rz[:, :H])  # thesis (2.2.7)
        z = sigmoid(a_z + rz[:, H:])
        weight_hn, bias_hn = weights.weight_hh[2 * H :], _rows(weights.bias_hh, 2 * H, 3 * H)
        if self.reset_after:
            h_n = _product(h_in, weight_hn, bias_hn)
            n = tanh(a_n + r * h_n)
        else:
            h_n = r * h_in
            n = tanh(a_n + _product(h_n, weight_hn, bias_hn))  # thesis (2.2.8)
        n_in = masked(masks.ours, n)  # thesis (3.3.10)
        new = self._share_of_new(z)
        h_new = masked(masks.moon, (1 - new) * h_prev + new * n_in)  # thesis (2.2.9), dropped as in (3.3.9)
        h = zoneout(masks.zoneout_h, h_prev, h_new)  # slides
        return (h,), Saved(x, h_prev, h_in, r, z, n, h_n, masks)

    def step_backward(self, dstate, saved, weights):
        """Backward of one step: (dh (B, H),), saved -> dx (B, D), (dh_prev (B, H),), dweights."""
        (dh,) = dstate
        x, h_prev, h_in, r, z, n, h_n, masks = saved
        H = h_prev.shape[-1]
        weight_hn = weights.weight_hh[2 * H :]

        dh_old, dh = zoneout_backward(masks.zoneout_h, dh)
        dh = masked(masks.moon, dh)  # from thesis (3.3.9)
        new = self._share_of_new(z)
        dnew = dh * (masked(masks.ours, n) - h_prev)  # from thesis (2.2.9)
        dz = dnew if self.convention == "thesis" else -dnew
        dn = masked(masks.ours, dh * new)  # from thesis (3.3.10)
        da_n = dn * tanh_slope(n)  # from thesis (2.2.8)
        if self.reset_after:
            dproduct = da_n * r  # gradient of W_hn h_in + b_hn
            dr = da_n * h_n
            dh_in = dproduct @ weight_hn
            dweight_hn = dproduct.T @ h_in
        else:
            dproduct = da_n
            dreset = da_n @ weight_hn  # gradient of r * h_in
            dr = dreset * h_in
            dh_in = dreset * r
            dweight_hn = da_n.T @ h_n
        da_r, da_z = dr * sigmoid_slope(r), dz * sigmoid_slope(z)  # from thesis (2.2.7)
        da_rz = stack([da_r, da_z])  # (B, 2H)
        dh_in = dh_in + da_rz @ weights.weight_hh[: 2 * H]
        dh_prev = dh * (1 - new) + masked(masks.gal, dh_in) + dh_old

        da = stack([da_rz, da_n])  # (B, 3H)
        dweights = Weights(
            weight_ih=da.T @ x,
            weight_hh=xp_of(x).concatenate([da_rz.T @ h_in, dweight_hn]),
            bias_ih=None if weights.bias_ih is None else da.sum(axis=0),
            bias_hh=None if weights.bias_hh is None else stack([da_rz, dproduct]).sum(axis=0),
        )
        return da @ weights.weight_ih, (dh_prev,), dweights

    def _share_of_new(self, z):
        """How much of the candidate enters the state: z in the thesis, 1 - z on the slides."""
        return z if self.convention == "thesis" else 1 - z


def _product(x, weight, bias):
    """x (B, D), weight (K, D), bias (K,) or None -> (B, K)."""
    return x @ weight.T if bias is None else x @ weight.T + bias


def _rows(bias, start, stop):
    return None if bias is None else bias[start:stop]

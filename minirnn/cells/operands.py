"""What every cell takes beside its input and state: weights, dropout masks, and the affine map they meet in."""

from typing import Any, NamedTuple

from minirnn.array import xp_of


class Weights(NamedTuple):
    """A cell's parameters in PyTorch's layout; K is the number of stacked gates. Also the shape of their gradient.

    weight_ih (K*H, D), weight_hh (K*H, H), bias_ih (K*H,) or None, bias_hh (K*H,) or None
    """

    weight_ih: Any
    weight_hh: Any
    bias_ih: Any = None
    bias_hh: Any = None


class Masks(NamedTuple):
    """Recurrent dropout and zoneout of one step: each field a (B, H) array, a scalar, or None for neither.

    Factors: ``gal`` multiplies the hidden state on its way into the gates, thesis (3.3.8); ``moon`` the new memory,
    thesis (3.3.9); ``ours`` the candidate update, thesis (3.3.10). Shares in [0, 1]: ``zoneout_c`` and ``zoneout_h``
    say how much of the old memory and hidden state stays in place of the new (slides). They may be combined: dropout
    makes the new state, zoneout chooses between it and the old one. A cell's ``masks`` are the ones it takes.
    """

    gal: Any = None
    moon: Any = None
    ours: Any = None
    zoneout_c: Any = None
    zoneout_h: Any = None


NO_MASKS = Masks()


def masked(mask, value):
    """``mask * value``, or ``value`` itself where there is no mask: (B, H) -> (B, H)."""
    return value if mask is None else mask * value


def zoneout(d, old, new):
    """``d * old + (1 - d) * new``, or ``new`` itself where there is no zoneout: (B, H) -> (B, H). slides"""
    return new if d is None else d * old + (1 - d) * new


def zoneout_backward(d, dstate):
    """Backward of ``zoneout``: the gradient of its result (B, H) -> dold, dnew."""
    return (0.0, dstate) if d is None else (d * dstate, (1 - d) * dstate)


def affine(x, h, weights):
    """Every gate's pre-activation, stacked: x (B, D), h (B, H) -> a (B, K*H)."""
    a = x @ weights.weight_ih.T + h @ weights.weight_hh.T
    if weights.bias_ih is not None:
        a = a + weights.bias_ih
    if weights.bias_hh is not None:
        a = a + weights.bias_hh
    return a


def affine_backward(da, x, h, weights):
    """Backward of ``affine``: da (B, K*H) -> dx (B, D), dh (B, H), dweights; sums over the batch."""
    dbias = da.sum(axis=0)
    dweights = Weights(
        weight_ih=da.T @ x,  # thesis (2.1.8)
        weight_hh=da.T @ h,
        bias_ih=None if weights.bias_ih is None else dbias,
        bias_hh=None if weights.bias_hh is None else dbias.copy(),
    )
    return da @ weights.weight_ih, da @ weights.weight_hh, dweights  # thesis (2.1.7)


def split(a, gates):
    """The blocks of a stacked array, in stacking order: (B, K*H) -> K views (B, H)."""
    H = a.shape[-1] // gates
    return [a[..., k * H : (k + 1) * H] for k in range(gates)]


def stack(blocks):
    """The inverse of ``split``: K arrays (B, H) -> (B, K*H)."""
    return xp_of(blocks[0]).concatenate(blocks, axis=-1)

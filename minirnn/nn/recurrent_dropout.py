"""Recurrent dropout: which masks a layer draws. Where the mask acts is the cell's business (minirnn.cells)."""

from dataclasses import dataclass, fields

from minirnn.array import xp_of
from minirnn.cells import Masks
from minirnn.errors import InputError, must_be
from minirnn.nn.layers import check_rate, draw_mask

SCHEMES = ("gal", "moon", "ours")


@dataclass(frozen=True)
class RecurrentDropout:
    """Recurrent dropout of one layer.

    scheme: "gal" drops the hidden state that enters the gates, thesis (3.3.8), "moon" the cell, thesis (3.3.9), "ours"
    the update, thesis (3.3.10); rate: probability of dropping, or a dict {scheme: rate} with scheme=None to combine
    schemes; sampling: "per_step" or "per_sequence"; scaling: "test" multiplies by keep = 1 - rate in evaluation,
    thesis (3.3.2), "inverted" divides by keep in training, thesis (3.3.15).
    """

    scheme: str | None = "ours"
    rate: float | dict = 0.25
    sampling: str = "per_step"
    scaling: str = "test"

    def __post_init__(self):
        for scheme, rate in self.rates().items():
            if scheme not in SCHEMES:
                raise InputError(must_be("recurrent_dropout", "scheme", f"one of {', '.join(SCHEMES)}", repr(scheme)))
            check_rate("recurrent_dropout", rate)
        if self.sampling not in ("per_step", "per_sequence"):
            what = "'per_step' or 'per_sequence'"
            raise InputError(must_be("recurrent_dropout", "sampling", what, repr(self.sampling)))
        if self.scaling not in ("test", "inverted"):
            raise InputError(must_be("recurrent_dropout", "scaling", "'test' or 'inverted'", repr(self.scaling)))

    def rates(self):
        """{scheme: rate}."""
        return dict(self.rate) if isinstance(self.rate, dict) else {self.scheme: self.rate}

    def masks(self, rng, steps, batch, hidden, like, training):
        """Masks for one call: factors (T, B, H) per step, (B, H) per sequence, or 0-d in evaluation.

        rng is a numpy Generator (used in training only); ``like`` an array that gives float type and device.
        """
        factors = {}
        for scheme in SCHEMES:
            rate = self.rates().get(scheme, 0)
            if rate == 0:
                continue
            keep = 1 - rate
            if training:
                shape = (steps, batch, hidden) if self.sampling == "per_step" else (batch, hidden)
                mask = draw_mask(rng, shape, keep, like)
                factors[scheme] = mask / like.dtype.type(keep) if self.scaling == "inverted" else mask
            elif self.scaling == "test":
                factors[scheme] = xp_of(like).asarray(keep, dtype=like.dtype)
        return Masks(**factors)


def as_recurrent_dropout(value):
    """None, a RecurrentDropout, a tuple of its arguments or a dict of them."""
    if value is None or isinstance(value, RecurrentDropout):
        return value
    known = [f.name for f in fields(RecurrentDropout)]
    if isinstance(value, dict) and set(value) <= set(known):
        return RecurrentDropout(**value)
    if isinstance(value, (tuple, list)) and len(value) <= len(known):
        return RecurrentDropout(*value)
    what = f"None, RecurrentDropout(...) or a tuple or dict of {', '.join(known)}"
    raise InputError(must_be("recurrent_dropout", "value", what, repr(value)))

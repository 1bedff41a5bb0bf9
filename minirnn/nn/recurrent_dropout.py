"""Recurrent dropout and zoneout: which masks a layer draws; where they act is the business of minirnn.cells."""

from dataclasses import dataclass, fields

from minirnn.cells import Masks
from minirnn.errors import InputError, in_our_words, must_be
from minirnn.nn.layers import check_rate, draw_mask

# what is dropped: (the name in the sources, which is also its field of Masks)
SCHEMES = {"state": "gal", "memory": "moon", "update": "ours"}
ALIASES = {alias: scheme for scheme, alias in SCHEMES.items()}
WHERE = "recurrent_dropout"


@dataclass(frozen=True)
class RecurrentDropout:
    """Recurrent dropout of one layer.

    scheme: "state" drops the hidden state that enters the gates, thesis (3.3.8), "memory" the cell, thesis (3.3.9),
    "update" (the default) the update, thesis (3.3.10); "gal", "moon" and "ours", the names in the tables, are taken as
    well: RecurrentDropout("gal").scheme is "state". rate: probability of dropping, or, without a scheme, a dict
    {scheme: rate} to combine schemes; sampling: "per_step" or "per_sequence"; scaling: "test" multiplies by keep = 1 -
    rate in evaluation, thesis (3.3.2), "inverted" divides by keep in training, thesis (3.3.15): with a rate of 0.25
    masks are 0 or 1 and 0.75 in evaluation, or 0 or 1.33 and then nothing. What is left of old updates in evaluation:
    thesis (3.3.11)-(3.3.14) for "memory", which multiplies again at every step, (3.3.16) for "update". Raises
    InputError for anything else.
    """

    scheme: str | None = None
    rate: float | dict = 0.25
    sampling: str = "per_step"
    scaling: str = "test"

    @in_our_words
    def __post_init__(self):
        if isinstance(self.rate, dict):
            if self.scheme is not None:
                cause = "the keys are the schemes"
                raise InputError(must_be(WHERE, "scheme", "left out where rate is a dict", repr(self.scheme), cause))
            rates = {_canonical(name): rate for name, rate in self.rate.items()}
            if len(rates) < len(self.rate):
                got, cause = ", ".join(map(repr, self.rate)), "gal is state, moon is memory, ours is update"
                raise InputError(must_be(WHERE, "the keys of rate", "different schemes", got, cause))
            object.__setattr__(self, "rate", rates)
        else:
            object.__setattr__(self, "scheme", "update" if self.scheme is None else _canonical(self.scheme))
        for scheme in self.rate if isinstance(self.rate, dict) else (self.scheme,):
            if scheme not in list(SCHEMES):
                raise InputError(must_be(WHERE, "scheme", f"one of {', '.join(SCHEMES)}", repr(scheme)))
        for rate in self.rates().values():
            check_rate(WHERE, rate)
        if self.sampling not in ("per_step", "per_sequence"):
            raise InputError(must_be(WHERE, "sampling", "'per_step' or 'per_sequence'", repr(self.sampling)))
        if self.scaling not in ("test", "inverted"):
            raise InputError(must_be(WHERE, "scaling", "'test' or 'inverted'", repr(self.scaling)))

    def rates(self):
        """{scheme: rate}."""
        return dict(self.rate) if isinstance(self.rate, dict) else {self.scheme: self.rate}

    def masks(self, rng, steps, batch, hidden, like, training):
        """Masks for one call: factors (T, B, H) per step, (B, H) per sequence, or a number in evaluation.

        rng is a numpy Generator (used in training only); ``like`` an array that gives float type and device. In
        evaluation RecurrentDropout("memory", 0.25) gives Masks(moon=0.75).
        """
        factors = {}
        for scheme, field in SCHEMES.items():
            rate = self.rates().get(scheme, 0)
            if rate == 0:
                continue
            keep = 1 - rate
            if training:
                shape = (steps, batch, hidden) if self.sampling == "per_step" else (batch, hidden)
                factors[field] = draw_mask(rng, shape, keep, like, 1 / keep if self.scaling == "inverted" else 1.0)
            elif self.scaling == "test":
                factors[field] = float(like.dtype.type(keep))
        return Masks(**factors)


def _canonical(scheme):
    return ALIASES.get(scheme, scheme) if isinstance(scheme, str) else scheme


def as_recurrent_dropout(value):
    """None, a RecurrentDropout, a tuple or a dict of its arguments, or a dict {scheme: rate}."""
    if value is None or isinstance(value, RecurrentDropout):
        return value
    known = [f.name for f in fields(RecurrentDropout)]
    if isinstance(value, dict) and value:
        if set(value) <= set(known):
            return RecurrentDropout(**value)
        if set(value) <= {*SCHEMES, *ALIASES}:
            return RecurrentDropout(rate=value)
    if isinstance(value, (tuple, list)) and len(value) <= len(known):
        return RecurrentDropout(*value)
    what = f"None, RecurrentDropout(...), a tuple or dict of {', '.join(known)}, or a dict from {', '.join(SCHEMES)}"
    raise InputError(must_be(WHERE, "value", f"{what} to rates", repr(value)))


def of_piece(streams, number, sampling):
    """Random streams for piece ``number`` of a sequence that is run in several calls.

    A window of 15 steps that is run as 5 + 10 must draw fresh masks for the second call, piece 1; but a mask of
    recurrent dropout with ``sampling`` "per_sequence" is one for the whole window and must be the same in both. So
    every purpose but that one gets the number of the piece: of_piece(streams, 1, "per_sequence")("input") is
    streams("input", 1).
    """
    kept = ("recurrent",) if sampling == "per_sequence" else ()
    return lambda purpose, *numbers: streams(purpose, *numbers, *(() if purpose in kept else (number,)))


def zoneout_rates(where, cell, value):
    """{mask: rate} of a layer's ``zoneout``: one rate for every state of the cell, or one each, (c, h) for an LSTM."""
    if value is None:
        return {}
    names = [name for name in ("zoneout_c", "zoneout_h") if name in cell.masks]
    if not names:
        raise InputError(must_be(where, "zoneout", f"left out for an {cell.name}", repr(value)))
    given = tuple(value) if isinstance(value, (tuple, list)) else (value,) * len(names)
    if len(given) != len(names):
        what = "a rate" + (" or a pair (z_c, z_h)" if len(names) > 1 else "")
        raise InputError(must_be(where, "zoneout", what, repr(value)))
    cause = "it is the probability of keeping the old state; a frozen state is a mask of ones for the cell"
    return {name: check_rate(f"{where}: zoneout", rate, cause) for name, rate in zip(names, given)}


def for_cell(cell, masks):
    """The masks as this cell takes them: one that it has no place for acts where the cell says (``cell.instead``)."""
    for name, other in cell.instead.items():
        mask, there = getattr(masks, name), getattr(masks, other)
        if mask is not None:
            masks = masks._replace(**{name: None, other: mask if there is None else there * mask})
    return masks


def zoneout_masks(rates, rng, steps, batch, hidden, like, training):
    """{mask: shares of the old state} for one call: 0 or 1, (T, B, H), or in evaluation the rates. slides

    rates as from ``zoneout_rates``, {"zoneout_c": 0.5, "zoneout_h": 0.1}; the rest as for ``RecurrentDropout.masks``.
    """
    return {
        name: draw_mask(rng, (steps, batch, hidden), rate, like) if training else float(like.dtype.type(rate))
        for name, rate in rates.items() if rate > 0
    }

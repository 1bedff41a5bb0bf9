"""The slope of a function along a line, from a whole ladder of step sizes, with an honest uncertainty.

A single step size cannot be trusted: a large one errs by truncation, a small one by rounding, and between them lies
the bottom of a V. Here each slope is measured on every rung of a ladder, the rungs are extrapolated to step zero
(Richardson's deferred approach), and the rung and order that agree best with their neighbours give the value.
"""

from typing import NamedTuple

import numpy as np

RATIO = 4.0  # each step is a quarter of the one before
TOP = 0.25
ORDERS = 5  # columns of the extrapolation table: errors of order 2, 4, 6, 8, 10
TAIL = 4  # the smallest steps show rounding alone
COMPLEX_STEP = {"float64": 1e-30, "float32": 1e-18}


class Slope(NamedTuple):
    """A measured derivative along a line.

    value, uncertainty: the extrapolated slope and a bound on its error. left, right: one-sided slopes at the smallest
    reliable step. kind: 'smooth', 'kink' (the one-sided slopes differ), 'jump' (the value does), or 'undefined' (no
    finite values around the point). table (ORDERS, n): the slope of every order at every step, NaN where not defined.
    step: the step at which ``value`` was found.
    """

    value: float
    uncertainty: float
    left: float
    right: float
    kind: str
    table: np.ndarray
    step: float = 0.0


def ladder(dtype):
    """The step sizes for a float type, largest first: (n,)."""
    return TOP * RATIO ** -np.arange(16.0 if np.dtype(dtype).itemsize >= 8 else 9.0)


def measure(centre, plus, minus, steps, eps, size=0.0, reach=0.0):
    """Slope of a function from its values on a ladder.

    centre: its value at the point; plus, minus (n,): at +steps and -steps (NaN where it has none); steps (n,) as
    actually taken; eps: of its float type; size: the sum of the magnitudes behind a value, whose rounding is eps times
    that; reach: the size of the argument, which is rounded too -> Slope.
    """
    noise = eps * size
    table = extrapolate((plus - minus) / (2 * steps))
    if not np.isfinite(table).any():
        return Slope(np.nan, np.inf, np.nan, np.nan, "undefined", table)
    if _value_jumps(plus, minus, noise):
        return Slope(np.nan, np.inf, np.nan, np.nan, "jump", table)
    moved = eps * np.nan_to_num(np.maximum(np.abs(plus - centre), np.abs(minus - centre)))  # they are rounded there too
    value, *_ = _bottom(table, steps, noise + moved)
    halves = (plus - minus)[-TAIL - 1 :] / 2
    residual = halves[1:] - halves[:-1] * (steps[-TAIL:] / steps[-TAIL - 1 : -1])  # what smaller steps do not share
    noise = max(noise + eps * abs(value) * reach, np.nanmax(np.abs(residual), initial=0.0))
    value, uncertainty, step = _bottom(table, steps, noise + moved)
    rung = _kink_rung(centre, plus, minus, steps, noise)
    if rung is None:
        return Slope(value, uncertainty, value, value, "smooth", table, step)
    left, right = (centre - minus[rung]) / steps[rung], (plus[rung] - centre) / steps[rung]
    return Slope(value, uncertainty, left, right, "kink", table, step)


def extrapolate(slopes):
    """Richardson's table: central differences (n,) -> (ORDERS, n); column k has error of order 2k + 2 in the step."""
    table = np.full((ORDERS, len(slopes)), np.nan)
    table[0] = slopes
    for k in range(1, ORDERS):
        gain = RATIO ** (2 * k)
        table[k, k:] = table[k - 1, k:] + (table[k - 1, k:] - table[k - 1, k - 1 : -1]) / (gain - 1)
    return table


def _bottom(table, steps, noise):
    """The entry that agrees best with its neighbours, by how much it may be off (truncation and rounding), its step."""
    truncation = np.full_like(table, np.inf)
    truncation[1:, 1:] = np.maximum(np.abs(table[1:, 1:] - table[:-1, 1:]), np.abs(table[1:, 1:] - table[:-1, :-1]))
    rounding = 2 * noise / steps
    # two neighbours may agree by chance: smaller steps must not contradict them
    least = np.fmax.accumulate((table - 10 * rounding)[:, :0:-1], axis=1)[:, ::-1]
    most = np.fmin.accumulate((table + 10 * rounding)[:, :0:-1], axis=1)[:, ::-1]
    truncation[:, :-1] = np.maximum(truncation[:, :-1], np.fmax(least - table[:, :-1], table[:, :-1] - most))
    uncertainty = truncation + rounding
    uncertainty[~np.isfinite(uncertainty)] = np.inf
    best = np.unravel_index(np.argmin(uncertainty), uncertainty.shape)
    return float(table[best]), float(uncertainty[best]), float(steps[best[1]])


def _value_jumps(plus, minus, noise):
    """Whether the difference of the values stays the same however small the step: a discontinuity."""
    gap = np.abs(plus - minus)[-TAIL:]
    return bool(np.isfinite(gap).all() and gap.min() > 100 * noise and gap.max() - gap.min() < 0.05 * gap.max())


def _kink_rung(centre, plus, minus, steps, noise):
    """The smallest reliable step, if the one-sided slopes disagree by the same amount on three rungs down to it.

    For a smooth function that disagreement is proportional to the step, so it shrinks fourfold from rung to rung.
    """
    gap = (plus - 2 * centre + minus) / steps
    reliable = np.flatnonzero(np.abs(gap) > 40 * noise / steps)
    if len(reliable) < 3:
        return None
    last = reliable[-1]
    three = gap[last - 2 : last + 1]
    if len(three) < 3 or not np.isfinite(three).all():
        return None
    return int(last) if np.ptp(three) < 0.1 * np.abs(three).max() else None

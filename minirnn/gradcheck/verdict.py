"""The five verdicts on a gradient, and how a measured slope and a claimed one lead to each."""

from enum import StrEnum

import numpy as np


class Verdict(StrEnum):
    """What a check found; ``severity`` orders them, so that the verdict of many is the severest."""

    PASS = "PASS"
    KINK = "KINK"
    UNDECIDABLE = "UNDECIDABLE AT THIS PRECISION"
    WRONG = "WRONG"
    NON_DETERMINISTIC = "NON-DETERMINISTIC"

    @property
    def severity(self):
        return list(Verdict).index(self)


SAFETY = 10.0  # how many times its own uncertainty a measurement must be off before it accuses anyone
RTOL = {"float64": 1e-8, "float32": 1e-3}


def severest(verdicts):
    """The verdict on a whole from those on its parts; PASS when there are none."""
    return max(verdicts, key=lambda verdict: verdict.severity, default=Verdict.PASS)


def judge(claimed, slope, uncertainty, scale, rtol):
    """The verdict on one claimed slope.

    claimed: a number; slope: the measured ``sweep.Slope``; uncertainty: of slope and claim together; scale: the size
    of the gradients it is compared with. WRONG only when the disagreement is beyond the tolerance *and* ten times
    what rounding and truncation can explain; PASS only when the measurement itself is sharper than the tolerance.
    """
    if not np.isfinite(claimed):
        return Verdict.WRONG if slope.kind != "undefined" else Verdict.UNDECIDABLE
    if slope.kind == "undefined":
        return Verdict.UNDECIDABLE
    if slope.kind == "jump":
        return Verdict.KINK
    tolerance = rtol * scale
    if slope.kind == "kink":
        low, high = sorted((slope.left, slope.right))
        margin = tolerance + 0.1 * (high - low)  # one-sided slopes are first order only
        return Verdict.KINK if low - margin <= claimed <= high + margin else Verdict.WRONG
    error = abs(claimed - slope.value)
    if error <= tolerance and uncertainty <= tolerance:
        return Verdict.PASS
    if error > tolerance + SAFETY * uncertainty:
        return Verdict.WRONG
    return Verdict.UNDECIDABLE

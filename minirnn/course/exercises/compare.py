"""Two arrays, one of which should be the other: what is wrong, in words, with the usual cause of a constant factor."""

import numpy as np

from minirnn.gradcheck.signatures import describe

SAME = 1e-6
MOST = 12  # of a whole number that is shown as a factor
CAUSES = {"B": "the batch", "T": "the steps in time", "H": "the units", "D": "the inputs", "K": "the outputs",
          "V": "the vocabulary"}


def difference(got, want, sizes=None):
    """How ``got`` differs from ``want``, both numbers: a shape, NaN, a factor and its usual cause, an order; "" if not.

    sizes: {letter: size} of what a factor may come from, {"B": 3, "T": 4}. difference(want / 3, want, {"B": 3}) is
    "every entry is 1/3 of what it should be: did you divide by the batch (B = 3)?"
    """
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape:
        turned = "; is it transposed?" if got.shape == want.shape[::-1] and got.ndim > 1 else ""
        return f"it must be of shape {want.shape}, got {got.shape}{turned}"
    if got.dtype.kind not in "biuf":
        return f"it must be real numbers, got {got.dtype}"
    got, want = got.astype(float), want.astype(float)
    if not np.isfinite(got).all():
        bad = np.argwhere(~np.isfinite(got))
        return f"{len(bad)} of {got.size} entries are {'nan' if np.isnan(got).any() else 'infinite'}" + _at(bad[0])
    largest = max(np.abs(want).max(initial=0.0), 1e-300)
    off = np.abs(got - want) > SAME * largest
    if not off.any():
        return ""
    ratio = float((got * want).sum() / max((want * want).sum(), 1e-300))
    if abs(ratio) > SAME and np.abs(got - ratio * want).max() <= SAME * largest * max(1, abs(ratio)):
        return factor(ratio, sizes or {})
    words = describe(got, want, SAME) if got.size else ""
    if words:
        return f"it {words}"
    axis = _reversed_axis(got, want, largest)
    if axis is not None:
        return f"it is in reverse order along axis {axis}"
    worst = np.unravel_index(np.argmax(np.abs(got - want)), got.shape)
    return (f"{off.sum()} of {got.size} entries are off, the worst{_at(worst)}: "
            f"yours {got[worst]:.6g}, right {want[worst]:.6g}")


def factor(ratio, sizes):
    """A constant factor in words, with what it usually comes from: factor(-1, {}), factor(1 / 3, {"B": 3})."""
    if abs(ratio + 1) <= SAME:
        return "every entry has the wrong sign"
    sign = "-" if ratio < 0 else ""
    size, cause = abs(ratio), ""
    shown = f"{ratio:.6g} times"
    for whole in range(2, max([MOST, *sizes.values()]) + 1):
        letters = [letter for letter, value in sizes.items() if value == whole]
        said = " or ".join(f"{CAUSES.get(letter, letter)} ({letter} = {whole})" for letter in letters)
        if abs(size * whole - 1) <= SAME:
            shown = f"{sign}1/{whole} of"
            cause = f"did you divide by {said}?" if said else "is it a factor too few, or a mean for a sum?"
        elif abs(size / whole - 1) <= SAME:
            shown = f"{sign}{whole} times"
            cause = f"is a division by {said} missing?" if said else ""
            if whole == 2:
                both = "is the slope of a square, or a path counted twice?"
                cause = f"{cause} Or {both}" if cause else both
    return f"every entry is {shown} what it should be" + (f": {cause}" if cause else "")


def _reversed_axis(got, want, largest):
    for axis in range(want.ndim):
        if want.shape[axis] > 1 and np.abs(got - np.flip(want, axis)).max() <= SAME * largest:
            return axis
    return None


def _at(index):
    return f" at [{', '.join(map(str, index))}]" if len(index) else ""

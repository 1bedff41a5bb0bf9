"""The border of ``minirnn.bptt``: arguments are checked here, once, and trusted inside."""

import numbers

import numpy as np

from minirnn.array import check_device, check_float, to_cpu, xp_of
from minirnn.cells.operands import Masks
from minirnn.errors import DtypeError, InputError, check_shape, must_be


def check_sequence(where, cell, x, state0, weights, masks, lengths):
    """Return (x, state0, weights, masks, lengths) in the forms the loops expect, or raise the clear error."""
    _check_array(where, "x", x)
    if x.ndim != 3:
        cause = "time comes first; is the batch or the time axis missing?"
        raise InputError(must_be(where, "x", "(T, B, D)", tuple(x.shape), cause))
    if 0 in x.shape:
        raise InputError(must_be(where, "x", "(T, B, D) with every size at least 1", tuple(x.shape)))
    check_float(where, "x", x)
    T, B, D = x.shape
    weights = _check_weights(where, cell, x, weights)
    H = cell.hidden(weights)
    state0 = tuple(state0) if isinstance(state0, (tuple, list)) else (state0,)
    if len(state0) != len(cell.states):
        expected = f"{len(cell.states)} arrays ({', '.join(cell.states)})"
        raise InputError(must_be(where, f"state0 of {cell.name}", expected, f"{len(state0)}"))
    for name, s in zip(cell.states, state0):
        _check_like(where, f"{name}0", s, x)
        check_shape(where, f"{name}0", s, "(B, H)", (B, H))
    masks = _check_masks(where, cell, x, masks, (T, B, H))
    return x, state0, weights, masks, check_lengths(where, lengths, T, B)


def check_lengths(where, lengths, T, B):
    """Integers (B,), each in 1..T, in any order, as a NumPy array; None stays None."""
    if lengths is None:
        return None
    try:
        lengths = to_cpu(lengths) if hasattr(lengths, "dtype") else np.asarray(lengths)
    except ValueError:  # nested lists of different lengths
        raise InputError(must_be(where, "lengths", f"(B,) = ({B},)", repr(lengths))) from None
    if lengths.dtype.kind not in "iu":
        raise DtypeError(must_be(where, "lengths", "integers", lengths.dtype, "use lengths.astype(int)"))
    check_shape(where, "lengths", lengths, "(B,)", (B,), "one length for each row of the batch")
    if lengths.min() < 1 or lengths.max() > T:
        outside = lengths[(lengths < 1) | (lengths > T)][0]
        raise InputError(must_be(where, "lengths", f"in 1..T = 1..{T}", int(outside), "drop empty sequences first"))
    return lengths.astype(np.int64)


def as_weights(where, cell, weights):
    """A sequence of arrays, None for those that are left out, as the cell's own Weights."""
    fields = cell.Weights._fields
    if isinstance(weights, cell.Weights):
        return weights
    what, expected = f"weights of {cell.name}", f"({', '.join(fields)})"
    if not isinstance(weights, (tuple, list)):
        raise InputError(must_be(where, what, expected, type(weights).__name__))
    if getattr(weights, "_fields", fields) != fields:
        raise InputError(must_be(where, what, expected, f"({', '.join(weights._fields)})", "another cell's?"))
    if not len(fields) - len(cell.Weights._field_defaults) <= len(weights) <= len(fields):
        raise InputError(must_be(where, what, expected, f"{len(weights)} of them"))
    return cell.Weights(*weights)


def check_cotangents(where, run, dy, dfinal):
    """dy (T, B, H) and dfinal, one (B, H) for each state; None means zero. Gradients of padded outputs are dropped."""
    T, B, H = run.y.shape
    xp = xp_of(run.x)
    if dy is None:
        dy = xp.zeros_like(run.y)
    _check_like(where, "dy", dy, run.x)
    check_shape(where, "dy", dy, "(T, B, H)", (T, B, H))
    if run.active is not None:
        dy = xp.where(run.active, dy, 0)
    dfinal = (None,) * len(run.final) if dfinal is None else dfinal
    dfinal = tuple(dfinal) if isinstance(dfinal, (tuple, list)) else (dfinal,)
    if len(dfinal) != len(run.final):
        expected = f"{len(run.final)} arrays ({', '.join(run.cell.states)})"
        raise InputError(must_be(where, f"dfinal of {run.cell.name}", expected, f"{len(dfinal)}"))
    dfinal = tuple(xp.zeros_like(s) if d is None else d for d, s in zip(dfinal, run.final))
    for name, d in zip(run.cell.states, dfinal):
        _check_like(where, f"d{name}_final", d, run.x)
        check_shape(where, f"d{name}_final", d, "(B, H)", (B, H))
    return dy, dfinal


def check_positive(where, name, value, whole=False):
    """A number above zero, and an integer where ``whole``."""
    kind = numbers.Integral if whole else numbers.Real
    if isinstance(value, bool) or not isinstance(value, kind) or not value > 0:
        raise InputError(must_be(where, name, "a positive integer" if whole else "a positive number", repr(value)))


class _Letter(str):
    """A size by its letter: 4 * _Letter("H") is "4H", so that a cell's shapes print as they are written."""

    def __rmul__(self, number):
        return self if number == 1 else _Letter(f"{number}{self}")


def _check_weights(where, cell, x, weights):
    weights = as_weights(where, cell, weights)
    present = {n: w for n, w in weights._asdict().items() if w is not None or n not in weights._field_defaults}
    for name, w in present.items():
        _check_like(where, name, w, x)
    if all(w.ndim for w in present.values()):
        shapes = cell.shapes(x.shape[2], cell.hidden(weights))
        if all(w.shape == shapes[name] for name, w in present.items()):  # quickly, for this runs at every call
            return weights
    letters = cell.shapes(_Letter("D"), _Letter("H"))
    symbols = {name: f"({', '.join(sizes)}{',' * (len(sizes) == 1)})" for name, sizes in letters.items()}
    for name, w in present.items():
        if w.ndim != len(letters[name]):
            raise InputError(must_be(where, name, symbols[name], tuple(w.shape)))
    for name in sorted(present, key=lambda name: "D" in letters[name]):  # those that know H alone first
        cause = "is it transposed?" if len(letters[name]) == 2 else ""
        check_shape(where, name, present[name], symbols[name], shapes[name], cause)


def _check_masks(where, cell, x, masks, sizes):
    masks = Masks() if masks is None else masks
    if not isinstance(masks, (tuple, list)) or len(masks) > len(Masks._fields):
        raise InputError(must_be(where, "masks", f"Masks({', '.join(Masks._fields)})", type(masks).__name__))
    masks = Masks(*masks)
    for name, mask in masks._asdict().items():
        if mask is not None and name not in cell.masks:
            *most, last = cell.masks
            known = f"{', '.join(most)} or {last}" if most else f"{last} only"
            cause = "" if name == "zoneout_h" else "it has no memory cell"
            raise InputError(must_be(where, f"masks of {cell.name}", known, name, cause))
    return Masks(*(_check_mask(where, f"mask {name}", m, x, sizes) for name, m in masks._asdict().items()))


def _check_mask(where, name, mask, x, sizes):
    if mask is None:
        return None
    if isinstance(mask, numbers.Real) or getattr(mask, "ndim", None) == 0:
        mask = float(mask)  # a Python number takes the arrays' dtype
        if "zoneout" in name and not 0 <= mask <= 1:
            raise InputError(must_be(where, name, "in [0, 1]", mask, "it is the share of the old state that stays"))
        return mask
    _check_like(where, name, mask, x)
    if tuple(mask.shape) not in (sizes, sizes[1:]):
        expected = f"(T, B, H) = {sizes}, (B, H) = {sizes[1:]} or a number"
        raise InputError(must_be(where, name, expected, tuple(mask.shape)))
    if "zoneout" in name and not (mask.min() >= 0 and mask.max() <= 1):
        raise InputError(must_be(where, name, "in [0, 1]", f"{mask.min()} to {mask.max()}",
                                 "it is the share of the old state that stays"))
    return mask


def _check_array(where, name, array):
    if not hasattr(array, "dtype") or not hasattr(array, "strides"):  # a Tensor has no strides
        raise DtypeError(must_be(where, name, "an array", type(array).__name__))


def _check_like(where, name, array, x):
    _check_array(where, name, array)
    if array.dtype != x.dtype:
        raise DtypeError(must_be(where, name, f"{x.dtype} like x", array.dtype, "convert one of them with astype"))
    check_device(where, name, array, x)

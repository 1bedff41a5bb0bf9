"""What a caller hands to a sequence kernel, checked once and laid out as the kernels read it. NumPy only.

Kernels read C-contiguous, aligned, writeable arrays of one dtype; anything else is copied here.
"""

import numbers
from typing import NamedTuple

import numpy as np
from minirnn.kernels.memory import empty

from minirnn.errors import DtypeError, InputError, check_shape, must_be

FLOATS = (np.dtype("float32"), np.dtype("float64"))
MASKS = ("gal", "moon", "ours", "zoneout_c", "zoneout_h")


class Inputs(NamedTuple):
    """A layer's checked inputs. An absent mask is (1, 1, 0), one mask for the whole sequence (1, B, H), else (T, B, H);
    ``lengths`` is empty when every sequence has T steps."""

    x: np.ndarray
    weight_ih: np.ndarray
    weight_hh: np.ndarray
    bias_ih: np.ndarray | None
    bias_hh: np.ndarray | None
    gal: np.ndarray
    moon: np.ndarray
    ours: np.ndarray
    zoneout_c: np.ndarray
    zoneout_h: np.ndarray
    lengths: np.ndarray

    def sizes(self):
        """(T, B, D, H)."""
        return *self.x.shape, self.weight_hh.shape[1]

    def masks(self):
        """Every mask, absent ones too."""
        return self.gal, self.moon, self.ours, self.zoneout_c, self.zoneout_h

    def multiply_adds(self):
        """Of the products of a pass forward; backward it is twice as many."""
        return len(self.x) * self.x.shape[1] * (self.weight_ih.size + self.weight_hh.size)


def array_of(where, name, value):
    """``value`` as an array; InputError for what is none, such as lists of different lengths."""
    try:
        return np.asarray(value)
    except (TypeError, ValueError):
        raise InputError(must_be(where, name, "an array", type(value).__name__)) from None


def one_of(where, name, value, known):
    """Refuse what is not one of the words in ``known``."""
    if not isinstance(value, str) or value not in known:
        raise InputError(must_be(where, name, " or ".join(map(repr, known)), repr(value)))


def flag(where, name, value):
    """Refuse what is not True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise DtypeError(must_be(where, name, "True or False", repr(value)))


def number(where, name, value):
    """Refuse what is not one real number."""
    if type(value) is not float and not isinstance(value, numbers.Real):
        raise DtypeError(must_be(where, name, "a number", type(value).__name__))


def _ready(value):
    """``value``, or a copy of it, C-contiguous, aligned and writeable."""
    return value if value.flags.carray else np.require(value, requirements="CAW")


def laid_out(where, name, value, dtype, symbols, sizes, cause=""):
    """``value`` as an aligned, C-contiguous, writeable array, after its dtype and shape are checked."""
    value = array_of(where, name, value)
    if value.dtype != dtype:
        raise DtypeError(
            must_be(where, name, f"{dtype} as x is", value.dtype, cause="convert it; kernels do not mix types")
        )
    check_shape(where, name, value, symbols, sizes, cause)
    return _ready(value)


def _mask(where, name, mask, dtype, T, B, H):
    if mask is None:
        return np.empty((1, 1, 0), dtype)
    mask = array_of(where, name, mask)
    if mask.dtype.kind not in "fbiu":
        raise DtypeError(must_be(where, name, "numbers", mask.dtype))
    if mask.shape not in ((), (B, H), (T, B, H)):
        what = f"(T, B, H) = {(T, B, H)}, (B, H) = {(B, H)} or one number"
        raise InputError(must_be(where, name, what, mask.shape, "a mask differs from row to row of the batch"))
    if name.startswith("zoneout") and not (mask.min() >= 0 and mask.max() <= 1):
        raise InputError(must_be(where, name, "shares in [0, 1]", f"{mask.min()} to {mask.max()}"))
    if mask.ndim == 0:
        return np.full((1, B, H), mask, dtype)
    return np.require(mask.reshape(-1, B, H), dtype, "CAW")


def _lengths(where, lengths, T, B):
    if lengths is None:
        return np.empty(0, np.int64)
    lengths = array_of(where, "lengths", lengths)
    if lengths.dtype.kind not in "iu":
        raise DtypeError(must_be(where, "lengths", "whole numbers", lengths.dtype))
    check_shape(where, "lengths", lengths, "(B,)", (B,))
    if lengths.min() < 1 or lengths.max() > T:
        raise InputError(must_be(where, "lengths", f"between 1 and T = {T}", f"{lengths.min()} to {lengths.max()}"))
    return np.array(lengths, np.int64)  # the caller may use the array again before the backward pass


def inputs(where, gates, x, weight_ih, weight_hh, bias_ih, bias_hh, lengths=None, **masks):
    """Check a layer's inputs, ``gates`` rows of H in each weight, and lay them out.

    x (T, B, D), weight_ih (gates H, D), weight_hh (gates H, H), biases (gates H,) or None, masks by their names. Raises
    InputError for shapes, DtypeError for types. Padded steps of x are set to zero in a copy: what a caller left there,
    NaN even, meets no gradient.
    """
    x = array_of(where, "x", x)
    if x.dtype not in FLOATS:
        raise DtypeError(must_be(where, "x", "float32 or float64", x.dtype))
    check_shape(where, "x", x, "(T, B, D)", (None, None, None), "time comes first, then the batch")
    if x.size == 0:
        raise InputError(must_be(where, "x", "at least one step, row and feature", x.shape))
    x = _ready(x)
    T, B, D = x.shape
    weight_hh = array_of(where, "weight_hh", weight_hh)
    H = weight_hh.shape[-1] if weight_hh.ndim else 0
    if H == 0:
        raise InputError(must_be(where, "weight_hh", "at least one unit wide", weight_hh.shape))
    rows = gates * H
    times = "H" if gates == 1 else f"{gates}H"
    weight_hh = laid_out(where, "weight_hh", weight_hh, x.dtype, f"({times}, H)", (rows, H), "is it transposed?")
    weight_ih = laid_out(where, "weight_ih", weight_ih, x.dtype, f"({times}, D)", (rows, D), "is it transposed?")
    if bias_ih is not None:
        bias_ih = laid_out(where, "bias_ih", bias_ih, x.dtype, f"({times},)", (rows,))
    if bias_hh is not None:
        bias_hh = laid_out(where, "bias_hh", bias_hh, x.dtype, f"({times},)", (rows,))
    masks = [_mask(where, name, masks.get(name), x.dtype, T, B, H) for name in MASKS]
    lengths = _lengths(where, lengths, T, B)
    if lengths.size:
        x = np.where((np.arange(T)[:, None] < lengths)[:, :, None], x, x.dtype.type(0))
    return Inputs(x, weight_ih, weight_hh, bias_ih, bias_hh, *masks, lengths)


def floats(where, name, value, symbols, sizes, contiguous=True):
    """A float32 or float64 array of a shape without zeros, any shape for None, laid out for the kernels."""
    value = array_of(where, name, value)
    if value.dtype not in FLOATS:
        raise DtypeError(must_be(where, name, "float32 or float64", value.dtype))
    if sizes is not None:
        check_shape(where, name, value, symbols, sizes)
    if value.size == 0:
        raise InputError(must_be(where, name, "not empty", value.shape))
    return _ready(value) if contiguous else np.require(value, requirements="AW")


def indices(where, name, value, count, limit):
    """A new array of int64 indices (count,), each in [0, limit)."""
    value = array_of(where, name, value)
    if value.dtype.kind not in "iu":
        raise DtypeError(must_be(where, name, "whole numbers", value.dtype))
    check_shape(where, name, value, "(N,)", (count,))
    if value.min() < 0 or value.max() >= limit:
        raise InputError(must_be(where, name, f"in [0, {limit})", f"{value.min()} to {value.max()}"))
    return np.array(value, np.int64)  # a caller who writes into the array later cannot move what was checked


def overwritten(where, name, value, like, others=()):
    """Refuse an array that a kernel cannot write into in place of one like ``like``, or that is part of the others."""
    if type(value) is not np.ndarray or value.dtype != like.dtype:
        got = value.dtype if isinstance(value, np.ndarray) else type(value).__name__
        raise DtypeError(must_be(where, name, f"a NumPy array of {like.dtype}", got))
    check_shape(where, name, value, "p's shape", like.shape)
    if not value.flags.carray:
        raise InputError(must_be(where, name, "C-contiguous, aligned and writeable", f"strides {value.strides}"))
    if any(np.may_share_memory(value, other) for other in others):
        raise InputError(must_be(where, name, "an array of its own", "memory of another argument"))


def unspoiled(where, saved, *kinds):
    """Refuse what no forward pass returned: another object, or arrays that were exchanged or reshaped since.

    The arrays are what the kernels index without looking: h (T+1, B, H), gates (T, B, gates, H).
    """
    if type(saved) not in kinds or type(saved.inputs) is not Inputs:
        cause = "is it the forward pass's last result?"
        raise DtypeError(must_be(where, "saved", "what the forward pass returned", type(saved).__name__, cause))
    inputs, names = saved.inputs, saved._fields
    x, weight_ih, weight_hh, bias_ih, bias_hh, gal, moon, ours, zoneout_c, zoneout_h, lengths = inputs
    whole = type(x) is type(saved.h) is type(weight_hh) is np.ndarray and x.ndim == saved.h.ndim == 3
    if whole and x.dtype in FLOATS and weight_hh.ndim == 2 and saved.h.shape[2] == weight_hh.shape[1] > 0:
        (T, B, D), H, dtype = x.shape, weight_hh.shape[1], x.dtype
        gates, states, steps, one, absent = len(weight_hh) // H, (T + 1, B, H), (T, B, H), (1, B, H), (1, 1, 0)
        values = gates + (gates == 3 and "reset" not in names)  # a GRU that resets after keeps its product too
        shapes = {"h": states, "c": states, "entering": steps, "reset": steps, "gates": (T, B, values, H)}
        row = (gates * H,)
        expected = [(x, x.shape), (weight_ih, (gates * H, D)), (weight_hh, (gates * H, H))]
        expected += [(b, row) for b in (bias_ih, bias_hh) if b is not None]
        expected += [(m, None) for m in (gal, moon, ours, zoneout_c, zoneout_h)]
        for name, value in zip(names[1:], saved[1:]):
            if name in shapes:
                expected.append((value, shapes[name]))
            elif type(value) is not int:
                expected.append((None, None))
        for a, shape in expected:
            if type(a) is not np.ndarray or a.dtype != dtype or not a.flags.carray:
                break
            if a.shape != shape and (shape is not None or a.shape not in (absent, steps, one)):
                break
        else:
            if type(lengths) is np.ndarray and lengths.dtype == np.int64 and lengths.flags.carray:
                if lengths.shape in ((0,), (B,)):
                    return
    raise InputError(must_be(where, "saved", "as the forward pass left it", "arrays of other shapes or types"))


def states(where, name, initial, inputs):
    """An array (T+1, B, H) for a state over time, its first row the initial state (B, H), the rest unset."""
    T, B, D, H = inputs.sizes()
    out = empty((T + 1, B, H), inputs.x.dtype)
    out[0] = laid_out(where, name, initial, out.dtype, "(B, H)", (B, H))
    return out


def final_gradient(where, name, gradient, like):
    """A fresh (B, H) array for a kernel to carry back: at first a final state's gradient, or zeros for None."""
    if gradient is None:
        return np.zeros(like.shape, like.dtype)
    return laid_out(where, name, gradient, like.dtype, "(B, H)", like.shape).copy()

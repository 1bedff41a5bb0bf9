"""Gates stacked in another order: between the code (i f g o), the thesis (i f o g), the slides (g i o f) and ONNX."""

from minirnn.array import array_of, xp_of
from minirnn.cells.operands import Weights, split
from minirnn.errors import InputError, check_shape, must_be

ONNX = {"h": "h", "fgio": "iofg", "nrz": "zrn"}  # sorted gates -> in the order of ONNX's operators, c is g and h is n
PEEPHOLES = "iof"  # of ONNX's LSTM


def _moved(array, given, wanted):
    """The blocks of rows of an array (K*H, ...) in another order, or None."""
    if array is None:
        return None
    blocks = split(array.T, len(given))
    return xp_of(array).concatenate([blocks[given.index(gate)] for gate in wanted], axis=-1).T


def reordered(weights, given, wanted):
    """Weights whose stacked gates stand in another order: one letter for each gate, ``reordered(w, "giof", "ifgo")``.

    Raises InputError for weights of another kind, and when the two orders are not made of the same letters or their
    number does not divide the rows.
    """
    if not isinstance(weights, Weights):
        raise InputError(must_be("reordered", "weights", "cells.Weights, all gates in each", type(weights).__name__))
    if sorted(given) != sorted(wanted) or len(set(given)) != len(given):
        raise InputError(must_be("reordered", "wanted", f"the letters of {given!r} in another order", repr(wanted)))
    rows = weights.weight_ih.shape[0]
    if rows % len(given):
        raise InputError(must_be("reordered", "weights", f"{len(given)} stacked gates", f"{rows} rows"))
    return Weights(*(_moved(array, given, wanted) for array in weights))


def _onnx_order(where, cell):
    """ONNX's order of a cell's gates, and the cell's own."""
    own = "" if isinstance(cell, type) else "".join(getattr(cell, "gates", ()))
    order = ONNX.get("".join(sorted(own)))
    if order is None:
        raise InputError(must_be(where, "cell", "an RNN, GRU, PeepholeLSTM or LSTM with a forget gate", repr(cell)))
    return order, own


def _turned(cell, array, order):
    """In ONNX z keeps the old state, in the thesis the new one; as 1 - sigmoid(a) is sigmoid(-a), z's rows change sign.
    """
    if array is None or getattr(cell, "convention", "") != "thesis":
        return array
    blocks = split(array.T, len(order))
    blocks = [-block if gate == "z" else block for block, gate in zip(blocks, order)]
    return xp_of(array).concatenate(blocks, axis=-1).T


def from_onnx(cell, W, R, B=None, P=None):
    """The weights of ONNX's RNN, GRU or LSTM operator as those of a cell, one ``cell.Weights`` for each direction.

    W (dirs, K*H, D), R (dirs, K*H, H), B (dirs, 2*K*H), and for a PeepholeLSTM P (dirs, 3*H), zeros if None; W of (1,
    12, 3) with gates z r h makes GRU weights of 4 units in the order r z n. A GRU(convention="slides") is the operator
    with linear_before_reset=0, GRU(reset_after=True) the one with 1; GRU() computes the same as the slides' with z for
    1 - z, and its rows change sign. Raises InputError for shapes that do not fit.
    """
    order, own = _onnx_order("from_onnx", cell)
    given = {"W": W, "R": R, "B": B, "P": P}
    W, R, B, P = (a if hasattr(a, "ndim") or a is None and name in "BP" else array_of("from_onnx", name, a)
                  for name, a in given.items())
    if R.ndim != 3 or W.ndim != 3 or R.shape[1] != len(own) * R.shape[2]:
        raise InputError(must_be("from_onnx", "R", f"(dirs, {len(own)} * H, H)", R.shape))
    dirs, rows, H = R.shape
    check_shape("from_onnx", "W", W, "(dirs, K * H, D)", (dirs, rows, None))
    if B is not None:
        check_shape("from_onnx", "B", B, "(dirs, 2 * K * H)", (dirs, 2 * rows))
    peepholes = "weight_ch" in cell.Weights._fields
    if P is not None:
        if not peepholes:
            raise InputError(must_be("from_onnx", "P", "None", P.shape, "a PeepholeLSTM has peepholes"))
        check_shape("from_onnx", "P", P, "(dirs, 3 * H)", (dirs, 3 * H))
    found = []
    for k in range(dirs):
        biases = (None, None) if B is None else (B[k, :rows], B[k, rows:])
        fields = [_moved(_turned(cell, a, order), order, own) for a in (W[k], R[k], *biases)]
        if peepholes:
            zeros = xp_of(R).zeros(3 * H, R.dtype)
            fields.insert(2, zeros if P is None else _moved(P[k], PEEPHOLES, "".join(cell.stacked("weight_ch"))))
        found.append(cell.Weights(*fields))
    return found


def to_onnx(cell, *weights):
    """The weights of each direction as ONNX's operator takes them: {"W": ..., "R": ..., "B": ..., "P": ...}, without B
    or P where there are none; the inverse of ``from_onnx``: weights (4H, D) of an LSTM make a W (1, 4H, D) in i o f c.
    """
    order, own = _onnx_order("to_onnx", cell)
    for k, w in enumerate(weights):
        if not isinstance(w, cell.Weights):
            raise InputError(must_be("to_onnx", f"weights[{k}]", cell.Weights.__name__, type(w).__name__))
    if not weights:
        raise InputError(must_be("to_onnx", "weights", "those of one or two directions", "none"))
    xp = xp_of(weights[0].weight_ih)
    stacked = lambda arrays: xp.concatenate([a[None] for a in arrays])
    out = lambda array: _turned(cell, _moved(array, own, order), order)
    arrays = {"W": stacked([out(w.weight_ih) for w in weights]), "R": stacked([out(w.weight_hh) for w in weights])}
    if weights[0].bias_ih is not None:
        arrays["B"] = stacked([xp.concatenate([out(w.bias_ih), out(w.bias_hh)]) for w in weights])
    if "weight_ch" in cell.Weights._fields:
        given = "".join(cell.stacked("weight_ch"))
        arrays["P"] = stacked([_moved(w.weight_ch, given, PEEPHOLES) for w in weights])
    return arrays

"""A wrong gradient of a user's recurrent cell, explained in the names of their arrays."""

import re
from dataclasses import replace

import numpy as np

from minirnn.errors import InputError
from minirnn.gradcheck import recurrent, signatures
from minirnn.gradcheck.measurement import numbers_of

OURS = ("x", "h0", "c0", "weight_ih", "weight_hh", "weight_ch", "bias_ih", "bias_hh")
NAMED = re.compile(rf"\b({'|'.join(OURS)})\b(?: gate (\w)\b| \(gates? ([^)]*)\))?")


def claims(code_for, layout):
    """claim(problem) -> {our name: gradient} of the user's backward, as far as they have the array. What of the loss
    their results do not show is added right, so that only their own mistakes remain."""

    def claim(p):
        H, D = p.weights.weight_hh.shape[-1], p.x.shape[-1]
        code, arrays = code_for({"D": D, "H": H}), layout.arrays(p)
        dys, rest = layout.cotangents(p)
        ys = code.trace([a.copy() for a in arrays]).ys[: code.asked]
        dys = [np.zeros_like(y) if d is None else np.ascontiguousarray(d) for d, y in zip(dys, ys)]
        given = code.gradients(code.takes, tuple(dys), [np.ascontiguousarray(a) for a in arrays])
        given = [None if g is None else numbers_of(g, f"the gradient of {n}", code.name).astype(p.x.dtype)
                 for n, g in zip(code.names, given)]
        hidden = recurrent.gradients(rest)
        return {name: g + hidden[name] for name, g in layout.gradients(p, given).items()}

    return claim


def diagnosis(code_for, layout, problem):
    """Lines about a wrong gradient in the user's names; [] where at the diagnosed losses nothing is wrong."""
    claim, (_, rest) = claims(code_for, layout), layout.cotangents(problem)
    shown = tuple(d - r for d, r in zip(problem.dfinal, rest.dfinal))
    problem = replace(problem, dy=problem.dy - rest.dy, dfinal=shown)  # the loss that the user's results show
    try:
        claimed, whole = claim(problem), recurrent.gradients(problem)
        truth = {name: whole[name] for name in claimed}
        if not all(np.isfinite(g).all() for g in claimed.values()) or all(
                np.abs(claimed[n] - truth[n]).max() <= 1e-8 * max(np.abs(truth[n]).max(), 1e-300) for n in truth):
            return []
        lines = signatures.diagnose(problem, claim, claimed, truth)
    except InputError:  # code that is made for one size or loss
        return []
    return renamed(lines, layout)


def renamed(lines, layout):
    """Lines with our names of arrays as the user's: "weight_ih (gates i, f)" is "Wxi, Wxf"; none twice."""
    names = {name: _theirs(name, layout) for name in OURS}
    gates = {(name, gate): _of_gate(name, gate, layout) for name in OURS for gate in layout.cell.gates}
    out = []
    for line in lines:
        if not line.lstrip().startswith("'"):  # but for lines of this library's code
            line = _turned(NAMED.sub(lambda m: _several(m, gates) if m[3] else gates[m[1], m[2]] if m[2]
                                     else names[m[1]], line), layout)
        head, colon, rest = line.partition(": ")
        if head in ("right", "wrong") or head.startswith(("in time", "a loss at")):
            kept = [w for w in dict.fromkeys(re.split(r", (?![^(]*\))", rest)) if w]
            line = head + colon + ", ".join(kept)
        if line not in out and not line.endswith("right: "):
            out.append(line)
    return out


def _turned(text, layout):
    """A text in which a gate that is 1 - ours is called so: "gate 1-f"."""
    return re.sub(rf"\bgate ([{layout.flipped}])\b", r"gate 1-\1", text) if layout.flipped else text


def _several(match, gates):
    letters = match[3].split(", ")
    each = [gates[match[1], letter] for letter in letters]
    whole = {text.rpartition(" gate ")[0] for text in each}
    if len(whole) == 1 and "" not in whole:
        word = "gates" if len(letters) > 1 else "gate"
        return f"{whole.pop()} ({word} {', '.join(text.rpartition(' gate ')[2] for text in each)})"
    return ", ".join(each)


def _holders(name, layout):
    sources = {name} | ({"bias", "1"} if name.startswith("bias") else set())
    return [part for part in layout.parts if sources & set(part.sources)]


def _theirs(name, layout):
    """The user's name of one of ours: W, or W (its x rows) of a joint matrix, or Wxi, Wxf, ...; ours where none is."""
    parts = _holders(name, layout)
    if not parts:
        return "" if name in ("h0", "c0") else name
    if len(parts) > 1:
        return ", ".join(part.name for part in parts)
    return parts[0].name + _piece(name, parts[0])


def _piece(name, part):
    if len(part.sources) == 1:
        return ""
    what = {"weight_ih": "x", "weight_hh": "h"}.get(name, "bias")
    return f" (its {what} {'rows' if part.turned else 'columns'})"


def _of_gate(name, gate, layout):
    single = next((p for p in _holders(name, layout) if p.gates == gate), None)
    if single is not None:
        return single.name + _piece(name, single)
    return f"{_theirs(name, layout)} gate {gate}"


def in_words(layout, problem):
    """(user's name, index) -> "W[0, 5] (gate f, unit 1, from input 0)"."""
    labels, at = layout.labels(problem)
    mine = dict(zip((part.name for part in layout.parts), labels))
    arrays = {**problem.arrays}
    arrays.setdefault("bias", arrays.get("bias_ih", np.zeros(0)))

    def words(name, index):
        label = abs(int(mine[name][index]))
        own = max((n for n in at if at[n] <= label), key=lambda n: at[n])
        shown = "bias_ih" if own == "bias" else own
        place = np.unravel_index(label - at[own], arrays[shown].shape)
        said = problem.in_words(shown, tuple(int(i) for i in place))
        return _turned(f"{name}[{', '.join(map(str, index))}]{said.partition(']')[2]}", layout)

    return words

"""Finding a user's layout by trial: forward is run with each candidate and compared with ours on the same numbers."""

import itertools
from dataclasses import dataclass, replace

import numpy as np

from minirnn import cells
from minirnn.errors import InputError, must_be
from minirnn.gradcheck.user import roles
from minirnn.gradcheck.user.layout import BATCHED, IN_WORDS, ONE, SINGLE, Layout, Part, arranged, axes_of, catalogue

SAME_FORWARD = {"float64": 1e-6, "float32": 1e-3}
JOINT = (("x", "h"), ("h", "x"), (ONE, "x", "h"), ("x", "h", ONE), ("h", "x", ONE), (ONE, "h", "x"))
FIELDS = {"x": "weight_ih", "h": "weight_hh", "c": "weight_ch", "bias": "bias", "bias_x": "bias_ih",
          "bias_h": "bias_hh", ONE: ONE}
FAMILIES = {"rnn": ("rnn", "rnn-relu", "rnn-identity"),
            "lstm": ("lstm", "lstm-peephole", "lstm-coupled", "lstm-version-0", "lstm-relu"),
            "gru": ("gru", "gru-slides", "gru-reset-after")}
WEIGHTS = {"in,hidden": True, "hidden,in": False}
TIME = {"batch,time": "BT", "time,batch": "TB"}


@dataclass(frozen=True)
class Asked:
    """What the user said of the layout: gates in their letters, "" for none; whether weights are (in, hidden), which
    of batch and time comes first, None for not said."""

    gates: str = ""
    turned: bool | None = None
    first: str | None = None


def asked(cell, gates, layout):
    """Asked from --gates and --layout. Raises InputError for what is no order or layout."""
    layout = (layout,) if isinstance(layout, str) else tuple(layout)
    words = [text.replace(" ", "").lower() for text in layout]
    known = [[word for word in words if word in table] for table in (WEIGHTS, TIME)]
    if max(map(len, known)) > 1 or sum(map(len, known)) < len(words):
        what = "one or both of in,hidden (or hidden,in) and batch,time (or time,batch)"
        raise InputError(must_be("gradcheck", "--layout", what, " ".join(layout)))
    if (gates or layout) and cell is None:
        raise InputError(must_be("gradcheck", "--gates and --layout", "given with --cell", "no cell"))
    if gates and not any(roles.ours(gates, cells.CELLS[name]) for name in family(cell)):
        known = cells.named("gradcheck", cell, "--cell")[1]
        what = f"the letters of its gates in your order, like {''.join(known.gates)}"
        raise InputError(must_be("gradcheck", "--gates", what, repr(gates)))
    return Asked(gates, next((WEIGHTS[w] for w in words if w in WEIGHTS), None),
                 next((TIME[w] for w in words if w in TIME), None))


def family(cell):
    """The names of the cells that --cell may mean: of lstm, gru and rnn all forms, of another that one alone."""
    name, _ = cells.named("gradcheck", cell, "--cell")
    return FAMILIES.get(str(cell).strip().lower(), (name,))


def house_names(cell):
    """What forward(*args) of a cell is given: x, h0, c0, weight_ih, ..."""
    kind = cells.named("gradcheck", cell, "--cell")[1]
    return ["x", *(f"{state}0" for state in kind.states), *kind.Weights._fields]


@dataclass
class Fit:
    """A layout that was tried, and how far from ours what forward gave was, relative to the largest value."""

    layout: Layout
    error: float
    problem: object


def fits(code_for, name, wanted, dtype, seed, sizes):
    """The layouts in which the user's forward is our cell, as (Fit, code), the likeliest first.

    ``code_for(sizes)`` gives the user's code for {"D": 5, "H": 2}; ``sizes(cell)``: those to try. Raises InputError
    with the closest layout where none fits.
    """
    closest, raised, found, limit = None, None, False, SAME_FORWARD[np.dtype(dtype).name]
    for kind in family(name):
        for size in sizes(cells.CELLS[kind]):
            code = code_for({"D": size[0], "H": size[1]})
            for group in candidates(code, kind, wanted, size):
                problem = group[0].problem(*size, dtype=dtype, seed=seed)
                best = None
                for layout in group:
                    try:
                        tried = compared(code, layout, problem)
                    except InputError as error:
                        raised = raised or error
                        break
                    if tried is None:
                        break  # no other order has other shapes
                    if tried.error <= limit:
                        found = True
                        yield tried, code
                        break
                    best = min(best or tried, tried, key=lambda t: t.error)
                if best is not None and (closest is None or best.error < closest.error / 2):
                    closest = best
    if not found:
        raise _no_fit(code, name, closest, raised)


def _no_fit(code, name, closest, raised):
    if closest is None and raised is not None:
        return InputError(f"{raised}; no layout that was tried runs")
    if closest is None:
        found, weights = roles.split_roles(code.names, cells.named("gradcheck", name, "--cell")[1])
        read = ", ".join(f"{n} as {role}" for role, n in found.items())
        cause = f"read {read}, and as weights {', '.join(weights) or 'none'}"
        return InputError(must_be(code.name, "forward", f"the {name} of this library over x, states and weights",
                                  "results or weights of no shape that was tried", cause))
    forms = ", ".join(n for n in cells.CELLS if n.startswith(str(name).split("-")[0]))
    cause = f"closest when read as: {in_words(closest.layout)}; check the order of the gates, or try --gates, --layout"
    return InputError(must_be(code.name, "forward", f"the {name} of this library (forms: {forms})",
                              f"values {closest.error:.1g} away", cause + ", or leave --cell out"))


def compared(code, layout, problem):
    """Run forward in a layout -> Fit, its layout with the roles of the results; None where no shape is right."""
    arrays = [np.ascontiguousarray(a) for a in layout.arrays(problem)]
    ys = code.numbers(code.trace(arrays).ys)
    ours = catalogue(problem)
    results, errors = [], []
    for y in ys:
        best = ("", "", np.inf)
        for role, array in ours.items():
            for axes in axes_of(role, layout.x_axes):
                want = arranged(array, "BH" if array.ndim == 2 else "TBH", axes)
                if want.shape == y.shape:
                    off = float(np.abs(y - want).max()) / max(1.0, float(np.abs(want).max()))
                    off = off if np.isfinite(off) else np.inf
                    best = min(best, (role, axes, off), key=lambda r: r[2])
        results.append(best)
        errors.append(best[2])
    hidden = [off for role, _, off in results if role in ("h", "y", "y0")]
    known = [off for _, _, off in results if np.isfinite(off)]
    if not known:
        return None
    error = max(known) if hidden else np.inf
    return Fit(replace(layout, results=tuple(r[:2] for r in results)), error, problem)


def candidates(code, name, wanted, size):
    """Layouts to try, the house's own first, those that differ in the order of the gates together in a list.

    Those whose weights have not the shapes of the object's are left out.
    """
    cell = cells.CELLS[name]
    found, weights = roles.split_roles(code.names, cell)
    if "x" not in found:
        return
    fixed = getattr(code, "weights", {})
    batched = [a for a in (*BATCHED, *SINGLE) if wanted.first is None or "T" not in a or "B" not in a
               or a.replace("D", "") == wanted.first]
    structures = list(_structures(weights, cell))
    for axes, parts, turned, vector in itertools.product(
            batched, structures, (False, True) if wanted.turned is None else (wanted.turned,),
            ("flat", "column", "row")):
        if vector != "flat" and not any(set(p.sources) & {"bias", "bias_ih", "bias_hh"} for p in parts):
            continue
        states = axes.replace("T", "").replace("D", "H")
        inputs = [Part(found[r], (r,), axes=axes if r == "x" else states or "H") for r in found]
        flat = [replace(p, turned=turned, vector=vector) for p in parts]
        layout = Layout(cell, name, tuple(sorted([*inputs, *flat], key=lambda p: code.names.index(p.name))),
                        biases=_biases(parts))
        group = [replace(layout, flipped=flipped, parts=tuple(
            replace(p, gates=order) if not p.axes and not p.gates else p for p in layout.parts))
            for flipped, order in _orders(cell, parts, wanted)]
        if group and (not fixed or _shapes_fit(group[0], fixed, size)):
            yield group


def _shapes_fit(layout, fixed, size):
    built = dict(zip((p.name for p in layout.parts), layout.arrays(layout.problem(*size))))
    return all(built[name].shape == a.shape for name, a in fixed.items()
               if not next(p for p in layout.parts if p.name == name).axes)


def _biases(parts):
    sources = {s for p in parts for s in p.sources}
    return 2 if {"bias_ih", "bias_hh"} <= sources else 1 if sources & {"bias", "bias_ih", "bias_hh", ONE} else 0


def _orders(cell, parts, wanted):
    """(gates that are 1 - ours, the order of the gates) to try: the house's first."""
    own = "".join(cell.gates)
    if wanted.gates:
        order = roles.ours(wanted.gates, cell)
        orders = [order] if order else []
    elif all(p.gates for p in parts):
        orders = [own]
    else:
        orders = ["".join(order) for order in itertools.permutations(own)]
    flips = ["f"] if cell.name == "lstm-coupled" else ["z"] if getattr(cell, "reset_after", False) else []
    return [(flipped, order) for flipped in ("", *flips) for order in orders]


def _structures(weights, cell):
    """Parts without gates and turns: what the weights may be made of."""
    single = roles.per_gate(weights, cell)
    if single:
        joints = JOINT[:2] if any(source == "xh" for _, source, _ in single) else JOINT[:1]
        for joint in joints:
            yield [Part(n, tuple(FIELDS[s] for s in (joint if source == "xh" else (source,))), gate)
                   for n, source, gate in single]
        return
    matrices, biases, peepholes = roles.kinds(weights, cell)
    if bool(peepholes) != ("weight_ch" in cell.Weights._fields) or len(peepholes) not in (0, 1, 3) or len(biases) > 2:
        return
    known = roles.letters(cell)
    rest = [Part(n, ("weight_ch",), known.get(n[-1:].lower(), "") if len(peepholes) == 3 else "") for n in peepholes]
    if len(matrices) == 2:
        for one, two in (matrices, matrices[::-1]):
            yield [Part(one, ("weight_ih",)), Part(two, ("weight_hh",)), *_vectors(biases), *rest]
    elif len(matrices) == 1:
        for joint in JOINT[:2] if biases else JOINT:
            yield [Part(matrices[0], tuple(FIELDS[s] for s in joint)), *_vectors(biases), *rest]


def _vectors(biases):
    names = [("bias",)] if len(biases) == 1 else [("bias_ih",), ("bias_hh",)]
    return [Part(n, source) for n, source in zip(biases, names)]


def as_in_the_house(layout, cell):
    """Whether a layout is this library's own of the cell that was asked for: then there is nothing to be said."""
    own = "", "".join(layout.cell.gates)
    same = all(p.gates in own and not p.turned and p.vector == "flat" and len(p.sources) == 1
               and p.axes in ("", "TBD", "BH") for p in layout.parts)
    return same and layout.biases == 2 and not layout.flipped and cells.find(cell)[0] == layout.name


def in_words(layout):
    """A layout as a line: "lstm, gates f i g o, weights (in, hidden), one bias, x (batch, time, in)"."""
    matrices = [p for p in layout.parts if not p.axes and p.sources[0] not in ("bias", "bias_ih", "bias_hh",
                                                                               "weight_ch")]
    words = [layout.name]
    if len(layout.cell.gates) > 1:
        single = all(len(p.gates) == 1 for p in matrices)
        shown = [("1-" if g in layout.flipped else "") + g for g in matrices[0].gates]
        words.append("a matrix for each gate" if single else f"gates {' '.join(shown)}")
    sizes = "(in, hidden)" if matrices[0].turned else "(hidden, in)"
    if len(matrices[0].sources) > 1:
        pieces = ", ".join({"weight_ih": "x", "weight_hh": "h"}.get(s, s) for s in matrices[0].sources)
        words.append(f"a matrix over [{pieces}] as {sizes}")
    else:
        words.append(f"weights {sizes}")
    words.append(("no bias", "one bias", "two biases")[layout.biases])
    axes = layout.x_axes
    words.append(f"x ({', '.join(IN_WORDS[a] for a in axes)}){'' if 'T' in axes else ', one step'}")
    return ", ".join(words)

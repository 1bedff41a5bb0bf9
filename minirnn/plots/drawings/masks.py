"""Which units recurrent dropout drops at which step, and which path of the cell that cuts. ::

    masks_in_time("moon", T=8, units=3)                             # drawn at random, seed 0
    masks_in_time("ours", mask=[[1, 0], [1, 1], [0, 1]])            # a mask of three steps and two units
"""

import numbers

import numpy as np

from minirnn.errors import InputError, must_be, near
from minirnn.plots.drawings.svg import Canvas, check_count

MOST_STEPS, MOST_UNITS = 16, 8
STEP, ROW, LEFT, FIRST = 54, 62, 60, 36  # between steps and between units; where they begin
# the name in the sources: (the layer's name, what is dropped, what becomes of the memory)
SCHEMES = {
    "gal": ("state", "the hidden state on its way into the gates, thesis (3.3.8)", "the memory passes whole"),
    "moon": ("memory", "the memory itself, thesis (3.3.9)", "what a unit knew before a dropped step is lost"),
    "ours": ("update", "the update, thesis (3.3.10)", "the memory passes whole"),
    "zoneout": ("zoneout", "the whole step: the unit keeps its old state", "the memory stands still"),
}


def masks_in_time(scheme, mask=None, T=8, units=3, sampling="per_step", rate=0.3, seed=0):
    """One row a unit, one column a step: the memory from left to right, below it what is written, crossed out what is
    dropped -> Drawing.

    scheme: "gal", "moon", "ours" or "zoneout" (or a layer's "state", "memory", "update"); mask (T, units): 0 where
    dropped, 1 where kept; left out, it is drawn with ``rate`` and ``seed``, anew "per_step" or once "per_sequence".
    masks_in_time("moon", mask=[[1], [0], [1]]) loses the memory at step 2. InputError for another scheme or shape.
    """
    name = _scheme(scheme)
    kept = _drawn(T, units, sampling, rate, seed) if mask is None else _given(mask)
    steps, rows = kept.shape
    bottom = FIRST + ROW * rows
    canvas = Canvas(max(470, LEFT + STEP * steps + 6), bottom + 34)
    for t in range(steps):
        canvas.text(LEFT + STEP * (t + 0.5), 16, t + 1, "soft")
    canvas.text(6, 16, "step", "soft", "start")
    for unit in range(rows):
        y = FIRST + ROW * unit + 14
        canvas.text(6, y, f"unit {unit + 1}", "", "start")
        for t in np.flatnonzero(~kept[:, unit]):
            canvas.box(LEFT + STEP * (t + 0.5), y + 11, STEP - 6, ROW - 6, "frame")
        for t in range(steps):
            with canvas.group("node" if kept[t, unit] else "node dropped", "node", f"unit_{unit + 1}_step_{t + 1}"):
                lost = name == "moon" and t > 0 and not kept[t - 1, unit]
                _cell(canvas, name, LEFT + STEP * t, y, kept[t, unit], lost, f"{unit + 1}_{t + 1}")
    _key(canvas, bottom + 14)
    _, what, then = SCHEMES[name]
    drawn = f", drawn {sampling.replace('_', ' ')}" if mask is None else ""
    title = f"{name.capitalize()} over {steps} steps{drawn}: dropped is {what}; {then}."
    when = [", ".join(str(t + 1) for t in np.flatnonzero(~unit)) or "no step" for unit in kept.T]
    dropped = "; ".join(f"unit {unit} at {at}" for unit, at in enumerate(when, 1))
    return canvas.drawing(title, f"{title} Dropped steps: {dropped}.")


def _cell(canvas, name, x, y, kept, lost, where):
    """One unit at one step, from x to x + STEP: memory along y, the update from below, h to the gates beside it.

    lost: the memory that comes from the step before is nothing.
    """
    middle, cut = x + STEP / 2, "" if kept else name
    hold = cut == "zoneout"
    canvas.arrow([(x, y), (middle, y)], f"memory_{where}", "faint" if lost else "memory", head=False, dashed=lost)
    canvas.arrow([(middle, y), (x + STEP, y)], "", "faint" if cut == "moon" else "memory", head=False,
                 dashed=cut == "moon")
    _hook(canvas, x + 8, middle, y, f"h_{where}", cut == "gal" or hold or lost)
    off = cut == "ours" or hold
    canvas.arrow([(middle, y + 35), (middle, y + 8)], f"update_{where}", "faint" if off else "", dashed=off)
    if not hold:
        canvas.circle(middle, y, 7, "" if cut == "moon" else "unit")
    for a, b in {"gal": [(x + 8, y + 19)], "moon": [(middle, y)], "ours": [(middle, y + 22)],
                 "zoneout": [(middle, y + 22)]}.get(cut, []):
        canvas.cross(a, b)


def _hook(canvas, x, middle, y, name="", off=False, depth=34):
    """The way of h to the gates, at whose foot the update starts."""
    way = [(x, y + 2), (x, y + depth), (middle, y + depth)]
    canvas.arrow(way, name, "faint" if off else "", head=False, dashed=off)


def _key(canvas, y):
    """What the marks mean, beside them."""
    canvas.arrow([(8, y), (34, y)], kind="memory", head=False)
    canvas.text(42, y, "memory", "soft", "start")
    canvas.arrow([(126, y + 10), (126, y - 10)])
    canvas.text(134, y, "update i g", "soft", "start")
    _hook(canvas, 228, 244, y - 10, depth=18)
    canvas.text(250, y, "h to the gates", "soft", "start")
    canvas.cross(378, y)
    canvas.text(390, y, "dropped", "soft", "start")


def _scheme(scheme):
    layers = {layer: name for name, (layer, *_) in SCHEMES.items()}
    name = layers.get(scheme, scheme) if isinstance(scheme, str) else scheme
    if not isinstance(name, str) or name not in SCHEMES:
        cause = near(scheme, [*SCHEMES, *layers]) if isinstance(scheme, str) else ""
        raise InputError(must_be("masks_in_time", "scheme", f"one of {', '.join(SCHEMES)}", repr(scheme), cause))
    return name


def _drawn(T, units, sampling, rate, seed):
    check_count("masks_in_time", "T", T, MOST_STEPS)
    check_count("masks_in_time", "units", units, MOST_UNITS)
    check_count("masks_in_time", "seed", seed, 2**63, least=0)
    if sampling not in ("per_step", "per_sequence"):
        raise InputError(must_be("masks_in_time", "sampling", "'per_step' or 'per_sequence'", repr(sampling)))
    if not isinstance(rate, numbers.Real) or not 0 <= rate < 1:
        raise InputError(must_be("masks_in_time", "rate", "a number from 0 to below 1", repr(rate)))
    rng = np.random.default_rng(seed)
    shape = (T if sampling == "per_step" else 1, units)
    return np.broadcast_to(rng.random(shape) >= rate, (T, units))


def _given(mask):
    try:
        kept = np.asarray(mask)
        good = kept.ndim == 2 and kept.dtype.kind in "biuf" and np.isfinite(kept).all()
    except ValueError:
        kept, good = None, False
    if not good or not (1 <= kept.shape[0] <= MOST_STEPS and 1 <= kept.shape[1] <= MOST_UNITS):
        got = type(mask).__name__ if kept is None else f"{kept.dtype} of shape {kept.shape}"
        what = f"(T, units) finite numbers, at most ({MOST_STEPS}, {MOST_UNITS})"
        raise InputError(must_be("masks_in_time", "mask", what, got))
    return kept != 0

"""What stands over each panel of the page: a heading, and a sentence on how to read it, as HTML."""

import re

MASKS = {
    "gal": "it multiplies the hidden state on its way into the gates, thesis (3.3.8)",
    "moon": "it multiplies the new memory, thesis (3.3.9)",
    "ours": "it multiplies the candidate update, thesis (3.3.10)",
}
ZONEOUT = {"zoneout_c": "memory", "zoneout_h": "hidden state"}


def panels(inspection, stride):
    """(id, heading, sentence) of every panel there is something to show in, in order.

    One unit in ``stride`` is drawn: 4 shows 32 of 128. What a cell does not say of itself is left out (``cell.words``).
    """
    cell, first = inspection.cell, inspection.frames[0].layers[0]
    words, units = cell.words, "" if stride == 1 else f" Only one unit in {stride} is shown, to keep the page small."
    yield "gates", "The gradient at each gate", (
        "‖∂L/∂a<sub>t</sub>‖ over the batch, a<sub>t</sub> what enters the gate"
        f"{_also(words.gates)}; a gate whose line is low learns nothing from that step."
    )
    yield "states", "The gradient at each state", (
        f"{' and '.join(f'‖∂L/∂{s}<sub>t</sub>‖' for s in cell.states)} over the batch; a gradient goes from right to "
        f"left{_also(words.road)}."
    )
    yield "saturation", "Saturation", (
        "The share of units, over the batch, where a gate is so far to one side that its slope is nearly 0 and no "
        "gradient enters: from below, shut or negative; from above, open or positive. What lies between can learn."
    )
    if len(first.spectrum_steps):
        yield "spectrum", "Singular values of the step", (
            f"∂s<sub>t</sub>/∂s<sub>t−1</sub>, s = ({', '.join(cell.states)}), stretches a gradient by its singular "
            "values on the way back: above 1 it grows in that direction, below 1 it shrinks. Band: smallest to "
            f"largest, and the middle 80 %; six decades are drawn. First row of the batch.{_some(first)}"
        )
    for state in reversed(cell.states):
        yield f"contents-{state}", f"Contents of {state}<sub>t</sub>", (
            f"A row for each unit, a column for each step{_also(words.contents.get(state))}; long stripes are things "
            f"remembered. First row of the batch; column 0 is the initial state.{units}"
        )
    for scheme in first.masks:
        if scheme in ZONEOUT:
            yield f"masks-{scheme}", f"Zoneout of the {ZONEOUT[scheme]}", (
                f"The share of its old {ZONEOUT[scheme]} that each unit keeps at each step, drawn anew at every one: 1 "
                f"keeps the old value, 0 takes the new. First row of the batch.{units}"
            )
            continue
        yield f"masks-{scheme}", f"Recurrent dropout masks: {scheme}", (
            f"The factor of every unit at every step{_also(words.masks.get(scheme) or MASKS.get(scheme))}; long "
            f"stripes are one mask for the whole sequence. First row of the batch.{units}"
        )


def _also(text):
    """A clause, with its ``h_t`` and ``W_{hh}`` as subscripts."""
    return ": " + re.sub(r"_(?:{(.+?)}|(t))", r"<sub>\1\2</sub>", text) if text else ""


def _some(scope):
    taken, steps = len(scope.spectrum_steps), len(next(iter(scope.gate_gradients.values())))
    return "" if taken == steps else f" Taken at {taken} of the {steps} steps, for their cost."

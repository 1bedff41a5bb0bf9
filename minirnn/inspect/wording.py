"""What stands over each panel of the page: a heading, and a sentence on how to read it, as HTML."""

GATES = {
    "lstm without f": "i, o = σ(a) and g = φ(a), version 0 of thesis (2.2.4)",
    "rnn": "h<sub>t</sub> = f(a<sub>t</sub>), thesis (2.2.2)",
    "lstm": "i, f, o = σ(a) and g = φ(a), thesis (2.2.4)",
    "gru": "r, z = σ(a), thesis (2.2.7), and n = tanh(a), thesis (2.2.8)",
}
ROADS = {
    "lstm without f": "c has a road of its own, where nothing multiplies it on the way back, for there is no forget "
    "gate; ∂L/∂c<sub>t</sub> counts what step t+1 hands back, h<sub>t</sub> held fixed",
    "rnn": "each step back multiplies it by diag(f′)W<sub>hh</sub>, from thesis (2.2.2)",
    "lstm": "c has a road of its own, where each step back multiplies by f<sub>t</sub> alone, from thesis (2.2.5); "
    "∂L/∂c<sub>t</sub> counts what step t+1 hands back, h<sub>t</sub> held fixed",
    "gru": "the part that was kept passes from h<sub>t</sub> to h<sub>t−1</sub> without a matrix, from thesis (2.2.9)",
}
CONTENTS = {
    ("rnn", "h"): "the hidden state, thesis (2.2.2)",
    ("lstm", "c"): "the memory, thesis (2.2.5)",
    ("lstm", "h"): "what the output gate shows of the memory, thesis (2.2.6)",
    ("gru", "h"): "memory and output in one, thesis (2.2.9)",
}
MASKS = {
    ("rnn", "gal"): "it multiplies the state that enters the recurrence, thesis (3.3.4)",
    "gal": "it multiplies the hidden state on its way into the gates, thesis (3.3.8)",
    "moon": "it multiplies the new memory, thesis (3.3.9)",
    "ours": "it multiplies the candidate update, thesis (3.3.10)",
}
ZONEOUT = {"zoneout_c": "memory", "zoneout_h": "hidden state"}


def panels(inspection, stride):
    """(id, heading, sentence) of every panel there is something to show in, in order.

    One unit in ``stride`` is drawn. Another cell than those of the tables gets sentences without equations.
    """
    cell, first = inspection.cell, inspection.frames[0].layers[0]
    kind = cell.name if getattr(cell, "forget_gate", True) else f"{cell.name} without f"
    name, units = cell.name, "" if stride == 1 else f" Only one unit in {stride} is shown, to keep the page small."
    yield "gates", "The gradient at each gate", (
        "‖∂L/∂a<sub>t</sub>‖ over the batch, a<sub>t</sub> what enters the gate"
        f"{_also(GATES.get(kind))}; a gate whose line is low learns nothing from that step."
    )
    yield "states", "The gradient at each state", (
        f"{' and '.join(f'‖∂L/∂{s}<sub>t</sub>‖' for s in cell.states)} over the batch; a gradient goes from right to "
        f"left{_also(ROADS.get(kind))}."
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
            f"A row for each unit, a column for each step{_also(CONTENTS.get((name, state)))}; long stripes are things "
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
            f"The factor of every unit at every step{_also(MASKS.get((name, scheme)) or MASKS.get(scheme))}; long "
            f"stripes are one mask for the whole sequence. First row of the batch.{units}"
        )


def _also(text):
    return "" if text is None else f": {text}"


def _some(scope):
    taken, steps = len(scope.spectrum_steps), len(next(iter(scope.gate_gradients.values())))
    return "" if taken == steps else f" Taken at {taken} of the {steps} steps, for their cost."

"""What one page shows: frames for the slider, each with a Microscope a layer, and the words around them."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from minirnn.inspect.reading import Reading


@dataclass(frozen=True)
class Frame:
    """One place of the slider: its ``label``, ``facts`` in a sentence, and a Microscope for each layer."""

    label: str
    facts: str
    layers: tuple


@dataclass(frozen=True)
class Inspection:
    """``frames`` of one ``cell`` over one window; ``slider`` says what the slider goes through: "initial bias b_f".

    ``subject`` and ``loss`` are sentences: what is shown, and what L is. ``symbols``, the T inputs in words, ("the",
    "cat"), or None; ``notes``, further sentences; ``reading``, the best checkpoint of a language model reading a text.
    """

    name: str
    cell: Any
    slider: str
    subject: str
    loss: str
    frames: tuple
    symbols: tuple | None = None
    notes: tuple = ()
    reading: Reading | None = None


def as_json(inspection, digits=6):
    """Everything in plain lists and numbers, rounded to so many digits; None where a number was not finite."""
    return {
        "name": inspection.name,
        "cell": repr(inspection.cell),
        "subject": inspection.subject,
        "loss": inspection.loss,
        "notes": list(inspection.notes),
        "symbols": None if inspection.symbols is None else list(inspection.symbols),
        "slider": inspection.slider,
        "known": [] if inspection.reading is None else [plain(k._asdict(), digits) for k in inspection.reading.known],
        "frames": [
            {"label": f.label, "facts": f.facts, "layers": [plain(asdict(layer), digits) for layer in f.layers]}
            for f in inspection.frames
        ],
    }


def plain(value, digits):
    """Arrays as lists, floats rounded to ``digits`` digits, None for NaN."""
    if isinstance(value, dict):
        return {key: plain(item, digits) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item, digits) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if np.isfinite(value) else None
    return value

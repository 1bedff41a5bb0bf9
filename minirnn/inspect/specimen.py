"""A random layer of each cell, with a few settings of what decides how far its gradient travels."""

import difflib

import numpy as np

from minirnn.array import stream
from minirnn.cells import GRU, LSTM, RNN
from minirnn.errors import InputError, must_be
from minirnn.inspect.inspection import Frame, Inspection
from minirnn.inspect.measure import microscope
from minirnn.nn.init import gate_biases
from minirnn.nn.recurrent import initial_weights
from minirnn.nn.recurrent_dropout import RecurrentDropout, for_cell

CELLS = {
    "rnn": RNN(),
    "rnn-relu": RNN("relu"),
    "rnn-identity": RNN("identity"),
    "lstm": LSTM(),
    "lstm-relu": LSTM(activation="relu"),
    "lstm-version-0": LSTM(forget_gate=False),
    "gru": GRU(),
    "gru-slides": GRU(convention="slides"),
    "gru-reset-after": GRU(reset_after=True),
}
ALIASES = {"rnn-tanh": "rnn", "lstm-v0": "lstm-version-0", "gru-thesis": "gru", "gru-after": "gru-reset-after"}
LARGEST = {"hidden": 4096, "steps": 4096, "batch": 4096}
DRIVE = 1.0  # standard deviation of the inputs


def find_cell(name):
    """(name, cell) of CELLS by name or alias, in any capitals, blanks and underscores as hyphens; (None, None)."""
    name = str(name).strip().lower().replace(" ", "-").replace("_", "-")
    name = ALIASES.get(name, name)
    return (name, CELLS[name]) if name in CELLS else (None, None)


def near_cells(name):
    """Names of CELLS that look like ``name``."""
    return difflib.get_close_matches(str(name).lower().replace("_", "-"), [*CELLS, *ALIASES], n=3, cutoff=0.5)


def settings(cell):
    """(what is varied, [(label, gain of weight_hh, {gate: bias})]) of a cell: from forgetting to remembering."""
    if cell.name == "rnn":
        return "gain of W_hh", [(f"gain {g:g}", g, {}) for g in (0.7, 1.0, 1.5, 2.0, 3.0)]
    if cell.name == "gru":
        sign = -1.0 if cell.convention == "thesis" else 1.0  # where z keeps the old state, a high b_z remembers
        return "initial bias b_z", [(f"b_z = {b:g}", 1.0, {"z": b}) for b in (0.0, sign, 2 * sign, 3 * sign, 5 * sign)]
    if cell.forget_gate:
        return "initial bias b_f", [(f"b_f = {b:g}", 1.0, {"f": b}) for b in (0.0, 1.0, 2.0, 3.0, 5.0)]
    what = "initial biases b_i = b_o = -a"
    return what, [(f"a = {a:g}", 1.0, {"i": -a, "o": -a}) for a in (0.0, 1.0, 2.0, 3.0)]


def inspect_cell(name, hidden=32, steps=40, batch=8, seed=0, rate=0.0, scheme=None, sampling="per_step", spectra=None):
    """A seeded random layer of the cell called ``name`` at each of its settings -> Inspection.

    D = H inputs, normal; L is a random direction of the last h. rate, scheme ("gal" for an RNN, else "ours", where
    None) and sampling of recurrent dropout as in training. Raises InputError for an unknown cell (with near names)
    or sizes that are no positive integers.
    """
    found, cell = find_cell(name)
    if cell is None:
        near = near_cells(name)
        cause = f"did you mean {' or '.join(near)}?" if near else ""
        raise InputError(must_be("inspect", "cell", f"one of {', '.join(CELLS)}", repr(name), cause))
    for what, value in (("hidden", hidden), ("steps", steps), ("batch", batch)):
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LARGEST[what]:
            raise InputError(must_be("inspect", what, f"an integer in 1..{LARGEST[what]}", repr(value)))
    rng = stream(seed, "inspect input")
    x = DRIVE * rng.standard_normal((steps, batch, hidden))
    direction = rng.standard_normal((batch, hidden))
    zeros = np.zeros((batch, hidden))
    dfinal = (direction / np.linalg.norm(direction), *(zeros for _ in cell.states[1:]))
    scheme = scheme or ("gal" if cell.name == "rnn" else "ours")
    masks = _masks(cell, RecurrentDropout(scheme, rate, sampling), seed, x)
    slider, choices = settings(cell)
    frames = []
    for label, gain, biases in choices:
        weights = initial_weights(cell, hidden, hidden, True, stream(seed, "inspect weights"), np.float64)
        bias = gate_biases(hidden, [biases.get(gate, 0.0) for gate in cell.gates], np.float64)
        weights = weights._replace(weight_hh=gain * weights.weight_hh, bias_ih=bias)
        scope = microscope(cell, x, (zeros,) * len(cell.states), weights, masks, dfinal=dfinal, spectra=spectra)
        frames.append(Frame(label, "", (scope,)))
    dropout = f", recurrent dropout {scheme} with rate {rate:g}, {sampling.replace('_', ' ')}" if rate else ""
    return Inspection(
        name=found,
        cell=cell,
        slider=slider,
        subject=f"A random {found} layer: {hidden} units, W_ih Glorot uniform, W_hh orthogonal in every gate, biases 0 "
        f"but for the slider's, seed {seed}; {steps} steps of normal inputs with standard deviation {DRIVE:g}, {batch} "
        f"rows{dropout}.",
        loss="L is one random direction of the last hidden states, its gradient of norm 1 there: whatever is found at "
        "earlier steps has come back through time.",
        frames=tuple(frames),
    )


def _masks(cell, dropout, seed, x):
    """Masks as a recurrent layer in training draws them."""
    T, B, H = x.shape
    masks = dropout.masks(stream(seed, "inspect masks"), T, B, H, x, training=True)
    return for_cell(cell, masks)

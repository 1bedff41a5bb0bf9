"""A random layer of each cell, with a few settings of what decides how far its gradient travels."""

import numpy as np

from minirnn.array import stream
from minirnn.cells import named
from minirnn.errors import InputError, must_be
from minirnn.init import gate_biases
from minirnn.inspect.inspection import Frame, Inspection
from minirnn.inspect.measure import microscope
from minirnn.nn.recurrent_dropout import RecurrentDropout, for_cell

LARGEST = {"hidden": 4096, "steps": 4096, "batch": 4096}
DRIVE = 1.0  # standard deviation of the inputs


def inspect_cell(name, hidden=32, steps=40, batch=8, seed=0, rate=0.0, scheme=None, sampling="per_step", spectra=None):
    """A seeded random layer of the cell called ``name`` at each of its settings -> Inspection.

    ``inspect_cell("lstm", hidden=6, steps=4, batch=2)`` has five frames, of b_f = 0, 1, 2, 3 and 5. D = H inputs,
    normal; L is a random direction of the last h. rate, scheme (where None "update", or what acts instead of it) and
    sampling of recurrent dropout as in training. Raises InputError for an unknown cell (with near names) or sizes that
    are no positive integers.
    """
    found, cell = named("inspect", name)
    for what, value in (("hidden", hidden), ("steps", steps), ("batch", batch)):
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LARGEST[what]:
            raise InputError(must_be("inspect", what, f"an integer in 1..{LARGEST[what]}", repr(value)))
    rng = stream(seed, "inspect input")
    x = DRIVE * rng.standard_normal((steps, batch, hidden))
    direction = rng.standard_normal((batch, hidden))
    zeros = np.zeros((batch, hidden))
    dfinal = (direction / np.linalg.norm(direction), *(zeros for _ in cell.states[1:]))
    dropout = RecurrentDropout(scheme or cell.instead.get("ours", "ours"), rate, sampling)
    masks = _masks(cell, dropout, seed, x)
    slider, choices = cell.settings
    frames = []
    for label, gain, biases in choices:
        weights = cell.initial(stream(seed, "inspect weights"), hidden, hidden, np.float64)
        bias = gate_biases(hidden, [biases.get(gate, 0.0) for gate in cell.gates], np.float64)
        weights = weights._replace(weight_hh=gain * weights.weight_hh, bias_ih=bias)
        scope = microscope(cell, x, (zeros,) * len(cell.states), weights, masks, dfinal=dfinal, spectra=spectra)
        frames.append(Frame(label, "", (scope,)))
    how_often = sampling.replace("_", " ")
    dropped = f", recurrent dropout of the {dropout.scheme} with rate {rate:g}, {how_often}" if rate else ""
    return Inspection(
        name=found,
        cell=cell,
        slider=slider,
        subject=f"A random {found} layer: {hidden} units, W_ih Glorot uniform, W_hh orthogonal in every gate, biases 0 "
        f"but for the slider's, seed {seed}; {steps} steps of normal inputs with standard deviation {DRIVE:g}, {batch} "
        f"rows{dropped}.",
        loss="L is one random direction of the last hidden states, its gradient of norm 1 there: whatever is found at "
        "earlier steps has come back through time.",
        frames=tuple(frames),
    )


def _masks(cell, dropout, seed, x):
    """Masks as a recurrent layer in training draws them."""
    T, B, H = x.shape
    masks = dropout.masks(stream(seed, "inspect masks"), T, B, H, x, training=True)
    return for_cell(cell, masks)

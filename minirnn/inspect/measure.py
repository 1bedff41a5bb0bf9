"""The numbers of one layer over one window: gradients, saturation, contents, masks, the step's singular values."""

from dataclasses import dataclass

import numpy as np

from minirnn import bptt
from minirnn.array import to_cpu
from minirnn.cells.operands import NO_MASKS, Masks, split
from minirnn.errors import InputError, must_be
from minirnn.flow import jacobian_product
from minirnn.inspect.probe import Probe

# activation -> (low, high): at or below and at or above these a unit counts as saturated, its slope nearly 0
LIMITS = {"sigmoid": (0.1, 0.9), "tanh": (-0.9, 0.9), "relu": (0.0, np.inf), "identity": (-np.inf, np.inf)}
SPECTRUM_WORK = 1e10  # (S*H)^3 numbers of all Jacobians of a window together: about ten seconds
SPECTRUM_SIDE = 2048  # the largest Jacobian of which singular values are taken


@dataclass(frozen=True)
class Microscope:
    """What a layer did on x[0..T-1]; NaN where a number was not finite. Positions t = 0..T are those of the states.

    ``gates`` {gate: activation}; ``gate_gradients`` {gate: (T,)} ||dL/da_t|| over the batch; ``state_gradients``
    {state: (T+1,)} ||dL/ds_t|| as ``bptt.backward(record_flow=True)`` counts it; ``low`` and ``high`` {gate: (T,)} the
    share of its units, over the batch, beyond LIMITS, and of whatever else the cell lets be ``watched``, as an LSTM's
    ``phi(c)``. Of one row of the batch: ``contents`` {state: (T+1, H)}, ``masks`` {scheme: (T, H)}, and
    ``singular_values`` (n, S*H), largest first, of d(states after step)/d(states before it) at the n steps
    ``spectrum_steps`` (0-based). An LSTM of 6 units over 4 steps has 4 gate gradients for each of i, f, g and o, 5
    state gradients for h and for c, and 4 x 12 singular values.
    """

    gates: dict
    gate_gradients: dict
    state_gradients: dict
    low: dict
    high: dict
    contents: dict
    masks: dict
    spectrum_steps: np.ndarray
    singular_values: np.ndarray


def microscope(cell, x, state0, weights, masks=NO_MASKS, dy=None, dfinal=None, row=0, spectra=None):
    """Run a cell over x (T, B, D) and back from dy (T, B, H), dfinal (each (B, H)) -> Microscope.

    Arguments as in ``bptt.forward`` and ``bptt.backward``, which raise the errors. ``row`` of the batch is shown where
    a single one is; ``spectra`` is the largest number of steps of which singular values are taken, spread evenly (None:
    as many as are worth their time, 0: none).

        scope = microscope(LSTM(), x, state0, weights, dy=dy)    # x (4, 1, 3), dy (4, 1, 2)
        scope.gate_gradients["f"]                                # (4,): how much reaches the forget gate at each step
    """
    probe = Probe(cell)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # shown as missing
        run = bptt.forward(probe, x, state0, weights, masks, form="explicit")
        bptt.backward(run, dy, dfinal)
    return read(cell, probe.steps, row, spectra)


def read(cell, steps, row=0, spectra=None):
    """The Microscope of a probe's ``steps`` after forward and backward; arguments as in ``microscope``."""
    B = steps[0].x.shape[0]
    if not 0 <= row < B:
        raise InputError(must_be("microscope", "row", f"in 0..B-1 = 0..{B - 1}", row))
    da = np.array([split(to_cpu(s.da), len(cell.gates)) for s in steps])  # (T, K, B, H)
    flow = [steps[0].handed] + [s.arrived for s in steps]
    contents = [steps[0].state] + [s.new for s in steps]
    shares = {name: saturation(np.array([to_cpu(getattr(s.saved, field)) for s in steps]), kind)
              for name, (field, kind) in cell.watched.items()}
    drawn = {name: [getattr(s.masks, name) for s in steps] for name in Masks._fields}
    places, spectrum = singular_values(cell, steps, row, spectra)
    return Microscope(
        gates={gate: cell.watched[gate][1] for gate in cell.gates},
        gate_gradients={gate: norms(da[:, k]) for k, gate in enumerate(cell.gates)},
        state_gradients={name: norms(np.array([to_cpu(e[k]) for e in flow])) for k, name in enumerate(cell.states)},
        low={name: low for name, (low, _) in shares.items()},
        high={name: high for name, (_, high) in shares.items()},
        contents={name: finite(np.array([to_cpu(s[k])[row] for s in contents])) for k, name in enumerate(cell.states)},
        masks={name: np.array([to_cpu(m)[row] for m in m_t]) for name, m_t in drawn.items() if np.ndim(m_t[0]) == 2},
        spectrum_steps=places,
        singular_values=spectrum,
    )


def saturation(values, kind):
    """Shares of units beyond LIMITS at every step: values (T, ...) -> low (T,), high (T,), NaN where a value is NaN."""
    low, high = LIMITS[kind]
    values = values.reshape(len(values), -1)
    known = np.where(np.isnan(values).any(axis=1), np.nan, 1.0)
    return known * (values <= low).mean(axis=1), known * (values >= high).mean(axis=1)


def norms(array):
    """The norm of every step, in float64: (T, ...) -> (T,), NaN where it is not finite."""
    flat = array.reshape(len(array), -1).astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        return finite(np.sqrt((flat * flat).sum(axis=1)))


def finite(array):
    """The array with NaN for infinities."""
    return np.where(np.isfinite(array), array, np.nan)


def spectrum_steps(T, side, most=None):
    """Which of T steps to take singular values of, each Jacobian being side x side -> (n,) ints, evenly spread."""
    if most is None:
        most = 0 if side > SPECTRUM_SIDE else max(1, int(SPECTRUM_WORK / side**3))
    n = min(T, most)
    return np.linspace(0, T - 1, n).round().astype(int) if n > 1 else np.arange(T)[T - n :]


def singular_values(cell, steps, row=0, most=None):
    """Steps (n,) and the singular values (n, S*H) of d s_t / d s_{t-1} there; NaN where the Jacobian is not finite."""
    side = sum(s.shape[-1] for s in steps[0].state)
    places = spectrum_steps(len(steps), side, most)
    found = np.full((len(places), side), np.nan)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for place, t in enumerate(places):
            s = steps[t]
            run = bptt.forward(cell, s.x[None], s.state, s.weights, s.masks, form="explicit")
            found[place] = to_cpu(jacobian_product(run, 0, 1, row).singular_values)
    return places, found

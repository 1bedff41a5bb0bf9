"""The exercises of the chapters and their checkers: ``check("tanh layer", your_function)`` says right or what is wrong.

Most exercises ask for the backward of a given forward, as ``backward(dy, *arguments) -> one gradient for each``. The
checker knows only the forward; it compares with measured slopes (minirnn.gradcheck), not with a stored solution.
"""

from dataclasses import dataclass

import numpy as np

from minirnn.cells.activations import sigmoid
from minirnn.errors import InputError, must_be
from minirnn.gradcheck import check_vjp
from minirnn.models.language_model import memory


@dataclass(frozen=True)
class Backward:
    """Write the backward of ``forward``; shapes are the sizes of its arguments, by name."""

    forward: callable
    shapes: dict

    def problem(self, function):
        """What is wrong with a solution, or '' when nothing is."""
        rng = np.random.default_rng(0)
        args = [rng.standard_normal(shape) for shape in self.shapes.values()]
        finding = check_vjp(self.forward, function, args, name="your backward", names=list(self.shapes))
        return "" if finding.ok else str(finding)


@dataclass(frozen=True)
class Property:
    """Write a function with a stated property; ``judge(function)`` returns what is wrong, or ''."""

    judge: callable

    def problem(self, function):
        """What is wrong with a solution, or '' when nothing is."""
        return self.judge(function)


def tanh_layer(x, weight, bias):
    """y = tanh(x W^T + b): x (B, D), weight (H, D), bias (H,) -> (B, H)."""
    return np.tanh(x @ weight.T + bias)


def softmax_loss(logits):
    """Mean cross-entropy of logits (4, 3) when the right classes are 0, 2, 1, 1."""
    shifted = logits - logits.max(axis=1, keepdims=True).real
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_p[np.arange(4), [0, 2, 1, 1]].mean()


def rnn_step(x, h_prev, weight_ih, weight_hh, bias):
    """h = tanh(x W_ih^T + h_prev W_hh^T + b): one step of a vanilla RNN -> (B, H)."""
    return np.tanh(x @ weight_ih.T + h_prev @ weight_hh.T + bias)


def lstm_memory(a, c_prev):
    """From the stacked pre-activations a (B, 4H), order i f g o, and c_prev (B, H): (h, c) of an LSTM step."""
    H = c_prev.shape[1]
    i, f, o = sigmoid(a[:, :H]), sigmoid(a[:, H : 2 * H]), sigmoid(a[:, 3 * H :])
    c = f * c_prev + i * np.tanh(a[:, 2 * H : 3 * H])
    return o * np.tanh(c), c


def gru_mix(z, h_prev, n):
    """h = (1 - z) h_prev + z n: how the thesis's GRU mixes old and new -> (B, H)."""
    return (1 - z) * h_prev + z * n


def moon_cell(f, c_prev, i, g, m):
    """c = m (f c_prev + i g): a cell dropped whole, thesis (3.3.9) -> (B, H)."""
    return m * (f * c_prev + i * g)


def one_product(h, U):
    """Y_t = H_t U^T for all steps: h (T, B, H), U (K, H) -> (T, B, K)."""
    return h @ U.T


def _judge_tanh(function):
    for x, what in ((1e-9, "tiny"), (0.3, "ordinary"), (-0.3, "negative"), (1000.0, "large"), (-1000.0, "large")):
        found = float(function(np.float64(x)))
        truth = float(np.tanh(x))
        if not abs(found - truth) <= 4e-16 * abs(truth):
            return f"for {what} arguments: tanh({x:g}) is {truth!r}, yours is {found!r}"
    return ""


def _judge_clipping(function):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in ((3, 4), (5,))]
    size = np.sqrt(sum((a**2).sum() for a in arrays))
    kept = function([a.copy() for a in arrays], 2 * size)
    if not all(np.array_equal(a, k) for a, k in zip(arrays, kept)):
        return "a norm below the limit must leave every gradient as it is"
    cut = function([a.copy() for a in arrays], size / 4)
    after = np.sqrt(sum((np.asarray(a) ** 2).sum() for a in cut))
    if not np.isclose(after, size / 4):
        each = [np.sqrt((np.asarray(a) ** 2).sum()) for a in cut]
        hint = "; each array was clipped by itself" if np.allclose(each, np.minimum(size / 4, each[0])) else ""
        return f"the norm over all arrays together must become the limit {size / 4:.4f}, it is {after:.4f}{hint}"
    if not all(np.allclose(np.asarray(k) * 4, a) for a, k in zip(arrays, cut)):
        return "the direction changed: every entry must be scaled by the same factor"
    return ""


def _judge_memory(function):
    for scheme in ("moon", "ours", "gal"):
        measured, found = memory.marker(scheme, 0.4)[3], float(function(scheme, 0.4, 3))
        if not np.isclose(found, measured, rtol=1e-9):
            return f"{scheme}, rate 0.4, 3 steps later: measured {measured:.4f}, yours is {found:.4f}"
    return ""


EXERCISES = {
    "tanh layer": Backward(tanh_layer, {"x": (3, 4), "weight": (2, 4), "bias": (2,)}),
    "softmax loss": Backward(softmax_loss, {"logits": (4, 3)}),
    "rnn step": Backward(
        rnn_step, {"x": (3, 4), "h_prev": (3, 2), "weight_ih": (2, 4), "weight_hh": (2, 2), "bias": (2,)}),
    "one product for all steps": Backward(one_product, {"h": (4, 3, 2), "U": (5, 2)}),
    "stable tanh": Property(_judge_tanh),
    "clip by global norm": Property(_judge_clipping),
    "lstm memory": Backward(lstm_memory, {"a": (3, 8), "c_prev": (3, 2)}),
    "moon cell": Backward(moon_cell, {name: (3, 2) for name in ("f", "c_prev", "i", "g", "m")}),
    "memory left": Property(_judge_memory),
    "gru mix": Backward(gru_mix, {"z": (3, 2), "h_prev": (3, 2), "n": (3, 2)}),
}


def check(name, function):
    """Check a solution of an exercise: prints the verdict and returns whether it is right. InputError if unknown."""
    if name not in EXERCISES:
        raise InputError(must_be("exercises.check", "name", f"one of {', '.join(EXERCISES)}", repr(name)))
    try:
        problem = EXERCISES[name].problem(function)
    except InputError as error:
        problem = str(error)
    print(f"{name}: right" if not problem else f"{name}: not yet\n{problem}")
    return not problem

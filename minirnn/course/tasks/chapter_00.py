"""Exercises of chapter 00: one layer, and how to prove it."""

import numpy as np

from minirnn.course.exercises.checkers import Backward, Choice
from minirnn.course.exercises.exercise import Exercise


def tanh_layer(x, weight, bias):
    """y = tanh(x W^T + b): x (B, D), weight (H, D), bias (H,) -> (B, H)."""
    return np.tanh(x @ weight.T + bias)


def softmax_loss(logits):
    """Mean cross-entropy of logits (4, 3) when the right classes are 0, 2, 1, 1."""
    shifted = logits - logits.max(axis=1, keepdims=True).real
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_p[np.arange(4), [0, 2, 1, 1]].mean()


EXERCISES = (
    Exercise(
        name="best step", title="The best step", kind="predict", stars=1,
        text="Before you measure: with which step ε is a central difference of an ordinary float64 function most "
             "accurate, `1e-1`, `1e-5` or `1e-12`?",
        hints=("Two errors add up: one grows with ε, the other shrinks.",
               "Truncation is of the size ε², rounding of the size 1e-16 / ε.",
               "Their sum is least where ε³ is about 1e-16."),
        answer="best_step", starter='best_step = "?"', solution='best_step = "1e-5"',
        why="Truncation ε² and rounding 1e-16 / ε are equal near ε = 5e-6.",
        checker=Choice("1e-5", {"1e-1": "so large a step measures the function's bend: its error is about ε²",
                                "1e-12": "so small a step measures rounding: its error is about 1e-16 / ε"}),
    ),
    Exercise(
        name="tanh layer", title="A layer's backward", kind="write it", stars=2,
        text="Write the backward of the layer yourself, without looking up: "
             "`tanh_layer_backward(dy, x, weight, bias)` returns `dx, dweight, dbias`.",
        hints=("First the slope of tanh, then the backward of the affine map that stands before it.",
               "With y the layer's value, the pre-activation receives dy (1 - y²): call it da.",
               "dx is da times the weight, dweight is da transposed times x, dbias is the sum of da over the batch."),
        answer="tanh_layer_backward",
        starter='''
def tanh_layer_backward(dy, x, weight, bias):
    """Your turn: replace these wrong lines."""
    return dy @ weight, dy.T @ x, dy.sum(axis=0)
''',
        solution='''
def tanh_layer_backward(dy, x, weight, bias):
    """(2.1.7), (2.1.8)."""
    da = dy * (1 - np.tanh(x @ weight.T + bias) ** 2)
    return da @ weight, da.T @ x, da.sum(axis=0)
''',
        why="The slope of tanh, then (2.1.7) and (2.1.8).",
        checker=Backward(tanh_layer, {"x": (3, 5), "weight": (4, 5), "bias": (4,)}, {"B": 3, "D": 5, "H": 4}),
    ),
    Exercise(
        name="softmax loss", title="The loss of a classifier", kind="write it", stars=2,
        text="The output layer of a classifier: logits (4, 3), mean cross-entropy with the right classes 0, 2, 1, 1. "
             "Its gradient is famously short. Write `softmax_loss_backward(dloss, logits)`; it returns `(dlogits,)`.",
        hints=("Differentiate -log softmax at the right class with respect to each logit; try two classes first.",
               "For one example it is the probabilities, less 1 at the right class.",
               "The loss is a mean over 4 examples, and dloss is what arrives: one number."),
        answer="softmax_loss_backward",
        starter='''
def softmax_loss_backward(dloss, logits):
    """Your turn: these are the logits' probabilities, not yet their gradient."""
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (p / p.sum(axis=1, keepdims=True),)
''',
        solution='''
def softmax_loss_backward(dloss, logits):
    """(softmax - onehot) / B."""
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    onehot = np.eye(3)[[0, 2, 1, 1]]
    return (dloss * (p - onehot) / 4,)
''',
        why=r"$\delta = (\mathrm{softmax} - \mathrm{onehot})/B$.",
        checker=Backward(softmax_loss, {"logits": (4, 3)}, {"B": 4, "V": 3}, dy="dloss"),
    ),
)

"""Exercises of chapter 02c: recurrent networks and backpropagation through time."""

import numpy as np

from minirnn.course.exercises.checkers import Backward, Property, Table
from minirnn.course.exercises.claims import Experiment
from minirnn.course.exercises.exercise import Exercise
from minirnn.course.exercises.hunting import Hunted


def rnn_step(x, h_prev, weight_ih, weight_hh, bias):
    """h = tanh(x W_ih^T + h_prev W_hh^T + b): one step of a vanilla RNN -> (B, H)."""
    return np.tanh(x @ weight_ih.T + h_prev @ weight_hh.T + bias)


def linear_bptt():
    """A linear RNN of one unit by hand: h_t = x_t + h_{t-1} / 2, x = 1, 2, 4, loss (h_3 - 5)^2 / 2."""
    h = [0.0]
    for x in (1.0, 2.0, 4.0):
        h.append(x + h[-1] / 2)
    d3 = h[3] - 5.0
    table = {"h1": h[1], "h2": h[2], "h3": h[3], "dh3": d3, "dh2": d3 / 2, "dh1": d3 / 4}
    return table | {"dw": d3 * h[2] + d3 / 2 * h[1]}


def judge_clipping(function):
    """What is wrong with a clipping by the global norm, or ''."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in ((3, 4), (5,))]
    size = np.sqrt(sum((a**2).sum() for a in arrays))
    kept = function(arrays, 2 * size)
    if len(kept) != 2 or not all(np.array_equal(a, k) for a, k in zip(arrays, kept)):
        return "a norm below the limit must leave every gradient as it is"
    cut = function(arrays, size / 4)
    after = np.sqrt(sum((np.asarray(a) ** 2).sum() for a in cut))
    if not np.isclose(after, size / 4):
        each = [np.sqrt((np.asarray(a) ** 2).sum()) for a in cut]
        hint = "; each array was clipped by itself" if np.allclose(each, np.minimum(size / 4, each[0])) else ""
        return f"the norm over all arrays together must become the limit {size / 4:.4f}, it is {after:.4f}{hint}"
    if not all(np.allclose(np.asarray(k) * 4, a) for a, k in zip(arrays, cut)):
        return "the direction changed: every entry must be scaled by the same factor"
    return ""


EXERCISES = (
    Exercise(
        name="bptt by hand", title="Three steps by hand", kind="by hand", stars=1,
        text="A linear network of one unit, $h_t = x_t + w\\,h_{t-1}$ with $w = ½$, $h_0 = 0$, $x = 1, 2, 4$, and the "
             "loss $L = ½\\,(h_3 - 5)^2$. Write down the states, their gradients dh3, dh2, dh1, and dw.",
        hints=("Forward first: h1 = 1.", "dh3 is h3 - 5; each step back multiplies by w.",
               "w is used at every step, so dw is a sum: dh3 h2 + dh2 h1 + dh1 h0."),
        answer="by_hand",
        starter='by_hand = {"h1": 1, "h2": ..., "h3": ..., "dh3": ..., "dh2": ..., "dh1": ..., "dw": ...}',
        solution='by_hand = {"h1": 1, "h2": 2.5, "h3": 5.25, "dh3": 0.25, "dh2": 0.125, "dh1": 0.0625, "dw": 0.75}',
        why="h2 = 2 + 1/2, h3 = 4 + 2.5/2; dh3 = 0.25 and half of it a step earlier; dw = 0.25 · 2.5 + 0.125 · 1.",
        checker=Table(linear_bptt),
    ),
    Exercise(
        name="rnn step", title="One step back", kind="write it", stars=2,
        text="One step: write `rnn_step_backward(dh, x, h_prev, weight_ih, weight_hh, bias)`, which returns one "
             "gradient for each argument after `dh`.",
        hints=("It is one layer with two inputs, x and h_prev.",
               "Make da = dh times the slope of tanh once; everything else is a product with da.",
               "The weights: da transposed times what they were multiplied with. The bias: da summed over the batch."),
        answer="rnn_step_backward",
        starter='''
def rnn_step_backward(dh, x, h_prev, weight_ih, weight_hh, bias):
    """Your turn: the slope of tanh is missing."""
    da = dh
    return da @ weight_ih, da @ weight_hh, da.T @ x, da.T @ h_prev, da.sum(axis=0)
''',
        solution='''
def rnn_step_backward(dh, x, h_prev, weight_ih, weight_hh, bias):
    """One step of backpropagation through time."""
    h = np.tanh(x @ weight_ih.T + h_prev @ weight_hh.T + bias)
    da = dh * (1 - h * h)
    return da @ weight_ih, da @ weight_hh, da.T @ x, da.T @ h_prev, da.sum(axis=0)
''',
        why="The step is one layer with two inputs.",
        checker=Backward(rnn_step, {"x": (3, 5), "h_prev": (3, 4), "weight_ih": (4, 5), "weight_hh": (4, 4),
                                    "bias": (4,)}, {"B": 3, "D": 5, "H": 4}, dy="dh"),
    ),
    Exercise(
        name="clip by global norm", title="Clipping", kind="write it", stars=1,
        text="Write `clip_by_global_norm(gradients, limit)` for a list of arrays, by the norm of all of them together, "
             "returning a new list. What goes wrong if each array is clipped by itself?",
        hints=("One norm, and one factor for all arrays.",
               "The norm is the root of the sum of the squares of every entry of every array.",
               "The factor is limit / norm where the norm is above the limit, and 1 elsewhere."),
        answer="clip_by_global_norm",
        starter='''
def clip_by_global_norm(gradients, limit):
    """Your turn: this one clips each array by itself."""
    return [g * min(1, limit / np.linalg.norm(g)) for g in gradients]
''',
        solution='''
def clip_by_global_norm(gradients, limit):
    """One factor for all arrays."""
    norm = np.sqrt(sum((g**2).sum() for g in gradients))
    factor = limit / norm if norm > limit else 1.0
    return [g * factor for g in gradients]
''',
        why="Clipping each array by itself changes the direction of the update; the global norm keeps it.",
        checker=Property(judge_clipping, "clip_by_global_norm(gradients, limit)"),
    ),
    Exercise(
        name="hunt rnn", title="Bug hunt: a vanilla step", kind="bug hunt", stars=2,
        text="Choose a seed of your own. `hunt(\"rnn\", seed)` shows a backward in which one line is wrong; find it "
             "with `check_cell(h.problem, h.backward)` of `minirnn.gradcheck`. The answer is `(seed, line)`.",
        hints=("Print what check_cell says: which arrays are wrong, and which are right?",
               "Wrong from the first step on, or only after a step back? The lines `in time` tell.",
               "All arrays wrong: the slip is before da is used. One array wrong: it is where that array is made."),
        answer="slip",
        starter='''
h = hunt("rnn", seed=1)
print(h)
slip = (1, 1)
''',
        solution='''
h = hunt("rnn", seed=1)
slip = next((h.seed, line) for line in range(1, 1 + len(h.source.splitlines())) if h.answer(line))
''',
        why="A machine tries every line; you read what gradcheck says.",
        checker=Hunted("rnn"),
    ),
    Exercise(
        name="gain by seeds", title="Does a larger gain carry further?", kind="experiment", stars=2,
        text="The claim: the gradient that reaches the first of 30 steps of a linear RNN is larger with a recurrent "
             "matrix of gain 1.1 than with one of 0.9. Write `run(gain, seed)`, which draws a matrix of random normal "
             "entries times gain / √H (H = 20) and returns the norm of its 30th power; choose seeds, run them, and "
             "give a verdict: `held`, `not held` or `cannot tell` (two-sided sign test over the seeds, 5 %).",
        hints=("Every draw comes from `np.random.default_rng(seed)`, so that both gains meet the same matrix.",
               "`np.linalg.matrix_power` and `np.linalg.norm` do the work.",
               "Six seeds with one sign are enough for 5 %: 2 / 2⁶ = 0.03."),
        answer="experiment",
        starter='''
def run(gain, seed):
    """Your turn: this draws the same matrix whatever the seed."""
    W = np.random.default_rng(0).standard_normal((20, 20)) * gain / np.sqrt(20)
    return np.linalg.norm(np.linalg.matrix_power(W, 30))


experiment = {"run": run, "seeds": [0, 1, 2], "verdict": "?"}
''',
        solution='''
def run(gain, seed):
    """One matrix for each seed, scaled."""
    W = np.random.default_rng(seed).standard_normal((20, 20)) * gain / np.sqrt(20)
    return np.linalg.norm(np.linalg.matrix_power(W, 30))


experiment = {"run": run, "seeds": [0, 1, 2, 3, 4, 5], "verdict": "held"}
''',
        why="With the same matrix the norm is (1.1 / 0.9)³⁰ = 411 times as large, for every seed.",
        checker=Experiment(1.1, 0.9),
    ),
)

"""Exercises of chapter 02g: making it fast."""

import numpy as np

from minirnn.course.exercises.checkers import Backward, Property, Speed
from minirnn.course.exercises.exercise import Exercise


def one_product(h, U):
    """Y_t = H_t U^T for all steps: h (T, B, H), U (K, H) -> (T, B, K)."""
    return h @ U.T


def step_by_step(x, weight):
    """The inputs' share of the pre-activations, step by step: x (T, B, D), weight (4H, D) -> (T, B, 4H)."""
    return np.stack([np.stack([row @ weight.T for row in step]) for step in x])


def sequence():
    """x (500, 8, 4) and a weight (16, 4)."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((500, 8, 4)), rng.standard_normal((16, 4))


def judge_tanh(function):
    """What is wrong with a tanh that should be right everywhere, or ''."""
    for x, what in ((1e-9, "tiny"), (0.3, "ordinary"), (-0.3, "negative"), (1000.0, "large"), (-1000.0, "large")):
        found = float(function(np.float64(x)))
        truth = float(np.tanh(x))
        if not abs(found - truth) <= 4e-16 * abs(truth):
            return f"for {what} arguments: tanh({x:g}) is {truth!r}, yours is {found!r}"
    return ""


EXERCISES = (
    Exercise(
        name="one product for all steps", title="One product for all steps", kind="write it", stars=2,
        text="For $Y_t = H_t U^\\top$ with `h` (T, B, H) and `U` (K, H) write `one_product_backward(dy, h, U)`, which "
             "returns `dh, dU`, without a loop.",
        hints=("dh is as easy as for a single step; dU is a sum over time and batch.",
               "Time and batch may share one axis: reshape dy to (T B, K) and h to (T B, H).",
               "Then it is the backward of a plain product, (G5)."),
        answer="one_product_backward",
        starter='''
def one_product_backward(dy, h, U):
    """Your turn: dU hears from the last step alone."""
    return dy @ U, dy[-1].T @ h[-1]
''',
        solution='''
def one_product_backward(dy, h, U):
    """(G5), with time and batch in one axis."""
    rows, states = dy.reshape(-1, dy.shape[-1]), h.reshape(-1, h.shape[-1])
    return (rows @ U).reshape(h.shape), rows.T @ states
''',
        why="Put time and batch in one axis; (G5) is then the backward of a plain product.",
        checker=Backward(one_product, {"h": (4, 3, 5), "U": (7, 5)}, {"T": 4, "B": 3, "H": 5, "K": 7}),
    ),
    Exercise(
        name="stable tanh", title="A tanh that keeps its digits", kind="write it", stars=2,
        text="Write `stable_tanh(x)` from `np.expm1` by (G6), right for $x$ = 1e-9 and for $|x|$ = 1000, without a "
             "warning.",
        hints=("expm1(2x) is e^{2x} - 1 with all its digits near 0.",
               "tanh x = m / (m + 2) with m = expm1(2x).",
               "Where |x| is large e^{2x} overflows; tanh has been 1 long before."),
        answer="stable_tanh",
        starter='''
def stable_tanh(x):
    """Your turn: this loses every digit near 0, and overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        return (np.exp(2 * x) - 1) / (np.exp(2 * x) + 1)
''',
        solution='''
def stable_tanh(x):
    """(G6); tanh(20) is 1 in float64."""
    m = np.expm1(2 * np.clip(x, -20, 20))
    return m / (m + 2)
''',
        why="Clip the argument where tanh has long been 1, and let expm1 do the rest.",
        checker=Property(judge_tanh, "stable_tanh(x)"),
    ),
    Exercise(
        name="all steps at once", title="All steps at once", kind="speed run", stars=2,
        text="`all_steps(x, weight)` makes the inputs' share of the pre-activations, x (T, B, D) and weight (4H, D), "
             "one row at a time. Make it at least four times as fast, with the same result.",
        hints=("How many products does it call, and how large is each?",
               "The inputs of all steps are known beforehand: nothing has to wait for the step before.",
               "One product of x with the transposed weight does it; matmul takes (T, B, D) as it is."),
        answer="all_steps",
        starter='''
def all_steps(x, weight):
    """Your turn: right, and slow."""
    return np.stack([np.stack([row @ weight.T for row in step]) for step in x])
''',
        solution='''
def all_steps(x, weight):
    """One product for all steps and rows."""
    T, B, D = x.shape
    return (x.reshape(T * B, D) @ weight.T).reshape(T, B, -1)
''',
        why="The inputs do not wait for the recurrence: one large product reads the weight once.",
        checker=Speed(step_by_step, sequence, 4.0, "all_steps(x, weight)"),
    ),
)

"""Exercises of chapter 03: recurrent dropout."""

import numpy as np

from minirnn.course.exercises.checkers import Backward, Choice, Property
from minirnn.course.exercises.exercise import Exercise


def moon_cell(f, c_prev, i, g, m):
    """c = m (f c_prev + i g): a cell dropped whole, thesis (3.3.9) -> (B, H)."""
    return m * (f * c_prev + i * g)


def judge_memory(function):
    """What is wrong with the share of a marker that is left, against what is measured, or ''."""
    from minirnn.models.language_model import memory

    for scheme in ("moon", "ours", "gal"):
        measured, found = memory.marker(scheme, 0.4)[3], float(function(scheme, 0.4, 3))
        if not np.isclose(found, measured, rtol=1e-9):
            return f"{scheme}, rate 0.4, 3 steps later: measured {measured:.4f}, yours is {found:.4f}"
    return ""


EXERCISES = (
    Exercise(
        name="moon cell", title="A cell dropped whole", kind="write it", stars=2,
        text=r"With `moon`, $\mathbf{c} = \mathbf{m}\odot(\mathbf{f}\odot\mathbf{c}_{t-1} + "
             r"\mathbf{i}\odot\mathbf{g})$. Write `moon_backward(dc, f, c_prev, i, g, m)` "
             "with a gradient for each argument, the mask's too.",
        hints=("The mask multiplies everything inside the parenthesis.",
               "So everything inside receives m dc, and then the product rule.",
               "The mask itself receives dc times the parenthesis."),
        answer="moon_backward",
        starter='''
def moon_backward(dc, f, c_prev, i, g, m):
    """Your turn: the mask is forgotten."""
    return dc * c_prev, dc * f, dc * g, dc * i, np.zeros_like(m)
''',
        solution='''
def moon_backward(dc, f, c_prev, i, g, m):
    """(3.3.9)."""
    inside = m * dc
    return inside * c_prev, inside * f, inside * g, inside * i, dc * (f * c_prev + i * g)
''',
        why=r"Everything inside the parenthesis receives $\mathbf{m}\odot\delta\mathbf{c}$, and the mask receives the "
            "parenthesis.",
        checker=Backward(moon_cell, {name: (3, 4) for name in ("f", "c_prev", "i", "g", "m")}, {"B": 3, "H": 4}, "dc"),
    ),
    Exercise(
        name="memory left", title="What is left of a memory", kind="write it", stars=2,
        text="Write `left(scheme, rate, steps)`: the share of a marker that is left after `steps` further steps of "
             "evaluation, gates open, for `moon`, `ours` and `gal`.",
        hints=("In evaluation a mask is replaced by its mean, keep = 1 - rate.",
               "`moon` scales the whole memory at every step, `ours` only what is written, `gal` neither.",
               "The step that writes the marker counts too."),
        answer="left",
        starter='''
def left(scheme, rate, steps):
    """Your turn: this forgets that evaluation scales the marker in the step that writes it, too."""
    return (1 - rate) ** steps if scheme == "moon" else 1.0
''',
        solution='''
def left(scheme, rate, steps):
    """(3.3.14) and (3.3.16)."""
    return {"moon": (1 - rate) ** (steps + 1), "ours": 1 - rate, "gal": 1.0}[scheme]
''',
        why=r"The step that writes already scales: $\texttt{keep}^{k+1}$ for `moon`, $\texttt{keep}$ for `ours`, 1 for "
            "`gal`.",
        checker=Property(judge_memory, "left(scheme, rate, steps)"),
    ),
    Exercise(
        name="what the equations say", title="What the equations say", kind="reading", stars=1,
        text="Read thesis (3.3.11) to (3.3.16) again. Which sentence do they support? `A`: in evaluation `moon` "
             "shrinks an old memory by the same factor at every further step. `B`: in evaluation `ours` does so. `C`: "
             "in training both do so at every step, whatever the masks.",
        hints=("Where does the mask stand: before the whole memory, or before what is added to it?",
               "In evaluation the mask is a number below 1. How often does it meet a marker that was written long ago?",
               "Once for each step in one of the schemes, once and never again in the other."),
        answer="sentence", starter='sentence = "?"', solution='sentence = "A"',
        why="The number stands before the whole memory, so an old marker meets it at every step.",
        checker=Choice("A", {"B": "in `ours` the number stands before what is added: a marker meets it once",
                             "C": "in training a mask is 0 or 1 (or a rescaled 1): what it keeps it does not shrink"}),
    ),
)

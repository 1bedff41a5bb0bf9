"""Exercise checkers accept right solutions and say what is wrong with others."""

import numpy as np
import pytest

from minirnn.course.exercises import EXERCISES, check
from minirnn.errors import InputError


def gru_mix(dh, z, h_prev, n):
    """thesis (2.2.9)"""
    return dh * (n - h_prev), dh * (1 - z), dh * z


def test_a_right_solution_passes(capsys):
    assert check("gru mix", gru_mix)
    assert capsys.readouterr().out == "gru mix: right\n"


def test_a_wrong_solution_is_named(capsys):
    assert not check("gru mix", lambda dh, z, h_prev, n: (dh * n, dh * (1 - z), dh * z))
    out = capsys.readouterr().out
    assert out.startswith("gru mix: not yet") and "WRONG" in out and "z[" in out


@pytest.mark.parametrize("name", [n for n, e in EXERCISES.items() if hasattr(e, "shapes")])
def test_every_backward_exercise_rejects_zeros(name):
    shapes = EXERCISES[name].shapes.values()
    assert not check(name, lambda dy, *args: tuple(np.zeros(s) for s in shapes))


def test_a_solution_of_the_wrong_shape_is_told_so(capsys):
    assert not check("gru mix", lambda dh, z, h_prev, n: (dh.T, dh, dh))
    assert "must be of shape (3, 2), got (2, 3)" in capsys.readouterr().out


def clip(gradients, limit):
    n = np.sqrt(sum((g**2).sum() for g in gradients))
    return [g * min(1.0, limit / n) for g in gradients]


@pytest.mark.parametrize(
    ("solution", "message"),
    [
        (clip, "right"),
        (lambda g, c: [a * min(1, c / np.linalg.norm(a)) for a in g], "each array was clipped by itself"),
        (lambda g, c: [np.clip(a, -c, c) for a in g], "must become the limit"),
        (lambda g, c: [a / 2 for a in g], "must leave every gradient"),
    ],
)
def test_clipping_is_judged_by_its_properties(solution, message, capsys):
    assert check("clip by global norm", solution) is (message == "right")
    assert message in capsys.readouterr().out


@pytest.mark.parametrize(
    ("solution", "message"),
    [
        (np.tanh, "right"),
        (lambda x: np.exp(2 * min(x, 20)) - 1, "for tiny arguments"),
        (lambda x: x, "for ordinary arguments"),
        (lambda x: np.tanh(abs(x)), "for negative arguments"),
        (lambda x: np.tanh(x) if abs(x) < 9 else np.float64("nan"), "for large arguments"),
    ],
)
def test_tanh_is_judged_near_zero_and_far_from_it(solution, message, capsys):
    assert check("stable tanh", solution) is (message == "right")
    assert message in capsys.readouterr().out


def test_unknown_exercises_are_named():
    with pytest.raises(InputError, match="name must be one of tanh layer"):
        check("lstm", clip)


@pytest.mark.parametrize(
    ("solution", "message"),
    [
        (lambda s, rate, k: {"moon": (1 - rate) ** (k + 1), "ours": 1 - rate, "gal": 1.0}[s], "right"),
        (lambda s, rate, k: (1 - rate) ** k if s == "moon" else 1.0, "moon, rate 0.4"),
        (lambda s, rate, k: (1 - rate) ** (k + 1) if s == "moon" else 1.0, "ours, rate 0.4"),
    ],
)
def test_what_is_left_of_a_memory_is_measured(solution, message, capsys):
    """thesis (3.3.14), (3.3.16)"""
    assert check("memory left", solution) is (message == "right")
    assert message in capsys.readouterr().out

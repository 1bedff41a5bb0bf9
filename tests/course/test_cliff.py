"""What clipping is shown at: the gradient is right, and it is time that makes the cliff."""

import numpy as np
import pytest

from minirnn.course import cliff
from minirnn.gradcheck import check_vjp

STARTS = [(w, b) for w in np.linspace(4.2, 6, 10) for b in np.linspace(-3, -2, 6)]


def failures(T, limit):
    """From how many starts 300 updates do not come near the goal, a loss of 0.01."""
    return sum(cliff.descend(start, 0.1, limit, T=T).losses[-1] > 0.01 for start in STARTS)


@pytest.mark.parametrize("T", [1, 2, 8])
def test_the_gradient_is_right(T):
    f, back = lambda w, b: cliff.loss_of(w, b, T), lambda dy, w, b: tuple(dy * g for g in cliff.gradient_of(w, b, T))
    assert check_vjp(f, back, [np.array([4.4, 5.0]), np.array([-2.9, -2.2])]).ok
    wrong = lambda dy, w, b: (back(dy, w, b)[0], 1.01 * back(dy, w, b)[1])
    assert not check_vjp(f, wrong, [np.array([4.4, 5.0]), np.array([-2.9, -2.2])]).ok


def test_fifty_steps_make_a_cliff_and_two_do_not():
    w, b = np.meshgrid(np.linspace(4, 7, 181), np.linspace(-4, -2, 161))
    deep, shallow = (np.hypot(*cliff.gradient_of(w, b, T)) for T in (50, 2))
    assert deep.max() > 1000 * np.median(deep) and deep.max() > 100
    assert shallow.max() < 20 * np.median(shallow) and shallow.max() < 1


def test_without_clipping_it_fails_at_fifty_steps_and_not_at_two():
    free, held = (cliff.descend((4.4, -2.9), 0.1, limit) for limit in (None, 0.3))
    assert free.losses[-1] > 0.05 and held.losses[-1] < 1e-3
    assert np.linalg.norm(np.diff(free.points, axis=0), axis=1).max() > 10  # one update throws it away
    assert np.linalg.norm(np.diff(held.points, axis=0), axis=1).max() <= 0.1 * 0.3 + 1e-12
    assert failures(2, None) == failures(2, 0.3) == 0
    assert failures(50, None) > 40 > 10 > failures(50, 0.3)

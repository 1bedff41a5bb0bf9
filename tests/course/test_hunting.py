"""Bug hunts: equal for equal seeds, really wrong, named by gradcheck; and without its slip a hunt's code is right."""

import numpy as np
import pytest

from minirnn.course.exercises import check, hunt, hunting
from minirnn.errors import InputError
from minirnn.gradcheck import check_cell
from minirnn.gradcheck.bugs.mutant import Mutant
from minirnn.gradcheck.recurrent import gradients

CELLS = tuple(hunting.CELLS)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("seed", range(12))
def test_a_hunt_is_wrong_and_one_line_of_it(cell, seed):
    h = hunt(cell, seed)
    right, got = gradients(h.problem), h.backward(h.problem)
    assert set(got) == set(right) and all(got[n].shape == right[n].shape for n in right)
    assert max(np.abs(got[n] - right[n]).max() / np.abs(right[n]).max() for n in right) > 1e-3
    lines = range(1, 1 + len(h.source.splitlines()))
    named = [line for line in lines if h.answer(line)]
    assert 1 <= len(named) <= 4 and max(map(len, repr(h).splitlines())) <= 120
    assert "it is" in repr(h.answer(named[0])) and repr(h.answer(1)) == f"✗ {h.answer(1).says}"


@pytest.mark.parametrize("cell", CELLS)
def test_hunts_are_individual_and_equal_for_equal_seeds(cell):
    sources = [hunt(cell, seed).source for seed in range(40)]
    assert sources == [hunt(cell, seed).source for seed in range(40)]
    assert len(set(sources)) >= 39 and all(one != two for one, two in zip(sources, sources[1:]))
    assert len({hunt(cell, seed)._says for seed in range(len(hunting._slips(cell)))}) == len(hunting._slips(cell)) >= 5


@pytest.mark.parametrize("cell", CELLS)
def test_the_other_order_of_the_lines_changes_nothing(cell):
    """Without a slip the gradient is the right one, so the slip is all that is wrong."""
    harmless = Mutant("nothing", type(hunting.CELLS[cell]).step_backward, ())
    for seed in range(5):
        h = hunting._hunt(cell, seed, harmless)
        right, got = gradients(h.problem), h.backward(h.problem)
        assert all(np.array_equal(right[n], got[n]) for n in right) and h._lines == ()


def test_no_line_moves_over_one_that_it_depends_on():
    body = ["'A docstring.'", "b = a", "a = 2 * a", "s[0] = a", "c = s[0] + b", "a = 5", "return c + a"]
    code = "def f(a, s):\n    " + "\n    ".join(body)
    orders = set()
    for seed in range(40):
        text, other = hunting._shuffled(code, code, np.random.default_rng(seed))
        scope = {}
        exec(text, scope)
        assert scope["f"](3, [0]) == 2 * 3 + 3 + 5 and text == other
        orders.add(text)
    assert len(orders) == 2  # c may be made after a = 5


def test_gradcheck_names_what_is_hunted():
    h = hunt("lstm", 3)
    finding = check_cell(h.problem, h.backward)
    assert not finding.ok and f"looks like: {h._says}" in str(finding)


def test_an_answer_may_be_anything():
    h = hunt("rnn", 1)
    for line in (0, 10_000, "three", None, 2.5, True, [1]):
        assert not h.answer(line) and "must be a number from 1 to" in repr(h.answer(line))
    assert h._repr_html_().count("<pre>") == 1 and repr(h).splitlines()[0].startswith("  1  def step_backward")


def test_a_hunt_is_graded_with_its_own_seed():
    h = hunt("rnn", 5)
    assert check("hunt rnn", (5, h._lines[0])) and check("hunt rnn", [np.int64(5), np.int64(h._lines[0])])
    other = next(seed for seed in range(6, 40) if h._lines[0] not in hunt("rnn", seed)._lines)
    assert not check("hunt rnn", (other, h._lines[0]))
    for wrong in (3, (1, 2, 3), ("a", 1), (-1, 1), (1, "b"), None):
        assert not check("hunt rnn", wrong)


def test_other_cells_and_seeds_are_refused():
    with pytest.raises(InputError, match="did you mean lstm"):
        hunt("lstn")
    for seed in (-1, "a", 1.5, True):
        with pytest.raises(InputError, match="seed must be a whole number of at least 0"):
            hunt("gru", seed)

"""Mistakes in time are written out: what arrives at each step of a few, and which steps a weight's gradient counts."""

import pytest

from minirnn import bptt
from minirnn.cells import GRU, LSTM, RNN
from minirnn.gradcheck import mutants, over_time, recurrent, score
from minirnn.gradcheck.bugs.mutant import Mutant
from minirnn.gradcheck.bugs.time import ARRIVES, LOOP, START, SUM
from minirnn.gradcheck.explain import explain
from minirnn.gradcheck.mistakes import mistakes

CELLS = [RNN(), LSTM(), GRU(), GRU(reset_after=True)]


def lines(cell, right, wrong):
    """What is said of the loop over time with one fragment of its source written as another."""
    mutant = Mutant("a test", bptt.explicit_backward, ((right, wrong),))
    return over_time.explain(cell, 3, "float64", True, lambda p: mutants.gradients(mutant, p), 1e-6)


@pytest.mark.parametrize("cell", CELLS, ids=repr)
def test_of_a_right_gradient_nothing_is_said(cell):
    assert over_time.explain(cell, 3, "float64", True, recurrent.gradients, 1e-6) == []
    assert over_time.explain(cell, 3, "float64", False, recurrent.gradients, 1e-6) == []


@pytest.mark.parametrize(("wrong", "said"), [
    ("e = (dy[t], *dstate[1:])", "at t = 0, 1, 2, the dh that arrives misses what the next step hands back"),
    ("e = (dstate[0] + dy[t - 1], *dstate[1:])",
     "at t = 1, 2, 3, the dh that arrives misses dy of the step, has dy of the step before"),
    ("e = (dstate[0] + dy[t] + (t > 0) * dy[0], *dstate[1:])",
     "at t = 1, the dh that arrives has dy of the step before"),
    ("e = (dstate[0] + 3 * dy[t], *dstate[1:])", "at t = 0, 1, 2, 3, the dh that arrives has dy of the step 3 times"),
    ("e = (dstate[0] * (t != 1) + dy[t], *dstate[1:])",
     "at t = 1, the dh that arrives misses what the next step hands back"),
    ("e = tuple(xp.clip(d, -0.4, 0.4) for d in (dstate[0] + dy[t], *dstate[1:]))",
     "the dh that arrives is clipped at 0.4"),
    ("e = (dstate[0] + dy[t] / T, *dstate[1:])", "the dh that arrives has dy of the step 1/T times"),
])
@pytest.mark.parametrize("cell", CELLS, ids=repr)
def test_what_arrives_is_written_out(cell, wrong, said):
    found = lines(cell, ARRIVES, wrong)
    assert any(said in line for line in found), found


@pytest.mark.parametrize(("right", "wrong", "said"), [
    (START, "dstate = (0 * dfinal[0], *dfinal[1:])",
     "at t = 3, the dh that arrives misses the final state's gradient dh_T"),
    (LOOP, f"range(T) if not run.reverse else {LOOP}",
     "at t = 1, 2, the dh that arrives misses what the next step hands back, has what the step before hands back"),
    (SUM, "total[...] = part", "counts the steps t = 0 .. 3 so often: 1, 0, 0, 0; each belongs once"),
    (SUM, "total += t * part", "counts the steps t = 0 .. 3 so often: 0, 1, 2, 3; each belongs once"),
    (SUM, "total -= part", "weight_hh has the wrong sign"),
    ("return Gradients(dx, dstate,", "return Gradients(dx, e,", "the gradient of h0 misses what step 0 hands back"),
    ("return Gradients(dx,", "return Gradients(dx[::-1],",
     "at t = 1, dx misses that of the step, has that of the next step"),
])
@pytest.mark.parametrize("cell", CELLS, ids=repr)
def test_what_is_added_up_over_time_is_written_out(cell, right, wrong, said):
    found = lines(cell, right, wrong)
    assert any(said in line for line in found), found


@pytest.mark.parametrize(("style", "cell", "mistake", "said"), [
    ("arrays", "lstm", "line 13: [t - 1] for [t]: i[t]",
     "a loss on c at t = 3: da_i is dc * (1 - i) * g * i[t-1], it should be dc * i * (1 - i) * g"),
    ("arrays", "lstm", "line 12: [t - 1] for [t]: o[t]", "da_i is dh * i * (1 - i) * g * o[t-1] * (1 - tanh(c)^2), it"),
    ("arrays", "lstm", "line 14: [t - 1] for [t]: f[t]", "da_f is dc * (1 - f) * c_prev * f[t-1], it should be"),
    ("arrays", "gru", "line 12: [t - 1] for [t]: z[t]", "da_z is dh * (1 - z) * (n - h_prev) * z[t-1], it should be"),
    ("arrays", "gru_reset_after", "line 11: [t - 1] for [t]: r[t]", "r[t-1]"),
    ("columns", "rnn", "line 11: [t - 1] for [t]: xs[t]", "weight_ih misses da[0] with x[0]"),
    ("columns", "rnn", "line 8: [0] for [t]: hs[t]", "da is dh * (1 - h * h[t-3]), it should be dh * (1 - h^2)"),
])
def test_a_quantity_of_another_step_is_written_out(style, cell, mistake, said):
    made = next(m for m in mistakes(style, cell) if m.words == mistake)
    claim = score.claim_of(style, cell, made.backward)
    found = explain(recurrent.random_problem(score.KINDS[cell]), claim, 1e-6)
    assert any(said in line for line in found), found


def test_code_made_for_other_sizes_is_left_alone():
    def fails(problem):
        raise ValueError("sizes")

    assert over_time.explain(RNN(), 1, "float64", True, fails, 1e-6) == []
    assert over_time.explain(RNN(), 1, "float64", True, lambda p: {"x": p.x}, 1e-6) == []

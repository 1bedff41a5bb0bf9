"""Mistakes that nobody listed are written out: what one step of a backward computes, and what it should."""

import numpy as np
import pytest

from minirnn.cells import GRU, LSTM, RNN, PeepholeLSTM
from minirnn.gradcheck import check_cell, mutants, recurrent
from minirnn.gradcheck.bugs.mutant import Mutant
from minirnn.gradcheck.explain import explain
from minirnn.gradcheck.fits import product

CELLS = [LSTM(), GRU(), GRU(convention="slides"), GRU(reset_after=True), RNN()]
LSTM_BACK, GRU_BACK = LSTM.step_backward, GRU.step_backward


def lines(cell, function, *edit):
    """What is said of this cell's backward with one fragment of its source written as another."""
    mutant = Mutant("a test", function, (edit,))
    return explain(recurrent.random_problem(cell), lambda p: mutants.gradients(mutant, p), 1e-6)


@pytest.mark.parametrize("cell", [*CELLS, LSTM(forget_gate=False), PeepholeLSTM(), LSTM(activation="relu")], ids=repr)
def test_of_a_right_gradient_nothing_is_said(cell):
    assert explain(recurrent.random_problem(cell), recurrent.gradients, 1e-6) == []


@pytest.mark.parametrize(("cell", "function", "right", "wrong", "said"), [
    (LSTM(), LSTM_BACK, "di * sigmoid_slope(i)", "di * (1 - i)",
     "loss on c: da_i is dc * (1 - i) * g, it should be dc * i * (1 - i) * g"),
    (LSTM(), LSTM_BACK, "df = dc * c_prev", "df = dc * g",
     "loss on c: da_f is dc * f * (1 - f) * g, it should be dc * f * (1 - f) * c_prev"),
    (LSTM(), LSTM_BACK, "do = dh * phi_c", "do = 2 * dh * o",
     "loss on h: da_o is 2 * dh * o^2 * (1 - o), it should be dh * o * (1 - o) * tanh(c)"),
    (LSTM(), LSTM_BACK, "dc_prev = dc * f", "dc_prev = -dc * o", "loss on c: dc_prev is -dc * o, it should be dc * f"),
    (LSTM(), LSTM_BACK, "dg * slope(g)", "dg * (1 - g)",
     "loss on c: da_g is dc * i * (1 - g), it should be dc * i * (1 - g^2)"),
    (LSTM(), LSTM_BACK, "dg = masked(masks.ours, dc * i)", "dg = 0 * dc",
     "loss on c: da_g is zero, it should be dc * i * (1 - g^2)"),
    (GRU(), GRU_BACK, "dnew = dh * (masked(masks.ours, n) - h_prev)", "dnew = dh * n",
     "da_z is dh * z * (1 - z) * n, it should be dh * z * (1 - z) * (n - h_prev)"),
    (GRU(), GRU_BACK, "dr = dreset * h_in", "dr = dreset",
     "da_r is r * (1 - r) * (W_n^T da_n), it should be r * (1 - r) * h_prev * (W_n^T da_n)"),
    (GRU(), GRU_BACK, "dh_in = dreset * r", "dh_in = dreset", "dh_prev misses gate n, has gate n without r"),
    (GRU(), GRU_BACK, "dh_prev = dh * (1 - new) +", "dh_prev = dh +",
     "dh_prev misses the direct path dh * (1 - z), has dh, whole"),
    (GRU(reset_after=True), GRU_BACK, "dr = da_n * h_n", "dr = da_n * h_in", "it should be dh * r * (1 - r)"),
    (GRU(reset_after=True), GRU_BACK, "dproduct = da_n * r", "dproduct = da_n",
     "bias_hh gate n is the sum of da_n without r"),
    (RNN(), RNN.step_backward, "slope(saved.h)", "saved.h", "is dh * h, it should be dh * (1 - h^2)"),
])
def test_a_mistake_is_written_out(cell, function, right, wrong, said):
    found = lines(cell, function, right, wrong)
    assert any(said in line for line in found), found


@pytest.mark.parametrize("cell", CELLS, ids=repr)
def test_what_is_said_at_one_point_is_said_at_another(cell):
    """So it is the code that is described, not the numbers: every planted bug of a step, at three points."""
    told, problem = 0, recurrent.random_problem(cell)
    for mutant in mutants.mutants_of(cell)[::5]:
        claim = lambda p, m=mutant: mutants.gradients(m, p)
        one, *others = (explain(problem, claim, 1e-6, seed) for seed in (1, 2, 3))
        clipped = "clipped" in mutant.says or "norm" in mutant.says  # at which steps it bites is the point's
        assert clipped or others == [one, one], mutant.says
        told += bool(one)
    assert told >= 8


def test_products_are_found_only_where_they_are():
    rng = np.random.default_rng(0)
    a, b, c = rng.uniform(0.1, 0.9, (3, 16, 3)) * rng.choice([-1, 1], (3, 16, 3))
    known = {"a": a, "b": b, "1 - c": 1 - c, "1 + c": 1 + c}
    assert product(a * b, known, 1e-6) == "a * b" and product(-3 * a / b, known, 1e-6) == "-3 * a * b^-1"
    assert product(a * (1 - c**2), known, 1e-6) == "a * (1 - c^2)"
    assert product(a * (1 - c), known, 1e-6) == "a * (1 - c)"
    assert product(a + b, known, 1e-6) == "" and product(np.where(a > 0, a, b), known, 1e-6) == ""
    assert product(a * np.sqrt(np.abs(b)), known, 1e-6) == "" and product(0 * a, known, 1e-6) == ""
    assert product(a * (1 + 1e-3 * b), known, 1e-6) == ""


def test_the_diagnosis_of_a_cell_holds_what_was_written_out():
    mutant = Mutant("a test", LSTM_BACK, (("di * sigmoid_slope(i)", "di * (1 - i) * o"),))
    finding = check_cell(recurrent.random_problem(LSTM()), lambda p: mutants.gradients(mutant, p))
    assert any("da_i is dc * (1 - i) * g * o" in line for line in finding.diagnosis), finding.diagnosis
    assert not any(line.startswith(("looks like", "resembles")) for line in finding.diagnosis)

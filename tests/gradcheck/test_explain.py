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


def said_of(cell, change, about=explain):
    """What is said of right gradients changed by ``change(problem, gradients)``."""

    def claim(p):
        got = {n: g.copy() for n, g in recurrent.gradients(p).items()}
        change(p, got)
        return got

    return about(recurrent.random_problem(cell), claim, 1e-6)


def test_an_array_that_is_right_is_not_spoken_of():
    """Where x and weight_ih have a gate's gradient twice, nothing follows for the recurrent weights."""

    def twice_n(p, got):
        H = len(p.weights.weight_hh) // 3
        got["x"] += _delta(p, got["weight_ih"])[..., 2 * H :] @ p.weights.weight_ih[2 * H :]
        got["weight_ih"][2 * H :] *= 2

    def and_weight_hh_of_r(p, got):
        twice_n(p, got)
        got["weight_hh"][: len(p.weights.weight_hh) // 3] *= 2

    found = said_of(GRU(), twice_n)
    assert any("da_n is 2 * dh" in line for line in found)
    assert not any(name in line for line in found for name in ("hh", "dh_prev", "da_r")), found
    assert [line for line in said_of(GRU(), and_weight_hh_of_r) if "hh" in line] == [
        "one step, a loss on h: weight_hh gate r is 2 times the right one"]


def _delta(p, weight_ih):
    """da (1, B, K H) of a step whose x is the identity."""
    return weight_ih.T[None] if len(p.x) == 1 else np.zeros((*p.x.shape[:2], len(weight_ih)))


def test_what_follows_from_another_gate_is_not_called_wrong():
    found = lines(GRU(), GRU_BACK, "da_n = dn * tanh_slope(n)", "da_n = 2 * dn * tanh_slope(n)")
    assert [line.partition(": ")[2].split()[0] for line in found] == ["da_n"], found


def test_where_weight_ih_alone_is_wrong_the_gates_are_not():
    found = said_of(LSTM(), lambda p, got: got.update(weight_ih=2 * got["weight_ih"]))
    assert found == ["one step, a loss on h or c: weight_ih is 2 times the right one"]


def test_of_a_weight_only_the_wrong_gates_are_spoken_of():
    def change(p, got, gates=1):
        got["weight_hh"][: gates * len(got["weight_hh"]) // 4] *= 3

    assert said_of(LSTM(), change) == ["one step, a loss on h or c: weight_hh gate i is 3 times the right one"]
    assert said_of(LSTM(), lambda p, got: change(p, got, 2)) == [
        "one step, a loss on h or c: weight_hh gates i, f is 3 times the right one"]


def test_nothing_is_said_of_a_gate_that_gets_no_gradient():
    def without_gate_i(p, got):
        H = len(p.weights.weight_hh) // 4
        got["x"] -= _delta(p, got["weight_ih"])[..., :H] @ p.weights.weight_ih[:H]

    assert said_of(LSTM(), without_gate_i) == ["one step, a loss on h or c: dx misses gate i"]


def test_a_share_of_the_batch_or_of_the_steps_is_called_so():
    found = said_of(RNN(), lambda p, got: got.update(x=got["x"] / p.x.shape[1]))
    assert found == ["one step, a loss on h: dx is 1/B times the right one"]
    found = said_of(RNN(), lambda p, got: got.update(bias_hh=got["bias_hh"] / len(p.x)))
    assert found == ["4 steps: bias_hh is 1/T times the right one"]


def test_over_time_the_initial_state_is_spoken_of_only_where_it_is_wrong():
    def change(p, got):
        got["x"], got["weight_ih"] = got["x"] * len(p.x), got["weight_ih"] * len(p.x)

    assert not any("h0" in line for line in said_of(RNN(), change))

"""The LSTM with coupled gates: what it computes, its limits. Its gradients: test_gradients; its bugs: test_mutants."""

from dataclasses import replace

import numpy as np
import pytest

from minirnn import bptt, kernels
from minirnn.cells import LSTM, CoupledLSTM, find
from minirnn.gradcheck import random_problem, recurrent


def test_a_step_by_hand():
    """One unit, a_f = 0, a_g = 1, a_o = 2: f = 1/2, c = (c_prev + tanh 1) / 2, h = σ(2) tanh c."""
    weights = CoupledLSTM.Weights(np.zeros((3, 1)), np.zeros((3, 1)), np.array([0.0, 1.0, 2.0]))
    (h, c), _ = CoupledLSTM().step(np.ones((1, 1)), (np.zeros((1, 1)), np.array([[4.0]])), weights)
    assert c.item() == pytest.approx((4 + np.tanh(1)) / 2, rel=1e-15)
    assert h.item() == pytest.approx(np.tanh(c.item()) / (1 + np.exp(-2)), rel=1e-15)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_tapes_form_equals_the_explicit_one(reverse):
    p = replace(random_problem(CoupledLSTM(), masked=True, padded=True), reverse=reverse)
    explicit, composed = recurrent.gradients(p), recurrent.composed_gradients(p)
    assert explicit.keys() == composed.keys()
    for name in explicit:
        np.testing.assert_allclose(explicit[name], composed[name], rtol=0, atol=1e-12)


def test_it_is_the_lstm_whose_input_gate_is_the_opposite_of_its_forget_gate():
    """a_i = -a_f makes i = 1 - f; the gradient of the shared rows is that of f less that of i."""
    p = random_problem(CoupledLSTM(), masked=True, padded=True)
    opposite = lambda w: np.concatenate([-w[:2], w])  # i f g o from f g o, of two units
    four = LSTM.Weights(*(opposite(w) for w in p.weights))
    runs = [bptt.forward(cell, p.x, p.state0, w, p.masks, p.lengths, form="explicit")
            for cell, w in ((p.cell, p.weights), (LSTM(), four))]
    got, truth = (bptt.backward(run, p.dy, p.dfinal) for run in runs)
    for one, other in zip((runs[0].y, *runs[0].final, got.x, *got.state0),
                          (runs[1].y, *runs[1].final, truth.x, *truth.state0)):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-13)
    for one, other in zip(got.weights, truth.weights):
        np.testing.assert_allclose(one, np.concatenate([other[2:4] - other[:2], other[4:]]), rtol=0, atol=1e-13)


def test_the_memory_stays_between_its_beginning_and_the_candidates():
    p = random_problem(CoupledLSTM(), T=50)
    loud = p.weights._replace(weight_ih=20 * p.weights.weight_ih)
    run = bptt.forward(p.cell, p.x, (p.state0[0], 0.9 * np.sign(p.state0[1])), loud, form="explicit")
    assert np.abs(run.final[1]).max() <= 1


def test_it_is_found_by_its_names_and_runs_step_by_step():
    assert find("CIFG") == find("coupled") == ("lstm-coupled", CoupledLSTM())
    assert not kernels.supports(CoupledLSTM.kernel)
    assert CoupledLSTM().initial(np.random.default_rng(0), 3, 2).bias_ih.tolist() == [1, 1, 0, 0, 0, 0]

"""The peephole LSTM: what it computes, its limit, its layer. Its gradients: test_gradients; its bugs: test_mutants."""

from dataclasses import replace

import numpy as np
import pytest

from minirnn import Tensor, bptt, kernels, nn, ops
from minirnn.autograd import grad
from minirnn.cells import LSTM, PeepholeLSTM, Weights
from minirnn.errors import InputError
from minirnn.gradcheck import random_problem, recurrent

T, B, D, H = 5, 3, 4, 2
LENGTHS = np.array([3, 5, 1])


def test_a_step_by_hand():
    """One unit, no inputs' weights: graves (7)-(11) with i = f = σ(1·2), c = f·2 + i·tanh(1), o = σ(0.5 c)."""
    sigma = lambda a: 1 / (1 + np.exp(-a))
    weights = PeepholeLSTM.Weights(np.zeros((4, 1)), np.zeros((4, 1)), np.array([1.0, 1.0, 0.5]),
                                   np.array([0.0, 0.0, 1.0, 0.0]))
    (h, c), _ = PeepholeLSTM().step(np.ones((1, 1)), (np.zeros((1, 1)), np.array([[2.0]])), weights)
    expected = sigma(2.0) * 2.0 + sigma(2.0) * np.tanh(1.0)
    assert c.item() == pytest.approx(expected, rel=1e-15)
    assert h.item() == pytest.approx(sigma(0.5 * expected) * np.tanh(expected), rel=1e-15)


def test_the_output_gate_sees_the_new_memory_and_the_others_the_old():
    p = random_problem(PeepholeLSTM(), T=1)
    (h, c), saved = p.cell.step(p.x[0], p.state0, p.weights)
    louder = p.weights._replace(weight_ch=p.weights.weight_ch + np.repeat([0, 0, 1.0], 2))
    (h2, c2), again = p.cell.step(p.x[0], p.state0, louder)
    np.testing.assert_array_equal(c2, c)
    np.testing.assert_allclose(np.log(again.o / (1 - again.o)) - np.log(saved.o / (1 - saved.o)), c, rtol=1e-12)
    assert (h2 != h).all()


@pytest.mark.parametrize("masked", [False, True])
def test_without_peepholes_it_is_the_lstm(masked):
    p = random_problem(PeepholeLSTM(), masked=masked, padded=True)
    bare = p.weights._replace(weight_ch=0 * p.weights.weight_ch)
    four = Weights(p.weights.weight_ih, p.weights.weight_hh, p.weights.bias_ih, p.weights.bias_hh)
    run, lstm = (bptt.forward(cell, p.x, p.state0, w, p.masks, p.lengths, form="explicit")
                 for cell, w in ((p.cell, bare), (LSTM(), four)))
    got, truth = (bptt.backward(r, p.dy, p.dfinal) for r in (run, lstm))
    assert got.weights._fields == PeepholeLSTM.Weights._fields and (got.weights.weight_ch != 0).all()
    for one, other in zip((run.y, *run.final, got.x, *got.state0), (lstm.y, *lstm.final, truth.x, *truth.state0)):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-14)
    for name in Weights._fields:
        np.testing.assert_allclose(getattr(got.weights, name), getattr(truth.weights, name), rtol=0, atol=1e-13)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_tapes_form_equals_the_explicit_one(reverse):
    p = replace(random_problem(PeepholeLSTM(), masked=True, padded=True), reverse=reverse)
    explicit, composed = recurrent.gradients(p), recurrent.composed_gradients(p)
    assert explicit.keys() == composed.keys() and "weight_ch" in explicit
    for name in explicit:
        np.testing.assert_allclose(explicit[name], composed[name], rtol=0, atol=1e-12)


def test_the_layer_trains_its_peepholes_in_both_directions_and_layers():
    layer = nn.PeepholeLSTM(D, H, 2, bidirectional=True, dtype=np.float64, rng=0)
    assert layer.weight_ch_l1_reverse.shape == (3 * H,)
    assert layer.weights(1, True).weight_ch is layer.weight_ch_l1_reverse
    x = Tensor(np.random.default_rng(1).standard_normal((T, B, D)))
    y, (h, c) = layer(x, lengths=LENGTHS)
    assert y.shape == (T, B, 2 * H) and h.shape == c.shape == (4, B, H)
    for gradient in grad(ops.sum(y * y), layer.parameters()):
        assert (gradient.value != 0).all()
    again = nn.PeepholeLSTM(D, H, 2, bidirectional=True, dtype=np.float64, rng=5)
    again.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(again(x, lengths=LENGTHS)[0].value, y.value)


def test_checkpoints_and_clipping_reach_the_peepholes():
    p = random_problem(PeepholeLSTM(), T=7)
    whole, pieces = (bptt.backward(bptt.forward(p.cell, p.x, p.state0, p.weights, checkpoint_every=k), p.dy, p.dfinal,
                                   clip_step=0.5) for k in (None, 3))
    np.testing.assert_allclose(pieces.weights.weight_ch, whole.weights.weight_ch, rtol=1e-12)


def test_an_lstms_weights_are_refused_by_name():
    p = random_problem(LSTM())
    with pytest.raises(InputError, match="weights of lstm-peephole must be .*weight_ch.* another cell's"):
        bptt.forward(PeepholeLSTM(), p.x, p.state0, p.weights)
    p = random_problem(PeepholeLSTM())
    with pytest.raises(InputError, match=r"weight_ch must be \(3H,\) = \(6,\), got \(8,\)"):
        bptt.forward(p.cell, p.x, p.state0, p.weights._replace(weight_ch=np.ones(8)))
    assert not kernels.supports(p.cell.kernel)

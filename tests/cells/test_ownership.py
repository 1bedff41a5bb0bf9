"""A cell owns its parameters: Weights, shapes, H, initial values; everything else treats them as a tuple of arrays."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest

from minirnn import bptt, cells, init, nn
from minirnn.cells import CELLS, LSTM, Masks, Weights
from minirnn.cells.stacked import Stacked
from minirnn.errors import InputError
from minirnn.gradcheck import recurrent
from minirnn.gradcheck.cells import check_cell
from minirnn.nn import composed

every_cell = pytest.mark.parametrize("name", CELLS)


class ScaledWeights(NamedTuple):
    """An LSTM's weights, and one that is nobody else's."""

    weight_ih: Any
    weight_hh: Any
    scale: Any
    bias_ih: Any = None
    bias_hh: Any = None


class ScaledLSTM(LSTM):
    """An LSTM that sees x times a vector (D,) of its own."""

    Weights = ScaledWeights
    kernel = None

    def shapes(self, D, H):
        return {**super().shapes(D, H), "scale": (D,)}

    def stacked(self, name):
        return () if name == "scale" else super().stacked(name)

    def step(self, x, state, weights, masks):
        new, saved = super().step(weights.scale * x, state, weights, masks)
        return new, (x, saved)

    def step_backward(self, dstate, saved, weights):
        x, saved = saved
        dx, dprev, d = super().step_backward(dstate, saved, weights)
        return weights.scale * dx, dprev, ScaledWeights(d.weight_ih, d.weight_hh, (dx * x).sum(0), d.bias_ih, d.bias_hh)


@every_cell
def test_initial_weights_have_the_cells_shapes_and_its_units(name):
    cell = CELLS[name]
    weights = cell.initial(np.random.default_rng(0), 5, 2, np.float64)
    assert {n: w.shape for n, w in weights._asdict().items()} == cell.shapes(5, 2)
    assert cell.hidden(weights) == 2 and {w.dtype for w in weights} == {np.dtype(np.float64)}
    bare = cell.initial(np.random.default_rng(0), 5, 2, np.float32, bias=False)
    assert {n for n, w in bare._asdict().items() if w is None} == set(cell.Weights._field_defaults)


def test_initial_weights_are_drawn_gate_by_gate_in_order():
    weights = LSTM().initial(np.random.default_rng(7), 5, 2, np.float64)
    rng = np.random.default_rng(7)
    inputs = [init.glorot_uniform(rng, (2, 5), dtype=np.float64) for _ in "ifgo"]
    units = [init.orthogonal(rng, (2, 2), dtype=np.float64) for _ in "ifgo"]
    np.testing.assert_array_equal(weights.weight_ih, np.concatenate(inputs))
    np.testing.assert_array_equal(weights.weight_hh, np.concatenate(units))
    np.testing.assert_array_equal(weights.bias_ih, [0, 0, 1, 1, 0, 0, 0, 0])
    np.testing.assert_array_equal(weights.bias_hh, np.zeros(8))


def test_a_cell_with_weights_of_its_own_goes_through_bptt_and_the_gradient_check():
    problem = recurrent.random_problem(ScaledLSTM(), padded=True, masked=True)
    assert problem.weights.scale.shape == (5,)
    finding = check_cell(problem)
    assert finding.verdict == "PASS" and {t.name for t in finding.tensors} >= {"scale", "weight_hh"}
    whole = recurrent.gradients(problem)
    p = problem
    pieces = bptt.backward(bptt.forward(p.cell, p.x, p.state0, p.weights, p.masks, p.lengths, checkpoint_every=2),
                           p.dy, p.dfinal)
    np.testing.assert_allclose(pieces.weights.scale, whole["scale"], rtol=1e-12)


def test_an_entry_of_such_a_cell_is_told_in_words():
    problem = recurrent.random_problem(ScaledLSTM())
    assert problem.in_words("scale", (3,)) == "scale[3]"
    assert problem.in_words("weight_hh", (5, 1)) == "weight_hh[5, 1] (gate g, unit 1, from unit 1)"
    assert problem.in_words("weight_ih", (2, 4)) == "weight_ih[2, 4] (gate f, unit 0, from input 4)"


def test_the_tape_refuses_a_cell_that_has_no_form_there():
    class Other(Stacked):
        name = "other"

    with pytest.raises(InputError, match=r"cell must be one with a form on the tape \(RNN, LSTM, .*\), got Other"):
        composed.sequence(Other(), nn.parameter(np.ones((2, 1, 1))), (), None, Masks())


@pytest.mark.parametrize("change, message", [
    ({"scale": np.ones((5, 1))}, r"scale must be \(D,\), got \(5, 1\)"),
    ({"scale": np.ones(4)}, r"scale must be \(D,\) = \(5,\), got \(4,\)"),
    ({"scale": None}, "scale must be an array, got NoneType"),
    ({"weight_ih": np.ones((5, 8))}, r"weight_ih must be \(4H, D\) = \(8, 5\), got \(5, 8\); is it transposed\?"),
])
def test_the_border_checks_against_the_cells_own_shapes(change, message):
    p = recurrent.random_problem(ScaledLSTM())
    p = replace(p, weights=p.weights._replace(**change))
    with pytest.raises((InputError, TypeError), match=message):
        bptt.forward(p.cell, p.x, p.state0, p.weights)


def test_another_cells_weights_and_a_wrong_number_are_refused():
    p = recurrent.random_problem(ScaledLSTM())
    expected = r"weights of lstm must be \(weight_ih, weight_hh, scale, bias_ih, bias_hh\), got "
    with pytest.raises(InputError, match=expected + r"\(weight_ih, weight_hh, bias_ih, bias_hh\); another cell's\?"):
        bptt.forward(p.cell, p.x, p.state0, Weights(*p.weights[:2]))
    with pytest.raises(InputError, match=expected + "2 of them"):
        bptt.forward(p.cell, p.x, p.state0, tuple(p.weights[:2]))
    with pytest.raises(InputError, match=expected + "ndarray"):
        bptt.forward(p.cell, p.x, p.state0, p.weights.weight_ih)


def test_every_recurrent_layer_is_listed_by_name():
    assert {kind.__name__ for kind in nn.RECURRENT.values()} == {
        kind.__name__ for kind in nn.recurrent.Recurrent.__subclasses__()}
    assert set(nn.RECURRENT) <= set(CELLS)


def test_an_unknown_cell_is_answered_with_near_names():
    with pytest.raises(InputError, match="what must be one of rnn, .*, got 'lsmt'; did you mean lstm"):
        cells.named("test", "lsmt", "what")

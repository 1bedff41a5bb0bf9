"""What a unit knows is found where somebody put it, and not where nobody did."""

import numpy as np
import pytest

from minirnn.errors import InputError
from minirnn.inspect import units
from minirnn.models.language_model import LanguageModel

TEXT = 'he said "no" to (all of) me\n  and "yes" [once]\nthen the rest of it was said\n' * 6


def test_marks_are_what_a_reader_sees(monkeypatch):
    monkeypatch.setattr(units, "LEAST", 1)
    marks = units.marks_of('a "b" (c)\n  de')
    shown = {name: "".join("x" if v else "." for v in values) for name, values in marks.items() if values.dtype == bool}
    assert shown == {"inside quotes": "...xx.........", "inside parentheses": ".......xx....."}
    assert marks["place in the line"].tolist() == [*range(1, 11), 1, 2, 3, 4]
    assert marks["letters since the word began"].tolist() == [1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2]
    assert marks["spaces the line begins with"].tolist()[-4:] == [1, 2, 2, 2]
    assert units.marks_of("  a b\nx")["spaces the line begins with"].tolist() == [1, 2, 2, 2, 2, 2, 0]


def test_what_a_line_leaves_open_ends_with_it_and_what_is_nowhere_is_left_out():
    marks = units.marks_of('"' + 30 * "o" + "\n" + 40 * "s")
    assert marks["inside quotes"].tolist() == [False, *[True] * 31, *[False] * 40]
    assert "inside quotes" not in units.marks_of('"' + 10 * "o" + "\n" + 40 * "s")
    assert "inside brackets" not in marks and "spaces the line begins with" not in marks
    assert units.marks_of("") == {}


def test_a_unit_that_knows_is_found_with_its_sign_and_noise_is_not():
    marks, rng = units.marks_of(TEXT), np.random.default_rng(0)
    contents = np.tanh(rng.standard_normal((len(TEXT), 12)))
    contents[:, 3] = np.where(marks["inside quotes"], 0.8, -0.5) + 0.05 * rng.standard_normal(len(TEXT))
    contents[:, 7] = -0.01 * marks["place in the line"] + 0.01 * rng.standard_normal(len(TEXT))
    found = {k.mark: k for k in units.known(contents, marks)}
    assert (found["inside quotes"].unit, found["inside quotes"].sign) == (3, 1) and found["inside quotes"].score > 0.99
    assert (found["place in the line"].unit, found["place in the line"].sign) == (7, -1)
    assert found["place in the line"].score > 0.95 and found["inside quotes"].median < 0.6
    assert found["inside parentheses"].score < 0.9 and not found["inside quotes"].counted
    assert [k.score for k in units.known(contents, marks)] == sorted((k.score for k in found.values()), reverse=True)


def test_scores_are_the_share_of_pairs_in_order_and_the_correlation():
    rng = np.random.default_rng(1)
    contents, mark = rng.standard_normal((40, 3)), rng.random(40) < 0.4
    pairs = [np.mean([[a > b for b in unit[~mark]] for a in unit[mark]]) for unit in contents.T]
    np.testing.assert_allclose(units.scores(contents, mark), 2 * np.array(pairs) - 1, atol=1e-12)
    count = rng.standard_normal(40)
    right = [np.corrcoef(unit, count)[0, 1] for unit in contents.T]
    np.testing.assert_allclose(units.scores(contents, count), right, atol=1e-12)
    assert units.scores(np.zeros((40, 2)), count).tolist() == [0, 0]
    with pytest.raises(InputError, match="of 40 steps, got 39"):
        units.scores(contents, mark[1:])


@pytest.mark.parametrize(("cell", "layers"), [("lstm", 1), ("lstm", 2), ("gru", 1), ("rnn", 2)])
def test_contents_are_those_of_the_last_layer_and_the_model_is_left_as_it_was(cell, layers):
    model = LanguageModel(9, 4, 5, cell=cell, layers=layers, rng=0, kernels="explicit", init=0.5)
    before, ids = model.recurrent.cell, np.random.default_rng(0).integers(0, 9, 20)
    contents = units.contents_of(model, ids)
    assert contents.shape == (20, 5) and np.abs(contents).max() <= 1 and model.recurrent.cell is before
    _, state = model(ids[:, None])
    last = np.tanh(state[1].value[-1, 0]) if cell == "lstm" else state.value[-1, 0]
    np.testing.assert_allclose(contents[-1], last, atol=1e-6)

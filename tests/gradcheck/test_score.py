"""Naming is measured on mistakes made at random in layers as people write them: the layers are right, each mistake is
one edit, none goes unnoticed, and what is said of it is said again at another point."""

import json
from pathlib import Path

import numpy as np
import pytest

from minirnn.cli import main
from minirnn.gradcheck import recurrent, score, written

COMMITTED = Path(__file__).parent / "score.json"


@pytest.mark.parametrize("style", written.STYLES)
@pytest.mark.parametrize("cell", written.CELLS)
def test_the_layers_are_right(style, cell):
    problem = recurrent.random_problem(score.KINDS[cell], T=5, B=3, D=4, H=2)
    found, truth = score.claim_of(style, cell)(problem), recurrent.gradients(problem)
    assert found.keys() == truth.keys()
    for name, right in truth.items():
        np.testing.assert_allclose(found[name], right, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("cell", written.CELLS)
def test_mistakes_are_many_different_and_each_one_edit(cell):
    made = [mistake for style in written.STYLES for mistake in score.mistakes(style, cell)]
    assert len(made) >= 100 and len({(m.style, m.words, id(m.backward)) for m in made}) == len(made)
    problem = recurrent.random_problem(score.KINDS[cell], T=5, B=4, D=6, H=3)
    truth = recurrent.gradients(problem)
    shown = [score._shows(score.claim_of(m.style, cell, m.backward), problem, truth) for m in made[::7]]
    assert 0.3 < np.mean(shown) < 1


@pytest.mark.parametrize("cell", written.CELLS)
def test_some_mistakes_are_noticed_and_most_are_named_rightly(cell):
    found = score.score(cell, 5, seed=1)
    assert found["made"] == 5 and found["missed"] == [] and found["right"] == found["named"] >= 3
    assert len(found["unnamed"]) == 5 - found["named"]


def test_the_committed_figures_are_those_of_the_command(capsys):
    kept = json.loads(COMMITTED.read_text())
    assert [row["cell"] for row in kept] == list(written.CELLS)
    for row in kept:
        assert row["missed"] == [] and row["right"] >= 0.99 * row["named"]
        assert row["named"] + len(row["unnamed"]) == row["made"] <= row["possible"]
    assert main(["gradcheck", "--score", "0"]) == 2
    assert main(["gradcheck", "lstm", "--score", "5"]) == 2
    assert "got more than one" in capsys.readouterr().err

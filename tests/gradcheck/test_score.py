"""Naming is measured on mistakes made at random in layers as people write them: the layers are right, each mistake is
one edit, none goes unnoticed, and what is said of it is said again, and so, at other points."""

import json
from pathlib import Path

import numpy as np
import pytest

from minirnn.cli import main
from minirnn.gradcheck import check_cell, recurrent, score, written
from minirnn.gradcheck.mistakes import mistakes

COMMITTED = Path(__file__).parent / "score.json"  # minirnn gradcheck --score 500 --json


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
    made = [mistake for style in written.STYLES for mistake in mistakes(style, cell)]
    assert len(made) >= 700 and len({(m.style, m.source) for m in made}) == len(made)
    problem = recurrent.random_problem(score.KINDS[cell], T=5, B=4, D=6, H=3)
    truth = recurrent.gradients(problem)
    shown = [score._shows(score.claim_of(m.style, cell, m.backward), problem, truth) for m in made[::9]]
    assert 0.5 < np.mean(shown) < 1


@pytest.mark.parametrize(("style", "cell", "kinds"), [
    ("step", "lstm", ["the second factor is left out", "dc for dh", "a plus for a minus", "= for +=", "not reversed",
                      "not squared", "a mean for a sum", "not transposed", "clipped", "divided by the batch",
                      "divided by the steps", "the wrong sign", "twice", "left out", "zero", "dy of the step before",
                      "dh forgotten", "dc added at every step", "set anew at every step", "the first step is missed",
                      "dh cut off after a step", "i and f exchanged", "before the line above it"]),
    ("arrays", "gru", ["[t - 1] for [t]", "[0] for [t]", "[-1] for [t + 1]", "[t] for [t + 1]", "[t, :, :H] for"]),
    ("gates", "gru", ["['z'] for ['n']", "Wh for Wx", "steps too few", "transposed"]),
    ("columns", "rnn", ["2 for 1", "summed over everything", "the operands exchanged", "dy in reverse order"]),
])
def test_mistakes_are_of_every_kind_that_people_make(style, cell, kinds):
    words = [m.words.partition(": ")[2] for m in mistakes(style, cell)]
    missing = [kind for kind in kinds if not any(w.startswith(kind) for w in words)]
    assert missing == []


@pytest.mark.parametrize("cell", written.CELLS)
def test_some_mistakes_are_noticed_and_most_are_named_rightly(cell):
    found = score.score(cell, 8, seed=1)
    assert found["made"] == 8 and found["missed"] == found["false"] == [] and found["right"] == found["named"] >= 6
    assert len(found["unnamed"]) == 8 - found["named"]


def test_words_that_are_not_so_are_false():
    kind = score.KINDS["lstm"]
    right = next(m for m in mistakes("step", "lstm") if m.words == "line 13: the first factor is left out: di * i")
    claim = score.claim_of("step", "lstm", right.backward)
    start, should = "one step, a loss on c: da_i is ", ", it should be dc * i * (1 - i) * g"
    assert score.holds(f"{start}i * (1 - i){should}", kind, claim)
    assert not score.holds(f"{start}dc * i * (1 - i){should}", kind, claim)
    assert not score.holds(f"{start}i * (1 - i), it should be dc * i * g", kind, claim)
    assert not score.holds("one step, a loss on c: dc_prev is 2 times the right one", kind, claim)
    assert not score.holds("one step, a loss on c: weight_hh gates i, f is made with f", kind, claim)
    assert score.holds("one step, a loss on c: weight_hh gate i is made with f", kind, claim)
    assert not score.holds("one step, a loss on c: bias_ih gate i has the wrong sign", kind, claim)


def test_only_words_that_cover_every_wrong_array_name_a_mistake():
    problem = recurrent.random_problem(score.KINDS["rnn"], T=5, B=4, D=6, H=3)

    def claim(p, both):
        got = recurrent.gradients(p)
        other = got["bias_hh"] if both else got["bias_hh"] + np.arange(3)
        return {**got, "bias_ih": got["bias_ih"] * (len(p.x) + 1), "bias_hh": other}

    named = score.said(check_cell(problem, lambda p: claim(p, True)))
    assert any("bias_ih is" in line for line in named)
    lines = ("x is 2 times the right one", "wrong: x, h0", "in time: wrong")
    finding = check_cell(problem, lambda p: {n: g + (n in ("x", "h0")) for n, g in recurrent.gradients(p).items()})
    assert score.said(finding.with_diagnosis(lines)) == set()
    assert score.said(finding.with_diagnosis((*lines, "h0 is zero"))) == {"x is 2 times the right one", "h0 is zero"}


def test_the_committed_figures_are_those_of_the_command_and_hold(capsys):
    kept = json.loads(COMMITTED.read_text())
    assert [row["cell"] for row in kept] == list(written.CELLS)
    assert main(["gradcheck", "--score", "1", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    for row, now in zip(kept, printed):
        assert list(row) == list(now) and row["possible"] == now["possible"]
        assert row["made"] >= 500 and row["missed"] == []
        assert row["recall"] == round(row["named"] / row["made"], 4) >= 0.8
        assert row["precision"] == round(row["right"] / row["named"], 4) >= 0.99
        assert row["named"] + len(row["unnamed"]) == row["made"] <= row["possible"]
        assert row["named"] - len(row["false"]) == row["right"]


def test_a_score_of_nothing_is_refused(capsys):
    assert main(["gradcheck", "--score", "0"]) == 2
    assert main(["gradcheck", "lstm", "--score", "5"]) == 2
    assert "got more than one" in capsys.readouterr().err


def test_the_score_is_printed_a_line_a_cell(capsys, monkeypatch):
    kept = {row["cell"]: row for row in json.loads(COMMITTED.read_text())}
    monkeypatch.setattr(score, "score", lambda cell, *_: kept[cell])
    assert main(["gradcheck", "--score", "500"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(written.CELLS)
    for line, row in zip(lines, kept.values()):
        assert f" 500 mistakes: 0 not noticed, {row['named']} named in words ({row['recall']:.1%})" in line
    monkeypatch.setattr(score, "score", lambda cell, *_: {**kept[cell], "missed": ["one"]})
    assert main(["gradcheck", "--score", "500"]) == 1

"""Every planted bug must be found, and be called by its name."""

from functools import cache

import numpy as np
import pytest

from minirnn.cells import CELLS, GRU, LSTM
from minirnn.gradcheck import Verdict, bugs, mutants, recurrent
from minirnn.gradcheck.cells import check_cell, measure_cell
from minirnn.gradcheck.signatures import nearest

KINKED = ("rnn-relu", "rnn-identity", "lstm-relu")  # where mistakes look alike that tanh tells apart
TOLD_APART = [cell for name, cell in CELLS.items() if name not in KINKED]
TYPED = [pytest.param(c, m, id=f"{c} {m.says}") for c in TOLD_APART for m in bugs.BUGS if m.applies(c)]
DERIVED = [pytest.param(c, m, id=f"{c} {m.says}") for c in TOLD_APART
           for m in mutants.mutants_of(c) if m not in bugs.BUGS]
FULLY = [*TYPED, *DERIVED[::20]]  # through the whole check; it takes the derived ones a minute


@cache
def measured(cell):
    """One point with dropout masks and padding, at which every mutant shows, and its measured slopes."""
    problem = recurrent.random_problem(cell, T=5, masked=True, padded=True)
    return problem, measure_cell(problem)


@pytest.mark.parametrize("cell", TOLD_APART, ids=str)
def test_the_right_gradient_passes_where_mutants_are_planted(cell):
    problem, measurement = measured(cell)
    finding = check_cell(problem, measurement=measurement)
    assert finding.verdict is Verdict.PASS, str(finding)
    assert finding.error < 1e-12


@pytest.mark.parametrize("cell, mutant", FULLY)
def test_planted_bug_is_found_and_named(cell, mutant, record_property):
    record_property("mutant", f"{cell}: {mutant.says}")
    problem, measurement = measured(cell)
    finding = check_cell(problem, lambda p: mutants.gradients(mutant, p), measurement=measurement)
    assert finding.verdict is Verdict.WRONG
    assert f"looks like: {mutant.says}" in finding.diagnosis, str(finding)
    assert sum(line.startswith("looks like") for line in finding.diagnosis) == 1, "another mistake looks the same"


@pytest.mark.parametrize("cell, mutant", DERIVED)
def test_derived_bug_is_told_from_every_other_by_what_was_measured(cell, mutant, record_property):
    record_property("mutant", f"{cell}: {mutant.says}")
    problem, measurement = measured(cell)
    truth = measured_gradients(cell)
    claimed = mutants.gradients(mutant, problem)
    assert nearest(problem, claimed, truth) == ((mutant,), None)


@cache
def measured_gradients(cell):
    """The gradients by the measurement alone: no backward has touched them."""
    problem, measurement = measured(cell)
    finding = check_cell(problem, measurement=measurement)
    return {t.name: t.measured for t in finding.tensors}


def test_every_mutant_is_planted_somewhere():
    planted = {mutant for cell in TOLD_APART for mutant in mutants.mutants_of(cell)}
    assert planted >= set(bugs.BUGS) and len(bugs.BUGS) >= 20


FAMILIES = {
    "the sigmoid derivative of the {gate} is forgotten": ("lstm", ("input gate", "forget gate", "output gate")),
    "the sigmoid derivative of the {gate}": ("gru", ("reset gate is written 1 - r", "update gate is written 1 - z")),
    "the tanh derivative of the {gate} is forgotten": ("lstm", ("candidate", "memory")),
    "the tanh derivative of the {gate} is written 1 - n, not 1 - n^2": ("gru-reset-after", ("candidate",)),
    "the {gate}'s gradient misses the factor dc": ("lstm", ("input gate", "forget gate", "candidate")),
    "the sequence is truncated: the gradient stops {gate} before the end": ("rnn", ("1 step", "2 steps", "3 steps")),
    "{gate} from the next step is dropped: each step sees only its own loss": ("lstm", ("dh", "dc")),
    "the gradient of the final state {gate} is added at every step": ("lstm", ("h_T", "c_T")),
    "{gate} is overwritten, not summed: only the first time step counts": ("gru", ("weight_ih", "bias_hh")),
    "{gate} is read from the step before, not from the step itself": ("lstm", ("i", "f", "c_{t-1}", "phi(c_t)")),
    "the gates' gradients are stacked {gate}, not i f g o": ("lstm", ("i f o g", "f i g o", "o g f i")),
    "the loss's gradient is {gate}": ("rnn", ("divided by T", "divided by B", "added twice", "taken in reverse order")),
    "the loop back through time is not {gate}": ("gru", ("reversed",)),
}


@pytest.mark.parametrize("words", FAMILIES)
def test_the_derivation_makes_every_family_of_mistakes(words):
    cell, gates = FAMILIES[words]
    says = {mutant.says for mutant in mutants.mutants_of(CELLS[cell])}
    for gate in gates:
        assert words.format(gate=gate) in says


def test_an_lstm_has_every_order_of_its_gates_and_nothing_is_derived_twice():
    derived = [m.says for m in mutants.mutants_of(LSTM())]
    assert sum("stacked" in says for says in derived) == 23 and len(set(derived)) == len(derived)


def test_a_mutant_whose_fragment_is_gone_from_the_source_says_so():
    stale = bugs.Mutant("nothing", LSTM.step_backward, (("no such line", ""),))
    with pytest.raises(LookupError, match="LSTM.step_backward has 0 times 'no such line', not once"):
        mutants.gradients(stale, measured(LSTM())[0])


def test_planting_a_bug_leaves_the_cell_itself_right():
    problem, _ = measured(LSTM())
    before = recurrent.gradients(problem)
    for mutant in mutants.mutants_of(problem.cell):
        mutants.gradients(mutant, problem)
    for name, after in recurrent.gradients(problem).items():
        np.testing.assert_array_equal(after, before[name])


def test_a_bug_no_catalogue_has_is_described_block_by_block():
    problem, measurement = measured(LSTM())

    def claim(p):
        got = recurrent.gradients(p)
        H = p.x.shape[1] and got["bias_ih"].size // 4
        weight = got["weight_hh"].copy()
        weight[H : 2 * H] = got["weight_hh"][2 * H : 3 * H]
        return {**got, "x": -got["x"], "weight_hh": weight, "bias_ih": 3 * got["bias_ih"]}

    finding = check_cell(problem, claim, measurement=measurement)
    assert finding.verdict is Verdict.WRONG
    text = "\n".join(finding.diagnosis)
    assert "x has the wrong sign" in text
    assert "weight_hh gate f is the gate g gradient" in text
    assert "bias_ih is 3 times the right one" in text
    assert "right: h0, c0, weight_ih, bias_hh" in text
    assert "looks like" not in text


def test_two_bugs_at_once_resemble_the_larger():
    problem, measurement = measured(GRU())
    large, small = (
        next(m for m in bugs.gru.BUGS if says in m.says) for says in ("(z for", "gal")
    )

    def claim(p):
        one, other, truth = mutants.gradients(large, p), mutants.gradients(small, p), recurrent.gradients(p)
        return {n: one[n] + 0.1 * (other[n] - truth[n]) for n in truth}

    finding = check_cell(problem, claim, measurement=measurement)
    assert any(line.startswith("resembles") and large.says in line for line in finding.diagnosis), str(finding)


def test_diagnosis_places_the_worst_entry_and_the_first_wrong_step():
    problem, measurement = measured(LSTM())
    mutant = next(
        m for m in mutants.mutants_of(problem.cell) if m.says.startswith("the sigmoid derivative of the output")
    )
    finding = check_cell(problem, lambda p: mutants.gradients(mutant, p), measurement=measurement)
    weight = next(t for t in finding.tensors if t.name == "weight_ih")
    assert "gate o" in weight.place and "unit" in weight.place
    assert "time step t =" in next(t for t in finding.tensors if t.name == "x").place
    assert finding.diagnosis[0] == "smallest wrong case:"
    assert finding.diagnosis[1].startswith("  one step, a loss on h: da_o is dh * tanh(c), it should be dh * o *")
    at = next(line for line in finding.diagnosis if line.startswith("a loss at t = 0 alone"))
    assert "bias_ih (gate o)" in at

"""Checks of tape code, and the suite: complete, and as sharp as promised."""

import importlib

import numpy as np
import pytest

from minirnn import nn, ops
from minirnn.autograd import Tensor, record
from minirnn.cells import GRU, LSTM, RNN
from minirnn.errors import DtypeError, InputError
from minirnn.gradcheck import Verdict, check, check_cell, random_problem, recurrent, suite, suite_ops
from minirnn.models import registry


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def broken_tanh(slope):
    """tanh with a derivative of one's own, written with tape operations or, if it returns arrays, cut from the tape."""

    def broken(x):
        value = np.tanh(x.value)
        return record("broken tanh", value, (x,), lambda dy: (slope(dy, x, value),))

    return broken


@pytest.mark.parametrize("order", [1, 2])
def test_a_function_of_tensors_passes(order):
    finding = check(lambda x, w: ops.tanh(ops.matmul(x, w)), (normal(3, 5), normal(5, 2)), order=order)
    assert finding.verdict is Verdict.PASS, str(finding)
    assert [t.name for t in finding.tensors][:2] == ["x", "w"]


def test_a_wrong_vjp_is_found_and_described():
    finding = check(broken_tanh(lambda dy, x, y: dy * 2 * Tensor(1 - y * y)), normal(3, 5))
    assert finding.verdict is Verdict.WRONG
    assert finding.diagnosis == ("the gradient of x is 2 times the right one",)


def test_a_vjp_that_is_right_but_cut_from_the_tape_is_wrong_in_second_order_only():
    cut = broken_tanh(lambda dy, x, y: dy * Tensor(1 - y * y))
    assert check(cut, normal(3, 5)).verdict is Verdict.PASS
    finding = check(cut, normal(3, 5), order=2)
    assert finding.verdict is Verdict.WRONG
    assert "the gradient of x is zero" in finding.diagnosis


def test_a_modules_parameters_are_checked_and_left_as_they_were():
    layer = nn.Linear(5, 2, rng=0, dtype=np.float64)
    before = {name: p.value.copy() for name, p in layer.named_parameters()}
    for order in (1, 2):
        finding = check(layer, normal(3, 5), order=order)
        assert finding.verdict is Verdict.PASS
        assert {"x", "weight", "bias"} <= {t.name for t in finding.tensors}
    for name, p in layer.named_parameters():
        np.testing.assert_array_equal(p.value, before[name])
        assert p.grad is None


def test_nested_results_are_checked_as_one():
    finding = check(nn.LSTM(5, 2, rng=0, dtype=np.float64), normal(4, 3, 5))
    assert finding.verdict is Verdict.PASS and len(finding.tensors) == 5


def test_float32_modules_pass_at_their_precision():
    finding = check(nn.GRU(5, 2, rng=0), normal(4, 3, 5).astype(np.float32))
    assert finding.verdict is Verdict.PASS and finding.dtype == "float32"


def test_a_result_without_a_gradient_and_another_order_are_refused():
    with pytest.raises(InputError, match="does not depend on any of its inputs"):
        check(lambda x: Tensor(np.ones(3)), normal(3))
    with pytest.raises(InputError, match="order must be 1 or 2, got 3"):
        check(ops.tanh, normal(3), order=3)


def test_every_operation_has_a_case():
    covered = {name.split()[0] for name in suite_ops.CASES}
    exported = set(ops.__all__)
    assert set(suite_ops.NOT_DIFFERENTIABLE) <= exported
    assert covered == exported - set(suite_ops.NOT_DIFFERENTIABLE)


def test_every_layer_loss_and_model_has_a_case():
    exported = [getattr(nn, name) for name in nn.__all__]
    layers = {c.__name__ for c in exported if isinstance(c, type) and issubclass(c, nn.Module) and c is not nn.Module}
    assert layers == {name.split()[0].rstrip(",") for name in suite.LAYERS}
    losses = {f.__name__ for f in exported if getattr(f, "__module__", "") == "minirnn.nn.losses"}
    assert losses == {name.split()[0].rstrip(",") for name in suite.LOSSES}
    rooms = [importlib.import_module(f"minirnn.models.{model.folder}") for model in registry.MODELS.values()]
    found = {n for room in rooms for n, c in vars(room).items() if isinstance(c, type) and issubclass(c, nn.Module)}
    assert found == set(suite.MODELS) == {case for model in registry.MODELS.values() for case in model.cases}


CELL_CASES = [case for case in suite.cases() if case.kind == "cell"]
CHEAP = [case for case in suite.cases() if case.kind in ("op", "loss", "model")]


@pytest.mark.parametrize("case", CHEAP, ids=lambda case: f"{case.kind} {case.name}")
def test_suite_case_passes_with_the_v_at_most_1e_minus_8_deep(case):
    row = case.run()
    assert row.verdict is Verdict.PASS, "\n".join(str(part.finding) for part in row.parts)
    assert row.error <= 1e-8 and row.bottom <= 1e-8


@pytest.mark.parametrize("case", CELL_CASES, ids=lambda case: case.name)
def test_suite_cell_passes_in_all_its_forms(case):
    row = case.run()
    assert row.verdict is Verdict.PASS, str(row.parts)
    assert row.error <= 1e-12 and row.bottom <= 1e-8
    errors = {part.label: part.error for part in row.parts}
    assert errors["composed"] <= 1e-12
    if "fused" in errors:
        assert errors["fused"] <= 1e-12 and errors["fused float32"] <= 1e-5


@pytest.mark.parametrize("cell", [RNN(), LSTM(), GRU(), GRU(reset_after=True)], ids=str)
@pytest.mark.parametrize("form", ["explicit", "fused"])
def test_float32_cells_pass_at_their_precision(cell, form):
    problem = random_problem(cell, dtype=np.float32, padded=True, masked=True)
    finding = check_cell(problem, lambda p: recurrent.gradients(p, form=form))
    assert finding.verdict is Verdict.PASS, str(finding)


def test_a_wrong_fused_gradient_would_be_diagnosed():
    """The diagnosis works for any form: here the fused kernel's, with a gate's bias taken from another."""
    problem = random_problem(LSTM(), padded=True)

    def claim(p):
        got = recurrent.gradients(p, form="fused")
        for name in ("bias_ih", "bias_hh"):
            got[name] = got[name].copy()
            got[name][0:2] = got[name][2:4]
        return got

    finding = check_cell(problem, claim)
    assert "looks like: b_i receives the forget gate's delta" in finding.diagnosis, str(finding)


def test_another_librarys_module_is_refused_in_one_line():
    class Theirs:
        named_parameters = lambda self: [("weight", np.ones(3))]
        __call__ = lambda self, x: x

    with pytest.raises(DtypeError, match="Module of minirnn's, got Theirs with a parameter of numpy"):
        check(Theirs(), [np.ones(3)])


def test_names_find_cases_by_kind_and_first_word():
    assert [case.name for case in suite.named("norm")] == ["norm", "norm of all"]
    assert [case.name for case in suite.named("norm of all")] == ["norm of all"]
    kinds = lambda name: {(case.kind, case.name) for case in suite.named(name)}
    assert kinds("tanh") == {("op", "tanh"), ("layer", "Tanh")} and kinds("op tanh") == {("op", "tanh")}
    assert kinds("lstm") == {("cell", "lstm")} and kinds("GRU") == {("cell", "gru")}
    assert ("layer", "LSTM") in kinds("layer lstm")
    assert kinds("gru-slides") == {("cell", "gru-slides")}
    assert kinds("cross_entropy") == {("loss", "cross_entropy")}
    assert kinds("nothing") == set()

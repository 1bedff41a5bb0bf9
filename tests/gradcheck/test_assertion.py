"""``assert_gradients``: by itself, and as the fixture that pytest gives to other people's tests."""

import subprocess
import sys
from importlib.metadata import entry_points

import numpy as np
import pytest

import minirnn
from minirnn import nn, ops
from minirnn.cells import LSTM
from minirnn.errors import InputError
from minirnn.gradcheck import assert_gradients, check_vjp, random_problem, recurrent

A = np.random.default_rng(0).standard_normal((3, 4))
RIGHT = lambda dy, x: dy * np.cos(x)
WRONG = lambda dy, x: 2 * dy * np.cos(x)

THEIRS = """
import numpy as np

def forward(x, w):
    return np.tanh(x @ w)

def backward(dy, x, w):
    da = dy * (1 - np.tanh(x @ w) ** 2)
    return da @ w.T, x.T @ da

def wrong(dy, x, w):
    dx, dw = backward(dy, x, w)
    return dx, -dw

ARGS = [np.linspace(-1, 1, 6).reshape(2, 3), np.linspace(1, 2, 12).reshape(3, 4)]

def test_right(assert_gradients):
    assert_gradients(forward, backward, ARGS)

def test_wrong(assert_gradients):
    assert_gradients(forward, wrong, ARGS)
"""


def run(folder, *options):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, str(folder)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture
def project(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\nfilterwarnings = error\n")
    (tmp_path / "test_theirs.py").write_text(THEIRS)
    return tmp_path


def test_a_project_gets_the_fixture_and_a_wrong_gradient_fails_with_the_report_alone(project):
    ran = run(project, "--color=no")
    assert ran.returncode == 1 and "1 failed, 1 passed" in ran.stdout, ran.stdout + ran.stderr
    shown = [line for line in ran.stdout.splitlines() if line.startswith(("E  ", ">", "test_theirs.py:"))]
    assert shown[0].split() == [">", "assert_gradients(forward,", "wrong,", "ARGS)"]
    assert "AssertionError: forward: WRONG  worst relative error" in shown[1]
    assert any(line.endswith("the gradient of w has the wrong sign") for line in shown)
    assert "assertion.py" not in ran.stdout and "Traceback" not in ran.stdout


def test_without_the_plugin_pytest_runs_as_before(project):
    ran = run(project, "-p", "no:minirnn")
    assert ran.returncode == 1 and "fixture 'assert_gradients' not found" in ran.stdout


def test_pytest_is_told_of_the_plugin_and_loading_it_loads_nothing_else():
    (found,) = entry_points(group="pytest11", name="minirnn")
    assert found.value == "minirnn.pytest_plugin"
    code = f"import sys, {found.value}; print([m for m in ('numpy', 'numba', 'minirnn.gradcheck') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_pytest_does_not_warn_where_minirnn_was_imported_before_it():
    """Installed from a wheel, pytest would rewrite the asserts of all of minirnn, and warn where it is too late."""
    assert "PYTEST_DONT_REWRITE" in minirnn.__doc__


def test_the_fixture_is_the_function(request):
    assert request.getfixturevalue("assert_gradients") is assert_gradients


def test_right_gradients_of_every_kind_pass_without_a_word():
    assert assert_gradients(np.sin, RIGHT, [A]) is None
    assert_gradients(np.sin, vjp=RIGHT, args=[A], rtol=1e-7)
    assert_gradients(nn.Linear(4, 2, rng=0, dtype=np.float64), [A])
    assert_gradients(ops.tanh, inputs=[A])
    assert_gradients(random_problem(LSTM()))
    assert_gradients(check_vjp(np.sin, RIGHT, [A]))


def test_wrong_gradients_of_every_kind_fail_with_the_report():
    with pytest.raises(AssertionError, match="the gradient of x is 2 times the right one"):
        assert_gradients(np.sin, WRONG, [A], names=["x"])
    finding = check_vjp(np.sin, WRONG, [A])
    with pytest.raises(AssertionError) as raised:
        assert_gradients(finding)
    assert str(raised.value) == str(finding)
    claim = lambda p: {**recurrent.gradients(p), "c0": 0 * p.arrays["c0"]}
    with pytest.raises(AssertionError, match="wrong: c0"):
        assert_gradients(random_problem(LSTM()), claim)
    detached = lambda x: ops.tanh(x) * ops.tanh(x).detach()
    with pytest.raises(AssertionError, match="the gradient of x is 0.5 times the right one"):
        assert_gradients(detached, [A])


def test_what_is_not_decided_fails_with_advice():
    rough = lambda x: np.sin(x) + 1e9  # its slopes drown in its rounding
    with pytest.raises(AssertionError, match="UNDECIDABLE(.|\n)*advice: take float64"):
        assert_gradients(rough, RIGHT, [A], complex_step=False)
    with pytest.raises(AssertionError, match="KINK(.|\n)*advice: .* away from the kink"):
        assert_gradients(np.abs, lambda dy, x: dy * np.sign(x), [np.array([0.0, 1.0])])
    rng = np.random.default_rng(0)
    with pytest.raises(AssertionError, match="NON-DETERMINISTIC(.|\n)*advice: .* seed"):
        assert_gradients(lambda x: x * rng.random(), lambda dy, x: dy, [A])


@pytest.mark.parametrize("given", [(np.sin,), (np.sin, RIGHT), (3, RIGHT, [A]), (np.sin, RIGHT, [A], 1), (float, A)])
def test_anything_else_is_one_clear_line(given):
    with pytest.raises(InputError, match="what it is given must be f, vjp, args; or"):
        assert_gradients(*given)


def test_a_finding_is_asserted_as_it_is():
    finding = check_vjp(np.sin, RIGHT, [A])
    with pytest.raises(InputError, match="got Finding, ndarray"):
        assert_gradients(finding, A)
    with pytest.raises(InputError, match="got Finding"):
        assert_gradients(finding, rtol=1e-3)

"""What people hand to ``minirnn gradcheck FILE.py:forward,backward``, and what they must be told."""

import json

import numpy as np
import pytest

from minirnn.cli import main
from minirnn.gradcheck import Verdict, check_vjp

TANH = "import numpy as np\ndef forward(x, w): return np.tanh(x @ w)\n"
RIGHT = """def backward(dy, x, w):
    da = dy * (1 - np.tanh(x @ w) ** 2)
    return da @ w.T, x.T @ da
"""


@pytest.fixture
def told(tmp_path, capsys):
    """told(code, *options) -> (exit status, standard output, standard error) of a check of the code."""

    def run(code, *options, functions="forward,backward"):
        (tmp_path / "own.py").write_text(code)
        status = main(["gradcheck", f"{tmp_path / 'own.py'}:{functions}", *options])
        return status, *capsys.readouterr()

    return run


SHAPES = ("--shapes", "3,4", "4,2")


@pytest.mark.parametrize("backward, words", [
    ("def backward(dy, x, w): return None, None\n", "claimed for x, w: did backward forget its return?"),
    (RIGHT.replace(", x.T @ da", ", None"), "claimed for w: return it, or declare the argument constant"),
    (RIGHT.replace("return da @ w.T, x.T @ da", "x.T @ da"), "the number of gradients"),
])
def test_a_gradient_that_was_not_claimed_never_passes(told, backward, words):
    status, out, err = told(TANH + backward, *SHAPES)
    assert status != 0 and words in out + err and "PASS" not in out.split("\n")[0]


def test_an_argument_may_be_declared_constant(told):
    code = TANH + RIGHT.replace("return da @ w.T", "return None")
    status, out, _ = told(code, *SHAPES, "--constant", "x")
    assert status == 0 and "declared constant, not checked: x" in out
    status, _, err = told(code, *SHAPES, "--constant", "y")
    assert status == 2 and "constants must be names of arguments (x, w), got 'y'" in err


@pytest.mark.parametrize("code", [
    "import sys\nsys.exit(0)\n" + TANH + RIGHT, TANH + "def backward(dy, x, w):\n    raise SystemExit(0)\n",
])
def test_code_that_exits_has_not_passed(told, code):
    status, _, err = told(code, *SHAPES)
    assert status == 2 and "SystemExit: 0 (own.py, line 2)" in err or "SystemExit: 0 (own.py, line 4)" in err


@pytest.mark.parametrize("result, words", [
    ("None", "forward: its result must be an array or a number, got NoneType; did it forget its return?"),
    ("'text'", "got str"), ("{'y': np.tanh(x)}", "got dict"), ("(a for a in x)", "got generator"),
    ("[np.tanh(x), None]", "forward: result 1 must be an array or a number, got NoneType"),
])
@pytest.mark.parametrize("options", [("--shapes", "3,4"), ("--cell", "rnn")])
def test_results_that_are_no_arrays_are_one_clear_line(told, result, words, options):
    code = f"import numpy as np\ndef forward(x, *rest): return {result}\ndef backward(dy, *args): return dy\n"
    status, _, err = told(code, *options)
    assert status == 2 and err.count("\n") == 1
    assert words.split("got")[-1] in err


def test_gradients_that_are_no_arrays_and_functions_without_names(told):
    code = TANH + "class Call:\n    def __call__(self, dy, x, w): return {'x': dy}, None\nbackward = Call()\n"
    status, _, err = told(code, *SHAPES)
    assert status == 2 and "the gradient of x must be an array or a number, got dict" in err
    again = "import functools\nforward, backward = map(functools.partial, (forward, backward))\n"
    code = TANH + RIGHT + again
    assert told(code, *SHAPES)[0] == 0


def test_what_a_function_prints_does_not_spoil_json(told):
    code = "print('on import')\n" + TANH.replace("return", "print('debug', x.shape); return") + RIGHT
    status, out, err = told(code, *SHAPES, "--json")
    assert status == 0 and json.loads(out)["verdict"] == "PASS"
    assert err.splitlines() == ["on import", "debug (3, 4)"]


ACCUMULATE = """import numpy as np
class Linear:
    def __init__(self, W): self.W, self.dW = W, np.zeros_like(W)
    def forward(self, x): self.x = x; return x @ self.W.T
    def backward(self, dy): self.dW += dy.T @ self.x; return dy @ self.W
layer = Linear(np.zeros((2, 4)))
def forward(x, W): layer.W = W; return layer.forward(x)
def backward(dy, x, W): layer.W = W; layer.forward(x); return layer.backward(dy), layer.dW
"""


def test_gradients_that_add_up_over_calls_are_non_deterministic(told):
    status, out, _ = told(ACCUMULATE, "--shapes", "5,4", "2,4")
    assert status == 1 and "NON-DETERMINISTIC" in out and "different gradients of W; it adds up: did you" in out


RNN = """import numpy as np
def run(x, h, wx, wh, b, c):
    hs = [h]
    for x_t in x:
        hs.append(np.tanh(x_t @ wx.T + b + hs[-1] @ wh.T + c))
    return np.stack(hs)
def forward(*args):
    hs = run(*args)
    return hs[1:], hs[-1]
KEPT = {}
def backward(d, x, h0, wx, wh, b, c):
    dy, dh = d
    hs, dx, dwx, dwh, db = run(x, h0, wx, wh, b, c), np.zeros_like(x), 0 * wx, 0 * wh, 0 * b
    for t in reversed(range(len(x))):
        DH
        da = dh * (1 - hs[t + 1])
        dx[t], dh = da @ wx, da @ wh
        dwx, dwh, db = dwx + da.T @ x[t], dwh + da.T @ hs[t], db + da.sum(0)
    RETURN
"""
KEEP = """for k, g in enumerate((dx, dh, dwx, dwh, db, db)):
        KEPT.setdefault(k, np.empty_like(g))[...] = g
    return [KEPT[k] for k in range(6)]"""


@pytest.mark.parametrize("step", ["dh = dh + dy[t]", "dh += dy[t]", "dy[t] += dh; dh = dy[t]"])
@pytest.mark.parametrize("end", ["return dx, dh, dwx, dwh, db, db", KEEP])
def test_code_that_writes_into_what_it_is_given_or_keeps_what_it_returns_gets_the_same_diagnosis(told, step, end):
    clean = RNN.replace("DH", "dh = dh + dy[t]").replace("RETURN", "return dx, dh, dwx, dwh, db, db")
    want = told(clean, "--cell", "rnn")
    got = told(RNN.replace("DH", step).replace("RETURN", end), "--cell", "rnn")
    assert want[0] == got[0] == 1 and "WRONG" in want[1]
    at_any_size = lambda text: [line for line in text.splitlines() if not line.startswith("  one step")]
    assert at_any_size(got[1])[-3:] == at_any_size(want[1])[-3:]  # kept buffers have one size


@pytest.mark.parametrize("seed", ["0", "1", "2"])
@pytest.mark.parametrize("forward", [
    "y = np.empty(x.shape, dtype='f'); y[...] = np.tanh(x); return y", "return np.tanh(x.astype('f')).astype(float)",
])
def test_right_code_that_computes_in_float32_inside_is_not_wrong(told, forward, seed):
    code = f"import numpy as np\ndef forward(x):\n    {forward}\n"
    code += "def backward(dy, x): return dy * (1 - np.tanh(x) ** 2)\n"
    status, out, _ = told(code, "--shapes", "3,4", "--seed", seed)
    assert "WRONG" not in out and "WRONG" in told(code.replace("(1 -", "1.1 * (1 -"), "--shapes", "3,4")[1]


def test_a_gradient_of_another_float_type_is_noted(told):
    status, out, _ = told(TANH + RIGHT.replace("return da @ w.T", "return (da @ w.T).astype(float)"), *SHAPES,
                          "--dtype", "float32")
    assert status == 0 and "the gradient of x is float64, the argument float32" in out


def test_a_square_too_small_to_be_seen_is_not_wrong():
    finding = check_vjp(lambda x: x * x, lambda dy, x: 2 * x * dy, [np.array([1e-200])])
    assert finding.verdict is not Verdict.WRONG


def test_a_function_that_is_not_finite_says_so_on_standard_error(told):
    code = "import numpy as np\ndef forward(x): return x * np.nan\ndef backward(dy, x): return dy * np.nan\n"
    status, out, err = told(code, "--shapes", "2,3")
    assert status == 1 and "not finite" in err and "not finite at this point" in out


@pytest.mark.parametrize("options", [("--shapes", "²,3"), ("--shapes", "3,4", "--seed", "-1")])
def test_odd_digits_and_negative_seeds_are_refused(told, options):
    status, _, err = told(TANH + RIGHT, *options)
    assert status == 2 and err.count("\n") == 1 and "must be" in err


@pytest.mark.parametrize("shape", ["1000000,1000000", "99999999999999999999,3"])
def test_shapes_that_fit_no_memory_are_refused_in_a_line(told, shape):
    status, _, err = told(TANH + RIGHT, "--shapes", shape, "4,2")
    assert status == 2 and err.count("\n") == 1 and "--shapes must be small enough for the memory there is" in err

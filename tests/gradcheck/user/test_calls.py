"""How a user's backward may be called, what it may return, and whose gradient is whose."""

from pathlib import Path

import pytest

from minirnn.errors import InputError
from minirnn.gradcheck import Verdict, check_file

EXAMPLES = Path(__file__).parent.parent / "examples"
TWO = """import numpy as np
def forward(x, w):
    a = x @ w
    return np.tanh(a), a.sum(axis=1)
def gradients(dy, ds, x, w):
    da = dy * (1 - np.tanh(x @ w) ** 2) + ds[:, None]
    return da @ w.T, x.T @ da
"""
KEEPING = TWO.replace("return np.tanh(a), a.sum(axis=1)", "return np.tanh(a), a.sum(axis=1), {'x': x, 'w': w}")


@pytest.fixture
def found(tmp_path):
    """found(code, options) -> the Finding for functions forward and backward with x (3, 4) and w (4, 2)."""

    def check(code, **options):
        (tmp_path / "own.py").write_text(code)
        return check_file(f"{tmp_path / 'own.py'}:forward,backward", **{"shapes": ("3,4", "4,2"), **options})

    return check


@pytest.mark.parametrize("backward", [
    "def backward(d, x, w): return gradients(*d, x, w)",
    "def backward(dy, ds, x, w): return gradients(dy, ds, x, w)",
    "def backward(dy, ds, inputs, weights): return gradients(dy, ds, inputs, weights)",
    "def backward(d, *args): return gradients(*d, *args)",
    "def backward(dy, ds, x, w, verbose=False): return list(gradients(dy, ds, x, w))",
    "def backward(d, x, w): return dict(zip(('grad_x', 'w'), gradients(*d, x, w)))",
])
def test_a_backward_of_two_results_without_a_cache(found, backward):
    assert found(TWO + backward).verdict is Verdict.PASS
    assert found(TWO.replace("ds[:", "2 * ds[:") + backward).verdict is Verdict.WRONG


@pytest.mark.parametrize("backward", [
    "def backward(d, saved): return gradients(*d, **saved)",
    "def backward(dy, ds, cache): return gradients(dy, ds, **cache)",
    "def backward(cache, dy, ds): return gradients(dy, ds, **cache)",
    "def backward(dy, ds, whatever): return gradients(dy, ds, **whatever)",
    "def backward(dy, cache, ds=None): return gradients(dy, ds, **cache)",
    "def backward(dy, ds, cache, w): return gradients(dy, ds, cache['x'], w)",
])
def test_a_backward_of_two_results_with_a_cache_wherever_it_stands(found, backward):
    assert found(KEEPING + backward, saved=True).verdict is Verdict.PASS
    assert found(KEEPING.replace("ds[:", "2 * ds[:") + backward, saved=True).verdict is Verdict.WRONG


def test_a_backward_that_asks_about_the_first_result_alone_is_checked_for_that(found):
    code = TWO + "def backward(dy, x, w): return gradients(dy * np.ones((3, 2)), 0 * dy[:, 0], x, w)\n"
    finding = found(code)
    assert finding.verdict is Verdict.PASS
    assert "backward takes the gradient of 1 of the 2 results of forward" in finding.notes


def test_fewer_gradients_are_read_by_their_shapes_and_the_others_not_claimed(found):
    code = TWO + "def backward(d, x, w): return (gradients(*d, x, w)[1],)\n"
    assert found(code).unclaimed == ("x",) and found(code).verdict is Verdict.WRONG
    finding = found(code, constants=("x",))
    assert finding.verdict is Verdict.PASS
    assert "backward returns fewer gradients than there are arguments, by their shapes those of w" in finding.notes
    with pytest.raises(InputError, match="the number of gradients of own.py:forward,backward must be 2"):
        found(code, shapes=("4,4", "4,4"))


def test_a_dictionary_under_other_names_is_one_clear_line(found):
    with pytest.raises(InputError, match="gradients' names must be like dx or x, of x, w, got left, right"):
        found(TWO + "def backward(d, x, w): return dict(zip(('left', 'right'), gradients(*d, x, w)))\n")


@pytest.mark.parametrize("names", ["('x', 'w')", "('w', 'x')"])
def test_inputs_by_name_come_in_any_order(found, names):
    code = TWO + "def backward(d, x, w): return gradients(*d, x, w)\n"
    code += f"def inputs(): return {{k: {{'x': np.ones((3, 4)), 'w': np.eye(4)[:, :2]}}[k] for k in {names}}}\n"
    finding = found(code, shapes=())
    assert finding.verdict is Verdict.PASS and [t.shape for t in finding.tensors] == [(3, 4), (4, 2)]


def test_capitals_tell_two_weights_apart(tmp_path):
    code = """import numpy as np
class Both:
    def __init__(self): self.W, self.w = np.eye(2) + 0.3, np.eye(2) - 0.2
    def forward(self, x): self.x = x; return x @ self.W + x**2 @ self.w
    def backward(self, dy):
        self.dw, self.dW = (self.x**2).T @ dy, self.x.T @ dy
        return dy @ self.W.T + 2 * self.x * (dy @ self.w.T)
"""
    (tmp_path / "own.py").write_text(code)
    finding = check_file(f"{tmp_path / 'own.py'}:Both", shapes=("3,2",))
    assert finding.verdict is Verdict.PASS and "W from self.dW, w from self.dw" in finding.notes[0]


PAIR = """from caches import lstm_step_forward, lstm_step_backward
def forward(x, state, Wx, Wh, b):
    h, c, cache = lstm_step_forward(x, *state, Wx, Wh, b)
    return (h, c), cache
def backward(dstate, cache):
    dx, dh, dc, *dw = lstm_step_backward(*dstate, cache)
    return dx, (dh, dc), *dw
def again(dstate, x, state, Wx, Wh, b):
    return backward(dstate, forward(x, state, Wx, Wh, b)[1])
def plain(x, state, Wx, Wh, b): return forward(x, state, Wx, Wh, b)[0]
"""


@pytest.mark.parametrize("functions, saved", [("forward,backward", True), ("plain,again", False)])
def test_the_states_of_an_lstm_may_come_as_a_pair(tmp_path, functions, saved):
    (tmp_path / "caches.py").write_text((EXAMPLES / "caches.py").read_text())
    (tmp_path / "own.py").write_text(PAIR)
    finding = check_file(f"{tmp_path / 'own.py'}:{functions}", cell="lstm", saved=saved)
    assert finding.verdict is Verdict.PASS and [t.name for t in finding.tensors] == "x h0 c0 Wx Wh b".split()
    (tmp_path / "own.py").write_text(PAIR.replace("dx, (dh, dc)", "dx, (dh, 2 * dc)"))
    finding = check_file(f"{tmp_path / 'own.py'}:{functions}", cell="lstm", saved=saved)
    assert finding.verdict is Verdict.WRONG and "wrong: c0" in str(finding)


MORE = """import numpy as np
class Layer:
    def __init__(self, n_in, n_hidden): self.U, self.V = np.ones((n_hidden, n_in)), np.eye(n_hidden)
    def forward(self, xs, h0=None):
        self.hs = [np.zeros(len(self.V)) if h0 is None else h0]
        for x in xs: self.hs.append(np.tanh(self.U @ x + self.V @ self.hs[-1]))
        self.xs = xs
        return np.array(self.hs[1:])
    def backward(self, dhs):
        self.dU, self.dV, dh, dxs = 0, 0, 0, []
        for x, h, before, dy in list(zip(self.xs, self.hs[1:], self.hs, dhs))[::-1]:
            da = (dh + dy) * (1 - h**2)
            self.dU, self.dV, dh = self.dU + np.outer(da, x), self.dV + np.outer(da, before), self.V.T @ da
            dxs.insert(0, self.U.T @ da)
        return np.array(dxs), dh
"""


def test_a_class_with_matrices_of_any_name_that_returns_more_than_it_was_given(tmp_path):
    (tmp_path / "own.py").write_text(MORE)
    finding = check_file(f"{tmp_path / 'own.py'}:Layer", shapes=("4,3",))
    assert finding.verdict is Verdict.PASS and [t.name for t in finding.tensors] == ["xs", "U", "V"]
    assert "backward returns 2 gradients, the first are of xs" in finding.notes
    finding = check_file(f"{tmp_path / 'own.py'}:Layer", cell="rnn")
    assert finding.verdict is Verdict.PASS and [t.name for t in finding.tensors] == ["xs", "h0", "U", "V"]
    assert "rnn, weights (hidden, in), no bias, x (time, in)" in finding.notes[0]


def test_code_for_one_example_whose_backward_takes_a_batch_in_the_wrong_shape(tmp_path):
    text = (EXAMPLES / "columns.py").read_text().replace("dbh += da ", "dbh = dbh + da ")
    (tmp_path / "own.py").write_text(text)
    finding = check_file(f"{tmp_path / 'own.py'}:rnn_forward", cell="rnn", saved=True)
    assert finding.verdict is Verdict.PASS and "x (time, in, 1)" in finding.notes[0]


def test_a_layout_that_was_said_is_the_only_one_tried():
    target, options = f"{EXAMPLES / 'caches.py'}:lstm_forward", {"cell": "lstm", "saved": True}
    assert check_file(target, layout="batch,time", **options).verdict is Verdict.PASS
    with pytest.raises(InputError, match="forward"):
        check_file(target, layout="time,batch", **options)


def test_gates_in_the_users_letters_are_understood():
    target, options = f"{EXAMPLES / 'caches.py'}:lstm_forward", {"cell": "lstm", "saved": True}
    assert check_file(target, gates="ifoc", **options).verdict is Verdict.PASS
    coupled = check_file(f"{EXAMPLES / 'forms.py'}:coupled_forward", gates="ioc", **options)
    assert coupled.verdict is Verdict.PASS and "gates 1-f o g" in coupled.notes[0]

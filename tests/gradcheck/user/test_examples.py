"""Code as people write it: each form of ``examples/`` is taken as it is, and a mistake in it is found and named."""

from pathlib import Path

import pytest

from minirnn.gradcheck import Verdict
from minirnn.gradcheck.user.check import check_file

EXAMPLES = Path(__file__).parent.parent / "examples"
SAVED = {"saved": True}
LSTM, GRU, RNN = ({"cell": cell} for cell in ("lstm", "gru", "rnn"))
LATE = {"init": "(D,4*H), (H,4*H), (4*H,)"}

# target, options, names of what is checked, a note
FORMS = [
    ("caches.py:affine_forward,affine_backward", {"shapes": ["3,4", "4,2", "2"], **SAVED}, "x w b", ""),
    ("caches.py:embedding_forward", {"shapes": ["int6:3,4", "6,2"], **SAVED}, "table", ""),
    ("caches.py:rnn_step_forward", {**RNN, **SAVED}, "x prev_h Wx Wh b",
     "rnn, weights (in, hidden), one bias, x (batch, in), one step"),
    ("caches.py:lstm_step_forward", {**LSTM, **SAVED}, "x prev_h prev_c Wx Wh b",
     "gates i f o g, weights (in, hidden)"),
    ("caches.py:lstm_forward", {**LSTM, **SAVED}, "x h0 Wx Wh b", "x (batch, time, in)"),
    ("caches.py:lstm_forward", {**LSTM, **SAVED, "gates": "ifog", "layout": ["in,hidden", "batch,time"]},
     "x h0 Wx Wh b", "lstm, gates i f o g"),
    ("layers.py:Linear", {"shapes": ["3,4"]}, "x W b", "W from self.dW, b from self.db"),
    ("layers.py:Linear.forward,Linear.backward", {"shapes": ["3,4"], "init": "4, out_features=2"}, "x W b", ""),
    ("layers.py:Dense", {"shapes": ["3,4"]}, "X W b", "W from self.gradients.W"),
    ("layers.py:Affine", {"shapes": ["3,4"], "init": "(4,2), (2,)"}, "x params[0] params[1]",
     "params[1] from self.grads[1]"),
    ("layers.py:ready", {"shapes": ["5,4"]}, "x params[0] params[1]", ""),
    ("torchlike.py:Linear", {"shapes": ["3,4"]}, "x weight bias", "weight from self.weight.grad"),
    ("torchlike.py:Cell", LSTM, "x h c weight_ih weight_hh bias", "one bias, x (batch, in), one step"),
    ("torchlike.py:Cell", {**LSTM, "init": "5, 3"}, "x h c weight_ih weight_hh bias", "one step"),
    ("gates.py:forward", {**LSTM, **SAVED}, "xs h0 c0 Wxi Whi bi Wxf Whf bf Wxo Who bo Wxc Whc bc", "a matrix for each "
     "gate, weights (in, hidden)"),
    ("joint.py:forward", {**LSTM, **SAVED}, "X WLSTM", "a matrix over [1, x, h] as (in, hidden)"),
    ("figo.py:TimeLSTM", {**LSTM, **LATE}, "xs params[0] params[1] params[2]", "gates f i g o, weights (in, hidden)"),
    ("figo.py:TimeLSTM", {**LSTM, "init": "(4,12), (3,12), (12,)", "gates": "figo"},
     "xs params[0] params[1] params[2]", "x (batch, time, in)"),
    ("columns.py:lstm_cell_forward", {**LSTM, **SAVED}, "xt a_prev c_prev Wf bf Wi bi Wc bc Wo bo",
     "a matrix over [h, x] as (hidden, in), one bias, x (in, batch), one step"),
    ("columns.py:rnn_forward", {**RNN, **SAVED}, "inputs hprev Wxh Whh bh", "one bias, x (time, in, 1)"),
    ("caches.py:softmax_forward", {"shapes": ["3,4", "int4:3"], **SAVED}, "scores", "read as that of the loss itself"),
    ("layers.py:Remembering", {"shapes": ["3,4"]}, "x Wx Wh h", "Wh from self.dWh, h from self.dh"),
    ("layers.py:Remembering", {**RNN, "constants": ["h"]}, "x Wx Wh", "rnn, weights (in, hidden), no bias"),
    ("forms.py:peephole_forward", {**LSTM, **SAVED}, "x h c W U b p_i p_f p_o",
     "read as: lstm-peephole, gates i f g o"),
    ("forms.py:coupled_forward", {**LSTM, **SAVED}, "x h c W U b", "read as: lstm-coupled, gates 1-f o g"),
    ("forms.py:gru_forward", {**GRU, **SAVED}, "x h Wz Wr Wh Uz Ur Uh bz br bh", "gru, a matrix for each gate"),
    ("forms.py:gru_after_forward", {**GRU, **SAVED}, "x h W U b c", "read as: gru-reset-after, gates z r n"),
    ("packed.py:forward,backward,named", {}, "x first second", ""),
    ("packed.py:forward", {"shapes": ["3,4", "4,2", "2,5"]}, "x w[0] w[1]", ""),
    ("layer.ipynb:Tanh", {"shapes": ["3,4"]}, "x", "FileNotFoundError"),
    ("layer.ipynb:scale_forward", {"shapes": ["3,4", "4"], **SAVED}, "x s", ""),
]


@pytest.mark.parametrize("target, options, names, note", FORMS)
def test_right_code_in_every_form_passes_under_its_own_names(target, options, names, note):
    finding = check_file(str(EXAMPLES / target), **options)
    assert finding.verdict is Verdict.PASS, str(finding)
    assert [t.name for t in finding.tensors] == names.split()
    assert any(note in text for text in finding.notes) or not note, finding.notes


# file, what is replaced, by what, target, options, lines that must be there
MISTAKES = [
    ("caches.py", "di * i * (1 - i)", "di", "lstm_step_forward", {**LSTM, **SAVED},
     ["looks like: the sigmoid derivative of the input gate is forgotten",
      "a loss at t = 0 alone is wrong in: x, prev_h, Wx (gate i), Wh (gate i), b (gate i)"]),
    ("caches.py", "di * i * (1 - i)", "di", "lstm_forward", {**LSTM, **SAVED},
     ["looks like: the sigmoid derivative of the input gate is forgotten",
      "in time: wrong for a loss at t = 0, t = 1"]),
    ("caches.py", "da @ Wx.T, da @ Wh.T, x.T @ da, prev_h.T", "da @ Wx.T, da @ Wh.T, x.T @ da, next_h.T",
     "rnn_step_forward", {**RNN, **SAVED}, ["wrong: Wh", "right: x, prev_h, Wx, b"]),
    ("figo.py", "dc * g * i * (1 - i)", "dc * g", "TimeLSTM", {**LSTM, **LATE},
     ["looks like: the sigmoid derivative of the input gate is forgotten",
      "a loss at t = 0 alone is wrong in: xs, params[0] (gate i), params[2] (gate i)"]),
    ("figo.py", "h.T @ da", "(o * np.tanh(c)).T @ da", "TimeLSTM", {**LSTM, **LATE},
     ["looks like: params[1] uses h_t where h_{t-1} belongs", "'self.gates]), x, h_in, weights)' written as",
      "right: xs, params[0], params[2]"]),
    ("joint.py", "dc = dc * f", "dc = dc * i", "forward", {**LSTM, **SAVED},
     ["looks like: the gradient of c_{t-1} has i where f belongs", "WLSTM (its bias rows) (gates i, g)"]),
    ("gates.py", "dc * i * (1 - g**2)", "dc * i", "forward", {**LSTM, **SAVED},
     ["looks like: the tanh derivative of the candidate is forgotten",
      "a loss at t = 0 alone is wrong in: xs, h0, Wxc, Whc, bc"]),
    ("torchlike.py", "dc * f\n", "dc\n", "Cell", LSTM,
     ["looks like: the gradient of c_{t-1} misses the factor f", "right: x, h, weight_ih, weight_hh, bias"]),
    ("columns.py", "dbh += da", "dbh += dhs[t]", "rnn_forward", {**RNN, **SAVED},
     ["wrong: bh", "right: inputs, hprev, Wxh"]),
    ("layers.py", "self.h_prev.T @ da", "self.h.T @ da", "Remembering", {"shapes": ["3,4"]}, ["Wh  (2, 2)"]),
    ("caches.py", "return dscores / len(labels)", "return dscores", "softmax_forward",
     {"shapes": ["3,4", "int4:3"], **SAVED}, ["the gradient of scores is 3 times the right one"]),
    ("columns.py", '"dbc", "dbo"]', '"dbo", "dbc"]', "lstm_cell_forward", {**LSTM, **SAVED}, ["wrong: bc, bo"]),
    ("forms.py", "dc * (g - c) * i", "dc * g * i", "coupled_forward", {**LSTM, **SAVED},
     ["wrong: x, h, W (gate 1-f), U (gate 1-f), b (gate 1-f)", "looks like: the forget gate's gradient has the path"]),
    ("forms.py", "* f + da_i * p_i", "* f", "peephole_forward", {**LSTM, **SAVED},
     ["looks like: the input gate's peephole is missing from the gradient of c_{t-1}"]),
    ("forms.py", "dreset * r + dz", "dreset + dz", "gru_forward", {**GRU, **SAVED},
     ["dh_prev misses gate n, has gate n without r"]),
    ("forms.py", "da.sum(axis=0), db.sum(axis=0)", "da.sum(axis=0), da.sum(axis=0)", "gru_after_forward",
     {**GRU, **SAVED}, ["wrong: c (gate n)"]),
    ("layers.py", "self.db += dy.sum(axis=0)", "self.db += 2 * dy.sum(axis=0)", "Linear", {"shapes": ["3,4"]},
     ["the gradient of b is 2 times the right one"]),
    ("layers.py", 'self.gradients["b"] = dZ', 'self.gradients["b"] = -dZ', "Dense", {"shapes": ["3,4"]},
     ["the gradient of b has the wrong sign"]),
    ("torchlike.py", "self.bias.grad += dy", "self.bias.grad += 3 * dy", "Linear", {"shapes": ["3,4"]},
     ["the gradient of bias is 3 times the right one"]),
    ("layer.ipynb", "1 - self.y ** 2", "1 - self.y", "Tanh", {"shapes": ["3,4"]}, ["x  (3, 4)"]),
    ("packed.py", "x.T @ da)", "2 * x.T @ da)", "forward", {"shapes": ["3,4", "4,2", "2,5"]},
     ["the gradient of w[1] is 2 times the right one"]),
]


@pytest.mark.parametrize("file, right, wrong, target, options, words", MISTAKES)
def test_a_mistake_in_it_is_found_and_told_in_its_own_names(tmp_path, file, right, wrong, target, options, words):
    for neighbour in EXAMPLES.glob("*_helper.py"):
        (tmp_path / neighbour.name).write_text(neighbour.read_text())
    text = (EXAMPLES / file).read_text()
    assert right in text
    (tmp_path / file).write_text(text.replace(right, wrong))
    finding = check_file(f"{tmp_path / file}:{target}", **options)
    assert finding.verdict is Verdict.WRONG, str(finding)
    for said in words:
        assert said in str(finding), str(finding)


@pytest.mark.parametrize("missing, constants, verdict", [
    ("self.db += dy.sum(axis=0)", (), Verdict.WRONG), ("self.db += dy.sum(axis=0)", ("b",), Verdict.PASS),
])
def test_an_attribute_without_a_gradient_is_not_claimed(tmp_path, missing, constants, verdict):
    text = (EXAMPLES / "layers.py").read_text().replace(missing, "pass").replace("self.db = np.zeros", "np.zeros")
    (tmp_path / "layers.py").write_text(text)
    finding = check_file(f"{tmp_path / 'layers.py'}:Linear", shapes=["3,4"], constants=constants)
    assert finding.verdict is verdict, str(finding)
    assert (finding.unclaimed == ("b",)) == (not constants)


def test_an_object_that_cannot_be_copied_and_adds_up_forgot_to_zero(tmp_path):
    text = (EXAMPLES / "layers.py").read_text()
    locked = text.replace("    def forward(self, x):\n        self.x = x\n        return x @ self.W.T",
                          "        self.lock = (part for part in [])\n\n    def forward(self, x):\n        self.x = x\n"
                          "        return x @ self.W.T")
    assert locked != text
    (tmp_path / "layers.py").write_text(locked)
    finding = check_file(f"{tmp_path / 'layers.py'}:Linear", shapes=["3,4"])
    assert finding.verdict is Verdict.NON_DETERMINISTIC
    assert "gradients of W; it adds up: did you forget to zero it?" in finding.nondeterministic
    zero = "    def zero_grad(self):\n        self.dW[...] = self.db[...] = 0\n\n\nclass Dense"
    (tmp_path / "zeroing.py").write_text(locked.replace("class Dense", zero))
    assert check_file(f"{tmp_path / 'zeroing.py'}:Linear", shapes=["3,4"]).verdict is Verdict.PASS



@pytest.mark.parametrize("order", ["ifgo", "ogif", "gofi"])
def test_any_order_of_the_gates_is_found(tmp_path, order):
    text = (EXAMPLES / "caches.py").read_text()
    comma = ", ".join(order)
    text = text.replace("i, f, o, g = np.split", f"{comma} = np.split")
    parts = {"i": "di * i * (1 - i)", "f": "df * f * (1 - f)", "o": "do * o * (1 - o)", "g": "dg * (1 - g * g)"}
    text = text.replace(", ".join(parts[k] for k in "ifog"), ", ".join(parts[k] for k in order))
    (tmp_path / "own.py").write_text(text)
    finding = check_file(f"{tmp_path / 'own.py'}:lstm_step_forward", cell="lstm", saved=True)
    assert finding.verdict is Verdict.PASS and f"gates {' '.join(order)}," in finding.notes[0]


def test_what_a_step_returns_beside_its_states_is_checked_and_noted(tmp_path):
    code = (EXAMPLES / "caches.py").read_text() + """
def forward(x, h, Wx, Wh, b):
    y, cache = rnn_step_forward(x, h, Wx, Wh, b)
    return y, 7 * x.sum(axis=1), cache

def backward(dy, dsum, cache):
    dx, *rest = rnn_step_backward(dy, cache)
    return dx + 7 * dsum[:, None], *rest
"""
    (tmp_path / "own.py").write_text(code)
    finding = check_file(f"{tmp_path / 'own.py'}:forward,backward", cell="rnn", saved=True)
    assert finding.verdict is Verdict.PASS
    assert "result 1: checked, but nothing that a rnn returns" in finding.notes
    (tmp_path / "bad.py").write_text(code.replace("dx + 7 *", "dx + 6 *"))
    assert check_file(f"{tmp_path / 'bad.py'}:forward,backward", cell="rnn", saved=True).verdict is Verdict.WRONG

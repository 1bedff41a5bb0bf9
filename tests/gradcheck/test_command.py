"""``minirnn gradcheck``: what it prints, what it writes, and its exit status."""

import base64
import json
import multiprocessing
import re
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import pytest

from minirnn import grad
from minirnn.cli import main
from minirnn.gradcheck import check_vjp, command, suite
from minirnn.gradcheck.findings import Finding
from minirnn.gradcheck.verdict import Verdict
from minirnn.models.language_model import LanguageModel

USER = """
import numpy as np

def forward(x, w):
    return np.tanh(x @ w)

def backward(dy, x, w):
    da = dy * (1 - np.tanh(x @ w) ** 2)
    return da @ w.T, x.T @ da

def wrong(dy, x, w):
    dx, dw = backward(dy, x, w)
    return dx, 2 * dw

def turned(dy, x, w):
    dx, dw = backward(dy, x, w)
    return dx, dw.T

def lonely(dy, x, w):
    return dy

def raising(dy, x, w):
    raise KeyError("cache")

def keeping(x, w):
    y = np.tanh(x @ w)
    return y, (x, w, y)

def kept_backward(dy, saved):
    x, w, y = saved
    da = dy * (1 - y**2)
    return da @ w.T, x.T @ da

def rough(x, w):
    return np.maximum(x @ w, 0)

def random(x, w):
    return np.tanh(x @ w) + np.random.rand()

number = 3
"""

LSTM = """
import numpy as np

def sigmoid(a):
    return 1 / (1 + np.exp(-a))

def step(x, h, c, W, U, b):
    i, f, g, o = np.split(x @ W.T + h @ U.T + b, 4, axis=1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    return i, f, g, o, f * c + i * g

def forward(x, h, c, W, U, b_ih, b_hh):
    ys = []
    for x_t in x:
        i, f, g, o, c = step(x_t, h, c, W, U, b_ih + b_hh)
        h = o * np.tanh(c)
        ys.append(h)
    return np.stack(ys), (h, c)

def backward(dout, x, h, c, W, U, b_ih, b_hh, bug=False):
    (dy, dh, dc), tape = dout, []
    for x_t in x:
        gates = step(x_t, h, c, W, U, b_ih + b_hh)
        tape.append((h, c, gates))
        c = gates[-1]
        h = gates[3] * np.tanh(c)
    dx, dW, dU, db = np.zeros_like(x), 0, 0, 0
    for t in reversed(range(len(x))):
        h, c_prev, (i, f, g, o, c) = tape[t]
        dh = dh + dy[t]
        dc = dc + dh * o * (1 - np.tanh(c) ** 2)
        da = np.concatenate([dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dc * i * (1 - g * g),
                             dh * np.tanh(c) * o * (1 - o)], axis=1)
        dx[t], dh, dc = da @ W, da @ U, 0 * dc if bug else dc * f
        dW, dU, db = dW + da.T @ x[t], dU + da.T @ h, db + da.sum(0)
    return dx, dh, dc, dW, dU, db, db

def backward_without_dc_path(dout, *args):
    return backward(dout, *args, bug=True)

def forward_in_another_order(x, h, c, W, U, b_ih, b_hh):
    return forward(x, h, c, W[::-1], U, b_ih, b_hh)
"""


@pytest.fixture
def user(tmp_path):
    (tmp_path / "my.py").write_text(USER)
    (tmp_path / "mylstm.py").write_text(LSTM)
    (tmp_path / "broken.py").write_text("def forward(x:\n    return x\n")
    (tmp_path / "failing.py").write_text("import numpy\nraise RuntimeError('no licence')\n")
    with_inputs = USER + "\ndef inputs():\n    return np.ones((2, 3)), np.full((3, 2), 0.5)\n"
    (tmp_path / "ready.py").write_text(with_inputs)
    return tmp_path


SHAPES = ["--shapes", "3,5", "5,2"]


def test_lstm_is_proven_three_ways(capsys):
    assert main(["gradcheck", "lstm"]) == 0
    text = capsys.readouterr().out
    assert "lstm, explicit: PASS" in text and "complex step" in text
    for form in ("composed", "fused", "fused float32"):
        assert f"lstm, {form} against explicit: PASS" in text
    assert "1 of 1 PASS" in text


def test_report_is_one_self_contained_page_with_v_curves(tmp_path, capsys):
    assert main(["gradcheck", "rnn", "--report", str(tmp_path / "new" / "folder")]) == 0
    page = (tmp_path / "new" / "folder" / "report.html").read_text()
    images = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(images) == 1 and all(base64.b64decode(i).startswith(b"\x89PNG") for i in images)
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "rnn, explicit" in page and "weight_hh" in page
    assert len(list((tmp_path / "new" / "folder").glob("*.png"))) == 1


def test_report_into_a_file_is_a_clear_error(tmp_path, capsys):
    (tmp_path / "taken").write_text("")
    assert main(["gradcheck", "tanh", "--report", str(tmp_path / "taken")]) == 2
    assert "taken" in capsys.readouterr().err


def test_json_is_readable_by_a_program(capsys):
    assert main(["gradcheck", "op softmax", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["verdict"] == "PASS" and data["passed"] == data["cases"] == 1
    parts = {part["label"]: part for part in data["rows"][0]["parts"]}
    assert parts["first"]["finding"]["tensors"][0]["shape"] == [3, 4]
    assert data["worst_relative_error"] < 1e-8


def test_list_names_every_case(capsys):
    assert main(["gradcheck", "--list", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == len(list(suite.cases()))
    assert main(["gradcheck", "--list"]) == 0
    assert "cell   gru-reset-after" in capsys.readouterr().out


def fake_case(name, verdict):
    finding = Finding(name, "float64", "central differences", (), 1e-8, 1, 0.0)
    if verdict is Verdict.NON_DETERMINISTIC:
        finding = Finding(name, "float64", "central differences", (), 1e-8, 1, 0.0, nondeterministic="it changes")
    return suite.Case("op", name, lambda: [suite.Part("first", 0.5, verdict, finding)])


@pytest.mark.parametrize("verdict", list(Verdict))
def test_all_exits_0_only_when_everything_passes(verdict, monkeypatch, capsys):
    cases = [fake_case("good", Verdict.PASS), fake_case("doubtful", verdict)]
    monkeypatch.setattr(suite, "cases", lambda: iter(cases))
    assert main(["gradcheck", "--all"]) == (0 if verdict is Verdict.PASS else 1)
    text = capsys.readouterr().out
    assert str(verdict) in text and ("2 of 2" if verdict is Verdict.PASS else "1 of 2") in text


@pytest.mark.slow
def test_all_of_it_passes(capsys):
    """The whole suite as a user runs it."""
    assert main(["gradcheck", "--all", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["cases"] == data["passed"] == len(list(suite.cases()))
    assert data["worst_relative_error"] <= 1e-8 and data["bottom_of_v"] <= 1e-8


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "what to check must be a name, a file, --all, --score, --false-alarms or --list, got none"),
        (["tanh", "--all"], "got more than one"),
        (["nosuch"], "target must be a name from 'minirnn gradcheck --list'"),
        (["tanh", "--shapes", "3"], "must be given with a file, got 'tanh'"),
        (["nofile.py:forward,backward"], "must be a Python file, got nofile.py, which does not exist"),
    ],
)
def test_bad_input_exits_2_with_one_line(arguments, message, capsys):
    assert main(["gradcheck", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_unknown_options_exit_2(capsys):
    assert main(["gradcheck", "--everything-else"]) == 2
    error = capsys.readouterr().err
    assert "got '--everything-else'" in error and error.count("\n") == 1


def test_help_shows_an_example(capsys):
    assert main(["gradcheck", "--help"]) == 0
    assert "minirnn gradcheck lstm --report runs/lstm" in capsys.readouterr().out


def run(user, target, *options):
    return main(["gradcheck", str(user / target), *options])


def test_users_right_code_passes(user, capsys):
    assert run(user, "my.py:forward,backward", *SHAPES) == 0
    assert "my.py:forward,backward: PASS" in capsys.readouterr().out
    assert run(user, "my.py", *SHAPES) == 0
    assert run(user, "my.py:forward,backward", *SHAPES, "--dtype", "float32") == 0
    assert run(user, "my.py:keeping,kept_backward", *SHAPES, "--saved") == 0


def test_users_inputs_are_used(user, capsys):
    assert run(user, "ready.py:forward,backward") == 0
    assert run(user, "ready.py:forward,backward,inputs", "--json") == 0
    out = capsys.readouterr().out
    data = json.loads(out[out.index("{") :])
    shapes = [t["shape"] for t in data["rows"][0]["parts"][0]["finding"]["tensors"]]
    assert shapes == [[2, 3], [3, 2]]


def test_users_wrong_code_is_described(user, capsys):
    assert run(user, "my.py:forward,wrong", *SHAPES) == 1
    text = capsys.readouterr().out
    assert "WRONG" in text and "the gradient of w is 2 times the right one" in text


def test_users_random_function_is_non_deterministic(user, capsys):
    assert run(user, "my.py:random,backward", *SHAPES) == 1
    assert "NON-DETERMINISTIC" in capsys.readouterr().out


@pytest.mark.parametrize(
    "target, options, message",
    [
        ("my.py:forward,turned", SHAPES, "the gradient of w must be of shape (5, 2), got (2, 5); is it transposed?"),
        ("my.py:forward,lonely", SHAPES, "the number of gradients of my.py:forward,lonely must be 2"),
        ("my.py:forward,raising", SHAPES, "raising raised KeyError: 'cache' (my.py, line 23)"),
        ("my.py:forward,nosuch", SHAPES, "'nosuch' must be a function of"),
        ("my.py:forward,number", SHAPES, "'number' must be a function of"),
        ("my.py:kept_backward", SHAPES, "no function of my.py is named like its backward"),
        ("my.py:forward,backward,a,b", SHAPES, "target must be file.py:forward,backward"),
        ("my.py:forward,backward", [], "give --shapes 3,5 5,2, or --cell lstm, or a function inputs()"),
        ("my.py:forward,backward", ["--shapes", "3,x"], "--shapes must be positive sizes with commas between"),
        ("my.py:forward,backward", ["--shapes", "3,5", "4,2"], "forward raised ValueError"),
        ("broken.py:forward,backward", SHAPES, "broken.py does not run: SyntaxError"),
        (
            "failing.py:forward,backward",
            SHAPES,
            "failing.py does not run: RuntimeError: no licence (failing.py, line 2)",
        ),
        ("mylstm.py:forward_in_another_order,backward", ["--cell", "lstm"], "check the order of the gates"),
        ("my.py:forward,backward", ["--cell", "lstm"], "no layout that was tried runs"),
    ],
)
def test_users_mistakes_are_one_clear_line(user, target, options, message, capsys):
    assert run(user, target, *options) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_users_lstm_is_checked_and_its_mistake_named(user, capsys):
    assert run(user, "mylstm.py:forward,backward", "--cell", "lstm") == 0
    assert run(user, "mylstm.py:forward,backward_without_dc_path", "--cell", "lstm") == 1
    text = capsys.readouterr().out
    assert "looks like: the dc path is dropped: nothing flows from c_t to c_{t-1}" in text
    assert "worst at x[" in text and "time step t =" in text and "gate" in text


def test_cases_in_processes_are_those_of_one_in_the_same_order(monkeypatch, capsys):
    chosen = [case for case in suite.cases() if case.name in ("tanh", "exp", "Linear", "LanguageModel")]
    monkeypatch.setattr(command, "_rows", lambda cases, options: _few(options, chosen))
    found = []
    for jobs in ("1", "2"):
        assert main(["gradcheck", "--all", "--jobs", jobs]) == 0
        lines = capsys.readouterr().out.splitlines()
        found.append([line for line in lines if line.startswith(("op ", "layer ", "model "))])
        assert "the 4 slowest:" in lines and sum(line.strip().endswith("LanguageModel") for line in lines) == 1
    assert found[0] == found[1] and len(found[0]) == 4
    assert main(["gradcheck", "--all", "--jobs", "0"]) == 2 and main(["gradcheck", "tanh", "--jobs", "2"]) == 2


def _few(options, chosen):
    """Rows of the chosen cases as the command makes them, by their numbers among all."""
    every = [(case.kind, case.name) for case in suite.cases()]
    if options.jobs == 1:
        return [case.run(options.thorough) for case in chosen]
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn"), command._share, ("1",)) as pool:
        return list(pool.map(command._row, [every.index((case.kind, case.name)) for case in chosen], [False] * 4))


def dropped(path):
    """A language model whose output reads the embedding as well, without the gradient of that path if ``path``."""

    class Skipping(LanguageModel):
        def forward(self, tokens):
            x = self.embedding(tokens)
            logits = self.output(self.recurrent(x)[0])
            extra = x.sum(axis=-1, keepdims=True)
            return logits + (extra.detach() if path else extra)

    return Skipping(5, 4, 3, init=0.7, dtype=np.float64, rng=0)


@pytest.mark.parametrize("path", [False, True])
def test_a_model_is_checked_along_directions_in_which_a_dropped_path_shows(path):
    """Few evaluations, no entry; thoroughly, entry by entry."""
    tokens = np.array([[0, 2, 1], [3, 3, 0], [1, 4, 2]])
    case = suite.Case("model", "Skipping", partial(suite.check_model, lambda: dropped(False), [tokens]),
                      partial(suite.check_tape, lambda: dropped(False), [tokens], order=1))
    quick, thorough = case.run(), case.run(thorough=True)
    assert quick.verdict is thorough.verdict is Verdict.PASS
    evaluations = [row.parts[0].finding.evaluations for row in (quick, thorough)]
    assert evaluations[0] < evaluations[1] / 3
    if path:  # the claimed gradient of a net that lost a path, against the slopes of the whole one
        broken, whole = dropped(True), dropped(False)
        names = [name for name, _ in whole.named_parameters()]

        def value(*arrays):
            whole.load_state_dict(dict(zip(names, arrays)))
            return whole(tokens).value

        def vjp(dy, *arrays):
            broken.load_state_dict(dict(zip(names, arrays)))
            return [g.value for g in grad(broken(tokens), broken.parameters(), dy)]

        found = check_vjp(value, vjp, [p.value for p in whole.parameters()], names=names, entries=0, directions=2)
        assert found.verdict is Verdict.WRONG
        assert [t.name for t in found.tensors if t.verdict is Verdict.WRONG] == ["embedding.weight"]

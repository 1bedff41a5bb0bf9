"""``minirnn gradcheck own.py``: what could be checked, and commands that work as they are printed."""

import json
import shlex
from pathlib import Path

import pytest

from minirnn.cli import main
from minirnn.gradcheck.user.listing import candidates
from minirnn.gradcheck.user.pairs import methods_of, partner

EXAMPLES = Path(__file__).parent.parent / "examples"


def listed(file):
    return {c.what: c for c in candidates(str(EXAMPLES / file), 10)[0]}


def test_a_file_alone_is_listed_with_a_command_for_each(capsys):
    assert main(["gradcheck", str(EXAMPLES / "caches.py")]) == 0
    text = capsys.readouterr().out
    assert "caches.py: 6 to check" in text
    assert "caches.py:lstm_step_forward,lstm_step_backward --saved --cell lstm\n" in text
    assert "affine_forward,affine_backward --saved --shapes X W B\n    with the shapes of x, w, b, like 3,5\n" in text


@pytest.mark.parametrize("file, what", [
    ("caches.py", "lstm_forward, lstm_backward"), ("gates.py", "forward, backward"),
    ("forms.py", "gru_after_forward, gru_after_backward"), ("forms.py", "peephole_forward, peephole_backward"),
    ("torchlike.py", "class Cell: forward, backward"),
])
def test_the_command_for_a_cell_works_as_it_is_printed(file, what, capsys):
    command = listed(file)[what].command
    assert command.startswith("minirnn gradcheck") and main(shlex.split(command)[1:]) == 0
    assert "PASS" in capsys.readouterr().out


def test_classes_ask_for_what_their_constructors_need():
    found = listed("layers.py")
    assert list(found) == ["class Linear: forward, backward", "class Dense: forward, backward",
                           "class Affine: forward, backward", "class Remembering: forward, backward"]
    assert found["class Linear: forward, backward"].missing == "the shapes of x, like 3,5"
    assert found["class Affine: forward, backward"].missing.endswith("and W, b of the constructor")


def test_a_notebook_and_a_script_that_trains_are_listed_with_notes(capsys):
    assert len(listed("layer.ipynb")) == 3
    assert main(["gradcheck", str(EXAMPLES / "trains.py"), "--time-limit", "0.3", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [c["what"] for c in data["candidates"]] == ["forward, backward"]
    assert "stopped after 0.3 s" in data["notes"][0]


def test_a_file_with_nothing_in_it_is_one_line_and_status_2(capsys):
    assert main(["gradcheck", str(EXAMPLES / "packed_helper.py")]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "nothing to check; no functions or methods named like" in err
    assert main(["gradcheck", str(EXAMPLES / "packed_helper.py"), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["candidates"] == []


def test_an_inputs_function_needs_no_shapes(tmp_path):
    text = (EXAMPLES / "packed.py").read_text().replace("def named", "def inputs")
    (tmp_path / "own.py").write_text(text)
    (tmp_path / "packed_helper.py").write_text((EXAMPLES / "packed_helper.py").read_text())
    (found,), _ = candidates(str(tmp_path / "own.py"), 10)
    assert found.command.endswith("own.py:forward,backward") and found.missing == ""
    assert main(shlex.split(found.command)[1:]) == 0


@pytest.mark.parametrize("forward, backward", [
    ("forward", "backward"), ("relu_forward", "relu_backward"), ("forward_pass", "backward_pass"),
    ("step", "step_backward"), ("f", "f_vjp"), ("f", "grad_f"), ("rnn_fwd", "rnn_bwd"), ("step", "d_step"),
])
def test_functions_that_belong_together(forward, backward):
    assert partner(forward, ["other", forward, backward]) == backward
    assert partner(backward, [forward, backward]) is None and partner(forward, [forward]) is None


def test_methods_that_belong_together():
    made = lambda *names: type("Layer", (), {name: lambda self: None for name in names})
    assert methods_of(made("forward", "backward")) == ("forward", "backward")
    assert methods_of(made("__call__", "backward")) == ("__call__", "backward")
    assert methods_of(made("fprop", "bprop")) == ("fprop", "bprop")
    assert methods_of(made("forward")) is None and methods_of(made("backward")) is None

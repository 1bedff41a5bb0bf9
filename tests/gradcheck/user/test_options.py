"""What is asked of a user's code, and the one clear line for what cannot be meant."""

from pathlib import Path

import numpy as np
import pytest

from minirnn.cli import main
from minirnn.errors import DtypeError, InputError
from minirnn.gradcheck import Verdict, check_file
from minirnn.gradcheck.user.arguments import constructor_arguments, random_arrays
from minirnn.gradcheck.user.names import bases, gradient_keys, key, matching

EXAMPLES = Path(__file__).parent.parent / "examples"
STEP = ("caches.py:lstm_step_forward", "--saved", "--cell", "lstm")


@pytest.mark.parametrize("arguments, message", [
    ((*STEP, "--gates", "ifgx"), "--gates must be the letters of its gates in your order, like ifgo, got 'ifgx'"),
    ((*STEP, "--gates", "ifg"), "--gates must be the letters of its gates"),
    ((*STEP, "--layout", "sideways"), "--layout must be one or both of in,hidden (or hidden,in) and batch,time"),
    ((*STEP, "--layout", "in,hidden", "hidden,in"), "--layout must be one or both of in,hidden"),
    (("caches.py:lstm_step_forward", "--shapes", "3", "--gates", "ifgo"), "must be given with --cell, got no cell"),
    ((*STEP, "--gates", "oifg"), "check the order of the gates"),
    ((*STEP, "--layout", "hidden,in"), "no layout that was tried runs"),
    ((*STEP[:2], "--cell", "gru"), "no layout that was tried runs"),
    (("layers.py:Affine", "--shapes", "3,4"), "the constructor's W, b of layers.py:Affine must be given with --init"),
    (("layers.py:Linear", "--shapes", "3,4", "--init", "5 2"), "--init must be arguments as in a call"),
    (("layers.py:Linear", "--shapes", "3,4", "--init", "open('x')"), "--init must be arguments as in a call"),
    (("layers.py:Linear", "--shapes", "3,4", "--init", "4, 2, 1"), "Linear raised TypeError"),
    (("layers.py:ready", "--shapes", "3,4", "--init", "4"), "--init must be given with a class"),
    (("caches.py:affine_forward", "--shapes", "3,4", "--init", "4"), "given with a class, got the functions caches.py"),
    (("caches.py:sigmoid", "--shapes", "3,4"), "no function of caches.py is named like its backward"),
    (("torchlike.py:Module", "--shapes", "3,4"), "must be a class with methods forward and backward"),
    (("layers.py:Linear.forward,Dense.backward", "--shapes", "3"), "and another method of Linear"),
    (("layers.py:Linear.forward,Linear.nothing", "--shapes", "3"), "'Linear.nothing' must be a function of"),
    (("caches.py:embedding_forward", "--saved", "--shapes", "3", "6,2"), "give --shapes int10:4,3"),
    (("caches.py:embedding_forward", "--saved", "--shapes", "int0:3", "6,2"), "--shapes must be positive sizes"),
    (("caches.py:embedding_forward", "--saved", "--shapes", "ten:3", "6,2"), "int10:3,5 for integers below 10"),
    (("caches.py:lstm_forward", "--cell", "lstm"), "is --saved missing?"),
    (("joint.py:forward", "--cell", "lstm", "--saved", "--constant", "W"), "constants must be names of arguments"),
])
def test_what_cannot_be_meant_is_one_clear_line(arguments, message, capsys):
    target, *options = arguments
    assert main(["gradcheck", str(EXAMPLES / target), *options]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and message in err


@pytest.mark.parametrize("target", [None, 3, np.ones(2), b"own.py"])
def test_a_target_is_text_or_a_path(target):
    with pytest.raises(DtypeError, match="target must be text or a path, got"):
        check_file(target)
    finding = check_file(EXAMPLES / "packed.py", shapes=("3,4", "4,2"))
    assert finding.verdict is Verdict.PASS and finding.name == "packed.py:forward,backward"


def test_options_of_your_code_are_refused_elsewhere(capsys):
    assert main(["gradcheck", "tanh", "--gates", "ifgo", "--time-limit", "3"]) == 2
    assert "--gates, --time-limit must be given with a file, got 'tanh'" in capsys.readouterr().err


def test_shapes_in_words_are_arrays_of_numbers_or_of_integers():
    x, ids, one = random_arrays(["3,5", "int4:200", "()"], np.dtype("float32"), 0)
    assert x.shape == (3, 5) and x.dtype == np.float32 and one.shape == ()
    assert ids.shape == (200,) and ids.dtype.kind == "i" and set(ids) == {0, 1, 2, 3}


def test_a_constructors_arguments_are_numbers_texts_sizes_and_arrays():
    text = "D, 4*H + 1, (D, H), act='tanh', bias=False"
    args, options = constructor_arguments(text, np.dtype("f4"), 0, {"D": 5, "H": 2})
    assert args[:2] == [5, 9] and args[2].shape == (5, 2) and args[2].dtype == np.float32
    assert options == {"act": "tanh", "bias": False}
    with pytest.raises(InputError, match="numbers, texts, and tuples"):
        constructor_arguments("D", np.dtype("f8"), 0, {})


@pytest.mark.parametrize("path, of", [
    (("dW",), ("W",)), (("grad_W",), ("W",)), (("dweight",), ("weight",)), (("W_grad",), ("W",)),
    (("wi_diff",), ("wi",)), (("W", "grad"), ("W",)), (("grads", "W"), ("W",)), (("grads", 0), ("params", 0)),
    (("gradients", "dW"), ("W",)), (("_dW",), ("W",)), (("layers", 1, "dW"), ("layers", 1, "W")),
    (("dL_dW",), ("W",)), (("W", "grad"), ("W", "data")),
])
def test_where_a_gradient_is_says_whose_it_is(path, of):
    assert key(of) in gradient_keys(path)


def test_names_that_are_no_gradients():
    assert gradient_keys(("W",)) == [] and gradient_keys(("x",)) == [] and bases("b") == []
    assert matching("W", {"dW": 0, "W": 1}) == "dW" and matching("Wx", {"dwx": 0}) == "dwx"
    assert matching("W", {"db": 0}) is None

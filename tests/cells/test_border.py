"""Arguments that do not fit are refused at the border, by name, with what was expected."""

import numpy as np
import pytest

from minirnn import bptt
from minirnn.cells import GRU, LSTM, RNN, Masks, Weights
from minirnn.errors import DtypeError, InputError

T, B, D, H = 4, 3, 5, 2


def good(cell, **changes):
    K = len(cell.gates)
    arguments = {
        "x": np.ones((T, B, D)),
        "state0": tuple(np.zeros((B, H)) for _ in cell.states),
        "weights": Weights(np.ones((K * H, D)), np.ones((K * H, H)), np.ones(K * H), np.ones(K * H)),
    }
    return {**arguments, **changes}


WEIGHTS = good(LSTM())["weights"]
BAD = {
    "x is a list": ({"x": [[1.0]]}, DtypeError, "x must be an array, got list"),
    "x rank": ({"x": np.ones((B, D))}, InputError, r"x must be \(T, B, D\), got \(3, 5\); time comes first"),
    "x empty": ({"x": np.ones((0, B, D))}, InputError, "every size at least 1"),
    "x integer": ({"x": np.ones((T, B, D), int)}, DtypeError, "x must be float32 or float64, got int64"),
    "x float16": ({"x": np.ones((T, B, D), np.float16)}, DtypeError, "got float16; a gradient is a sum"),
    "one state": ({"state0": (np.zeros((B, H)),)}, InputError, r"state0 of lstm must be 2 arrays \(h, c\), got 1"),
    "state shape": (
        {"state0": (np.zeros((B, H)), np.zeros((H, B)))},
        InputError,
        r"c0 must be \(B, H\) = \(3, 2\), got",
    ),
    "state dtype": ({"state0": (np.zeros((B, H), "f4"),) * 2}, DtypeError, "h0 must be float64 like x, got float32"),
    "weights turned": ({"weights": WEIGHTS._replace(weight_ih=WEIGHTS.weight_ih.T)}, InputError, "is it transposed"),
    "recurrent turned": ({"weights": WEIGHTS._replace(weight_hh=WEIGHTS.weight_hh.T)}, InputError, r"\(4H, H\)"),
    "recurrent rank": ({"weights": WEIGHTS._replace(weight_hh=np.ones(8))}, InputError, "weight_hh must be"),
    "weights dtype": ({"weights": WEIGHTS._replace(bias_hh=np.ones(8, "f4"))}, DtypeError, "bias_hh must be float64"),
    "no weights": ({"weights": WEIGHTS._replace(weight_hh=None)}, DtypeError, "weight_hh must be an array"),
    "bias shape": ({"weights": WEIGHTS._replace(bias_ih=np.ones(3))}, InputError, r"bias_ih must be \(4H,\) = \(8,\)"),
    "mask shape": ({"masks": Masks(gal=np.ones((B, D)))}, InputError, r"mask gal must be \(T, B, H\) = \(4, 3, 2\)"),
    "mask of more steps": (
        {"masks": Masks(gal=np.ones((T + 1, B, H))), "form": "explicit"}, InputError, r"got \(5, 3, 2\)"),
    "mask boolean": ({"masks": Masks(ours=np.ones((B, H), bool))}, DtypeError, "mask ours must be float64 like x"),
    "lengths 0": ({"lengths": np.array([4, 0, 2])}, InputError, r"lengths must be in 1..T = 1..4, got 0"),
    "lengths long": ({"lengths": [4, 5, 2]}, InputError, "got 5"),
    "lengths count": ({"lengths": [4, 2]}, InputError, r"lengths must be \(B,\) = \(3,\), got \(2,\)"),
    "lengths float": ({"lengths": np.array([4.0, 2, 1])}, DtypeError, "lengths must be integers, got float64"),
    "lengths boolean": ({"lengths": np.array([True, True, True])}, DtypeError, "lengths must be integers, got bool"),
    "form": ({"form": "quick"}, InputError, "must be 'explicit' or 'fused', got 'quick'"),
}


@pytest.mark.parametrize("changes, error, message", BAD.values(), ids=BAD.keys())
def test_forward_refuses(changes, error, message):
    with pytest.raises(error, match=message):
        bptt.forward(LSTM(), **good(LSTM(), **changes))


BAD_BACK = {
    "dy rank": ({"dy": np.ones((B, H))}, InputError, r"dy must be \(T, B, H\) = \(4, 3, 2\), got \(3, 2\)"),
    "dy dtype": ({"dy": np.ones((T, B, H), "f4")}, DtypeError, "dy must be float64 like x"),
    "dfinal count": ({"dfinal": (np.ones((B, H)),)}, InputError, r"dfinal of lstm must be 2 arrays \(h, c\), got 1"),
    "dfinal shape": ({"dfinal": (None, np.ones((B, D)))}, InputError, r"dc_final must be \(B, H\) = \(3, 2\)"),
    "clip zero": ({"clip_step": 0}, InputError, "clip_step must be a positive number, got 0"),
    "clip NaN": ({"clip_step": float("nan")}, InputError, "clip_step must be a positive number, got nan"),
}


@pytest.mark.parametrize("changes, error, message", BAD_BACK.values(), ids=BAD_BACK.keys())
def test_backward_refuses(changes, error, message):
    run = bptt.forward(LSTM(), **good(LSTM()))
    with pytest.raises(error, match=message):
        bptt.backward(run, **changes)


def test_vanilla_rnn_refuses_masks_it_has_no_memory_for():
    with pytest.raises(InputError, match="masks of rnn must be gal only"):
        bptt.forward(RNN(), **good(RNN(), masks=Masks(moon=0.5)))


@pytest.mark.parametrize("window", [0, -1, 2.5, True])
def test_truncated_refuses_a_window_that_is_no_positive_integer(window):
    with pytest.raises(InputError, match="window must be a positive integer"):
        list(bptt.truncated(RNN(), **good(RNN()), window=window, loss_grad=lambda run, start: run.y))


def test_unknown_form_in_the_environment_is_refused(monkeypatch):
    monkeypatch.setenv("MINIRNN_KERNELS", "fast")
    with pytest.raises(InputError, match="MINIRNN_KERNELS.*got 'fast'"):
        bptt.forward(GRU(), **good(GRU()))


def test_unsorted_lengths_and_lists_are_fine():
    run = bptt.forward(GRU(), **good(GRU(), lengths=[1, 4, 2]))
    np.testing.assert_array_equal(run.lengths, [1, 4, 2])
    small = bptt.forward(GRU(), **good(GRU(), lengths=np.array([1, 4, 2], np.uint8)), reverse=True, form="fused")
    same = bptt.forward(GRU(), **good(GRU(), lengths=[1, 4, 2]), reverse=True, form="explicit")
    np.testing.assert_allclose(small.y, same.y, rtol=1e-12)


def test_fused_is_refused_where_no_kernel_fits():
    cell = LSTM(forget_gate=False)
    with pytest.raises(
        InputError, match="form must be 'explicit' here, got 'fused'; there is no kernel for LSTM.forget_gate=False"
    ):
        bptt.forward(cell, **good(cell, form="fused"))

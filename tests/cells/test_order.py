"""Converting the order of stacked gates, and weights from ONNX and back."""

from pathlib import Path

import numpy as np
import pytest

from minirnn import bptt, nn
from minirnn.cells import GRU, LSTM, RNN, PeepholeLSTM, Weights, from_onnx, reordered, to_onnx
from minirnn.errors import InputError


def test_gates_move_as_blocks_and_come_back():
    rng = np.random.default_rng(0)
    w = Weights(rng.standard_normal((8, 3)), rng.standard_normal((8, 2)), rng.standard_normal(8), None)
    there = reordered(w, "ifgo", "giof")
    np.testing.assert_array_equal(there.weight_ih[:2], w.weight_ih[4:6])
    np.testing.assert_array_equal(there.bias_ih[2:4], w.bias_ih[:2])
    assert there.bias_hh is None
    back = reordered(there, "giof", "ifgo")
    assert all(np.array_equal(a, b) for a, b in zip(back[:3], w[:3]))


@pytest.mark.parametrize(
    ("given", "wanted", "message"),
    [("ifgo", "ifg", "letters of"), ("rzn", "nzr", "3 stacked"), ("iigo", "goii", "letters of")],
)
def test_orders_that_do_not_fit_are_refused(given, wanted, message):
    with pytest.raises(InputError, match=message):
        reordered(Weights(np.ones((8, 3)), np.ones((8, 2))), given, wanted)


GOLDEN = np.load(Path(__file__).parent.parent / "nn" / "golden" / "onnx_recurrent.npz")
ONNX = [("rnn", RNN()), ("gru", GRU(convention="slides")), ("gru", GRU()), ("gru after", GRU(reset_after=True)),
        ("lstm", LSTM()), ("lstm", PeepholeLSTM()), ("peephole", PeepholeLSTM())]


@pytest.mark.parametrize(("name", "cell"), ONNX, ids=str)
def test_weights_of_onnx_compute_what_onnx_computes_and_go_back(name, cell):
    given = {key: GOLDEN[f"{name}/{key}"] for key in ("W", "R", "B", "P") if f"{name}/{key}" in GOLDEN}
    (weights,) = from_onnx(cell, **given)
    state = tuple(GOLDEN[f"{name}/{s}0"][0] for s in cell.states)
    run = bptt.forward(cell, GOLDEN[f"{name}/X"], state, weights, form="explicit")
    np.testing.assert_allclose(run.y, GOLDEN[f"{name}/Y"][:, 0], atol=2e-7)
    back = to_onnx(cell, weights)
    for key, array in given.items():
        np.testing.assert_array_equal(back[key], array)
    assert set(back) - {"P"} == set(given) - {"P"}


def test_both_directions_go_through_onnx_and_back_into_a_layer():
    layer = nn.GRU(3, 4, bidirectional=True, bias=False, rng=0)
    both = [layer.weights(0, reverse) for reverse in (False, True)]
    arrays = to_onnx(layer.cell, *[Weights(*(None if p is None else p.value for p in w)) for w in both])
    assert set(arrays) == {"W", "R"} and arrays["W"].shape == (2, 12, 3) and arrays["R"].shape == (2, 12, 4)
    np.testing.assert_array_equal(arrays["W"][1, :4], -layer.weight_ih_l0_reverse.value[4:8])  # z first, and turned
    for suffix, w in zip(("_l0", "_l0_reverse"), from_onnx(layer.cell, **arrays)):
        for name, array in w._asdict().items():
            if array is not None:
                np.testing.assert_array_equal(array, getattr(layer, name + suffix).value)


ONES = {"W": np.ones((1, 8, 3)), "R": np.ones((1, 8, 2))}


@pytest.mark.parametrize(("cell", "arrays", "message"), [
    (LSTM(forget_gate=False), ONES, "cell must be an RNN, GRU, PeepholeLSTM or LSTM with a forget gate"),
    (LSTM, ONES, "cell must be an RNN"), (GRU(), ONES, r"R must be \(dirs, 3 \* H, H\), got \(1, 8, 2\)"),
    (LSTM(), {**ONES, "W": np.ones((1, 9, 3))}, r"W must be \(dirs, K \* H, D\) = \(1, 8, any\)"),
    (LSTM(), {**ONES, "B": np.ones((1, 8))}, r"B must be \(dirs, 2 \* K \* H\) = \(1, 16\), got \(1, 8\)"),
    (LSTM(), {**ONES, "P": np.ones((1, 6))}, "P must be None.*; a PeepholeLSTM has peepholes"),
    (PeepholeLSTM(), {**ONES, "P": np.ones((1, 8))}, r"P must be \(dirs, 3 \* H\) = \(1, 6\)"),
    (LSTM(), {**ONES, "R": None}, r"R must be \(dirs, 4 \* H, H\)"),
])
def test_arrays_that_are_not_onnxs_are_refused(cell, arrays, message):
    with pytest.raises(InputError, match=f"from_onnx: {message}"):
        from_onnx(cell, **arrays)


def test_weights_of_another_cell_do_not_go_to_onnx():
    (weights,) = from_onnx(PeepholeLSTM(), **ONES)
    with pytest.raises(InputError, match=r"to_onnx: weights\[0\] must be Weights, got PeepholeWeights"):
        to_onnx(LSTM(), weights)
    with pytest.raises(InputError, match="to_onnx: weights must be those of one or two directions, got none"):
        to_onnx(LSTM())

"""What an unrolled step records: states, outputs, and how the gradient travelled."""

import numpy as np
import pytest

from minirnn import Tensor, bptt, nn, ops

T, B, D, H = 5, 3, 4, 2
LENGTHS = np.array([3, 5, 1])
WIDE = {"dtype": np.float64, "rng": 0}


def signed(*shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(0.2, 1.2, shape) * rng.choice([-1, 1], shape)


@pytest.mark.parametrize("options", [{}, {"checkpoint_every": 2}])
@pytest.mark.parametrize("reverse", [False, True])
def test_record_has_the_flow_of_bptt(options, reverse):
    cell = nn.RNNCell(D, H, **WIDE)
    x, h0, dy = signed(T, B, D), signed(B, H, seed=1), signed(T, B, H, seed=2)
    record = nn.Record()
    step = lambda x_t, h, streams: ((new := cell(x_t, h)), new)
    y, _ = nn.unroll(step, x, Tensor(h0, requires_grad=True), lengths=LENGTHS, reverse=reverse, record=record,
                     **options)
    ops.sum(y * dy).backward()
    weights = [w.value for w in cell.parameters()]
    run = bptt.forward(cell.cell, x, (h0,), weights, lengths=LENGTHS, reverse=reverse, form="explicit")
    got = bptt.backward(run, dy, record_flow=True)
    np.testing.assert_allclose(record.states[""], run.states[0], rtol=0, atol=1e-14)
    np.testing.assert_allclose(record.y[""], run.y, rtol=0, atol=1e-14)
    np.testing.assert_allclose(record.flow[""], got.flow["h"], rtol=1e-12)
    np.testing.assert_allclose(record.dy[""], np.linalg.norm(dy, axis=-1), rtol=1e-12)


def test_record_names_the_leaves_of_a_nest():
    record, cell = nn.Record(), nn.LSTMCell(D, H, **WIDE)

    def step(x_t, state, streams):
        h, c = cell(x_t, (state["h"], state["c"]))
        return {"out": h}, {"h": h, "c": c}

    zero = Tensor(np.zeros((B, H)), requires_grad=True)
    y, _ = nn.unroll(step, signed(T, B, D), {"h": zero, "c": zero}, record=record)
    assert (record.flow["h"] == 0).all()  # nothing has come back yet
    ops.sum(y["out"][-1]).backward()
    assert set(record.flow) == set(record.states) == {"h", "c"} and set(record.dy) == {"out"}
    assert (record.flow["c"][:-1] > 0).all() and (record.dy["out"][:-1] == 0).all()

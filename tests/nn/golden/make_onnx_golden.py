"""Writes onnx_recurrent.npz: what ONNX's reference evaluator computes for RNN, GRU and LSTM nodes, frozen once.

    python tests/nn/golden/make_onnx_golden.py         (needs onnx; tests/cells/test_order.py reads the file it made)
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

T, B, D, H = 4, 2, 3, 2
NODES = {  # name -> operator, gates, attributes, states, peepholes
    "rnn": ("RNN", 1, {}, ["h0"], False),
    "gru": ("GRU", 3, {"linear_before_reset": 0}, ["h0"], False),
    "gru after": ("GRU", 3, {"linear_before_reset": 1}, ["h0"], False),
    "lstm": ("LSTM", 4, {}, ["h0", "c0"], False),
    "peephole": ("LSTM", 4, {}, ["h0", "c0"], True),
}


def freeze(rng, name):
    operator, K, attributes, states, peepholes = NODES[name]
    shapes = {"X": (T, B, D), "W": (1, K * H, D), "R": (1, K * H, H), "B": (1, 2 * K * H)}
    shapes |= {state: (1, B, H) for state in states} | ({"P": (1, 3 * H)} if peepholes else {})
    given = {key: rng.standard_normal(shape).astype(np.float32) for key, shape in shapes.items()}
    node = helper.make_node(operator, ["X", "W", "R", "B", "", *[key for key in shapes if key not in "XWRB"]],
                            ["Y"], hidden_size=H, **attributes)
    inputs = [helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key, shape in shapes.items()]
    graph = helper.make_graph([node], name, inputs, [helper.make_tensor_value_info("Y", TensorProto.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    (y,) = ReferenceEvaluator(model).run(None, given)
    return {f"{name}/{key}": array for key, array in {**given, "Y": y}.items()}


if __name__ == "__main__":
    rng = np.random.default_rng(5)
    frozen = {key: array for name in NODES for key, array in freeze(rng, name).items()}
    path = Path(__file__).with_name("onnx_recurrent.npz")
    np.savez_compressed(path, onnx_version=np.array(onnx.__version__), **frozen)
    print(f"{path.name}: {len(frozen)} arrays, {path.stat().st_size} bytes, onnx {onnx.__version__}")

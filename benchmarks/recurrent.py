"""Recurrent layers, forward and backward with every gradient (input too): minirnn against PyTorch.

    python benchmarks/recurrent.py                              # all workloads, some ten minutes
    python benchmarks/recurrent.py --workloads lstm_32_35 --torch-m --json result.json

A workload is cell_B_T_D_H. Libraries: ``kernels`` (minirnn's sequence kernels), ``layer`` (minirnn.nn on the tape),
``torch``, and with --torch-m ``torch-m``: PyTorch with glibc told to keep freed memory. Exit status 1 when the
gradients of two sides differ, 2 when PyTorch is missing.
"""

import argparse
import re
import sys

import numpy as np
from interleave import add_options, report, serve

SIZES = {  # B, T, D, H
    "32_35_256_256": (32, 35, 256, 256),  # word language model
    "20_35_200_200": (20, 35, 200, 200),
    "1_100_128_128": (1, 100, 128, 128),
    "128_20_64_64": (128, 20, 64, 64),
    "64_50_512_512": (64, 50, 512, 512),
    "32_400_1_128": (32, 400, 1, 128),  # long, one input
    "32_100_256_1024": (32, 100, 256, 1024),  # character language model
}
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
WORKLOADS = [f"{cell}_{sizes}" for sizes in SIZES for cell in GATES]
TOLERANCE = {"float32": 1e-4, "float64": 1e-10}  # of gradients summed over up to 3200 rows, relative to the largest


def problem(workload, dtype):
    """cell, x (T, B, D), [weight_ih, weight_hh, bias_ih, bias_hh], dy (T, B, H): the same in every process."""
    cell, sizes = workload.split("_", 1)
    B, T, D, H = SIZES[sizes]
    rng = np.random.default_rng(0)
    draw = lambda *shape, scale=1.0: (scale * rng.standard_normal(shape)).astype(dtype)
    rows = GATES[cell] * H
    weights = [draw(rows, D, scale=H**-0.5), draw(rows, H, scale=H**-0.5), draw(rows, scale=0.1), draw(rows, scale=0.1)]
    return cell, draw(T, B, D), weights, draw(T, B, H) / B


def make_kernels(workload, dtype):
    """The sequence kernels called directly."""
    from minirnn import kernels

    cell, x, weights, dy = problem(workload, dtype)
    zeros = np.zeros_like(dy[0])
    forward, backward = getattr(kernels, f"{cell}_forward"), getattr(kernels, f"{cell}_backward")
    states = (zeros, zeros) if cell == "lstm" else (zeros,)
    after, consume = ({"reset_after": True} if cell == "gru" else {}), ({} if cell == "rnn" else {"consume": True})
    latest = []

    def step():
        saved = forward(x, *states, *weights, **after)[-1]
        latest[:] = backward(saved, dy, **consume)

    return step, lambda: [latest[0], *latest[-4:]]


def make_layer(workload, dtype):
    """minirnn.nn: the same kernels under the tape."""
    from minirnn import Tensor, nn

    cell, x, weights, dy = problem(workload, dtype)
    H = dy.shape[2]
    kind = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[cell]
    layer = kind(x.shape[2], H, dtype=dtype, **({"reset_after": True} if cell == "gru" else {}))
    parameters = [getattr(layer, f"{n}_l0") for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    for parameter, value in zip(parameters, weights):
        parameter.value = value
    x = Tensor(x, requires_grad=True)

    def step():
        for tensor in (x, *parameters):
            tensor.grad = None
        layer(x)[0].backward(dy)

    return step, lambda: [np.asarray(getattr(t.grad, "value", t.grad)) for t in (x, *parameters)]


def make_torch(workload, dtype):
    """PyTorch's layer and autograd."""
    import torch

    cell, x, weights, dy = problem(workload, dtype)
    kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[cell]
    layer = kind(x.shape[2], dy.shape[2], dtype=getattr(torch, dtype))
    with torch.no_grad():
        for parameter, value in zip(layer.parameters(), weights):
            parameter.copy_(torch.from_numpy(value))
    x, dy = torch.from_numpy(x).requires_grad_(), torch.from_numpy(dy)

    def step():
        for tensor in (x, *layer.parameters()):
            tensor.grad = None
        layer(x)[0].backward(dy)

    return step, lambda: [t.grad.numpy() for t in (x, *layer.parameters())]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", default=".", metavar="REGEX", help=f"of {' '.join(WORKLOADS)}")
    parser.add_argument("--dtype", default="float32", choices=TOLERANCE)
    makers = {"kernels": make_kernels, "layer": make_layer, "torch": make_torch}
    add_options(parser, workers=makers, rounds=7, seconds=0.4)
    options = parser.parse_args()
    if options.worker:
        serve(lambda workload: makers[options.worker](workload, options.dtype))
        return 0
    chosen = [w for w in WORKLOADS if re.search(options.workloads, w)]
    if not chosen:
        parser.error(f"--workloads must match one of {' '.join(WORKLOADS)}, got {options.workloads!r}")
    dtype = ["--dtype", options.dtype]
    return report(options, __file__, ["kernels", "layer"], chosen, TOLERANCE[options.dtype], dtype)


if __name__ == "__main__":
    sys.exit(main())

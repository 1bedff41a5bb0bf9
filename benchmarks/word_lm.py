"""One training step of the thesis's word language model (sec. 3.4.2): minirnn against PyTorch.

    python benchmarks/word_lm.py
    python benchmarks/word_lm.py --torch-m --json benchmarks/results/word_lm.json

A step is embedding, LSTM, softmax over the vocabulary, loss summed over the steps and averaged over the batch, every
gradient, clipping of the global norm and an SGD update; no dropout. Exit status 1 when the two sides' gradients differ,
2 when PyTorch is missing.
"""

import argparse
import sys

import numpy as np
from interleave import add_options, report, serve

# vocabulary, embedding, hidden, B, T, learning rate, clipping threshold
WORKLOADS = {"words": (10_000, 256, 256, 32, 35, 1.0, 10.0), "characters": (50, 256, 1024, 32, 100, 1e-3, 10.0)}
TOLERANCE = 1e-4  # float32 sums over up to 3200 rows, relative to the largest entry


def problem(workload):
    """Parameter arrays in PyTorch's layout and tokens: the same in every process."""
    V, E, H, B, T, _, _ = WORKLOADS[workload]
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.uniform(-0.05, 0.05, shape).astype(np.float32)
    parameters = [draw(V, E), draw(4 * H, E), draw(4 * H, H), draw(4 * H), draw(4 * H), draw(V, H), draw(V)]
    return parameters, rng.integers(0, V, (T, B)), rng.integers(0, V, (T, B))


def make_minirnn(workload):
    """minirnn.models.word_lm with minirnn.optim."""
    from minirnn import nn, optim
    from minirnn.models.word_lm import LanguageModel

    V, E, H, _, _, rate, threshold = WORKLOADS[workload]
    values, tokens, targets = problem(workload)
    model = LanguageModel(V, E, H)
    layer = model.recurrent
    recurrent = [layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0]
    parameters = [model.embedding.weight, *recurrent, model.output.weight, model.output.bias]
    for parameter, value in zip(parameters, values):
        parameter.value = value
    optimizer = optim.SGD(parameters, lr=rate)

    def step():
        optimizer.zero_grad()
        logits, _ = model(tokens)
        nn.cross_entropy(logits, targets, time="sum").backward()
        optim.clip_grad_norm(parameters, threshold)
        optimizer.step()

    return step, lambda: [p.grad.value for p in parameters]


def make_torch(workload):
    """The same with PyTorch's modules and optimiser."""
    import torch

    V, E, H, B, _, rate, threshold = WORKLOADS[workload]
    values, tokens, targets = problem(workload)
    embedding, layer, output = torch.nn.Embedding(V, E), torch.nn.LSTM(E, H), torch.nn.Linear(H, V)
    parameters = [embedding.weight, *layer.parameters(), *output.parameters()]
    with torch.no_grad():
        for parameter, value in zip(parameters, values):
            parameter.copy_(torch.from_numpy(value))
    optimizer = torch.optim.SGD(parameters, lr=rate)
    tokens, targets = torch.from_numpy(tokens), torch.from_numpy(targets).reshape(-1)

    def step():
        optimizer.zero_grad()
        logits = output(layer(embedding(tokens))[0]).reshape(-1, V)
        (torch.nn.functional.cross_entropy(logits, targets, reduction="sum") / B).backward()
        torch.nn.utils.clip_grad_norm_(parameters, threshold)
        optimizer.step()

    return step, lambda: [p.grad.numpy() for p in parameters]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    add_options(parser, workers=("minirnn", "torch"), rounds=7, seconds=1.0)
    options = parser.parse_args()
    if options.worker:
        serve({"minirnn": make_minirnn, "torch": make_torch}[options.worker])
        return 0
    return report(options, __file__, ["minirnn"], options.workloads, TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())

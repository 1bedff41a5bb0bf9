"""PyTorch's side of every workload: its own modules, losses and optimisers. Only a worker process imports this."""

import os

import torch

from minirnn.bench.workloads import (
    LEARNING_RATE,
    THRESHOLD,
    embedding_data,
    language_model_data,
    layer_data,
    softmax_data,
    tape_data,
)

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))


def make(w):
    """(step, results) of a workload."""
    makers = {"lm": language_model, "softmax-xent": cross_entropy, "embedding-gradient": embedding, "tape": additions}
    return makers.get(w.kind, layer)(w)


def layer(w):
    """torch.nn's recurrent layer and autograd."""
    x, weights, dy = layer_data(w)
    kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[w.kind]
    module = kind(x.shape[2], dy.shape[2], dtype=getattr(torch, w.dtype))
    fill(module.parameters(), weights)
    x, dy = torch.from_numpy(x).requires_grad_(), torch.from_numpy(dy)

    def step():
        for tensor in (x, *module.parameters()):
            tensor.grad = None
        module(x)[0].backward(dy)

    return step, lambda: gradients([x, *module.parameters()])


def language_model(w):
    """One training step of Embedding, LSTM and Linear; the update of the embedding is dense, as SGD's default is."""
    values, tokens, targets = language_model_data(w)
    V, E, H, B = (w.sizes[letter] for letter in "VEHB")
    dtype = getattr(torch, w.dtype)
    embedding, recurrent, output = (
        torch.nn.Embedding(V, E, dtype=dtype), torch.nn.LSTM(E, H, dtype=dtype), torch.nn.Linear(H, V, dtype=dtype),
    )
    parameters = [embedding.weight, *recurrent.parameters(), *output.parameters()]
    fill(parameters, values)
    rate = LEARNING_RATE[w.sizes["optimizer"]]
    optimizer = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[w.sizes["optimizer"]](parameters, lr=rate)
    tokens, targets = torch.from_numpy(tokens), torch.from_numpy(targets).reshape(-1)

    def step():
        optimizer.zero_grad()
        logits = output(recurrent(embedding(tokens))[0]).reshape(-1, V)
        (torch.nn.functional.cross_entropy(logits, targets, reduction="sum") / B).backward()
        torch.nn.utils.clip_grad_norm_(parameters, THRESHOLD)
        optimizer.step()

    return step, lambda: gradients(parameters)


def cross_entropy(w):
    """torch.nn.functional.cross_entropy."""
    logits, targets = map(torch.from_numpy, softmax_data(w))
    logits.requires_grad_()

    def step():
        logits.grad = None
        torch.nn.functional.cross_entropy(logits, targets).backward()

    return step, lambda: gradients([logits])


def embedding(w):
    """torch.nn.functional.embedding."""
    table, ids, dy = map(torch.from_numpy, embedding_data(w))
    table.requires_grad_()

    def step():
        table.grad = None
        torch.nn.functional.embedding(ids, table).backward(dy)

    return step, lambda: gradients([table])


def additions(w):
    """The chain of additions."""
    x, b = (torch.from_numpy(a).requires_grad_() for a in tape_data(w))
    one = torch.ones(w.sizes["size"], dtype=getattr(torch, w.dtype))

    def step():
        x.grad = b.grad = None
        y = x
        for _ in range(w.sizes["operations"]):
            y = y + b
        y.backward(one)

    return step, lambda: gradients([x, b])


def fill(parameters, values):
    """Give parameters the values of arrays."""
    with torch.no_grad():
        for parameter, value in zip(parameters, values):
            parameter.copy_(torch.from_numpy(value))


def gradients(tensors):
    """Their gradients as arrays."""
    return [t.grad.numpy() for t in tensors]

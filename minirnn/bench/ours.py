"""minirnn's side of every workload. ``make(workload)`` -> (step, results): one step, and the gradients it left."""

from dataclasses import replace
from itertools import count

import numpy as np

from minirnn import Tensor, kernels, nn, ops, optim
from minirnn.array import Streams
from minirnn.bench.workloads import (
    LEARNING_RATE,
    THRESHOLD,
    embedding_data,
    language_model_data,
    layer_data,
    softmax_data,
    tape_data,
    unroll_data,
)
from minirnn.models.language_model import LanguageModel


def make(w):
    """The workload as a user writes it: modules under the tape."""
    makers = {"lm": language_model, "softmax-xent": cross_entropy, "embedding-gradient": embedding, "tape": additions,
              "unroll": unrolled, "product": product}
    step, results = makers.get(w.kind, layer)(w)
    return step, comparable(w) if w.dropout else results


def make_without_dropout(w):
    """The workload without its recurrent dropout."""
    return make(replace(w, dropout=0.0))


def comparable(w):
    """A function that gives the gradients of a first step without dropout: what other libraries compute."""

    def results():
        step, results = make_without_dropout(w)
        step()
        return results()

    return results


def dropout_of(w):
    """The option of a recurrent layer that has the workload's dropout."""
    return {"recurrent_dropout": ("ours", w.dropout)} if w.dropout else {}


def layer(w):
    """minirnn.nn: the sequence kernels under the tape."""
    x, weights, dy = layer_data(w)
    kind = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[w.kind]
    after = {"reset_after": True} if w.kind == "gru" else {}
    module, steps = kind(x.shape[2], dy.shape[2], dtype=w.dtype, **after, **dropout_of(w)), count()
    parameters = [getattr(module, f"{name}_l0") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    for parameter, value in zip(parameters, weights):
        parameter.value = value
    x = Tensor(x, requires_grad=True)

    def step():
        for tensor in (x, *parameters):
            tensor.grad = None
        module(x, streams=Streams(0, next(steps)))[0].backward(dy)  # masks are drawn as in training

    return step, lambda: gradients([x, *parameters])


def language_model(w):
    """One training step: embedding, LSTM, softmax loss, every gradient, clipping, update. thesis sec. 3.4.2"""
    values, tokens, targets = language_model_data(w)
    model = LanguageModel(w.sizes["V"], w.sizes["E"], w.sizes["H"], dtype=w.dtype, **dropout_of(w))
    recurrent, steps = model.recurrent, count()
    parameters = [model.embedding.weight, recurrent.weight_ih_l0, recurrent.weight_hh_l0, recurrent.bias_ih_l0,
                  recurrent.bias_hh_l0, model.output.weight, model.output.bias]
    for parameter, value in zip(parameters, values):
        parameter.value = value
    rate = LEARNING_RATE[w.sizes["optimizer"]]
    optimizer = {"sgd": optim.SGD, "adam": optim.Adam}[w.sizes["optimizer"]](parameters, lr=rate)

    def step():
        optimizer.zero_grad()
        logits, _ = model(tokens, streams=Streams(0, next(steps)))
        nn.cross_entropy(logits, targets, time="sum").backward()
        optim.clip_grad_norm(parameters, THRESHOLD)
        optimizer.step()

    return step, lambda: gradients(parameters)


def cross_entropy(w):
    """The loss over a large vocabulary and its gradient."""
    logits, targets = softmax_data(w)
    logits = Tensor(logits, requires_grad=True)

    def step():
        logits.grad = None
        nn.cross_entropy(logits, targets).backward()

    return step, lambda: gradients([logits])


def embedding(w):
    """Looking up rows, and the dense gradient of the table."""
    table, ids, dy = embedding_data(w)
    table = Tensor(table, requires_grad=True)

    def step():
        table.grad = None
        ops.embedding(table, ids).backward(dy)

    return step, lambda: gradients([table])


def additions(w):
    """A chain of additions of a few numbers, forward and backward: the cost is that of recording."""
    x, b = (Tensor(a, requires_grad=True) for a in tape_data(w))
    one = np.ones(w.sizes["size"], w.dtype)

    def step():
        x.grad = b.grad = None
        y = x
        for _ in range(w.sizes["operations"]):
            y = y + b
        y.backward(one)

    return step, lambda: gradients([x, b])


def unrolled(w, bare=False):
    """A small step over a sequence, by ``nn.unroll``, or ``bare`` by a loop that calls it: what unroll costs."""
    x, weight, h0, dy = unroll_data(w)
    x, weight, h0 = (Tensor(a, requires_grad=True) for a in (x, weight, h0))

    def once(x_t, h, streams):
        h = ops.tanh(ops.linear(ops.concatenate([x_t, h], axis=-1), weight))
        return h, h

    def loop():
        h, y = h0, [None] * len(x)
        for t in range(len(x)):
            y[t], h = once(x[t], h, None)
        return ops.stack(y)

    def step():
        for tensor in (x, weight, h0):
            tensor.grad = None
        (loop() if bare else nn.unroll(once, x, h0)[0]).backward(dy)

    return step, lambda: gradients([x, weight, h0])


def make_bare_loop(w):
    """The workload of unroll without it."""
    return unrolled(w, bare=True)


def product(w):
    """NumPy's product of two square matrices: the machine's peak, as far as a program can see it."""
    a = np.random.default_rng(0).standard_normal((w.sizes["N"], w.sizes["N"])).astype(w.dtype)
    out = np.empty_like(a)
    return lambda: np.matmul(a, a, out=out), lambda: [out]


def gradients(tensors):
    """Their gradients as arrays."""
    return [np.asarray(t.grad.value) for t in tensors]


def make_kernels(w):
    """A recurrent layer by the kernels alone, without modules and tape; its masks, if any, are drawn beforehand."""
    x, weights, dy = layer_data(w)
    zeros = np.zeros_like(dy[0])
    forward, backward = getattr(kernels, f"{w.kind}_forward"), getattr(kernels, f"{w.kind}_backward")
    states = (zeros, zeros) if w.kind == "lstm" else (zeros,)
    after, consume = ({"reset_after": True} if w.kind == "gru" else {}), ({} if w.kind == "rnn" else {"consume": True})
    drawn = nn.RecurrentDropout("ours", w.dropout).masks(np.random.default_rng(0), *dy.shape, x, True)
    masks = {name: mask for name, mask in drawn._asdict().items() if mask is not None}
    latest = []

    def step():
        saved = forward(x, *states, *weights, **masks, **after)[-1]
        latest[:] = backward(saved, dy, **consume)

    return step, comparable(w) if w.dropout else lambda: [latest[0], *latest[-4:]]

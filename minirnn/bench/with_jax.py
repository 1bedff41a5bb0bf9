"""JAX's side: ``lax.scan`` over the steps, input projection hoisted, gradient and update jitted as one function.

There is no JAX row for the tape: JAX traces Python once and has no cost per operation to compare. Compilation happens
in the first step, which is not timed. Only a worker process imports this.
"""

import os

if hasattr(os, "sched_setaffinity"):  # XLA starts a thread for every processor it may use
    threads = int(os.environ.get("OMP_NUM_THREADS", 1))
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])

import jax
import jax.numpy as jnp
import numpy as np

from minirnn.bench.workloads import (
    LEARNING_RATE,
    THRESHOLD,
    embedding_data,
    language_model_data,
    layer_data,
    softmax_data,
)

jax.config.update("jax_platforms", "cpu")


def make(w):
    """(step, results) of a workload."""
    if w.dtype == "float64":
        jax.config.update("jax_enable_x64", True)
    makers = {"lm": language_model, "softmax-xent": cross_entropy, "embedding-gradient": embedding}
    return makers.get(w.kind, layer)(w)


def scan(cell, x, weight_ih, weight_hh, bias_ih, bias_hh):
    """A cell over a sequence: x (T, B, D), weights in PyTorch's layout -> y (T, B, H)."""
    H = weight_hh.shape[1]
    own = bias_hh if cell == "gru" else 0  # the GRU's second bias stands inside the reset, the others' can be hoisted
    projected = x @ weight_ih.T + (bias_ih if cell == "gru" else bias_ih + bias_hh)

    def lstm(state, a):
        h, c = state
        i, f, g, o = jnp.split(a + h @ weight_hh.T, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    def gru(h, a):
        (a_r, a_z, a_n), (h_r, h_z, h_n) = jnp.split(a, 3, axis=1), jnp.split(h @ weight_hh.T + own, 3, axis=1)
        z = jax.nn.sigmoid(a_z + h_z)
        n = jnp.tanh(a_n + jax.nn.sigmoid(a_r + h_r) * h_n)
        h = n + z * (h - n)
        return h, h

    def rnn(h, a):
        h = jnp.tanh(a + h @ weight_hh.T)
        return h, h

    zero = jnp.zeros((x.shape[1], H), x.dtype)
    return jax.lax.scan({"lstm": lstm, "gru": gru, "rnn": rnn}[cell], (zero, zero) if cell == "lstm" else zero,
                        projected)[1]


def jitted(function, *arguments):
    """A step that calls the jitted function and waits, and its results as arrays."""
    compiled, arguments, latest = jax.jit(function), [jnp.asarray(a) for a in arguments], []

    def step():
        latest[:] = jax.block_until_ready(compiled(*arguments))

    return step, lambda: [np.asarray(a) for a in latest]


def layer(w):
    """Gradients of a recurrent layer."""
    x, weights, dy = layer_data(w)
    loss = lambda x, *weights_and_dy: (scan(w.kind, x, *weights_and_dy[:4]) * weights_and_dy[4]).sum()
    return jitted(jax.grad(loss, argnums=(0, 1, 2, 3, 4)), x, *weights, dy)


def negative_log_likelihood(logits, targets):
    """Of each row: logits (N, V), targets (N,) -> (N,)."""
    return jax.nn.logsumexp(logits, axis=1) - jnp.take_along_axis(logits, targets[:, None], 1)[:, 0]


def cross_entropy(w):
    """Loss over a large vocabulary and its gradient."""
    logits, targets = softmax_data(w)
    return jitted(lambda a, t: (jax.grad(lambda a: negative_log_likelihood(a, t).mean())(a),), logits, targets)


def embedding(w):
    """The dense gradient of a table."""
    table, ids, dy = embedding_data(w)
    return jitted(lambda table, ids, dy: (jax.grad(lambda t: (t[ids] * dy).sum())(table),), table, ids, dy)


def language_model(w):
    """One training step, parameters and optimiser state donated as a careful user does."""
    values, tokens, targets = language_model_data(w)
    B, V = w.sizes["B"], w.sizes["V"]
    adam, rate = w.sizes["optimizer"] == "adam", LEARNING_RATE[w.sizes["optimizer"]]

    def clipped_gradients(parameters, tokens, targets):
        def loss(parameters):
            table, *weights, out_weight, out_bias = parameters
            logits = scan("lstm", table[tokens], *weights) @ out_weight.T + out_bias
            return negative_log_likelihood(logits.reshape(-1, V), targets.reshape(-1)).sum() / B

        gradients = jax.grad(loss)(parameters)
        norm = jnp.sqrt(sum((g * g).sum() for g in gradients))
        return [g * jnp.minimum(1.0, THRESHOLD / norm) for g in gradients]

    def update(parameters, state, tokens, targets):
        gradients = clipped_gradients(parameters, tokens, targets)
        if not adam:
            return [p - rate * g for p, g in zip(parameters, gradients)], state
        count, means, squares = state
        count = count + 1
        means = [0.9 * m + 0.1 * g for m, g in zip(means, gradients)]
        squares = [0.999 * v + 0.001 * g * g for v, g in zip(squares, gradients)]
        move = lambda m, v: rate * (m / (1 - 0.9**count)) / (jnp.sqrt(v / (1 - 0.999**count)) + 1e-8)
        return [p - move(m, v) for p, m, v in zip(parameters, means, squares)], (count, means, squares)

    zeros = lambda: [jnp.zeros(v.shape, w.dtype) for v in values]
    box = [[jnp.array(v) for v in values], (jnp.zeros((), w.dtype), zeros(), zeros()) if adam else ()]
    compiled = jax.jit(update, donate_argnums=(0, 1))
    tokens, targets = jnp.asarray(tokens), jnp.asarray(targets)

    def step():
        box[:] = jax.block_until_ready(compiled(*box, tokens, targets))

    def results():  # of the first step: the update keeps no gradient
        return [np.asarray(g) for g in jax.jit(clipped_gradients)([jnp.asarray(v) for v in values], tokens, targets)]

    return step, results

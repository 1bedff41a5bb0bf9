"""What ``minirnn gradcheck`` checks of the operations: cases for each, away from kinks, with all sizes different."""

import numpy as np

from minirnn import ops

# comparisons and indices: no gradient, nothing recorded
NOT_DIFFERENTIABLE = ("eq", "ne", "lt", "le", "gt", "ge", "argmax", "argmin", "one_hot")

_rng, _later = np.random.default_rng(20), np.random.default_rng(21)


def signed(*shape, rng=_rng):
    """Values away from zero, of both signs, no two alike."""
    size = int(np.prod(shape, dtype=int))
    return (rng.permutation(np.linspace(0.2, 1.7, size)) * rng.choice([-1.0, 1.0], size)).reshape(shape)


def positive(*shape):
    return _rng.uniform(0.5, 2.0, shape)


def drawn(*shape):
    """As ``signed``, from a generator of its own, so that a new case leaves the numbers of the others alone."""
    return signed(*shape, rng=_later)


TAKEN = np.array([[True, False, True], [False, True, True]])
KEPT = np.array([0.0, 2.0, 2.0])
ROWS = np.array([0, 0, 1])

# operation, and after a blank what is special about the case -> function of Tensors, arrays
CASES = {
    "add": (ops.add, signed(3, 4), signed(4)),
    "subtract": (ops.subtract, signed(3, 1), signed(3, 4)),
    "multiply": (ops.multiply, signed(2, 3, 4), signed(3, 1)),
    "divide": (ops.divide, signed(3, 4), positive(4)),
    "negative": (ops.negative, signed(3)),
    "power": (ops.power, positive(3, 4), signed(4)),
    "power of negative numbers": (lambda x: ops.power(x, 3), signed(5)),
    "exp": (ops.exp, signed(3)),
    "log": (ops.log, positive(3)),
    "sqrt": (ops.sqrt, positive(3)),
    "absolute": (ops.absolute, signed(5)),
    "sign": (ops.sign, signed(5)),
    "maximum": (ops.maximum, signed(3, 4), signed(4)),
    "minimum": (ops.minimum, signed(3, 4), signed(3, 1)),
    "where": (lambda x, y: ops.where(TAKEN[0], x, y), signed(2, 3), signed(3)),
    "clip": (lambda x: ops.clip(x, -0.5, 0.6), np.array([-1.0, -0.2, 0.3, 0.9])),
    "astype": (lambda x: ops.astype(x, np.float64), signed(3)),
    "expand": (lambda x: ops.expand(x, (2, 3, 4)), signed(3, 1)),
    "sum_to": (lambda x: ops.sum_to(x, (3, 1)), signed(2, 3, 4)),
    "tanh": (ops.tanh, signed(3)),
    "sigmoid": (ops.sigmoid, signed(3)),
    "relu": (ops.relu, signed(5)),
    "leaky_relu": (lambda x: ops.leaky_relu(x, 0.2), signed(5)),
    "softplus": (ops.softplus, signed(4)),
    "softmax": (ops.softmax, signed(3, 4)),
    "log_softmax": (lambda x: ops.log_softmax(x, 0), signed(3, 4)),
    "logsumexp": (lambda x: ops.logsumexp(x, 1), signed(3, 4)),
    "dropout": (lambda x: ops.dropout(x, KEPT.astype(x.dtype)), signed(2, 3)),
    "matmul": (ops.matmul, signed(2, 3, 4), signed(4, 5)),
    "matmul batched": (ops.matmul, signed(2, 3, 4), signed(2, 4, 5)),
    "matmul broadcast": (ops.matmul, signed(3, 4), signed(2, 4, 5)),
    "matmul of matrix and vector": (ops.matmul, signed(3, 4), signed(4)),
    "matmul of vector and batch": (ops.matmul, signed(4), signed(2, 4, 3)),
    "linear": (ops.linear, signed(2, 3, 4), signed(5, 4), signed(5)),
    "linear without bias": (ops.linear, signed(3, 4), signed(5, 4)),
    "einsum": (lambda x, w: ops.einsum("tbd,hd->th", x, w), signed(2, 3, 4), signed(5, 4)),
    "einsum of three": (lambda a, b, c: ops.einsum("i,ij,j->", a, b, c), signed(2), signed(2, 3), signed(3)),
    "norm": (lambda x: ops.norm(x, (0, 2), True), signed(2, 3, 4)),
    "norm of all": (ops.norm, signed(3, 4)),
    "dot": (ops.dot, signed(3), signed(3)),
    "sum": (lambda x: ops.sum(x, (0, 2)), signed(2, 3, 4)),
    "mean": (lambda x: ops.mean(x, 1, True), signed(2, 3)),
    "var": (lambda x: ops.var(x, 0, ddof=1), signed(4, 3)),
    "max": (lambda x: ops.max(x, (0, 2)), signed(2, 3, 4)),
    "min": (ops.min, signed(2, 3)),
    "prod": (lambda x: ops.prod(x, 1), signed(2, 3, 2)),
    "prod with a zero": (lambda x: ops.prod(x, 0), np.array([2.0, 0.0, -3.0])),
    "cumsum": (lambda x: ops.cumsum(x, 0), signed(3, 2)),
    "reshape": (lambda x: ops.reshape(x, (3, -1)), signed(2, 3)),
    "transpose": (lambda x: ops.transpose(x, (2, 0, 1)), signed(2, 3, 4)),
    "swapaxes": (lambda x: ops.swapaxes(x, 0, -1), signed(2, 3, 4)),
    "squeeze": (lambda x: ops.squeeze(x, 1), signed(3, 1)),
    "unsqueeze": (lambda x: ops.unsqueeze(x, 1), signed(3, 2)),
    "concatenate": (lambda a, b: ops.concatenate([a, b], 1), signed(2, 3), signed(2, 1)),
    "stack": (lambda a, b: ops.stack([a, b], 1), signed(2, 3), signed(2, 3)),
    "split": (lambda x: ops.split(x, [1, 2], 1)[1] * ops.split(x, [2, 1], 1)[0], signed(2, 3)),
    "pad": (lambda x: ops.pad(x, ((1, 0), (0, 2))), signed(2, 3)),
    "flip": (lambda x: ops.flip(x, 0), signed(2, 3)),
    "roll": (lambda x: ops.roll(x, (1, -2), (1, 0)), signed(3, 4)),
    "roll through rows": (lambda x: ops.roll(x, 4), signed(2, 3)),
    "getitem": (lambda x: ops.getitem(x, (slice(1, None), 0)), signed(3, 2)),
    "getitem of repeated rows": (lambda x: ops.getitem(x, (ROWS, slice(1, None))), signed(2, 3)),
    "getitem by a mask": (lambda x: ops.getitem(x, TAKEN), signed(2, 3)),
    "scatter": (lambda x: ops.scatter(x, ROWS, (4, 2)), signed(3, 2)),
    "gather": (lambda x: ops.gather(x, np.array([[0, 0], [2, 1]]), 1), signed(2, 3)),
    "embedding": (lambda w: ops.embedding(w, np.array([[0, 0], [2, 1]])), signed(3, 2)),
    "conv1d": (lambda x, w, b: ops.conv1d(x, w, b, 2, 1), signed(2, 3, 7), signed(4, 3, 3), signed(4)),
    "conv1d causal": (lambda x, w: ops.conv1d(x, w, padding="causal"), signed(2, 3, 5), signed(4, 3, 3)),
    "conv2d": (lambda x, w: ops.conv2d(x, w, None, (2, 1), (1, 0)), signed(2, 2, 5, 4), signed(3, 2, 3, 2)),
    "conv_transpose1d": (
        lambda x, w, b: ops.conv_transpose1d(x, w, b, 2, 1, 1),
        signed(2, 3, 4),
        signed(3, 2, 3),
        signed(2),
    ),
    "conv_transpose2d": (
        lambda x, w: ops.conv_transpose2d(x, w, None, 2, 1),
        signed(1, 2, 3, 3),
        signed(2, 2, 3, 3),
    ),
    "unfold": (lambda x: ops.unfold(x, (2,), (1,)), signed(2, 1, 4)),
    "fold": (lambda x: ops.fold(x, (4,), (1,)), signed(2, 1, 3, 2)),
    "max_pool": (lambda x: ops.max_pool(x, 2), signed(2, 2, 4, 5)),
    "avg_pool": (lambda x: ops.avg_pool(x, 3, 2), signed(2, 2, 7)),
}
CASES |= {
    "sin": (ops.sin, drawn(4)),
    "cos": (ops.cos, drawn(4)),
    "log1p": (ops.log1p, abs(drawn(4)) - 0.5),
    "expm1": (ops.expm1, drawn(4)),
    "erf": (ops.erf, drawn(5)),
    "logaddexp": (ops.logaddexp, drawn(3, 4), drawn(4)),
    "gelu": (ops.gelu, drawn(5)),
    "gelu of tanh": (lambda x: ops.gelu(x, "tanh"), drawn(5)),
    "silu": (ops.silu, drawn(5)),
    "elu": (lambda x: ops.elu(x, 0.7), drawn(5)),
    "std": (lambda x: ops.std(x, (0, 2), ddof=1), drawn(2, 3, 4)),
    "prod over axes": (lambda x: ops.prod(x, (0, 2)), drawn(2, 3, 2)),
    "logsumexp over axes": (lambda x: ops.logsumexp(x, (0, 2), True), drawn(2, 3, 4)),
    "cumprod": (lambda x: ops.cumprod(x, 0), drawn(4, 2)),
    "cumprod with zeros": (ops.cumprod, np.array([2.0, 0.0, -3.0, 0.0, 0.5])),
    "repeat": (lambda x: ops.repeat(x, 3, 1), drawn(2, 3)),
    "repeat each": (lambda x: ops.repeat(x, [2, 0, 1], -1), drawn(2, 3)),
    "tile": (lambda x: ops.tile(x, (2, 1, 3)), drawn(2, 3)),
    "tril": (lambda x: ops.tril(x, -1), drawn(2, 3, 4)),
    "triu": (ops.triu, drawn(3, 4)),
    "pad by reflection": (lambda x: ops.pad(x, ((1, 2), (0, 1)), mode="reflect"), drawn(3, 2)),
    "sort": (lambda x: ops.sort(x, 0, descending=True)[0], drawn(4, 2)),
    "topk": (lambda x: ops.topk(x, 2)[0], drawn(3, 4)),
    "max_with_indices": (lambda x: ops.max_with_indices(x, 1)[0], drawn(2, 3, 2)),
    "min_with_indices": (lambda x: ops.min_with_indices(x, 0, True)[0], drawn(2, 3)),
    "einsum of a diagonal": (lambda x, y: ops.einsum("iji,j->ij", x, y), drawn(2, 3, 2), drawn(3)),
    "einsum with an ellipsis": (
        lambda x, y: ops.einsum("...ij,...jk->...ik", x, y), drawn(2, 1, 3, 4), drawn(2, 4, 2)),
    "max_pool padded, rounded up": (lambda x: ops.max_pool(x, 3, 2, 1, ceil_mode=True), drawn(1, 2, 4, 6)),
    "avg_pool padded, rounded up": (
        lambda x: ops.avg_pool(x, 3, 2, 1, ceil_mode=True, count_include_pad=False), drawn(1, 2, 4, 6)),
}

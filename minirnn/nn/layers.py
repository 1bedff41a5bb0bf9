"""Layers without a state: Linear, Conv1d, Embedding, Dropout."""

import numbers

import numpy as np

from minirnn import init, ops
from minirnn.array import beside, check_float
from minirnn.autograd import Tensor
from minirnn.autograd.compiled import empty
from minirnn.autograd.tape import lift
from minirnn.errors import DtypeError, InputError, must_be
from minirnn.nn.module import Module, parameter
from minirnn.nn.streams import streams as as_streams


def check_rate(where, rate, cause="it is the probability of dropping"):
    """A probability in [0, 1) as a float, or InputError."""
    if not isinstance(rate, numbers.Real) or isinstance(rate, bool) or not 0 <= rate < 1:
        raise InputError(must_be(where, "rate", "a number in [0, 1)", repr(rate), cause))
    return float(rate)


def check_size(where, name, size):
    """A positive int, or InputError."""
    if not isinstance(size, (int, np.integer)) or isinstance(size, bool) or size < 1:
        raise InputError(must_be(where, name, "a positive int", size))
    return int(size)


def check_generator(where, rng):
    """A numpy Generator, or InputError."""
    if not isinstance(rng, np.random.Generator):
        raise InputError(must_be(where, "what streams give", "a numpy Generator", repr(rng)))
    return rng


def check_row(row, V):
    """One of V rows, counted from the end where negative: row -1 of 5 is 4."""
    if not isinstance(row, numbers.Integral) or isinstance(row, bool):
        raise DtypeError(must_be("Embedding", "padding_idx", "an integer", repr(row)))
    if not -V <= row < V:
        raise InputError(must_be("Embedding", "padding_idx", f"in [-{V}, {V})", row))
    return int(row) % V


class Linear(Module):
    """y = x W^T + b: x (..., in) -> (..., out), weight (out, in), bias (out,). Thesis (2.1.3).

    Glorot uniform weights from ``rng``, zero bias. Raises InputError for a last axis other than in_features.
    """

    def __init__(self, in_features, out_features, bias=True, *, rng=None, dtype=np.float32):
        self.in_features = check_size("Linear", "in_features", in_features)
        self.out_features = check_size("Linear", "out_features", out_features)
        shape = (self.out_features, self.in_features)
        self.weight = parameter(init.glorot_uniform(np.random.default_rng(rng), shape, dtype=dtype))
        self.bias = parameter(np.zeros(out_features, dtype)) if bias else None

    def extra_repr(self):
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"

    def forward(self, x):
        x = lift(x)
        if not x.ndim or x.shape[-1] != self.in_features:
            raise InputError(must_be("Linear", "x", f"(..., in) = (..., {self.in_features})", x.shape))
        return ops.linear(x, self.weight, self.bias)


class Conv1d(Module):
    """Cross-correlation along the last axis: x (N, C, L) -> (N, O, (L + 2 padding - k) // stride + 1).

    PyTorch's arguments and layout: weight (O, C, k), bias (O,); padding may be "causal" as in ops.conv1d, which raises
    the errors for x. Glorot uniform weights from ``rng``, zero bias. Thesis sec. 2.1.3.
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, bias=True, *, rng=None,
                 dtype=np.float32):
        sizes = {"out_channels": out_channels, "in_channels": in_channels, "kernel_size": kernel_size}
        shape = tuple(check_size("Conv1d", name, size) for name, size in sizes.items())
        self.stride, self.padding = stride, padding
        self.weight = parameter(init.glorot_uniform(np.random.default_rng(rng), shape, dtype=dtype))
        self.bias = parameter(np.zeros(out_channels, dtype)) if bias else None

    def extra_repr(self):
        out, into, size = self.weight.shape
        return (f"{into}, {out}, kernel_size={size}, stride={self.stride}, padding={self.padding!r}, "
                f"bias={self.bias is not None}")

    def forward(self, x):
        return ops.conv1d(x, self.weight, self.bias, self.stride, self.padding)


class Embedding(Module):
    """Rows of a table: ids (...) of ints in [0, V) -> (..., D); weight (V, D), N(0, 1) from ``rng``.

    The row padding_idx starts as zeros and gets no gradient; -1 is the last row.
    """

    def __init__(self, num_embeddings, embedding_dim, padding_idx=None, *, rng=None, dtype=np.float32):
        shape = (
            check_size("Embedding", "num_embeddings", num_embeddings),
            check_size("Embedding", "embedding_dim", embedding_dim),
        )
        self.padding_idx = None if padding_idx is None else check_row(padding_idx, shape[0])
        self.weight = parameter(init.normal(np.random.default_rng(rng), shape, 1.0, dtype))
        if padding_idx is not None:
            self.weight.value[self.padding_idx] = 0

    def extra_repr(self):
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return "{}, {}".format(*self.weight.shape) + padding

    def forward(self, ids):
        return ops.embedding(self.weight, ids, self.padding_idx)


class Dropout(Module):
    """In training, entries are dropped with probability ``rate`` and the others divided by 1 - rate; else identity.

    ``streams``, as ``nn.streams`` takes them, are given here or with each call; the mask has x's shape and comes from
    the stream called ``purpose``: Dropout(0.5, purpose="input")(x, streams=7). Thesis (3.3.15).
    """

    def __init__(self, rate=0.5, *, purpose="dropout", streams=None):
        if isinstance(streams, numbers.Integral):
            cause = "a seed would draw the same mask at every call"
            raise InputError(must_be("Dropout", "streams", "a Generator or Streams here", repr(streams), cause))
        self.rate, self.purpose, self.streams = check_rate("Dropout", rate), purpose, as_streams(streams)

    def extra_repr(self):
        return f"rate={self.rate:g}"

    def forward(self, x, *, streams=None):
        check_float("Dropout", "x", lift(x))
        if not self.training or self.rate == 0:
            return x
        streams = self.streams if streams is None else as_streams(streams)
        if streams is None:
            what, cause = "a seed, a Generator or Streams in training", "pass streams= here or to Dropout"
            raise InputError(must_be("Dropout", "streams", what, None, cause))
        rng, keep = check_generator("Dropout", streams(self.purpose)), 1 - self.rate
        return ops.dropout(x, Tensor(draw_mask(rng, x.shape, keep, x.value, 1 / keep)))


def draw_mask(rng, shape, keep, like, kept=1.0):
    """Mask of ``shape``: ``kept`` with probability ``keep``, else 0; float type and device of array ``like``.

    thesis (3.3.1)

    A random byte an entry costs less than a real number; the few entries that it does not decide draw one, so that the
    probability is exact.
    """
    mask = empty(shape, like.dtype)
    flat, (whole, rest) = mask.reshape(-1), divmod(keep * 256, 1)
    words = rng.integers(0, 2**64 - 1, -(-flat.size // 8), np.uint64, endpoint=True)
    byte = words.view(np.uint8)[: flat.size]
    np.less(byte, int(whole), out=flat)
    if rest:
        undecided = np.flatnonzero(byte == int(whole))
        flat[undecided] = rng.random(undecided.size) < rest
    if kept != 1:
        flat *= like.dtype.type(kept)
    return beside(mask, like)

"""Initial values. Each function returns a new array of ``shape`` drawn from ``rng`` (a numpy Generator)."""

import numpy as np

from minirnn.array import to_device
from minirnn.errors import DtypeError, InputError, in_our_words, must_be


def _generator(rng):
    if not isinstance(rng, np.random.Generator):
        raise DtypeError(must_be("init", "rng", "a numpy Generator", type(rng).__name__))
    return rng


@in_our_words
def uniform(rng, shape, bound, dtype=np.float32):
    """U(-bound, bound); the thesis's language models use bound 0.05."""
    return _generator(rng).uniform(-bound, bound, shape).astype(dtype)


@in_our_words
def redraw_uniform(rng, parameters, bound):
    """Give every parameter, biases too, a new value from U(-bound, bound), the thesis's initialisation; its float type
    and its device stay."""
    for parameter in parameters:
        if not hasattr(parameter, "value"):
            raise DtypeError(must_be("redraw_uniform", "parameters", "Tensors", type(parameter).__name__))
        parameter.value = to_device(uniform(rng, parameter.shape, bound, parameter.dtype), parameter.device)


@in_our_words
def normal(rng, shape, std, dtype=np.float32):
    """N(0, std^2)."""
    return (std * _generator(rng).standard_normal(shape)).astype(dtype)


def _fans(shape):
    if len(shape) < 2:
        raise InputError(must_be("init", "shape", "(out, in, ...)", shape, "a bias has no fan-in; use zeros"))
    field = int(np.prod(shape[2:]))
    return shape[1] * field, shape[0] * field


@in_our_words
def glorot_uniform(rng, shape, gain=1.0, dtype=np.float32):
    """U(+-gain sqrt(6 / (fan_in + fan_out))) for tanh and sigmoid (Glorot and Bengio 2010)."""
    return uniform(rng, shape, gain * np.sqrt(6 / sum(_fans(shape))), dtype)


@in_our_words
def he_normal(rng, shape, dtype=np.float32):
    """N(0, 2 / fan_in) for ReLU (He et al. 2015)."""
    return normal(rng, shape, np.sqrt(2 / _fans(shape)[0]), dtype)


@in_our_words
def orthogonal(rng, shape, gain=1.0, dtype=np.float32):
    """Rows or columns orthonormal, Haar-distributed: Q of a Gaussian matrix, columns times the sign of R's diagonal."""
    if len(shape) != 2:
        raise InputError(must_be("orthogonal", "shape", "(out, in)", shape))
    tall = (max(shape), min(shape))
    q, r = np.linalg.qr(_generator(rng).standard_normal(tall))
    q = q * np.sign(np.diag(r))
    return (gain * (q if tall == tuple(shape) else q.T)).astype(dtype)


@in_our_words
def identity(shape, scale=1.0, dtype=np.float32):
    """scale times the identity: the recurrent matrix of the IRNN (Le et al. 2015)."""
    if len(shape) != 2 or shape[0] != shape[1]:
        raise InputError(must_be("identity", "shape", "(H, H)", shape))
    return (scale * np.eye(shape[0])).astype(dtype)


@in_our_words
def gate_biases(hidden, values, dtype=np.float32):
    """Stacked bias (G*H,) with one constant, or one array (H,), for each gate; LSTM order i, f, g, o."""
    return np.concatenate([np.broadcast_to(np.asarray(v, dtype), (hidden,)) for v in values])


@in_our_words
def lstm_biases(hidden, a=1.0, blocks=1, dtype=np.float32):
    """Slides: b_i = -a, b_f = a, b_o = -a, b_g = 0. With ``blocks`` > 1 the constant grows from 1 to a over equal
    blocks of units, so that blocks open one after the other and remember over different ranges. -> (4H,)."""
    if blocks < 1 or hidden % blocks:
        raise InputError(must_be("lstm_biases", "blocks", f"a divisor of H = {hidden}", blocks))
    steps = np.repeat(np.linspace(1.0, a, blocks) if blocks > 1 else [a], hidden // blocks)
    return gate_biases(hidden, (-steps, steps, 0.0, -steps), dtype)

"""All tape operations under one name: ``minirnn.ops.tanh(x)``.

What NumPy says of shapes, axes and types that do not fit comes as InputError or DtypeError with the operation's name.
"""

from minirnn.autograd.activations import elu, gelu, silu
from minirnn.autograd.arithmetic import (
    absolute,
    add,
    astype,
    clip,
    divide,
    eq,
    exp,
    expand,
    ge,
    gt,
    le,
    log,
    lt,
    maximum,
    minimum,
    multiply,
    ne,
    negative,
    power,
    sign,
    sqrt,
    subtract,
    sum_to,
    where,
)
from minirnn.autograd.conv import conv1d, conv2d, conv_transpose1d, conv_transpose2d, fold, unfold
from minirnn.autograd.einsum import einsum
from minirnn.autograd.elementary import cos, erf, expm1, log1p, logaddexp, sin
from minirnn.autograd.index import embedding, gather, getitem, scatter
from minirnn.autograd.linear import dot, linear, matmul
from minirnn.autograd.nonlinear import (
    dropout,
    leaky_relu,
    log_softmax,
    logsumexp,
    relu,
    sigmoid,
    softmax,
    softplus,
    tanh,
)
from minirnn.autograd.pool import avg_pool, max_pool
from minirnn.autograd.reduce import cumprod, cumsum, max, mean, min, norm, prod, std, sum, var
from minirnn.autograd.select import argmax, argmin, max_with_indices, min_with_indices, one_hot, sort, topk
from minirnn.autograd.shape import (
    concatenate,
    flip,
    pad,
    repeat,
    reshape,
    roll,
    split,
    squeeze,
    stack,
    swapaxes,
    tile,
    transpose,
    tril,
    triu,
    unsqueeze,
)
from minirnn.errors import in_our_words

_operations = [name for name, thing in globals().items() if getattr(thing, "__module__", "").startswith("minirnn.")]
for _name in _operations:
    if _name != "in_our_words":
        globals()[_name] = in_our_words(globals()[_name])  # inside, vjps call each other without this

__all__ = [name for name in _operations if name != "in_our_words"]

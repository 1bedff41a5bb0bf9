"""All tape operations under one name: ``minirnn.ops.tanh(x)``."""

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
from minirnn.autograd.conv import (
    avg_pool,
    conv1d,
    conv2d,
    conv_transpose1d,
    conv_transpose2d,
    fold,
    max_pool,
    unfold,
)
from minirnn.autograd.index import embedding, gather, getitem, scatter
from minirnn.autograd.linear import dot, einsum, linear, matmul
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
from minirnn.autograd.reduce import cumsum, max, mean, min, norm, prod, sum, var
from minirnn.autograd.shape import (
    concatenate,
    flip,
    pad,
    reshape,
    roll,
    split,
    squeeze,
    stack,
    swapaxes,
    transpose,
    unsqueeze,
)

__all__ = [name for name in dir() if not name.startswith("_")]

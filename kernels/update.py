"""Passes over large arrays of parameters and gradients, each in one go. Slower twins: minirnn.optim on NumPy arrays.

Every new array comes from the pool of ``memory``, so that a training step touches no fresh pages.
"""

import numpy as np
from minirnn.kernels.jit import kernel
from minirnn.kernels.memory import empty_like
from minirnn.kernels.threads import Job, meet, run, split, threads_worth


@kernel(out="N", p="N", g="N", rate="1")
def descend_part(tid, nth, arrivals, out, p, g, rate):
    """Fills out with p - rate g."""
    meet(arrivals, nth)
    first, last = split(out.size, 16, tid, nth)
    o, q, d, lr = out[first:last], p[first:last], g[first:last], rate[0]
    for j in range(o.size):
        o[j] = q[j] - lr * d[j]


@kernel(out="N", g="N", factor="1")
def scale_part(tid, nth, arrivals, out, g, factor):
    """Fills out with factor g."""
    meet(arrivals, nth)
    first, last = split(out.size, 16, tid, nth)
    o, d, by = out[first:last], g[first:last], factor[0]
    for j in range(o.size):
        o[j] = by * d[j]


@kernel(out="N", p="N", g="N", velocity="N", constants="2")
def momentum_part(tid, nth, arrivals, out, p, g, velocity, constants):
    """Updates velocity = momentum velocity + g in place and fills out with p - rate velocity; constants: both."""
    meet(arrivals, nth)
    first, last = split(out.size, 16, tid, nth)
    keep, rate = constants[0], constants[1]
    d, v = g[first:last], velocity[first:last]
    for j in range(d.size):
        v[j] = keep * v[j] + d[j]
    o, q = out[first:last], p[first:last]
    for j in range(o.size):
        o[j] = q[j] - rate * v[j]


@kernel(out="N", p="N", g="N", square="N", constants="3")
def rmsprop_part(tid, nth, arrivals, out, p, g, square, constants):
    """Updates square = rho square + (1 - rho) g^2 in place and fills out with p - rate g / sqrt(square + eps).

    constants: rho, rate, eps.
    """
    meet(arrivals, nth)
    first, last = split(out.size, 16, tid, nth)
    rho, rate, eps = constants[0], constants[1], constants[2]
    rest = out.dtype.type(1) - rho
    d, s = g[first:last], square[first:last]
    for j in range(d.size):
        s[j] = rho * s[j] + rest * (d[j] * d[j])
    o, q = out[first:last], p[first:last]
    for j in range(o.size):
        o[j] = q[j] - rate * d[j] / np.sqrt(s[j] + eps)


@kernel(out="N", p="N", g="N", square="N", constants="3")
def rmsprop_outside_part(tid, nth, arrivals, out, p, g, square, constants):
    """As rmsprop_part with p - rate g / (sqrt(square) + eps), which is PyTorch's."""
    meet(arrivals, nth)
    first, last = split(out.size, 16, tid, nth)
    rho, rate, eps = constants[0], constants[1], constants[2]
    rest = out.dtype.type(1) - rho
    d, s = g[first:last], square[first:last]
    for j in range(d.size):
        s[j] = rho * s[j] + rest * (d[j] * d[j])
    o, q = out[first:last], p[first:last]
    for j in range(o.size):
        o[j] = q[j] - rate * d[j] / (np.sqrt(s[j]) + eps)


@kernel(out="N", p="N", g="N", mean="N", square="N", constants="5")
def adam_part(tid, nth, arrivals, out, p, g, mean, square, constants):
    """Updates mean and square in place and fills out with p - step mean / (root sqrt(square) + eps).

    constants: beta_1, beta_2, step = lr / (1 - beta_1^t), root = 1 / sqrt(1 - beta_2^t), eps.
    """
    meet(arrivals, nth)
    first, last = split(out.size, 16, tid, nth)
    b1, b2, step, root, eps = constants[0], constants[1], constants[2], constants[3], constants[4]
    one = out.dtype.type(1)
    rest1, rest2 = one - b1, one - b2
    d, m, v = g[first:last], mean[first:last], square[first:last]
    for j in range(d.size):  # two loops: one over five arrays is not vectorised
        m[j] = b1 * m[j] + rest1 * d[j]
        v[j] = b2 * v[j] + rest2 * (d[j] * d[j])
    o, q = out[first:last], p[first:last]
    for j in range(o.size):
        o[j] = q[j] - step * m[j] / (root * np.sqrt(v[j]) + eps)


@kernel(y="M N", row="N")
def add_row_part(tid, nth, arrivals, y, row):
    """Adds row to every row of y, in place."""
    meet(arrivals, nth)
    first, last = split(y.shape[0], 1, tid, nth)
    for m in range(first, last):
        out = y[m]
        for j in range(out.size):
            out[j] += row[j]


# rule -> its kernel, how many states it keeps, and how many constants it wants
RULES = {
    "sgd": (descend_part, 0, 1),
    "momentum": (momentum_part, 1, 2),
    "rmsprop": (rmsprop_part, 1, 3),
    "rmsprop-outside": (rmsprop_outside_part, 1, 3),
    "adam": (adam_part, 2, 5),
}


def run_over(kernel, y, *others):
    """Run a kernel over y and arrays of its dtype, on as many threads as y's size is worth."""
    run([Job(kernel, y.dtype, (y, *others))], threads_worth(16 * y.size))
    return y


def update(part, p, g, states, constants):
    """New values of parameter p from its gradient g (one shape and dtype, C-contiguous); ``states`` are overwritten."""
    out = empty_like(p)
    flat = (array.reshape(-1) for array in (p, g, *states))
    run_over(part, out.reshape(-1), *flat, np.array(constants, p.dtype))
    return out


def scale(g, factor):
    """factor g -> a new array."""
    out = empty_like(g)
    run_over(scale_part, out.reshape(-1), g.reshape(-1), np.array([factor], g.dtype))
    return out

"""Activations as modules, for ``nn.Sequential``: each is the operation of the same meaning in ``minirnn.ops``."""

from minirnn import ops
from minirnn.errors import InputError, bound, must_be
from minirnn.nn.module import Module


class Activation(Module):
    """An operation without settings as a module: Tanh()(x) is ops.tanh(x)."""

    operation = None

    def __init__(self):
        super().__init__()

    def forward(self, x):
        return self.operation(x)


class Tanh(Activation):
    """ops.tanh."""

    operation = staticmethod(ops.tanh)


class Sigmoid(Activation):
    """ops.sigmoid."""

    operation = staticmethod(ops.sigmoid)


class ReLU(Activation):
    """ops.relu."""

    operation = staticmethod(ops.relu)


class SiLU(Activation):
    """ops.silu."""

    operation = staticmethod(ops.silu)


class LeakyReLU(Module):
    """ops.leaky_relu with this slope below 0."""

    def __init__(self, negative_slope=0.01):
        self.negative_slope = bound("LeakyReLU", "negative_slope", negative_slope)

    def extra_repr(self):
        return f"negative_slope={self.negative_slope:g}"

    def forward(self, x):
        return ops.leaky_relu(x, self.negative_slope)


class ELU(Module):
    """ops.elu, which goes to -alpha."""

    def __init__(self, alpha=1.0):
        self.alpha = bound("ELU", "alpha", alpha)

    def extra_repr(self):
        return f"alpha={self.alpha:g}"

    def forward(self, x):
        return ops.elu(x, self.alpha)


class GELU(Module):
    """ops.gelu, exact or approximate="tanh"."""

    def __init__(self, approximate="none"):
        if approximate not in ("none", "tanh"):
            raise InputError(must_be("GELU", "approximate", "'none' or 'tanh'", repr(approximate)))
        self.approximate = approximate

    def extra_repr(self):
        return f"approximate={self.approximate!r}"

    def forward(self, x):
        return ops.gelu(x, self.approximate)


class Softmax(Module):
    """ops.softmax along an axis."""

    def __init__(self, axis=-1):
        self.axis = axis

    def extra_repr(self):
        return f"axis={self.axis}"

    def forward(self, x):
        return ops.softmax(x, self.axis)


class LogSoftmax(Softmax):
    """ops.log_softmax along an axis."""

    def forward(self, x):
        return ops.log_softmax(x, self.axis)

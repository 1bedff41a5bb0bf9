"""What optimisers, clipping and schedules are given, checked once."""

import math
import numbers

import numpy as np

from minirnn.array import check_float
from minirnn.autograd import Tensor
from minirnn.errors import DtypeError, InputError, check_shape, must_be


def tensors_of(where, parameters):
    """The parameters as a list, each once; DtypeError for a Tensor in place of a list, which would be cut into rows."""
    if isinstance(parameters, Tensor) or not hasattr(parameters, "__iter__") or getattr(parameters, "ndim", 1) == 0:
        cause = "put it in a list" if isinstance(parameters, Tensor) else "model.parameters() is one"
        raise DtypeError(must_be(where, "parameters", "a list of Tensors", type(parameters).__name__, cause))
    parameters, places = list(parameters), {}
    for k, p in enumerate(parameters):
        if not isinstance(p, Tensor):
            raise DtypeError(must_be(where, f"parameters[{k}]", "a Tensor", type(p).__name__))
        if places.setdefault(id(p), k) != k:
            cause = "model.parameters() lists tied weights once"
            again = f"parameters[{places[id(p)]}] again"
            raise InputError(must_be(where, f"parameters[{k}]", "listed once", again, cause))
    return parameters


def check_parameter(where, k, p):
    """Refuse a parameter whose value is no float array any more."""
    if not hasattr(p.value, "dtype"):
        raise DtypeError(must_be(where, f"the value of parameters[{k}]", "an array", type(p.value).__name__))
    check_float(where, f"parameters[{k}]", p)


def check_gradient(where, k, p):
    """Refuse a gradient that is not of its parameter's shape: broadcast, it would change the parameter's."""
    check_parameter(where, k, p)
    if not isinstance(p.grad, Tensor):
        raise DtypeError(must_be(where, f"the gradient of parameters[{k}]", "a Tensor", type(p.grad).__name__))
    check_float(where, f"the gradient of parameters[{k}]", p.grad)
    check_shape(where, f"the gradient of parameters[{k}]", p.grad, "its parameter's shape", p.shape)


def real(where, name, value, what, holds):
    """``value`` as it is, a number other than NaN for which ``holds``; InputError or DtypeError with ``what`` else."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise DtypeError(must_be(where, name, what, repr(value)))
    if math.isnan(value) or not holds(value):
        raise InputError(must_be(where, name, what, value))
    return value


def positive(where, name, value):
    """A finite number above zero."""
    return real(where, name, value, "a positive number", lambda v: 0 < v < math.inf)


def not_negative(where, name, value):
    """A finite number of at least zero: eps."""
    return real(where, name, value, "a finite number of at least 0", lambda v: 0 <= v < math.inf)


def share(where, name, value):
    """A number in [0, 1): how much of a running mean stays."""
    return real(where, name, value, "in [0, 1)", lambda v: 0 <= v < 1)


def two_shares(where, name, value):
    """A pair of numbers in [0, 1), as a tuple: betas."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise InputError(must_be(where, name, "two numbers in [0, 1)", value))
    return tuple(share(where, f"{name}[{k}]", b) for k, b in enumerate(value))


def flag(where, name, value):
    """True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise DtypeError(must_be(where, name, "True or False", repr(value)))
    return bool(value)


def check_optimizer(where, optimizer):
    """Refuse what has no learning rate to change."""
    if not isinstance(getattr(optimizer, "lr", None), numbers.Real):
        raise DtypeError(must_be(where, "optimizer", "an optimiser", type(optimizer).__name__))

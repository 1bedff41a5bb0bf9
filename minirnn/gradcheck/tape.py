"""Checks of tape code: a function of Tensors, or a Module with its parameters, to first or second order."""

from contextlib import contextmanager

import numpy as np

from minirnn.array import FLOATS, device_of, to_cpu, to_device, xp_of
from minirnn.autograd import Tensor, grad, no_grad
from minirnn.errors import DtypeError, InputError, must_be
from minirnn.gradcheck import signatures
from minirnn.gradcheck.check import check_vjp
from minirnn.gradcheck.measurement import argument_names, tupled


def check(function, inputs, *, order=1, name=None, names=None, cotangents=None, rng=0, **options):
    """Check the gradients the tape gives: function(*Tensors) -> Tensor or tuple of Tensors, at ``inputs`` (arrays).

    function may be a Module: its parameters are checked too. Float inputs are differentiated, others handed through.
    ``order=2`` checks the gradient of the gradient: the vjp itself, as a function of the inputs and the cotangents.
    Options are those of ``check_vjp``. -> Finding, with what a WRONG gradient looks like.
    Raises InputError for another order, or a function whose result does not depend on any input.
    """
    if order not in (1, 2):
        raise InputError(must_be("gradcheck.check", "order", "1 or 2", repr(order)))
    if not callable(function):
        raise DtypeError(must_be("gradcheck.check", "function", "a function or Module", type(function).__name__))
    inputs = [np.asarray(a) if not hasattr(a, "dtype") else a for a in tupled(inputs)]
    inputs = [a.value if isinstance(a, Tensor) else a for a in inputs]
    parameters = list(function.named_parameters()) if hasattr(function, "named_parameters") else []
    name = name or getattr(function, "__name__", type(function).__name__)
    for _, parameter in parameters:
        if not isinstance(parameter, Tensor):
            got = f"{name} with a parameter of {type(parameter).__module__}"
            cause = "PyTorch's go to check_torch_function"
            raise DtypeError(must_be("gradcheck.check", "function", "a function or Module of minirnn's", got, cause))
    names = list(names) if names is not None else argument_names(getattr(function, "forward", function), len(inputs))
    names += [parameter for parameter, _ in parameters]
    arrays = [*inputs, *(tensor.value for _, tensor in parameters)]
    call = _Call(function, [tensor for _, tensor in parameters], len(inputs))
    if order == 1:
        finding = check_vjp(
            call.values, call.vjp, arrays, name=name, names=names, cotangents=cotangents, rng=rng, **options
        )
    else:
        ys = call.values(*arrays)
        draw = np.random.default_rng(rng)
        us = cotangents if cotangents is not None else [draw.standard_normal(y.shape) for y in ys]
        us = [to_device(np.asarray(to_cpu(u), dtype=y.dtype), device_of(y)) for u, y in zip(tupled(us), ys)]
        second = _SecondOrder(call, len(arrays))
        names += [f"cotangent{k}" for k in range(len(us))]
        options = {"complex_step": False, **options}
        finding = check_vjp(
            second.values, second.vjp, [*arrays, *us], name=f"{name}, second order", names=names, rng=draw, **options
        )
    return signatures.described(finding)


class _Call:
    """A function of Tensors as a pair of functions on arrays; a module's parameters come after its inputs."""

    def __init__(self, function, parameters, count):
        self.function, self.parameters, self.count = function, parameters, count

    @contextmanager
    def at(self, arrays):
        """(outputs, leaves) at these arrays; afterwards the module has its own parameter values again."""
        before = [p.value for p in self.parameters]
        try:
            for parameter, a in zip(self.parameters, arrays[self.count :]):
                parameter.value = a
            inputs = [Tensor(a, requires_grad=a.dtype in FLOATS) for a in arrays[: self.count]]
            yield _flat(self.function(*inputs)), [*inputs, *self.parameters]
        finally:
            for parameter, value in zip(self.parameters, before):
                parameter.value = value

    def values(self, *arrays):
        with no_grad(), self.at(arrays) as (ys, _):
            return tuple(y.value for y in ys)

    def vjp(self, dys, *arrays):
        with self.at(arrays) as (ys, leaves):
            return tuple(None if g is None else g.value for g in _gradients(ys, leaves, dys))


class _SecondOrder:
    """The vjp of a call as a function of arrays and cotangents, with its own vjp by the tape."""

    def __init__(self, call, count):
        self.call, self.count = call, count

    @contextmanager
    def at(self, arrays):
        """(first-order gradients on the tape, leaves) at these arrays and cotangents."""
        us = [Tensor(u, requires_grad=True) for u in arrays[self.count :]]
        with self.call.at(arrays[: self.count]) as (ys, leaves):
            firsts = _gradients(ys, leaves, us, create_graph=True)
            yield [g for g in firsts if g is not None], [*leaves, *us]

    def values(self, *arrays):
        with self.at(arrays) as (firsts, _):
            return tuple(g.value for g in firsts)

    def vjp(self, dys, *arrays):
        with self.at(arrays) as (firsts, leaves):
            if not any(g.requires_grad for g in firsts):  # a derivative of zero everywhere, such as that of sign
                return tuple(xp_of(a).zeros_like(a) if a.dtype.kind == "f" else None for a in arrays)
            return tuple(None if g is None else g.value for g in _gradients(firsts, leaves, dys))


def _gradients(ys, leaves, dys, create_graph=False):
    """dL/d(leaves) on the tape: None for leaves that are not differentiated, zeros where nothing depends on one."""
    used = [(y, Tensor(dy)) if not isinstance(dy, Tensor) else (y, dy) for y, dy in zip(ys, dys) if y.requires_grad]
    if not used:
        raise InputError("gradcheck.check: the function's result does not depend on any of its inputs")
    wanted = [leaf for leaf in leaves if leaf.requires_grad]
    got = iter(grad([y for y, _ in used], wanted, [dy for _, dy in used], create_graph=create_graph))
    return [next(got) if leaf.requires_grad else None for leaf in leaves]


def _flat(ys):
    """The Tensors of a result that may be nested, as LSTM's (y, (h, c)) is."""
    return [part for y in ys for part in _flat(y)] if isinstance(ys, (tuple, list)) else [ys]

"""The tape: a Tensor remembers the operation that made it; ``grad`` walks back over the operations.

Each operation hands ``record`` its value, its parents and a vjp: the function from the cotangent of the output to
the cotangents of the parents. A vjp is itself written with tape operations. Normally nothing records while it runs;
with ``create_graph=True`` it records too, and so a gradient can be differentiated again, to any order.
"""

import threading
from contextlib import contextmanager
from heapq import heappop, heappush
from itertools import count

import numpy as np

from minirnn.array import array_of, check_device, check_float, device_of, to_cpu, xp_of
from minirnn.autograd.compiled import copied
from minirnn.errors import DtypeError, InputError, check_shape, must_be

_number = count().__next__
_new, _ndarray = object.__new__, np.ndarray


class _Mode(threading.local):
    recording = True
    anomaly = False


_mode = _Mode()


class NonFiniteError(ArithmeticError):
    """Anomaly mode found the first non-finite value; ``operation`` names what made it."""

    def __init__(self, operation, message):
        super().__init__(message)
        self.operation = operation


class Node:
    """One recorded operation: its parents, its vjp and its place in the order of recording."""

    __slots__ = ("name", "parents", "vjp", "number", "outputs", "stateless")

    def __init__(self, name, parents, vjp, outputs=1, stateless=False):
        self.name, self.parents, self.vjp = name, parents, vjp
        self.outputs, self.stateless, self.number = outputs, stateless, _number()

    def hook(self, index, function):
        """Show ``function`` the gradient of output ``index`` before it is used."""
        before, parents, stateless = self.vjp, self.parents, self.stateless

        def vjp(*slots):
            if slots[index] is not None:
                function(slots[index])
            return before(slots[0], *parents) if stateless else before(*slots)

        self.vjp, self.stateless = vjp, False


class Tensor:
    """An array on the tape: ``value`` is the array, ``grad`` (a Tensor or None) what ``backward`` accumulated.

    Tensor([1.0, 2.0], requires_grad=True) takes nested lists, a number or an array, which is not copied and never
    written to; who writes into it before the backward pass gets the gradient of neither content. Raises DtypeError for
    float16, and for anything but float32/float64 with requires_grad.
    """

    __slots__ = ("value", "requires_grad", "grad", "node", "index", "hooks", "__weakref__")
    __array_ufunc__ = None  # array + tensor asks the tensor

    def __init__(self, value, requires_grad=False):
        if isinstance(value, Tensor):
            value = value.value
        if not hasattr(value, "dtype") or not hasattr(value, "ndim") or isinstance(value, type):
            value = array_of("Tensor", "value", value)
        if value.dtype.kind not in "fiub":
            raise DtypeError(must_be("Tensor", "value", "numbers", value.dtype))
        if not isinstance(requires_grad, (bool, np.bool_)):
            raise DtypeError(must_be("Tensor", "requires_grad", "True or False", type(requires_grad).__name__))
        if requires_grad or value.dtype == np.float16:
            check_float("Tensor", "value", value)
        self.value = value if value.ndim or hasattr(value, "strides") else xp_of(value).asarray(value)
        self.requires_grad = bool(requires_grad)
        self.grad = self.node = self.hooks = None
        self.index = 0

    shape = property(lambda self: self.value.shape)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    dtype = property(lambda self: self.value.dtype)
    device = property(lambda self: device_of(self.value))

    def numpy(self):
        """The value as a numpy array on the CPU (not a copy when it is there already)."""
        return to_cpu(self.value)

    def item(self):
        """The one number this tensor holds."""
        return self.value.item()

    def detach(self):
        """The same value, cut from the tape."""
        return Tensor(self.value)

    def hook(self, function):
        """Call ``function(gradient)`` with this tensor's whole gradient whenever one is computed; for recording."""
        if self.node is None:
            self.hooks = [*(self.hooks or ()), function]
        else:
            self.node.hook(self.index, function)

    def backward(self, cotangent=None, create_graph=False):
        """Add the gradient of this tensor to ``.grad`` of every leaf with requires_grad that it was made from.

        After x = Tensor(3.0, requires_grad=True) and (x * x).backward(), x.grad is 6. cotangent: dL/d(self), of self's
        shape, may be left out when self is a single number. InputError when nothing was recorded or the shape differs.
        """
        cotangent = _cotangent("backward", self, cotangent)
        for leaf, gradient in _backpropagate([self], [cotangent], create_graph)[0].items():
            leaf.grad = gradient if leaf.grad is None else leaf.grad + gradient

    def __repr__(self):
        text = np.array2string(self.numpy(), prefix="Tensor(", separator=", ")
        return f"Tensor({text}{', requires_grad=True' if self.requires_grad else ''})"

    def __len__(self):
        if not self.ndim:
            raise TypeError("len() of a Tensor without axes")
        return self.value.shape[0]

    def __float__(self):
        return float(self.item())

    def __bool__(self):
        return bool(self.value)

    __hash__ = object.__hash__  # two tensors are one key only when they are one object


@contextmanager
def _set(name, value):
    before = getattr(_mode, name)
    setattr(_mode, name, value)
    try:
        yield
    finally:
        setattr(_mode, name, before)


def no_grad():
    """Inside this context operations are not recorded."""
    return _set("recording", False)


def detect_anomaly():
    """Inside this context the first operation (forward or backward) that makes a NaN or Inf raises NonFiniteError."""
    return _set("anomaly", True)


def recording():
    """Whether operations are being recorded now; inside a vjp this says that its own derivative will be asked for."""
    return _mode.recording


def record(name, value, parents, vjp, stateless=False):
    """Make the output Tensor of an operation and, when a parent needs a gradient, remember how to go back.

    name: the operation's name in reports; value: its array; parents: the Tensors it was computed from;
    vjp: cotangent of the output (a Tensor) -> one Tensor or None for each parent. A stateless vjp is a function of the
    module, called with the parents behind the cotangent: without a closure, an operation leaves Python's garbage
    collector half as many objects to visit, which is most of what recording costs.
    """
    if _mode.anomaly:
        _check_finite(name, (value,), parents)
    out = _new(Tensor)  # without __init__, which checks what is known here: this function runs for every operation
    out.value = value if type(value) is _ndarray else xp_of(value).asarray(value)
    out.grad = out.node = out.hooks = None
    out.index = 0
    out.requires_grad = False
    if _mode.recording:
        for parent in parents:
            if parent.requires_grad:
                out.requires_grad = True
                out.node = node = _new(Node)  # past its __init__ too
                node.name, node.parents, node.vjp = name, parents, vjp
                node.outputs, node.stateless, node.number = 1, stateless, _number()
                break
    return out


def record_many(name, values, parents, vjp):
    """As ``record`` for an operation with several outputs: vjp gets one cotangent (or None) for each output."""
    if _mode.anomaly:
        _check_finite(name, values, parents)
    outs = tuple(Tensor(value) for value in values)
    if _mode.recording and any(parent.requires_grad for parent in parents):
        node = Node(name, parents, vjp, len(outs))
        for index, out in enumerate(outs):
            out.requires_grad, out.node, out.index = True, node, index
    return outs


def _check_finite(name, values, parents):
    for value in values:
        if value.dtype.kind == "f" and not xp_of(value).isfinite(value).all():
            for place, parent in enumerate(parents):
                if parent.dtype.kind == "f" and not xp_of(parent.value).isfinite(parent.value).all():
                    made = f"operation {parent.node.name!r}" if parent.node else "the caller"
                    given = f"argument {place} holds a non-finite value given by {made}"
                    raise NonFiniteError(name, f"{name}: {given}; look there first")
            raise NonFiniteError(name, f"{name}: made the first non-finite value from finite arguments")


def _plus(x, y):
    """x + y for two gradients of one tensor; past the operators, which look for much that is known here."""
    quick = not (_mode.recording or _mode.anomaly) and x.value.ndim
    return Tensor(x.value + y.value) if quick else x + y


def _cotangent(where, output, cotangent):
    if not output.requires_grad:
        raise InputError(
            f"{where}: nothing to differentiate; no input of it has requires_grad, or it was made under no_grad"
        )
    if cotangent is None:
        if output.size != 1:
            what = f"given for an output of shape {output.shape}"
            raise InputError(must_be(where, "cotangent", what, "None", "sum() the loss first"))
        return Tensor(xp_of(output.value).ones_like(output.value))
    if not isinstance(cotangent, Tensor):
        array = cotangent if getattr(cotangent, "ndim", 0) else xp_of(output.value).asarray(cotangent)
        cotangent = Tensor(array.astype(output.dtype, copy=False))
    check_shape(where, "cotangent", cotangent, "the output's shape", output.shape)
    check_device(where, "cotangent", cotangent.value, output.value, "the output")
    return cotangent


def grad(outputs, inputs, cotangents=None, create_graph=False):
    """Gradients of outputs with respect to inputs: a tuple of Tensors, one of each input's shape (zeros if unused).

    outputs, inputs: a Tensor or a sequence of Tensors (inputs may be leaves or results); cotangents: dL/d(output) of
    each output, needed unless it is a single number. grad(x * x, x) at 3 is (6,); with create_graph the result can be
    differentiated again, to 2. ``.grad`` is left alone. InputError when an input does not require a gradient.
    """
    outputs, inputs = (list(x) if isinstance(x, (list, tuple)) else [x] for x in (outputs, inputs))
    for name, tensors in (("outputs", outputs), ("inputs", inputs)):
        if not all(isinstance(x, Tensor) for x in tensors):
            raise DtypeError(must_be("grad", name, "Tensors", [type(x).__name__ for x in tensors]))
    cotangents = [None] * len(outputs) if cotangents is None else cotangents
    cotangents = [cotangents] if not isinstance(cotangents, (list, tuple)) else cotangents
    if len(cotangents) != len(outputs):
        raise InputError(must_be("grad", "cotangents", f"one for each of the {len(outputs)} outputs", len(cotangents)))
    for place, x in enumerate(inputs):
        if not x.requires_grad:
            raise InputError(must_be("grad", f"inputs[{place}]", "a tensor with requires_grad", "one without"))
    cotangents = [_cotangent("grad", y, dy) for y, dy in zip(outputs, cotangents)]
    leaves, interior = _backpropagate(outputs, cotangents, create_graph, inputs)
    found = [leaves.get(x) if x.node is None else interior.get((x.node, x.index)) for x in inputs]
    return tuple(Tensor(xp_of(x.value).zeros_like(x.value)) if dx is None else dx for x, dx in zip(inputs, found))


def _backpropagate(outputs, cotangents, create_graph, wanted=()):
    """({leaf: gradient}, {(node, index): gradient of a wanted result}).

    Operations are taken latest first, from a heap: of y = x * x (number 1), z = y + 1 (2) and y * z (3) in the order 3,
    2, 1, so that y has heard from both that used it. A loop, not recursion: chains may be long; its body runs for every
    operation, hence its plainness.
    """
    # when only results are wanted, what was recorded before the earliest of them cannot matter
    first = min((x.node.number if x.node is not None else 0 for x in wanted), default=0)
    wanted = {(x.node, x.index) for x in wanted if x.node is not None}
    leaves, interior, pending, heap = {}, {}, {}, []
    summed, anomaly = set(), _mode.anomaly  # summed: leaves whose gradient is a sum made here, added to in place
    parents, gradients = outputs, cotangents
    with _set("recording", bool(create_graph)):
        while True:
            for tensor, gradient in zip(parents, gradients):
                if gradient is None or not tensor.requires_grad:
                    continue
                node = tensor.node
                if node is None:  # all that used it add up: thesis (2.1.6)
                    if tensor in summed:
                        leaves[tensor].value += gradient.value
                    elif tensor in leaves:
                        leaves[tensor] = _plus(leaves[tensor], gradient)
                        summed.update(() if create_graph or anomaly else (tensor,))
                    else:
                        leaves[tensor] = gradient
                elif node.number >= first:
                    slots = pending.get(node)
                    if slots is None:
                        slots = pending[node] = {}
                        heappush(heap, (-node.number, node))
                    seen = slots.get(tensor.index)
                    slots[tensor.index] = gradient if seen is None else _plus(seen, gradient)
            if not heap:
                break
            node = heappop(heap)[1]
            slots = pending.pop(node)
            if wanted:
                interior.update({(node, index): g for index, g in slots.items() if (node, index) in wanted})
            parents = node.parents
            # the chain rule, one factor: thesis (2.1.5)
            given = (slots[0], *parents) if node.stateless else map(slots.get, range(node.outputs))
            gradients = node.vjp(*given)
            if anomaly:
                made = [g.value for g in gradients if g is not None]
                _check_finite(f"backward of {node.name}", made, [*slots.values()])
        for leaf, gradient in leaves.items():
            for function in leaf.hooks or ():
                function(gradient)
    return leaves, interior


def lift(x):
    """The argument as a Tensor: a constant when it is not one, and while recording a copy, for the caller's buffer may
    hold the next batch by the time of the backward pass."""
    if type(x) is Tensor:
        return x
    return Tensor(copied(x) if _mode.recording and type(x) is _ndarray and x.dtype.kind in "fiub" else x)


def pair(where, x, y):
    """Both arguments as Tensors of one float type: a bare number takes the other's type, two arrays must agree."""
    if type(x) is Tensor and type(y) is Tensor:
        if x.value.dtype == y.value.dtype and type(x.value) is type(y.value):
            return x, y
    elif isinstance(y, (int, float)) and isinstance(x, Tensor):
        return x, Tensor(xp_of(x.value).asarray(y, dtype=x.dtype if x.dtype.kind == "f" else None))
    elif isinstance(x, (int, float)) and isinstance(y, Tensor):
        return Tensor(xp_of(y.value).asarray(x, dtype=y.dtype if y.dtype.kind == "f" else None)), y
    x, y = alike(where, (lift(x), lift(y)))
    check_device(where, "the second array", y.value, x.value, "the first")
    return x, y


def alike(where, tensors):
    """The tensors, whole numbers in the float type of the others; DtypeError where they are of two float types."""
    floats = {x.value.dtype for x in tensors if x.value.dtype.kind == "f"}
    if len(floats) > 1:
        got = " and ".join(str(x.dtype) for x in tensors)
        raise DtypeError(must_be(where, "arguments", "of one float type", got, "convert one with astype"))
    for dtype in floats:  # NumPy would make float64 of float32 and int64
        tensors = tuple(Tensor(x.value.astype(dtype)) if x.value.dtype.kind in "iu" else x for x in tensors)
    return tensors


def output_again(value, operation, *inputs):
    """An operation's own output, for use inside its vjp: the stored array, or, when the vjp itself is being
    recorded, the operation run again on the tape. (Keeping the output Tensor would tie a reference cycle.)"""
    return operation(*inputs) if _mode.recording else Tensor(value)

"""Tensor's operators and methods: Python's signs bound to the operations of the same meaning."""

from minirnn.autograd import arithmetic, elementary, index, linear, nonlinear, reduce, select, shape
from minirnn.autograd.tape import Tensor


def _reflected(operation):
    return lambda self, other: operation(other, self)


for _name, _operation in {
    "add": arithmetic.add,
    "sub": arithmetic.subtract,
    "mul": arithmetic.multiply,
    "truediv": arithmetic.divide,
    "pow": arithmetic.power,
    "matmul": linear.matmul,
}.items():
    setattr(Tensor, f"__{_name}__", _operation)
    setattr(Tensor, f"__r{_name}__", _reflected(_operation))

for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Tensor, f"__{_name}__", getattr(arithmetic, _name))

Tensor.__neg__ = arithmetic.negative
Tensor.__abs__ = arithmetic.absolute
Tensor.__getitem__ = index.getitem
Tensor.T = property(shape.transpose)

for _room, _names in {
    arithmetic: ("expand", "astype", "exp", "log", "sqrt", "clip"),
    elementary: ("sin", "cos"),
    nonlinear: ("tanh", "sigmoid", "relu"),
    reduce: ("sum", "mean", "max", "min", "var", "std", "prod", "norm", "cumsum", "cumprod"),
    select: ("argmax", "argmin"),
    shape: ("reshape", "transpose", "swapaxes", "squeeze", "unsqueeze"),
}.items():
    for _name in _names:
        setattr(Tensor, _name, getattr(_room, _name))

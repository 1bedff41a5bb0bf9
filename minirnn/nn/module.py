"""Module: named parameters, buffers and children; the state dict; train and eval; devices."""

from collections.abc import Mapping

import numpy as np

from minirnn.array import to_cpu, to_device, xp_of
from minirnn.autograd import Tensor
from minirnn.errors import InputError, in_our_words, must_be


@in_our_words
def parameter(value):
    """A leaf of the tape that owns a copy of ``value`` and requires a gradient."""
    return Tensor(xp_of(value).array(value), requires_grad=True)


class Module:
    """A function with state. A Tensor attribute is a parameter if it requires a gradient, a buffer if not;
    a Module attribute is a child. Subclasses define ``forward``; calling the module calls it."""

    training = True

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        if cls.__module__.startswith(("minirnn.nn.", "minirnn.models.")) and "__init__" in vars(cls):
            cls.__init__ = in_our_words(cls.__init__)

    def __call__(self, *args, **kwargs):
        return self.forward(*args, **kwargs)

    def named_children(self):
        """(name, Module) of each direct child, in the order of assignment."""
        return [(name, value) for name, value in vars(self).items() if isinstance(value, Module)]

    def _named_tensors(self, prefix=""):
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                yield prefix + name, value
        for name, child in self.named_children():
            yield from child._named_tensors(f"{prefix}{name}.")

    def named_parameters(self):
        """(dotted name, Tensor) of every parameter, own before children's."""
        return [(name, tensor) for name, tensor in self._named_tensors() if tensor.requires_grad]

    def parameters(self):
        """Every parameter once: tied weights, one Tensor under two names, are one."""
        return list({id(tensor): tensor for _, tensor in self.named_parameters()}.values())

    def named_buffers(self):
        """(dotted name, Tensor) of what is saved with the module but not trained."""
        return [(name, tensor) for name, tensor in self._named_tensors() if not tensor.requires_grad]

    def modules(self):
        """This module and all below it."""
        return [self, *(m for _, child in self.named_children() for m in child.modules())]

    def state_dict(self):
        """{dotted name: NumPy copy} of all parameters and buffers."""
        return {name: np.array(to_cpu(tensor.value), order="C") for name, tensor in self._named_tensors()}

    def load_state_dict(self, state):
        """Take over values by name, whatever their order, cast to this module's float type.

        state: name -> array, as PyTorch names and lays them out. Raises InputError that lists every missing, extra
        and wrongly shaped entry, and then changes nothing.
        """
        if not isinstance(state, Mapping):
            raise InputError(must_be("load_state_dict", "state", "a dict {name: array}", type(state).__name__))
        own = dict(self._named_tensors())
        problems = [f"missing {name!r} {own[name].shape}" for name in own if name not in state]
        problems += [f"unexpected {name!r}" for name in state if name not in own]
        arrays = {}
        for name, value in state.items():
            try:
                arrays.update({name: np.asarray(to_cpu(value))} if name in own else {})
            except ValueError:  # nested lists of different lengths
                problems.append(f"{name!r} must be an array {own[name].shape}, got lists of different lengths")
        for name, array in arrays.items():
            if array.shape != own[name].shape:
                hint = "; is it transposed?" if array.shape[::-1] == own[name].shape else ""
                problems.append(f"{name!r} must be {own[name].shape}, got {array.shape}{hint}")
            elif array.dtype.kind not in "fiub" or array.dtype == np.float16:
                problems.append(f"{name!r} must hold float32 or float64, got {array.dtype}")
        if problems:
            raise InputError(f"load_state_dict: {type(self).__name__}: " + "; ".join(problems))
        for name, array in arrays.items():
            tensor = own[name]
            tensor.value = to_device(np.array(array, dtype=tensor.dtype, order="C"), tensor.device)

    def train(self, mode=True):
        """Training behaviour (dropout draws masks) in this module and below; returns the module."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self):
        """Evaluation behaviour in this module and below; returns the module."""
        return self.train(False)

    def to(self, device):
        """Move parameters and buffers to 'cpu' or 'cuda', the first GPU; returns the module."""
        for _, tensor in self._named_tensors():
            tensor.value = to_device(tensor.value, device)
            tensor.grad = None
        return self

    def zero_grad(self):
        """Forget the gradients."""
        for tensor in self.parameters():
            tensor.grad = None


class Sequential(Module):
    """Modules applied one after the other; children are named 0, 1, 2 ..."""

    def __init__(self, *modules):
        for place, module in enumerate(modules):
            setattr(self, str(place), module)

    def forward(self, x):
        for _, module in self.named_children():
            x = module(x)
        return x

"""Optimisers: each update is a few lines of its source's equation on plain arrays.

``step()`` replaces every parameter's value by a new one; parameters without a gradient stay as they are.
"""

import numpy as np

from minirnn.array import check_device, to_cpu, to_device, xp_of
from minirnn.autograd import compiled
from minirnn.errors import InputError, check_shape, must_be
from minirnn.optim.arguments import check_gradient, check_parameter, not_negative, positive, share, tensors_of

MOVED = "make the optimiser after model.to(device)"


class Optimizer:
    """What all optimisers share: parameters, a learning rate ``lr`` that schedules may change, and their state."""

    slots = ()  # names of the arrays kept for each parameter, of its shape
    rule = None  # name of its compiled form for large arrays, in one pass (compiled.updated)

    def __init__(self, parameters, lr):
        where = type(self).__name__
        self.parameters = tensors_of(where, parameters)
        if not self.parameters:
            raise InputError(must_be(where, "parameters", "at least one parameter", "none"))
        for k, p in enumerate(self.parameters):
            check_parameter(where, k, p)
        self.lr, self.updates = float(positive(where, "lr", lr)), 0
        self.missed = [0] * len(self.parameters)  # updates in which a parameter had no gradient
        self.state = [{name: xp_of(p.value).zeros_like(p.value) for name in self.slots} for p in self.parameters]

    def zero_grad(self):
        """Forget the gradients."""
        for p in self.parameters:
            p.grad = None

    def step(self):
        """One update from the gradients in ``.grad``; InputError, and nothing changed, when one does not fit."""
        where = type(self).__name__
        for k, (p, state) in enumerate(zip(self.parameters, self.state)):
            if p.grad is not None:
                check_gradient(where, k, p)
                for array in state.values():
                    check_shape(where, f"parameters[{k}]", p, "as when the optimiser was made", tuple(array.shape))
        self.updates += 1
        for k, (p, state) in enumerate(zip(self.parameters, self.state)):
            if p.grad is None:
                self.missed[k] += 1
                continue
            g, states, steps = p.grad.value, [state[name] for name in self.slots], self.updates - self.missed[k]
            for name, a in zip(self.slots, states):
                check_device(where, name, a, p.value, "its parameter", MOVED)
            if self.rule is not None and compiled.large(p.value, g, *states):
                p.value = compiled.updated(self.rule, p.value, g, states, self.constants(steps))
            else:
                change = self.change(g, state, steps).astype(p.dtype, copy=False)
                p.value = xp_of(change).subtract(p.value, change, out=change)  # no third array of the parameter's size

    def constants(self, steps):
        """The numbers of a parameter's update number ``steps``, 1 at first, that ``compiled.updated`` wants."""
        raise TypeError(f"{type(self).__name__}: an optimiser with a rule defines constants()")

    def change(self, g, state, steps):
        """What is subtracted from a parameter with gradient g in its update number ``steps``, 1 at first, in a new
        array; may replace the arrays in ``state``."""
        raise TypeError(f"{type(self).__name__}: an optimiser defines change(g, state, steps)")

    def state_dict(self):
        """{name: NumPy copy} that, loaded into an equal optimiser, makes it continue exactly."""
        arrays = {"lr": np.float64(self.lr).reshape(()), "updates": np.int64(self.updates).reshape(())}
        for k, state in enumerate(self.state):
            arrays.update({f"{k}.{name}": np.array(to_cpu(a), order="C") for name, a in state.items()})
            if self.missed[k]:
                arrays[f"{k}.missed"] = np.int64(self.missed[k])
        return {name: np.asarray(a) for name, a in arrays.items()}

    def load_state_dict(self, arrays):
        """Continue from ``state_dict()``'s result; InputError, and nothing changed, when it does not fit."""
        where = f"{type(self).__name__}.load_state_dict"
        names = {"lr", "updates"} | {f"{k}.{name}" for k in range(len(self.state)) for name in self.slots}
        missed = {f"{k}.missed" for k in range(len(self.state))} & set(arrays)
        if set(arrays) != names | missed:
            off = sorted(set(arrays) ^ (names | missed))
            raise InputError(must_be(where, "entries", "those of this optimiser", f"missing or extra {off[:4]}"))
        for k, p in enumerate(self.parameters):
            for name in self.slots:
                check_shape(where, f"{k}.{name}", arrays[f"{k}.{name}"], "its parameter's shape", p.shape)
        self.lr, self.updates = float(arrays["lr"]), int(arrays["updates"])
        self.missed = [int(arrays.get(f"{k}.missed", 0)) for k in range(len(self.state))]
        for k, p in enumerate(self.parameters):
            self.state[k] = {n: to_device(np.array(arrays[f"{k}.{n}"], dtype=p.dtype), p.device) for n in self.slots}


class SGD(Optimizer):
    """theta -= lr g; with momentum m: v = m v + g, theta -= lr v."""

    def __init__(self, parameters, lr=0.1, momentum=0.0):
        self.momentum = share("SGD", "momentum", momentum)
        self.slots, self.rule = (("velocity",), "momentum") if momentum else ((), "sgd")
        super().__init__(parameters, lr)

    def constants(self, steps):
        return (self.momentum, self.lr) if self.momentum else (self.lr,)

    def change(self, g, state, steps):
        if self.momentum:
            g = state["velocity"] = self.momentum * state["velocity"] + g
        return self.lr * g


class Adam(Optimizer):
    """m, v running means of g and g^2 with bias correction; theta -= lr m / (sqrt(v) + eps). Kingma and Ba 2015.

    Each parameter counts its own updates: one whose first gradient comes in update 10 then makes a first step, lr long.
    """

    slots, rule = ("mean", "square"), "adam"

    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise InputError(must_be("Adam", "betas", "two numbers in [0, 1)", betas))
        self.betas = tuple(share("Adam", f"betas[{k}]", b) for k, b in enumerate(betas))
        self.eps = not_negative("Adam", "eps", eps)
        super().__init__(parameters, lr)

    def constants(self, steps):
        b1, b2 = self.betas
        return b1, b2, self.lr / (1 - b1**steps), (1 - b2**steps) ** -0.5, self.eps

    def change(self, g, state, steps):
        b1, b2 = self.betas
        m = state["mean"] = b1 * state["mean"] + (1 - b1) * g
        v = state["square"] = b2 * state["square"] + (1 - b2) * (g * g)
        step = self.lr / (1 - b1**steps)
        return step * m / (xp_of(g).sqrt(v) / (1 - b2**steps) ** 0.5 + self.eps)


class RMSProp(Optimizer):
    """s = rho s + (1-rho) g^2, theta -= lr g / sqrt(s + eps); with momentum the step itself is accumulated.

    centred=True divides by the deviation instead, sqrt(s - a^2 + eps) with a the running mean of g (Graves 2013, whose
    settings are lr=1e-4, rho=0.95, momentum=0.9, eps=1e-4).
    """

    def __init__(self, parameters, lr=1e-3, rho=0.9, momentum=0.0, centred=False, eps=1e-8):
        self.rho, self.momentum = share("RMSProp", "rho", rho), share("RMSProp", "momentum", momentum)
        self.centred, self.eps = bool(centred), not_negative("RMSProp", "eps", eps)
        self.slots = ("square",) + ("mean",) * bool(centred) + ("step",) * bool(momentum)
        self.rule = None if centred or momentum else "rmsprop"
        super().__init__(parameters, lr)

    def constants(self, steps):
        return self.rho, self.lr, self.eps

    def change(self, g, state, steps):
        s = state["square"] = self.rho * state["square"] + (1 - self.rho) * (g * g)
        if self.centred:
            a = state["mean"] = self.rho * state["mean"] + (1 - self.rho) * g
            s = xp_of(g).maximum(s - a * a, 0)  # rounding could leave a variance below zero
        change = self.lr * g / xp_of(g).sqrt(s + self.eps)
        if self.momentum:
            state["step"] = self.momentum * state["step"] + change
            change = state["step"].copy()
        return change


class Adadelta(Optimizer):
    """Steps in the units of the parameter: g sqrt(u + eps) / sqrt(s + eps), s and u running means of g^2 and step^2.

    Zeiler 2012; lr multiplies the step (1 in the paper).
    """

    slots = ("square", "step_square")

    def __init__(self, parameters, lr=1.0, rho=0.95, eps=1e-6):
        self.rho, self.eps = share("Adadelta", "rho", rho), not_negative("Adadelta", "eps", eps)
        super().__init__(parameters, lr)

    def change(self, g, state, steps):
        xp = xp_of(g)
        s = state["square"] = self.rho * state["square"] + (1 - self.rho) * (g * g)
        step = xp.sqrt(state["step_square"] + self.eps) / xp.sqrt(s + self.eps) * g
        state["step_square"] = self.rho * state["step_square"] + (1 - self.rho) * (step * step)
        return self.lr * step

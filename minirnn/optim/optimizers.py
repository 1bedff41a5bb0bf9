"""Optimisers: each update is a few lines of its source's equation on plain arrays.

``step()`` replaces every parameter's value by a new one; parameters without a gradient stay as they are.
"""

import numpy as np

from minirnn.array import check_device, to_cpu, to_device, xp_of
from minirnn.autograd import compiled
from minirnn.errors import InputError, check_shape, must_be
from minirnn.optim.arguments import (
    check_gradient,
    check_parameter,
    flag,
    not_negative,
    positive,
    share,
    tensors_of,
    two_shares,
)
from minirnn.optim.groups import groups_of

MOVED = "make the optimiser after model.to(device)"


class Optimizer:
    """What all optimisers share: parameters, a learning rate ``lr`` that schedules may change, and their state.

    parameters: Tensors, or groups of them as in ``optim.groups``. weight_decay w adds w theta to each gradient, the
    gradient of w theta^2 / 2; where ``decoupled``, theta shrinks by lr w theta before the step instead: lr 0.1 and w
    0.5 leave 0.95 of it.
    """

    checks = {"lr": positive, "weight_decay": not_negative}  # the settings, those of groups too, and what they must be
    decoupled = False

    def __init__(self, parameters, lr, **settings):
        where = type(self).__name__
        self.groups = groups_of(where, parameters, {"lr": lr, "weight_decay": 0.0, **settings}, self.checks)
        self.parameters = tensors_of(where, [p for group in self.groups for p in group.parameters])
        if not self.parameters:
            raise InputError(must_be(where, "parameters", "at least one parameter", "none"))
        for k, p in enumerate(self.parameters):
            check_parameter(where, k, p)
        self.lr, self.updates = float(lr), 0
        self.missed = [0] * len(self.parameters)  # updates in which a parameter had no gradient
        self.state = [{name: xp_of(p.value).zeros_like(p.value) for name in self.slots(group.now(self.lr))}
                      for group in self.groups for p in group.parameters]

    def slots(self, now):
        """Names of the arrays kept for each parameter, of its shape, with the settings ``now``."""
        return ()

    def rule(self, now):
        """Name of the compiled form for large arrays, in one pass (``compiled.updated``), or None."""
        return None

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
        k = 0
        for group in self.groups:
            now = group.now(self.lr)
            for p in group.parameters:
                if p.grad is None:
                    self.missed[k] += 1
                else:
                    self._update(p, self.state[k], self.updates - self.missed[k], now)
                k += 1

    def _update(self, p, state, steps, now):
        value, g, rule = p.value, p.grad.value, self.rule(now)
        for name, a in state.items():
            check_device(type(self).__name__, name, a, value, "its parameter", MOVED)
        if now.weight_decay and self.decoupled:
            value = value * (1 - now.lr * now.weight_decay)
        elif now.weight_decay:
            g = g + now.weight_decay * value
        states = list(state.values())
        if rule is not None and compiled.large(value, g, *states):
            p.value = compiled.updated(rule, value, g, states, self.constants(steps, now))
        else:
            change = self.change(g, state, steps, now).astype(p.dtype, copy=False)
            p.value = xp_of(change).subtract(value, change, out=change)  # no third array of the parameter's size

    def constants(self, steps, now):
        """The numbers of a parameter's update number ``steps``, 1 at first, that ``compiled.updated`` wants."""
        raise TypeError(f"{type(self).__name__}: an optimiser with a rule defines constants(steps, now)")

    def change(self, g, state, steps, now):
        """What is subtracted from a parameter with gradient g in its update number ``steps``, 1 at first, in a new
        array, with the settings ``now``; may replace the arrays in ``state``."""
        raise TypeError(f"{type(self).__name__}: an optimiser defines change(g, state, steps, now)")

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
        names = {"lr", "updates"} | {f"{k}.{name}" for k, state in enumerate(self.state) for name in state}
        missed = {f"{k}.missed" for k in range(len(self.state))} & set(arrays)
        if set(arrays) != names | missed:
            off = sorted(set(arrays) ^ (names | missed))
            raise InputError(must_be(where, "entries", "those of this optimiser", f"missing or extra {off[:4]}"))
        for k, p in enumerate(self.parameters):
            for name in self.state[k]:
                check_shape(where, f"{k}.{name}", arrays[f"{k}.{name}"], "its parameter's shape", p.shape)
        self.lr, self.updates = float(arrays["lr"]), int(arrays["updates"])
        self.missed = [int(arrays.get(f"{k}.missed", 0)) for k in range(len(self.state))]
        for k, p in enumerate(self.parameters):
            self.state[k] = {n: to_device(np.array(arrays[f"{k}.{n}"], p.dtype), p.device) for n in self.state[k]}


class SGD(Optimizer):
    """theta -= lr g; with momentum m: v = m v + g, theta -= lr v; with nesterov theta -= lr (g + m v), Sutskever 2013.

    Two gradients of 1, lr 1 and m 0.5 take theta to -2.5, with nesterov to -3.25.
    """

    checks = Optimizer.checks | {"momentum": share, "nesterov": flag}

    def __init__(self, parameters, lr=0.1, momentum=0.0, nesterov=False, weight_decay=0.0):
        super().__init__(parameters, lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)
        for group in self.groups:
            if group.settings["nesterov"] and not group.settings["momentum"]:
                raise InputError(must_be("SGD", "momentum", "above 0 with nesterov=True", group.settings["momentum"]))

    def slots(self, now):
        return ("velocity",) if now.momentum else ()

    def rule(self, now):
        return None if now.nesterov else "momentum" if now.momentum else "sgd"

    def constants(self, steps, now):
        return (now.momentum, now.lr) if now.momentum else (now.lr,)

    def change(self, g, state, steps, now):
        if now.momentum:
            v = state["velocity"] = now.momentum * state["velocity"] + g
            g = g + now.momentum * v if now.nesterov else v
        return now.lr * g


class Adam(Optimizer):
    """m, v running means of g and g^2 with bias correction; theta -= lr m / (sqrt(v) + eps). Kingma and Ba 2015.

    Each parameter counts its own updates: one whose first gradient comes in update 10 then makes a first step, lr long.
    """

    checks = Optimizer.checks | {"betas": two_shares, "eps": not_negative}

    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(parameters, lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def slots(self, now):
        return "mean", "square"

    def rule(self, now):
        return "adam"

    def constants(self, steps, now):
        b1, b2 = now.betas
        return b1, b2, now.lr / (1 - b1**steps), (1 - b2**steps) ** -0.5, now.eps

    def change(self, g, state, steps, now):
        b1, b2 = now.betas
        m = state["mean"] = b1 * state["mean"] + (1 - b1) * g
        v = state["square"] = b2 * state["square"] + (1 - b2) * (g * g)
        step = now.lr / (1 - b1**steps)
        return step * m / (xp_of(g).sqrt(v) / (1 - b2**steps) ** 0.5 + now.eps)


class AdamW(Adam):
    """Adam whose weight decay is decoupled: theta shrinks by lr w theta, whatever the gradients were. Loshchilov and
    Hutter 2019."""

    decoupled = True

    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(parameters, lr, betas, eps, weight_decay)


class RMSProp(Optimizer):
    """s = rho s + (1-rho) g^2, theta -= lr g / (sqrt(s) + eps); with momentum the step itself is accumulated.

    eps_inside=True divides by sqrt(s + eps): with g = 0 so far and eps 1e-8 by 1e-4, and not by 1e-8. centred=True has
    s - a^2 for s, a the running mean of g (Graves 2013, whose settings are lr=1e-4, rho=0.95, momentum=0.9, eps=1e-4,
    eps_inside=True).
    """

    checks = Optimizer.checks | {"rho": share, "momentum": share, "centred": flag, "eps": not_negative,
                                 "eps_inside": flag}

    def __init__(self, parameters, lr=1e-3, rho=0.9, momentum=0.0, centred=False, eps=1e-8, eps_inside=False,
                 weight_decay=0.0):
        super().__init__(parameters, lr, rho=rho, momentum=momentum, centred=centred, eps=eps, eps_inside=eps_inside,
                         weight_decay=weight_decay)

    def slots(self, now):
        return ("square",) + ("mean",) * now.centred + ("step",) * bool(now.momentum)

    def rule(self, now):
        return None if now.centred or now.momentum else "rmsprop" if now.eps_inside else "rmsprop-outside"

    def constants(self, steps, now):
        return now.rho, now.lr, now.eps

    def change(self, g, state, steps, now):
        xp = xp_of(g)
        s = state["square"] = now.rho * state["square"] + (1 - now.rho) * (g * g)
        if now.centred:
            a = state["mean"] = now.rho * state["mean"] + (1 - now.rho) * g
            s = xp.maximum(s - a * a, 0)  # rounding could leave a variance below zero
        change = now.lr * g / (xp.sqrt(s + now.eps) if now.eps_inside else xp.sqrt(s) + now.eps)
        if now.momentum:
            state["step"] = now.momentum * state["step"] + change
            change = state["step"].copy()
        return change


class Adagrad(Optimizer):
    """s the sum of all g^2 so far, theta -= lr g / (sqrt(s) + eps); Duchi, Hazan and Singer 2011.

    The n-th of equal gradients moves a parameter by lr / sqrt(n): by lr, 0.71 lr, 0.58 lr.
    """

    checks = Optimizer.checks | {"eps": not_negative}

    def __init__(self, parameters, lr=0.01, eps=1e-10, weight_decay=0.0):
        super().__init__(parameters, lr, eps=eps, weight_decay=weight_decay)

    def slots(self, now):
        return ("square",)

    def change(self, g, state, steps, now):
        s = state["square"] = state["square"] + g * g
        return now.lr * g / (xp_of(g).sqrt(s) + now.eps)


class Adadelta(Optimizer):
    """Steps in the units of the parameter: g sqrt(u + eps) / sqrt(s + eps), s and u running means of g^2 and step^2.

    Zeiler 2012; lr multiplies the step (1 in the paper).
    """

    checks = Optimizer.checks | {"rho": share, "eps": not_negative}

    def __init__(self, parameters, lr=1.0, rho=0.95, eps=1e-6, weight_decay=0.0):
        super().__init__(parameters, lr, rho=rho, eps=eps, weight_decay=weight_decay)

    def slots(self, now):
        return "square", "step_square"

    def change(self, g, state, steps, now):
        xp = xp_of(g)
        s = state["square"] = now.rho * state["square"] + (1 - now.rho) * (g * g)
        step = xp.sqrt(state["step_square"] + now.eps) / xp.sqrt(s + now.eps) * g
        state["step_square"] = now.rho * state["step_square"] + (1 - now.rho) * (step * step)
        return now.lr * step

"""A cell that notes what passes through it, forward and back, and changes none of it."""

from typing import Any

from minirnn.array import xp_of


class Step:
    """What one step took and gave; arrays (B, H) unless said.

    Forward: ``x`` (B, D), ``state`` before and ``new`` after it (tuples), ``weights``, ``masks``, ``saved``. Backward:
    ``arrived``, dL/d(new), and ``handed``, dL/d(state), (tuples), ``da`` (B, K*H), dL/d(pre-activations of the gates):
    of an LSTM with B = 3, H = 2 these are a pair, a pair, and an array (3, 8).
    """

    def __init__(self, x, state, weights, masks, new, saved, through):
        self.x, self.state, self.weights, self.masks = x, state, weights, masks
        self.new, self.saved, self.through = new, saved, through
        self.arrived: Any = None
        self.handed: Any = None
        self.da: Any = None


class Probe:
    """Stands where ``cell`` stood, in ``minirnn.bptt`` (form explicit) or a recurrent layer; ``steps`` as they ran.

    How it learns dL/da, which cells do not return: a cell computes a = x W_ih^T + ... and returns dx = da W_ih. The
    probe runs each step a second time with x W_ih^T as the input and the identity as W_ih: a is the same, and the dx
    that comes back is da. For an LSTM of 5 inputs and 2 units the second input is (B, 8) and the identity 8 x 8.
    """

    def __init__(self, cell):
        self.cell, self.steps, self._unit = cell, [], None

    def __getattr__(self, name):
        return getattr(self.cell, name)

    def step(self, x, state, weights, masks):
        """As ``cell.step``."""
        new, saved = self.cell.step(x, state, weights, masks)
        there = weights._replace(weight_ih=self._one(weights.weight_ih))
        _, through = self.cell.step(x @ weights.weight_ih.T, state, there, masks)
        self.steps.append(Step(x, state, weights, masks, new, saved, through))
        return new, self.steps[-1]

    def step_backward(self, dstate, step, weights):
        """As ``cell.step_backward``."""
        dx, handed, dweights = self.cell.step_backward(dstate, step.saved, weights)
        there = weights._replace(weight_ih=self._one(weights.weight_ih))
        step.da, _, _ = self.cell.step_backward(dstate, step.through, there)
        step.arrived, step.handed = dstate, handed
        return dx, handed, dweights

    def _one(self, weight_ih):
        """The identity (K*H, K*H), made once."""
        if self._unit is None:
            self._unit = xp_of(weight_ih).eye(len(weight_ih), dtype=weight_ih.dtype)
        return self._unit

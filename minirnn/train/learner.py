"""What learns together: a module, its optimiser, the bound of its gradient's norm and its schedule."""

import numpy as np

from minirnn import optim
from minirnn.autograd import NonFiniteError, detect_anomaly


class NonFinite(ArithmeticError):
    """An update's loss or gradient was not finite, and nothing was changed; ``operation`` says where it arose."""

    def __init__(self, operation, loss, norm):
        super().__init__(operation)
        self.operation, self.loss, self.norm = operation, loss, norm


class Learner:
    """A module that descends: ``for step in range(n): learner.descend(lambda: loss_of(batch(step)))`` trains it.

    clip=5 divides a gradient of global norm 10 by 2; schedule, if there is one, changes the optimiser's lr after an
    epoch.
    """

    def __init__(self, module, optimizer, clip=None, schedule=None):
        self.module, self.optimizer, self.clip, self.schedule = module, optimizer, clip, schedule

    def descend(self, loss):
        """One update on the scalar Tensor ``loss()`` -> (its value, its gradient's global norm before clipping).

        Of the loss w * w at w = 3 it returns (9.0, 6.0). Raises NonFinite where one of the two is not finite:
        parameters, optimiser and buffers (batch statistics, which a module replaces and does not write into) are then
        as they were. ``loss`` is called a second time to find the operation that made the first such value, so apart
        from buffers it must change nothing.
        """
        buffers = [(buffer, buffer.value) for _, buffer in self.module.named_buffers()]
        norm = float("nan")
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # looked for below, and named
            value = loss()
            total = value.item()
            self.optimizer.zero_grad()  # what a rival's loss may have left here too
            if np.isfinite(total):
                value.backward()
                norm = optim.global_norm(self.optimizer.parameters)
        if not np.isfinite(norm):
            _put_back(buffers)
            operation = self._first_non_finite(loss)
            _put_back(buffers)
            raise NonFinite(operation, total, norm)
        if self.clip is not None:
            optim.clip_grad_norm(self.optimizer.parameters, self.clip, norm)
        self.optimizer.step()
        return total, norm

    def _first_non_finite(self, loss):
        """Repeat the loss with the same masks under anomaly detection -> the operation it names."""
        self.optimizer.zero_grad()
        try:
            with detect_anomaly(), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                loss().backward()
        except NonFiniteError as error:
            return str(error)
        finally:
            self.optimizer.zero_grad()
        return "global gradient norm: overflow of finite gradients"

    def advance(self, value):
        """Tell the schedule the validation value (lower is better) of the epoch that ended."""
        if self.schedule is not None:
            self.schedule.epoch(value)

    def state_dict(self):
        return {"module": self.module.state_dict(), "optimizer": self.optimizer.state_dict(),
                "schedule": None if self.schedule is None else self.schedule.state_dict()}

    def load_state_dict(self, state):
        """Continue from ``state_dict()``; InputError when it is of another module or optimiser."""
        self.module.load_state_dict(state["module"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])


def _put_back(buffers):
    for buffer, value in buffers:
        buffer.value = value

"""Exponential moving average of weights."""

from contextlib import contextmanager

import numpy as np

from minirnn.array import check_device, to_cpu, to_device
from minirnn.errors import InputError, check_shape, must_be
from minirnn.optim.arguments import share, tensors_of


class WeightAverage:
    """average = decay * average + (1 - decay) * parameter after each update; starts at the parameters' values."""

    def __init__(self, parameters, decay=0.999):
        self.decay = share("WeightAverage", "decay", decay)
        self.parameters = tensors_of("WeightAverage", parameters)
        self.values = [p.value.copy() for p in self.parameters]

    def update(self):
        """Take the current parameters into the average."""
        self._check_devices()
        d = self.decay
        self.values = [(d * a + (1 - d) * p.value).astype(p.dtype) for a, p in zip(self.values, self.parameters)]

    def _check_devices(self):
        for p, a in zip(self.parameters, self.values):
            check_device("WeightAverage", "the average", a, p.value, "its parameter", "make it after model.to(device)")

    @contextmanager
    def applied(self):
        """Inside this context the parameters hold their averages, after it their own values again."""
        self._check_devices()
        own = [p.value for p in self.parameters]
        for p, average in zip(self.parameters, self.values):
            p.value = average
        try:
            yield
        finally:
            for p, value in zip(self.parameters, own):
                p.value = value

    def state_dict(self):
        """{index: NumPy copy of an average}."""
        return {str(k): np.array(to_cpu(a), order="C") for k, a in enumerate(self.values)}

    def load_state_dict(self, arrays):
        if set(arrays) != {str(k) for k in range(len(self.values))}:
            raise InputError(must_be("WeightAverage", "entries", f"{len(self.values)} averages", len(arrays)))
        for k, p in enumerate(self.parameters):
            check_shape("WeightAverage", str(k), arrays[str(k)], "its parameter's shape", p.shape)
        self.values = [to_device(np.array(arrays[str(k)], p.dtype), p.device) for k, p in enumerate(self.parameters)]

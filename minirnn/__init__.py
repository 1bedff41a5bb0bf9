"""minirnn: recurrent networks from first principles, proven by gradient checks and fast enough to train with.

PYTEST_DONT_REWRITE: pytest, which has a plugin from here, need not mind that minirnn was imported before it.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what __getattr__ imports on first use, so that the command line starts before NumPy is there
    from minirnn import nn, ops, optim
    from minirnn.autograd import NonFiniteError, Tensor, detect_anomaly, grad, no_grad

__version__ = "0.2.0"
__all__ = ["NonFiniteError", "Tensor", "detect_anomaly", "grad", "no_grad", "nn", "ops", "optim", "__version__"]


def __getattr__(name):
    if name in ("nn", "ops", "optim"):
        return importlib.import_module(f"minirnn.{name}")
    if name in __all__:
        return getattr(importlib.import_module("minirnn.autograd"), name)
    raise AttributeError(f"module 'minirnn' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})

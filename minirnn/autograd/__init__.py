"""The tape and its operations, each with its vector-Jacobian product beside it."""

from minirnn.autograd import operators  # noqa: F401  (binds the operators to Tensor)
from minirnn.autograd.tape import NonFiniteError, Tensor, detect_anomaly, grad, no_grad, record, record_many, recording

__all__ = ["NonFiniteError", "Tensor", "detect_anomaly", "grad", "no_grad", "record", "record_many", "recording"]

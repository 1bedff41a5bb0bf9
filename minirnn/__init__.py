"""minirnn: recurrent networks from first principles, proven by gradient checks and fast enough to train with."""

from minirnn import nn, ops, optim
from minirnn.autograd import NonFiniteError, Tensor, detect_anomaly, grad, no_grad

__version__ = "0.2.0"
__all__ = ["NonFiniteError", "Tensor", "detect_anomaly", "grad", "no_grad", "nn", "ops", "optim", "__version__"]

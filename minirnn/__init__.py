"""minirnn: recurrent networks from first principles, proven by gradient checks and fast enough to train with."""

__version__ = "0.1.0"

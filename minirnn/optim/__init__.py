"""Optimisers, clipping, schedules, weight averaging."""

from minirnn.optim.average import WeightAverage
from minirnn.optim.clipping import clip_grad_norm, clip_grad_value, global_norm, suggest_threshold
from minirnn.optim.optimizers import SGD, Adadelta, Adagrad, Adam, AdamW, Optimizer, RMSProp
from minirnn.optim.schedules import EpochDecay, PlateauDecay, StepDecay

__all__ = [
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "EpochDecay",
    "Optimizer",
    "PlateauDecay",
    "RMSProp",
    "SGD",
    "StepDecay",
    "WeightAverage",
    "clip_grad_norm",
    "clip_grad_value",
    "global_norm",
    "suggest_threshold",
]

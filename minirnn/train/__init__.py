"""Training: learners, phases and procedures; the loop, run folders, checkpoints, exact resume. It knows no model."""

from minirnn.train.config import Config, RunConfig, option
from minirnn.train.descent import Descent
from minirnn.train.execute import Outcome
from minirnn.train.learner import Learner, NonFinite
from minirnn.train.procedure import Clock, Ingredient, Phase, Procedure, patience
from minirnn.train.state import Tally, Values
from minirnn.train.supervised import RecurrentConfig, Supervised, SupervisedConfig

__all__ = [
    "Clock",
    "Config",
    "Descent",
    "Ingredient",
    "Learner",
    "NonFinite",
    "Outcome",
    "Phase",
    "Procedure",
    "RecurrentConfig",
    "RunConfig",
    "Supervised",
    "SupervisedConfig",
    "Tally",
    "Values",
    "option",
    "patience",
]

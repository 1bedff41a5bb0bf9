"""How something learns: the optimiser, its learning rate and schedule, and the bound of the gradient's norm."""

from dataclasses import dataclass

from minirnn import optim
from minirnn.train.config import Config, option
from minirnn.train.learner import Learner

OPTIMIZERS = {
    "sgd": lambda parameters, descent: optim.SGD(parameters, descent.lr),
    "momentum": lambda parameters, descent: optim.SGD(parameters, descent.lr, momentum=0.9),
    "adam": lambda parameters, descent: optim.Adam(parameters, descent.lr, betas=tuple(descent.betas)),
    "rmsprop": lambda parameters, descent: optim.RMSProp(parameters, descent.lr),
    "adadelta": lambda parameters, descent: optim.Adadelta(parameters, descent.lr),
}
SCHEDULES = {
    "plateau": lambda optimizer, descent: optim.PlateauDecay(optimizer),
    "epoch-decay": lambda optimizer, descent: optim.EpochDecay(optimizer, descent.decay, descent.start),
    "constant": lambda optimizer, descent: None,
}
# learning rates of the optimisers where only the optimiser is chosen
USUAL_LR = {"momentum": 0.1, "adam": 1e-3, "rmsprop": 1e-3, "adadelta": 1.0, "sgd": 1.0}


@dataclass(frozen=True)
class Descent(Config):
    """The settings of one Learner: a GAN's configuration holds two, and ``--critic.lr 1e-4`` is the critic's lr."""

    group = "descent"
    optimizer: str = option("sgd", choices=tuple(OPTIMIZERS))
    lr: float = option(1.0, "learning rate", positive=True)
    betas: tuple[float, float] = option((0.9, 0.999), "of Adam: how much of its averages an update keeps")
    clip: float | None = option(10.0, "bound of the global gradient norm", positive=True)
    schedule: str = option("plateau", "plateau: lr / 1.5 after an epoch that is no new best; epoch-decay: see --decay",
                           choices=tuple(SCHEDULES))
    decay: float = option(0.97, "epoch-decay multiplies lr by it after each epoch", positive=True)
    start: int = option(10, "the first epoch after which epoch-decay does", least=1)

    def __post_init__(self):
        self.check_rates("betas", 2)
        super().__post_init__()

    def learner(self, module):
        """A Learner of ``module``'s parameters with these settings."""
        optimizer = OPTIMIZERS[self.optimizer](module.parameters(), self)
        return Learner(module, optimizer, self.clip, SCHEDULES[self.schedule](optimizer, self))

"""Groups of parameters with settings of their own, as PyTorch writes them: a list of dicts.

    Adam([{"params": layer.parameters(), "lr": 1e-4, "weight_decay": 0.0}, {"params": head.parameters()}], lr=1e-3)
"""

from collections.abc import Mapping
from types import SimpleNamespace

from minirnn.errors import DtypeError, InputError, must_be, near
from minirnn.optim.arguments import tensors_of


class Group:
    """Some parameters, their settings, and their learning rate beside the optimiser's: 1e-4 and 1e-3 above, so that it
    is 5e-5 when a schedule has made ``optimizer.lr`` 5e-4."""

    def __init__(self, parameters, settings, lr, usual_lr):
        self.parameters, self.settings, self.lr, self.usual_lr = parameters, settings, lr, usual_lr

    def now(self, lr):
        """The settings where the optimiser's learning rate is ``lr``, as attributes."""
        return SimpleNamespace(**self.settings, lr=lr if self.lr == self.usual_lr else self.lr * (lr / self.usual_lr))


def groups_of(where, parameters, usual, checks):
    """The groups of ``parameters``, Tensors or dicts with "params"; what a dict leaves out is as in ``usual``.

    checks: {name of a setting: (where, name, value) -> value, or an error}.
    """
    usual = {name: checks[name](where, name, value) for name, value in usual.items()}
    given = [{"params": parameters}]
    if isinstance(parameters, (list, tuple)) and any(isinstance(part, Mapping) for part in parameters):
        given = parameters
    groups = []
    for k, part in enumerate(given):
        if not isinstance(part, Mapping) or "params" not in part:
            what = 'a dict with "params", as other groups are'
            raise DtypeError(must_be(where, f"parameters[{k}]", what, type(part).__name__))
        for name in part:
            if name != "params" and name not in checks:
                what, known = f"a setting of group {k}", ", ".join(checks)
                raise InputError(must_be(where, what, f"one of {known}", repr(name), near(name, checks)))
        own = {name: checks[name](where, f"{name} of group {k}", part[name]) for name in part if name != "params"}
        settings = {**usual, **own}
        groups.append(Group(tensors_of(where, part["params"]), settings, settings.pop("lr"), usual["lr"]))
    return groups

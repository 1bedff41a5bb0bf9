"""Writes torch_ported.npz: PyTorch's pooling, activations, losses and optimisers on small arrays, frozen once.

    python tests/nn/golden/make_torch_ported.py         (needs PyTorch; the tests only read the file it made)

Every entry is "KIND/NAME/ARRAY"; what a NAME stands for is in the tables here and, in minirnn's words, in the tests
that read them: tests/engine/test_ported.py, tests/nn/test_losses.py, tests/optim/test_ported.py.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(3)
torch.set_default_dtype(torch.float64)

POOLS = {  # dimensions, size, what goes to both poolings
    "padded": (1, (2, 3, 7), dict(kernel_size=3, stride=2, padding=1)),
    "rounded up": (1, (2, 3, 8), dict(kernel_size=3, stride=2, ceil_mode=True)),
    "no window in the padding": (1, (1, 2, 3), dict(kernel_size=2, stride=3, padding=1, ceil_mode=True)),
    "two axes": (2, (2, 2, 6, 5), dict(kernel_size=(3, 2), stride=2, padding=1, ceil_mode=True)),
}
ACTIVATIONS = {
    "gelu": F.gelu, "gelu of tanh": lambda x: F.gelu(x, approximate="tanh"), "silu": F.silu,
    "elu": lambda x: F.elu(x, 0.7), "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "softmax": lambda x: F.softmax(x, -1), "log_softmax": lambda x: F.log_softmax(x, -1),
}
LOSSES = {
    f"{reduction}{name}": dict(reduction=reduction, **options)
    for reduction in ("mean", "sum", "none")
    for name, options in {
        "": {}, " ignoring": {"ignore_index": -100}, " weighted": {"weight": True},
        " smoothed": {"label_smoothing": 0.2},
        " all": {"weight": True, "ignore_index": 2, "label_smoothing": 0.1},
    }.items()
}
OPTIMISERS = {
    "sgd": lambda p: torch.optim.SGD(p, 0.1, weight_decay=0.3),
    "nesterov": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True, weight_decay=0.3),
    "adam": lambda p: torch.optim.Adam(p, 0.05, weight_decay=0.3),
    "adamw": lambda p: torch.optim.AdamW(p, 0.05, weight_decay=0.3),
    "adagrad": lambda p: torch.optim.Adagrad(p, 0.05, weight_decay=0.3),
    "rmsprop": lambda p: torch.optim.RMSprop(p, 0.01, alpha=0.9, eps=1e-2, weight_decay=0.3),
    "rmsprop centred": lambda p: torch.optim.RMSprop(p, 0.01, alpha=0.9, eps=1e-2, momentum=0.5, centered=True),
    "groups": lambda p: torch.optim.AdamW([{"params": p[:1], "lr": 0.2, "weight_decay": 0.0},
                                           {"params": p[1:], "betas": (0.5, 0.9)}], 0.05, weight_decay=0.3),
}


def pools():
    for name, (d, size, options) in POOLS.items():
        for kind, counted in (("max", None), ("avg", True), ("avg", False)):
            x = torch.randn(size, requires_grad=True)
            function = getattr(F, f"{kind}_pool{d}d")
            y = function(x, **options, **({} if counted is None else {"count_include_pad": counted}))
            dy = torch.randn_like(y)
            y.backward(dy)
            place = f"pool/{kind}{'' if counted is not False else ' of what is there'}, {name}"
            yield from ((f"{place}/x", x), (f"{place}/y", y), (f"{place}/dy", dy), (f"{place}/dx", x.grad))


def activations():
    for name, function in ACTIVATIONS.items():
        x = torch.cat([torch.randn(6) * 2, torch.zeros(1), torch.tensor([-30.0, 30.0])]).requires_grad_()
        y = function(x)
        dy = torch.randn_like(y)
        y.backward(dy)
        place = f"activation/{name}"
        yield from ((f"{place}/x", x), (f"{place}/y", y), (f"{place}/dy", dy), (f"{place}/dx", x.grad))


def losses():
    weight = torch.tensor([0.5, 2.0, 1.0, 0.25])
    for name, options in LOSSES.items():
        options = dict(options, **({"weight": weight} if options.get("weight") else {}))
        x = torch.randn(6, 4, requires_grad=True)
        targets = torch.tensor([0, 3, 2, 1, 2, 0])
        if options.get("ignore_index") == -100:
            targets[[1, 4]] = -100
        forms = {"cross_entropy": F.cross_entropy}
        if "label_smoothing" not in options:
            forms["nll_loss"] = F.nll_loss
        for form, loss in forms.items():
            x.grad = None
            y = loss(x, targets, **options)
            dy = torch.randn_like(y)
            y.backward(dy)
            place = f"{form}/{name}"
            yield from ((f"{place}/x", x.clone()), (f"{place}/targets", targets), (f"{place}/y", y),
                        (f"{place}/dy", dy), (f"{place}/dx", x.grad.clone()))


def optimisers():
    for name, make in OPTIMISERS.items():
        parameters = [nn.Parameter(torch.randn(3)), nn.Parameter(torch.randn(2, 2))]
        yield from ((f"optimiser/{name}/start{k}", p.detach().clone()) for k, p in enumerate(parameters))
        optimizer = make(parameters)
        gradients = [torch.randn(5, *p.shape) for p in parameters]
        yield from ((f"optimiser/{name}/gradients{k}", g) for k, g in enumerate(gradients))
        for step in range(5):
            for p, g in zip(parameters, gradients):
                p.grad = g[step].clone()
            optimizer.step()
        yield from ((f"optimiser/{name}/end{k}", p) for k, p in enumerate(parameters))


if __name__ == "__main__":
    frozen = {k: v.detach().numpy() for part in (pools, activations, losses, optimisers) for k, v in part()}
    path = Path(__file__).with_name("torch_ported.npz")
    np.savez_compressed(path, torch_version=np.array(torch.__version__), **frozen)
    print(f"{path.name}: {len(frozen)} arrays, {path.stat().st_size} bytes, torch {torch.__version__}")

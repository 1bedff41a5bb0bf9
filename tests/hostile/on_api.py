"""Attacks on the public functions with arguments of wrong types and shapes."""

import inspect

import numpy as np
from wrong import instead_of, odd_values, shown, spoiled

import minirnn
from minirnn import data, experiments, gradcheck, init, metrics, nn, ops, optim, train
from minirnn.errors import DtypeError, InputError
from minirnn.gradcheck import suite_ops
from minirnn.models import registry
from minirnn.models.language_model.model import LanguageModel
from minirnn.models.sentiment.model import SequenceClassifier, TextClassifier
from minirnn.models.tagger.model import Tagger

# bases of one's own classes, results that functions return, and what is made without arguments
NOT_CALLED_DIRECTLY = ("Module", "Optimizer", "Verdict", "Finding", "Problem", "Record", "EntityScores",
                       "Config", "Procedure", "Supervised")
MODELS = (registry.find, registry.stem_of, registry.task_of, registry.presets, registry.configure,
          registry.configuration,
          registry.finished, registry.run, registry.train, registry.resume, registry.name_of, registry.load,
          registry.experiment, registry.experiments_of, LanguageModel, Tagger, SequenceClassifier, TextClassifier)
REFUSED = (InputError, DtypeError, MemoryError)


def public():
    """{name: callable} of what the packages offer: functions, and classes by their constructors."""
    rooms = {"ops": ops, "nn": nn, "optim": optim, "gradcheck": gradcheck, "data": data, "metrics": metrics}
    rooms |= {"train": train, "experiments": experiments}
    found = {"grad": minirnn.grad, "Tensor": minirnn.Tensor, **{f"models.{f.__name__}": f for f in MODELS}}
    for room, module in rooms.items():
        for name in module.__all__:
            thing = getattr(module, name)
            if callable(thing) and name not in NOT_CALLED_DIRECTLY:
                found[f"{room}.{name}"] = thing
    for name, thing in vars(init).items():
        if inspect.isfunction(thing) and thing.__module__ == init.__name__ and not name.startswith("_"):
            found[f"init.{name}"] = thing
    return found


def _number_of_arguments(rng, thing):
    parameters = inspect.signature(thing).parameters.values()
    plain = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    least = sum(p.default is p.empty for p in plain)
    many = any(p.kind == p.VAR_POSITIONAL for p in parameters)
    return int(rng.integers(least, len(plain) + 1)) if plain or not many else int(rng.integers(1, 3))


def attack_public(rng, folder):
    """A public function with odd values for all of its arguments, or for some and plain arrays for the others."""
    every = public()
    name = sorted(every)[int(rng.integers(len(every)))]
    plain = [np.ones((2, 3)), np.arange(3), 2, 0.5, np.random.default_rng(0), (2, 3), [np.ones(3), np.ones(3)]]
    pick = lambda: (plain if rng.random() < 0.4 else odd_values(rng))
    args = []
    for _ in range(_number_of_arguments(rng, every[name])):
        choices = pick()
        args.append(choices[int(rng.integers(len(choices)))])
    return _tried(name, every[name], args, {}, ", ".join(map(shown, args)))


def attack_operations(rng, folder):
    """An operation with arguments that fit, of which one is exchanged, forward and back."""
    cases = suite_ops.CASES
    case = sorted(cases)[int(rng.integers(len(cases)))]
    function, *arrays = cases[case]
    if case == "dropout":  # the case's own function makes a mask of its argument's type
        function, arrays = ops.dropout, [*arrays, np.array([0.0, 2.0, 2.0])]
    args, _, changed = spoiled(rng, arrays, {})
    if rng.random() < 0.5:
        args = [minirnn.Tensor(a, True) if isinstance(a, np.ndarray) and a.dtype == np.float64 else a for a in args]
    return _tried(f"ops.{case}", function, args, {}, changed)


def _tried(name, thing, args, options, changed):
    try:
        with np.errstate(all="ignore"):
            out = thing(*args, **options)
            if isinstance(out, minirnn.Tensor) and out.requires_grad and out.size:
                total = ops.sum(out)
                total.backward()
    except REFUSED:
        return None
    except Exception as error:  # whatever else it is, it is what this looks for
        return f"{name}({changed}): {type(error).__name__}: {str(error)[:100]}"
    for a in args:
        if isinstance(a, minirnn.Tensor) and a.grad is not None and (a.grad.shape, a.grad.dtype) != (a.shape, a.dtype):
            return f"{name}({changed}): a gradient {a.grad.shape} {a.grad.dtype} of {a.shape} {a.dtype}"
    return None


__all__ = ["attack_operations", "attack_public", "instead_of"]

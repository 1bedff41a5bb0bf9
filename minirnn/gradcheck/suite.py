"""Everything ``minirnn gradcheck --all`` checks: operations, cells, layers, losses and models, each in all its forms.

A case turns into a ``Row`` of parts. To add one, add a line to the table of its kind; a test fails while an exported
operation, cell, layer, loss or model has none.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from minirnn import fused, nn
from minirnn.array import stream
from minirnn.cells import CELLS, GRU, LSTM
from minirnn.gradcheck import recurrent, suite_ops
from minirnn.gradcheck.cells import check_cell, largest_difference
from minirnn.gradcheck.rows import Part, Row, measured
from minirnn.gradcheck.tape import check
from minirnn.gradcheck.verdict import Verdict
from minirnn.models.language_model import LanguageModel
from minirnn.models.sentiment import TextClassifier
from minirnn.models.tagger import Tagger
from minirnn.models.temporal_order import SequenceClassifier

COMPOSED_TOLERANCE = 1e-12
FUSED_TOLERANCE = {"float64": 1e-12, "float32": 1e-5}


@dataclass(frozen=True)
class Case:
    """Something to check by name; ``parts()`` does it, and ``thorough()``, if there is one, in every detail."""

    kind: str
    name: str
    parts: Callable
    thorough: Callable | None = None

    def run(self, thorough=False):
        start = time.perf_counter()
        check = self.thorough if thorough and self.thorough else self.parts
        parts = tuple(part.named(self.name) for part in check())
        return Row(self.kind, self.name, parts, time.perf_counter() - start)


def compared(label, one, other, tolerance):
    """One form of a gradient against another that is already known to be right."""
    error = largest_difference(one, other)
    return Part(label, error, Verdict.PASS if error <= tolerance else Verdict.WRONG)


def check_op(function, *arrays):
    """An operation to first and second order in float64, and in float32."""
    names = [f"x{k}" for k in range(len(arrays))]
    yield measured("first", check(function, arrays, names=names))
    yield measured("second", check(function, arrays, names=names, order=2))
    yield measured("float32", check(function, [a.astype(np.float32) for a in arrays], names=names))


def check_forms(cell, **options):
    """A cell over a padded sequence: the explicit form against slopes, the other forms against the explicit one."""
    problem = recurrent.random_problem(cell, padded=True, **options)
    explicit = recurrent.gradients(problem)
    yield measured("explicit", check_cell(problem))
    yield compared("composed", recurrent.composed_gradients(problem), explicit, COMPOSED_TOLERANCE)
    if fused.obstacle(cell, problem.x) is None:
        for dtype, label in ((np.float64, "fused"), (np.float32, "fused float32")):
            here = recurrent.random_problem(cell, padded=True, **{**options, "dtype": dtype})
            explicit = recurrent.gradients(here)
            tolerance = FUSED_TOLERANCE[np.dtype(dtype).name]
            yield compared(label, recurrent.gradients(here, form="fused"), explicit, tolerance)


def check_tape(make, inputs, order=2, **call):
    """A layer, loss or model on the tape: ``make()`` returns the function or Module, ``call`` goes to every call."""
    function = make()
    bound = _Bound(function, call) if call else function
    yield measured("first", check(bound, inputs, entries=48, directions=4))
    if order == 2:
        yield measured("second", check(bound, inputs, order=2, entries=16, directions=3))


def check_model(make, inputs, **call):
    """How a model is put together, along random directions of every parameter: its parts are checked by themselves, but
    a path that was dropped, or a parameter used twice and counted once, shows in any direction."""
    function = make()
    bound = _Bound(function, call) if call else function
    yield measured("wiring", check(bound, inputs, entries=0, directions=2))


class _Bound:
    """A module called with keyword arguments that are made anew each time, so that dropout draws the same masks."""

    def __init__(self, module, keywords):
        self.module, self.keywords = module, keywords

    def named_parameters(self):
        return self.module.named_parameters()

    def __call__(self, x):
        return self.module(x, **{name: make() for name, make in self.keywords.items()})


class _InTurn(nn.Module):
    """The modules of a list, one after the other."""

    def __init__(self, *modules):
        self.layers = nn.ModuleList(modules)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


def _same_draws():
    return lambda purpose, layer: stream(0, purpose, layer)


def _random(*shape):
    return suite_ops.signed(*shape)


WIDE = {"dtype": np.float64, "rng": 0}
LENGTHS = np.array([2, 4, 1])
TOKENS = np.array([[0, 2, 1], [3, 3, 0], [1, 4, 2]])

FORMS = {
    **{name: partial(check_forms, cell, masked=True) for name, cell in CELLS.items()},
    "lstm unmasked": partial(check_forms, LSTM()),
    "lstm without bias": partial(check_forms, LSTM(), bias=False),
    "lstm zoneout": partial(check_forms, LSTM(), masked=("zoneout_c", "zoneout_h")),
    "gru zoneout": partial(check_forms, GRU(), masked=("zoneout_h",)),
}
LAYERS = {
    "Linear": partial(check_tape, lambda: nn.Linear(5, 2, **WIDE), [_random(3, 5)]),
    "Conv1d": partial(check_tape, lambda: nn.Conv1d(3, 4, 3, padding=1, **WIDE), [_random(2, 3, 5)]),
    "Embedding": partial(check_tape, lambda: nn.Embedding(5, 2, **WIDE), [TOKENS]),
    "Sequential": partial(
        check_tape, lambda: nn.Sequential(nn.Linear(5, 4, **WIDE), nn.Linear(4, 2, **WIDE)), [_random(3, 5)]
    ),
    "Dropout": partial(check_tape, lambda: nn.Dropout(0.5), [_random(3, 5)], streams=lambda: np.random.default_rng(1)),
    "RNNCell": partial(check_tape, lambda: nn.RNNCell(5, 2, **WIDE), [_random(3, 5)]),
    "LSTMCell": partial(check_tape, lambda: nn.LSTMCell(5, 2, **WIDE), [_random(3, 5)]),
    "GRUCell": partial(check_tape, lambda: nn.GRUCell(5, 2, **WIDE), [_random(3, 5)]),
    "RNN": partial(check_tape, lambda: nn.RNN(5, 2, **WIDE), [_random(4, 3, 5)], lengths=lambda: LENGTHS),
    "LSTM": partial(check_tape, lambda: nn.LSTM(5, 2, **WIDE), [_random(4, 3, 5)], lengths=lambda: LENGTHS),
    "PeepholeLSTM": partial(check_tape, lambda: nn.PeepholeLSTM(5, 2, **WIDE), [_random(4, 3, 5)],
                            lengths=lambda: LENGTHS),
    "GRU": partial(check_tape, lambda: nn.GRU(5, 2, **WIDE), [_random(4, 3, 5)], lengths=lambda: LENGTHS),
    "LSTM with zoneout": partial(
        check_tape, lambda: nn.LSTM(5, 2, zoneout=(0.5, 0.25), **WIDE), [_random(2, 3, 5)], streams=_same_draws
    ),
    "GRU with zoneout": partial(
        check_tape, lambda: nn.GRU(5, 2, zoneout=0.5, **WIDE), [_random(4, 3, 5)], order=1, streams=_same_draws
    ),
    "LSTM two layers, bidirectional, dropout": partial(
        check_tape,
        lambda: nn.LSTM(5, 2, 2, dropout=0.5, bidirectional=True, recurrent_dropout=("ours", 0.25), **WIDE),
        [_random(4, 3, 5)],
        order=1,
        streams=_same_draws,
    ),
}
LOSSES = {
    "cross_entropy": partial(check_tape, lambda: lambda z: nn.cross_entropy(z, TOKENS), [_random(3, 3, 5)]),
    "cross_entropy masked, summed over time": partial(
        check_tape, lambda: lambda z: nn.cross_entropy(z, TOKENS, mask=TOKENS > 0, time="sum"), [_random(3, 3, 5)]
    ),
    "mse_loss": partial(check_tape, lambda: nn.mse_loss, [_random(3, 5), _random(3, 5)]),
    "bce_with_logits": partial(
        check_tape, lambda: lambda z: nn.bce_with_logits(z, (TOKENS > 1).astype(float)), [_random(3, 3)]
    ),
}
# their inputs come from a generator of their own, so that those above and below stay as they were
LAYERS |= {
    "Embedding with a row of padding": partial(  # which no id names: its gradient is 0 and not the derivative
        check_tape, lambda: nn.Embedding(5, 2, padding_idx=3, **WIDE), [np.where(TOKENS == 3, 2, TOKENS)]
    ),
    "ModuleList": partial(
        check_tape, lambda: _InTurn(nn.Linear(5, 4, **WIDE), nn.Tanh(), nn.Linear(4, 2, **WIDE)),
        [suite_ops.drawn(3, 5)]
    ),
    **{kind.__name__: partial(check_tape, kind, [suite_ops.drawn(3, 4)])
       for kind in (nn.ELU, nn.GELU, nn.LeakyReLU, nn.LogSoftmax, nn.ReLU, nn.Sigmoid, nn.SiLU, nn.Softmax, nn.Tanh)},
}
_WEIGHT = np.array([0.5, 2.0, 1.0, 0.25, 1.5])
LOSSES |= {
    "cross_entropy weighted, smoothed, not of class 1": partial(
        check_tape,
        lambda: lambda z: nn.cross_entropy(z, TOKENS, weight=_WEIGHT, ignore_index=1, label_smoothing=0.2),
        [suite_ops.drawn(3, 3, 5)]
    ),
    "cross_entropy weighted, not reduced": partial(
        check_tape, lambda: lambda z: nn.cross_entropy(z, TOKENS, weight=_WEIGHT, reduction="none"),
        [suite_ops.drawn(3, 3, 5)]
    ),
    "nll_loss": partial(
        check_tape, lambda: lambda z: nn.nll_loss(z, TOKENS, weight=_WEIGHT, ignore_index=1), [suite_ops.drawn(3, 3, 5)]
    ),
}
# name: how it is made, its inputs, and what else goes to every call
MODELS = {
    "LanguageModel": (lambda: LanguageModel(5, 4, 3, init=0.7, **WIDE), [TOKENS], {}),
    "SequenceClassifier": (lambda: SequenceClassifier(5, 3, 4, init=0.7, **WIDE), [_random(4, 3, 5)],
                           {"lengths": lambda: LENGTHS}),
    "TextClassifier": (lambda: TextClassifier(_random(5, 4), 3, 2, train_vectors=True, init=0.7, **WIDE), [TOKENS], {}),
    "Tagger": (lambda: Tagger(_random(5, 4), 3, classes=0, filters=6, kernel=3, hidden=2, activation="tanh",
                              conv_activation="tanh", init=0.7, **WIDE), [TOKENS], {}),
}


KINDS = ("op", "cell", "layer", "loss", "model")


def cases():
    """Every case, in the order of the table."""
    for name, (function, *arrays) in suite_ops.CASES.items():
        yield Case("op", name, partial(check_op, function, *arrays))
    for kind, table in (("cell", FORMS), ("layer", LAYERS), ("loss", LOSSES)):
        for name, parts in table.items():
            yield Case(kind, name, parts)
    for name, (make, inputs, call) in MODELS.items():
        yield Case("model", name, partial(check_model, make, inputs, **call),
                   partial(check_tape, make, inputs, order=1, **call))


def named(name):
    """The cases called ``name``, whatever its capitals: by the whole name, or by its first word.

    An operation's name means all its cases ("norm", "norm of all"), a recurrent name the cells ("lstm"); "layer lstm"
    and the like say which kind.
    """
    kind, _, rest = name.lower().partition(" ")
    wanted, kinds = (rest, (kind,)) if rest and kind in KINDS else (name.lower(), KINDS)
    every = [case for case in cases() if case.kind in kinds]
    for some in ([case for case in every if case.kind == "cell"], every):
        exact = [case for case in some if case.name.lower() == wanted]
        begun = [case for case in some if re.split("[ ,-]", case.name.lower())[0] == wanted]
        if exact and all(case.kind != "op" for case in exact):
            return exact
        if exact or begun:
            return begun or exact
    return []

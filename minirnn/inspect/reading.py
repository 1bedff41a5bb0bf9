"""A language model reading a text: what its units know, what each prediction looked at, what it would say next."""

from dataclasses import dataclass

import numpy as np

from minirnn.autograd import Tensor, no_grad
from minirnn.inspect.units import Known, contents_of, known, marks_of

BACK = 48  # symbols that a prediction is followed back
GUESSES = 5


@dataclass(frozen=True)
class Reading:
    """Of T symbols: ``contents`` (T, H) of the last layer; ``guesses``, for each symbol the likeliest next ones as
    (symbol, probability); ``looked`` (T, BACK), |d logit of the first guess / d x| of the symbol itself and of those
    before it, each row divided by its largest; ``known`` and, of the same layer untrained, ``control``."""

    symbols: tuple
    contents: np.ndarray
    guesses: tuple
    looked: np.ndarray
    known: tuple[Known, ...] = ()
    control: tuple[Known, ...] = ()


def reading_of(model, ids, vocabulary, untrained=None):
    """A language model at ids (T,) of the symbols ``vocabulary`` -> Reading. ``untrained``: the same before training.

    Marks are looked for where symbols are characters. The models' recurrent layers must have ``kernels="explicit"``.
    """
    ids = np.asarray(ids)
    contents, shown = contents_of(model, ids), tuple(vocabulary[i] for i in ids)
    marks = marks_of(shown) if all(len(symbol) == 1 for symbol in vocabulary) else {}
    with no_grad():
        logits = model.eval()(ids[:, None])[0].value[:, 0].astype(float)
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances = weights / weights.sum(axis=1, keepdims=True)
    best = np.argsort(-chances, axis=1, kind="stable")[:, :GUESSES]
    guesses = tuple(tuple((vocabulary[k], float(chance[k])) for k in row) for row, chance in zip(best, chances))
    return Reading(shown, contents, guesses, looked_at(model, ids, best[:, 0]), tuple(known(contents, marks)),
                   tuple(known(contents_of(untrained, ids), marks)) if untrained is not None and marks else ())


def looked_at(model, ids, guesses, back=BACK):
    """|d logit of guesses[t] / d x_s|, s = t, t - 1, ..., of each row's largest: (T, back), 0 before the text begins.

    Each prediction is made again from a zero state at most ``back`` - 1 symbols earlier, all of them as one batch: of
    the text "abc" with back = 2 the rows are (a, -), (b, a), (c, b).
    """
    steps = np.arange(len(ids))
    last = np.minimum(steps, back - 1)  # where a window's own symbol stands; what follows it changes nothing
    windows = ids[np.minimum((steps - last) + np.arange(back)[:, None], len(ids) - 1)]  # (back, T)
    x = Tensor(model.eval().embedding(windows).value, requires_grad=True)
    h, _ = model.recurrent(x)
    model.output(h[last, steps])[steps, guesses].sum().backward()
    sizes = np.sqrt((x.grad.value.astype(float) ** 2).sum(axis=2))
    before = last[:, None] - np.arange(back)
    found = np.where(before >= 0, sizes[np.maximum(before, 0), steps[:, None]], 0)
    return found / np.maximum(found.max(axis=1, keepdims=True), 1e-300)

"""What single units of a recurrent layer know of a text: its memory read against marks that anyone can see.

Karpathy, Johnson and Fei-Fei (2015) found units of character models that are on inside quotes, or count the letters of
a line. Here they are looked for by a rule: for what is or is not (inside quotes) the share of pairs of characters, one
inside and one outside, that the unit puts in order (the area under the ROC curve); for what is counted (the place in
the line) the size of the correlation. Half, and 0, are chance; an untrained layer is the control.
"""

from typing import NamedTuple

import numpy as np

from minirnn.autograd import no_grad
from minirnn.errors import InputError, must_be
from minirnn.inspect.probe import Probe

LEAST = 20  # characters inside and outside: fewer are put in order by chance
PAIRS = {'"': '"', "(": ")", "[": "]"}


class Known(NamedTuple):
    """The unit that knows most of one mark: ``score`` in 0.5..1 of one that is or is not, in 0..1 of a counted one;
    ``sign`` is -1 where the unit is low inside, or falls; ``median`` the score of the median unit."""

    mark: str
    counted: bool
    unit: int
    sign: int
    score: float
    median: float


def marks_of(symbols):
    """{name: (T,) array} of what can be marked in a text, given as its characters: booleans, and counts as floats.

    What a character itself opens or closes counts from the next one on: of 'a "b" c' the b and the closing quote are
    inside. A line's end closes everything. What is marked at fewer than LEAST characters is left out.
    """
    inside = {opening: [] for opening in PAIRS}
    counts = {"place in the line": [], "letters since the word began": [], "spaces the line begins with": []}
    depth, place, letters, indent, leading = dict.fromkeys(PAIRS, 0), 0, 0, 0, True
    for c in symbols:
        for opening, closing in PAIRS.items():
            inside[opening].append(depth[opening] > 0)
            if c == closing and depth[opening]:
                depth[opening] -= 1
            elif c == opening:
                depth[opening] += 1
        leading = leading and c == " "
        place, letters, indent = place + 1, letters + 1 if c.isalpha() else 0, indent + leading
        for name, value in zip(counts, (place, letters, indent)):
            counts[name].append(value)
        if c == "\n":
            depth, place, letters, indent, leading = dict.fromkeys(PAIRS, 0), 0, 0, 0, True
    names = {'"': "inside quotes", "(": "inside parentheses", "[": "inside brackets"}
    marks = {names[opening]: np.array(values) for opening, values in inside.items()}
    marks |= {name: np.array(values, float) for name, values in counts.items()}
    rare = lambda values: min(values.sum(), (~values).sum()) < LEAST if values.dtype == bool else np.ptp(values) == 0
    return {name: values for name, values in marks.items() if len(values) and not rare(values)}


def contents_of(model, ids):
    """What the last recurrent layer of a language model holds after each symbol of ids (T,): (T, H), in -1..1.

    tanh(c_t) where the cell has a memory, else h_t. ``model.recurrent`` must have ``kernels="explicit"``.
    """
    cell = model.recurrent.cell
    probe = model.recurrent.cell = Probe(cell)
    try:
        with no_grad():
            model.eval()(np.asarray(ids)[:, None])
    finally:
        model.recurrent.cell = cell
    last = [step.new for step in probe.steps[-len(ids) :]]
    return np.stack([np.tanh(new[1][0]) if len(new) > 1 else new[0][0] for new in last])


def scores(contents, mark):
    """What each unit of contents (T, H) knows of a mark (T,): signed scores (H,), in -1..1, 0 for nothing.

    Of a boolean mark 2 AUC - 1, of a counted one the correlation.
    """
    if len(contents) != len(mark):
        raise InputError(must_be("inspect", "mark", f"of {len(contents)} steps", len(mark)))
    if mark.dtype == bool:
        ranks = np.empty(contents.shape)
        np.put_along_axis(ranks, contents.argsort(axis=0), np.arange(1.0, len(mark) + 1)[:, None], axis=0)
        inside = int(mark.sum())
        outside = len(mark) - inside
        return 2 * (ranks[mark].sum(axis=0) - inside * (inside + 1) / 2) / (inside * outside) - 1
    away, centred = mark - mark.mean(), contents - contents.mean(axis=0)
    sizes = np.sqrt((centred**2).sum(axis=0) * (away**2).sum())
    return np.divide(away @ centred, sizes, out=np.zeros(contents.shape[1]), where=sizes > 0)


def known(contents, marks):
    """The Known of every mark, those most known first."""
    found = []
    for name, mark in marks.items():
        signed = scores(contents, mark)
        sizes = np.abs(signed)
        unit = int(sizes.argmax())
        best, median = (value if mark.dtype != bool else (1 + value) / 2 for value in (sizes[unit], np.median(sizes)))
        found.append(Known(name, mark.dtype != bool, unit, int(np.sign(signed[unit])) or 1, float(best), float(median)))
    return sorted(found, key=lambda k: -k.score)

"""Named entities in sequences of tags, and precision, recall and F1 of whole entities, by the rules of conlleval."""

from collections import Counter
from typing import NamedTuple

from minirnn.errors import InputError, in_our_words, must_be


class Entity(NamedTuple):
    """An entity of ``type`` over the words start .. stop - 1."""

    type: str
    start: int
    stop: int


class Scores(NamedTuple):
    """Per cent, 0 where nothing was found or nothing was there (conlleval); and the counts they are made of."""

    precision: float
    recall: float
    f1: float
    correct: int
    found: int
    true: int


@in_our_words
def entities(tags):
    """The entities of a sentence's tags, "O", "B-X" or "I-X" in IOB2 or IOB1 -> list of Entity in order.

    One begins at B-X, and at I-X at the start, after O or after another type. InputError for any other tag.
    """
    found, begin, kind = [], 0, ""
    for place, tag in enumerate(tags):
        prefix, _, here = _parts(tag, place)
        if kind and (prefix != "I" or here != kind):
            found.append(Entity(kind, begin, place))
            kind = ""
        if here and not kind:
            begin, kind = place, here
    return [*found, Entity(kind, begin, len(tags))] if kind else found


def _parts(tag, place):
    parts = tag.partition("-") if isinstance(tag, str) else ("",) * 3
    if tag != "O" and not (parts[0] in ("B", "I") and parts[2]):
        raise InputError(must_be("entities", f"tag {place}", "O, B-TYPE or I-TYPE", repr(tag)))
    return parts


class EntityScores:
    """Accumulates sentences: ``add(true tags, predicted tags)``. An entity is correct if type, start and stop are."""

    def __init__(self):
        self.correct, self.found, self.true = Counter(), Counter(), Counter()

    @in_our_words
    def add(self, true, predicted):
        """Count one sentence; InputError unless there is one predicted tag for each true one."""
        if len(true) != len(predicted):
            what = f"one tag for each word (= {len(true)})"
            raise InputError(must_be("EntityScores.add", "predicted", what, len(predicted)))
        true, predicted = set(entities(true)), set(entities(predicted))
        for counter, some in ((self.correct, true & predicted), (self.found, predicted), (self.true, true)):
            counter.update(entity.type for entity in some)

    def scores(self, kind=None):
        """The Scores of one type of entity, or of all together."""
        counts = [c.total() if kind is None else c[kind] for c in (self.correct, self.found, self.true)]
        return scores_of(*counts)

    def by_type(self):
        """{type: Scores} of every type met, alphabetically."""
        return {kind: self.scores(kind) for kind in sorted({*self.found, *self.true})}


def scores_of(correct, found, true):
    """The Scores of three counts."""
    rates = _percent(correct, found), _percent(correct, true), _percent(2 * correct, found + true)
    return Scores(*rates, correct, found, true)


def _percent(part, whole):
    return 100 * part / whole if whole else 0.0


@in_our_words
def entity_f1(true, predicted):
    """F1 in per cent over two lists of tag sequences; InputError unless they have equally many sentences."""
    if len(true) != len(predicted):
        raise InputError(must_be("entity_f1", "predicted", f"{len(true)} sentences", len(predicted)))
    total = EntityScores()
    for pair in zip(true, predicted):
        total.add(*pair)
    return total.scores().f1

"""Entities in tag sequences and their F1: cases made by hand, and conlleval's rules written another way."""

import numpy as np
import pytest

from minirnn.errors import InputError
from minirnn.metrics import EntityScores, entities, entity_f1

TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG"]


@pytest.mark.parametrize(
    "tags, expected",
    [
        ("", []),
        ("O O O", []),
        ("B-PER", [("PER", 0, 1)]),
        ("O B-PER I-PER O", [("PER", 1, 3)]),
        ("B-LOC B-LOC I-LOC", [("LOC", 0, 1), ("LOC", 1, 3)]),  # adjacent, one type
        ("B-PER I-LOC I-LOC", [("PER", 0, 1), ("LOC", 1, 3)]),  # the type changes inside
        ("I-PER I-PER O I-PER", [("PER", 0, 2), ("PER", 3, 4)]),  # I- at the start and after O (IOB1)
        ("I-ORG B-ORG I-ORG", [("ORG", 0, 1), ("ORG", 1, 3)]),  # B- after I-
        ("I-LOC B-PER", [("LOC", 0, 1), ("PER", 1, 2)]),
        ("O O B-MISC", [("MISC", 2, 3)]),
        ("B-e-mail I-e-mail", [("e-mail", 0, 2)]),
    ],
)
def test_entities_of_cases_made_by_hand(tags, expected):
    assert entities(tags.split()) == expected


def starts(previous, tag):
    """conlleval's question, written from its table of pairs: does an entity start at this tag?"""
    pairs = {("O", "B"), ("O", "I"), ("B", "B"), ("I", "B")}
    return (previous[0], tag[0]) in pairs or (tag[0] == "I" and previous[1:] != tag[1:])


def brute_force(tags):
    """Every (type, start, stop) tried: it starts there, goes on inside, and does not go on after."""
    found = set()
    padded = ["O", *tags, "O"]
    for a in range(1, len(tags) + 1):
        for b in range(a + 1, len(tags) + 2):
            inside = padded[a:b]
            one_type = len({tag[2:] for tag in inside}) == 1 and inside[0] != "O"
            begins = [starts(padded[k - 1], padded[k]) for k in range(a, b)] == [True] + [False] * (b - a - 1)
            ends = padded[b] == "O" or starts(padded[b - 1], padded[b])
            if one_type and begins and ends:
                found.add((inside[0][2:], a - 1, b - 1))
    return found


def test_entities_and_f1_equal_brute_force_on_random_tags():
    rng = np.random.default_rng(0)
    counts = np.zeros(3, int)
    pairs, totals = [], EntityScores()
    for _ in range(400):
        length = rng.integers(0, 12)
        true = [TAGS[k] for k in rng.integers(len(TAGS), size=length)]
        changed = rng.random(length) < 0.3
        predicted = [TAGS[rng.integers(len(TAGS))] if c else tag for tag, c in zip(true, changed)]
        found, wanted = brute_force(predicted), brute_force(true)
        assert set(entities(true)) == wanted and len(entities(true)) == len(wanted)
        counts += len(found & wanted), len(found), len(wanted)
        pairs.append((true, predicted))
        totals.add(true, predicted)
    scores = totals.scores()
    assert (scores.correct, scores.found, scores.true) == tuple(counts)
    precision, recall = 100 * counts[0] / counts[1], 100 * counts[0] / counts[2]
    assert scores.precision == pytest.approx(precision, rel=1e-14)
    assert scores.recall == pytest.approx(recall, rel=1e-14)
    assert scores.f1 == pytest.approx(2 * precision * recall / (precision + recall), rel=1e-14)
    assert entity_f1(*zip(*pairs)) == scores.f1
    by_type = totals.by_type()
    assert list(by_type) == ["LOC", "ORG", "PER"]
    assert sum(one.correct for one in by_type.values()) == scores.correct
    assert len({one.f1 for one in by_type.values()}) == 3


def test_scores_by_hand():
    totals = EntityScores()
    totals.add("B-PER I-PER O B-LOC".split(), "B-PER I-PER O B-ORG".split())  # the second has another type
    totals.add("B-PER I-PER O B-LOC".split(), "B-PER O O B-LOC".split())  # the first is cut short
    totals.add("O O".split(), "O B-LOC".split())  # one invented
    assert totals.scores() == (40.0, 50.0, pytest.approx(400 / 9, rel=1e-14), 2, 5, 4)
    assert totals.scores("PER") == (50.0, 50.0, 50.0, 1, 2, 2)
    assert totals.scores("ORG") == (0.0, 0.0, 0.0, 0, 1, 0)
    assert list(totals.by_type()) == ["LOC", "ORG", "PER"]


@pytest.mark.parametrize(
    "true, predicted, f1",
    [
        ([], [], 0.0),  # nothing there and nothing found: 0, as conlleval says
        ([["O", "O"]], [["O", "O"]], 0.0),
        ([["B-PER"]], [["O"]], 0.0),
        ([["O"]], [["B-PER"]], 0.0),
        ([["B-PER", "I-PER"]], [["B-LOC", "I-LOC"]], 0.0),
        ([["B-PER", "I-PER"]], [["I-PER", "I-PER"]], 100.0),  # IOB1 and IOB2 of one entity
    ],
)
def test_f1_where_nothing_or_everything_is_right(true, predicted, f1):
    assert entity_f1(true, predicted) == f1


def test_sentences_of_unequal_lengths_and_unknown_tags_are_refused():
    with pytest.raises(InputError, match=r"predicted must be one tag for each word \(= 2\), got 1"):
        EntityScores().add(["O", "O"], ["O"])
    with pytest.raises(InputError, match="predicted must be 2 sentences, got 1"):
        entity_f1([["O"], ["O"]], [["O"]])
    for tag in ("PER", "B-", "E-PER", "", "o", 3, None):
        with pytest.raises(InputError, match="tag 1 must be O, B-TYPE or I-TYPE, got"):
            entities(["O", tag])


def test_a_refused_sentence_counts_nothing():
    totals = EntityScores()
    with pytest.raises(InputError):
        totals.add(["B-PER", "O"], ["B-PER", "X"])
    assert totals.scores() == (0.0, 0.0, 0.0, 0, 0, 0) and totals.by_type() == {}

"""Labelled texts: SemEval's and VADER's files, the words of a tweet, the generated grammar, F1 of classes."""

import os

import numpy as np
import pytest

from minirnn import data
from minirnn.cli import main
from minirnn.data import semeval, sentiment_grammar, vader
from minirnn.data.labelled_texts import CLASSES, WEAK_CLASSES, LabelledTexts, part_of, words_of_tweet
from minirnn.errors import InputError
from minirnn.metrics import ClassScores

needs_real_data = pytest.mark.skipif(not os.environ.get("MINIRNN_DATA"), reason="MINIRNN_DATA is not set")
POLAR = {word: sign for pool in (sentiment_grammar.ADJECTIVES, sentiment_grammar.VERBS)
         for sign, words in pool.items() for word in words}


@pytest.mark.parametrize(
    "text, words",
    [
        ("Good MORNING", "good morning"),
        ("see http://t.co/TZZz and www.a.b/c?d", "see <url> and <url>"),
        ("@Ann_B1: thanks", "<user> : thanks"),
        ("at 8:08 on 12/3, 3.5 or +1,000", "at <number> on <number> , <number> or <number>"),
        ("a #BearDown b #IMAF2014", "a #beardown b #imaf <number>"),
        ("so :) :-)) ;D :( <3 x", "so :) :-) ;D :( <3 x"),
        ("note:draft a:b", "note : draft a : b"),
        ("Wow!!! what... no?!", "wow ! what . no ? !"),
        ("I don\u2019t, can't, she'll, it's", "i do n't , ca n't , she 'll , it 's"),
        ('"so" \u201ccalled\u201d', "so called"),
        ("caf\u00e9 well-known", "caf\u00e9 well-known"),
        ("__ ' \"", ""),
    ],
)
def test_words_of_a_tweet(text, words):
    assert words_of_tweet(text) == words.split()


@pytest.mark.parametrize(
    "row, text",
    [
        (r"It\u2019s good\u002c no?", "It\u2019s good, no?"),
        (r'"Why is \""""Happy\"""" on?"', 'Why is ""Happy"" on?'),
        ('"they said ""no"" twice"', 'they said "no" twice'),
        ('"one side only', '"one side only'),
        ("fish &amp; chips &lt;3 &#039;s", "fish & chips <3 's"),
        (r"a \ud83d\ude00 b", "a \U0001f600 b"),
        (r"half \ud83d alone", "half \ufffd alone"),
        (r"keep \o/ and =\ ", r"keep \o/ and =" + "\\"),
        ('"', '"'),
    ],
)
def test_escapes_and_quotes_of_semeval_are_undone(row, text):
    assert semeval.unescaped(row) == text


def test_rows_of_semeval_are_read():
    rows = semeval.read(b"\xef\xbb\xbf7\tpositive\tGood day\r\n8\tneutral\tA b\t\n\n9\tnegative\tNo", "f.tsv")
    assert rows == [("7", ["good", "day"], 2), ("8", ["a", "b"], 1), ("9", ["no"], 0)]


@pytest.mark.parametrize(
    "content, message",
    [
        (b"1\tpositive\ta\n2\tgood\tb\n", r"f.tsv line 2: label must be one of negative, .*'good'"),
        (b"1\t\ta\n", r"f.tsv line 1: label must be .*''"),
        (b"1\tpositive\ta\n\n3\tpositive\n", r"f.tsv line 3: columns must be id, label and text .*got 2"),
        (b"1\tpositive\ta\tb\n", r"f.tsv line 1: columns .*got 4"),
        (b"1\tpositive\ta\t\t\n", r"f.tsv line 1: columns .*got 5"),
        (b"1\tpositive\t \n", r"f.tsv line 1: text must be at least one word"),
        (b"1\tpositive\ta\n2\tpositive\t\xe9\n", r"f.tsv line 2: bytes must be UTF-8, got byte 0xe9"),
        (b"\n\n", r"f.tsv: content must be at least one line, got 2 bytes"),
        (b"", r"f.tsv: content must be at least one line"),
    ],
)
def test_bad_lines_are_named(content, message):
    with pytest.raises(InputError, match=message):
        semeval.read(content, "f.tsv")


@pytest.mark.parametrize("mean", ["", "good", "4.5", "-5", "nan", "inf"])
def test_bad_ratings_are_named(mean):
    with pytest.raises(InputError, match=r"v.txt line 2: mean must be a number in \[-4, 4\]"):
        vader.read(f"1\t0.5\ta\r\n2\t{mean}\tb".encode(), "v.txt")


def test_ratings_become_classes_by_the_threshold():
    content = b"1\t0.5\ta\r\n2\t0.51\tb\r\n3\t-0.5\tc\r\n4\t-0.6\td\r\n5\t4\te &amp; f"
    assert vader.read(content, "v") == [(["a"], 1), (["b"], 2), (["c"], 1), (["d"], 0), (["e", "&", "f"], 2)]
    assert [label for _, label in vader.read(content, "v", threshold=0.0)] == [2, 2, 0, 0, 2]
    with pytest.raises(InputError, match="threshold must be in"):
        vader.build({}, "", threshold=4.0)


def test_a_tweet_of_another_part_is_not_trained_on():
    contents = {path: b"%d\tneutral\ta\n" % k for k, path in enumerate(map(semeval.path_of, semeval.FILES))}
    contents[semeval.path_of("2013train")] += b"3\tpositive\tb\n5\tpositive\tc\n77\tpositive\td\n"
    made = semeval.build(contents, "here")
    assert made.parts["train"].words == (("a",), ("d",), ("a",))
    assert made.missing == ("weak", "livejournal-2014", "sms-2013")
    assert made.tests == ("twitter-2013", "twitter-2015", "twitter-2014", "sarcasm-2014")


def test_what_is_missing_is_said(capsys, monkeypatch, tmp_path):
    monkeypatch.delenv("MINIRNN_DATA", raising=False)
    monkeypatch.setenv("MINIRNN_CACHE", str(tmp_path))
    assert main(["data", "list"]) == 0
    assert "SMS-2013, LiveJournal-2014 and the weak set missing" in capsys.readouterr().out
    assert main(["data", "fetch", "semeval"]) == 1
    assert "https://alt.qcri.org/semeval2017/task4/" in capsys.readouterr().out
    assert data.load("vader", source="twin").missing == ("weak",)


@needs_real_data
def test_the_real_tweets_are_all_read():
    made = data.load("semeval", source="local")
    rows = {name: len(part.words) for name, part in made.parts.items()}
    assert rows == {"train": 9_684 + 489 - 20, "valid": 1_654, "twitter-2013": 3_547, "twitter-2015": 2_390,
                    "twitter-2014": 1_853, "sarcasm-2014": 86}
    assert np.bincount(made.parts["twitter-2014"].labels).tolist() == [202, 669, 982]
    words = {word for part in made.parts.values() for text in part.words for word in text}
    assert not any(word.startswith("u20") for word in words) and {"<url>", "<user>", "<number>", ":)", "n't"} <= words


@needs_real_data
def test_the_real_ratings_are_all_read():
    made = data.load("vader", source="local")
    counts = {name: len(part.words) for name, part in made.parts.items()}
    assert sum(counts.values()) == 4_200 + 3_708 + 10_605 + 5_190
    assert made.tests == ("tweets", "amazon", "movie", "nyt") and counts["tweets"] == 840
    again = data.load("vader", source="local", seed=1)
    assert again.fingerprint != made.fingerprint == data.load("vader", source="local").fingerprint


GRAMMAR = data.load("sentiment-grammar", weak=4_000, train=300, valid=300, test=600)


def meaning(words):
    """The sentiment of a sentence, read by rules written another way: sign of what stands after "but", else of all."""
    if {"?", "if", *sentiment_grammar.WISHES} & set(words):
        return 0
    if "but" in words:
        words = words[words.index("but") + 1 :]
    total, factor = 0, 1
    for word in words:
        if word in sentiment_grammar.NEGATORS:
            factor = -factor
        elif word in sentiment_grammar.INTENSIFIERS:
            factor *= 2
        elif word in POLAR:
            total += factor * POLAR[word]
        if word in POLAR or word in sentiment_grammar.PLAIN or word == "and":
            factor = 1
    return int(np.sign(total))


def test_labels_of_the_grammar_are_the_meanings():
    for part in ("train", "valid", "test"):
        found = [meaning(words) for words in GRAMMAR.parts[part].words]
        assert [CLASSES[k + 1] for k in found] == [CLASSES[k] for k in GRAMMAR.parts[part].labels]
        assert set(np.bincount(GRAMMAR.parts[part].labels)) == {len(found) // 3}


def test_weak_labels_are_wrong_as_often_as_asked():
    part = GRAMMAR.parts["weak"]
    truth = [WEAK_CLASSES.index(CLASSES[meaning(words) + 1]) for words in part.words]  # no neutral ones
    n, p = len(truth), sentiment_grammar.FLIPS
    for label in (0, 1):
        wrong = (part.labels != truth)[np.array(truth) == label]
        assert abs(wrong.mean() - p) < 4 * np.sqrt(p * (1 - p) / wrong.size)
    assert abs(part.labels.mean() - 0.5) < 4 * np.sqrt(0.25 / n)
    assert all(w == k % 2 for k, (_, w) in enumerate(sentiment_grammar.weakly_labelled(50, 0, flips=0.0)))


def test_some_polar_words_are_only_in_the_weak_part_and_the_tests():
    words = {name: {w for text in part.words for w in text} & set(POLAR) for name, part in GRAMMAR.parts.items()}
    assert words["weak"] == set(POLAR) == words["test"]
    assert len(POLAR) // 4 < len(words["weak"] - words["train"]) < len(POLAR) // 2
    assert len(set(POLAR)) == sum(len(v) for pool in (sentiment_grammar.ADJECTIVES, sentiment_grammar.VERBS)
                                  for v in pool.values())


def test_the_grammar_is_the_same_for_the_same_seed():
    sizes = {"weak": 50, "train": 30, "valid": 30, "test": 30}
    first, second, other = (data.load("sentiment-grammar", **sizes, seed=seed) for seed in (0, 0, 1))
    assert first.fingerprint == second.fingerprint != other.fingerprint
    assert first.parts["weak"].words == GRAMMAR.parts["weak"].words[:50]
    with pytest.raises(InputError, match="train must be at least 3 sentences"):
        data.load("sentiment-grammar", train=2)
    with pytest.raises(InputError, match="flips must be a share"):
        data.load("sentiment-grammar", flips=0.5)


def test_fingerprints_see_words_labels_and_their_parts():
    def made(parts):
        return LabelledTexts("x", "here", CLASSES, {name: part_of(rows) for name, rows in parts.items()}).fingerprint

    same = made({"train": [(["a", "b"], 0)], "valid": [(["c"], 1)]})
    assert same == made({"train": [(["a", "b"], 0)], "valid": [(["c"], 1)]})
    others = [
        {"train": [(["a", "b"], 2)], "valid": [(["c"], 1)]},
        {"train": [(["a", "x"], 0)], "valid": [(["c"], 1)]},
        {"train": [(["c"], 1)], "valid": [(["a", "b"], 0)]},
        {"train": [(["a"], 0)], "valid": [(["b", "c"], 1)]},
    ]
    assert len({same, *map(made, others)}) == 5


def test_mean_f1_of_cases_made_by_hand():
    scores = ClassScores(CLASSES)
    assert scores.mean_f1() == 0 and scores.accuracy == 0
    # true:            neg neg neu neu pos pos pos
    scores.add([0, 0, 1, 1], [0, 1, 1, 2])
    scores.add(np.array([2, 2, 2]), np.array([2, 2, 0]))
    negative, positive = 2 * 1 / (2 + 2), 2 * 2 / (3 + 3)  # 2 correct / (true + predicted)
    assert scores.scores("negative").f1 == pytest.approx(100 * negative)
    assert scores.scores("positive")[:3] == pytest.approx((100 * 2 / 3,) * 3)
    assert scores.mean_f1() == pytest.approx(50 * (negative + positive))
    assert scores.accuracy == pytest.approx(100 * 4 / 7)
    right = ClassScores(CLASSES)
    right.add([0, 2], [0, 2])
    assert right.mean_f1() == 100
    right.add([1] * 10, [1] * 10)  # neutral ones that are right change nothing
    assert right.mean_f1() == 100
    right.add([1, 1], [0, 0])
    assert right.scores("negative").f1 == pytest.approx(50) and right.mean_f1() == pytest.approx(75)


@pytest.mark.parametrize(("true", "predicted"), [([0], [0, 1]), ([3], [0]), ([0], [-1]), ([[0]], [[0]])])
def test_labels_that_do_not_fit_are_refused(true, predicted):
    with pytest.raises(InputError, match="ClassScores.add"):
        ClassScores(CLASSES).add(true, predicted)

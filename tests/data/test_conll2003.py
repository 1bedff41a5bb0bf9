"""Sentences with tags: the files of CoNLL-2003, the generated sentences, word vectors, capitalisation."""

import os
from collections import Counter

import numpy as np
import pytest

from minirnn import data
from minirnn.data import conll2003, glove, ner_templates
from minirnn.data.download import DownloadFailed, download
from minirnn.data.tagged_sentences import CAPITALISATION, Sentence, capitalisation, read_columns, write_columns
from minirnn.errors import InputError
from minirnn.metrics import entities

REAL = os.environ.get("MINIRNN_DATA")
needs_real_data = pytest.mark.skipif(not REAL, reason="MINIRNN_DATA is not set: no real data here")


@pytest.fixture(scope="module")
def templates():
    return data.load("ner-templates")


@needs_real_data
def test_sentences_tokens_and_entities_match_the_published_counts():
    made = data.load("conll2003", folder=REAL)
    assert (made.origin, made.tags[0], len(made.tags)) == ("data folder", "O", 9)
    published = {  # Tjong Kim Sang and De Meulder 2003, tables 2 and 3
        "train": (14_041, 203_621, {"LOC": 7_140, "MISC": 3_438, "ORG": 6_321, "PER": 6_600}),
        "valid": (3_250, 51_362, {"LOC": 1_837, "MISC": 922, "ORG": 1_341, "PER": 1_842}),
        "test": (3_453, 46_435, {"LOC": 1_668, "MISC": 702, "ORG": 1_661, "PER": 1_617}),
    }
    for part, (count, words, of_type) in published.items():
        sentences = getattr(made, part)
        assert (len(sentences), sum(len(s.words) for s in sentences)) == (count, words)
        assert Counter(e.type for s in sentences for e in entities(s.tags)) == of_type
        assert Counter(tag[2:] for s in sentences for tag in s.tags if tag[0] == "B") == of_type  # IOB2
    assert made.train[0].words[:4] == ("EU", "rejects", "German", "call")
    assert made.train[0].tags[:4] == ("B-ORG", "O", "B-MISC", "O")


@needs_real_data
def test_glove_has_the_words_and_values_of_the_official_file():
    vectors = data.load("glove", folder=REAL)
    assert vectors.vectors.shape == (31_824, 50) and vectors.origin == "data folder"
    np.testing.assert_array_equal(vectors.vectors[vectors.number["the"]][:3], np.float32([0.418, 0.24968, -0.41242]))
    made = data.load("conll2003", folder=REAL)
    types = {word.lower() for part in (made.train, made.valid, made.test) for s in part for word in s.words}
    known = vectors.table(sorted(types))[1]
    assert (len(types), known.sum()) == (26_869, 22_947)


FILE = """-DOCSTART- -X- O O

EU NNP I-NP I-ORG
rejects VBZ I-VP O
Paris NNP I-NP I-LOC
London NNP I-NP B-LOC
Town NNP I-NP I-LOC
Smith NNP I-NP I-PER

-DOCSTART- -X- O O
Ann NNP I-NP I-PER
\tLee  NNP I-NP I-PER\r
"""


def test_columns_become_sentences_in_iob2():
    expected = [
        Sentence(
            ("EU", "rejects", "Paris", "London", "Town", "Smith"),
            ("B-ORG", "O", "B-LOC", "B-LOC", "I-LOC", "B-PER"),
        ),
        Sentence(("Ann", "Lee"), ("B-PER", "I-PER")),
    ]
    assert read_columns(FILE.encode(), "eng") == expected
    assert read_columns(("\ufeff" + FILE + "\n\n\n").encode(), "eng") == expected  # whatever ends the file
    assert read_columns(write_columns(expected), "eng") == expected


def test_conversion_keeps_every_entity_and_an_entity_never_goes_on_over_a_blank_line():
    rng = np.random.default_rng(0)
    for _ in range(200):
        tags, previous = [], "O"
        for _ in range(rng.integers(1, 9)):
            legal = ["O", "I-PER", "I-LOC"] + ([f"B-{previous[2:]}"] if previous != "O" else [])
            previous = legal[rng.integers(len(legal))]
            tags.append(previous)
        (sentence,) = read_columns("\n".join(f"w x x {tag}" for tag in tags).encode(), "f")
        assert entities(sentence.tags) == entities(tags)
        assert all(tag[0] != "I" or before[2:] == tag[2:] for before, tag in zip(("O", *sentence.tags), sentence.tags))
        assert read_columns(write_columns([sentence]), "f") == [sentence]
    two = read_columns(b"a x x I-PER\n\nb x x I-PER\n", "f")
    assert [s.tags for s in two] == [("B-PER",), ("B-PER",)]


@pytest.mark.parametrize(
    "text, message",
    [
        (b"a x x O\nb x O\n", "eng.train line 2: line must be 4 columns .* got 3: 'b x O'"),
        (b"a x x O\n\nb x x O O\n", "eng.train line 3: line must be 4 columns .* got 5"),
        (b"a x x I-ANIMAL\n", "eng.train line 1: tag must be O, I-X or B-X with X one of LOC, MISC, ORG, PER"),
        (b"a x x LOC\n", "line 1: tag must be O, I-X or B-X .* got 'LOC'"),
        (b"a x x E-LOC\n", "line 1: tag must be O, I-X or B-X .* got 'E-LOC'"),
        (b"a x x O\nb x x B-PER\n", "line 2: tag must be I-PER.*IOB1.*got 'B-PER' after 'O'; are the tags IOB2"),
        (b"a x x I-LOC\nb x x B-PER\n", "line 2: tag must be I-PER.*got 'B-PER' after 'I-LOC'"),
        (b"a x x I-PER\n\nb x x B-PER\n", "line 3: tag must be I-PER.*got 'B-PER' after 'O'"),
        (b"a x x O\nb\xe9 x x O\n", "eng.train line 2: bytes must be UTF-8, got byte 0xe9"),
        (b"", "eng.train: content must be at least one sentence, got 0 bytes without one"),
        (b"-DOCSTART- -X- O O\n\n", "eng.train: content must be at least one sentence, got 20 bytes"),
    ],
)
def test_bad_files_are_one_error_with_file_and_line(text, message):
    with pytest.raises(InputError, match=message):
        read_columns(text, "eng.train")


def test_restricted_files_are_not_downloaded_and_the_error_says_what_to_do(tmp_path):
    for entry, way in ((conll2003.SET, "clips.uantwerpen.be"), (glove.SET, "nlp.stanford.edu")):
        with pytest.raises(DownloadFailed, match=f"no address gives it freely.*{way}.*Put the file at.*twin"):
            download(entry.files[0], tmp_path, licence=entry.licence)


def test_templates_are_as_difficult_as_they_say(templates):
    assert [len(part) for part in (templates.train, templates.valid, templates.test)] == [2_000, 1_000, 1_000]
    seen = {word.lower() for sentence in templates.train for word in sentence.words}
    names = [word for s in templates.test for word, tag in zip(*s) if tag != "O"]
    unseen = np.mean([word.lower() not in seen for word in names])
    assert 0.15 < unseen < 0.4  # names that only their context can tell
    types = {}
    for sentence in templates.train:
        for word, tag in zip(*sentence):
            types.setdefault(word.lower(), set()).add(tag[2:])
    common = [t for t in types.values() if t != {""}]
    assert np.mean([len(t - {""}) > 1 for t in common]) > 0.1  # names of several types
    assert np.mean(["" in t for t in common]) > 0.05  # names that are also common nouns
    capitals = [capitalisation(word) for s in templates.train for word, tag in zip(*s) if tag != "O"]
    assert set(capitals) == {1, 2}
    outside = Counter(capitalisation(word) for s in templates.train for word, tag in zip(*s) if tag == "O")
    assert outside[2] > 1_000 and outside[1] > 300 and outside[4] > 300  # capitals alone do not tell a name


def test_generated_sets_repeat_and_parts_differ(templates):
    again, other = data.load("ner-templates"), data.load("ner-templates", seed=1, train=50, valid=1, test=1)
    assert again.fingerprint == templates.fingerprint != other.fingerprint
    assert templates.train[:20] != templates.test[:20] and templates.train[:20] != other.train[:20]
    twin = data.load("conll2003", source="twin")
    assert twin.train[:2_000] == templates.train and twin.tags == templates.tags
    with pytest.raises(InputError, match="ner-templates: valid must be at least 1 sentence, got 0"):
        data.load("ner-templates", valid=0)


def test_vectors_of_the_twin_know_most_words_and_nothing_of_their_class(templates):
    vectors = data.load("glove", source="twin")
    words = sorted({word for s in templates.train for word in s.words})
    table, known = vectors.table(words)
    assert table.shape == (len(words), 50) and 0.85 < known.mean() < 0.95
    assert not table[~known].any() and (table[known] ** 2).sum(axis=1).min() > 1
    kind = {word: tag[2:] for s in templates.train for word, tag in zip(*s)}
    person = np.array([kind[word] == "PER" for word in words])[known]
    apart = table[known][person].mean(axis=0) - table[known][~person].mean(axis=0)
    spread = 0.5 * np.sqrt(1 / person.sum() + 1 / (~person).sum())
    assert (apart**2).sum() / spread**2 < 100  # chi-squared of 50 degrees of freedom: mean 50, sd 10


def test_a_word_is_looked_up_as_written_then_in_lower_case_then_it_is_zero():
    number, vectors = glove.read_vectors(b"us 1 2\nUS 3 4\nparis 5 6\r\n", "f")
    table, known = glove.WordVectors("f", "", number, vectors).table(["US", "Us", "us", "PARIS", "rome"])
    np.testing.assert_array_equal(table, np.float32([[3, 4], [1, 2], [1, 2], [5, 6], [0, 0]]))
    assert known.tolist() == [True] * 4 + [False] and table.dtype == np.float32


@pytest.mark.parametrize(
    "text, message",
    [
        (b"a 1 2\nb 1\n", r"v.txt line 2: line must be a word and 2 values as in line 1, got 1 values"),
        (b"a\n", "v.txt line 1: line must be a word and its values"),
        (b"a 1 2\nb 1 two\n", "v.txt line 2: values must be numbers, got could not convert string"),
        (b"a 1 nan\n", "v.txt line 1: values must be finite"),
        (b"a 1\nb 2\na 3\n", "v.txt line 3: word must be new, got 'a' of line 1 again"),
        (b"a 1\n\xff 2\n", "v.txt line 2: word must be UTF-8, got byte 0xff"),
        (b"", "v.txt: content must be at least one word vector, got 0 bytes"),
        (b"\n\n", "v.txt: content must be at least one word vector"),
    ],
)
def test_bad_vector_files_are_one_error_with_file_and_line(text, message):
    with pytest.raises(InputError, match=message):
        glove.read_vectors(text, "v.txt")


@pytest.mark.parametrize(
    "word, expected",
    [
        ("lamb", "all lower"), ("U.S.", "all upper"), ("A", "all upper"), ("Paris", "initial upper"),
        ("McDonald", "mixed"), ("al-Fayed", "mixed"), ("iPod", "mixed"), ("1996", "has digit"), ("B52s", "has digit"),
        (",", "other"), ("--", "other"), ("'s", "all lower"), ("", "other"), ("Élan", "initial upper"),
    ],
)
def test_capitalisation_classes_by_hand(word, expected):
    assert CAPITALISATION[capitalisation(word)] == expected


def test_every_word_of_the_templates_is_listed():
    listed = set(ner_templates.language().words())
    drawn = {word.lower() for s in ner_templates.sentences(500, 3, 0) for word in s.words}
    assert drawn <= listed

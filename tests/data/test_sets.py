"""Every set of the registry: its schema, its twin, its bad input."""

import gzip
import hashlib
import os
import sys

import numpy as np
import pytest

from minirnn import data
from minirnn.data import adding, copying, ptb, temporal_order
from minirnn.data.corpus import Corpus
from minirnn.data.glove import WordVectors
from minirnn.data.images import Images
from minirnn.data.labelled_texts import LabelledTexts
from minirnn.data.mnist import read_idx, write_idx
from minirnn.data.registry import find_set
from minirnn.data.sequence_task import SequenceTask
from minirnn.data.text_file import read_text
from minirnn.errors import InputError

REAL = os.environ.get("MINIRNN_DATA")
needs_real_data = pytest.mark.skipif(not REAL, reason="MINIRNN_DATA is not set: no real data here")


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """No data folder and an empty cache."""
    monkeypatch.delenv("MINIRNN_DATA", raising=False)
    monkeypatch.setenv("MINIRNN_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.parametrize("name", [entry.name for entry in data.SETS])
def test_every_set_has_a_twin_of_its_schema(name, bare):
    made = data.load(name, source="twin")
    generated = isinstance(made, SequenceTask) or name in ("ner-templates", "sentiment-grammar")
    assert made.origin == ("generated" if generated else "generated twin")
    if isinstance(made, Corpus):
        assert made.train.dtype == made.valid.dtype == made.test.dtype == np.int32
        assert len(made.train) > 5 * len(made.valid) > 0 and len(made.test) > 0
        assert 0 <= made.train.min() and made.train.max() < len(made.vocab)
    elif isinstance(made, Images):
        assert made.train.shape[1:] == made.test.shape[1:] and made.train.dtype == np.uint8
        assert set(made.train_labels) == set(range(10)) and made.train.max() <= made.maximum
        means = np.array([made.train[made.train_labels == d].mean(axis=0) for d in range(10)]).reshape(10, -1)
        nearest = ((made.test.reshape(len(made.test), 1, -1) - means) ** 2).sum(axis=2).argmin(axis=1)
        assert (nearest == made.test_labels).mean() > 0.7  # digits one can tell apart
    again = data.load(name, source="twin")
    if isinstance(made, LabelledTexts):
        assert made.fingerprint == again.fingerprint and made.tests
        assert all(set(part.labels) <= {0, 1, 2} and all(part.words) for part in made.parts.values())
        return
    if isinstance(made, WordVectors):
        assert made.vectors.dtype == np.float32 and len(made.vectors) == len(made.number)
        assert np.array_equal(again.vectors, made.vectors)
        return
    assert np.array_equal(np.asarray(again.train[0]), np.asarray(made.train[0]))


@pytest.mark.parametrize("level", ["word", "char"])
def test_python_help_is_embedded_and_prepared(level, bare):
    corpus = data.load("python-help", level=level)
    assert (corpus.origin, corpus.level) == ("embedded", level)
    assert len(corpus.train) > 4 * len(corpus.valid) > 12 * len(corpus.test) > 0
    text = corpus.vocab.decode(corpus.train[:20_000])
    assert not any(c.isdigit() for c in text) and "N" in text
    assert text.replace("N", "").replace("<unk>", "") == text.replace("N", "").replace("<unk>", "").lower()
    if level == "word":
        assert len(corpus.vocab) == 2000
    assert corpus.fingerprint == data.load("python-help", level=level).fingerprint


def test_digits_without_scikit_learn_name_the_extra(bare, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(InputError, match=r"install minirnn\[course\]"):
        data.load("digits")


@pytest.mark.parametrize(
    "name, hint",
    [
        ("mnits", "did you mean mnist"),
        ("penn-ptb", "did you mean ptb"),
        ("python_hlep", "python-help"),
        ("zzz", "minirnn data list"),
    ],
)
def test_unknown_set_suggests_near_names(name, hint):
    with pytest.raises(InputError, match=hint):
        data.load(name)


def test_unknown_option_names_the_known_ones():
    with pytest.raises(
        InputError, match="data set adding: option must be one of length, train, test, seed, got 'level'"
    ):
        data.load("adding", level="word")


def test_missing_files_name_the_places_and_the_ways_out(bare, tmp_path):
    with pytest.raises(InputError, match=r"ptb/ptb.train.txt must be in .*cache.*minirnn data fetch ptb"):
        data.load("ptb", source="local")
    with pytest.raises(InputError, match="--data-folder must be an existing folder"):
        data.load("ptb", folder=tmp_path / "nowhere")
    with pytest.raises(InputError, match="source must be one of search, local, twin"):
        data.load("ptb", source="network")


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda packed: packed[: len(packed) // 2], r"ptb.train.txt.gz must be a whole gzip file.*cut short"),
        (lambda packed: b"not gzip at all", "must be a whole gzip file"),
        (
            lambda packed: gzip.compress(b" another text \n"),
            "content with sha256 fcea919f6cf8.*got .*15 bytes.*damaged or another",
        ),
    ],
)
def test_damaged_file_is_named(damage, message, bare, tmp_path):
    (tmp_path / "ptb").mkdir()
    for part in ("train", "valid", "test"):
        (tmp_path / f"ptb/ptb.{part}.txt.gz").write_bytes(damage(gzip.compress(b" some text \n" * 999)))
    with pytest.raises(InputError, match=message):
        data.load("ptb", folder=tmp_path)


@pytest.mark.parametrize(
    ("name", "file", "wrong", "message"),
    [
        ("conll2003", "eng.testa", b"EU NNP I-NP", r"conll2003/eng.testa line 3: line must be 4 columns"),
        ("conll2003", "eng.testa", b"EU NNP I-NP I-DOG", r"conll2003/eng.testa line 3: .*I-DOG"),
        ("conll2003", "eng.testa", b"EU NNP I-NP I-LOC", r"content with sha256 .*put the original there"),
        ("semeval", "twitter-2013dev-A.tsv", b"7\t\tgood day", r"semeval/twitter-2013dev-A.tsv line 3: label must be"),
        ("vader", "tweets_GroundTruth.txt", b"7\tfine\tgood day", r"vader/tweets_GroundTruth.txt line 3: mean must be"),
        ("vader", "tweets_GroundTruth.txt", b"7\t1.0\tgood day", r"content with sha256 .*delete it to fetch it again"),
    ],
)
def test_broken_line_of_a_known_file_is_named_before_its_checksum(name, file, wrong, message, bare, tmp_path):
    entry = find_set(name, data.SETS)
    for path, content in entry.twin().items():
        lines = content.split(b"\n")
        if path.endswith(file):
            lines[2] = wrong
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"\n".join(lines))
    with pytest.raises(InputError, match=message):
        data.load(name, folder=tmp_path)


def test_text_file_is_read_split_at_line_ends_and_numbered(tmp_path):
    path = tmp_path / "own.txt"
    text = "".join(f"line {i} of a little text\n" for i in range(400))
    path.write_bytes(("\ufeff" + text.replace("\n", "\r\n")).encode())  # as some editors save it
    assert read_text(path) == text
    corpus = data.load("text", path=path, valid=0.1, test=0.1)
    assert (corpus.origin, corpus.name) == ("text file", "text:own.txt")
    pieces = [corpus.vocab.decode(part) for part in (corpus.train, corpus.valid, corpus.test)]
    assert "".join(pieces) == text and all(piece.endswith("\n") for piece in pieces)
    assert abs(len(corpus.train) / len(text) - 0.8) < 0.02
    words = data.load("text", path=path, level="word", limit=10)
    assert len(words.vocab) == 10 and "<unk>" in words.vocab.symbols


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "got 0 bytes without a word; the file is empty"),
        (b" \n\n ", "without a word"),
        (b"good line\nbad \xff line\n", "own.txt line 2: bytes must be UTF-8, got byte 0xff at offset 14"),
        (b"\xef\xbb\xbfa\xe9", r"line 1: bytes must be UTF-8, got byte 0xe9 at offset 4"),
        (b"a" * 500, "at least 2 different ones, got 1"),
    ],
)
def test_bad_text_files_are_one_clear_error(content, message, tmp_path):
    path = tmp_path / "own.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        data.load("text", path=path)


def test_text_file_must_exist_and_leave_something_to_train_on(tmp_path):
    with pytest.raises(InputError, match="an existing text file"):
        data.load("text", path=tmp_path / "absent.txt")
    with pytest.raises(InputError, match="--text FILE"):
        data.load("text")
    (tmp_path / "own.txt").write_text("abc " * 100)
    with pytest.raises(InputError, match="sum below 1"):
        data.load("text", path=tmp_path / "own.txt", valid=0.6, test=0.4)


def test_character_rule_on_one_line():
    assert ptb.character_file(" no it <unk> \n") == "n o _ i t _ < u n k > \n "


@needs_real_data
def test_penn_treebank_words_match_the_published_counts():
    corpus = data.load("ptb", folder=REAL)
    assert (corpus.origin, len(corpus.vocab)) == ("data folder", 10_000)
    assert [len(part) for part in (corpus.train, corpus.valid, corpus.test)] == [929_589, 73_760, 82_430]


@needs_real_data
def test_penn_treebank_characters_are_byte_for_byte_the_published_files():
    published = {
        "train": "e313d91425e06c4f0a8fb6e881dcce0c291f2a0e9f4dda54833069b122f91da9",
        "valid": "21661f63ec355085879458b6524644d4add5573541b4be14fb52ab2e2e995eb8",
        "test": "1ef5607ac3c463b16e38bfe7900dd3bfc91de5a96e0f21e7eab5188b465b8ebe",
    }
    corpus = data.load("ptb", folder=REAL, level="char")
    assert len(corpus.vocab) == 50
    for part, count in (("train", 5_017_482), ("valid", 393_042), ("test", 442_423)):
        symbols = [corpus.vocab.symbols[i] for i in getattr(corpus, part)]
        assert len(symbols) == count
        assert hashlib.sha256((" ".join(symbols) + " ").encode()).hexdigest() == published[part]


@needs_real_data
def test_tinyshakespeare_and_mnist_match_the_published_counts():
    shakespeare = data.load("tinyshakespeare", folder=REAL)
    assert len(shakespeare.vocab) == 65
    assert sum(map(len, (shakespeare.train, shakespeare.valid, shakespeare.test))) == 1_115_394
    digits = data.load("mnist", folder=REAL)
    assert digits.train.shape == (60_000, 28, 28) and digits.test.shape == (10_000, 28, 28)
    assert digits.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


def test_idx_files_round_trip_and_bad_ones_are_named():
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    np.testing.assert_array_equal(read_idx(write_idx(array), "x"), array)
    with pytest.raises(InputError, match=r"\(2, 3, 4\) = 24 values, got 20; it is cut short"):
        read_idx(write_idx(array)[:-4], "x")
    with pytest.raises(InputError, match="an idx file"):
        read_idx(b"PNG", "x")


@pytest.mark.parametrize("length", [3, 15, 16, 30])
def test_temporal_order_places_one_symbol_in_each_of_two_thirds(length):
    x, y = temporal_order.draw(np.random.default_rng(0), 4_000, length)
    assert x.shape == (length, 4_000, 4) and x.dtype == np.float32 and (x.sum(axis=2) == 1).all()
    symbols, third = x.argmax(axis=2), length // 3
    meaningful = symbols < 2
    assert (meaningful[:third].sum(axis=0) == 1).all() and (meaningful[third : 2 * third].sum(axis=0) == 1).all()
    assert not meaningful[2 * third :].any()
    ordered = np.array([column[column < 2] for column in symbols.T])  # (N, 2)
    np.testing.assert_array_equal(y, 2 * ordered[:, 0] + ordered[:, 1])
    assert meaningful[: 2 * third].any(axis=1).all()  # every step of the two thirds is used


def test_adding_marks_one_number_in_each_half():
    x, y = adding.draw(np.random.default_rng(0), 500, 9)
    numbers, marks = x[..., 0], x[..., 1]
    assert (marks[:4].sum(axis=0) == 1).all() and (marks[4:].sum(axis=0) == 1).all()
    np.testing.assert_allclose(y[:, 0], (numbers * marks).sum(axis=0))


def test_copying_asks_for_the_letters_at_the_end():
    x, y = copying.draw(np.random.default_rng(0), 50, 7)
    symbols = x.argmax(axis=2)
    assert symbols.shape == y.shape == (27, 50)
    np.testing.assert_array_equal(y[-10:], symbols[:10])
    assert (y[:-10] == copying.BLANK).all() and (symbols[10:] == copying.DELIMITER).sum() == 50
    assert (symbols[16] == copying.DELIMITER).all() and (symbols[17:] == copying.BLANK).all()


@pytest.mark.parametrize("name, length", [("temporal-order", 2), ("adding", 1), ("copying", 0), ("adding", 3.5)])
def test_too_short_tasks_are_refused(name, length):
    with pytest.raises(InputError, match=f"{name}: length must be an integer of at least"):
        data.load(name, length=length)
    with pytest.raises(InputError, match="train must be at least 1"):
        data.load(name, train=0)


def test_task_samples_differ_and_repeat_with_the_seed():
    one, same, other = (data.load("adding", train=20, test=20, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.train[0], same.train[0])
    assert not np.array_equal(one.train[0], one.test[0]) and not np.array_equal(one.train[0], other.train[0])

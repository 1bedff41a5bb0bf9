"""Vocabulary, corpora and their windows."""

import numpy as np
import pytest

from minirnn.data import Vocabulary, stream_batches
from minirnn.data.corpus import corpus_of, words_of
from minirnn.errors import InputError


def test_windows_of_a_row_join_to_its_stream_and_targets_are_one_ahead():
    tokens = np.arange(103, dtype=np.int32)
    batches = stream_batches(tokens, batch=4, window=6)
    length = 103 // 4
    assert len(batches) == (length - 1) // 6
    inputs = np.concatenate([x for x, _ in batches])  # (24, 4)
    targets = np.concatenate([y for _, y in batches])
    for row in range(4):
        np.testing.assert_array_equal(inputs[:, row], tokens[row * length : row * length + 24])
    np.testing.assert_array_equal(targets, inputs + 1)
    assert all(x.shape == y.shape == (6, 4) for x, y in batches)


def test_short_last_window_is_kept_or_dropped_as_asked():
    tokens = np.arange(2 * 12)
    assert [len(x) for x, _ in stream_batches(tokens, 2, 5)] == [5, 5]
    kept = stream_batches(tokens, 2, 5, last="keep")
    assert [len(x) for x, _ in kept] == [5, 5, 1]
    assert sum(y.size for _, y in kept) == 2 * 11  # every step but the first of each stream is predicted
    assert [len(x) for x, _ in stream_batches(np.arange(2 * 11), 2, 5, last="keep")] == [5, 5]


def test_any_window_can_be_read_first():
    batches = stream_batches(np.arange(60), 3, 4)
    np.testing.assert_array_equal(batches[2][0], list(batches)[2][0])
    with pytest.raises(IndexError):
        batches[len(batches)]


def test_windows_with_a_stride_overlap():
    tokens = np.arange(2 * 24)
    batches = stream_batches(tokens, 2, 10, stride=4)
    starts = [int(x[0, 0]) for x, _ in batches]
    assert starts == [0, 4, 8, 12] and all(x.shape == (10, 2) and (y == x + 1).all() for x, y in batches)
    assert [int(x[0, 0]) for x, _ in stream_batches(tokens[:-2], 2, 10, stride=4)] == [0, 4, 8, 12]  # 22 steps suffice
    assert [int(x[0, 0]) for x, _ in stream_batches(tokens[:-4], 2, 10, stride=4)] == [0, 4, 8]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((np.arange(39), 4, 9), r"tokens must be at least 40 .*got 39; the text is shorter than one window"),
        ((np.arange(40), 0, 9), r"batch must be an integer of at least 1, got 0"),
        ((np.arange(40), 4, 9, "drop", 0), r"stride must be an integer of at least 1, got 0"),
        ((np.arange(40), 4, 2.5), r"window must be an integer of at least 1, got 2.5"),
        ((np.zeros((5, 8), int), 4, 9), r"tokens must be \(N,\) integers, got \(5, 8\)"),
        ((np.zeros(40), 4, 9), r"got \(40,\) of float64"),
        ((np.arange(40), 4, 9, "wrap"), r"last must be 'drop' or 'keep'"),
    ],
)
def test_bad_windows_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        stream_batches(*arguments)


def test_vocabulary_survives_json_and_decodes_what_it_encodes():
    for vocab, text in (
        (Vocabulary.of_words("the cat sat <eos> the mat <eos>".split()), "the cat\nsat the mat"),
        (Vocabulary.of_characters("abc é☃😀\n"), "☃ é\n😀ab"),
    ):
        again = Vocabulary.from_json(vocab.to_json())
        assert again == vocab and hash(again) == hash(vocab)
        assert again.decode(again.encode(text)) == text


def test_frequent_words_come_first_and_ties_are_alphabetical():
    assert Vocabulary.of_words("d c a c b b".split()).symbols == ("b", "c", "a", "d")


def test_limit_counts_unknown_and_line_end():
    words = "a a a b b c d <eos>".split()
    vocab = Vocabulary.of_words(words, limit=4)
    assert vocab.symbols == ("<unk>", "a", "b", "<eos>")
    np.testing.assert_array_equal(vocab.numbers(words), [1, 1, 1, 2, 2, 0, 0, 3])
    assert Vocabulary.of_words(words, limit=99) == Vocabulary.of_words(words)  # nothing to cut, no <unk>


def test_typed_text_is_read_as_the_data_were_prepared():
    words = Vocabulary(["<unk>", "<eos>", "the", "N", "nN"], "word")
    assert words.encode("The 1,234 xyz\nn7").tolist() == [2, 3, 0, 1, 4]
    characters = Vocabulary(["_", "a", "N"], "char")
    assert characters.encode("A 7").tolist() == [1, 0, 2]
    assert characters.decode([1, 0, 1]) == "a a"


def test_unknown_symbol_is_named():
    with pytest.raises(InputError, match="symbol must be one of the 2 known chars, got 'z'"):
        Vocabulary("ab", "char").encode("abz")
    with pytest.raises(InputError, match="got 'z'"):
        Vocabulary("ab", "char").numbers("abz")
    with pytest.raises(InputError, match="got 'dog'"):
        Vocabulary(["cat", "mat"], "word").numbers(["cat", "dog"])


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Vocabulary(["a"], "word"), "at least 2 different ones, got 1"),
        (lambda: Vocabulary(["a", "a"], "word"), "all different"),
        (lambda: Vocabulary(["a", "b"], "byte"), "level must be 'word' or 'char'"),
        (lambda: Vocabulary.from_json("{"), "JSON with"),
        (lambda: Vocabulary.from_json('{"level": "word"}'), "JSON with"),
        (lambda: Vocabulary.of_words("a b c d <eos>".split(), limit=2), "limit must be at least 3"),
        (lambda: corpus_of("x", "char", "o", {"train": "aaaa", "valid": "a", "test": "a"}), "at least 2 different"),
        (
            lambda: corpus_of("x", "word", "o", {"train": "a a\na", "valid": "a", "test": "a"}),
            "2 different words, got 1",
        ),
        (lambda: corpus_of("x", "char", "o", {"train": " \n", "valid": "a", "test": "a"}), "the file is empty"),
        (
            lambda: corpus_of("x", "char", "o", {"train": "ab", "valid": "a", "test": "a"}, limit=5),
            "limit must be None",
        ),
        (lambda: corpus_of("x", "syllable", "o", {"train": "ab", "valid": "a", "test": "a"}), "level must be"),
    ],
)
def test_bad_vocabularies_and_texts_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_words_end_lines_and_blank_lines_vanish():
    assert words_of(" a b \n\n c\n") == ["a", "b", "<eos>", "c", "<eos>"]


def test_fingerprint_changes_with_any_token():
    parts = {"train": "abcabc", "valid": "abc", "test": "abc"}
    base = corpus_of("x", "char", "o", parts).fingerprint
    assert base == corpus_of("y", "char", "elsewhere", parts).fingerprint
    assert base != corpus_of("x", "char", "o", parts | {"test": "abb"}).fingerprint
    assert base != corpus_of("x", "char", "o", parts | {"train": "abcab", "valid": "cabc"}).fingerprint

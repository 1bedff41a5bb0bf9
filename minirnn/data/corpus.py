"""A text as three streams of numbers, and its windows for truncated backpropagation."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from minirnn.data.vocabulary import EOS, LEVELS, Vocabulary
from minirnn.errors import InputError, in_our_words, must_be


@dataclass(frozen=True)
class Corpus:
    """A language-model set: ``train``, ``valid``, ``test`` (N,) int32 numbers of ``vocab``, and where they came from.

    ``origin`` is "data folder", "cache", "generated twin", "embedded" or "text file"; of the Penn Treebank N is
    929,589, 73,760 and 82,430.
    """

    name: str
    level: str
    origin: str
    vocab: Vocabulary
    train: np.ndarray = field(repr=False)
    valid: np.ndarray = field(repr=False)
    test: np.ndarray = field(repr=False)

    @property
    def fingerprint(self):
        """sha256 over the vocabulary and the three streams: equal for equal data, whatever folder it came from."""
        digest = hashlib.sha256(self.vocab.to_json().encode())
        for part in (self.train, self.valid, self.test):
            digest.update(len(part).to_bytes(8, "little") + part.astype("<i4").tobytes())
        return digest.hexdigest()


def corpus_of(name, level, origin, parts, limit=None):
    """A Corpus from the three texts ``parts`` = {"train": text, ...}; the vocabulary is that of all three.

    ``limit=2000`` bounds a word vocabulary to 2,000; words beyond it become <unk>. InputError for an empty training
    text.
    """
    if level not in LEVELS:
        raise InputError(must_be(f"data set {name}", "level", "'word' or 'char'", repr(level)))
    if limit is not None and level == "char":
        raise InputError(
            must_be(f"data set {name}", "limit", "None at character level", limit, "it bounds a vocabulary of words")
        )
    if not parts["train"].strip():
        raise InputError(
            must_be(
                f"data set {name}",
                "text",
                "at least a few words",
                f"{len(parts['train'])} blank characters",
                "the file is empty",
            )
        )
    symbols = parts if level == "char" else {part: words_of(text) for part, text in parts.items()}
    if level == "char":
        vocab = Vocabulary.of_characters("".join(parts.values()))
    else:
        words = [word for part in symbols.values() for word in part]
        if len(set(words) - {EOS}) < 2:
            cause = "nothing can be learned from one word"
            raise InputError(must_be(f"data set {name}", "text", "at least 2 different words", 1, cause))
        vocab = Vocabulary.of_words(words, limit)
    numbers = {part: vocab.numbers(value) for part, value in symbols.items()}
    return Corpus(name, level, origin, vocab, **numbers)


def words_of(text):
    """Words of a text with <eos> at the end of each line that has words."""
    return [word for line in text.split("\n") if line.strip() for word in [*line.split(), EOS]]


class StreamBatches:
    """Windows of B contiguous streams: ``batches[j]`` is (inputs (T, B), targets (T, B)), targets one step ahead.

    A text of 12 tokens in B = 2 streams, read in windows of T = 2:

        stream 0:  0 1 2 3 4 5        batches[0] = inputs [[0, 6], [1, 7]], targets [[1, 7], [2, 8]]
        stream 1:  6 7 8 9 10 11      batches[1] = inputs [[2, 8], [3, 9]], targets [[3, 9], [4, 10]]

    The recurrent state after batches[0] is the right start for batches[1]. What remains is shorter than a window:
    ``last="drop"`` leaves it out, ``last="keep"`` gives batches[2] = inputs [[4, 10]]. With ``stride=1`` windows
    overlap: batches[1] begins at token 1, and its start is the state after the first step of batches[0]. Tokens that do
    not fill every stream, fewer than B, are dropped.
    """

    @in_our_words
    def __init__(self, tokens, batch, window, last="drop", stride=None):
        where = "stream_batches"
        tokens = np.asarray(tokens)
        if tokens.ndim != 1 or tokens.dtype.kind not in "iu":
            raise InputError(must_be(where, "tokens", "(N,) integers", f"{tokens.shape} of {tokens.dtype}"))
        stride = window if stride is None else stride
        for name, value in (("batch", batch), ("window", window), ("stride", stride)):
            if not isinstance(value, (int, np.integer)) or value < 1:
                raise InputError(must_be(where, name, "an integer of at least 1", repr(value)))
        if stride > window:
            cause = "the tokens between two windows would never be read"
            raise InputError(must_be(where, "stride", f"at most the window, {window}", stride, cause))
        if last not in ("drop", "keep"):
            raise InputError(must_be(where, "last", "'drop' or 'keep'", repr(last)))
        length = tokens.size // batch
        if length < (window + 1 if last == "drop" else 2):
            need = (window + 1 if last == "drop" else 2) * batch
            raise InputError(
                must_be(
                    where,
                    "tokens",
                    f"at least {need} for {batch} streams and a window of {window} steps",
                    tokens.size,
                    "the text is shorter than one window: use a smaller batch or window, or more text",
                )
            )
        self.streams = np.ascontiguousarray(tokens[: length * batch].reshape(batch, length).T)  # (n, B)
        self.window, self.stride = window, stride
        steps = length - 1
        self.count = (steps - window) // stride + 1 if last == "drop" else -(-steps // stride)

    def __len__(self):
        return self.count

    def __getitem__(self, position):
        if not 0 <= position < self.count:
            raise IndexError(f"window {position} of {self.count}")
        start = position * self.stride
        stop = min(start + self.window, len(self.streams) - 1)
        return self.streams[start:stop], self.streams[start + 1 : stop + 1]


@in_our_words
def stream_batches(tokens, batch, window, last="drop", stride=None):
    """``StreamBatches(tokens, batch, window, last, stride)``: iterate it, or index it to begin at any window."""
    return StreamBatches(tokens, batch, window, last, stride)

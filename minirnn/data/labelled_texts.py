"""Texts with one label each: their class, the words of a tweet, files with a text and its label a line."""

import hashlib
import html
import re
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from minirnn.data.text_bytes import decoded
from minirnn.errors import InputError, must_be

CLASSES = ("negative", "neutral", "positive")
WEAK_CLASSES = ("negative", "positive")
NOT_TESTS = ("weak", "train", "valid")

TOKEN = re.compile(
    r"(?P<url>(?:https?://|www\.)\S+)"
    r"|(?P<user>@\w+)"
    r"|(?P<emoticon>[:;=]['^o*-]?([()\[\]DpP/\\|])\4*(?!\w)|<3)"
    r"|(?P<number>[+-]?\d+(?:[.,:/]\d+)*)"
    r"|(?P<word>#?[^\W\d_]+(?:['\u2019-][^\W\d_]+)*)"
    r"|(?P<mark>([^\w\s\"'\u2018\u2019\u201c\u201d])\8*)"
)
CONTRACTION = re.compile(r"(n't|'(?:s|m|re|ve|ll|d))$")


class Part(NamedTuple):
    """``words``: a tuple of words for each text; ``labels`` (N,) int64, places in the classes."""

    words: tuple[tuple[str, ...], ...]
    labels: np.ndarray


@dataclass(frozen=True)
class LabelledTexts:
    """``parts`` {name: Part}: "train", "valid", "weak" where there is one, and each test set under its own name.

    Labels are places in ``classes``, those of "weak" in WEAK_CLASSES. ``missing`` names parts that the set should have
    and that are not here.
    """

    name: str
    origin: str
    classes: tuple[str, ...]
    parts: dict[str, Part] = field(repr=False)
    missing: tuple[str, ...] = ()

    @property
    def tests(self):
        """Names of the test sets that are here."""
        return tuple(part for part in self.parts if part not in NOT_TESTS)

    @property
    def fingerprint(self):
        """sha256 over all parts: equal for equal data, whatever folder they came from."""
        digest = hashlib.sha256(" ".join(self.classes).encode())
        for name, (texts, labels) in self.parts.items():
            digest.update(f"{name} {len(texts)}\n".encode() + "\n".join(map(" ".join, texts)).encode())
            digest.update(labels.astype("<i8").tobytes())
        return digest.hexdigest()


def part_of(pairs):
    """A Part from [(words, label)]."""
    return Part(tuple(tuple(words) for words, _ in pairs), np.array([label for _, label in pairs], np.int64))


def words_of_tweet(text):
    """The words of a tweet, in lower case: addresses as <url>, names of users as <user>, numbers as <number>.

    A hashtag stays one word with its #, an emoticon one word without repeated ends (":))" is ":)"); a mark repeated is
    one mark ("!!!" is "!"); "don't" is "do" and "n't", as in the Penn Treebank and in word vectors. Quotation marks are
    dropped, for the files quote some tweets and not others.
    """
    words = []
    for found in TOKEN.finditer(text):
        kind = next(name for name, value in found.groupdict().items() if value is not None)
        if kind in ("url", "user", "number"):
            words.append(f"<{kind}>")
        elif kind == "mark":
            words.append(found.group()[0])
        elif kind == "emoticon":
            words.append(re.sub(r"(.)\1+$", r"\1", found.group()))
        else:
            words += CONTRACTION.sub(r" \1", found.group().lower().replace("\u2019", "'")).split()
    return words


def plain(text):
    """A text with its HTML entities turned into characters, white space made single blanks."""
    return " ".join(html.unescape(text).split())


def read_rows(data, path, prepare):
    """Rows of a file of bytes, ``id TAB something TAB text`` a line -> list of (id, something, words, file and line).

    ``prepare`` turns the third column into text. An empty fourth column is allowed. InputError with file and line for
    another number of columns, a text without a word, bytes that are not UTF-8, and for a file without a line.
    """
    rows = []
    for number, line in enumerate(decoded(data, path).split("\n"), 1):
        where, columns = f"{path} line {number}", line.rstrip("\r").split("\t")
        if columns == [""]:
            continue
        if len(columns) not in (3, 4) or columns[3:] not in ([], [""]):
            what = "id, label and text with tabs between them"
            raise InputError(must_be(where, "columns", what, len(columns), "is a tab missing, or one in the text?"))
        words = words_of_tweet(prepare(columns[2]))
        if not words:
            raise InputError(must_be(where, "text", "at least one word", repr(columns[2]), "was the line cut short?"))
        rows.append((columns[0], columns[1], words, where))
    if not rows:
        raise InputError(must_be(path, "content", "at least one line", f"{len(data)} bytes without one"))
    return rows

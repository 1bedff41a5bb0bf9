"""Sentences with a tag for each word: their class, the four-column files of CoNLL-2003, capitalisation classes."""

import hashlib
import re
from dataclasses import dataclass, field
from typing import NamedTuple

from minirnn.data.text_bytes import decoded
from minirnn.errors import InputError, must_be

TYPES = ("LOC", "MISC", "ORG", "PER")
DOCUMENT = "-DOCSTART-"
CAPITALISATION = ("all lower", "all upper", "initial upper", "mixed", "has digit", "other")


class Sentence(NamedTuple):
    """``words`` and their ``tags`` in IOB2: "B-X" begins every entity of type X, "I-X" goes on, "O" is outside."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True)
class TaggedSentences:
    """``train``, ``valid``, ``test``: tuples of Sentence; ``tags`` all tags there can be, "O" first."""

    name: str
    origin: str
    tags: tuple[str, ...]
    train: tuple[Sentence, ...] = field(repr=False)
    valid: tuple[Sentence, ...] = field(repr=False)
    test: tuple[Sentence, ...] = field(repr=False)

    @property
    def fingerprint(self):
        """sha256 over all sentences: equal for equal data, whatever folder they came from."""
        digest = hashlib.sha256(" ".join(self.tags).encode())
        for part in (self.train, self.valid, self.test):
            lines = [" ".join((*words, *tags)) for words, tags in part]
            digest.update(len(part).to_bytes(8, "little") + "\n".join(lines).encode())
        return digest.hexdigest()


def tags_of(types):
    """ "O", then "B-X", "I-X" for each type."""
    return ("O", *(f"{prefix}-{kind}" for kind in types for prefix in "BI"))


def read_columns(data, path, types=TYPES):
    """Sentences of a file of bytes: a line for each word, first column the word, fourth its IOB1 tag -> list.

    A blank line ends a sentence, -DOCSTART- lines are dropped, tags become IOB2. In IOB1 an entity begins with I-X, and
    with B-X only right after another of type X. InputError with file and line for anything else, bytes that are not
    UTF-8, or no sentence at all.
    """
    text = decoded(data, path)
    sentences, words, tags, previous = [], [], [], "O"
    for number, line in enumerate(text.split("\n"), 1):
        columns = re.split(r"[ \t]+", line.strip(" \t\r"))
        if columns[0] in ("", DOCUMENT):
            if words:
                sentences.append(Sentence(tuple(words), tuple(tags)))
            words, tags, previous = [], [], "O"
            continue
        if len(columns) != 4:
            what = "4 columns (word, part of speech, chunk, tag)"
            raise InputError(must_be(f"{path} line {number}", "line", what, f"{len(columns)}: {line.strip()[:60]!r}"))
        words.append(columns[0])
        tags.append(_iob2(columns[3], previous, types, f"{path} line {number}"))
        previous = columns[3]
    if words:
        sentences.append(Sentence(tuple(words), tuple(tags)))
    if not sentences:
        raise InputError(must_be(path, "content", "at least one sentence", f"{len(data)} bytes without one"))
    return sentences


def _iob2(tag, previous, types, where):
    """The IOB2 tag of an IOB1 tag that comes after the IOB1 tag ``previous``."""
    if tag == "O":
        return tag
    prefix, _, kind = tag.partition("-")
    if prefix not in ("B", "I") or kind not in types:
        known = f"O, I-X or B-X with X one of {', '.join(types)}"
        raise InputError(must_be(where, "tag", known, repr(tag)))
    inside = previous[2:] == kind
    if prefix == "B" and not inside:
        what = f"I-{kind}, since B-{kind} only parts two adjacent entities of type {kind} (IOB1)"
        raise InputError(must_be(where, "tag", what, f"{tag!r} after {previous!r}", "are the tags IOB2 already?"))
    return f"I-{kind}" if inside and prefix == "I" else f"B-{kind}"


def write_columns(sentences, document=20):
    """The file that ``read_columns`` turns back into ``sentences``: IOB1, a -DOCSTART- before every ``document``."""
    lines = []
    for place, (words, tags) in enumerate(sentences):
        if place % document == 0:
            lines += [f"{DOCUMENT} -X- O O", ""]
        for word, tag, before in zip(words, tags, ("O", *tags)):
            adjacent = tag[0] == "B" and before[2:] == tag[2:]
            lines.append(f"{word} -X- -X- {tag if tag == 'O' or adjacent else 'I' + tag[1:]}")
        lines.append("")
    return ("\n".join(lines) + "\n").encode()


def capitalisation(word):
    """The number of a word's class in CAPITALISATION.

    A digit anywhere decides first; a single capital letter is "all upper"; "other" has no letter, as punctuation.
    """
    if any(c.isdigit() for c in word):
        return 4
    if not any(c.isalpha() for c in word):
        return 5
    if word.islower():
        return 0
    if word.isupper():
        return 1
    return 2 if word[0].isupper() and word[1:].islower() else 3

"""GloVe word vectors (Pennington et al. 2014): 50 numbers a word, from Wikipedia and newswire; read, never trained."""

import functools
import hashlib
from dataclasses import dataclass, field

import numpy as np

from minirnn.array import stream
from minirnn.data.ner_templates import language
from minirnn.data.registry import DataSet, RemoteFile
from minirnn.errors import InputError, must_be

PATH = "glove/glove.6B.50d.subset.txt"
SIZE = 50


@dataclass(frozen=True)
class WordVectors:
    """``vectors`` (N, D) float32, row ``number[word]`` for each word."""

    name: str
    origin: str
    number: dict = field(repr=False)
    vectors: np.ndarray = field(repr=False)

    def table(self, words):
        """Vectors of a list of words -> (V, D) float32, known (V,) bool.

        A word not found as it is written is looked up in lower case; one that is not there either is unknown and has
        the zero vector: a static random one would be noise for every word that training did not show.
        """
        rows = [self.number.get(word, self.number.get(word.lower(), -1)) for word in words]
        known = np.array(rows, int) >= 0
        table = np.zeros((len(rows), self.vectors.shape[1]), np.float32)
        table[known] = self.vectors[np.array(rows, int)[known]]
        return table, known

    @property
    def fingerprint(self):
        """sha256 over words and vectors."""
        digest = hashlib.sha256("\n".join(self.number).encode())
        digest.update(self.vectors.astype("<f4").tobytes())
        return digest.hexdigest()


def read_vectors(data, path):
    """Word vectors of a text of bytes, "word v1 ... vD" a line -> {word: row}, (N, D) float32.

    InputError with file and line for another number of values, a value that is not a finite number, a word twice, bytes
    that are not UTF-8, an empty file.
    """
    number, rows, line = {}, [], 0
    for line, text in enumerate(data.rstrip(b"\n").split(b"\n") if data.strip() else (), 1):
        word, *values = text.rstrip(b"\r").split(b" ")
        where = f"{path} line {line}"
        if not values or (rows and len(values) != len(rows[0])):
            what = f"a word and {len(rows[0])} values as in line 1" if rows else "a word and its values"
            raise InputError(must_be(where, "line", what, f"{len(values)} values", "was the file cut short?"))
        try:
            rows.append(np.array(values, np.float32))
            word = word.decode()
        except UnicodeDecodeError as error:
            raise InputError(must_be(where, "word", "UTF-8", f"byte 0x{error.object[error.start]:02x}")) from None
        except ValueError as error:
            raise InputError(must_be(where, "values", "numbers", str(error))) from None
        if not np.isfinite(rows[-1]).all():
            raise InputError(must_be(where, "values", "finite", "NaN or infinity"))
        if word in number:
            raise InputError(must_be(where, "word", "new", f"{word!r} of line {number[word] + 1} again"))
        number[word] = line - 1
    if not rows:
        raise InputError(must_be(path, "content", "at least one word vector", f"{len(data)} bytes without one"))
    return number, np.stack(rows)


def build(contents, origin):
    """The WordVectors: the 20,000 most frequent words of glove.6B, and those of CoNLL-2003 and the Penn Treebank."""
    return WordVectors("glove.6B.50d.subset", origin, *read_vectors(contents[PATH], PATH))


def twin():
    """A random vector for each word of the set ner-templates but every twelfth: a word's vector says which word it is
    and nothing of its class, so that what a model finds out about new words it has from their neighbours.
    """
    return {PATH: _random_vectors()}


@functools.cache  # half a second
def _random_vectors():
    lines = []
    for place, word in enumerate(language().words()):
        if place % 12:
            values = 0.5 * stream(0, f"generated vector of {word}").standard_normal(SIZE)
            lines.append(f"{word} {' '.join(f'{value:.5g}' for value in values)}\n")
    return "".join(lines).encode()


SET = DataSet(
    name="glove",
    summary="GloVe 6B, 50-d vectors of 31,824 words: the 20,000 most frequent, and those of conll2003 and ptb",
    licence="PDDL 1.0 (public domain); chosen from glove.6B.50d.txt in https://nlp.stanford.edu/data/glove.6B.zip",
    files=(RemoteFile(PATH, "9a50408dccf036fa48d3920f4cdd4f7db01a702ff16d33b4edc4da16e874c396", 13_593_055, ()),),
    build=build,
    twin=twin,
    explains=True,
)

"""Any text file of the user's, at word or character level."""

from pathlib import Path

from minirnn.data.corpus import Corpus, corpus_of
from minirnn.data.generated_text import lexicon, sentences
from minirnn.data.registry import DataSet
from minirnn.data.text_bytes import decoded
from minirnn.errors import InputError, must_be
from minirnn.files import naming


def read_text(path):
    """The text of a UTF-8 file with line ends as "\\n"; InputError for other bytes, naming file and line."""
    path = Path(path).expanduser()
    if not path.is_file():
        cause = "is the path relative to another folder? --text FILE says where it is"
        raise InputError(must_be("text", "file", "an existing text file", repr(str(path)), cause))
    with naming(path, "read"):
        data = path.read_bytes()
    text = decoded(data, path)
    if not text.strip():
        raise InputError(must_be("text", str(path), "a text", f"{len(data)} bytes without a word", "the file is empty"))
    return text.replace("\r\n", "\n").replace("\r", "\n")


def split_corpus(name, text, origin, level, limit, valid, test) -> Corpus:
    """A Corpus whose train, valid and test are consecutive pieces of one text, cut at line ends.

    ``valid`` and ``test`` are fractions of the characters; InputError unless they leave something to train on.
    """
    if not (0 < valid < 1 and 0 < test < 1 and valid + test < 1):
        raise InputError(
            must_be(f"data set {name}", "valid, test", "fractions above 0 with a sum below 1", f"{valid}, {test}")
        )
    first, second = (_line_end(text, round(len(text) * share)) for share in (1 - valid - test, 1 - test))
    return corpus_of(
        name, level, origin, {"train": text[:first], "valid": text[first:second], "test": text[second:]}, limit
    )


def _line_end(text, position):
    """The position just after the line end nearest before ``position``; ``position`` itself in a text of few lines."""
    found = text.rfind("\n", 0, position) + 1
    return found if found > 0.98 * position else position


def build(contents, origin, path=None, level="char", limit=None, valid=0.05, test=0.05):
    """The Corpus of the file ``path`` (for the twin, of its generated text); ``limit`` bounds the word vocabulary."""
    if contents is None:
        if path is None:
            raise InputError(must_be("data set text", "path", "a text file", "none", "give it with --text FILE"))
        text, origin = read_text(path), "text file"
    else:
        text = contents["text.txt"].decode()
    return split_corpus(
        f"text:{Path(path).name}" if path is not None else "text", text, origin, level, limit, valid, test
    )


def twin():
    """Two thousand invented sentences, one a line."""
    return {"text.txt": "\n".join(" ".join(s) for s in sentences(2_000, lexicon(800, seed=2), 2, 0)).encode()}


SET = DataSet(
    name="text",
    summary="any UTF-8 text file, --text FILE, at word or character level",
    licence="yours",
    build=build,
    twin=twin,
    embedded=lambda: None,
    carried_by="your file",
)

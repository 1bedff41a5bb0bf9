"""Tiny Shakespeare: 1.1 million characters of plays, the usual first text of a character model."""

from minirnn.data.download import Mirror
from minirnn.data.generated_text import lexicon, sentences
from minirnn.data.registry import DataSet, RemoteFile
from minirnn.data.text_file import split_corpus

PATH = "tinyshakespeare/input.txt"


def build(contents, origin, level="char", limit=None, valid=0.05, test=0.05):
    """The Corpus: the first 90 % of the text, the next 5 % and the last 5 % (fractions are options)."""
    return split_corpus("tinyshakespeare", contents[PATH].decode(), origin, level, limit, valid, test)


def twin():
    """Invented speeches: a name in capitals, lines that begin with one, a blank line."""
    words = lexicon(3_000, seed=1)
    speeches = []
    for number, sentence in enumerate(sentences(8_000, words, 1, 0)):
        half = len(sentence) // 2
        lines = [" ".join(part).capitalize() for part in (sentence[:half], sentence[half:]) if part]
        speeches.append(f"{words[number % 17].upper()}:\n" + ",\n".join(lines) + ".\n")
    return {PATH: "\n".join(speeches).encode()}


SET = DataSet(
    name="tinyshakespeare",
    summary="Tiny Shakespeare: 1,115,394 characters, 65 different",
    licence="public-domain text",
    files=(
        RemoteFile(
            PATH,
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            1_115_394,
            (Mirror("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"),),
        ),
    ),
    build=build,
    twin=twin,
)

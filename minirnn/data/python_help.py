"""The help texts of Python 3.11.7 (its ``pydoc_data.topics``), kept in this package: real English without a download,
and the same numbers whatever Python runs. Their licence is in python_help.LICENSE.txt.
"""

import json
import re
from pathlib import Path

import numpy as np

from minirnn.array import stream
from minirnn.data.corpus import corpus_of
from minirnn.data.generated_text import lexicon, sentences
from minirnn.data.registry import THIS_PACKAGE, DataSet, RemoteFile, read_verified

TEXTS = RemoteFile(
    "python_help.json.gz", "4717ccc51e2e7bd1eed2feddb0bcb5a7da19a1a923fd2f258cf81e4285e31683", 487_002, ())
WORDS = 2000
VALID, TEST = 0.16, 0.04  # about 60,000, 12,000 and 3,000 words


def build(contents, origin, level="word", limit=None, shuffle_seed=0):
    """The Corpus: topics shuffled with a fixed seed, lower case, digits as N; by default the 2,000 most frequent words.
    """
    names = sorted(contents)
    order = stream(shuffle_seed, "shuffle topics").permutation(len(names))
    lines = [line for i in order for line in prepare(contents[names[i]].decode()).split("\n") if line]
    ends = np.cumsum([len(line.split()) + 1 for line in lines])  # with <eos>
    cuts = np.searchsorted(ends, ends[-1] * np.array([1 - VALID - TEST, 1 - TEST]))
    parts = {
        part: "\n".join(lines[a:b]) + "\n"
        for part, a, b in zip(("train", "valid", "test"), (0, *cuts), (*cuts, len(lines)))
    }
    return corpus_of("python-help", level, origin, parts, WORDS if limit is None and level == "word" else limit)


def prepare(text):
    """Lower case, digits as N, no trailing blanks."""
    return "\n".join(re.sub(r"\d", "N", line.lower()).rstrip() for line in text.split("\n"))


def embedded():
    """{topic: bytes} of the edition kept here; InputError where the file is damaged."""
    topics = json.loads(read_verified(Path(__file__).with_name(TEXTS.path), TEXTS))
    return {name: text.encode() for name, text in topics.items()}


def twin():
    """Eighty invented topics with a title, an underline and paragraphs."""
    words = lexicon(6_000, seed=3)
    paragraphs = [" ".join(sentence) for sentence in sentences(3_600, words, 3, 0)]
    topics = {}
    for i in range(80):
        title = words[40 + i]
        topics[title] = "\n".join([title, "*" * len(title), "", *paragraphs[45 * i : 45 * (i + 1)], ""]).encode()
    return topics


SET = DataSet(
    name="python-help",
    summary="the help texts of Python 3.11.7, about 75,000 words; the default of the demo",
    licence="Python Software Foundation License",
    build=build,
    twin=twin,
    embedded=embedded,
    carried_by=THIS_PACKAGE,
)

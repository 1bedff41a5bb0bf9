"""New text with the tags of a trained tagger, and what its LSTM does with some sentences."""

import json
from dataclasses import dataclass

import numpy as np

from minirnn import data
from minirnn.array import Streams, to_device
from minirnn.autograd import no_grad
from minirnn.data.tagged_sentences import capitalisation
from minirnn.errors import InputError, must_be
from minirnn.models.tagger.task import Encoded, encoded_parts, fingerprint_of, forward
from minirnn.train.config import Config, option
from minirnn.train.lens import MOST_ROWS, Lens


@dataclass(frozen=True)
class Options(Config):
    """What ``minirnn sample`` can be asked of a tagger."""

    where, group = "sample", "tagger"
    text: str = option("", "a sentence to tag, its words and punctuation marks between spaces; several: a line each")


def sample(run, options=Options()):
    """Tagged text of a Loaded run -> {"sample.txt": a word and its tag a line, "sample.json"}: bytes."""
    sentences = [line.split() for line in options.text.splitlines() if line.split()]
    if not sentences:
        raise InputError(must_be("sample", "--text", "a sentence", repr(options.text),
                                 "--text 'Ann lives in Rome .'"))
    pairs = [list(zip(words, tags)) for words, tags in zip(sentences, tags_of(run, sentences))]
    lines = "\n\n".join("\n".join(f"{word}\t{tag}" for word, tag in sentence) for sentence in pairs)
    made = [[{"word": word, "tag": tag} for word, tag in sentence] for sentence in pairs]
    return {"sample.txt": (lines + "\n").encode(), "sample.json": (json.dumps(made, indent=1) + "\n").encode()}


def tags_of(run, sentences):
    """The likeliest tag of every word of ``sentences``, lists of words -> lists of tags.

    A word that the run's data do not have is looked up in lower case; one that is not there either has the zero vector,
    as in training, and its capitals and neighbours speak for it. [["Ann", "lives", "in", "Rome"]] -> [["B-PER", "O",
    "O", "B-LOC"]]
    """
    kept = run.files["vocabulary.json"]
    table = run.model.table
    unknown, number = len(kept["words"]), {word: k for k, word in enumerate(kept["words"])}
    zero = to_device(np.zeros((1, table.shape[1]), table.dtype), table.device)
    batch = [Encoded(np.array([number.get(word, number.get(word.lower(), unknown)) for word in words]),
                     np.array([capitalisation(word) for word in words]), np.zeros(len(words), int))
             for words in sentences]
    with no_grad():
        logits, *_ = forward(run.model.eval(), batch, beyond=zero)
    best = logits.numpy().argmax(-1)
    return [[kept["tags"][k] for k in best[: len(words), b]] for b, words in enumerate(sentences)]


def lens(run, split="valid", text=None, steps=None, batch=None, folder=None):
    """Sentences for the microscope, the longest of the run's ``split`` first, at most ``steps`` words of each.

    ``batch=2, steps=10`` shows the two longest up to their tenth word. InputError where a ``text`` is given: its tags,
    and so the loss, are not known.
    """
    if text is not None:
        raise InputError(must_be("inspect", "--text", "left out for a tagger", "one", "the loss needs its tags"))
    sentences = data.load(run.config.data, run.config.source, folder)
    vectors = data.load(run.config.vectors, run.config.vectors_source, folder)
    parts = dict(zip(("train", "valid", "test"), encoded_parts(sentences)))
    longest = sorted(parts[split], key=lambda s: -len(s.words))[: min(batch or run.config.batch, MOST_ROWS)]
    shown = [Encoded(*(part[: steps or len(part)] for part in sentence)) for sentence in longest]

    def loss(model):
        _, mean, _, _ = forward(model, shown, streams=Streams(run.config.seed))
        return mean, 1

    words = run.files["vocabulary.json"]["words"]
    return Lens(
        loss=loss, steps=len(shown[0].words), layers=1, unit="nats a word",
        subject=f"{sentences.name}, {split}: the {len(shown)} longest sentences",
        masks="as in training, with masks of these sentences' own",
        about="L is the loss of training: the mean over words.",
        symbols=tuple(words[k] for k in shown[0].words), fingerprint=fingerprint_of(sentences, vectors),
    )

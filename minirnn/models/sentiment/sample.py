"""The sentiment of new texts by a trained classifier, and what its layer does with some texts."""

import json
from dataclasses import dataclass

import numpy as np

from minirnn import ops
from minirnn.array import Streams
from minirnn.autograd import no_grad
from minirnn.data.labelled_texts import CLASSES, words_of_tweet
from minirnn.errors import InputError, must_be
from minirnn.models.sentiment.task import make
from minirnn.nn import cross_entropy
from minirnn.train.config import Config, option
from minirnn.train.lens import MOST_ROWS, Lens
from minirnn.train.supervised import pad


@dataclass(frozen=True)
class Options(Config):
    """What ``minirnn sample`` can be asked of a sentiment classifier."""

    where, group = "sample", "sentiment"
    text: str = option("", "a text to classify; several: a line each")


def sample(run, options=Options()):
    """Classes of texts of a Loaded run -> {"sample.txt": class, share and text a line, "sample.json"}: bytes."""
    texts = [line for line in options.text.splitlines() if line.strip()]
    if not texts:
        raise InputError(must_be("sample", "--text", "a text", repr(options.text),
                                 "--text 'not a good film'"))
    shares = shares_of(run, texts)
    best = [max(CLASSES, key=row.get) for row in shares]
    lines = [f"{name}\t{row[name]:.3f}\t{text}" for name, row, text in zip(best, shares, texts)]
    made = [{"text": text, "class": name, "shares": row} for text, name, row in zip(texts, best, shares)]
    return {"sample.txt": ("\n".join(lines) + "\n").encode(),
            "sample.json": (json.dumps(made, indent=1) + "\n").encode()}


def shares_of(run, texts):
    """[{class: probability}] of texts: each like {"negative": 0.27, "neutral": 0.55, "positive": 0.18}.

    Words that the run's data lack are left out; InputError if none is left.
    """
    number = {word: k for k, word in enumerate(run.files["vocabulary.json"]["words"])}
    known = [[number[word] for word in words_of_tweet(text) if word in number] for text in texts]
    for text, words in zip(texts, known):
        if not words:
            raise InputError(must_be("sample", "--text", "a text with a word that the run's data have", repr(text)))
    words, lengths = pad(known)
    with no_grad():
        logits = run.model.eval()(words, lengths)
        shares = ops.softmax(logits).numpy()
    return [{name: float(share) for name, share in zip(CLASSES, row)} for row in shares]


def lens(run, split="valid", text=None, steps=None, batch=None, folder=None):
    """Texts for the microscope, the longest of the run's ``split`` first, at most ``steps`` words of each.

    ``batch=2, steps=10`` shows the two longest up to their tenth word. InputError where a ``text`` is given: its label,
    and so the loss, is not known; and for a split without texts.
    """
    if text is not None:
        raise InputError(must_be("inspect", "--text", "left out here", "one", "the loss needs its label"))
    task = make(run.config, folder)
    if split not in task.texts:
        raise InputError(must_be("inspect", "--split", f"one of {', '.join(task.texts)}", repr(split)))
    texts, labels = task.texts[split]
    longest = sorted(range(len(texts)), key=lambda k: -len(texts[k]))[: min(batch or run.config.batch, MOST_ROWS)]
    words, lengths = pad([texts[k][: steps or len(texts[k])] for k in longest])

    def loss(model):
        logits = model(words, lengths, streams=Streams(run.config.seed))
        return cross_entropy(logits, np.asarray(labels)[longest]), 1

    return Lens(
        loss=loss, steps=len(words), layers=1, unit="nats a text",
        subject=f"{task.data['name']}, {split}: the {len(longest)} longest texts",
        masks="as in training, with masks of these texts' own", about="L is the loss of training: the mean over texts.",
        symbols=tuple(task.vocabulary[k] for k in words[:, 0]), fingerprint=task.data["fingerprint"],
    )

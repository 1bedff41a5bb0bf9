"""What a trained language model writes, and what its layer does with a window of text."""

import json
from dataclasses import dataclass

import numpy as np

from minirnn.array import Streams
from minirnn.data import Vocabulary, stream_batches
from minirnn.errors import InputError, must_be
from minirnn.models.language_model.task import load_corpus, sample_text
from minirnn.nn import cross_entropy
from minirnn.train.config import Config, option
from minirnn.train.lens import MOST_ROWS, MOST_STEPS, Lens

READ = 1200  # symbols of a text that a model is shown reading


@dataclass(frozen=True)
class Options(Config):
    """What ``minirnn sample`` can be asked of a language model."""

    where, group = "sample", "language model"
    prime: str = option("", "text to begin with")
    length: int = option(200, "symbols to draw: words or characters", least=0)
    temperature: float = option(0.8, "below 1 safer guesses, above 1 wilder; 0 the likeliest")
    seed: int = option(0, "equal seeds give equal text", least=0)


def vocabulary_of(run):
    """The Vocabulary of a Loaded run."""
    return Vocabulary.from_json(json.dumps(run.files["vocabulary.json"]))


def sample(run, options=Options()):
    """Text of a Loaded run -> {"sample.txt", "sample.json"}: bytes. InputError as ``sample_text``."""
    text = sample_text(run.model, vocabulary_of(run), options.prime, options.length, options.temperature, options.seed)
    found = {"prime": options.prime, "temperature": options.temperature, "seed": options.seed, "text": text}
    return {"sample.txt": (text + "\n").encode(), "sample.json": (json.dumps(found, indent=1) + "\n").encode()}


def lens(run, split="valid", text=None, steps=None, batch=None, folder=None):
    """The first window of a text for the microscope: the run's ``split``, cut into ``batch`` streams, or ``text``.

    Of ``text="the cat sat"`` a word model is shown two steps: each but the last word, which is only a target.
    InputError when the data are not those that the run was started on, or the text is too short.
    """
    config, vocab = run.config, vocabulary_of(run)
    steps = steps or min(config.window, MOST_STEPS)
    if text is not None:
        tokens, origin, batch, fingerprint = vocab.encode(text), "the text given", 1, None
    else:
        corpus = load_corpus(config, folder)
        tokens, origin, fingerprint = getattr(corpus, split), f"{corpus.name}, {split}", corpus.fingerprint
    if len(tokens) < 2:
        raise InputError(must_be("inspect", "text", f"at least 2 {vocab.level}s", len(tokens)))
    batch = max(1, min(batch or config.batch, MOST_ROWS, len(tokens) // (steps + 1)))
    inputs, targets = stream_batches(tokens, batch, min(steps, len(tokens) - 1))[0]
    like_first = (*inputs.shape, config.stride) == (config.window, config.batch, None)

    def loss(model):
        logits, _ = model(inputs, streams=Streams(config.seed))
        return cross_entropy(logits, targets, time="sum"), len(inputs)

    return Lens(
        loss=loss, steps=len(inputs), fingerprint=fingerprint, layers=config.layers, unit=f"nats a {vocab.level}",
        subject=f"{origin}: the first {len(inputs)} {vocab.level}s of {batch} {'stream' if batch == 1 else 'streams'}, "
                "from a zero state",
        masks="as in the run's first update" if like_first else "as in training, with masks of this window's own",
        about="L is the loss of training: cross-entropy summed over the window, mean over the streams.",
        symbols=tuple(vocab.symbols[i] for i in inputs[:, 0]),
        reads=(np.asarray(tokens[:READ]), tuple(vocab.symbols)),
    )

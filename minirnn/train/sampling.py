"""Text from a language model, symbol by symbol."""

import numpy as np

from minirnn.array import stream, xp_of
from minirnn.autograd import no_grad
from minirnn.data.vocabulary import EOS, UNKNOWN
from minirnn.errors import InputError, must_be


def sample_text(model, vocab, prime="", length=200, temperature=0.8, seed=0):
    """The prime and ``length`` symbols drawn after it, as text.

    Each symbol is drawn from softmax(logits / temperature); temperature 0 takes the likeliest. <unk> is never
    drawn. The draws depend on the seed alone. InputError for a negative temperature or length, or a prime with
    symbols the vocabulary lacks.
    """
    if not 0 <= temperature < float("inf"):
        raise InputError(must_be("sample", "temperature", "0 or a positive number", temperature))
    if length < 0:
        raise InputError(must_be("sample", "length", "at least 0", length))
    given = vocab.encode(prime)
    start = given if given.size else np.array([_line_end(vocab)], np.int32)
    rng = stream(seed, "sample")
    drawn, state = [], None
    model.eval()
    with no_grad():
        inputs = start[:, None]  # (T, 1)
        for _ in range(length):
            logits, state = model(inputs, state)
            drawn.append(_draw(logits.value[-1, 0], vocab, temperature, rng))
            inputs = np.array([[drawn[-1]]], np.int32)
    return vocab.decode([*given, *drawn])


def _draw(logits, vocab, temperature, rng):
    """One symbol from logits (V,), found where they are; the int alone comes home."""
    xp, logits = xp_of(logits), logits.astype(np.float64)
    finite = xp.isfinite(logits).all()
    if UNKNOWN in vocab.number:
        logits[vocab.number[UNKNOWN]] = -np.inf
    if temperature == 0:
        drawn = logits.argmax()
    else:
        with np.errstate(over="ignore", invalid="ignore"):  # a tiny temperature sends all but the likeliest to -inf
            weights = xp.exp((logits - logits.max()) / temperature)
            cumulative = weights.cumsum()
            drawn = xp.searchsorted(cumulative, rng.random() * cumulative[-1], side="right")
    drawn = int(xp.where(finite, drawn, -1))
    if drawn < 0:
        raise InputError(must_be("sample", "the model's output", "finite", "NaN or infinity", "the run diverged"))
    return drawn


def _line_end(vocab):
    """What an empty prime begins after: a line end, or the first symbol where the text had none."""
    return vocab.number.get(EOS, vocab.number.get("\n", 0))

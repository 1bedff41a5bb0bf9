"""Perplexity and bits per character from summed negative log-likelihoods."""

import math

import numpy as np

from minirnn.errors import InputError, in_our_words, must_be

MODES = ("total", "mean_of_exp")


class Perplexity:
    """Accumulates windows of a language model: ``add(nll, tokens)`` with the window's summed NLL in nats.

    ``ppl_mode="total"`` reports exp(total NLL / tokens). ``"mean_of_exp"`` reports the mean over windows of
    exp(window NLL / its tokens), as the thesis's program does; by Jensen's inequality it is never smaller when
    windows are equally long.
    """

    @in_our_words
    def __init__(self, ppl_mode="total"):
        if ppl_mode not in MODES:
            raise InputError(must_be("Perplexity", "ppl_mode", "'total' or 'mean_of_exp'", repr(ppl_mode)))
        self.ppl_mode, self.nll, self.tokens, self.windows, self.sum_of_exp = ppl_mode, 0.0, 0, 0, 0.0

    @in_our_words
    def add(self, nll, tokens):
        """Count one window; InputError unless it has at least one token."""
        if tokens < 1:
            raise InputError(must_be("Perplexity.add", "tokens", "at least 1", tokens))
        self.nll += float(nll)
        self.tokens += int(tokens)
        self.windows += 1
        self.sum_of_exp += _exp(float(nll) / tokens)

    @property
    def value(self):
        """The perplexity so far; InputError before the first window."""
        self._check()
        return _exp(self.nll / self.tokens) if self.ppl_mode == "total" else self.sum_of_exp / self.windows

    @property
    def bits(self):
        """Bits per token (per character at character level): total NLL / tokens / ln 2."""
        self._check()
        return self.nll / self.tokens / math.log(2)

    def _check(self):
        if not self.tokens:
            raise InputError(
                "Perplexity: windows must be at least 1 (= one add), got 0; was the data shorter than a window?"
            )


@in_our_words
def perplexity(nll, tokens):
    """exp(total NLL / tokens); infinite rather than an error when it overflows."""
    total = Perplexity()
    total.add(np.sum(nll), tokens)
    return total.value


@in_our_words
def bits_per_character(nll, characters):
    """Total NLL in nats / characters / ln 2."""
    total = Perplexity()
    total.add(np.sum(nll), characters)
    return total.bits


def _exp(value):
    return math.exp(value) if value < 709 else (math.inf if value == value else math.nan)

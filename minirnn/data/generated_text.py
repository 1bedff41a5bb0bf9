"""Invented text a language model can learn from: word classes that follow one another, frequent and rare words.

The generated twins of the text sets are made of it.
"""

import numpy as np

from minirnn.array import stream

ONSETS = "b c d f g h j k l m n p r s t v w st tr pl gr br cl sh th".split()
NUCLEI = "a e i o u ai ea ou".split()
CODAS = ["", "", "n", "r", "s", "t", "l", "nd", "st", "rk"]


def lexicon(count, seed=0):
    """``count`` different pronounceable words; short ones first."""
    rng = stream(seed, "generated lexicon")
    words = {}
    syllables = 1
    while len(words) < count:
        for _ in range(min(count, 150 * 8 ** (syllables - 1))):
            parts = (rng.choice(ONSETS) + rng.choice(NUCLEI) + rng.choice(CODAS) for _ in range(syllables))
            words.setdefault("".join(parts))
            if len(words) == count:
                break
        syllables = min(syllables + 1, 4)
    return list(words)


def sentences(count, words, seed, part, classes=24, mean_length=20):
    """``count`` sentences, lists of words: a Markov chain over word classes, Zipf frequencies inside a class.

    ``seed`` fixes the language, ``part`` (a number) the draws, so that train, valid and test are of one language.
    """
    language = stream(seed, "generated grammar")
    follow = language.dirichlet(np.full(classes, 0.15), size=classes).cumsum(axis=1)  # each class has few successors
    by_class = [words[c::classes] for c in range(classes)]
    frequency = [np.cumsum(1 / np.arange(1, len(own) + 1)) for own in by_class]
    rng = stream(seed, "generated sentences", part)
    lengths = 2 + rng.poisson(mean_length - 2, count)
    state = rng.integers(classes, size=count)
    columns = []
    for _ in range(lengths.max()):  # all sentences advance together
        column = np.empty(count, object)
        for c in range(classes):
            here = np.flatnonzero(state == c)
            ranks = np.searchsorted(frequency[c], rng.random(here.size) * frequency[c][-1])
            column[here] = [by_class[c][rank] for rank in ranks]
        columns.append(column)
        state = np.minimum((rng.random((count, 1)) > follow[state]).sum(axis=1), classes - 1)
    return [[columns[t][i] for t in range(lengths[i])] for i in range(count)]

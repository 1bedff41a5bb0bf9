"""Perplexity against values worked out by hand."""

import math

import numpy as np
import pytest

from minirnn.errors import InputError
from minirnn.metrics import Perplexity, bits_per_character, perplexity


def test_uniform_guess_has_the_vocabulary_as_perplexity():
    assert perplexity(12 * math.log(50), 12) == pytest.approx(50, rel=1e-14)
    assert bits_per_character(8 * math.log(2), 4) == pytest.approx(2, rel=1e-14)
    assert perplexity(np.full((3, 4), math.log(7)), 12) == pytest.approx(7, rel=1e-14)


def test_the_two_modes_by_hand():
    total, mean = Perplexity(), Perplexity("mean_of_exp")
    for metric in (total, mean):
        metric.add(2 * math.log(4), 2)
        metric.add(2 * math.log(16), 2)
    assert total.value == pytest.approx(8, rel=1e-14)  # the geometric mean of 4 and 16
    assert mean.value == pytest.approx(10, rel=1e-14)  # their arithmetic mean
    assert total.bits == mean.bits == pytest.approx(3, rel=1e-14)


def test_mean_of_exp_is_never_below_total_for_equal_windows():
    rng = np.random.default_rng(0)
    total, mean = Perplexity(), Perplexity("mean_of_exp")
    for nll in rng.uniform(1, 90, 40):
        total.add(nll, 35)
        mean.add(nll, 35)
    assert mean.value > total.value


def test_overflow_is_infinite_and_nan_stays_nan():
    assert perplexity(1e6, 1) == perplexity(750, 1) == math.inf
    assert math.isnan(perplexity(math.nan, 1))


def test_empty_and_unknown_are_refused():
    with pytest.raises(InputError, match="windows must be at least 1"):
        _ = Perplexity().value
    with pytest.raises(InputError, match="tokens must be at least 1, got 0"):
        Perplexity().add(1.0, 0)
    with pytest.raises(InputError, match="'total' or 'mean_of_exp'"):
        Perplexity("median")

"""The memory argument of thesis sec. 3.3: sums, markers, and trained cells."""

import numpy as np
import pytest

from minirnn.array import Streams
from minirnn.autograd import no_grad
from minirnn.data import stream_batches
from minirnn.errors import InputError
from minirnn.models.language_model import memory
from minirnn.models.language_model.task import LanguageModelConfig, build_model


@pytest.mark.parametrize("sampling", ["per_step", "per_sequence"])
def test_trained_cells_are_measured_with_masks_as_in_training(sampling):
    """One mask a window where it is drawn per sequence: what the layer, called once on the window, ends with."""
    config = LanguageModelConfig(hidden=6, embedding=4, batch=3, window=5, rate=0.5, scheme="moon", sampling=sampling)
    model = build_model(config, 9)
    tokens = np.random.default_rng(0).integers(0, 9, 60).astype(np.int32)
    evaluated, trained = memory.cell_norms(model, config, tokens, windows=1)
    inputs, norms = stream_batches(tokens, 3, 5)[0][0], []
    for switch in (model.eval, model.train):
        switch()
        with no_grad():
            _, (_, c) = model(inputs, streams=Streams(config.seed, 0))
        norms.append(np.linalg.norm(c.value[0], axis=-1).mean())
    assert evaluated.shape == (5,) and evaluated[-1] == pytest.approx(norms[0], rel=1e-5)
    assert (trained[-1] == pytest.approx(norms[1], rel=1e-5)) == (sampling == "per_sequence")


@pytest.mark.parametrize("scheme", ["moon", "ours", "gal"])
def test_the_sums_of_the_memory_argument_are_the_recursions(scheme):
    """thesis (3.3.11)-(3.3.14) and (3.3.16), from every start, up to 50 steps."""
    rng = np.random.default_rng(0)
    start = rng.standard_normal(3)
    for steps in (1, 2, 7, 50):
        updates = rng.standard_normal((steps, 3))
        last = memory.accumulate(scheme, updates, start, 0.75)[-1]
        np.testing.assert_allclose(memory.closed_form(scheme, updates, start, 0.75), last, rtol=0, atol=1e-12)
    with pytest.raises(InputError, match="scheme must be one of moon, ours, gal"):
        memory.accumulate("theirs", updates, start, 0.75)


@pytest.mark.parametrize(("scheme", "expected"), [("moon", lambda t: 0.75 ** (t + 1)), ("ours", lambda t: 0.75 + 0 * t),
                                                  ("gal", lambda t: 1.0 + 0 * t)])
def test_a_marker_decays_as_the_algebra_says(scheme, expected):
    """thesis (3.3.14) for Moon, (3.3.16) for Ours: what is left of g_0 in evaluation, up to 50 steps."""
    found = memory.marker(scheme, 0.25)
    np.testing.assert_allclose(found, expected(np.arange(50)), rtol=1e-11)
    assert memory.log_slope(found) == pytest.approx(np.log(0.75) if scheme == "moon" else 0.0, abs=1e-11)

"""One protocol for randomness: whatever is given becomes one function, and the draws are those of what was given."""

import numpy as np
import pytest

from minirnn import Tensor, nn
from minirnn.array import Streams, stream
from minirnn.errors import InputError
from minirnn.models.language_model.model import LanguageModel


def test_every_source_becomes_one_function():
    assert nn.streams(None) is None
    own = lambda purpose, *numbers: np.random.default_rng(len(numbers))
    assert nn.streams(own) is own and nn.streams(nn.streams(own)) is own
    assert nn.streams(7)("mask", 3).random() == stream(7, "mask", 0, 3).random()
    assert nn.streams(np.int64(7))("mask").random() == Streams(7)("mask").random()
    generator = np.random.default_rng(5)
    drawn = [nn.streams(generator)(name).random() for name in ("one", "other")]
    assert drawn == np.random.default_rng(5).random(2).tolist()


@pytest.mark.parametrize("bad", ["7", 7.0, True, [1]])
def test_what_is_no_source_is_refused(bad):
    with pytest.raises(InputError, match="streams: streams must be None, a seed, a numpy Generator or a function"):
        nn.streams(bad)


def test_layers_and_models_take_all_of_them_and_draw_by_name():
    model = LanguageModel(7, 4, 3, forward_dropout=(0.5, 0.5), recurrent_dropout=("update", 0.25), init=0.7, rng=0)
    tokens = np.arange(6).reshape(3, 2)
    out = lambda streams: model(tokens, streams=streams)[0].value
    np.testing.assert_array_equal(out(4), out(Streams(4)))
    np.testing.assert_array_equal(out(4), out(lambda *name: stream(4, name[0], 0, *name[1:])))
    np.testing.assert_array_equal(out(np.random.default_rng(4)), out(np.random.default_rng(4)))
    assert not np.array_equal(out(4), out(5))


def test_dropout_draws_from_the_stream_of_its_purpose():
    ones = Tensor(np.ones((40, 50)))
    drop = lambda **options: nn.Dropout(0.5, **options)
    first, same = (drop(purpose="input")(ones, streams=3).value for _ in range(2))
    np.testing.assert_array_equal(first, same)
    np.testing.assert_array_equal(first, drop()(ones, streams=lambda purpose: stream(3, "input", 0)).value)
    assert not np.array_equal(first, drop(purpose="output")(ones, streams=3).value)


def test_streams_go_by_name_only():
    x = np.ones((2, 1, 3), np.float32)
    for call in (lambda: nn.GRU(3, 4)(x, None, None, 0), lambda: nn.Dropout(0.5)(x, 0)):
        with pytest.raises(TypeError, match="positional"):
            call()

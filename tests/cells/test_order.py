"""Converting the order of stacked gates."""

import numpy as np
import pytest

from minirnn.cells import Weights, reordered
from minirnn.errors import InputError


def test_gates_move_as_blocks_and_come_back():
    rng = np.random.default_rng(0)
    w = Weights(rng.standard_normal((8, 3)), rng.standard_normal((8, 2)), rng.standard_normal(8), None)
    there = reordered(w, "ifgo", "giof")
    np.testing.assert_array_equal(there.weight_ih[:2], w.weight_ih[4:6])
    np.testing.assert_array_equal(there.bias_ih[2:4], w.bias_ih[:2])
    assert there.bias_hh is None
    back = reordered(there, "giof", "ifgo")
    assert all(np.array_equal(a, b) for a, b in zip(back[:3], w[:3]))


@pytest.mark.parametrize(
    ("given", "wanted", "message"),
    [("ifgo", "ifg", "letters of"), ("rzn", "nzr", "3 stacked"), ("iigo", "goii", "letters of")],
)
def test_orders_that_do_not_fit_are_refused(given, wanted, message):
    with pytest.raises(InputError, match=message):
        reordered(Weights(np.ones((8, 3)), np.ones((8, 2))), given, wanted)

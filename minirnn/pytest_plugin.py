"""The fixture ``assert_gradients`` for pytest, which is told of this file by an entry point.

    def test_my_layer(assert_gradients):
        assert_gradients(forward, backward, [x, w])
"""

import pytest


@pytest.fixture(scope="session")
def assert_gradients():
    """assert_gradients(f, vjp, args) and more: minirnn.gradcheck.assert_gradients, imported when a test asks for it."""
    from minirnn.gradcheck import assert_gradients

    return assert_gradients

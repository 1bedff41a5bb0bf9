"""What compiled code would index without looking is checked before it runs. tests/hostile tries much more of this."""

import subprocess
import sys

import numpy as np
import pytest

from minirnn import kernels
from minirnn.errors import DtypeError, InputError

ONE_LARGE_VALUE = """
import numpy as np
from minirnn import nn, optim, Tensor
p = nn.parameter(np.ones(8, "f"))
o = optim.SGD([p], .1, momentum=.9)
p.value = np.ones(1 << 20, "f")
p.grad = Tensor(np.ones(1 << 20, "f"))
try:
    o.step()
except ValueError as error:
    print("refused:", error)
"""


def test_a_parameter_that_grew_under_its_optimiser_does_not_end_the_interpreter():
    done = subprocess.run([sys.executable, "-c", ONE_LARGE_VALUE], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("refused: SGD"), done.stderr


def states_and_constants():
    p = np.linspace(-1, 1, 12).reshape(3, 4)
    return p, p * 2, [np.zeros((3, 4)), np.zeros((3, 4))], (0.9, 0.99, 0.1, 1.0, 1e-8)


@pytest.mark.parametrize("what, spoil", [
    ("states", lambda p, g, s, c: (p, g, s[:1], c)),
    ("constants", lambda p, g, s, c: (p, g, s, c[:4])),
    (r"constants\[1\]", lambda p, g, s, c: (p, g, s, (c[0], "x", *c[2:]))),
    (r"states\[0\]", lambda p, g, s, c: (p, g, [s[0][:2], s[1]], c)),
    (r"states\[1\]", lambda p, g, s, c: (p, g, [s[0], s[1].astype("f")], c)),
    (r"states\[1\]", lambda p, g, s, c: (p, g, [s[0], s[0]], c)),
    (r"states\[0\]", lambda p, g, s, c: (p, g, [p, s[1]], c)),
    (r"states\[0\]", lambda p, g, s, c: (p, g, [s[0][::-1], s[1]], c)),
    (r"states\[0\]", lambda p, g, s, c: (p, g, [np.broadcast_to(s[0], (3, 4)), s[1]], c)),
    ("g", lambda p, g, s, c: (p, g[:2], s, c)),
])
def test_states_and_constants_of_an_update_are_checked(what, spoil):
    with pytest.raises((InputError, DtypeError), match=f"updated: {what} must be"):
        kernels.updated("adam", *spoil(*states_and_constants()))
    p, g, states, constants = states_and_constants()
    assert kernels.updated("adam", p, g, states, constants).shape == (3, 4) and states[1].all()


def test_targets_that_change_after_the_forward_pass_move_nothing():
    logits, targets = np.linspace(-1, 1, 12).reshape(3, 4), np.array([0, 3, 1])
    _, saved = kernels.softmax_xent_forward(logits, targets)
    want = kernels.softmax_xent_backward(saved, np.ones(3))
    targets[:] = 1 << 40
    np.testing.assert_array_equal(kernels.softmax_xent_backward(saved, np.ones(3)), want)
    with pytest.raises(InputError, match=r"saved.targets must be in \[0, 4\)"):
        kernels.softmax_xent_backward(saved._replace(targets=targets), np.ones(3))


def test_a_row_that_is_part_of_what_it_is_added_to():
    y = np.arange(6.0).reshape(2, 3)
    assert (kernels.add_row(y, y[1]) == [[3, 5, 7], [6, 8, 10]]).all()
    y.flags.writeable = False
    with pytest.raises(InputError, match="add_row: y must be C-contiguous, aligned and writeable"):
        kernels.add_row(y, np.ones(3))


@pytest.mark.parametrize("name", ["h", "gates", "entering"])
def test_saved_arrays_that_were_exchanged_are_refused(name):
    x, h0, w, r = np.ones((3, 2, 4)), np.ones((2, 5)), np.ones((20, 4)), np.ones((20, 5))
    *_, saved = kernels.lstm_forward(x, h0, h0, w, r, None, None)
    for wrong in (getattr(saved, name)[1:], getattr(saved, name).astype("f"), None, 3):
        with pytest.raises(InputError, match="saved must be as the forward pass left it"):
            kernels.lstm_backward(saved._replace(**{name: wrong}), np.ones((3, 2, 5)))
    with pytest.raises(DtypeError, match="saved must be what the forward pass returned, got Saved"):
        kernels.rnn_backward(saved, np.ones((3, 2, 5)))

"""Weight decay, groups, AdamW, Adagrad and Nesterov's momentum: PyTorch's frozen steps, settings, schedules, state."""

from pathlib import Path

import numpy as np
import pytest

from minirnn import Tensor, nn, optim
from minirnn.errors import DtypeError, InputError

GOLDEN = np.load(Path(__file__).parent.parent / "nn" / "golden" / "torch_ported.npz")
OPTIMISERS = {
    "sgd": lambda p: optim.SGD(p, 0.1, weight_decay=0.3),
    "nesterov": lambda p: optim.SGD(p, 0.1, 0.9, nesterov=True, weight_decay=0.3),
    "adam": lambda p: optim.Adam(p, 0.05, weight_decay=0.3),
    "adamw": lambda p: optim.AdamW(p, 0.05, weight_decay=0.3),
    "adagrad": lambda p: optim.Adagrad(p, 0.05, weight_decay=0.3),
    "rmsprop": lambda p: optim.RMSProp(p, 0.01, eps=1e-2, weight_decay=0.3),
    "rmsprop centred": lambda p: optim.RMSProp(p, 0.01, eps=1e-2, momentum=0.5, centred=True),
    "groups": lambda p: optim.AdamW([{"params": p[:1], "lr": 0.2, "weight_decay": 0.0},
                                     {"params": p[1:], "betas": (0.5, 0.9)}], 0.05, weight_decay=0.3),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_five_steps_are_pytorchs(name):
    """Stopped after the second and continued from its state by another optimiser."""
    parameters = [Tensor(GOLDEN[f"optimiser/{name}/start{k}"], True) for k in range(2)]
    gradients = [GOLDEN[f"optimiser/{name}/gradients{k}"] for k in range(2)]
    optimizer = OPTIMISERS[name](parameters)
    for step in range(5):
        for p, g in zip(parameters, gradients):
            p.grad = Tensor(g[step])
        optimizer.step()
        if step == 1:
            saved = optimizer.state_dict()
            optimizer = OPTIMISERS[name](parameters)
            optimizer.load_state_dict(saved)
    for k, p in enumerate(parameters):
        np.testing.assert_allclose(p.value, GOLDEN[f"optimiser/{name}/end{k}"], rtol=1e-12, atol=1e-15)


def two():
    p, q = nn.parameter(np.array([1.0, -2.0])), nn.parameter(np.array([4.0]))
    p.grad, q.grad = Tensor(np.array([1.0, 2.0])), Tensor(np.array([-1.0]))
    return p, q


def test_a_groups_learning_rate_follows_the_schedule():
    p, q = two()
    optimizer = optim.SGD([{"params": [p], "lr": 0.01}, {"params": [q]}], 0.1)
    schedule = optim.StepDecay(optimizer, 0.5)
    optimizer.step()
    schedule.step()
    optimizer.step()
    np.testing.assert_allclose(p.value, [1 - 0.015, -2 - 0.03])
    np.testing.assert_allclose(q.value, [4 + 0.15])
    assert optimizer.lr == 0.05 and [group.now(0.1).lr for group in optimizer.groups] == [0.01, 0.1]


def test_groups_keep_what_each_of_them_needs():
    p, q = two()
    optimizer = optim.SGD([{"params": [p], "momentum": 0.5}, {"params": [q]}], 0.1)
    assert [set(state) for state in optimizer.state] == [{"velocity"}, set()]
    for _ in range(2):
        optimizer.step()
    np.testing.assert_allclose(p.value, [1 - 0.25, -2 - 0.5])
    np.testing.assert_allclose(q.value, [4.2])
    assert set(optimizer.state_dict()) == {"lr", "updates", "0.velocity"}


def test_a_parameter_without_gradient_does_not_decay():
    p, q = two()
    q.grad = None
    optim.AdamW([p, q], 0.1, weight_decay=0.5).step()
    assert q.value[0] == 4.0 and abs(p.value[0]) < 1


def test_large_parameters_decay_as_small_ones(monkeypatch):
    from minirnn.autograd import compiled

    for name in ("sgd", "adam", "adamw", "rmsprop"):
        values = []
        for forced in (True, False):
            monkeypatch.setattr(compiled, "wanted", lambda *a, forced=forced: forced)
            p = nn.parameter(np.linspace(-1, 1, 50))
            optimizer = OPTIMISERS[name]([p])
            for step in range(3):
                p.grad = Tensor(np.cos(np.arange(50.0) + step))
                optimizer.step()
            values.append(p.value)
        np.testing.assert_allclose(*values, rtol=1e-11)


def test_values_and_gradients_given_are_not_written():
    p, _ = two()
    value, gradient = p.value, p.grad.value
    for make in (lambda p: optim.AdamW(p, weight_decay=0.5), lambda p: optim.SGD(p, 0.1, 0.9, True, 0.5)):
        make([p]).step()
    np.testing.assert_array_equal(value, [1.0, -2.0])
    np.testing.assert_array_equal(gradient, [1.0, 2.0])


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda p, q: optim.SGD([{"params": [p]}, q]), DtypeError, r'parameters\[1\] must be a dict with "params"'),
    (lambda p, q: optim.SGD([{"parameters": [p]}]), DtypeError, r'parameters\[0\] must be a dict with "params"'),
    (lambda p, q: optim.SGD([{"params": p}]), DtypeError, "must be a list of Tensors, got Tensor; put it in a list"),
    (lambda p, q: optim.SGD([{"params": [p]}, {"params": [q, p]}]), InputError, r"parameters\[2\] must be listed once"),
    (lambda p, q: optim.SGD([{"params": []}]), InputError, "at least one parameter"),
    (lambda p, q: optim.Adam([{"params": [p], "momentum": 0.5}]), InputError,
     "a setting of group 0 must be one of lr, weight_decay, betas, eps, got 'momentum'"),
    (lambda p, q: optim.SGD([{"params": [p], "weight_decai": 0.5}]), InputError, "did you mean weight_decay"),
    (lambda p, q: optim.SGD([{"params": [p], "lr": -1}]), InputError, "lr of group 0 must be a positive .* got -1"),
    (lambda p, q: optim.SGD([{"params": [p], "lr": "1"}]), DtypeError, "lr of group 0 must be a positive number"),
    (lambda p, q: optim.AdamW([p], weight_decay=-0.1), InputError, "weight_decay must be a finite number of at"),
    (lambda p, q: optim.SGD([p], 0.1, nesterov=True), InputError, "momentum must be above 0 with nesterov=True, got 0"),
    (lambda p, q: optim.SGD([p], 0.1, 0.9, nesterov=1), DtypeError, "nesterov must be True or False, got 1"),
    (lambda p, q: optim.RMSProp([p], eps_inside="yes"), DtypeError, "eps_inside must be True or False"),
])
def test_settings_that_make_no_sense_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(*two())

"""What optimisers and clipping refuse, and steps and norms where numbers are large, small or missing."""

import numpy as np
import pytest

from minirnn import Tensor, nn, optim
from minirnn.errors import DtypeError, InputError

MAKERS = [
    lambda p: optim.SGD(p, 0.1), lambda p: optim.SGD(p, 0.1, momentum=0.9), optim.Adam, optim.RMSProp,
    lambda p: optim.RMSProp(p, momentum=0.5, centred=True), optim.Adadelta, optim.AdamW, optim.Adagrad,
    lambda p: optim.SGD(p, 0.1, 0.9, nesterov=True, weight_decay=0.1),
]
every_optimiser = pytest.mark.parametrize("make", MAKERS)


class Tied(nn.Module):
    """One matrix under two names."""

    def __init__(self):
        self.first = nn.Linear(3, 3, bias=False, rng=0, dtype=np.float64)
        self.second = nn.Linear(3, 3, bias=False, rng=1, dtype=np.float64)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(self.first(x))


def test_tied_weights_are_one_parameter_and_two_entries_of_the_state_dict():
    model = Tied()
    assert len(model.parameters()) == 1 and len(model.state_dict()) == 2
    before = model.first.weight.value.copy()
    model.first.weight.grad = Tensor(np.full((3, 3), 2.0))
    assert optim.global_norm(model.parameters()) == 6.0
    optim.SGD(model.parameters(), 0.5).step()
    np.testing.assert_array_equal(model.second.weight.value, before - 1.0)


@every_optimiser
@pytest.mark.parametrize("size", [6, 1 << 18])
def test_a_gradient_or_value_of_another_shape_is_refused_and_nothing_changes(make, size):
    p, q = (nn.parameter(np.linspace(-1, 1, size).astype("f")) for _ in range(2))
    optimizer = make([p, q])
    for wrong in (np.ones((1, size), "f"), np.ones(1, "f"), np.ones(size, int)):
        p.grad, q.grad = Tensor(np.ones(size, "f")), Tensor(wrong)
        before = p.value
        with pytest.raises((InputError, DtypeError), match=r"the gradient of parameters\[1\] must be"):
            optimizer.step()
        assert p.value is before and optimizer.updates == 0
    q.grad = None
    if optimizer.state[0]:
        p.value = np.ones(1 << 20, np.float32)
        p.grad = Tensor(p.value)
        with pytest.raises(InputError, match="as when the optimiser was made"):
            optimizer.step()


def test_a_tensor_is_no_list_and_nothing_is_listed_twice():
    p = nn.parameter(np.ones(3))
    p.grad = Tensor(np.full(3, 5.0))
    for call in (optim.Adam, optim.WeightAverage, optim.global_norm, lambda p: optim.clip_grad_norm(p, 1.0),
                 lambda p: optim.clip_grad_value(p, 1.0)):
        with pytest.raises(DtypeError, match="parameters must be a list of Tensors, got Tensor; put it in a list"):
            call(p)
        with pytest.raises(InputError, match=r"parameters\[1\] must be listed once"):
            call([p, p])
        with pytest.raises(DtypeError, match=r"parameters\[0\] must be a Tensor, got ndarray"):
            call([np.ones(3)])
    np.testing.assert_array_equal(p.grad.value, 5.0)


@pytest.mark.parametrize("call", [
    lambda p: optim.Adam(p, eps=-1e-8), lambda p: optim.Adam(p, eps=float("nan")), lambda p: optim.RMSProp(p, eps=-1),
    lambda p: optim.Adadelta(p, eps=float("inf")), lambda p: optim.SGD(p, float("nan")), lambda p: optim.SGD(p, -1),
    lambda p: optim.SGD(p, 0.1, float("nan")), lambda p: optim.Adam(p, weight_decay=-0.1),
    lambda p: optim.AdamW(p, weight_decay=float("nan")), lambda p: optim.Adagrad(p, eps=-1),
    lambda p: optim.SGD([{"params": p, "lr": float("nan")}]), lambda p: optim.SGD(p, 0.1, nesterov=True),
    lambda p: optim.clip_grad_norm(p, float("nan")),
])
def test_numbers_that_make_no_sense_are_refused(call):
    with pytest.raises(InputError):
        call([nn.parameter(np.ones(2))])
    with pytest.raises(DtypeError):
        optim.Adam([nn.parameter(np.ones(2))], lr="0.1")


def test_a_parameter_counts_its_own_updates():
    """After nine updates without a gradient Adam's first step is lr, as long as any first step."""
    late, always = (Tensor(np.zeros(1), True) for _ in range(2))
    optimizer = optim.Adam([late, always], 1e-3)
    for _ in range(9):
        always.grad = Tensor(np.ones(1))
        optimizer.step()
    resumed = optim.Adam([late, always], 1e-3)
    resumed.load_state_dict(optimizer.state_dict())
    assert set(optimizer.state_dict()) >= {"0.missed"} and "1.missed" not in optimizer.state_dict()
    late.grad = Tensor(np.ones(1))
    resumed.step()
    np.testing.assert_allclose(late.value, -1e-3, rtol=1e-6)


@pytest.mark.parametrize("scale", [1e300, 1e-300, 1.0])
def test_norms_and_clipping_of_very_large_and_very_small_gradients(scale):
    p, q = (nn.parameter(np.ones(1)) for _ in range(2))
    p.grad, q.grad = Tensor(np.array([3 * scale])), Tensor(np.array([-4 * scale]))
    assert optim.global_norm([p, q]) == pytest.approx(5 * scale, rel=1e-14)
    assert optim.clip_grad_norm([p, q], float("inf")) == pytest.approx(5 * scale, rel=1e-14)
    np.testing.assert_array_equal(q.grad.value, -4 * scale)
    optim.clip_grad_norm([p, q], scale)
    np.testing.assert_allclose([p.grad.item() / scale, q.grad.item() / scale], [0.6, -0.8], rtol=1e-12)


def test_clipping_by_a_factor_below_the_smallest_float32():
    p = nn.parameter(np.ones(2, np.float32))
    p.grad = Tensor(np.array([3e37, -4e37], np.float32))
    optim.clip_grad_norm([p], 1e-3)
    np.testing.assert_allclose(p.grad.value, [6e-4, -8e-4], rtol=1e-6)


def test_a_centred_variance_below_zero_by_rounding_gives_no_nan():
    p = nn.parameter(np.zeros(64, np.float32))
    optimizer = optim.RMSProp([p], 1e-3, rho=0.5, centred=True, eps=0.0)
    g = np.linspace(0.1, 0.9, 64, dtype=np.float32)
    for _ in range(60):  # the running means of equal gradients: mean of squares - square of mean is 0 or just below
        p.grad = Tensor(g)
        with np.errstate(divide="ignore"):
            optimizer.step()
    assert not np.isnan(p.value).any()

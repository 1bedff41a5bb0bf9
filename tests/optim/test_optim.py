"""Optimisers, clipping, schedules and averages against steps computed by hand."""

import math

import numpy as np
import pytest

from minirnn import Tensor, optim
from minirnn.errors import InputError

G1, G2 = np.array([1.0, -2.0]), np.array([0.5, 3.0])
START = np.array([1.0, 1.0])


def after(make, *gradients):
    p = Tensor(START.copy(), True)
    optimizer = make([p])
    for g in gradients:
        p.grad = Tensor(g)
        optimizer.step()
    return p.value


def test_sgd_and_momentum():
    np.testing.assert_allclose(after(lambda p: optim.SGD(p, 0.1), G1, G2), START - 0.1 * (G1 + G2))
    v1 = G1
    v2 = 0.9 * v1 + G2
    np.testing.assert_allclose(after(lambda p: optim.SGD(p, 0.1, 0.9), G1, G2), START - 0.1 * v1 - 0.1 * v2)


def test_adam_first_step_is_lr_times_sign_and_second_by_hand():
    np.testing.assert_allclose(after(lambda p: optim.Adam(p, 0.01), G1), START - 0.01 * np.sign(G1), rtol=1e-7)
    m, v = 0.1 * G1, 0.001 * G1**2
    first = 0.01 * (m / 0.1) / (np.sqrt(v / 0.001) + 1e-8)
    m, v = 0.9 * m + 0.1 * G2, 0.999 * v + 0.001 * G2**2
    second = 0.01 * (m / (1 - 0.9**2)) / (np.sqrt(v / (1 - 0.999**2)) + 1e-8)
    np.testing.assert_allclose(after(lambda p: optim.Adam(p, 0.01), G1, G2), START - first - second, rtol=1e-12)


def test_rmsprop_plain_by_hand():
    s1 = 0.1 * G1**2
    s2 = 0.9 * s1 + 0.1 * G2**2
    inside = START - 0.01 * G1 / np.sqrt(s1 + 1e-2) - 0.01 * G2 / np.sqrt(s2 + 1e-2)
    outside = START - 0.01 * G1 / (np.sqrt(s1) + 1e-2) - 0.01 * G2 / (np.sqrt(s2) + 1e-2)
    for options, expected in (({"eps_inside": True}, inside), ({}, outside)):
        make = lambda p, options=options: optim.RMSProp(p, 0.01, eps=1e-2, **options)
        np.testing.assert_allclose(after(make, G1, G2), expected, rtol=1e-12)


def test_rmsprop_centred_with_momentum_by_hand():
    n1, a1 = 0.05 * G1**2, 0.05 * G1
    d1 = 1e-4 * G1 / np.sqrt(n1 - a1**2 + 1e-4)
    n2, a2 = 0.95 * n1 + 0.05 * G2**2, 0.95 * a1 + 0.05 * G2
    d2 = 0.9 * d1 + 1e-4 * G2 / np.sqrt(n2 - a2**2 + 1e-4)
    make = lambda p: optim.RMSProp(p, 1e-4, rho=0.95, momentum=0.9, centred=True, eps=1e-4, eps_inside=True)
    np.testing.assert_allclose(after(make, G1, G2), START - d1 - d2, rtol=1e-12)


def test_adadelta_by_hand():
    s1 = 0.05 * G1**2
    d1 = np.sqrt(1e-6) / np.sqrt(s1 + 1e-6) * G1
    u1 = 0.05 * d1**2
    s2 = 0.95 * s1 + 0.05 * G2**2
    d2 = np.sqrt(u1 + 1e-6) / np.sqrt(s2 + 1e-6) * G2
    np.testing.assert_allclose(after(optim.Adadelta, G1, G2), START - d1 - d2, rtol=1e-12)


ALL = [
    lambda p: optim.SGD(p, 0.1), lambda p: optim.SGD(p, 0.1, 0.9), lambda p: optim.Adam(p), optim.Adadelta,
    lambda p: optim.RMSProp(p), lambda p: optim.RMSProp(p, 1e-3, 0.95, 0.9, True, 1e-4), optim.AdamW, optim.Adagrad,
    lambda p: optim.SGD(p, 0.1, 0.9, nesterov=True, weight_decay=0.1),
    lambda p: optim.SGD([{"params": p, "momentum": 0.5, "lr": 0.01}], 0.1),
]


@pytest.mark.parametrize("make", ALL)
def test_a_saved_optimizer_continues_exactly_and_keeps_float32(make):
    rng = np.random.default_rng(0)
    gradients = rng.standard_normal((6, 3, 2)).astype(np.float32)
    p, q = (Tensor(np.ones((3, 2), np.float32), True) for _ in range(2))
    first, second = make([p]), make([q])
    for k, g in enumerate(gradients):
        if k == 3:
            q.value = p.value.copy()
            second.load_state_dict(first.state_dict())
        for tensor, optimizer in ((p, first), (q, second)) if k >= 3 else ((p, first),):
            tensor.grad = Tensor(g)
            optimizer.step()
    np.testing.assert_array_equal(p.value, q.value)
    assert p.dtype == np.float32 and all(a.dtype == np.float32 for s in first.state for a in s.values())


def test_values_handed_out_before_a_step_are_not_changed_by_it():
    p = Tensor(START.copy(), True)
    seen = p.value
    p.grad = Tensor(G1)
    optim.SGD([p], 0.1).step()
    np.testing.assert_array_equal(seen, START)


def test_parameters_without_gradient_stay():
    p, q = Tensor(START.copy(), True), Tensor(START.copy(), True)
    optimizer = optim.Adam([p, q])
    p.grad = Tensor(G1)
    optimizer.step()
    np.testing.assert_array_equal(q.value, START)
    optimizer.zero_grad()
    assert p.grad is None


def test_global_norm_clipping_keeps_the_direction_over_all_parameters():
    p, q = Tensor(START.copy(), True), Tensor(START.copy(), True)
    p.grad, q.grad = Tensor(np.array([3.0, 0.0])), Tensor(np.array([0.0, 4.0]))
    given = p.grad.value
    assert optim.clip_grad_norm([p, q], 10.0) == 5.0
    assert p.grad.value is given
    assert optim.clip_grad_norm([p, q], 1.0) == 5.0
    np.testing.assert_allclose([*p.grad.value, *q.grad.value], [0.6, 0, 0, 0.8])
    np.testing.assert_array_equal(given, [3.0, 0.0])
    p.grad = Tensor(np.array([np.nan, 1.0]))
    assert math.isnan(optim.clip_grad_norm([p, q], 1.0)) and p.grad.value[1] == 1.0
    p.grad = Tensor(np.array([np.inf, 1.0]))
    assert optim.clip_grad_norm([p, q], 1.0) == np.inf and p.grad.value.tolist() == [np.inf, 1.0]


def test_large_float32_gradients_have_a_finite_norm():
    p = Tensor(np.ones(4, np.float32), True)
    p.grad = Tensor(np.full(4, 1e30, np.float32))
    assert optim.clip_grad_norm([p], 1.0) == pytest.approx(2e30)
    np.testing.assert_allclose(p.grad.value, 0.5)


def test_value_clipping_and_threshold_suggestion():
    p = Tensor(START.copy(), True)
    p.grad = Tensor(np.array([3.0, -0.5]))
    optim.clip_grad_value([p], 1.0)
    np.testing.assert_array_equal(p.grad.value, [1.0, -0.5])
    assert optim.suggest_threshold([1.0, 2.0, 3.0, np.inf]) == (2.0, pytest.approx(2.9))


def test_plateau_compares_with_the_best_so_far():
    optimizer = optim.SGD([Tensor(START, True)], 1.5)
    schedule = optim.PlateauDecay(optimizer)
    rates = []
    for value in (10.0, 8.0, 9.0, 8.0, 7.0):  # as good as the best is not better
        schedule.epoch(value)
        rates.append(optimizer.lr)
    np.testing.assert_allclose(rates, [1.5, 1.5, 1.0, 1 / 1.5, 1 / 1.5])
    copy = optim.PlateauDecay(optimizer)
    copy.load_state_dict(schedule.state_dict())
    assert copy.best == 7.0


def test_epoch_and_step_decay():
    optimizer = optim.SGD([Tensor(START, True)], 1.0)
    schedule = optim.EpochDecay(optimizer, 0.97, 10)
    for _ in range(9):
        schedule.epoch()
    assert optimizer.lr == 1.0
    schedule.epoch()
    assert optimizer.lr == pytest.approx(0.97)
    resumed = optim.EpochDecay(optimizer, 0.97, 10)
    resumed.load_state_dict(schedule.state_dict())
    resumed.epoch()
    assert optimizer.lr == pytest.approx(0.97**2)
    optim.StepDecay(optimizer, 0.5).step()
    assert optimizer.lr == pytest.approx(0.97**2 / 2)


def test_weight_average_by_hand_and_applied_only_inside():
    p = Tensor(np.array([1.0]), True)
    average = optim.WeightAverage([p], 0.9)
    for value in (2.0, 3.0):
        p.value = np.array([value])
        average.update()
    expected = 0.9 * (0.9 * 1 + 0.1 * 2) + 0.1 * 3
    with average.applied():
        assert p.value[0] == pytest.approx(expected)
    assert p.value[0] == 3.0
    other = optim.WeightAverage([p], 0.9)
    other.load_state_dict(average.state_dict())
    assert other.values[0][0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: optim.SGD([], 0.1), "at least one parameter"),
        (lambda p: optim.SGD(p, 0), "lr must be a positive number, got 0"),
        (lambda p: optim.SGD(p, 0.1, 1.0), r"momentum must be in \[0, 1\)"),
        (lambda p: optim.Adam(p, betas=(0.9, 1.0)), r"betas\[1\] must be in \[0, 1\)"),
        (lambda p: optim.RMSProp(p, rho=1.0), "rho must be"),
        (lambda p: optim.Adadelta(p, rho=-1), "rho must be"),
        (lambda p: optim.clip_grad_norm(p, 0), "max_norm must be a positive number"),
        (lambda p: optim.clip_grad_value(p, -1), "limit must be a positive number"),
        (lambda p: optim.PlateauDecay(optim.SGD(p, 1), 1.0), "divisor must be above 1"),
        (lambda p: optim.EpochDecay(optim.SGD(p, 1), 2.0), r"factor must be in \(0, 1\]"),
        (lambda p: optim.StepDecay(optim.SGD(p, 1), 0), r"factor must be in \(0, 1\]"),
        (lambda p: optim.WeightAverage(p, 1.0), r"decay must be in \[0, 1\)"),
        (lambda p: optim.WeightAverage(p).load_state_dict({}), "1 averages, got 0"),
        (lambda p: optim.suggest_threshold([np.nan]), "at least one finite number"),
        (lambda p: optim.Adam(p).load_state_dict(optim.SGD(p, 1).state_dict()), "missing or extra"),
    ],
)
def test_bad_arguments_get_one_clear_error(call, message):
    with pytest.raises(InputError, match=message):
        call([Tensor(START.copy(), True)])

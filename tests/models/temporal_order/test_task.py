"""Training on Temporal Order, the sequence classifier, and the memory measurements."""


import numpy as np
import pytest

from minirnn import Tensor, grad, nn
from minirnn.errors import InputError
from minirnn.models import registry
from minirnn.models.temporal_order import SequenceClassifier
from minirnn.models.temporal_order.task import RECENT, TemporalOrderConfig, TemporalOrderTask
from minirnn.train import Clock

CONFIG = TemporalOrderConfig.of(hidden=8, rate=0.25, batch=8, epochs=3, test=100, fixed=7, kernels="explicit", seed=2)


def test_classifier_gradients_are_the_measured_slopes():
    rng = np.random.default_rng(0)
    model = SequenceClassifier(5, 2, 3, forward_dropout=(0.2, 0.5), recurrent_dropout=("ours", 0.5), init=0.5, rng=1,
                               dtype=np.float64)
    x, classes, lengths = rng.standard_normal((4, 3, 5)), np.array([0, 2, 1]), [4, 1, 3]

    def loss(x):
        masks = np.random.default_rng(7)
        return nn.cross_entropy(model(x, lengths, streams=lambda *name: masks), classes)

    inputs = Tensor(x, requires_grad=True)
    found = grad(loss(inputs), [inputs, *model.parameters()])
    for array, analytic in zip([x, *(p.value for p in model.parameters())], found):
        for at in np.ndindex(array.shape):
            kept, sides = array[at], []
            for step in (1e-5, -1e-5):
                array[at] = kept + step
                sides.append(loss(Tensor(x)).item())
            array[at] = kept
            assert (sides[0] - sides[1]) / 2e-5 == pytest.approx(float(analytic.value[at]), rel=1e-7, abs=1e-9)


def test_classifier_sees_each_row_up_to_its_length():
    model = SequenceClassifier(2, 3, 2, rng=0, dtype=np.float64).eval()
    x = np.random.default_rng(0).standard_normal((5, 2, 2))
    both = model(x, [2, 5]).value
    np.testing.assert_allclose(both[0], model(x[:2, :1]).value[0], atol=1e-14)
    np.testing.assert_allclose(both[1], model(x[:, 1:]).value[0], atol=1e-14)


def test_forget_bias_is_set_alone_and_bad_arguments_are_refused():
    model = SequenceClassifier(2, 3, 2, init=0.1, forget_bias=1.0, rng=0)
    total = model.recurrent.bias_ih_l0.value + model.recurrent.bias_hh_l0.value
    assert (total[3:6] == 1).all() and (abs(np.delete(total, [3, 4, 5])) <= 0.2).all()
    with pytest.raises(InputError, match="cell must be one of"):
        SequenceClassifier(2, 3, 2, cell="gpu")
    with pytest.raises(InputError, match="forward_dropout"):
        SequenceClassifier(2, 3, 2, forward_dropout=(0.2, 1.0))


def test_fixed_batches_come_once_a_round_in_a_new_order():
    task = TemporalOrderTask(CONFIG)
    rounds = [[task.batch(position, 7 * number + position)[0].tobytes() for position in range(7)] for number in (0, 1)]
    assert len(set(rounds[0])) == 7 and set(rounds[0]) == set(rounds[1]) and rounds[0] != rounds[1]
    fresh = TemporalOrderTask(CONFIG.but(fixed=None))
    assert len({fresh.batch(step % 50, step)[0].tobytes() for step in range(20)}) == 20


def test_it_is_solved_when_fifty_batches_in_a_row_are():
    task = TemporalOrderTask(CONFIG)
    for _ in range(RECENT - 1):
        task.count(0.0, 1.0)
    assert task.batches.solved is None and not task.until([])
    task.count(0.0, 0.5)
    assert task.batches.solved is None  # a mean of 0.99 is not above it
    task.count(0.0, 1.0)
    assert task.batches.solved is None
    for _ in range(RECENT):
        task.count(0.0, 1.0)
    assert task.batches.solved == 2 * RECENT and task.until([])


def test_an_interrupted_run_ends_as_the_uninterrupted_one(tmp_path, monkeypatch, stop_at_look):
    whole = registry.run("temporal-order", CONFIG.to_json(), tmp_path / "whole", quiet=True)

    stop_at_look(12)
    cut = registry.run("temporal-order", CONFIG.to_json(), tmp_path / "cut", quiet=True)
    assert cut.status == 143 and cut.result is None
    monkeypatch.undo()
    resumed = registry.run("temporal-order", CONFIG.to_json(), tmp_path / "cut", quiet=True)
    for name in ("parameters_sha256", "chain", "train_accuracy", "test_accuracy", "updates_to_solve", "updates"):
        assert resumed.result[name] == whole.result[name]


def test_moon_and_ours_per_sequence_train_alike_and_are_tested_differently():
    """The invariant of the schemes: with 0/1 masks and c_0 = 0 they are one function in training."""
    losses, tests = [], []
    for scheme in ("moon", "ours"):
        config = CONFIG.but(scheme=scheme, rate=0.5, sampling="per_sequence", dtype="float64", init=0.5)
        task = TemporalOrderTask(config)
        losses.append([task.update(Clock(position=step % 7, step=step))["loss"] for step in range(14)])
        inputs = task.held_out[0].astype(np.float64)
        tests.append(task.model.eval()(inputs).value)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-12)
    assert np.abs(tests[0] - tests[1]).max() > 1e-3


@pytest.mark.parametrize(
    "values", [{"length": 0}, {"fixed": 0}, {"test": 0}, {"rate": 1.0}, {"scheme": "theirs", "rate": 0.5}]
)
def test_bad_settings_are_refused(values):
    with pytest.raises(InputError):
        TemporalOrderTask(CONFIG.but(**values))

"""Training on sentiment: the classifier of words, both phases, exact resume, what is missing, Table 3.5."""

from dataclasses import replace

import numpy as np
import pytest

from minirnn import data, grad, nn
from minirnn.data.glove import WordVectors
from minirnn.data.labelled_texts import CLASSES, LabelledTexts, part_of
from minirnn.errors import InputError
from minirnn.models import registry
from minirnn.models.sentiment import task as sentiment
from minirnn.models.sentiment.model import SequenceClassifier, TextClassifier
from minirnn.models.sentiment.task import SentimentConfig, SentimentTask, batch_places, make, word_table
from minirnn.train import Clock
from minirnn.train.supervised import pad

CONFIG = SentimentConfig.of(
    data="sentiment-grammar", vectors="random", vector_size=5, hidden=6, batch=8, epoch_updates=5, weak_epochs=2,
    epochs=2, rate=0.25, kernels="explicit", seed=3, lr=1e-2, checkpoint_every=3,
)
TEXTS = data.load("sentiment-grammar", weak=60, train=30, valid=12, test=12)


def toy(**missing):
    """Three words that are the classes, among others that say nothing."""
    rng, named = np.random.default_rng(0), ("bad", "so", "good")
    parts = {}
    for part, count in {"weak": 200, "train": 60, "valid": 60, "test": 90}.items():
        rows = []
        for k in range(count):
            label = 2 * (k % 2) if part == "weak" else k % 3
            words = [*rng.choice(["a", "b", "c"], rng.integers(1, 5)), named[label], *rng.choice(["d", "e"], 2)]
            rows.append((words, label // 2 if part == "weak" else label))
        parts[part] = part_of(rows)
    return LabelledTexts("toy", "generated", CLASSES, parts, **missing)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("weak", [False, True])
def test_gradients_are_the_measured_slopes(cell, weak):
    rng = np.random.default_rng(0)
    model = TextClassifier(rng.standard_normal((7, 4)), 3, 3, train_vectors=True, cell=cell, weak_classes=2,
                           forward_dropout=(0.2, 0.5), recurrent_dropout=("ours", 0.5), rng=1,
                           dtype=np.float64, kernels="explicit")
    words, lengths = pad([np.array(text) for text in ([1, 2, 3, 4, 2], [5], [6, 2, 0])])
    cotangent = rng.standard_normal((3, 2 if weak else 3))

    def loss():
        masks = np.random.default_rng(7)
        return (model(words, lengths, streams=lambda *name: masks, weak=weak) * cotangent).sum()

    other = {id(p) for p in (model.output if weak else model.weak_output).parameters()}
    parameters = [p for p in model.parameters() if id(p) not in other]
    assert any(p is model.table for p in parameters)
    for parameter, analytic in zip(parameters, grad(loss(), parameters)):
        array = parameter.value
        for at in np.ndindex(array.shape):
            kept, sides = array[at], []
            for step in (1e-5, -1e-5):
                array[at] = kept + step
                sides.append(loss().item())
            array[at] = kept
            assert (sides[0] - sides[1]) / 2e-5 == pytest.approx(float(analytic.value[at]), rel=1e-7, abs=1e-9)


def test_each_text_is_read_up_to_its_end_and_no_further():
    model = TextClassifier(np.random.default_rng(0).standard_normal((7, 4)), 3, 3, rng=1, dtype=np.float64,
                           kernels="explicit").eval()
    texts = [np.array([1, 2, 3, 4]), np.array([5]), np.array([6, 2])]
    words, lengths = pad(texts)
    together = model(words, lengths).value
    for row, text in zip(together, texts):
        np.testing.assert_allclose(row, model(text[:, None]).value[0], atol=1e-14)
    words[1:, 1] = 3  # after the end
    np.testing.assert_array_equal(model(words, lengths).value, together)
    with pytest.raises(InputError, match=r"table must be \(V, D\)"):
        TextClassifier(np.zeros(3), 3, 3)


def test_a_second_output_leaves_the_first_model_as_it_was():
    one, two = (SequenceClassifier(4, 3, 3, weak_classes=k, rng=1) for k in (None, 2))
    for (name, mine), (_, other) in zip(one.named_parameters(), two.named_parameters()):
        np.testing.assert_array_equal(mine.value, other.value, err_msg=name)
    assert two.weak_output.weight.shape == (2, 3) and one.weak_output is None


def begun(config, texts, phase=0):
    """(the task, the Clock at the first update of a phase)."""
    task = SentimentTask(config, texts)
    phases = task.phases()
    for each in phases[: phase + 1]:
        each.enter()
    step = sum(each.updates * each.rounds for each in phases[:phase])
    return task, Clock(phase=phase, step=step, began=step)


def train(task, clock, updates):
    """Make so many updates of one phase."""
    for _ in range(updates):
        task.update(clock)
        clock.step += 1


def test_vectors_are_static_unless_they_are_to_be_trained():
    for trained in (False, True):
        task, clock = begun(CONFIG.but(train_vectors=trained), TEXTS)
        before = task.model.table.value.copy()
        task.update(clock)
        assert (before != task.model.table.value).any() == trained
        assert "table" in task.parts()["learner"].state_dict()["module"]


def test_every_text_comes_once_a_pass_in_a_new_order():
    orders = {k: np.random.default_rng(k).permutation(10) for k in range(4)}
    places = np.concatenate([batch_places(10, 4, number, orders.get) for number in range(10)])
    for k in range(4):
        assert sorted(places[10 * k : 10 * k + 10]) == list(range(10))
        assert places[10 * k : 10 * k + 10].tolist() == orders[k].tolist()
    np.testing.assert_array_equal(batch_places(3, 7, 0, lambda k: np.arange(3)), [0, 1, 2, 0, 1, 2, 0])


def test_there_are_two_phases_and_their_batches_do_not_depend_on_those_before():
    task, _ = begun(CONFIG, TEXTS)
    assert [(p.name, p.updates, p.rounds) for p in task.phases()] == [("weak", 5, 2), ("labelled", 5, 2)]
    weak = [task.batch(number)[2] for number in range(10)]
    task.train_on("train")
    labels = [task.batch(number)[2] for number in range(10)]
    assert max(map(max, weak)) == 1 and max(map(max, labels)) == 2
    texts, _ = task.texts["train"]
    shown = [tuple(words[:n, b]) for number in range(4) for words, lengths, _ in [task.batch(number)]
             for b, n in enumerate(lengths)]
    assert sorted(shown[:30]) == sorted(tuple(text) for text in texts)  # 30 texts: a pass of 3 3/4 batches
    fresh, _ = begun(CONFIG, TEXTS, 1)
    for number in (7, 4, 2, 2):
        for mine, other in zip(fresh.batch(number), task.batch(number)):
            np.testing.assert_array_equal(mine, other)


def test_each_phase_trains_its_own_output_and_everything_below():
    for phase, (trained, left) in enumerate([("weak_output", "output"), ("output", "weak_output")]):
        task, clock = begun(CONFIG, TEXTS, phase)
        before = {name: p.value.copy() for name, p in task.model.named_parameters()}
        task.update(clock)
        moved = {name for name, p in task.model.named_parameters() if (before[name] != p.value).any()}
        assert {f"{trained}.weight", f"{trained}.bias", "recurrent.weight_ih_l0"} <= moved
        assert not moved & {f"{left}.weight", f"{left}.bias"}


def test_pretraining_has_no_score_and_does_not_advance_the_schedule():
    task, clock = begun(CONFIG, TEXTS)
    task.update(clock)
    metrics = task.evaluate(clock)
    assert "score" not in metrics and "valid_f1" not in metrics and task.learner.schedule.epochs == 0
    task.train_on("train")
    task.update(clock)
    metrics = task.evaluate(clock)
    assert metrics["score"] == -metrics["valid_f1"] and task.learner.schedule.epochs == 1


def test_patience_begins_after_the_pretraining(tmp_path, monkeypatch):
    monkeypatch.setattr(sentiment, "make", lambda config, *rest: SentimentTask(config, TEXTS))
    flat = CONFIG.but(weak_epochs=5, epochs=9, patience=2, lr=1e-12, rate=0.0, forward_dropout=(0.0, 0.0))
    result = registry.run("sentiment", flat.to_json(), tmp_path / "flat", quiet=True).result
    assert (result["best_epoch"], result["epochs"]) == (6, 8)


@pytest.mark.parametrize("looks", [4, 9, 13, 19, 20, 22])  # in the first phase, at the switch, in the second, at ends
def test_an_interrupted_run_ends_as_the_uninterrupted_one(
    looks, tmp_path, monkeypatch, stop_at_look, whole, numbers, texts
):
    stop_at_look(looks)
    cut = registry.run("sentiment", CONFIG.to_json(), tmp_path / "cut", quiet=True)
    assert cut.status == 143 and cut.result is None
    stop_at_look(10**9)
    resumed = registry.run("sentiment", CONFIG.to_json(), tmp_path / "cut", quiet=True)
    assert numbers(resumed.result) == numbers(whole)


@pytest.fixture(scope="module")
def texts():
    """From now on, every run is one on TEXTS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sentiment, "make", lambda config, *rest: SentimentTask(config, TEXTS))
        yield TEXTS


@pytest.fixture(scope="module")
def whole(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("runs") / "whole"
    return registry.run("sentiment", CONFIG.to_json(), path, quiet=True).result


def test_a_run_reports_its_best_labelled_epoch(whole):
    assert whole["best_epoch"] in (3, 4) and whole["updates"] == 20
    assert whole["f1_test"] == whole["test_f1"] and whole["data"]["weak_labels"] == 60


def test_tiny_training_beats_chance():
    """Majority class: F1 of 50 for one class, 0 for the other, at most; right answers: 100."""
    config = CONFIG.but(rate=0.0, forward_dropout=(0.0, 0.0), hidden=8, batch=16, epoch_updates=25, weak_epochs=1,
                     lr=2e-2)
    task, clock = begun(config, toy())
    train(task, clock, 25)
    task.train_on("train")
    clock.began = clock.step
    train(task, clock, 50)
    assert task.test()["test_f1"] > 90


def test_pretraining_teaches_words_the_labelled_texts_do_not_have():
    """Without weak labels a word that only they have says nothing; with them it says the class it was seen with."""
    texts = toy()
    weak = texts.parts["weak"]
    new = {"good": "fine", "bad": "poor"}
    renamed = {name: part_of([([new.get(w, w) for w in words], label) for words, label in zip(*texts.parts[name])])
               for name in ("valid", "test")}
    both = [(words, label) for words, label in zip(*weak)]
    both += [([new.get(w, w) for w in words], label) for words, label in both]
    texts = LabelledTexts("toy", "generated", CLASSES, {**texts.parts, **renamed, "weak": part_of(both)})
    found = []
    for weak_epochs in (0, 3):
        config = CONFIG.but(rate=0.0, forward_dropout=(0.0, 0.0), hidden=8, batch=16, epoch_updates=40,
                         weak_epochs=weak_epochs, lr=1e-2, train_vectors=True)
        task, clock = begun(config, texts)
        if weak_epochs:
            train(task, clock, 40 * weak_epochs)
            task.train_on("train")
            clock.began = clock.step
        train(task, clock, 40)
        found.append(task.test()["test_f1"])
    assert found[1] > found[0] + 20


def test_words_without_a_vector():
    vectors = WordVectors("some", "here", {"good": 0}, np.array([[1, 1, 4]], np.float32))
    counts = {"good": 9, ":)": 5, "rare": 4, "GOOD": 1, "other": 0}
    table, known = word_table(CONFIG, list(counts), counts, vectors)
    assert known.tolist() == [True, False, False, True, False] and (table[[0, 3]] == [1, 1, 4]).all()
    assert (table[[2, 4]] == 0).all() and (table[1] != 0).all()
    again, known = word_table(CONFIG, list(counts), {}, None)
    assert again.shape == (5, 5) and not known.any() and (again != 0).all() and len(np.unique(again)) == 25


def test_what_is_missing_is_reported_and_trained_without():
    task = SentimentTask(CONFIG, replace(toy(missing=("weak", "sms-2013")), parts={
        name: part for name, part in toy().parts.items() if name != "weak"}))
    assert [phase.name for phase in task.phases()] == ["labelled"]
    assert task.data["missing"] == ["weak", "sms-2013"]
    assert "no weak labels; missing: weak, sms-2013" in task.introduction()
    found = task.test()
    assert found["f1_sms-2013"] is None and found["f1_test"] == found["test_f1"]
    assert len(SentimentTask(CONFIG.but(weak="none"), TEXTS).phases()) == 1


def test_the_twins_of_the_tweets_train_with_vader_as_weak_labels():
    config = CONFIG.but(data="semeval", source="twin", weak="vader", weak_epochs=1, epochs=1, vectors="glove",
                     vectors_source="twin", epoch_updates=1)
    task = make(config)
    weak = data.load("vader", source="twin")
    polar = sum(int((part.labels != 1).sum()) for part in weak.parts.values())
    assert task.data["weak_labels"] == polar == len(task.texts["weak"][0])
    words = {tuple(t): label for part in weak.parts.values() for t, label in zip(part.words, part.labels.tolist())}
    part = sentiment.vader_as_weak(weak)
    assert all(words[text] == 2 * label for text, label in zip(part.words, part.labels.tolist()))
    assert set(task.test()) >= {"f1_twitter-2013", "f1_sms-2013", "f1_livejournal-2014", "test_f1"}
    random = config.but(vectors="random")
    without = random.but(weak="none", weak_epochs=0)
    made = [make(given).data for given in (random, without)]
    assert [given["weak_labels"] for given in made] == [polar, 0]
    assert len({given["fingerprint"] for given in (task.data, *made)}) == 3


@pytest.mark.parametrize(
    "values", [{"data": "ptb"}, {"vectors": "word2vec"}, {"weak": "mine"}, {"weak_epochs": -1}, {"weak_epochs": 1.5},
               {"epoch_updates": 0}, {"vector_size": 0}, {"train_vectors": "yes"}, {"data": "vader", "weak": "vader"},
               {"vectors_source": "web"}])
def test_bad_settings_are_refused(values):
    with pytest.raises(InputError, match=f"train: {next(reversed(values))} must be"):
        CONFIG.but(**values)


def test_the_loss_is_the_mean_over_the_batch():
    task, clock = begun(CONFIG.but(rate=0.0, forward_dropout=(0.0, 0.0), dtype="float64"), TEXTS, 1)
    clock.step += 2
    words, lengths, labels = task.batch(2)
    logits = task.model(words, lengths).value
    nll = np.log(np.exp(logits).sum(1)) - logits[np.arange(8), labels]
    loss, right = task.loss(clock)
    assert loss.item() == pytest.approx(nll.mean(), rel=1e-12) == nn.cross_entropy(logits, labels).item()
    assert right == (logits.argmax(1) == labels).sum()

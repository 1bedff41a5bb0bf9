"""Every model on every device: updates, state, evaluation, the same numbers; and how often an update crosses over.

A new model is one entry of MODELS: how it is made on a device, and the budget of one of its updates.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from minirnn import data
from minirnn.array import device_of, to_device
from minirnn.data.glove import WordVectors
from minirnn.models import registry
from minirnn.models.language_model import memory
from minirnn.models.language_model.task import LanguageModelConfig, LanguageModelTask, load_corpus, sample_text
from minirnn.models.sentiment.task import SentimentConfig, SentimentTask
from minirnn.models.tagger.task import TaggerConfig, TaggerTask
from minirnn.models.temporal_order.task import TemporalOrderConfig, TemporalOrderTask
from minirnn.train import Clock
from minirnn.train.checkpoint import checkpoints
from minirnn.train.loop import Loop
from minirnn.train.run_folder import RunFolder
from minirnn.train.state import restore, state_of

SMALL = {"hidden": 6, "batch": 4, "epochs": 2, "rate": 0.25, "dtype": "float64", "seed": 3, "kernels": "explicit"}


def language_model(device, text, **settings):
    config = LanguageModelConfig.of(**{
        **SMALL, "level": "char", "data": "text", "text": text, "embedding": 5, "window": 9, "clip": 0.5,
        "optimizer": "adam", "lr": 0.02, "device": device, **settings})
    return LanguageModelTask(config, load_corpus(config))


def tagger(device, text):
    config = TaggerConfig.of(**SMALL, data="ner-templates", filters=7, window_words=8, device=device,
                          forward_dropout=(0.1, 0.2))
    sentences = data.load("ner-templates", "twin")
    sentences = replace(sentences, **{part: getattr(sentences, part)[:12] for part in ("train", "valid", "test")})
    words = sorted({word for s in sentences.train for word in s.words})
    vectors = np.random.default_rng(0).standard_normal((len(words), 5)).astype(np.float32)
    number = {word: k for k, word in enumerate(words)}
    return TaggerTask(config, sentences, WordVectors("random", "generated", number, vectors))


def sentiment(device, text):
    config = SentimentConfig.of(**SMALL, data="sentiment-grammar", vectors="random", vector_size=5, epoch_updates=2,
                             weak_epochs=1, train_vectors=True, device=device)
    return SentimentTask(config, data.load("sentiment-grammar", weak=20, train=20, valid=12, test=12))


def temporal_order(device, text):
    return TemporalOrderTask(TemporalOrderConfig.of(**SMALL, test=20, fixed=3, device=device))


class Model(NamedTuple):
    """How a task is made on a device, and the most that one update may cross: ids, targets and each mask go up; the
    loss and the norm are waited for; classes come down to be counted."""

    make: object
    up: int
    down: int
    sync: int


MODELS = {
    "char-lm": Model(language_model, up=3, down=0, sync=2),  # ids, targets, the mask of recurrent dropout
    "word-lm": Model(lambda device, text: language_model(device, text, level="word", window=5), up=3, down=0, sync=2),
    "language model with forward dropout": Model(
        lambda device, text: language_model(device, text, forward_dropout=(0.1, 0.2)), up=5, down=0, sync=2),
    "language model without dropout": Model(
        lambda device, text: language_model(device, text, rate=0.0), up=2, down=0, sync=2),
    "tagger": Model(tagger, up=9, down=1, sync=2),
    "sentiment": Model(sentiment, up=6, down=1, sync=2),
    "temporal-order": Model(temporal_order, up=3, down=1, sync=2),
}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "own.txt"
    path.write_text("ann and bob went to the sea\ncy or bob went to the old mill\n" * 20)
    return str(path)


def test_every_registered_model_is_here():
    assert set(registry.MODELS) <= set(MODELS)


def begin(task):
    """The Clock at the first update."""
    task.phases()[0].enter()
    return Clock()


def update(task, clock):
    measured = task.phases()[clock.phase].update(clock)
    clock.position, clock.step = clock.position + 1, clock.step + 1
    return measured


def numbers_of(task):
    """What two updates, an evaluation and a test find, and the parameters; the second update is made twice, from the
    same state."""
    clock = begin(task)
    first = update(task, clock)
    kept, then = state_of(task.parts()), clock.state_dict()
    update(task, clock)
    restore(task.parts(), kept)
    clock.load_state_dict(then)
    second = update(task, clock)
    found = {**{f"first {k}": v for k, v in first.items()}, **{f"second {k}": v for k, v in second.items()}}
    evaluated = task.phases()[0].evaluate(clock)
    found |= {f"valid {k}": v for k, v in evaluated.items()} | {f"test {k}": v for k, v in task.test().items()}
    assert all(device_of(p.value) == task.model.parameters()[0].device for p in task.model.parameters())
    return found, task.parameters()


@pytest.mark.parametrize("name", MODELS)
def test_a_model_trains_and_is_evaluated_the_same_on_every_device(name, device, text):
    found, parameters = numbers_of(MODELS[name].make(device, text))
    expected, at_home = numbers_of(MODELS[name].make("cpu", text))
    assert found.keys() == expected.keys() and parameters.keys() == at_home.keys()
    for key, value in expected.items():
        assert found[key] == (pytest.approx(value, rel=1e-9) if isinstance(value, float) else value), key
    for key, value in at_home.items():
        np.testing.assert_allclose(parameters[key], value, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_an_update_crosses_no_more_often_than_its_budget(name, text, traffic):
    model = MODELS[name]
    task = model.make("cuda", text)
    clock = begin(task)
    update(task, clock)
    traffic.clear()
    update(task, clock)
    found = traffic.totals()
    assert found == {"up": model.up, "down": model.down, "sync": model.sync}, f"{found}:\n{traffic.report()}"


SAMPLED = {"word-lm": "ann went", "char-lm": "ann", "tagger": "Ann lives here", "sentiment": "the film was good",
           "temporal-order": "CACDCDBDCDCDDCC"}


@pytest.mark.parametrize("name", [name for name in registry.MODELS if registry.stem_of(name, "sample")])
def test_a_run_is_saved_loaded_and_sampled_from_on_every_device(name, device, text, tmp_path):
    """A checkpoint of a run on the device, loaded there: what is sampled is what the same run at home samples."""
    made = []
    for where, place in (("there", device), ("home", "cpu")):
        task = MODELS[name].make(place, text)
        folder = RunFolder.create(tmp_path / where, name, {
            "layout": 2, "model": name, "config": task.config.to_json(), "data_fingerprint": ""}, task.files())
        with folder:
            Loop(task, folder, quiet=True).start()
        assert checkpoints(folder.checkpoints) == ["step-000000000"]
        module = registry.stem_of(name, "sample")
        asked = {"prime": SAMPLED[name], "length": 8} if name.endswith("lm") else {"text": SAMPLED[name]}
        made.append(module.sample(registry.load(folder.path), module.Options(**asked))["sample.txt"])
    assert made[0] == made[1] and made[0]


def test_a_drawn_symbol_costs_an_id_up_and_one_number_home(text, traffic):
    task = language_model("cuda", text)
    traffic.clear()
    there = sample_text(task.model, task.corpus.vocab, "ann", 10, seed=4)
    assert traffic.totals() == {"up": 10, "down": 0, "sync": 10}, traffic.report()
    home = language_model("cpu", text)
    assert there == sample_text(home.model, home.corpus.vocab, "ann", 10, seed=4)
    assert sample_text(task.model, task.corpus.vocab, "", 5, temperature=0)


def test_the_cell_norms_of_the_memory_argument_come_home(device, text):
    task = language_model(device, text)
    here = memory.cell_norms(language_model("cpu", text).model, task.config, task.corpus.valid, windows=2)
    there = memory.cell_norms(task.model, task.config, task.corpus.valid, windows=2)
    np.testing.assert_allclose(there, here, rtol=1e-10)


@pytest.mark.parametrize(("cell", "forth", "back"), [("lstm", 23, 32), ("gru", 23, 32), ("rnn", 6, 10)])
def test_an_explicit_step_makes_so_many_arrays(cell, forth, back, traffic):
    """Each is a launch on a GPU; slices, which are not, do not count."""
    from minirnn import bptt, cells

    kinds = {"lstm": cells.LSTM(), "gru": cells.GRU(), "rnn": cells.RNN()}[cell]
    draw, K = np.random.default_rng(0), len(kinds.gates)

    def made(T):
        put = lambda *shape: to_device(draw.standard_normal(shape), "cuda")
        weights = cells.Weights(put(K * 3, 4), put(K * 3, 3), put(K * 3), put(K * 3))
        traffic.clear()
        run = bptt.forward(kinds, put(T, 2, 4), [put(2, 3) for _ in kinds.states], weights)
        ahead, _ = traffic.made, traffic.clear()
        bptt.backward(run, put(T, 2, 3))
        return np.array([ahead, traffic.made])

    assert (made(9) - made(8)).tolist() == [forth, back]

"""Training of the tagger of thesis sec. 3.4.4: samples, evaluation, runs, its table and configuration."""

from dataclasses import replace

import numpy as np
import pytest

from minirnn import nn, ops
from minirnn.array import stream
from minirnn.autograd import Tensor
from minirnn.data.glove import WordVectors
from minirnn.data.tagged_sentences import TYPES, Sentence, TaggedSentences, tags_of
from minirnn.errors import InputError
from minirnn.metrics import entity_f1
from minirnn.models import registry
from minirnn.models.tagger import task as tagging
from minirnn.models.tagger.task import Encoded, TaggerConfig, TaggerTask, evaluate, make, windows
from minirnn.train import Clock, Descent
from minirnn.train.procedure import Interrupted
from minirnn.train.state import restore, state_of
from minirnn.train.supervised import pad

SMALL = TaggerConfig.of(
    data="ner-templates", vectors_source="twin", hidden=12, filters=16, batch=16, epochs=3, lr=0.01,
    window_words=8, log_every=5, checkpoint_every=7,
)


# ------------------------------------------------------------------------------------------- data and training


def numbered(*lengths):
    """Encoded sentences whose every word is another number."""
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return [Encoded(*(np.arange(a, b) + k for k in range(3))) for a, b in zip(starts, starts[1:])]


def test_padding_keeps_every_word_in_its_place():
    (words, capitals, tags), lengths = pad(numbered(2, 4, 1))
    np.testing.assert_array_equal(words, [[0, 2, 6], [1, 3, 0], [0, 4, 0], [0, 5, 0]])
    np.testing.assert_array_equal(lengths, [2, 4, 1])
    inside = np.arange(4)[:, None] < lengths
    for array, k in ((capitals, 1), (tags, 2)):
        np.testing.assert_array_equal(array, np.where(inside, words + k, 0))


def test_windows_are_consecutive_and_reach_every_word():
    sentences = numbered(3, 15, 17, 40)
    starts = [set(), set(), set(), set()]
    for draw in range(400):
        for place, (sample, whole) in enumerate(zip(windows(sentences, 15, stream(0, "windows", draw)), sentences)):
            start = int(sample.words[0] - whole.words[0])
            starts[place].add(start)
            for part, of in zip(sample, whole):
                np.testing.assert_array_equal(part, of[start : start + 15])
            assert len(sample.words) == min(15, len(whole.words))
    assert starts == [{0}, {0}, {0, 1, 2}, set(range(26))]


@pytest.fixture(scope="module")
def task():
    return make(SMALL)


def test_every_epoch_has_one_window_of_each_sentence_in_another_order(task):
    def epoch(number):
        first = number * task.updates
        return [s for position in range(task.updates) for s in task.batch(position, first + position)]

    lengths = sorted(min(len(s.words), 8) for s in task.train)
    one, two = epoch(0), epoch(1)
    assert sorted(len(s.words) for s in one) == sorted(len(s.words) for s in two) == lengths
    assert [s.words.tolist() for s in one] != [s.words.tolist() for s in two]
    assert [s.words.tolist() for s in epoch(0)] == [s.words.tolist() for s in one]  # as after an interruption
    assert task.updates == 125 and task.per_update == round(sum(lengths) / 125)


def test_evaluation_restores_words_to_their_sentences(task):
    """A tagger that knows the tag of every word: F1 of the sentences as they are, whatever the batches."""

    class Oracle:
        classes, output, eval = 6, task.model.output, lambda self: self

        def __call__(self, words, capitals, lengths, *, beyond=None, streams=None):
            return Tensor(np.eye(9)[words % 9] * 50)

    rng = np.random.default_rng(0)
    sentences = [Encoded(rng.integers(900, size=n), np.zeros(n, int), None) for n in rng.integers(1, 30, 150)]
    sentences = [s._replace(tags=np.where(rng.random(len(s.words)) < 0.8, s.words % 9, 0)) for s in sentences]
    names = lambda numbers: [task.tags[k] for k in numbers]
    expected = entity_f1([names(s.tags) for s in sentences], [names(s.words % 9) for s in sentences])
    scores, loss = evaluate(Oracle(), sentences, task.tags)
    assert scores.scores().f1 == expected and 30 < expected < 90
    wrong = np.mean(np.concatenate([s.tags != s.words % 9 for s in sentences]))
    assert loss == pytest.approx(50 * wrong, rel=1e-6)
    task.stop = True
    with pytest.raises(Interrupted):
        evaluate(Oracle(), sentences, task.tags, task.watched)
    task.stop = False


def majority_f1(sentences):
    """F1 when every word has its most frequent tag in training, O for a new one."""
    counts = {}
    for sentence in sentences.train:
        for word, tag in zip(*sentence):
            counts.setdefault(word, {}).setdefault(tag, 0)
            counts[word][tag] += 1
    usual = {word: max(tags, key=tags.get) for word, tags in counts.items()}
    return entity_f1([s.tags for s in sentences.test], [[usual.get(w, "O") for w in s.words] for s in sentences.test])


def tiny_sentences():
    """Two types of names, told apart by the word after; half of the names of the test are new."""
    rng = np.random.default_rng(0)
    verbs = {"PER": ("smiled", "spoke", "slept"), "LOC": ("streets", "suburbs", "hills")}

    def sentence(names):
        words, tags = ["the", "and", "a"][: rng.integers(1, 4)], []
        tags += ["O"] * len(words)
        for _ in range(rng.integers(1, 3)):
            kind = ("PER", "LOC")[rng.integers(2)]
            size = rng.integers(1, 3)
            words += [f"N{rng.integers(names)}x" for _ in range(size)] + [verbs[kind][rng.integers(3)], "."]
            tags += [f"B-{kind}", f"I-{kind}"][:size] + ["O", "O"]
        return Sentence(tuple(words), tuple(tags))

    parts = [tuple(sentence(names) for _ in range(count)) for count, names in ((240, 40), (60, 80), (60, 80))]
    made = TaggedSentences("tiny", "generated", tags_of(TYPES), *parts)
    words = sorted({w for part in parts for s in part for w in s.words})
    vectors = WordVectors("random", "generated", {w: k for k, w in enumerate(words)},
                          rng.standard_normal((len(words), 8)).astype(np.float32))
    return made, vectors


def test_training_beats_the_most_frequent_tag_of_each_word():
    sentences, vectors = tiny_sentences()
    config = SMALL.but(lr=0.02, hidden=24, filters=32, forward_dropout=(0.1, 0.1))
    task = TaggerTask(config, sentences, vectors)
    for step in range(8 * task.updates):
        task.update(Clock(position=step % task.updates, step=step))
    baseline = majority_f1(sentences)
    assert task.validate(None)["valid_f1"] > 80
    result = task.test()
    assert 0 < baseline < 50 < 80 < result["test_f1"]
    assert set(result["test_f1_by_type"]) == {"LOC", "PER"}


def test_every_setting_reaches_the_model():
    config = SMALL.but(rate=0.3, scheme="gal", sampling="per_sequence", scaling="inverted", activation="tanh",
                     conv_activation="relu", kernel=3, filters=7, hidden=5, capitals=False, forward_dropout=(0.1, 0.4),
                     init=0.01, dtype="float64", kernels="explicit")
    model = TaggerTask(config, *tiny_sentences()).model
    assert model.recurrent.recurrent_dropout == nn.RecurrentDropout("gal", 0.3, "per_sequence", "inverted")
    assert model.recurrent.cell.activation == "tanh" and model.activation is ops.relu
    other = TaggerTask(SMALL.but(conv_activation="tanh"), *tiny_sentences()).model
    assert other.recurrent.cell.activation == "relu" and other.activation is ops.tanh and other.classes == 6
    assert model.convolution.weight.shape == (7, 8, 3) and model.classes == 0 and model.recurrent.kernels == "explicit"
    assert (model.input_dropout.rate, model.output_dropout.rate, model.recurrent.hidden_size) == (0.1, 0.4, 5)
    assert model.table.dtype == np.float64 and np.abs(model.output.weight.value).max() <= 0.01


def test_a_higher_f1_is_a_better_score():
    task = TaggerTask(SMALL.but(lr=0.02, hidden=24, filters=32), *tiny_sentences())
    ends = []
    for epoch in range(4):
        task.begin_epoch()
        for position in range(task.updates):
            task.update(Clock(position=position, step=epoch * task.updates + position))
        ends.append(task.evaluate(None))
    first, best = ends[0], max(ends, key=lambda end: end["valid_f1"])
    assert best["valid_f1"] > first["valid_f1"] and best["score"] < first["score"]


def test_a_run_is_complete_repeats_and_resumes(tmp_path, monkeypatch):
    sentences, vectors = tiny_sentences()
    config = SMALL.but(epochs=2, rate=0.25)
    make = lambda: TaggerTask(config, sentences, vectors)
    monkeypatch.setattr(tagging, "make", lambda *arguments: make())
    whole = registry.run("tagger", config.to_json(), tmp_path / "whole", quiet=True).result
    assert {"valid_f1", "valid_loss", "test_f1", "test_precision", "test_recall", "test_loss"} <= set(whole)
    assert whole["data"]["name"] == "tiny with random" and whole["data"]["known_words"] == 1.0
    assert whole["updates"] == 2 * 15 and "words_per_second" in whole
    task, begun = make(), make()
    for step in range(20):  # one epoch and a part
        if step == 15:
            task.begin_epoch()
        task.update(Clock(position=step % 15, step=step))
    restore(begun.parts(), state_of(task.parts()))
    assert begun.progress() == task.progress()
    for one in (task, begun):
        for step in range(20, 30):
            one.update(Clock(position=step % 15, step=step))
    assert begun.evaluate(None) == task.evaluate(None) and begun.test() == task.test()
    again = registry.run("tagger", config.to_json(), tmp_path / "again", quiet=True).result
    assert again["chain"] == whole["chain"] and again["test_f1"] == whole["test_f1"]


def test_the_vectors_and_coverage_are_part_of_the_result(task):
    assert task.data["name"] == "ner-templates with glove.6B.50d.subset"
    assert task.data["origin"] == "generated, vectors: generated twin"
    assert 0.8 < task.data["known_words"] < 1 and task.data["words"] == len(task.model.table.value)
    sentences, vectors = tiny_sentences()
    other = replace(vectors, vectors=vectors.vectors + 1)
    prints = {TaggerTask(SMALL, sentences, v).data["fingerprint"] for v in (vectors, other, vectors)}
    assert len(prints) == 2


def test_the_default_configuration_is_the_recipe_of_the_thesis():
    config = TaggerConfig()
    assert (config.hidden, config.filters, config.kernel, config.window_words) == (1024, 256, 5, 15)
    assert config.descent == Descent("adam", 1e-3, clip=10.0, schedule="epoch-decay", decay=0.95)
    assert (config.forward_dropout, config.activation, config.epochs) == ((0.2, 0.5), "relu", 50)
    assert TaggerConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    "change, message",
    [
        ({"data": "ptb"}, "data must be one of conll2003, ner-templates, got 'ptb'"),
        ({"vectors": "word2vec"}, "vectors must be one of glove"),
        ({"vectors_source": "here"}, "vectors_source must be one of search, local, twin"),
        ({"cell": "gru"}, "cell must be one of lstm"),
        ({"activation": "sin"}, "activation must be one of relu, tanh"),
        ({"kernel": 4}, "kernel must be odd, got 4"),
        ({"kernel": 0}, "kernel must be an integer of at least 1"),
        ({"window_words": 0}, "window_words must be an integer of at least 1"),
        ({"capitals": 2}, "capitals must be true or false, got 2"),
        ({"lr": None}, "lr must be a positive number"),
        ({"init": -1.0}, "init must be a positive number"),
    ],
)
def test_bad_configurations_are_named(change, message):
    with pytest.raises(InputError, match=message):
        SMALL.but(**change)

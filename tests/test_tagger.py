"""The tagger of thesis sec. 3.4.4: its gradient, padding, samples, training, configuration."""

from dataclasses import replace

import numpy as np
import pytest

from minirnn import nn, ops
from minirnn.array import Streams, stream
from minirnn.autograd import Tensor, no_grad
from minirnn.data.glove import WordVectors
from minirnn.data.tagged_sentences import TYPES, Sentence, TaggedSentences, tags_of
from minirnn.errors import DtypeError, InputError
from minirnn.experiments import ner
from minirnn.experiments.experiment import Results
from minirnn.metrics import entity_f1
from minirnn.models.tagger import Tagger
from minirnn.train.execute import train_or_resume
from minirnn.train.tagging import Encoded, TaggerConfig, TaggerTask, evaluate, forward, make_task, pad, windows

SMALL = TaggerConfig(
    data="ner-templates", vectors_source="twin", hidden=12, filters=16, batch=16, epochs=3, lr=0.01,
    window_words=8, log_every=5, checkpoint_every=7,
)  # fmt: skip


def tagger(seed=0, dtype=np.float64, **options):
    """5 tags, 11 words of 4 numbers, 3 classes; sizes all different."""
    rng = np.random.default_rng(seed)
    sizes = {"classes": 3, "filters": 6, "kernel": 3, "hidden": 7, **options}
    return Tagger(rng.standard_normal((11, 4)), 5, rng=rng, dtype=dtype, **sizes)


def batch(rng, lengths, classes=3):
    words = rng.integers(11, size=(max(lengths), len(lengths)))
    return words, rng.integers(classes, size=words.shape), np.array(lengths)


# ----------------------------------------------------------------------------------------------- the model


@pytest.mark.parametrize("activation, scheme", [("relu", "gal"), ("relu", "moon"), ("relu", "ours"), ("tanh", "ours")])
def test_gradients_of_the_whole_tagger_equal_central_differences(activation, scheme):
    """thesis (3.3.5) and (3.3.7), f relu or tanh; forward dropout (3.3.15), recurrent dropout (3.3.8)-(3.3.10)."""
    rng = np.random.default_rng(1)
    model = tagger(activation=activation, conv_activation=activation, forward_dropout=(0.2, 0.5),
                   recurrent_dropout=(scheme, 0.3)).train()  # fmt: skip
    words, capitals, lengths = batch(rng, [5, 2, 4])
    cotangent = rng.standard_normal((5, 3, 5))

    def value():
        return (model(words, capitals, lengths, Streams(3)) * Tensor(cotangent)).sum()

    value().backward()
    for name, parameter in model.named_parameters():
        kept, numeric = parameter.value, np.empty(parameter.shape)
        for index in np.ndindex(parameter.shape):
            ends = []
            for step in (1e-5, -1e-5):
                parameter.value = kept.copy()
                parameter.value[index] += step
                with no_grad():
                    ends.append(value().item())
            numeric[index] = (ends[0] - ends[1]) / 2e-5
        parameter.value = kept
        scale = max(1, np.abs(numeric).max())
        np.testing.assert_allclose(parameter.grad.value, numeric, rtol=0, atol=1e-7 * scale, err_msg=name)
        assert np.abs(numeric).max() > 1e-3, f"{name} has no influence"


def test_word_vectors_are_saved_but_not_trained():
    model = tagger()
    assert [name for name, _ in model.named_buffers()] == ["table"] and "table" in model.state_dict()
    assert not any(name.startswith("table") for name, _ in model.named_parameters())


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_sentence_has_the_same_output_alone_and_in_a_padded_batch(kernel):
    rng = np.random.default_rng(2)
    model = tagger(kernel=kernel).eval()
    words, capitals, lengths = batch(rng, [3, 9, 1, 6])  # what is behind a sentence's end is not zero here
    together = model(words, capitals, lengths).value
    for b, n in enumerate(lengths):
        alone = model(words[:n, b : b + 1], capitals[:n, b : b + 1]).value
        np.testing.assert_allclose(together[:n, b], alone[:, 0], rtol=0, atol=1e-12)


def test_padding_has_no_influence_on_the_loss_or_any_gradient():
    rng = np.random.default_rng(3)
    model = tagger().eval()
    sentences = [Encoded(*(rng.integers(limit, size=n) for limit in (11, 3, 5))) for n in (4, 2, 7)]
    _, loss, _, inside = forward(model, sentences)
    loss.backward()
    together = {name: p.grad.value for name, p in model.named_parameters()}
    model.zero_grad()
    total = 0.0
    for sentence in sentences:
        _, one, _, _ = forward(model, [sentence])
        total += one.item() * len(sentence.words)
        (one * len(sentence.words)).backward()
    assert inside.sum() == 13 and loss.item() == pytest.approx(total / 13, rel=1e-12)
    for name, p in model.named_parameters():
        np.testing.assert_allclose(together[name], p.grad.value / 13, rtol=0, atol=1e-12)


def test_a_word_sees_half_a_kernel_to_the_right_and_everything_to_the_left():
    rng = np.random.default_rng(4)
    model = tagger(kernel=5).eval()
    words, capitals, _ = batch(rng, [9])
    before = model(words, capitals).value
    for place in range(9):
        changed = words.copy()
        changed[place] = (changed[place] + 1) % 11
        moved = np.abs(model(changed, capitals).value - before).max(axis=(1, 2)) > 0
        assert moved[max(place - 2, 0) :].all() and not moved[: max(place - 2, 0)].any()


def test_the_layers_are_those_of_the_thesis():
    """Without dropout: an explicit window of vectors and one-hot classes, relu, the LSTM, a linear map."""
    rng = np.random.default_rng(5)
    model = tagger(kernel=3).eval()
    words, capitals, _ = batch(rng, [4])
    x = np.concatenate([model.table.value[words[:, 0]], np.eye(3)[capitals[:, 0]]], axis=1)  # (T, D + classes)
    around = np.concatenate([np.zeros((1, 7)), x, np.zeros((1, 7))])
    weight, bias = model.convolution.weight.value, model.convolution.bias.value  # (filters, D + classes, k)
    filtered = [np.maximum(np.einsum("ock,kc->o", weight, around[t : t + 3]) + bias, 0) for t in range(4)]
    h, _ = model.recurrent(Tensor(np.array(filtered)[:, None]))
    expected = h.value @ model.output.weight.value.T + model.output.bias.value
    np.testing.assert_allclose(model(words, capitals).value, expected, rtol=0, atol=1e-12)
    assert model.recurrent.cell.activation == "relu"


def record_inputs(layer):
    """A list to which the layer will add what it is called with."""
    seen, original = [], layer.forward
    layer.forward = lambda x: (seen.append(x.value), original(x))[1]
    return seen


def test_forward_dropout_acts_on_inputs_and_outputs_with_its_own_rate():
    rng = np.random.default_rng(6)
    words, capitals, lengths = batch(rng, [4, 3])
    for rates, child in (((0.4, 0.0), "convolution"), ((0.0, 0.4), "output")):
        model = tagger(forward_dropout=rates)
        seen = record_inputs(getattr(model, child))
        model.eval()(words, capitals, lengths)
        model.train()(words, capitals, lengths, Streams(0))
        before, after = seen
        kept = after != 0
        np.testing.assert_allclose(after[kept], before[kept] / 0.6, rtol=1e-12)
        assert 0.2 < (kept[before != 0]).mean() < 0.95
        np.testing.assert_array_equal(model.eval()(words, capitals).shape, (4, 2, 5))


def test_initial_parameters_are_the_layers_own_or_uniform():
    assert np.abs(tagger(init=0.03).output.bias.value).max() > 0
    assert max(np.abs(p.value).max() for p in tagger(init=0.03).parameters()) <= 0.03
    own = tagger()
    np.testing.assert_array_equal(own.recurrent.bias_ih_l0.value[7:14], 1)  # b_f
    assert not own.output.bias.value.any()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m, w, c, n: tagger(kernel=4), "kernel must be a positive odd int, got 4"),
        (lambda m, w, c, n: tagger(conv_activation="sin"), "conv_activation must be 'relu' or 'tanh', got 'sin'"),
        (lambda m, w, c, n: tagger(activation="sin"), "activation must be 'tanh' or 'relu'"),
        (lambda m, w, c, n: tagger(forward_dropout=(0.2, 1.0)), r"rate must be a number in \[0, 1\)"),
        (lambda m, w, c, n: Tagger(np.zeros(3), 2), r"table must be \(V, D\)"),
        (lambda m, w, c, n: m(w + 9, c, n), r"ids must be in \[0, V\) = \[0, 11\)"),
        (lambda m, w, c, n: m(w, c + 3, n), r"ids must be in \[0, V\) = \[0, 3\)"),
        (lambda m, w, c, n: m(w, c[:2], n), r"capitals must be words' \(T, B\) = \(4, 2\), got \(2, 2\)"),
        (lambda m, w, c, n: m(w[:, 0], c[:, 0], n), r"words must be \(T, B\), got \(4,\)"),
        (lambda m, w, c, n: m(w, None, n), "capitals must be None without classes .* got None"),
        (lambda m, w, c, n: tagger(classes=0)(w, c, n), "capitals must be None without classes .* got an array"),
        (lambda m, w, c, n: m(w, c, [4]), r"lengths must be \(B,\) = \(2,\), got \(1,\)"),
        (lambda m, w, c, n: m(w, c, [4, 9]), "lengths must be in 1..T = 1..4, got 9"),
    ],
)
def test_bad_arguments_are_named(call, message):
    words, capitals, lengths = batch(np.random.default_rng(0), [4, 2])
    words[0, 0] = 5
    with pytest.raises((InputError, DtypeError), match=message):
        call(tagger(), words, capitals, lengths)


@pytest.mark.parametrize("stride, padding, length", [(1, 0, 4), (2, 1, 4), (1, "causal", 6)])
def test_conv1d_is_the_operation_with_weights_of_its_own(stride, padding, length):
    layer = nn.Conv1d(3, 5, 3, stride, padding, rng=0, dtype=np.float64)
    assert layer.weight.shape == (5, 3, 3) and layer.bias.shape == (5,) and not layer.bias.value.any()
    assert np.abs(layer.weight.value).max() <= np.sqrt(6 / (9 + 15))  # Glorot, a kernel of 3 in both fans
    layer.bias.value = np.arange(5.0)
    x = np.random.default_rng(0).standard_normal((2, 3, 6))
    y = layer(Tensor(x)).value
    left = {0: 0, 1: 1, "causal": 2}[padding]
    around = np.pad(x, ((0, 0), (0, 0), (left, 0 if padding == "causal" else left)))
    expected = [np.einsum("nck,ock->no", around[:, :, t * stride : t * stride + 3], layer.weight.value)
                for t in range(length if stride == 1 else 3)]  # fmt: skip
    np.testing.assert_allclose(y, np.moveaxis(expected, 0, -1) + np.arange(5.0)[:, None], rtol=0, atol=1e-12)
    assert nn.Conv1d(3, 5, 1, bias=False).bias is None
    with pytest.raises(InputError, match="Conv1d: kernel_size must be a positive int, got 0"):
        nn.Conv1d(3, 5, 0)


def test_table_3_4_holds_the_numbers_of_the_thesis_and_its_recipe():
    rows = {row.key: row for row in ner.EXPERIMENT.rows}
    assert len(rows) == 28 and rows["none"].reported == {"valid": 88.56, "test": 84.46}
    assert rows["ours-0.25-sequence"].reported == {"valid": 89.32, "test": 84.95}
    assert rows["forward-moon-0.5-sequence"].reported == {"valid": 89.61, "test": 86.39}
    assert rows["forward-gal-0.25-step"].reported == {"valid": 91.06, "test": 87.05}
    best = {scheme: max((key for key in rows if key.startswith(scheme)), key=lambda k: rows[k].reported["test"])
            for scheme in ("moon", "gal", "ours")}  # fmt: skip
    assert best == {"moon": "moon-0.25-step", "gal": "gal-0.25-sequence", "ours": "ours-0.25-sequence"}  # its bold type
    config = ner.EXPERIMENT.configure(rows["forward-ours-0.5-step"], ner.EXPERIMENT.scales["paper"], 2)
    assert config == TaggerConfig(rate=0.5, scheme="ours", sampling="per_step", seed=2)
    without = ner.EXPERIMENT.configure(rows["none"], ner.EXPERIMENT.scales["paper"], 0)
    assert without.forward_dropout == (0.0, 0.0) and without.rate == 0


def test_claims_about_the_table_hold_of_the_numbers_of_the_thesis():
    runs = {row.key: [{"valid_f1": row.reported["valid"], "test_f1": row.reported["test"]}]
            for row in ner.EXPERIMENT.rows if row.reported}  # fmt: skip
    judged = [held for _, held in Results(ner.EXPERIMENT, runs).judge("classroom")]
    assert judged == [True] * 6 + [None] * 2  # the thesis has no rows without the window or the capitals


# ------------------------------------------------------------------------------------------- data and training


def numbered(*lengths):
    """Encoded sentences whose every word is another number."""
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return [Encoded(*(np.arange(a, b) + k for k in range(3))) for a, b in zip(starts, starts[1:])]


def test_padding_keeps_every_word_in_its_place():
    words, capitals, tags, lengths = pad(numbered(2, 4, 1))
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
    return make_task(SMALL)


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

        def __call__(self, words, capitals, lengths, rng):
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
    assert evaluate(Oracle(), sentences, task.tags, stop=True) is None


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
                          rng.standard_normal((len(words), 8)).astype(np.float32))  # fmt: skip
    return made, vectors


def test_training_beats_the_most_frequent_tag_of_each_word():
    sentences, vectors = tiny_sentences()
    config = replace(SMALL, lr=0.02, hidden=24, filters=32, forward_dropout=(0.1, 0.1))
    task = TaggerTask(config, sentences, vectors)
    for step in range(8 * task.updates):
        assert task.update(step % task.updates, step)["skipped"] is None
    baseline = majority_f1(sentences)
    assert task.end_epoch()["valid_f1"] > 80
    result = task.test()
    assert 0 < baseline < 50 < 80 < result["test_f1"]
    assert set(result["test_f1_by_type"]) == {"LOC", "PER"}


def test_every_setting_reaches_the_model():
    config = replace(SMALL, rate=0.3, scheme="gal", sampling="per_sequence", scaling="inverted", activation="tanh",
                     conv_activation="relu", kernel=3, filters=7, hidden=5, capitals=False, forward_dropout=(0.1, 0.4),
                     init=0.01, dtype="float64", kernels="explicit")  # fmt: skip
    model = TaggerTask(config, *tiny_sentences()).model
    assert model.recurrent.recurrent_dropout == nn.RecurrentDropout("gal", 0.3, "per_sequence", "inverted")
    assert model.recurrent.cell.activation == "tanh" and model.activation is ops.relu
    other = TaggerTask(replace(SMALL, conv_activation="tanh"), *tiny_sentences()).model
    assert other.recurrent.cell.activation == "relu" and other.activation is ops.tanh and other.classes == 6
    assert model.convolution.weight.shape == (7, 8, 3) and model.classes == 0 and model.recurrent.kernels == "explicit"
    assert (model.input_dropout.rate, model.output_dropout.rate, model.recurrent.hidden_size) == (0.1, 0.4, 5)
    assert model.table.dtype == np.float64 and np.abs(model.output.weight.value).max() <= 0.01


def test_a_higher_f1_is_a_better_score():
    task = TaggerTask(replace(SMALL, lr=0.02, hidden=24, filters=32), *tiny_sentences())
    ends = []
    for epoch in range(4):
        task.begin_epoch()
        for position in range(task.updates):
            task.update(position, epoch * task.updates + position)
        ends.append(task.end_epoch())
    first, best = ends[0], max(ends, key=lambda end: end["valid_f1"])
    assert best["valid_f1"] > first["valid_f1"] and best["score"] < first["score"]


def test_a_run_is_complete_repeats_and_resumes(tmp_path):
    sentences, vectors = tiny_sentences()
    config = replace(SMALL, epochs=2, rate=0.25)
    make = lambda: TaggerTask(config, sentences, vectors)
    whole = train_or_resume(tmp_path / "whole", "tagger", config, make, quiet=True).result
    assert {"valid_f1", "valid_loss", "test_f1", "test_precision", "test_recall", "test_loss"} <= set(whole)
    assert whole["data"]["name"] == "tiny with random" and whole["data"]["known_words"] == 1.0
    assert whole["updates"] == 2 * 15 and "words_per_second" in whole
    task, begun = make(), make()
    for step in range(20):  # one epoch and a part
        if step == 15:
            task.begin_epoch()
        task.update(step % 15, step)
    begun.load(task.arrays(), task.numbers())
    assert begun.progress() == task.progress()
    for one in (task, begun):
        for step in range(20, 30):
            one.update(step % 15, step)
    assert begun.end_epoch() == task.end_epoch() and begun.test() == task.test()
    again = train_or_resume(tmp_path / "again", "tagger", config, make, quiet=True).result
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
    assert (config.optimizer, config.lr, config.epochs, config.clip) == ("adam", 1e-3, 50, 10.0)
    assert (config.forward_dropout, config.activation, config.decay) == ((0.2, 0.5), "relu", 0.95)
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
        replace(SMALL, **change)

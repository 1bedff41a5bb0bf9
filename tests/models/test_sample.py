"""What trained models make of new input, from the command line, and the microscope on each of them."""

import json

import numpy as np
import pytest

from minirnn import data
from minirnn.cli import main
from minirnn.data.labelled_texts import CLASSES
from minirnn.inspect.run import inspect_run
from minirnn.models import registry
from minirnn.train.run_folder import RunFolder

SMALL = {
    "tagger": {"hidden": 24, "filters": 48, "epochs": 10, "forward_dropout": (0.1, 0.1), "lr": 0.01},
    "sentiment": {"hidden": 32, "epoch_updates": 80, "weak_epochs": 3, "epochs": 2},
    "temporal-order": {"hidden": 32, "epochs": 40, "lr": 0.01, "length": 15},
    "char-lm": {"hidden": 12, "embedding": 6, "batch": 200, "epochs": 1},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """{model: folder of a small trained run}, each made when it is first asked for."""
    folder, made = tmp_path_factory.mktemp("runs"), {}

    def run(name):
        if name not in made:
            config = registry.configure(name, "quick", **SMALL[name])
            made[name] = registry.train(name, config, folder, name, quiet=True)
        return made[name].path

    return run


def asked(capsys, *argv):
    assert main(["sample", *map(str, argv)]) == 0
    return capsys.readouterr().out


def test_a_trained_tagger_tags_new_text(runs, capsys, tmp_path):
    """Names that no sentence of the data has, told by their capitals and by what stands around them."""
    text = "Zorblat Quimbos Inc supported new profits on Sunday .\nit left the market ."
    out = asked(capsys, runs("tagger"), "--text", text, "--out", tmp_path / "made")
    sentences = [[line.split("\t") for line in part.splitlines()] for part in out.strip().split("\n\n")]
    assert [[word for word, _ in pairs] for pairs in sentences] == [line.split() for line in text.splitlines()]
    tags = dict(pair for pairs in sentences for pair in pairs)
    assert tags["Quimbos"] != "O" and {tags[word] for word in ("supported", "profits", "left", "market", ".")} == {"O"}
    assert (tmp_path / "made/sample.txt").read_text() == out
    made = json.loads(asked(capsys, runs("tagger"), "--text", text, "--json"))
    assert [[(one["word"], one["tag"]) for one in pairs] for pairs in made] == [
        [tuple(pair) for pair in pairs] for pairs in sentences]


def test_a_word_that_the_data_do_not_have_has_the_zero_vector(runs, monkeypatch):
    """And a word in capitals has the vector of the same in small letters."""
    from minirnn.models.tagger import sample

    run, seen = registry.load(runs("tagger")), []
    words, real = run.files["vocabulary.json"]["words"], sample.forward

    def forward(model, batch, beyond):
        seen.append((batch[0].words.tolist(), beyond))
        return real(model, batch, beyond=beyond)

    monkeypatch.setattr(sample, "forward", forward)
    known = next(word for word in words if word.isalpha() and word.islower() and word.capitalize() not in words)
    sample.tags_of(run, [["qqqq", known.capitalize(), known]])
    ((numbers, beyond),) = seen
    assert numbers == [len(words), words.index(known), words.index(known)]
    assert beyond.shape == (1, run.model.table.shape[1]) and not beyond.any()


def test_tags_of_known_sentences_are_those_of_the_evaluation(runs):
    """Words of the validation part, typed as text, get the tags that the loaded model gives them by their numbers."""
    from minirnn.metrics import entity_f1
    from minirnn.models.tagger.sample import tags_of
    from minirnn.models.tagger.task import evaluate, make

    run = registry.load(runs("tagger"))
    task = make(run.config)
    words, names = run.files["vocabulary.json"]["words"], run.files["vocabulary.json"]["tags"]
    sentences = task.valid[:60]
    typed = tags_of(run, [[words[k] for k in sentence.words] for sentence in sentences])
    right = [[names[k] for k in sentence.tags] for sentence in sentences]
    assert entity_f1(right, typed) == evaluate(run.model, sentences, task.tags)[0].scores().f1 > 20


def test_a_classifier_says_the_sentiment_of_new_text(runs, capsys):
    """Texts of the validation part, typed: as often right as the evaluation says, and far better than a guess."""
    run = registry.load(runs("sentiment"))
    texts = data.load("sentiment-grammar").parts["valid"]
    typed = "\n".join(" ".join(words) for words in texts.words)
    found = json.loads(asked(capsys, runs("sentiment"), "--text", typed, "--json"))
    assert all(sum(one["shares"].values()) == pytest.approx(1, abs=1e-5) for one in found)
    assert all(one["class"] == max(one["shares"], key=one["shares"].get) for one in found)
    right = np.mean([CLASSES.index(one["class"]) == label for one, label in zip(found, texts.labels)])
    evaluated = RunFolder.open(run.path).read_result()["valid_accuracy"]
    assert 100 * right == pytest.approx(evaluated, abs=0.5) and right > 0.5
    assert asked(capsys, runs("sentiment"), "--text", "the song was polished").count("\t") == 2


def test_the_order_of_two_symbols_is_told(runs, capsys):
    for text in ("CACDCDBDCDCDDCC", "DBCCDCCADDCCDCD", "ACCCDCCCADCCCCC"):
        first, second = [s for s in text if s in "AB"]
        assert asked(capsys, runs("temporal-order"), "--text", text).startswith(first + second)


@pytest.mark.parametrize(("name", "arguments", "message"), [
    ("tagger", [], "--text must be a sentence"),
    ("sentiment", ["--text", "zzzz qqqq"], "a text with a word that the run's data have"),
    ("sentiment", [], "--text must be a text"),
    ("temporal-order", ["--text", "AXB"], "made of A, B, C, D"),
    ("tagger", ["--prime", "x"], "option must be one that it has, got '--prime'"),
    ("char-lm", ["--length", "-1"], "length must be an integer of at least 0"),
    ("char-lm", ["--temperature", "nan"], "temperature must be 0 or a positive number"),
])
def test_what_cannot_be_sampled_is_one_line(name, arguments, message, runs, capsys):
    assert main(["sample", str(runs(name)), *arguments]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


@pytest.mark.parametrize("name", [name for name in SMALL if name != "char-lm"])
def test_the_microscope_looks_into_every_model(name, runs):
    """Gate gradients at every step of a batch of the run's data, through every checkpoint; the loss is the model's."""
    shown = inspect_run(runs(name), spectra=0, steps=6, batch=3)
    assert shown.frames and len(shown.symbols) == 6 and "units, on" in shown.subject
    first, last = shown.frames[0].layers[0], shown.frames[-1].layers[0]
    assert first.contents["h"].shape[0] == 7 and last.gate_gradients["i"].shape[-1] == 6
    assert (last.gate_gradients["i"] > 0).any()
    assert all(float(frame.facts.split()[4]) > 0 for frame in shown.frames)

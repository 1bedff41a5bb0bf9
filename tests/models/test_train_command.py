"""``minirnn train`` and ``minirnn sample``: options, messages, exit status."""

import json

import pytest

from minirnn import nn
from minirnn.cli import main
from minirnn.models import registry
from minirnn.models.language_model.task import LanguageModelTask
from minirnn.train import NonFinite

TINY = ["--hidden", "8", "--embedding", "4", "--batch", "4", "--window", "20", "--epochs", "1", "--kernels", "explicit"]


@pytest.fixture
def text(config):
    """The text file of the tiny configuration."""
    return config.text


def test_train_sample_and_resume_from_the_command_line(text, tmp_path, capsys):
    runs = ["--runs", str(tmp_path / "runs"), "--name", "first"]
    assert main(["train", "char-lm", "--text", text, *TINY, *runs, "--rate", "0.25", "--seed", "5", "--json"]) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    run = tmp_path / "runs/first"
    assert result == {k: v for k, v in json.loads((run / "result.json").read_text()).items() if k != "sha256"}
    stored = json.loads((run / "config.json").read_text())["config"]
    assert (stored["hidden"], stored["rate"], stored["seed"], stored["descent"]["optimizer"]) == (8, 0.25, 5, "adam")
    assert "epoch 1/1" in err and "\r" not in err and "done: train perplexity" in err
    assert main(["sample", str(run), "--prime", "ann ", "--length", "30", "--json"]) == 0
    sample = json.loads(capsys.readouterr().out)["text"]
    assert sample.startswith("ann ") and len(sample) == 34
    assert main(["sample", str(run), "--prime", "ann ", "--length", "30", "--temperature", "0.8"]) == 0
    assert capsys.readouterr().out == sample + "\n"
    assert main(["train", "--resume", str(run)]) == 0
    assert "is complete" in capsys.readouterr().err
    assert main(["train", "char-lm", "--text", text, *TINY, *runs]) == 2
    assert "go on with 'minirnn train --resume" in capsys.readouterr().err


def test_word_model_on_a_twin_says_so(tmp_path, capsys):
    options = ["--twin", "--quick", "--epochs", "1", "--hidden", "8", "--embedding", "4", "--batch", "200", "--runs"]
    assert main(["train", "word-lm", *options, str(tmp_path)]) == 0
    assert "generated twin, they say nothing about the real data" in capsys.readouterr().err
    result = json.loads((tmp_path / "word-lm-python-help-lstm-1/result.json").read_text())
    assert result["data"]["origin"] == "generated twin"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["word-ml"], "model must be one of word-lm, char-lm"),
        (["word-lm", "--data", "pbt"], "did you mean ptb"),
        (["word-lm", "--data", "mnist"], "data must be a text set"),
        (["char-lm", "--text", "/no/such/file"], "an existing text file"),
        (["word-lm", "--data", "ptb", "--text", "x"], "one at a time, got both"),
        (["word-lm", "--twin", "--text", "x"], "a file of yours has no twin"),
        (["word-lm", "--quick", "--preset", "thesis"], "one at a time"),
        (["word-lm", "--hidden", "0"], "hidden must be an integer of at least 1"),
        (["word-lm", "--lr", "nan"], "lr must be a positive number"),
        (["word-lm", "--window", "99999"], "shorter than one window"),
        (["word-lm", "--train-tokens", "0"], "train_tokens must be an integer of at least 1"),
        (["word-lm", "--train-tokens", "100"], "at least 720 for 20 streams"),
        (["word-lm", "--zoneout", "1.5"], "LSTM: zoneout: rate must be a number in [0, 1)"),
        (["word-lm", "--zoneout", "0.1", "0.1", "--cell", "gru"], "GRU: zoneout must be a rate, got (0.1, 0.1)"),
        (["word-lm", "--zoneout", "0.1", "--cell", "rnn"], "zoneout must be left out for an rnn"),
        (["word-lm", "--scheme", "moon"], "--scheme must be given with a --rate above 0, got none"),
        (["word-lm", "--sampling", "per_step", "--rate", "0"], "--sampling must be given with a --rate above 0"),
        (["word-lm", "--cell", "rnn", "--window", "4", "--stride", "5"], "stride must be at most the window, 4"),
        (["word-lm", "--rate", "1"], "rate must be a number in [0, 1)"),
        (["char-lm", "--limit", "5"], "limit must be None at character level"),
        (["word-lm", "--device", "tpu"], "'cpu', 'cuda' or 'cuda:0'"),
        (["word-lm", "--name", ""], "name must be letters, digits"),
        (["--resume", "/no/such/run"], "a folder with config.json"),
    ],
)
def test_bad_input_is_status_2_with_one_line(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []  # nothing was made


@pytest.mark.parametrize("arguments, message", [
    (["train", "word-lm", "--frob"], "option must be one that it has, got '--frob'"),
    (["train", "word-lm", "--cell", "lst"], f"one of {', '.join(nn.RECURRENT)}, got 'lst'; did you mean lstm"),
    (["train", "word-lm", "--hiden", "8"], "got '--hiden'; did you mean --hidden?"),
    (["train", "tagger", "--window", "8"], "did you mean --window-words?; --window is an option of word-lm, char-lm"),
    (["train", "sentiment", "--level", "char"], "got '--level'; --level is an option of word-lm, char-lm"),
    (["train", "word-lm", "--level", "char"], "got '--level'"),
    (["train", "word-lm", "--lr", "fast"], "--lr must be a number, got 'fast'"),
    (["train", "word-lm", "--hidden", "8.5"], "--hidden must be a whole number, got '8.5'"),
    (["train", "word-lm", "--forward-dropout", "0.5"], "--forward-dropout must have 2 arguments"),
    (["train", "tagger", "--capitals", "maybe"], "must be yes or no, got 'maybe'"),
    (["train", "word-lm", "--preset", "qick"],
     "--preset must be one of classroom, thesis, quick, got 'qick'; did you mean quick?"),
    (["train", "--resume"], "--resume must have one argument"),
    (["train", "--resume", "x", "--epochs", "3"], "train --resume RUN: option must be one that it has, got '--epochs'"),
    (["train", "word-lm", "--quick", "texd"], "option must be one that it has, got 'texd'\n"),
    (["train", "tagger", "--capitals", "maybe"], "--capitals must be yes or no, got 'maybe'"),
    (["train", "word-lm", "--cell", "rnn", "--rate", "0.2", "--scheme", "memory"],
     "scheme must be state or update for rnn, got memory; it has no memory"),
    (["models", "--frob"], "option must be one that it has"),
])
def test_unknown_options_are_status_2_and_name_near_ones(arguments, message, capsys):
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


@pytest.mark.parametrize("name", registry.MODELS)
def test_every_model_has_help_with_true_defaults_in_80_columns(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["train", name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"Example: minirnn train {name}" in shown
    assert max(map(len, shown.splitlines())) <= 80 and "epoch-\n" not in shown
    assert not {"None", "NoneType", "descent.lr"} & set(shown.replace(",", " ").split())
    config = registry.configure(name)
    assert f"default {config.descent.lr}" in shown and f"default {config.epochs}" in shown
    assert main(["train", name, "--quick", "--epochs", "77", "--help"]) == 0
    assert "default 77" in capsys.readouterr().out


def test_a_run_folder_in_a_models_place_is_met_with_resume(tmp_path, capsys):
    (tmp_path / "tagger").mkdir()
    (tmp_path / "tagger" / "config.json").write_text("{}")
    assert main(["train", str(tmp_path / "tagger")]) == 2
    assert f"go on with a run: --resume {tmp_path}/tagger" in capsys.readouterr().err


def test_defaults_in_help_are_those_of_the_cell_and_preset(capsys):
    assert main(["train", "word-lm", "--preset", "thesis", "--cell", "rnn", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for words in ("learning rate, default 0.05", "default 30.0", "backpropagation, default 15", "overlap, default 5"):
        assert words in shown


def test_sample_and_resume_have_help(capsys, text, tmp_path):
    for arguments in (["train", "--resume", "--help"], ["sample", "--help"], ["models", "--help"]):
        assert main(arguments) == 0
        assert "xample" in capsys.readouterr().out
    for arguments in (["sample"], ["sample", "--frob"]):
        assert main(arguments) == 2 and "minirnn sample RUN" in capsys.readouterr().err
    main(["train", "char-lm", "--text", text, *TINY, "--runs", str(tmp_path), "--name", "a", "--silent"])
    assert main(["sample", str(tmp_path / "a"), "--help"]) == 0
    assert "--temperature X" in capsys.readouterr().out


def test_a_run_is_trained_from_the_configuration_of_another_also_an_older_one(text, tmp_path, capsys):
    old = {"task": "language-model", "config": {"level": "char", "data": "text", "text": text, "hidden": 5, "lr": 0.5,
           "embedding": 4, "batch": 4, "window": 20, "epochs": 1, "optimizer": "sgd", "schedule": "constant"}}
    (tmp_path / "config.json").write_text(json.dumps(old))
    run = ["--runs", str(tmp_path), "--silent"]
    assert main(["train", "char-lm", "--config", str(tmp_path / "config.json"), *run, "--name", "a"]) == 0
    again = ["train", "char-lm", "--config", str(tmp_path / "a/config.json"), *run, "--name", "b", "--clip", "none"]
    assert main(again) == 0
    a, b = (registry.load(tmp_path / name).config for name in "ab")
    assert (a.hidden, a.descent.lr, a.descent.clip) == (5, 0.5, 10.0) and b == a.but(clip=None)
    for arguments, message in (
        (["char-lm", "--config", str(tmp_path / "none.json")], "none.json"),
        (["char-lm", "--config", text], "--config must be a JSON file"),
        (["word-lm", "--config", str(tmp_path / "a/config.json")], "must be one of word-lm, got one of char-lm"),
        (["char-lm", "--config", str(tmp_path / "a/result.json")], "--config must be the config.json of a run"),
        (["char-lm", "--quick", "--config", str(tmp_path / "config.json")], "without --preset, got both"),
    ):
        assert main(["train", *arguments]) == 2
        assert message in capsys.readouterr().err


SMALL = {  # quicker than --quick, where that is not enough
    "word-lm": ["--hidden", "8", "--embedding", "4", "--batch", "60", "--epochs", "1"],
    "char-lm": ["--hidden", "8", "--embedding", "4", "--batch", "200", "--epochs", "1"],
    "tagger": ["--hidden", "8", "--filters", "8", "--epochs", "1"],
    "sentiment": ["--hidden", "6", "--epoch-updates", "5", "--weak-epochs", "1", "--epochs", "2"],
    "temporal-order": ["--hidden", "8", "--epochs", "1", "--test", "100"],
}


@pytest.mark.parametrize("name", registry.MODELS)
def test_an_interrupted_run_of_every_model_resumes_with_the_command_that_it_prints(
    name, tmp_path, capsys, stop_at_look, numbers, monkeypatch
):
    start = ["train", name, "--quick", *SMALL.get(name, []), "--runs", str(tmp_path)]
    assert main([*start, "--name", "whole", "--silent"]) == 0
    stop_at_look(4)
    assert main([*start, "--name", "cut"]) == 143
    said = capsys.readouterr().err.splitlines()
    assert said[-2].startswith("interrupted at update 3, checkpoint written")
    command = said[-1].split()
    assert command[:3] == ["minirnn", "train", "--resume"]
    stop_at_look(10**9)
    assert main(command[1:]) == 0
    whole, cut = (json.loads((tmp_path / run / "result.json").read_text()) for run in ("whole", "cut"))
    assert numbers(cut) == numbers(whole)


def test_overview_documents_the_exit_status(capsys):
    assert main(["train", "--help"]) == 0
    text = capsys.readouterr().out
    assert "examples: minirnn train" in text and "130 or 143" in text
    assert main(["train"]) == 2


def test_given_up_run_is_status_1(text, tmp_path, capsys, monkeypatch):
    def skipped(task, clock):
        raise NonFinite("linear: made the first non-finite value", float("nan"), float("nan"))

    monkeypatch.setattr(LanguageModelTask, "update", skipped)
    run = ["--runs", str(tmp_path), "--name", "run"]
    assert main(["train", "char-lm", "--text", text, *TINY, "--epochs", "9", *run]) == 1
    assert "diverged: 50 updates in a row were not finite" in capsys.readouterr().err
    assert main(["train", "--resume", str(tmp_path / "run")]) == 1
    assert "diverged and is not tried again: 50 updates in a row" in capsys.readouterr().err


def test_sampling_from_no_run_or_with_a_strange_prime_is_status_2(text, tmp_path, capsys):
    assert main(["sample", str(tmp_path)]) == 2
    assert "a folder with config.json" in capsys.readouterr().err
    main(["train", "char-lm", "--text", text, *TINY, "--runs", str(tmp_path), "--name", "a", "--silent"])
    assert capsys.readouterr() == ("", "")
    assert main(["sample", str(tmp_path / "a"), "--prime", "☃"]) == 2
    assert "got '☃'" in capsys.readouterr().err

"""``minirnn train`` and ``minirnn sample``: options, messages, exit status."""

import json

import pytest

from minirnn.cli import main

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
    assert result == json.loads((run / "result.json").read_text())
    stored = json.loads((run / "config.json").read_text())["config"]
    assert (stored["hidden"], stored["rate"], stored["seed"], stored["optimizer"]) == (8, 0.25, 5, "adam")
    assert "epoch 1/1" in err and "\r" not in err and "done: valid perplexity" in err
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


@pytest.mark.parametrize("arguments", [["train", "word-lm", "--frob"], ["train", "word-lm", "--cell", "mlp"],
                                       ["train", "--resume"], ["sample", "--frob"], ["sample"]])
def test_unknown_options_are_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2


@pytest.mark.parametrize("arguments", [["train", "word-lm"], ["train", "char-lm"], ["train", "--resume"], ["sample"]])
def test_help_shows_an_example(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--help"])
    assert stop.value.code == 0 and "Example: minirnn" in " ".join(capsys.readouterr().out.split())


def test_overview_documents_the_exit_status(capsys):
    assert main(["train", "--help"]) == 0
    text = capsys.readouterr().out
    assert "examples: minirnn train" in text and "130 or 143" in text
    assert main(["train"]) == 2


def test_given_up_run_is_status_1(text, tmp_path, capsys, monkeypatch):
    from minirnn.train.language_model import LanguageModelTask

    skipped = {"loss": float("nan"), "norm": float("nan"), "skipped": "linear: made the first non-finite value"}
    monkeypatch.setattr(LanguageModelTask, "update", lambda task, position, step: skipped)
    assert main(["train", "char-lm", "--text", text, *TINY, "--epochs", "9", "--runs", str(tmp_path / "runs")]) == 1
    assert "50 updates in a row were not finite" in capsys.readouterr().err


def test_sampling_from_no_run_or_with_a_strange_prime_is_status_2(text, tmp_path, capsys):
    assert main(["sample", str(tmp_path)]) == 2
    assert "a folder with config.json" in capsys.readouterr().err
    main(["train", "char-lm", "--text", text, *TINY, "--runs", str(tmp_path), "--name", "a", "--silent"])
    assert capsys.readouterr() == ("", "")
    assert main(["sample", str(tmp_path / "a"), "--prime", "☃"]) == 2
    assert "got '☃'" in capsys.readouterr().err

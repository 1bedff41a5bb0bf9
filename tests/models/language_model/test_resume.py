"""Interrupted runs: exact resumption, kills, signals, damaged checkpoints, full disks, locks."""

import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from minirnn.cli import main
from minirnn.errors import InputError
from minirnn.files import Lock
from minirnn.models import registry
from minirnn.models.language_model.task import LanguageModelTask, load_corpus
from minirnn.train import loop
from minirnn.train.checkpoint import checkpoints
from minirnn.train.run_folder import RunFolder


def metrics_of(path):
    """metrics.jsonl without what depends on the clock."""
    lines = RunFolder.open(path).read_metrics()
    return [{k: v for k, v in line.items() if k not in ("seconds", "tokens_per_second")} for line in lines]


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    """The uninterrupted run of the tiny configuration."""
    return registry.train("char-lm", config, tmp_path_factory.mktemp("runs"), "whole", quiet=True)


def test_equal_seeds_give_equal_runs_and_others_do_not(numbers, config, whole, tmp_path):
    again = registry.train("char-lm", config, tmp_path, "again", quiet=True)
    other = registry.train("char-lm", config.but(seed=4), tmp_path, "other", quiet=True)
    assert numbers(again.result) == numbers(whole.result) and metrics_of(again.path) == metrics_of(whole.path)
    assert other.result["chain"] != whole.result["chain"]


@pytest.mark.parametrize("updates", [0, 1, 6, 7, 8, 20, 61])
def test_interrupted_anywhere_and_resumed_is_the_uninterrupted_run(
    numbers, updates, config, whole, tmp_path, monkeypatch, stop_at_look
):
    stop_at_look(updates + 1, signal.SIGINT)
    stopped = registry.train("char-lm", config, tmp_path, "cut", quiet=True)
    assert (stopped.status, stopped.result) == (130, None)
    monkeypatch.undo()
    resumed = registry.resume(stopped.path, quiet=True)
    assert numbers(resumed.result) == numbers(whole.result)
    assert metrics_of(resumed.path) == metrics_of(whole.path)


@pytest.mark.parametrize(
    "change",
    [
        {"cell": "gru"},
        {"cell": "rnn", "layers": 2},
        {"optimizer": "rmsprop", "schedule": "epoch-decay"},
        {"schedule": "constant", "dtype": "float64", "sampling": "per_sequence"},
        {"kernels": "fused", "rate": 0.5, "scheme": "gal"},
    ],
)
def test_resumption_is_exact_for_every_kind_of_state(numbers, change, config, tmp_path, monkeypatch, stop_at_look):
    config = config.but(**change)
    whole = registry.train("char-lm", config, tmp_path, "whole", quiet=True)
    stop_at_look(34, signal.SIGINT)
    registry.train("char-lm", config, tmp_path, "cut", quiet=True)
    monkeypatch.undo()
    assert numbers(registry.resume(tmp_path / "cut", quiet=True).result) == numbers(whole.result)


@pytest.mark.parametrize("schedule, updates", [("plateau", 60), ("plateau", 115), ("epoch-decay", 250)])
def test_schedules_remember_earlier_epochs(numbers, schedule, updates, config, tmp_path, monkeypatch, stop_at_look):
    config = config.but(schedule=schedule, epochs=12 if schedule == "epoch-decay" else 8, batch=16, lr=0.5)
    whole = registry.train("char-lm", config, tmp_path, "whole", quiet=True)
    lrs = [line["lr"] for line in metrics_of(whole.path) if line["kind"] == "epoch"]
    assert len(set(lrs)) > 1  # the schedule did something
    stop_at_look(updates + 1, signal.SIGINT)
    assert registry.train("char-lm", config, tmp_path, "cut", quiet=True).status == 130
    monkeypatch.undo()
    resumed = registry.resume(tmp_path / "cut", quiet=True)
    assert [line["lr"] for line in metrics_of(resumed.path) if line["kind"] == "epoch"] == lrs
    assert numbers(resumed.result) == numbers(whole.result)


PROGRAM = """
import json, sys
from minirnn.models import registry
config, runs, name, how = sys.argv[1:]
if how == "resume":
    outcome = registry.resume(f"{runs}/{name}")
else:
    outcome = registry.train("char-lm", registry.configuration("char-lm", json.loads(config)), runs, name)
sys.exit(outcome.status)
"""


def launch(config, runs, name, how):
    arguments = [sys.executable, "-c", PROGRAM, json.dumps(config.to_json()), str(runs), name, how]
    return subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


@pytest.mark.slow
def test_twenty_kills_at_random_moments_leave_the_uninterrupted_run(numbers, config, tmp_path):
    config = config.but(epochs=16)
    whole = registry.train("char-lm", config, tmp_path, "whole", quiet=True)
    duration, rng = whole.result["seconds"], random.Random(0)
    kills, run, landed = 0, 0, 0
    while kills < 20:
        run += 1
        name, how = f"killed-{run}", "start"
        while True:
            process = launch(config, tmp_path, name, how)
            said = process.stderr.readline()  # from here on it trains
            time.sleep(rng.uniform(0, duration / 6) if kills < 20 else 0)
            if kills < 20 and process.poll() is None:
                process.kill()
                kills += 1
                landed += how == "resume"
            rest = process.communicate()[1]
            if process.returncode == 0:
                break
            assert process.returncode == -signal.SIGKILL, said + rest
            how = "resume" if (tmp_path / name / "config.json").exists() else "start"
        result = json.loads((tmp_path / name / "result.json").read_text())
        assert numbers(result) == numbers(whole.result)  # the chain of parameter hashes is in it
        assert metrics_of(tmp_path / name) == metrics_of(whole.path)
    assert landed >= 10  # most kills hit a run that had been resumed before


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_checkpoint_and_say_how_to_go_on(number, status, config, tmp_path):
    config = config.but(epochs=500)
    process = launch(config, tmp_path, "run", "start")
    process.stderr.readline()
    time.sleep(0.3)
    process.send_signal(number)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == status
    assert "checkpoint written" in said and f"minirnn train --resume {tmp_path}/run" in said and "Traceback" not in said
    said = io.StringIO()
    corpus = load_corpus(config)
    task = LanguageModelTask(config, corpus)
    with RunFolder.open(tmp_path / "run") as folder:
        continued = loop.Loop(task, folder, said, quiet=True)
        continued.resume(said.write)
    assert continued.clock.step > 0 and "resuming at update" in said.getvalue()


def test_damaged_checkpoints_fall_back_to_the_one_before_and_say_so(
    numbers, config, whole, tmp_path, monkeypatch, stop_at_look
):
    other = registry.train("char-lm", config.but(seed=9), tmp_path, "other", quiet=True)
    for number, harm in enumerate(("cut", "foreign", "empty")):
        stop_at_look(26, signal.SIGINT)
        cut = registry.train("char-lm", config, tmp_path, f"cut-{number}", quiet=True).path
        monkeypatch.undo()
        newest = checkpoints(cut / "checkpoints")[0]
        arrays, state = (cut / "checkpoints" / f"{newest}{suffix}" for suffix in (".safetensors", ".json"))
        if harm == "cut":
            arrays.write_bytes(arrays.read_bytes()[:-100])
        elif harm == "empty":
            state.write_bytes(b"")
        else:
            stranger = other.path / "checkpoints" / checkpoints(other.path / "checkpoints")[0]
            arrays.write_bytes(stranger.with_suffix(".safetensors").read_bytes())
            state.write_bytes(stranger.with_suffix(".json").read_bytes())
        said = io.StringIO()
        resumed = registry.resume(cut, out=said)
        assert "trying the one before it" in said.getvalue() and newest in said.getvalue()
        assert numbers(resumed.result) == numbers(whole.result)
        assert metrics_of(cut) == metrics_of(whole.path)


def test_folders_made_at_once_get_different_numbers(numbers, config, tmp_path, monkeypatch):
    RunFolder.create(tmp_path, "a-1", {})
    monkeypatch.setattr(Path, "exists", lambda path: False)  # as if another process made it just now
    assert RunFolder.create_numbered(tmp_path, "a", {}).path.name == "a-2"


def test_no_usable_checkpoint_is_an_error_with_every_reason(config, tmp_path, monkeypatch, stop_at_look):
    stop_at_look(26, signal.SIGINT)
    cut = registry.train("char-lm", config, tmp_path, "cut", quiet=True).path
    monkeypatch.undo()
    for path in (cut / "checkpoints").glob("*.safetensors"):
        path.write_bytes(b"")
    with pytest.raises(InputError, match="no usable checkpoint: step-.*damaged.*; step-.*damaged"):
        registry.resume(cut, quiet=True)
    with pytest.raises(InputError, match="no usable checkpoint"):
        registry.load(cut)


def test_a_run_killed_before_its_first_checkpoint_starts_again(numbers, config, whole, tmp_path):
    early = tmp_path / "early"
    (early / "checkpoints").mkdir(parents=True)
    for name in ("config.json", "vocabulary.json", "environment.json"):
        (early / name).write_bytes((whole.path / name).read_bytes())
    assert numbers(registry.resume(early, quiet=True).result) == numbers(whole.result)


def test_a_file_that_a_full_disk_kept_back_is_written_on_resume(numbers, config, whole, tmp_path):
    early = tmp_path / "early"
    (early / "checkpoints").mkdir(parents=True)
    for name in ("config.json", "environment.json"):
        (early / name).write_bytes((whole.path / name).read_bytes())
    assert numbers(registry.resume(early, quiet=True).result) == numbers(whole.result)
    assert (early / "vocabulary.json").read_bytes() == (whole.path / "vocabulary.json").read_bytes()
    registry.load(early)


def test_a_run_can_be_ended_at_its_best_epoch_so_far(config, tmp_path, stop_at_look, monkeypatch, capsys):
    """Seven updates into the second epoch: the first is the best, and nothing more is trained."""
    longer = config.but(epochs=4)
    updates = LanguageModelTask(longer, load_corpus(longer)).updates
    stop_at_look(updates + 8)
    cut = registry.train("char-lm", longer, tmp_path, "cut", quiet=True).path
    monkeypatch.undo()
    assert main(["train", "--resume", str(cut), "--end", "--json", "--silent"]) == 0
    ended = json.loads(capsys.readouterr().out)
    one = registry.train("char-lm", config.but(epochs=1), tmp_path, "one", quiet=True).result
    assert ended["status"] == "by hand" and one["status"] == "complete"
    assert (ended["epochs"], ended["best_epoch"]) == (1, 1) and ended["updates"] >= updates
    assert ended["test_perplexity"] == one["test_perplexity"] and ended["parameters_sha256"] == one["parameters_sha256"]
    assert main(["train", "--resume", str(cut)]) == 0 and "is complete" in capsys.readouterr().err

    stop_at_look(5)
    early = registry.train("char-lm", longer, tmp_path, "early", quiet=True).path
    monkeypatch.undo()
    assert main(["train", "--resume", str(early), "--end"]) == 2
    assert "--end must be given after the first epoch has ended" in capsys.readouterr().err
    assert not (early / "result.json").exists()


def test_a_run_folder_comes_into_being_whole_or_not_at_all(numbers, config, whole, tmp_path, monkeypatch):
    real, wrote = RunFolder.write_json, []

    def full(folder, name, value):
        wrote.append(name)
        if name == "config.json":
            raise OSError(28, "No space left on device")
        real(folder, name, value)

    monkeypatch.setattr(RunFolder, "write_json", full)
    with pytest.raises(OSError, match="No space left"):
        registry.train("char-lm", config, tmp_path, "run", quiet=True)
    assert "config.json" in wrote and list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    (tmp_path / "run").mkdir()  # by hand, or by an older minirnn that was killed at this moment
    assert numbers(registry.train("char-lm", config, tmp_path, "run", quiet=True).result) == numbers(whole.result)


def test_two_runs_in_one_folder_are_refused(config, tmp_path, monkeypatch, stop_at_look):
    stop_at_look(6, signal.SIGINT)
    registry.train("char-lm", config, tmp_path, "run", quiet=True)
    with pytest.raises(InputError, match="name must be a new name.*minirnn train --resume .*run"):
        registry.train("char-lm", config, tmp_path, "run", quiet=True)
    with Lock(tmp_path / "run/.lock", "held by this test"):
        with pytest.raises(InputError, match=f"in use by process {os.getpid()}"):
            registry.resume(tmp_path / "run", quiet=True)


@pytest.mark.parametrize("failing", range(1, 9))
def test_full_disk_names_the_file_and_loses_nothing(numbers, failing, config, whole, tmp_path, monkeypatch):
    said, writes, real = io.StringIO(), [0], os.fsync

    def fill_up(descriptor):
        writes[0] += 1
        if writes[0] == 12 + failing:  # within the second, third and fourth checkpoint
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fill_up)
    with pytest.raises(OSError, match=r"No space left on device.*full.*(safetensors|json)") as error:
        registry.train("char-lm", config, tmp_path, "full", out=said)
    assert error.value.errno == 28
    monkeypatch.undo()
    assert "is safe; when there is room" in said.getvalue() and "--resume" in said.getvalue()
    assert not list((tmp_path / "full").rglob("*.tmp"))
    assert numbers(registry.resume(tmp_path / "full", quiet=True).result) == numbers(whole.result)


def test_resuming_on_other_data_is_refused_and_moved_text_is_found(config, tmp_path, monkeypatch, stop_at_look):
    text, first, moved = Path(config.text).read_text(), tmp_path / "own.txt", tmp_path / "moved.txt"
    first.write_text(text)
    stop_at_look(6, signal.SIGINT)
    cut = registry.train("char-lm", config.but(text=str(first)), tmp_path, "cut", quiet=True).path
    monkeypatch.undo()
    os.rename(first, moved)
    with pytest.raises(InputError, match="an existing text file"):
        registry.resume(cut, quiet=True)
    moved.write_text(text.replace("glass", "grass"))
    with pytest.raises(InputError, match="data must be those the run was started on"):
        registry.resume(cut, text=moved, quiet=True)
    moved.write_text(text)
    assert registry.resume(cut, text=moved, quiet=True).status == 0


def test_a_changed_environment_is_said(reseal, config, tmp_path, monkeypatch, stop_at_look):
    stop_at_look(6, signal.SIGINT)
    cut = registry.train("char-lm", config, tmp_path, "cut", quiet=True).path
    monkeypatch.undo()
    stored = json.loads((cut / "environment.json").read_text())
    reseal(cut / "environment.json", packages={**stored["packages"], "numpy": "1.0"})
    said = io.StringIO()
    assert registry.resume(cut, out=said).status == 0
    assert "numpy was 1.0 when the run began" in said.getvalue() and said.getvalue().count("was") == 1

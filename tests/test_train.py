"""A whole run: learning, its folder, exact resumption, signals, damage, full disks."""

import io
import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from minirnn import data
from minirnn.errors import InputError
from minirnn.files import Lock
from minirnn.train import (
    Diverged,
    LanguageModelConfig,
    language_model,
    load_model,
    loop,
    preset,
    resume_run,
    sample_text,
    train_language_model,
)
from minirnn.train import runs as runs_module
from minirnn.train.checkpoint import checkpoints
from minirnn.train.language_model import LanguageModelTask, evaluate, load_corpus
from minirnn.train.signals import StopRequest

TEXT = "".join(f"{a} {b} went to the {c}\n" for a in ("ann", "bob", "cy") for b in ("and", "or") for c in
               ("sea", "old mill", "market", "house of glass")) * 12  # fmt: skip


@pytest.fixture
def config(tmp_path):
    """A tiny character model on a tiny text: a hundred updates of a millisecond or two."""
    path = tmp_path / "own.txt"
    path.write_text(TEXT)
    return LanguageModelConfig(
        level="char", data="text", text=str(path), hidden=12, embedding=6, batch=4, window=20, epochs=2,
        optimizer="adam", lr=0.02, clip=5.0, schedule="plateau", rate=0.25, forward_dropout=(0.1, 0.2),
        kernels="explicit", init=0.1, log_every=5, checkpoint_every=7, seed=3,
    )  # fmt: skip


def changed(config, **values):
    return LanguageModelConfig.from_json({**config.to_json(), **values})


def metrics_of(path):
    """metrics.jsonl without what depends on the clock."""
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("seconds", "tokens_per_second")} for line in lines]


def same_result(one, other):
    clock = ("seconds", "tokens_per_second")
    return {k: v for k, v in one.items() if k not in clock} == {k: v for k, v in other.items() if k not in clock}


def stop_after(monkeypatch, updates):
    """A StopRequest that becomes true after so many updates of this process."""

    class Stop(StopRequest):
        left = updates

        def __bool__(self):
            self.left -= 1
            self.number = signal.SIGINT if self.left < 0 else 0
            return self.left < 0

    monkeypatch.setattr(runs_module, "StopRequest", Stop)


def test_a_run_learns_and_its_folder_is_complete(config, tmp_path):
    outcome = train_language_model(config, tmp_path / "runs", quiet=True)
    assert outcome.status == 0 and outcome.path == tmp_path / "runs/char-lm-text-own.txt-lstm-1"
    result = outcome.result
    assert result["valid_perplexity"] < 8 < result["data"]["vocabulary"]
    assert result["test_bits"] == pytest.approx(np.log2(result["test_perplexity"]), rel=1e-12)
    assert result["data"]["origin"] == "text file" and result["skipped_updates"] == 0
    names = {
        "config.json",
        "vocabulary.json",
        "environment.json",
        "metrics.jsonl",
        "result.json",
        "checkpoints",
        ".lock",
    }
    assert set(os.listdir(outcome.path)) == names
    environment = (outcome.path / "environment.json").read_text()
    assert os.uname().nodename not in environment and "/" not in environment.replace("\\/", "/")
    kinds = [line["kind"] for line in metrics_of(outcome.path)]
    assert kinds.count("epoch") == 2 and "train" in kinds and "checkpoint" in kinds
    assert len(checkpoints(outcome.path / "checkpoints")) <= 3
    model, vocab, _ = load_model(outcome.path)
    again = evaluate(model, load_corpus(config).test, config.window)
    assert again.value == result["test_perplexity"]
    assert train_language_model(config, tmp_path / "runs", quiet=True).path.name.endswith("-2")
    assert resume_run(outcome.path, quiet=True).result == result  # complete: nothing to do


def test_equal_seeds_give_equal_runs_and_others_do_not(config, tmp_path):
    one, two, other = (
        train_language_model(c, tmp_path, name, quiet=True)
        for c, name in ((config, "one"), (config, "two"), (changed(config, seed=4), "other"))
    )
    assert same_result(one.result, two.result) and metrics_of(one.path) == metrics_of(two.path)
    assert other.result["chain"] != one.result["chain"]


@pytest.mark.parametrize("updates", [0, 1, 6, 7, 8, 20, 61])
def test_interrupted_anywhere_and_resumed_is_the_uninterrupted_run(updates, config, tmp_path, monkeypatch):
    whole = train_language_model(config, tmp_path, "whole", quiet=True)
    stop_after(monkeypatch, updates)
    stopped = train_language_model(config, tmp_path, "cut", quiet=True)
    assert (stopped.status, stopped.result) == (130, None)
    monkeypatch.undo()
    resumed = resume_run(stopped.path, quiet=True)
    assert same_result(resumed.result, whole.result)
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
def test_resumption_is_exact_for_every_kind_of_state(change, config, tmp_path, monkeypatch):
    config = changed(config, **change)
    whole = train_language_model(config, tmp_path, "whole", quiet=True)
    stop_after(monkeypatch, 33)
    train_language_model(config, tmp_path, "cut", quiet=True)
    monkeypatch.undo()
    assert same_result(resume_run(tmp_path / "cut", quiet=True).result, whole.result)


PROGRAM = """
import json, sys
from minirnn.train import LanguageModelConfig, resume_run, train_language_model
config, runs, name, how = sys.argv[1:]
if how == "resume":
    outcome = resume_run(f"{runs}/{name}")
else:
    outcome = train_language_model(LanguageModelConfig.from_json(json.loads(config)), runs, name)
sys.exit(outcome.status)
"""


def launch(config, runs, name, how):
    arguments = [sys.executable, "-c", PROGRAM, json.dumps(config.to_json()), str(runs), name, how]
    return subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


@pytest.mark.slow
def test_twenty_kills_at_random_moments_leave_the_uninterrupted_run(config, tmp_path):
    config = changed(config, epochs=16)
    whole = train_language_model(config, tmp_path, "whole", quiet=True)
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
        assert same_result(result, whole.result)  # the chain of parameter hashes is in it
        assert metrics_of(tmp_path / name) == metrics_of(whole.path)
    assert landed >= 10  # most kills hit a run that had been resumed before


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_checkpoint_and_say_how_to_go_on(number, status, config, tmp_path):
    config = changed(config, epochs=500)
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
    with runs_module.RunFolder.open(tmp_path / "run") as folder:
        continued = loop.Loop(task, folder, folder.read_json("config.json")["run"], 5, 7, said, quiet=True)
        continued.resume(said.write)
    assert continued.step > 0 and "resuming at update" in said.getvalue()


def test_damaged_checkpoints_fall_back_to_the_one_before_and_say_so(config, tmp_path, monkeypatch):
    whole = train_language_model(config, tmp_path, "whole", quiet=True)
    other = train_language_model(changed(config, seed=9), tmp_path, "other", quiet=True)
    for number, harm in enumerate(("cut", "foreign", "empty")):
        with monkeypatch.context() as patch:
            stop_after(patch, 25)
            cut = train_language_model(config, tmp_path, f"cut-{number}", quiet=True).path
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
        resumed = resume_run(cut, stream=said)
        assert "trying the one before it" in said.getvalue() and newest in said.getvalue()
        assert same_result(resumed.result, whole.result)
        assert metrics_of(cut) == metrics_of(whole.path)


def test_no_usable_checkpoint_is_an_error_with_every_reason(config, tmp_path, monkeypatch):
    stop_after(monkeypatch, 25)
    cut = train_language_model(config, tmp_path, "cut", quiet=True).path
    monkeypatch.undo()
    for path in (cut / "checkpoints").glob("*.safetensors"):
        path.write_bytes(b"")
    with pytest.raises(InputError, match="no usable checkpoint: step-.*damaged.*; step-.*damaged"):
        resume_run(cut, quiet=True)
    with pytest.raises(InputError, match="no usable checkpoint"):
        load_model(cut)


def test_a_run_killed_before_its_first_checkpoint_starts_again(config, tmp_path):
    whole = train_language_model(config, tmp_path, "whole", quiet=True)
    early = tmp_path / "early"
    (early / "checkpoints").mkdir(parents=True)
    for name in ("config.json", "vocabulary.json"):
        (early / name).write_bytes((whole.path / name).read_bytes())
    assert same_result(resume_run(early, quiet=True).result, whole.result)


def test_two_runs_in_one_folder_are_refused(config, tmp_path, monkeypatch):
    stop_after(monkeypatch, 5)
    train_language_model(config, tmp_path, "run", quiet=True)
    with pytest.raises(InputError, match="name must be a new name.*minirnn train --resume .*run"):
        train_language_model(config, tmp_path, "run", quiet=True)
    with Lock(tmp_path / "run/.lock", "held by this test"):
        with pytest.raises(InputError, match=f"in use by process {os.getpid()}"):
            resume_run(tmp_path / "run", quiet=True)


@pytest.mark.parametrize("failing", range(1, 9))
def test_full_disk_names_the_file_and_loses_nothing(failing, config, tmp_path, monkeypatch):
    whole = train_language_model(config, tmp_path, "whole", quiet=True)
    said, writes, real = io.StringIO(), [0], os.fsync

    def fill_up(descriptor):
        writes[0] += 1
        if writes[0] == 12 + failing:  # within the second, third and fourth checkpoint
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fill_up)
    with pytest.raises(OSError, match=r"No space left on device.*full.*(safetensors|json)") as error:
        train_language_model(config, tmp_path, "full", stream=said)
    assert error.value.errno == 28
    monkeypatch.undo()
    assert "is safe" in said.getvalue() and "--resume" in said.getvalue()
    assert not list((tmp_path / "full").rglob("*.tmp"))
    assert same_result(resume_run(tmp_path / "full", quiet=True).result, whole.result)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_full_disk_while_metrics_are_written_names_them(config, tmp_path):
    from minirnn.train.run_folder import RunFolder

    folder = RunFolder.create(tmp_path, "run", {})
    (folder.path / "metrics.jsonl").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device.*metrics.jsonl"):
        with folder:
            folder.begin_metrics(0)
            folder.write_metric(kind="train", loss=1.0)


def test_unwritable_runs_folder_is_named(config, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot create the folder.*file"):
        train_language_model(config, tmp_path / "file", "run", quiet=True)
    with pytest.raises(InputError, match="name must be letters"):
        train_language_model(config, tmp_path, "a/b", quiet=True)


def poison(monkeypatch, at):
    """Make the embedding of the model non-finite before the updates ``at``, and right again after."""
    real = LanguageModelTask.update

    def update(task, position, step):
        kept = task.model.embedding.weight.value
        if step in at:
            task.model.embedding.weight.value = np.full_like(kept, np.inf)
        try:
            return real(task, position, step)
        finally:
            if step in at:
                task.model.embedding.weight.value = kept

    monkeypatch.setattr(LanguageModelTask, "update", update)


def test_non_finite_updates_are_skipped_counted_and_named(config, tmp_path, monkeypatch):
    poison(monkeypatch, {4, 5, 30})
    said = io.StringIO()
    outcome = train_language_model(config, tmp_path, "run", stream=said)
    assert outcome.result["skipped_updates"] == 3 and np.isfinite(outcome.result["valid_perplexity"])
    lines = [line for line in metrics_of(outcome.path) if line["kind"] == "skipped"]
    assert [line["step"] for line in lines] == [5, 6, 31]
    assert all("embedding" in line["operation"] for line in lines)
    assert "update 5 skipped: embedding" in said.getvalue()


def test_overflow_inside_the_model_is_named_and_the_parameters_kept(config):
    task = LanguageModelTask(config, load_corpus(config))
    task.model.recurrent.weight_ih_l0.value = task.model.recurrent.weight_ih_l0.value * np.float32(1e6)
    task.model.output.weight.value = np.sign(task.model.output.weight.value) * np.float32(3e38)
    broken = task.parameters_only()
    result = task.update(0, 0)
    assert "matmul: made the first non-finite value" in result["skipped"]
    assert all(np.array_equal(broken[name], value) for name, value in task.parameters_only().items())
    assert all(p.grad is None for p in task.model.parameters())


def test_a_run_that_stays_non_finite_is_given_up_with_a_checkpoint(config, tmp_path, monkeypatch):
    poison(monkeypatch, range(10, 1000))
    with pytest.raises(Diverged, match="50 updates in a row were not finite.*embedding.*--lr"):
        train_language_model(config, tmp_path, "run", quiet=True)
    assert checkpoints(tmp_path / "run/checkpoints")[0] == "step-000000060"


def test_resuming_on_other_data_is_refused_and_moved_text_is_found(config, tmp_path, monkeypatch):
    stop_after(monkeypatch, 5)
    cut = train_language_model(config, tmp_path, "cut", quiet=True).path
    monkeypatch.undo()
    moved = tmp_path / "moved.txt"
    os.rename(config.text, moved)
    with pytest.raises(InputError, match="an existing text file"):
        resume_run(cut, quiet=True)
    moved.write_text(TEXT.replace("glass", "grass"))
    with pytest.raises(InputError, match="data must be those the run was started on"):
        resume_run(cut, text=moved, quiet=True)
    moved.write_text(TEXT)
    assert resume_run(cut, text=moved, quiet=True).status == 0


def test_folders_that_are_no_runs_are_refused(tmp_path):
    with pytest.raises(InputError, match="a folder with config.json"):
        resume_run(tmp_path, quiet=True)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="must be JSON, got damaged text"):
        resume_run(tmp_path, quiet=True)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="a language-model run"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"hidden": 0}, "hidden must be an integer of at least 1, got 0"),
        ({"lr": -1.0}, "lr must be a positive number"),
        ({"clip": 0.0}, "clip must be a positive number"),
        ({"cell": "mlp"}, "cell must be one of lstm, gru, rnn"),
        ({"rate": 1.5}, r"rate must be a number in \[0, 1\)"),
        ({"forward_dropout": (0.1, 1.0)}, r"rate must be a number in \[0, 1\)"),
        ({"window": 2000}, "shorter than one window"),
        ({"data": "mnist", "text": None, "source": "twin"}, "data must be a text set"),
        ({"data": "ptb"}, "one or the other"),
        ({"unheard": 1}, "entries must be those of this minirnn"),
    ],
)
def test_bad_configurations_are_refused_before_a_folder_is_made(values, message, config, tmp_path):
    with pytest.raises(InputError, match=message):
        train_language_model(changed(config, **values), tmp_path / "runs", quiet=True)
    assert not (tmp_path / "runs").exists()


def test_gpu_asked_for_and_absent_is_one_clear_error(config, tmp_path):
    if "cupy" in sys.modules:
        pytest.skip("this machine has CuPy")
    with pytest.raises(InputError, match=r"CuPy, which is not installed; install minirnn\[cuda12\]"):
        train_language_model(changed(config, device="cuda"), tmp_path / "runs", quiet=True)


def test_presets_are_the_recipes_of_the_thesis():
    word, char = preset("word", "thesis"), preset("char", "thesis")
    assert (word.optimizer, word.lr, word.clip, word.schedule, word.init) == ("sgd", 1.0, 10.0, "plateau", 0.05)
    assert (word.batch, word.window, word.hidden, word.embedding, word.data) == (32, 35, 256, 256, "ptb")
    assert (char.optimizer, char.lr, char.schedule, char.hidden, char.window) == (
        "adam",
        1e-3,
        "epoch-decay",
        1024,
        100,
    )
    assert (preset("word", "quick", cell="gru").lr, preset("word", "quick", cell="gru", lr=0.5).lr) == (0.1, 0.5)
    assert preset("char", "quick", text="a.txt").data == "text"
    with pytest.raises(InputError, match="one of thesis, classroom, quick"):
        preset("word", "huge")


def test_loss_of_an_update_is_the_sum_over_time_of_the_batch_mean(config, monkeypatch):
    config = changed(config, rate=0.0, forward_dropout=(0.0, 0.0))
    task = LanguageModelTask(config, load_corpus(config))
    V = len(task.corpus.vocab)
    for p in task.model.parameters():
        p.value = np.zeros_like(p.value)  # uniform predictions
    norms = []
    monkeypatch.setattr(language_model.optim, "clip_grad_norm", lambda parameters, clip: norms.append(clip))
    assert task.update(0, 0)["loss"] == pytest.approx(np.log(V), rel=1e-6)
    targets = task.batches[0][1]
    expected = np.bincount(targets.ravel(), minlength=V) / -config.batch + config.window / V
    np.testing.assert_allclose(task.model.output.bias.grad.value, expected, rtol=1e-5, atol=1e-6)
    assert norms == [config.clip]


def test_sampling_repeats_with_the_seed_and_follows_the_temperature(config, tmp_path):
    path = train_language_model(changed(config, epochs=4), tmp_path, "run", quiet=True).path
    model, vocab, _ = load_model(path)
    draw = lambda **options: sample_text(model, vocab, **{"prime": "ann ", "length": 60, **options})
    assert draw(seed=1) == draw(seed=1) != draw(seed=2)
    assert draw().startswith("ann ") and len(draw()) == 64 and len(draw(length=0)) == 4
    assert draw(temperature=0, seed=1) == draw(temperature=0, seed=2) == draw(temperature=1e-6)
    assert len(set(draw(temperature=9.0))) > len(set(draw(temperature=0)))
    assert len(draw(prime="")) == 60
    for bad, message in (
        ({"temperature": -1.0}, "temperature"),
        ({"length": -1}, "length"),
        ({"prime": "\t"}, "symbol"),
    ):
        with pytest.raises(InputError, match=message):
            draw(**bad)


def test_sampling_never_draws_the_unknown_word():
    vocab = data.Vocabulary(["<unk>", "a", "<eos>"], "word")
    model = language_model.LanguageModel(3, 2, 2, init=1e-6, rng=0)
    model.output.bias.value = np.array([50, 0, 0], np.float32)
    assert "<unk>" not in sample_text(model, vocab, "a", 50, temperature=5.0)

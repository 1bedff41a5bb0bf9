"""A whole run: learning, its folder, bad configurations, skipped updates, sampling."""

import io
import json
import os
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from minirnn import data, nn, optim
from minirnn.autograd import no_grad
from minirnn.errors import InputError
from minirnn.models import registry
from minirnn.models.language_model.model import LanguageModel
from minirnn.models.language_model.sample import vocabulary_of
from minirnn.models.language_model.task import (
    LanguageModelConfig,
    LanguageModelTask,
    evaluate,
    load_corpus,
    sample_text,
)
from minirnn.nn import RecurrentDropout
from minirnn.train import Clock, Descent, NonFinite
from minirnn.train.checkpoint import checkpoints, digest_of
from minirnn.train.loop import MOST_SKIPPED, Loop
from minirnn.train.run_folder import RunFolder


def test_a_run_learns_and_its_folder_is_complete(config, tmp_path):
    outcome = registry.train("char-lm", config, tmp_path / "runs", quiet=True)
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
        "attachments",
        ".lock",
    }
    assert set(os.listdir(outcome.path)) == names
    environment = (outcome.path / "environment.json").read_text()
    assert os.uname().nodename not in environment and "/" not in environment.replace("\\/", "/")
    kinds = [line["kind"] for line in RunFolder.open(outcome.path).read_metrics()]
    assert kinds.count("epoch") == 2 and "train" in kinds and "checkpoint" in kinds
    assert len(checkpoints(outcome.path / "checkpoints")) <= 3
    again = evaluate(registry.load(outcome.path).model, load_corpus(config).test, config.window)
    assert again.value == result["test_perplexity"]
    assert registry.train("char-lm", config, tmp_path / "runs", quiet=True).path.name.endswith("-2")
    assert registry.resume(outcome.path, quiet=True).result == result  # complete: nothing to do


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_full_disk_while_metrics_are_written_names_them(config, tmp_path):
    folder = RunFolder.create(tmp_path, "run", {})
    (folder.path / "metrics.jsonl").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device.*metrics.jsonl"):
        with folder:
            folder.begin_metrics(None)
            folder.write_metric(kind="train", loss=1.0)


def test_unwritable_runs_folder_is_named(config, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot create the folder.*file"):
        registry.train("char-lm", config, tmp_path / "file", "run", quiet=True)
    with pytest.raises(InputError, match="name must be letters"):
        registry.train("char-lm", config, tmp_path, "a/b", quiet=True)


def poison(monkeypatch, at):
    """Make the embedding of the model non-finite before the updates ``at``, and right again after."""
    real = LanguageModelTask.update

    def update(task, clock):
        kept = task.model.embedding.weight.value
        if clock.step in at:
            task.model.embedding.weight.value = np.full_like(kept, np.inf)
        try:
            return real(task, clock)
        finally:
            if clock.step in at:
                task.model.embedding.weight.value = kept

    monkeypatch.setattr(LanguageModelTask, "update", update)


def test_non_finite_updates_are_skipped_counted_and_named(config, tmp_path, monkeypatch):
    poison(monkeypatch, {4, 5, 30})
    said = io.StringIO()
    outcome = registry.train("char-lm", config, tmp_path, "run", out=said)
    assert outcome.result["skipped_updates"] == 3 and np.isfinite(outcome.result["valid_perplexity"])
    lines = [line for line in RunFolder.open(outcome.path).read_metrics() if line["kind"] == "skipped"]
    assert [line["step"] for line in lines] == [5, 6, 31]
    assert all("embedding" in line["operation"] for line in lines)
    assert "update 5 skipped: embedding" in said.getvalue()


def test_overflow_inside_the_model_is_named_and_the_parameters_kept(config):
    task = LanguageModelTask(config, load_corpus(config))
    task.model.recurrent.weight_ih_l0.value = task.model.recurrent.weight_ih_l0.value * np.float32(1e6)
    task.model.output.weight.value = np.sign(task.model.output.weight.value) * np.float32(3e38)
    broken = task.parameters()
    with pytest.raises(NonFinite, match="linear: made the first non-finite value"):
        task.update(Clock())
    assert all(np.array_equal(broken[name], value) for name, value in task.parameters().items())
    assert all(p.grad is None for p in task.model.parameters())


def test_a_run_that_stays_non_finite_is_given_up_with_a_checkpoint(config, tmp_path, monkeypatch):
    poison(monkeypatch, range(10, 1000))
    outcome = registry.train("char-lm", config, tmp_path, "run", quiet=True)
    assert outcome.status == 1 and outcome.result["status"] == "diverged" and outcome.result["updates"] == 60
    assert re.match("50 updates in a row were not finite.*embedding.*--lr", outcome.result["reason"])
    assert checkpoints(tmp_path / "run/checkpoints")[0] == "step-000000060"


def test_folders_that_are_no_runs_are_refused(tmp_path):
    with pytest.raises(InputError, match="a folder with config.json"):
        registry.resume(tmp_path, quiet=True)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="must be JSON, got damaged text"):
        registry.resume(tmp_path, quiet=True)
    for stored, message in (
        ({}, "of layout 2, got an older one; train its configuration anew: minirnn train MODEL --config"),
        ({"layout": 2, "run": "r", "config": {}, "model": "word-ml"}, "a run of one of word-lm, .*, got 'word-ml'"),
        ({"layout": 2, "run": "r", "model": "word-lm"}, "a configuration of a run"),
        ({"layout": 2, "run": "r", "model": "word-lm", "config": {"lr": "fast"}}, "lr must be a positive number"),
        ({"layout": 2, "run": "r", "model": "word-lm", "config": {"lrr": 1}}, "those of this minirnn, got also"),
    ):
        (tmp_path / "config.json").write_text(json.dumps({**stored, "sha256": digest_of(stored)}))
        with pytest.raises(InputError, match=message):
            registry.load(tmp_path)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"hidden": 0}, "hidden must be an integer of at least 1, got 0"),
        ({"lr": -1.0}, "lr must be a positive number"),
        ({"clip": 0.0}, "clip must be a positive number"),
        ({"cell": "mlp"}, f"cell must be one of {', '.join(nn.RECURRENT)}"),
        ({"rate": 1.5}, r"rate must be a number in \[0, 1\)"),
        ({"forward_dropout": (0.1, 1.0)}, r"forward_dropout must be 2 numbers in \[0, 1\)"),
        ({"window": 2000}, "shorter than one window"),
        ({"cell": "rnn", "scheme": "moon"}, "moon"),
        ({"kernels": "quick"}, "kernels must be one of fused, explicit"),
        ({"data": "mnist", "text": None, "source": "twin"}, "data must be a text set"),
        ({"data": "ptb"}, "one or the other"),
    ],
)
def test_bad_configurations_are_refused_before_a_folder_is_made(values, message, config, tmp_path):
    with pytest.raises(InputError, match=message):
        registry.train("char-lm", config.but(**values), tmp_path / "runs", quiet=True)
    assert not (tmp_path / "runs").exists()


def test_gpu_asked_for_and_absent_is_one_clear_error(config, tmp_path):
    if "cupy" in sys.modules:
        pytest.skip("this machine has CuPy")
    with pytest.raises(InputError, match=r"CuPy, which is not installed; install minirnn\[cuda12\]"):
        registry.train("char-lm", config.but(device="cuda"), tmp_path / "runs", quiet=True)


def test_presets_are_the_recipes_of_the_thesis():
    preset = lambda level, name, **given: registry.configure(f"{level}-lm", name, **given)
    lr = lambda *preset_of, **given: preset(*preset_of, **given).descent.lr
    word, char = preset("word", "thesis"), preset("char", "thesis")
    assert (word.descent, word.init) == (Descent("sgd", 1.0, clip=10.0, schedule="plateau"), 0.05)
    assert (word.batch, word.window, word.hidden, word.embedding, word.data) == (32, 35, 256, 256, "ptb")
    assert (char.descent, char.hidden, char.window) == (Descent("adam", 1e-3, schedule="epoch-decay"), 1024, 100)
    rnn = preset("word", "thesis", cell="rnn")  # windows of 15 that overlap by 10
    assert (rnn.window, rnn.stride, rnn.descent.lr, rnn.descent.clip) == (15, 5, 0.05, 30.0)
    assert preset("word", "thesis", cell="rnn", window=4).stride is word.stride is None
    assert (lr("word", "quick", cell="gru"), lr("word", "quick", cell="gru", lr=0.5)) == (0.1, 0.5)
    assert preset("word", "quick", cell="gru", optimizer="adam").descent.clip == 10.0  # the cell's own values are SGD's
    chosen = [lr("word", "quick", optimizer=o) for o in ("sgd", "adam", "momentum")]
    assert chosen == [1.0, 1e-3, 0.1] and lr("word", "quick", optimizer="adam", lr=0.5) == 0.5
    assert lr("char", "thesis", optimizer="adam") == lr("char", "thesis")
    assert preset("char", "quick", text="a.txt").data == "text"
    with pytest.raises(InputError, match="one of classroom, thesis, quick"):
        preset("word", "huge")


def test_loss_of_an_update_is_the_sum_over_time_of_the_batch_mean(config, monkeypatch):
    config = config.but(rate=0.0, forward_dropout=(0.0, 0.0))
    task = LanguageModelTask(config, load_corpus(config))
    V = len(task.corpus.vocab)
    for p in task.model.parameters():
        p.value = np.zeros_like(p.value)  # uniform predictions
    norms = []
    monkeypatch.setattr(optim, "clip_grad_norm", lambda parameters, clip, norm: norms.append(clip))
    assert task.update(Clock(position=0, step=0))["loss"] == pytest.approx(np.log(V), rel=1e-6)
    targets = task.batches[0][1]
    expected = np.bincount(targets.ravel(), minlength=V) / -config.batch + config.window / V
    np.testing.assert_allclose(task.model.output.bias.grad.value, expected, rtol=1e-5, atol=1e-6)
    assert norms == [config.descent.clip]


def test_sampling_repeats_with_the_seed_and_follows_the_temperature(config, tmp_path):
    path = registry.train("char-lm", config.but(epochs=4), tmp_path, "run", quiet=True).path
    run = registry.load(path)
    model, vocab = run.model, vocabulary_of(run)
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


def test_sampling_from_a_diverged_model_says_so(config):
    task = LanguageModelTask(config, load_corpus(config))
    task.model.output.bias.value = task.model.output.bias.value * np.float32(np.nan)
    with pytest.raises(InputError, match="the model's output must be finite.*diverged"):
        sample_text(task.model, task.corpus.vocab, "ann", 3)


def test_sampling_never_draws_the_unknown_word():
    vocab = data.Vocabulary(["<unk>", "a", "<eos>"], "word")
    model = LanguageModel(3, 2, 2, init=1e-6, rng=0)
    model.output.bias.value = np.array([50, 0, 0], np.float32)
    assert "<unk>" not in sample_text(model, vocab, "a", 50, temperature=5.0)


def test_configurations_of_another_version_are_refused(config):
    with pytest.raises(InputError, match="entries must be those of this minirnn, got also .'unheard'"):
        LanguageModelConfig.from_json({**config.to_json(), "unheard": 1})
    assert LanguageModelConfig.from_json(config.to_json()) == config


def test_hopeless_epochs_do_not_stay_the_best(config, tmp_path, monkeypatch):
    real, epochs = LanguageModelTask.validate, []

    def validate(task, clock):
        epochs.append(0)
        metrics = real(task, clock)
        return {**metrics, "score": float("nan"), "valid_perplexity": float("inf")} if len(epochs) == 1 else metrics

    monkeypatch.setattr(LanguageModelTask, "validate", validate)
    result = registry.train("char-lm", config, tmp_path, "run", quiet=True).result
    assert result["best_epoch"] == 2 and np.isfinite(result["valid_perplexity"])
    epochs.clear()
    lost = registry.train("char-lm", config.but(epochs=1), tmp_path, "lost", quiet=True).result
    assert (lost["best_epoch"], lost["valid_perplexity"]) == (1, None)  # JSON has no infinity


def test_the_recurrent_state_is_carried_from_window_to_window_and_cut_from_the_tape(config):
    task = LanguageModelTask(config.but(rate=0.0, forward_dropout=(0.0, 0.0)), load_corpus(config))
    task.update(Clock(position=0, step=0))
    carried = task.carried.state
    assert all(s.value.any() and not s.requires_grad for s in carried)
    inputs, targets = task.batches[1]
    losses = [nn.cross_entropy(task.model(inputs, state)[0], targets).item() for state in (carried, None)]
    assert task.update(Clock(position=1, step=1))["loss"] == pytest.approx(losses[0], rel=1e-6)
    assert losses[0] != pytest.approx(losses[1], rel=1e-6)
    task.begin_epoch()
    assert task.carried.state is None


def test_skipped_updates_with_good_ones_between_do_not_end_a_run():
    procedure = SimpleNamespace(phases=tuple, config=SimpleNamespace(log_every=1, checkpoint_every=1))
    loop = Loop(procedure, SimpleNamespace(write_metric=lambda **values: None))
    progress = SimpleNamespace(line=lambda text: None)
    for _ in range(2 * MOST_SKIPPED):
        loop._count_skipped("exp: made it", progress)
        loop._count_skipped(None, progress)
    assert (loop.skipped, loop.skipped_in_a_row) == (2 * MOST_SKIPPED, 0)


def test_patience_ends_a_run_that_stopped_improving(config, tmp_path):
    """With lr so small that nothing changes, the first epoch stays the best: two more, then the end."""
    flat = config.but(epochs=9, lr=1e-12, optimizer="sgd", rate=0.0, forward_dropout=(0.0, 0.0), patience=2)
    result = registry.train("char-lm", flat, tmp_path, "run", quiet=True).result
    assert result["epochs"] - result["best_epoch"] == 2 < 9
    improving = config.but(epochs=3, patience=2)
    assert registry.train("char-lm", improving, tmp_path, "on", quiet=True).result["epochs"] == 3


def test_decay_of_the_schedule_is_the_configurations(config):
    task = LanguageModelTask(config.but(schedule="epoch-decay", decay=0.5), load_corpus(config))
    start = task.learner.optimizer.lr
    for _ in range(11):  # from the tenth epoch on
        task.learner.advance(1.0)
    assert task.learner.optimizer.lr == pytest.approx(start / 4)


def test_training_on_less_text_keeps_its_beginning_and_all_that_judges_it(config, tmp_path):
    whole, less = load_corpus(config), load_corpus(config.but(train_tokens=500))
    assert np.array_equal(less.train, whole.train[:500]) and len(whole.train) > 1000
    assert np.array_equal(less.valid, whole.valid) and np.array_equal(less.test, whole.test)
    assert less.vocab.symbols == whole.vocab.symbols and less.fingerprint != whole.fingerprint
    result = registry.train("char-lm", config.but(train_tokens=500, epochs=1), tmp_path, "less", quiet=True).result
    assert result["updates"] == len(data.stream_batches(whole.train[:500], config.batch, config.window)) == 6


@pytest.mark.parametrize(
    ("cell", "zoneout", "rates"),
    [("lstm", [0.5, 0.05], {"zoneout_c": 0.5, "zoneout_h": 0.05}), ("gru", 0.2, {"zoneout_h": 0.2}),
     ("lstm", [0.1], {"zoneout_c": 0.1, "zoneout_h": 0.1}), ("rnn", [], {})],
)
def test_zoneout_of_a_run_is_that_of_its_layer(config, cell, zoneout, rates, tmp_path):
    run = config.but(cell=cell, zoneout=zoneout, rate=0.0, epochs=1)
    outcome = registry.train("char-lm", run, tmp_path, "run", quiet=True)
    loaded = registry.load(outcome.path)
    assert loaded.config == run and loaded.model.recurrent.zoneout == rates


def test_overlapping_windows_carry_the_state_of_a_stride_and_learn_through_all_of_it(config):
    """Without dropout the two pieces are one window: loss and gradients; the state is that of the window's middle."""
    plain = config.but(rate=0.0, forward_dropout=(0.0, 0.0), dtype="float64")
    whole, pieces = (LanguageModelTask(plain.but(stride=s), load_corpus(plain)) for s in (None, 7))
    assert len(whole.batches) < len(pieces.batches) and pieces.updates == len(pieces.batches)
    found = []
    for task in (whole, pieces):
        loss, state = task.loss(Clock(position=0, step=0))
        loss.backward()
        found.append((loss.item(), [p.grad.value for p in task.model.parameters()]))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-12)
    for one, other in zip(*(gradients for _, gradients in found)):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
    with no_grad():
        _, expected = whole.model(whole.batches[0][0][:7])
    for s, e in zip(state, expected):
        np.testing.assert_allclose(s.value, e.value, rtol=1e-12)


@pytest.mark.parametrize("sampling", ["per_step", "per_sequence"])
def test_masks_of_overlapping_windows_are_one_a_sequence_or_new_in_each_piece(config, sampling, monkeypatch):
    task = LanguageModelTask(config.but(sampling=sampling, stride=10), load_corpus(config))
    drawn, real = [], RecurrentDropout.masks

    def masks(dropout, *arguments):
        drawn.append(real(dropout, *arguments).ours)
        return real(dropout, np.random.default_rng(0), *arguments[1:])

    monkeypatch.setattr(RecurrentDropout, "masks", masks)
    task.loss(Clock(position=0, step=0))
    assert np.array_equal(*drawn) == (sampling == "per_sequence")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"patience": 0}, "patience must be an integer of at least 1"),
        ({"decay": -1.0}, "decay must be a positive number"),
        ({"stride": 21}, "stride must be at most the window, 20, got 21"),
        ({"scheme": "theirs", "rate": 0.0}, "scheme must be one of state, memory, update, gal"),
        ({"sampling": "daily", "rate": 0.0}, "sampling must be one of"),
        ({"scaling": "none", "rate": 0.0}, "scaling must be one of"),
    ],
)
def test_bad_recipes_are_refused(config, values, message):
    with pytest.raises(InputError, match=message):
        config.but(**values)


@pytest.mark.parametrize("name, in_tables", [("state", "gal"), ("memory", "moon"), ("update", "ours")])
def test_a_scheme_by_either_name_is_one_configuration(name, in_tables):
    one, other = (LanguageModelConfig(rate=0.25, scheme=scheme) for scheme in (name, in_tables))
    assert one == other and one.recurrent_dropout()[0] == in_tables

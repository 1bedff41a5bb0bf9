"""The microscope on training runs: checkpoints in the slider, the numbers of training, and the snapshots kept."""

import json
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from minirnn import nn, ops, optim
from minirnn.array import Streams, stream
from minirnn.cli import main
from minirnn.errors import InputError
from minirnn.inspect.measure import microscope
from minirnn.inspect.page import page
from minirnn.inspect.run import inspect_run, look
from minirnn.models import registry
from minirnn.models.language_model import LanguageModel
from minirnn.models.language_model.sample import vocabulary_of
from minirnn.models.language_model.task import LanguageModelTask, load_corpus
from minirnn.nn.layers import draw_mask
from minirnn.train import Clock
from minirnn.train.checkpoint import checkpoints, digest_of, snapshot_steps
from minirnn.train.lens import Lens


@pytest.fixture(scope="module")
def kept(config):
    """The tiny configuration with snapshots."""
    return config.but(snapshots=4)


@pytest.fixture(scope="module")
def run(kept, tmp_path_factory):
    """The folder of a complete tiny run."""
    return registry.train("char-lm", kept, tmp_path_factory.mktemp("runs"), "whole", quiet=True).path


@pytest.fixture
def copy(run, tmp_path):
    """A run folder to be harmed."""
    return shutil.copytree(run, tmp_path / "copy")


def steps_of(path):
    return sorted(int(name.removeprefix("step-")) for name in checkpoints(path / "checkpoints"))


# ----------------------------------------------------------------------------------------------------------- snapshots
@pytest.mark.parametrize("total, count", [(100, 2), (100, 7), (10_000, 12), (3, 9)])
def test_snapshots_go_from_the_first_to_the_last_update_ever_farther_apart(total, count):
    steps = sorted(snapshot_steps(total, count))
    assert steps[0] == 0 and steps[-1] == total and len(steps) == min(count, len(steps))
    if total > count**2:
        gaps = np.diff(steps)
        assert len(steps) == count and (np.diff(gaps) >= -1).all() and (count == 2 or gaps[-1] > 2 * gaps[0])


def test_no_snapshot_and_one():
    assert snapshot_steps(50, 0) == set() and snapshot_steps(50, 1) == {0}


def test_snapshots_stay_and_change_nothing(config, kept, run, tmp_path):
    plain = registry.train("char-lm", config, tmp_path, "plain", quiet=True)
    result = json.loads((run / "result.json").read_text())
    for name in ("chain", "parameters_sha256", "test_perplexity", "best_checkpoint", "updates"):
        assert plain.result[name] == result[name]
    wanted = snapshot_steps(result["updates"], 4)
    assert len(wanted) == 4 and wanted <= set(steps_of(run)) and len(steps_of(run)) <= len(wanted) + 3
    assert not wanted <= set(steps_of(plain.path))


@pytest.mark.parametrize("updates", [1, 20])
def test_an_interrupted_run_ends_as_the_whole_one_with_the_same_snapshots(
    updates, kept, run, tmp_path, monkeypatch, stop_at_look
):
    stop_at_look(updates + 1)
    assert registry.train("char-lm", kept, tmp_path, "cut", quiet=True).result is None
    monkeypatch.undo()
    again, whole = registry.resume(tmp_path / "cut", quiet=True).result, json.loads((run / "result.json").read_text())
    assert again["chain"] == whole["chain"] and again["parameters_sha256"] == whole["parameters_sha256"]
    assert snapshot_steps(whole["updates"], 4) <= set(steps_of(tmp_path / "cut"))


def test_a_complete_run_without_its_result_is_tested_again(copy):
    (copy / "result.json").unlink()
    assert registry.resume(copy, quiet=True).status == 0
    assert len(inspect_run(copy, spectra=0).frames) == len(steps_of(copy))


def test_snapshots_are_an_option_and_a_number(config, tmp_path, capsys):
    tiny = ["--hidden", "6", "--embedding", "4", "--batch", "4", "--window", "20", "--epochs", "1", "--silent"]
    start = ["train", "char-lm", "--text", config.text, *tiny, "--kernels", "explicit", "--runs", str(tmp_path)]
    assert main([*start, "--name", "a", "--snapshots", "3"]) == 0
    updates = json.loads((tmp_path / "a/result.json").read_text())["updates"]
    assert snapshot_steps(updates, 3) <= set(steps_of(tmp_path / "a"))
    assert main([*start, "--name", "b", "--snapshots", "-1"]) == 2
    assert "snapshots must be an integer of 0 to 100000, got -1" in capsys.readouterr().err


# --------------------------------------------------------------------------------------------------------- the numbers
def test_every_checkpoint_is_in_the_slider_in_order_and_the_best_is_marked(run, kept):
    shown = inspect_run(run, spectra=0)
    assert [int(f.label.split(",")[0].removeprefix("update ")) for f in shown.frames] == steps_of(run)
    best = json.loads((run / "result.json").read_text())["best_checkpoint"]
    assert [f.label.split(",")[0] for f in shown.frames if f.label.endswith(", best")] == [f"update {int(best[5:])}"]
    text = page(shown)
    assert all(f'"label":"{f.label}"' in text for f in shown.frames)
    corpus = load_corpus(kept)
    first = "".join(corpus.vocab.symbols[i] for i in corpus.valid[: kept.window])
    assert "".join(shown.symbols) == first


def test_masks_shown_are_those_of_the_first_update_where_the_window_has_its_size(run, kept):
    """kept.batch rows of kept.window steps: whatever the text, the masks are those that training drew first."""
    for shown in (inspect_run(run, spectra=0), inspect_run(run, split="train", spectra=0)):
        assert "dropout as in the run's first update" in shown.subject
        shape, like = (kept.window, kept.batch, kept.hidden), np.zeros(1, np.float32)
        drawn = draw_mask(stream(kept.seed, "recurrent", 0, 0), shape, 1 - kept.rate, like)
        for frame in shown.frames:
            np.testing.assert_array_equal(frame.layers[0].masks["ours"], drawn[:, 0])
    for size in ({"steps": 7}, {"batch": 2}, {"text": "ann has a little glass of milk"}):
        assert "dropout as in training, with masks of this window's own" in inspect_run(run, spectra=0, **size).subject
    assert "nothing dropped" in inspect_run(run, spectra=0, evaluate=True).subject


def test_zoneout_of_a_run_is_shown_as_shares_of_the_old_state(config, tmp_path):
    zoned = config.but(zoneout=(0.5, 0.1), rate=0.0, epochs=1)
    shown = inspect_run(registry.train("char-lm", zoned, tmp_path, "zoned", quiet=True).path, spectra=0)
    masks, text = shown.frames[0].layers[0].masks, page(shown)
    assert {name: set(np.unique(mask)) for name, mask in masks.items()} == dict.fromkeys(
        ("zoneout_c", "zoneout_h"), {0.0, 1.0}
    )
    assert masks["zoneout_c"].mean() > 0.4 and masks["zoneout_h"].mean() < 0.2
    assert "Zoneout of the memory" in text and "Zoneout of the hidden state" in text
    assert "The share of its old memory" in text and "Recurrent dropout masks" not in text


def lens_of(inputs, targets, rng):
    """The loss of a language model on tokens (T, B)."""

    def loss(model):
        return nn.cross_entropy(model(inputs, streams=rng)[0], targets, time="sum"), len(inputs)

    return Lens(loss, len(inputs), 1, "nats", "", "", "")


def test_what_is_looked_at_is_the_update_that_training_makes(kept):
    looked_at, trained = (LanguageModelTask(kept, load_corpus(kept)) for _ in range(2))
    inputs, targets = looked_at.batches[0]
    loss, _ = look(looked_at.model.train(), lens_of(inputs, targets, Streams(kept.seed)), spectra=0)
    update = trained.update(Clock())
    assert loss == update["loss"] and optim.global_norm(looked_at.model.parameters()) == update["norm"]


def test_two_layers_are_read_apart_and_equal_the_layer_alone():
    model = LanguageModel(7, 3, 4, cell="gru", layers=2, init=0.8, rng=0, dtype=np.float64, kernels="explicit").eval()
    rng = np.random.default_rng(0)
    inputs, targets = rng.integers(0, 7, (5, 3)), rng.integers(0, 7, (5, 3))
    cell, weights = model.recurrent.cell, model.recurrent.weights
    lower, upper = (type(w)(*(p.value for p in w)) for w in (weights(0), weights(1)))
    loss, scopes = look(model, lens_of(inputs, targets, None))
    x = model.embedding.weight.value[inputs]
    first = microscope(cell, x, np.zeros((3, 4)), lower, spectra=0)
    h = np.zeros((3, 4))
    outputs, deeper = [], []
    for x_t in x:
        h = cell.step(x_t, (h,), lower)[0][0]
        outputs.append(h)
    h = np.zeros((3, 4))
    for x_t in outputs:
        h = cell.step(x_t, (h,), upper)[0][0]
        deeper.append(h)
    logits = np.array(deeper) @ model.output.weight.value.T + model.output.bias.value
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    picked = np.take_along_axis(p, targets[..., None], axis=-1)
    assert loss == pytest.approx(-np.log(picked).mean(), rel=1e-12)
    onehot = np.eye(7)[targets]
    dy = (p - onehot) / 3 @ model.output.weight.value
    second = microscope(cell, np.array(outputs), np.zeros((3, 4)), upper, dy=dy)
    np.testing.assert_array_equal(scopes[0].contents["h"], first.contents["h"])
    for gate in cell.gates:
        np.testing.assert_allclose(scopes[1].gate_gradients[gate], second.gate_gradients[gate], rtol=1e-12)
    np.testing.assert_allclose(scopes[1].singular_values, second.singular_values, rtol=1e-12)
    assert len(scopes) == 2


def test_loss_in_evaluation_is_that_of_the_loaded_model(run, kept):
    shown = inspect_run(run, evaluate=True, spectra=0)
    run = registry.load(run, "last")
    model, vocab = run.model, vocabulary_of(run)
    tokens = load_corpus(kept).valid
    B = min(kept.batch, len(tokens) // (kept.window + 1))
    tokens = tokens[: len(tokens) // B * B].reshape(B, -1)[:, : kept.window + 1].T  # (T+1, B)
    logits = ops.reshape(model(tokens[:-1])[0], (-1, len(vocab)))
    expected = nn.cross_entropy(logits, tokens[1:].reshape(-1)).item()
    assert shown.frames[-1].facts == f"loss on this window {expected:.4g} nats a char"
    assert not shown.frames[0].layers[0].masks and "nothing dropped" in shown.subject


@pytest.mark.parametrize("cell, layers", [("rnn", 1), ("gru", 2)])
def test_other_cells_and_layers(cell, layers, kept, tmp_path):
    path = registry.train("char-lm", kept.but(cell=cell, layers=layers), tmp_path, "run", quiet=True).path
    shown = inspect_run(path, steps=5, batch=2)
    assert {len(f.layers) for f in shown.frames} == {layers} and shown.cell.name == cell
    assert shown.frames[0].layers[-1].contents["h"].shape == (6, kept.hidden)
    assert set(shown.frames[0].layers[0].masks) == ({"gal"} if cell == "rnn" else {"ours"})
    assert f"<option value={layers - 1}>layer {layers}</option>" in page(shown)


def test_the_text_given_is_the_one_shown(run):
    shown = inspect_run(run, text="ann and bob", spectra=0)
    assert "".join(shown.symbols) == "ann and bo" and "1 stream," in shown.subject
    assert "".join(inspect_run(run, text="ann and bob", steps=3, spectra=0).symbols) == "ann"
    with pytest.raises(InputError, match="at least 2 chars, got 1"):
        inspect_run(run, text="a")


# --------------------------------------------------------------------------------------------------------- the command
def test_the_command_writes_into_the_run_and_prints_numbers(copy, capsys):
    assert main(["inspect", str(copy), "--steps", "6", "--batch", "2"]) == 0
    assert capsys.readouterr().out == f"page: {copy}/inspect.html\n"
    assert (copy / "inspect.html").read_text(encoding="utf-8").count("<section") == 8
    assert main(["inspect", str(copy), "--split", "test", "--steps", "6", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert len(printed["frames"]) == len(steps_of(copy)) and len(printed["symbols"]) == 6


def test_damaged_checkpoints_are_left_out_and_said(copy, capsys):
    steps = steps_of(copy)
    harmed = copy / "checkpoints" / f"step-{steps[1]:09d}.safetensors"
    harmed.write_bytes(harmed.read_bytes()[:-9])
    assert main(["inspect", str(copy), "--steps", "4"]) == 0
    assert f"step-{steps[1]:09d}.safetensors is damaged" in capsys.readouterr().err
    assert f"Left out: checkpoint step-{steps[1]:09d}" in (copy / "inspect.html").read_text(encoding="utf-8")
    shown = inspect_run(copy, steps=4, spectra=0)
    assert len(shown.frames) == len(steps) - 1 and all(f"update {steps[1]}," not in f.label for f in shown.frames)


def break_all(copy):
    for path in (copy / "checkpoints").glob("*.safetensors"):
        path.write_bytes(b"")


def empty(copy):
    shutil.rmtree(copy / "checkpoints")


def another_model(copy):
    stored = {"layout": 2, "run": "r", "config": {}, "model": "juggler"}
    (copy / "config.json").write_text(json.dumps({**stored, "sha256": digest_of(stored)}))


def test_a_text_that_changed_since_is_refused(kept, tmp_path, capsys):
    text = tmp_path / "own.txt"
    with open(kept.text) as file:
        text.write_text(file.read())
    run = registry.train("char-lm", kept.but(text=str(text), epochs=1), tmp_path, "run", quiet=True).path
    text.write_text(text.read_text().replace("glass", "grass"))
    assert main(["inspect", str(run)]) == 2
    assert "give a text of your own with --text" in capsys.readouterr().err


@pytest.mark.parametrize(
    "harm, arguments, message",
    [
        (break_all, [], "no usable checkpoint: step-"),
        (empty, [], "no usable checkpoint yet"),
        (another_model, [], "a run of one of word-lm, char-lm"),
        (None, ["--hidden", "5"], "--hidden must be given with a cell"),
        (None, ["--steps", "0"], "steps must be an integer in 1..1000, got 0"),
        (None, ["--batch", "0"], "batch must be an integer in 1..256, got 0"),
        (None, ["--text", "ann", "--split", "test"], "--text and --split must be given one at a time, got both"),
        (None, ["--text", "ann", "--batch", "3"], "--text and --batch must be given one at a time, got both"),
        (None, ["--text", "☃☃"], "got '☃'"),
        (None, ["--out", "/no/such/folder/page.html"], "in an existing folder"),
    ],
)
def test_bad_runs_and_options_are_status_2_with_one_line(harm, arguments, message, copy, capsys):
    if harm is not None:
        harm(copy)
    assert main(["inspect", str(copy), *arguments]) == 2
    error = capsys.readouterr().err.splitlines()
    assert message in error[-1] and not any("Traceback" in line for line in error)
    assert not (copy / "inspect.html").exists()


def test_a_run_of_nearly_that_name_is_suggested(copy, capsys):
    assert main(["inspect", str(copy.parent / "cpoy")]) == 2
    assert f"did you mean {copy}?" in capsys.readouterr().err


@pytest.mark.slow
def test_a_browser_draws_every_panel_at_the_checkpoint_asked_for(run, tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium here")
    shown = inspect_run(run, steps=6, batch=2)
    nothing = replace(shown.frames[2].layers[0], gate_gradients={g: np.full(6, np.nan) for g in "ifgo"})
    frames = (*shown.frames[:2], replace(shown.frames[2], layers=(nothing,)), *shown.frames[3:])
    file = tmp_path / "page.html"
    file.write_text(page(replace(shown, frames=frames)), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    command += ["--virtual-time-budget=2000", "--dump-dom", f"file://{file}#checkpoint=2"]
    drawn = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    assert f"{shown.frames[2].label} (3 of {len(frames)})" in drawn
    body = drawn[: drawn.index('id="data"')]
    assert body.count("<svg") == 7 and "gaps: missing" in body and "i: missing" in body
    assert "NaN" not in body and "undefined" not in body

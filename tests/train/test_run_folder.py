"""Run folders: what was edited, damaged, left behind or exchanged is noticed; nothing of another run is touched."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from minirnn.cli import main
from minirnn.errors import InputError
from minirnn.models import registry
from minirnn.train import checkpoint
from minirnn.train.checkpoint import checkpoints
from minirnn.train.run_folder import RunFolder


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    return registry.train("char-lm", config, tmp_path_factory.mktemp("runs"), "whole", quiet=True)


@pytest.fixture
def cut(config, tmp_path, stop_at_look, monkeypatch):
    """A run that was asked to stop in its second epoch."""
    stop_at_look(70)
    path = registry.train("char-lm", config, tmp_path, "run", quiet=True).path
    monkeypatch.undo()
    return path


@pytest.fixture
def ended(whole, tmp_path):
    """A copy of the run that is complete."""
    return Path(shutil.copytree(whole.path, tmp_path / "ended"))


def edited(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("old, new", [('"seed": 3', '"seed": 4'), ('"rate": 0.25', '"rate": 0.35'),
                                      ('"clip": 5.0', '"clip": 50.0'), ('"hidden": 12', '"hidden": 13')])
def test_an_edited_configuration_is_refused(old, new, cut):
    edited(cut / "config.json", old, new)
    for use in (registry.resume, registry.load):
        with pytest.raises(InputError, match="config.json must be as it was written, got other content"):
            use(cut)


def test_a_configuration_without_its_hash_is_refused(cut):
    stored = json.loads((cut / "config.json").read_text())
    stored.pop("sha256")
    stored["config"]["seed"] = 4
    (cut / "config.json").write_text(json.dumps(stored))
    with pytest.raises(InputError, match="config.json must be as it was written"):
        registry.resume(cut, quiet=True)


def test_a_configuration_with_a_new_hash_fits_no_checkpoint(reseal, cut):
    stored = json.loads((cut / "config.json").read_text())
    reseal(cut / "config.json", config={**stored["config"], "seed": 4})
    with pytest.raises(InputError, match="belongs to another run, or to another configuration"):
        registry.resume(cut, quiet=True)


def test_another_vocabulary_is_refused(reseal, cut):
    edited(cut / "vocabulary.json", '"a"', '"A"')
    with pytest.raises(InputError, match="vocabulary.json must be as it was written"):
        registry.load(cut)
    stored = json.loads((cut / "vocabulary.json").read_text())
    reseal(cut / "vocabulary.json", **{key: stored[key] for key in stored})
    for use in (registry.resume, registry.load):
        with pytest.raises(InputError, match="vocabulary.json must be the file the run was made with"):
            use(cut)


@pytest.mark.parametrize("content", ["[]", "3", "null", "{}", "NaN", '{"a": 1e999}', "[" * 100_000, "9" * 6000])
@pytest.mark.parametrize("name", ["result.json", "config.json", "vocabulary.json"])
def test_other_json_is_refused_in_a_line(name, content, ended, capsys):
    (ended / name).write_text(content)
    assert main(["sample" if name == "vocabulary.json" else "train", *([] if name == "vocabulary.json" else
                ["--resume"]), str(ended)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("minirnn: ") and said.count("\n") == 1 and (name in said or "older one" in said)


def test_an_edited_result_is_refused(ended, reseal):
    shutil.copyfile(ended / "result.json", ended / "kept")
    edited(ended / "result.json", '"updates": 1', '"updates": 2')
    with pytest.raises(InputError, match="result.json must be as it was written"):
        registry.resume(ended, quiet=True)
    shutil.copyfile(ended / "kept", ended / "result.json")
    reseal(ended / "result.json", data=3)
    with pytest.raises(InputError, match="result.json must be a run's result"):
        registry.resume(ended, quiet=True)
    shutil.rmtree(ended / "checkpoints")
    (ended / "result.json").unlink()
    (ended / "result.json").mkdir()
    with pytest.raises(OSError, match="result.json"):
        registry.resume(ended, quiet=True)


def harmed(data):
    """Metrics with a digit changed, a line doubled, gone, moved or cut, the whole twice, other bytes, nothing."""
    lines = data.splitlines(keepends=True)
    place = data.index(b'"step": ') + 8
    return [data[:place] + b"9" + data[place + 1 :], b"".join([lines[0], *lines]), b"".join(lines[1:]), b"",
            b"".join([*lines[1:], lines[0]]), data[len(data) // 2 :], data[: len(data) // 2], data * 2, b"\xff" * 90]


@pytest.mark.parametrize("how", range(9))
def test_damaged_metrics_are_noticed(how, cut, ended, whole, numbers):
    """Of a complete run always; of one that goes on, where they differ from what its checkpoint says of them."""
    for path in (ended, cut):
        metrics = path / "metrics.jsonl"
        data = metrics.read_bytes()
        metrics.write_bytes(harmed(data)[how])
        with pytest.raises(InputError, match="metrics.jsonl"):
            RunFolder.open(path).read_metrics()
        if path == cut and harmed(data)[how].startswith(data):  # what follows the checkpoint is made anew
            assert numbers(registry.resume(path, quiet=True).result) == numbers(whole.result)
        else:
            with pytest.raises(InputError, match="metrics.jsonl"):
                registry.resume(path, quiet=True)


def test_what_was_said_after_the_last_checkpoint_is_made_anew(cut, whole, numbers):
    with open(cut / "metrics.jsonl", "a") as file:
        file.write('{"kind": "train", "step": 100000}\n{"kind": "tr')
    assert RunFolder.open(cut).read_metrics()[-1]["step"] == 100_000
    assert numbers(registry.resume(cut, quiet=True).result) == numbers(whole.result)


def test_a_run_asked_to_stop_before_its_next_line_says_how_long_its_metrics_are(cut, whole, numbers, monkeypatch,
                                                                                stop_at_look):
    """Killed after a line that no checkpoint knows, resumed, asked to stop at once, resumed."""
    with open(cut / "metrics.jsonl", "a") as file:
        file.write('{"kind": "train", "step": 71}\n')
    stop_at_look(1)
    assert registry.resume(cut, quiet=True).status == 143
    monkeypatch.undo()
    state = checkpoint.read_checkpoint(cut / "checkpoints", checkpoints(cut / "checkpoints")[0]).state
    assert state["metrics"]["bytes"] == (cut / "metrics.jsonl").stat().st_size
    assert numbers(registry.resume(cut, quiet=True).result) == numbers(whole.result)


def test_a_checkpoint_that_a_kill_left_over_is_discarded(config, tmp_path, monkeypatch, whole, stop_at_look):
    """Killed between the writing of a checkpoint and the discarding of the one before the last."""
    stop_at_look(30)
    monkeypatch.setattr("minirnn.train.loop.discard_old", lambda *args: None)
    path = registry.train("char-lm", config, tmp_path, "run", quiet=True).path
    monkeypatch.undo()
    left = checkpoints(path / "checkpoints")
    (path / "checkpoints" / f"{left[-2]}.json").unlink()  # in the middle of it, even
    assert len(left) > 4
    stop_at_look(1)
    registry.resume(path, quiet=True)
    assert checkpoints(path / "checkpoints") == left[:2]
    assert not (path / "checkpoints" / f"{left[-2]}.safetensors").exists()


def test_a_folder_that_cannot_be_read_is_not_an_empty_one(cut, monkeypatch):
    """pathlib's glob finds nothing where it may not look; then the newest checkpoints would be called superseded."""
    there = checkpoints(cut / "checkpoints")

    def denied(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(os, "listdir", denied)
    with pytest.raises(PermissionError):
        checkpoint.discard_old(cut / "checkpoints")
    monkeypatch.undo()
    assert checkpoints(cut / "checkpoints") == there


@pytest.fixture
def gone():
    """The number of a process that ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_what_killed_processes_left_is_removed_and_what_living_ones_make_is_not(gone, cut, whole, numbers):
    left = [cut / f"result.json.{gone}.tmp", cut / f"checkpoints/step-000000001.json.{gone}.tmp"]
    for path in left:
        path.write_bytes(b"x")
    assert numbers(registry.resume(cut, quiet=True).result) == numbers(whole.result)
    assert not any(path.exists() for path in left)

    dead, alive = cut.with_name(f".new.{gone}-0123abcd.tmp"), cut.with_name(f".new.{os.getppid()}-0123abcd.tmp")
    for path in (dead, alive):
        path.mkdir()
    RunFolder.create(cut.parent, "new", {})
    assert not dead.exists() and alive.exists()


def test_a_folder_that_was_replaced_is_not_touched(config, tmp_path, monkeypatch):
    """While one process trains, its folder is removed and another run is begun under the same name."""
    made, before = [], {}
    real = RunFolder.metrics_state

    def state(folder):
        made.append(folder)
        if len(made) == 4:
            shutil.rmtree(folder.path)
            monkeypatch.setattr(RunFolder, "metrics_state", real)
            other = registry.train("char-lm", config.but(seed=8, epochs=1), tmp_path, "run", quiet=True).path
            before.update({p: p.read_bytes() for p in other.rglob("*") if p.is_file()})
        return real(folder)

    monkeypatch.setattr(RunFolder, "metrics_state", state)
    with pytest.raises(InputError, match="was removed or replaced while it was in use"):
        registry.train("char-lm", config, tmp_path, "run", quiet=True)
    assert {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("name", ["metrics.jsonl", "result.json", "checkpoints", "config.json", "show.html"])
def test_links_and_pipes_in_a_run_folder_are_refused(name, cut, tmp_path, capsys):
    """What was written there would land elsewhere, and reading a pipe would wait for ever."""
    elsewhere = tmp_path / "elsewhere"
    if (cut / name).exists():
        (cut / name).rename(elsewhere)
    (cut / name).symlink_to(elsewhere)
    kept = elsewhere.read_bytes() if elsewhere.is_file() else None
    for command in (["train", "--resume"], ["show"], ["sample"], ["inspect"]):
        assert main([*command, str(cut)]) == 2
        assert f"{name} must be a file or a folder, got a link" in capsys.readouterr().err
    assert (elsewhere.read_bytes() if elsewhere.is_file() else None) == kept
    (cut / name).unlink()
    os.mkfifo(cut / name)
    assert main(["show", str(cut)]) == 2
    assert name in capsys.readouterr().err


def test_a_folder_that_cannot_be_entered_is_not_left_locked(cut, monkeypatch):
    def full(folder):
        raise OSError(28, "No space left on device", str(folder))

    monkeypatch.setattr("minirnn.train.run_folder.make_folder", full)
    with pytest.raises(OSError, match="No space"):
        registry.resume(cut, quiet=True)
    monkeypatch.undo()
    assert registry.resume(cut, quiet=True).status == 0


def test_changed_attachments_are_named(ended, capsys):
    kept = sorted((ended / "attachments").iterdir())
    assert len(kept) == 2
    kept[0].write_text("something else")
    kept[1].unlink()
    assert main(["show", str(ended)]) == 0
    page = (ended / "show.html").read_text()
    assert page.count("It is not as it was kept") == 1 and page.count("It is no longer in the run folder") == 1


def test_a_best_checkpoint_that_cannot_be_read_now_does_not_change_the_result(cut, whole, numbers, monkeypatch):
    real = Path.read_bytes

    def failing(path):
        if path.name == f"{whole.result['best_checkpoint']}.json":
            raise OSError(5, "Input/output error", str(path))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", failing)
    with pytest.raises(InputError, match=f"{whole.result['best_checkpoint']}.json' cannot be read .Input/output error"):
        registry.resume(cut, quiet=True)
    assert not (cut / "result.json").exists()
    monkeypatch.undo()
    assert numbers(registry.resume(cut, quiet=True).result) == numbers(whole.result)


@pytest.mark.parametrize("state", [{}, {"metrics": 3, "parts": {}}, {"clock": {}, "parts": {"learner": []}}])
def test_a_checkpoint_of_another_form_is_named_and_passed_over(state, cut, whole, numbers, capsys):
    newest = cut / "checkpoints" / f"{checkpoints(cut / 'checkpoints')[0]}.json"
    body = json.loads(newest.read_text())
    body.pop("sha256")
    body["state"] = state
    newest.write_text(json.dumps({**body, "sha256": checkpoint.digest_of(body)}))
    registry.load(cut, "last", say=print)
    assert "does not fit this run" in capsys.readouterr().out
    assert numbers(registry.resume(cut).result) == numbers(whole.result)
    assert f"checkpoint {newest.stem} does not fit this run" in capsys.readouterr().err


def test_a_configuration_where_a_number_stands_for_another_is_refused(config):
    with pytest.raises(InputError, match="descent must be a configuration, Descent, got 3"):
        type(config).from_json({**config.to_json(), "descent": 3})

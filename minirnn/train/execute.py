"""A training task in a run folder, from the first update or from a checkpoint to result.json; whatever the task is."""

import sys
from dataclasses import dataclass
from pathlib import Path

from minirnn.errors import InputError, must_be
from minirnn.train.checkpoint import CheckpointError, hash_of, snapshot_steps
from minirnn.train.loop import Loop
from minirnn.train.run_folder import RunFolder, environment
from minirnn.train.signals import StopRequest
from minirnn.train.task import size_of


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its folder, exit status (0 complete, 130 or 143 interrupted), result.json's content or None."""

    path: Path
    status: int
    result: dict | None


def train_or_resume(path, kind, config, make_task, stream=None, quiet=False):
    """Train the task of ``make_task()`` in folder ``path``: anew, or what is left of a run begun there -> Outcome.

    A complete run is only read. InputError when the folder holds a run of another ``kind``, configuration or data, or
    another process trains in it.
    """
    path = Path(path)
    if not (path / "config.json").is_file():
        task = make_task()  # every complaint about the input comes before a folder is made
        with RunFolder.create(path.parent, path.name, stored_config(kind, config, task)) as run_folder:
            return execute(run_folder, task, stream, quiet, fresh=True)
    with RunFolder.open(path) as run_folder:
        stored, result = _same_run(run_folder, kind, config)
        if result is not None:
            return Outcome(path, 0, result)
        return resume(run_folder, make_task(), stored, stream, quiet)


def finished(path, kind, config):
    """The content of result.json in folder ``path``, None where no run is complete or none was begun.

    InputError when the folder holds a run of another ``kind`` or configuration, or a file of it is damaged.
    """
    begun = (Path(path) / "config.json").is_file()
    return _same_run(RunFolder.open(path), kind, config)[1] if begun else None


def _same_run(run_folder, kind, config):
    """(config.json, result.json or None) of a run of this ``kind`` and configuration; InputError for another."""
    stored = run_folder.read_json("config.json")
    if stored.get("task") != kind or type(config).from_json(stored["config"]) != config:
        raise InputError(must_be("run folder", str(run_folder.path), "a run of the same configuration", "another one"))
    return stored, read_result(run_folder)


def stored_config(kind, config, task):
    """What config.json says."""
    return {"task": kind, "config": config.to_json(), "data_fingerprint": task.data["fingerprint"]}


def resume(run_folder, task, stored, stream, quiet, end=False):
    """Go on with the run of an entered RunFolder, or ``end`` it; ``stored`` is its config.json. InputError for other
    data."""
    if task.data["fingerprint"] != stored.get("data_fingerprint"):
        origin = task.data["origin"]
        cause = f"the run was started on other data, or another Python's help texts; origin now: {origin}"
        where = f"resume {run_folder.path}"
        raise InputError(must_be(where, "data", "those the run was started on", "different ones", cause))
    for name, before, now in changes(run_folder.read_json("environment.json"), environment()):
        sayer(stream, quiet)(f"{name} was {before} when the run began and is {now}: the last digits may differ")
    return execute(run_folder, task, stream, quiet, fresh=False, end=end)


def execute(run_folder, task, stream, quiet, fresh, end=False):
    """Train ``task`` in an entered RunFolder -> Outcome. Ctrl-C and SIGTERM end it with a checkpoint.

    ``end``: train no further but test the best epoch so far; InputError when none has ended.
    """
    run = run_folder.read_json("config.json")["run"]
    say = sayer(stream, quiet)
    config = task.config
    kept = snapshot_steps(task.epochs * task.updates, config.snapshots)
    loop = Loop(task, run_folder, run, config.log_every, config.checkpoint_every, stream, quiet, kept)
    with StopRequest() as stop:
        try:
            for name, values in task.files().items():
                if not (run_folder.path / name).is_file():  # or a full disk kept the run from writing it
                    run_folder.write_json(name, values)
            if fresh:
                say(f"{run_folder.path}: {task.introduction()}, {size_of(task.model):,} parameters,"
                    f" {task.epochs} x {task.updates} updates")
                loop.start()
            else:
                loop.resume(say)
            if end and loop.best is None:
                what, cause = "after the first epoch has ended", "there is nothing to test yet"
                raise InputError(must_be("train", "--end", f"given {what}", f"at update {loop.step}", cause))
            result = _finish(run_folder, task, loop, stop, say) if end or loop.train(stop) else None
        except OSError:
            safe = "no checkpoint yet" if loop.saved_step is None else f"checkpoint of update {loop.saved_step} is safe"
            say(f"stopped at update {loop.step}, {safe}; when there is room: minirnn train --resume {run_folder.path}")
            raise
        if result is None:
            say(f"interrupted at update {loop.step}, checkpoint written; go on with")
            say(f"minirnn train --resume {run_folder.path}")
            return Outcome(run_folder.path, stop.status, None)
    return Outcome(run_folder.path, 0, result)


def _finish(run_folder, task, loop, stop, say):
    """Test the best parameters and write result.json -> its content; None when ``stop`` came meanwhile."""
    used = "best"
    try:
        loop.load_best()
    except CheckpointError as error:
        say(f"the best checkpoint cannot be used ({error}); testing the last parameters instead")
        used = "last"
    tested = task.test(stop)
    if tested is None:
        return None
    result = {
        **{name: loop.best["metrics"][name] for name in task.shown}, **tested, "tested_parameters": used,
        "best_epoch": loop.best["epoch"], "best_checkpoint": loop.best["checkpoint"],
        "ended": "as configured" if task.finished(loop.epoch, loop.best) else "by hand",
        "epochs": loop.epoch, "updates": loop.step, "skipped_updates": loop.skipped, "parameters": size_of(task.model),
        "parameters_sha256": hash_of(task.parameters_only()), "chain": loop.chain, "data": task.data,
        "seconds": loop.elapsed(), f"{task.unit}_per_second": loop.rate(),
    }
    run_folder.write_json("result.json", result)
    speed = f"{loop.rate():,.0f} {task.unit}/s; {run_folder.path}/result.json"
    say(f"done: {task.summary(result)} (epoch {result['best_epoch']} of {loop.epoch}), {speed}")
    if task.data["origin"] == "generated twin":
        say("these are numbers of a generated twin, they say nothing about the real data")
    return run_folder.read_json("result.json")


def changes(before, now):
    """(name, before, now) of what differs between two environments, packages one by one."""
    flat = [{**e, **e.get("packages", {}), "packages": None} for e in (before, now)]
    return [(name, flat[0].get(name), value) for name, value in flat[1].items() if flat[0].get(name) != value]


def read_result(run_folder):
    """The content of result.json, None when the run is not complete."""
    return run_folder.read_json("result.json") if (run_folder.path / "result.json").is_file() else None


def sayer(stream, quiet):
    """A function that prints a line to ``stream`` (standard error if None), or nothing."""
    return (lambda text: None) if quiet else lambda text: print(text, file=stream or sys.stderr, flush=True)

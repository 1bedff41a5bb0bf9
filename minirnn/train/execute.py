"""A procedure in a run folder, from the first update or from a checkpoint to result.json; whatever the procedure is."""

import sys
from dataclasses import dataclass
from pathlib import Path

from minirnn.errors import InputError, must_be
from minirnn.train.checkpoint import CheckpointError, UnreadableError, hash_of, snapshot_steps
from minirnn.train.environment import changes, environment
from minirnn.train.loop import Diverged, Loop, in_words
from minirnn.train.procedure import Interrupted
from minirnn.train.run_folder import LAYOUT, RunFolder
from minirnn.train.signals import StopRequest

EXIT = {"complete": 0, "by hand": 0, "diverged": 1}  # exit status of a run that ended


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its folder, its exit status and result.json's content or None.

    The status is 0 for a complete run, 1 for one that diverged, 130 or 143 for one that was interrupted.
    """

    path: Path
    status: int
    result: dict | None


def begin(runs, name, stem, stored, procedure, out=None, quiet=False):
    """Train ``procedure`` in a new run folder ``runs/name``, or ``runs/stem-1``, stem-2, ... without a name -> Outcome.

    ``stored``: what config.json says of the run. Raises InputError for an existing folder, OSError with the path (disk
    full, unwritable). Ctrl-C and SIGTERM end it with a checkpoint and a word on how to resume: minirnn train --resume
    runs/stem-1.
    """
    make = RunFolder.create_numbered if name is None else RunFolder.create
    with make(runs, stem if name is None else name, stored, procedure.files()) as run_folder:
        return execute(run_folder, procedure, out, quiet, fresh=True)


def stored_config(model, config, procedure, ingredients=()):
    """What config.json says: the registered model, its configuration, its data and the runs it starts from."""
    stored = {"layout": LAYOUT, "model": model, "config": config.to_json(),
              "data_fingerprint": procedure.data["fingerprint"]}
    return stored | ({"ingredients": dict(ingredients)} if ingredients else {})


def resume(run_folder, procedure, stored, out, quiet, end=False):
    """Go on with the run of an entered RunFolder, or ``end`` it; ``stored`` is its config.json. InputError for other
    data."""
    if procedure.data["fingerprint"] != stored.get("data_fingerprint"):
        origin = procedure.data["origin"]
        cause = f"the run was started on other data; origin now: {origin}"
        where = f"resume {run_folder.path}"
        raise InputError(must_be(where, "data", "those the run was started on", "different ones", cause))
    say = sayer(out, quiet)
    try:
        differing = changes(run_folder.read_json("environment.json"), environment())
    except (InputError, OSError) as error:
        say(f"{error}; so nobody can say whether this machine computes as the run began")
        differing = []
    for name, before, now in differing:
        say(f"{name} was {before} when the run began and is {now}: the last digits may differ")
    return execute(run_folder, procedure, out, quiet, fresh=False, end=end)


def execute(run_folder, procedure, out, quiet, fresh, end=False):
    """Train ``procedure`` in an entered RunFolder -> Outcome, of status 130 or 143 after Ctrl-C or SIGTERM.

    An interrupted run has a checkpoint. ``end``: train no further but test the best epoch so far; InputError when none
    has ended.
    """
    say = sayer(out, quiet)
    phases = procedure.phases()
    total = sum(phase.updates * phase.rounds for phase in phases)
    loop = Loop(procedure, run_folder, out, quiet, snapshot_steps(total, procedure.config.snapshots))
    with StopRequest() as stop:
        try:
            for name, values in procedure.files().items():
                run_folder.complete(name, values)  # what a full disk kept the run from writing
            if fresh:
                loop.start()
                updates = " + ".join(f"{phase.rounds} x {phase.updates}" for phase in phases)
                say(f"{run_folder.path}: {procedure.introduction()}, {procedure.size():,} parameters,"
                    f" {updates} updates")
            else:
                loop.resume(say)
            if end and loop.best is None:
                what, cause = "after the first epoch has ended", "there is nothing to test yet"
                raise InputError(must_be("train", "--end", f"given {what}", f"at update {loop.clock.step}", cause))
            result = _finish(run_folder, procedure, loop, stop, say) if end or loop.train(stop) else None
        except Diverged as error:
            result = _give_up(run_folder, procedure, loop, error, say)
        except OSError:
            saved = loop.saved_step
            safe = "no checkpoint yet" if saved is None else f"checkpoint of update {saved} is safe"
            step = loop.clock.step
            say(f"stopped at update {step}, {safe}; when there is room: minirnn train --resume {run_folder.path}")
            raise
        if result is None:
            say(f"interrupted at update {loop.clock.step}, checkpoint written; go on with")
            say(f"minirnn train --resume {run_folder.path}")
            return Outcome(run_folder.path, stop.status, None)
    return Outcome(run_folder.path, EXIT[result["status"]], result)


def _finish(run_folder, procedure, loop, stop, say):
    """Test the best parameters and write result.json -> its content; None when ``stop`` came meanwhile."""
    used, procedure.stop = "last", stop
    ended = loop.clock.phase + 1 == len(loop.phases) and loop.over()
    if loop.best is not None:
        try:
            loop.load_best()
            used = "best"
        except UnreadableError:
            raise  # a disk that fails for a moment must not change the result
        except CheckpointError as error:
            say(f"the best checkpoint cannot be used ({error}); testing the last parameters instead")
    try:
        tested = procedure.test()
    except Interrupted:
        return None
    best = loop.best or {"metrics": {}, "epoch": None, "checkpoint": None}
    result = {
        "status": "complete" if ended else "by hand", **best["metrics"], **tested, "tested_parameters": used,
        "best_epoch": best["epoch"], "best_checkpoint": best["checkpoint"], **_totals(procedure, loop),
    }
    run_folder.write_result(result)
    words = in_words(procedure.shown, result)
    of = f" (best epoch {best['epoch']} of {loop.clock.rounds})" if loop.best else ""
    speed = f"{loop.rate():,.0f} {procedure.unit}/s; {run_folder.path}/result.json"
    say(f"done: {words}{of}, {speed}")
    if procedure.data["origin"] == "generated twin":
        say("these are numbers of a generated twin, they say nothing about the real data")
    return run_folder.read_result()


def _give_up(run_folder, procedure, loop, error, say):
    """A run that diverged is a result too, so that nobody tries it again -> result.json's content."""
    say(f"{run_folder.path} diverged: {error}")
    metrics = loop.best["metrics"] if loop.best else {}
    run_folder.write_result({"status": "diverged", "reason": str(error), "best_metrics": metrics,
                             "best_epoch": loop.best["epoch"] if loop.best else None, **_totals(procedure, loop)})
    return run_folder.read_result()


def _totals(procedure, loop):
    return {
        "epochs": loop.clock.rounds, "updates": loop.clock.step, "skipped_updates": loop.skipped,
        "parameters": procedure.size(), "parameters_sha256": hash_of(procedure.parameters()), "chain": loop.chain,
        "data": procedure.data, "seconds": loop.elapsed(), f"{procedure.unit}_per_second": loop.rate(),
    }


def sayer(out, quiet):
    """A function that prints a line to ``out`` (standard error if None), or nothing."""
    return (lambda text: None) if quiet else lambda text: print(text, file=out or sys.stderr, flush=True)

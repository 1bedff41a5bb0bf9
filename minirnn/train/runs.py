"""A language-model run from configuration to result, and its resumption."""

import contextlib
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from minirnn.data import Vocabulary
from minirnn.errors import InputError, must_be
from minirnn.train.checkpoint import CheckpointError, checkpoints, hash_of, read_checkpoint, snapshot_steps
from minirnn.train.config import LanguageModelConfig
from minirnn.train.language_model import LanguageModelTask, build_model, load_corpus, size_of
from minirnn.train.loop import Loop
from minirnn.train.run_folder import RunFolder, environment
from minirnn.train.signals import StopRequest


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its folder, exit status (0 complete, 130 or 143 interrupted), result.json's content or None."""

    path: Path
    status: int
    result: dict | None


def train_language_model(config, runs="runs", name=None, folder=None, stream=None, quiet=False):
    """Train a LanguageModelConfig in a new run folder ``runs/name`` -> Outcome.

    ``folder`` is the data folder. Ctrl-C and SIGTERM end it with a checkpoint and a word on how to resume. Raises
    InputError (bad input, existing folder), OSError with the path (disk full, unwritable), Diverged.
    """
    corpus = load_corpus(config, folder)
    task = LanguageModelTask(config, corpus)  # every complaint about the input comes before a folder is made
    stored = {"task": "language-model", "config": config.to_json(), "data_fingerprint": corpus.fingerprint}
    stem = re.sub(r"[^\w.+=-]", "-", f"{config.level}-lm-{corpus.name}-{config.cell}")
    make = RunFolder.create_numbered if name is None else RunFolder.create
    run_folder = make(runs, stem if name is None else name, stored)
    with run_folder:
        run_folder.write_json("vocabulary.json", {"level": corpus.vocab.level, "symbols": corpus.vocab.symbols})
        return _run(run_folder, config, task, corpus, stream, quiet, fresh=True)


def resume_run(path, folder=None, text=None, stream=None, quiet=False):
    """Go on with the run in folder ``path`` from its newest usable checkpoint -> Outcome, as if it had never stopped.

    ``text`` says where a text file is now, if it was moved. InputError when it is no run folder, its data have
    changed, or another process is training in it.
    """
    with RunFolder.open(path) as run_folder:
        say = _sayer(stream, quiet)
        result = read_result(run_folder)
        if result is not None:
            say(f"run {run_folder.path} is complete")
            return Outcome(run_folder.path, 0, result)
        stored = run_folder.read_json("config.json")
        config = read_config(run_folder, stored)
        if text is not None:
            config = LanguageModelConfig.from_json({**config.to_json(), "text": str(text)})
        corpus = load_corpus(config, folder)
        if corpus.fingerprint != stored.get("data_fingerprint"):
            cause = f"the run was started on other data, or another Python's help texts; origin now: {corpus.origin}"
            raise InputError(must_be(f"resume {path}", "data", "those the run was started on", "different ones", cause))
        task = LanguageModelTask(config, corpus)
        for name, before, now in changes(run_folder.read_json("environment.json"), environment()):
            say(f"{name} was {before} when the run began and is {now}: the last digits may differ")
        return _run(run_folder, config, task, corpus, stream, quiet, fresh=False)


def _run(run_folder, config, task, corpus, stream, quiet, fresh):
    run = run_folder.read_json("config.json")["run"]
    say = _sayer(stream, quiet)
    loop = Loop(task, run_folder, run, config.log_every, config.checkpoint_every, stream, quiet,
                snapshot_steps(task.epochs * task.updates, config.snapshots))  # fmt: skip
    with StopRequest() as stop:
        try:
            if fresh:
                say(f"{run_folder.path}: {corpus.name} ({corpus.origin}), {len(corpus.vocab)} {config.level}s,"
                    f" {size_of(task.model):,} parameters, {task.epochs} x {task.updates} updates")  # fmt: skip
                loop.start()
            else:
                loop.resume(say)
            complete = loop.train(stop)
            result = _finish(run_folder, config, task, corpus, loop, stop, say) if complete else None
        except OSError:
            safe = "no checkpoint yet" if loop.saved_step is None else f"checkpoint of update {loop.saved_step} is safe"
            say(f"stopped at update {loop.step}, {safe}; when there is room: minirnn train --resume {run_folder.path}")
            raise
        if result is None:
            say(f"interrupted at update {loop.step}, checkpoint written; go on with")
            say(f"minirnn train --resume {run_folder.path}")
            return Outcome(run_folder.path, stop.status, None)
    return Outcome(run_folder.path, 0, result)


def _finish(run_folder, config, task, corpus, loop, stop, say):
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
        "valid_perplexity": loop.best["metrics"]["valid_perplexity"], "valid_bits": loop.best["metrics"]["valid_bits"],
        **tested, "tested_parameters": used, "best_epoch": loop.best["epoch"],
        "best_checkpoint": loop.best["checkpoint"],
        "epochs": loop.epoch, "updates": loop.step, "skipped_updates": loop.skipped, "parameters": size_of(task.model),
        "parameters_sha256": hash_of(task.parameters_only()), "chain": loop.chain, "ppl_mode": config.ppl_mode,
        "data": {"name": corpus.name, "level": corpus.level, "origin": corpus.origin, "fingerprint": corpus.fingerprint,
                 "vocabulary": len(corpus.vocab)},
        "seconds": loop.elapsed(), "tokens_per_second": loop.rate(),
    }  # fmt: skip
    run_folder.write_json("result.json", result)
    say(f"done: valid perplexity {result['valid_perplexity']:.2f} (epoch {result['best_epoch']}),"
        f" test {result['test_perplexity']:.2f}, {result['test_bits']:.3f} bits a {corpus.level},"
        f" {result['tokens_per_second']:,.0f} tokens/s; {run_folder.path}/result.json")  # fmt: skip
    if corpus.origin == "generated twin":
        say("these are numbers of a generated twin, they say nothing about the real data")
    return run_folder.read_json("result.json")


def changes(before, now):
    """(name, before, now) of what differs between two environments, packages one by one."""
    flat = [{**e, **e.get("packages", {}), "packages": None} for e in (before, now)]
    return [(name, flat[0].get(name), value) for name, value in flat[1].items() if flat[0].get(name) != value]


def read_result(run_folder):
    """The content of result.json, None when the run is not complete."""
    return run_folder.read_json("result.json") if (run_folder.path / "result.json").is_file() else None


def read_config(run_folder, stored):
    """The LanguageModelConfig of config.json; InputError when it is of another kind of run or damaged."""
    if not isinstance(stored, dict) or stored.get("task") != "language-model" or "run" not in stored:
        raise InputError(must_be("run folder", str(run_folder.path), "a language-model run", "another config.json"))
    if not isinstance(stored.get("config"), dict):
        raise InputError(must_be("run folder", "config.json", "a configuration under 'config'", "none"))
    return LanguageModelConfig.from_json(stored["config"])


def load_model(path, which="best", say=None):
    """(LanguageModel in evaluation mode, Vocabulary, config) of a run folder, complete or not, even while it trains.

    which: "best" so far (the newest before the first epoch has ended) or "last". A damaged checkpoint is told to
    ``say`` and the next one taken; InputError when none is left.
    """
    run_folder = RunFolder.open(path)
    stored = run_folder.read_json("config.json")
    config = read_config(run_folder, stored)
    vocab = Vocabulary.from_json((run_folder.path / "vocabulary.json").read_text(encoding="utf-8"))
    if which not in ("best", "last"):
        raise InputError(must_be("load_model", "which", "'best' or 'last'", repr(which)))
    model = build_model(config, len(vocab))
    reasons = []
    for name in _preferred(run_folder, which, stored["run"]):
        try:
            arrays = read_checkpoint(run_folder.checkpoints, name, stored["run"]).arrays
            model.load_state_dict({k.removeprefix("model."): a for k, a in arrays.items() if k.startswith("model.")})
            return model.eval(), vocab, config
        except InputError as error:
            reasons.append(str(error))
            if say:
                say(f"checkpoint {error}; trying another")
    raise InputError(f"run folder {path}: no usable checkpoint" + (": " + "; ".join(reasons) if reasons else " yet"))


def _preferred(run_folder, which, run):
    """Names of checkpoints in the order to try: the best first if it is wanted and known, then from the newest."""
    names = checkpoints(run_folder.checkpoints)
    for name in names if which == "best" else ():
        with contextlib.suppress(CheckpointError):  # load_model meets it again and says so
            best = read_checkpoint(run_folder.checkpoints, name, run).state["best"]
            return [best["checkpoint"], *(n for n in names if n != best["checkpoint"])] if best else names
    return names


def _sayer(stream, quiet):
    return (lambda text: None) if quiet else lambda text: print(text, file=stream or sys.stderr, flush=True)

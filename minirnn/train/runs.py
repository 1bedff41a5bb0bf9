"""A language-model run from configuration to result, and its resumption."""

import contextlib
import re

from minirnn.data import Vocabulary
from minirnn.errors import InputError, must_be
from minirnn.train.checkpoint import CheckpointError, checkpoints, read_checkpoint
from minirnn.train.config import LanguageModelConfig
from minirnn.train.execute import Outcome, execute, read_result, resume, sayer, stored_config
from minirnn.train.language_model import LanguageModelTask, build_model, load_corpus
from minirnn.train.run_folder import RunFolder
from minirnn.train.task import under

KIND = "language-model"  # of the run, in config.json


def train_language_model(config, runs="runs", name=None, folder=None, stream=None, quiet=False):
    """Train a LanguageModelConfig in a new run folder ``runs/name`` -> Outcome.

    ``folder`` is the data folder. Ctrl-C and SIGTERM end it with a checkpoint and a word on how to resume. Raises
    InputError (bad input, existing folder), OSError with the path (disk full, unwritable), Diverged.
    """
    corpus = load_corpus(config, folder)
    task = LanguageModelTask(config, corpus)  # every complaint about the input comes before a folder is made
    stored = stored_config(KIND, config, task)
    stem = re.sub(r"[^\w.+=-]", "-", f"{config.level}-lm-{corpus.name}-{config.cell}")
    make = RunFolder.create_numbered if name is None else RunFolder.create
    run_folder = make(runs, stem if name is None else name, stored)
    with run_folder:
        return execute(run_folder, task, stream, quiet, fresh=True)


def resume_run(path, folder=None, text=None, stream=None, quiet=False, end=False):
    """Go on with the run in folder ``path`` from its newest usable checkpoint -> Outcome, as if it had never stopped.

    ``text`` says where a text file is now, if it was moved. ``end``: train no further, test the best epoch so far; the
    result says so. InputError when it is no run folder, its data have changed, another process is training in it, or
    there is no epoch to test.
    """
    with RunFolder.open(path) as run_folder:
        result = read_result(run_folder)
        if result is not None:
            sayer(stream, quiet)(f"run {run_folder.path} is complete")
            return Outcome(run_folder.path, 0, result)
        stored = run_folder.read_json("config.json")
        config = read_config(run_folder, stored)
        if text is not None:
            config = LanguageModelConfig.from_json({**config.to_json(), "text": str(text)})
        task = LanguageModelTask(config, load_corpus(config, folder))
        return resume(run_folder, task, stored, stream, quiet, end)


def read_config(run_folder, stored):
    """The LanguageModelConfig of config.json; InputError when it is of another kind of run or damaged."""
    if not isinstance(stored, dict) or stored.get("task") != KIND or "run" not in stored:
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
            model.load_state_dict(under("model.", arrays))
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

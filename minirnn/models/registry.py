"""Every model of the sources: where it lives, and how its runs are configured, made, resumed, loaded and read.

A model is a folder ``minirnn/models/NAME`` with ``model.py`` and ``task.py``, and ``tables.py`` and ``sample.py`` where
there is something to show. ``task.py`` has

- ``CONFIG``, the class of its configurations, and ``PRESETS`` {registered name: {preset: settings}};
- ``make(config, folder, ingredients)``, the Procedure on its data;
- ``modules(config, files)``, {part: untrained module} that checkpoints are loaded into, without the data;
- ``configure(name, preset, **given)``, the configuration of a preset with what is given in its place;

and may have ``ingredients(config)`` {name: Ingredient}.
"""

import contextlib
import hashlib
import importlib
import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path

from minirnn.errors import DtypeError, InputError, must_be, near
from minirnn.memory_limit import check_fits
from minirnn.nn.module import StateDict
from minirnn.train import execute
from minirnn.train.checkpoint import CheckpointError, checkpoints, fitting, read_checkpoint
from minirnn.train.run_folder import RunFolder, path_of
from minirnn.train.state import join_state
from minirnn.train.supervised import need_rate

WORKER = "minirnn.models.worker"  # the module that does one run in a process of its own


@dataclass(frozen=True)
class Model:
    """A line of the registry; ``cases`` are the names of its gradient checks, ``tables`` those ``reproduce`` knows."""

    folder: str
    about: str
    chapter: str
    cases: tuple[str, ...]
    tables: tuple[str, ...] = ()


MODELS = {
    "word-lm": Model("language_model", "a language model of words", "03", ("LanguageModel",),
                     ("table-3.2", "figure-3.1", "figure-3.2", "memory-scaling")),
    "char-lm": Model("language_model", "a language model of characters", "03", ("LanguageModel",), ("table-3.3",)),
    "tagger": Model("tagger", "named entities in sentences", "03", ("Tagger",), ("table-3.4",)),
    "sentiment": Model("sentiment", "the sentiment of short texts", "03", ("TextClassifier",), ("table-3.5",)),
    "temporal-order": Model("temporal_order", "which of two symbols came first, long ago", "03",
                            ("SequenceClassifier",), ("table-3.1",)),
}


def find(name):
    """The Model called ``name``; InputError that suggests near names."""
    if not isinstance(name, str) or name not in MODELS:
        raise InputError(must_be("models", "name", f"one of {', '.join(MODELS)}", repr(name), near(str(name), MODELS)))
    return MODELS[name]


def stem_of(name, stem):
    """A file of a model's folder as a module: stem_of("tagger", "task"); None where it has no such file."""
    full = f"minirnn.models.{find(name).folder}.{stem}"
    return importlib.import_module(full) if importlib.util.find_spec(full) else None


def task_of(name):
    """The module ``task`` of a model."""
    return stem_of(name, "task")


def presets(name):
    """{preset: settings} of a model, the default first."""
    return task_of(name).PRESETS[name]


def configure(name, preset=None, **given):
    """The configuration of a preset (None: the first) with the settings ``given``.

    ``configure("char-lm", "quick", hidden=16)``. InputError for an unknown preset or setting, with near names.
    """
    task, known = task_of(name), presets(name)
    preset = next(iter(known)) if preset is None else preset
    if preset not in known:
        raise InputError(must_be(f"train {name}", "preset", f"one of {', '.join(known)}", repr(preset),
                                 near(str(preset), known)))
    need_rate("train", {**known[preset], **given})
    return task.configure(name, preset, **given)


def configuration(name, stored):
    """The configuration object of a model from its JSON; InputError for an unknown model or entry."""
    return task_of(name).CONFIG.from_json(stored)


def ingredients_of(name, config):
    """{name: (registered model, its configuration)} of the runs that a run of this configuration starts from."""
    task = task_of(name)
    wanted = task.ingredients(config) if hasattr(task, "ingredients") else {}
    return {key: (i.name, configure(i.name, **i.settings)) for key, i in wanted.items()}


def folder_name(name, config):
    """The name of the run folder of a configuration, such as "tagger-f208d18d4102": equal ones have equal names.

    Only what differs from the defaults counts, with what the ingredients are: a run keeps its folder when a new option
    is added. Should a default ever change, ``finished`` refuses the run that was made with the old one.
    """
    differing = _differing(config.to_json(), type(config)().to_json())
    inner = {key: folder_name(*ingredient) for key, ingredient in ingredients_of(name, config).items()}
    text = json.dumps({"model": name, **differing, **({"ingredients": inner} if inner else {})}, sort_keys=True)
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _differing(values, defaults):
    found = {}
    for key, value in values.items():
        if isinstance(value, dict):
            value = _differing(value, defaults[key])
            found |= {key: value} if value else {}
        elif value != defaults[key]:
            found[key] = value
    return found


def make(name, config, folder=None, runs=None):
    """(Procedure, {ingredient: identity of its run}) of a configuration; ``runs`` is where ingredients are looked for.

    A run without ingredients, such as every tagger, gives (TaggerTask, {}). InputError for an ingredient that is
    missing, still training, diverged, or of other settings.
    """
    if not isinstance(config, task_of(name).CONFIG):
        raise DtypeError(must_be(f"train {name}", "config", f"a {task_of(name).CONFIG.__name__}",
                                 type(config).__name__))
    check_fits("train", "sizes", config.least_bytes(), "choose fewer units, layers or smaller batches")
    found = {}
    for key, (inner, wanted) in ingredients_of(name, config).items():
        found[key] = Path(runs or "runs") / folder_name(inner, wanted)
        _check_ingredient(key, inner, wanted, found[key])
    procedure = task_of(name).make(config, folder, {key: load(path) for key, path in found.items()})
    return procedure, {key: RunFolder.open(path).identity for key, path in found.items()}


def _check_ingredient(key, name, config, path):
    where = f"ingredient {key!r}"
    if not (path / "config.json").is_file():
        settings = json.dumps(_differing(config.to_json(), type(config)().to_json()))
        cause = f"train it first: minirnn train {name} --runs {path.parent} --name {path.name} with {settings}"
        raise InputError(must_be(where, "run", f"in {path}", "no run", cause))
    result = finished(name, config.to_json(), path)
    if result is None:
        cause = f"go on with it: minirnn train --resume {path}"
        raise InputError(must_be(where, "run", "a finished run", f"{path}, which is still training", cause))
    if result["status"] == "diverged":
        raise InputError(must_be(where, "run", "a run that was trained", f"{path}, which diverged", result["reason"]))


def finished(name, stored, path):
    """The result of configuration ``stored`` in folder ``path``, None while it has not ended; errors as ``run``."""
    if not (path_of(path) / "config.json").is_file():
        return None
    run_folder = RunFolder.open(path)
    _same_run(run_folder, name, configuration(name, stored))
    return run_folder.read_result()


def _same_run(run_folder, name, config):
    """config.json of a run of this model and configuration; InputError for another."""
    stored = run_folder.config()
    if stored.get("model") != name or configuration(name, stored["config"]) != config:
        raise InputError(must_be("run folder", str(run_folder.path), "a run of the same configuration", "another one"))
    return stored


def run(name, stored, path, folder=None, out=None, quiet=False):
    """Do the run of configuration ``stored`` in folder ``path``, or what is left of it -> Outcome.

    Called twice, ``run("tagger", config.to_json(), "runs/a")`` trains once: the second call reads result.json, or goes
    on where the first was interrupted. ``folder`` is where the data are. InputError when the folder holds a run of
    another model, configuration or data, or another process trains in it.
    """
    path, config = path_of(path), configuration(name, stored)
    if not (path / "config.json").is_file():
        procedure, used = make(name, config, folder, path.parent)  # complaints about the input come before a folder
        stored = execute.stored_config(name, config, procedure, used)
        return execute.begin(path.parent, path.name, None, stored, procedure, out, quiet)
    with RunFolder.open(path) as run_folder:
        kept = _same_run(run_folder, name, config)
        return _ended(run_folder) or _go_on(run_folder, kept, name, config, folder, out, quiet)


def train(name, config, runs="runs", called=None, folder=None, out=None, quiet=False):
    """Train a configuration in a new run folder ``runs/called``, or one with a number of its own -> Outcome.

    Without ``called`` the first word model is in runs/word-lm-python-help-lstm-1, the next in ...-2. Ctrl-C and SIGTERM
    end it with a checkpoint. Raises InputError (bad input, existing folder), OSError with the path.
    """
    procedure, used = make(name, config, folder, runs)
    parts = (name, procedure.data["name"], getattr(config, "cell", ""))
    stem = re.sub(r"[^\w.+=-]", "-", "-".join(part for part in parts if part and part != name), flags=re.ASCII)
    stored = execute.stored_config(name, config, procedure, used)
    return execute.begin(runs, called, f"{name}-{stem}", stored, procedure, out, quiet)


def resume(path, folder=None, text=None, out=None, quiet=False, end=False):
    """Go on with the run in folder ``path`` from its newest usable checkpoint -> Outcome, as if it had never stopped.

    ``text`` says where a text file is now, if it was moved. ``end``: train no further, test the best epoch so far, and
    say so: the result's status is "by hand". InputError when it is no run folder, its data or ingredients have changed,
    another process trains in it, or there is no epoch to test.
    """
    with RunFolder.open(path) as run_folder:
        stored = run_folder.config()
        name = name_of(path)
        config = configuration(name, stored["config"])
        outcome = _ended(run_folder)
        if outcome is not None:
            run_folder.read_metrics()  # damaged curves are no complete run
            execute.sayer(out, quiet)(f"run {run_folder.path} {_how(outcome.result)}")
            return outcome
        if text is not None:
            config = config.but(text=str(text))
        return _go_on(run_folder, stored, name, config, folder, out, quiet, end)


def _how(result):
    diverged = result["status"] == "diverged"
    return f"diverged and is not tried again: {result['reason']}" if diverged else "is complete"


def _ended(run_folder):
    result = run_folder.read_result()
    return None if result is None else execute.Outcome(run_folder.path, execute.EXIT[result["status"]], result)


def _go_on(run_folder, stored, name, config, folder, out, quiet, end=False):
    procedure, used = make(name, config, folder, run_folder.path.parent)
    if used != stored.get("ingredients", {}):
        cause = "they were trained anew since"
        raise InputError(must_be("run folder", str(run_folder.path), "with the ingredients it began with", "others",
                                 cause))
    return execute.resume(run_folder, procedure, stored, out, quiet, end)


def name_of(path):
    """The registered model of the run in folder ``path``; InputError when it is no run, or of an unknown model."""
    name = RunFolder.open(path).config().get("model")
    if name not in MODELS:
        cause = "it was made by another minirnn, with models of its own"
        raise InputError(must_be("run folder", str(path), f"a run of one of {', '.join(MODELS)}", repr(name), cause))
    return name


@dataclass(frozen=True)
class Loaded:
    """A trained run without its data: registered ``name``, ``config``, ``modules`` {part: Module} in evaluation mode,
    ``files`` {name: content} such as vocabulary.json, ``path`` and the ``checkpoint`` it was read from."""

    name: str
    config: object
    modules: dict
    files: dict
    path: Path
    checkpoint: str

    @property
    def model(self):
        """The first of the modules: the only one of most models."""
        return next(iter(self.modules.values()))


def load(path, which="best", say=None):
    """The Loaded run of a folder, ended or not, even while it trains: ``load("runs/ptb").model`` is in evaluation mode.

    which: "best" so far (the newest before the first epoch has ended) or "last". A damaged checkpoint is told to
    ``say`` and the next one taken; InputError when none is left.
    """
    if not isinstance(which, str) or which not in ("best", "last"):
        raise InputError(must_be("load", "which", "'best' or 'last'", repr(which)))
    run_folder = RunFolder.open(path)
    name = name_of(path)
    config = configuration(name, run_folder.config()["config"])
    reasons = []
    for checkpoint in _preferred(run_folder, which):
        try:
            modules, files, _ = read_modules(run_folder, checkpoint, name, config)
            return Loaded(name, config, modules, files, run_folder.path, checkpoint)
        except CheckpointError as error:
            reasons.append(str(error))
            if say:
                say(f"checkpoint {error}; trying another")
    why = ": " + "; ".join(reasons) if reasons else f" yet in {run_folder.checkpoints}"
    raise InputError(f"run folder {path}: no usable checkpoint{why}")


def read_modules(run_folder, checkpoint, name, config):
    """({part: Module} of a checkpoint in evaluation mode, the run's files, the checkpoint's state)."""
    files = {file: run_folder.read_file(file) for file in run_folder.config().get("files", {})}
    found = read_checkpoint(run_folder.checkpoints, checkpoint, run_folder.identity)
    with fitting(checkpoint):
        parts, made = join_state(found.arrays, found.state["parts"]), task_of(name).modules(config, files)
        for part, module in made.items():
            module.load_state_dict(StateDict(parts[part]["module"] if "module" in parts[part] else parts[part]))
            module.eval()
    return made, files, found.state


def _preferred(run_folder, which):
    """Names of checkpoints in the order to try: the best first if it is wanted and known, then from the newest."""
    names = checkpoints(run_folder.checkpoints)
    for name in names if which == "best" else ():
        with contextlib.suppress(CheckpointError), fitting(name):  # load meets it again and says so
            best = read_checkpoint(run_folder.checkpoints, name, run_folder.identity).state["best"]
            return [best["checkpoint"], *(n for n in names if n != best["checkpoint"])] if best else names
    return names


def experiment(name):
    """The Experiment called ``name``, "table-3.2"; InputError that suggests near names."""
    known = {table: model for model, line in MODELS.items() for table in line.tables}
    if not isinstance(name, str) or name not in known:
        raise InputError(must_be("reproduce", "experiment", f"one of {', '.join(known)}", repr(name),
                                 near(str(name), known)))
    return experiments_of(known[name])[name]


def experiments_of(name):
    """{name: Experiment} of a model's folder; none where it has no tables.py."""
    return getattr(stem_of(name, "tables"), "EXPERIMENTS", {})

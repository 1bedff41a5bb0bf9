"""How each kind of run is done: from a stored configuration to an Outcome, anew, resumed, or read when complete."""

import hashlib
import importlib
import json
from dataclasses import fields

from minirnn.errors import InputError, must_be
from minirnn.train import execute

# kind -> (module and name of its configuration class, module of its function make_task(config, data folder))
KINDS = {
    "language-model": ("minirnn.train.config", "LanguageModelConfig", "minirnn.train.language_model"),
    "sentiment": ("minirnn.train.sentiment", "SentimentConfig", "minirnn.train.sentiment"),
    "tagger": ("minirnn.train.tagging", "TaggerConfig", "minirnn.train.tagging"),
    "temporal-order": ("minirnn.train.temporal_order", "TemporalOrderConfig", "minirnn.train.temporal_order"),
}


def configuration(kind, stored):
    """The configuration object of ``kind`` from its JSON; InputError for an unknown kind or entry."""
    if kind not in KINDS:
        raise InputError(must_be("experiment", "kind", f"one of {', '.join(KINDS)}", repr(kind)))
    module, name, _ = KINDS[kind]
    return getattr(importlib.import_module(module), name).from_json(stored)


def folder_name(kind, stored):
    """The run folder of a configuration: equal ones share a folder.

    Only entries that differ from the defaults count, so that a run keeps its folder when a new option is added. Should
    a default ever change, ``finished`` refuses the run that was made with the old one.
    """
    config = configuration(kind, stored)
    differing = {f.name: getattr(config, f.name) for f in fields(config) if getattr(config, f.name) != f.default}
    text = json.dumps({"kind": kind, **differing}, sort_keys=True)
    return f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def finished(kind, stored, path):
    """The result of configuration ``stored`` in folder ``path``, None while it is not complete; errors as ``run``."""
    return execute.finished(path, kind, configuration(kind, stored))


def run(kind, stored, path, folder=None, stream=None, quiet=False):
    """Do the run of configuration ``stored`` in folder ``path``, or what is left of it -> Outcome."""
    config = configuration(kind, stored)
    module = importlib.import_module(KINDS[kind][2])
    return execute.train_or_resume(path, kind, config, lambda: module.make_task(config, folder), stream, quiet)

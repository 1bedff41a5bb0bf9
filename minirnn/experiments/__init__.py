"""Experiments: every table and figure of the sources as one command, with the source's numbers beside ours."""

import importlib

from minirnn.errors import InputError, must_be, near

# name -> (module that holds it, name of the Experiment there)
EXPERIMENTS = {
    "table-3.1": ("temporal_order", "EXPERIMENT"),
    "table-3.2": ("word_lm", "TABLE"),
    "table-3.3": ("char_lm", "EXPERIMENT"),
    "table-3.4": ("ner", "EXPERIMENT"),
    "table-3.5": ("sentiment", "EXPERIMENT"),
    "memory-scaling": ("memory", "EXPERIMENT"),
    "figure-3.1": ("schemes", "EXPERIMENT"),
    "figure-3.2": ("word_lm", "FIGURE"),
}


def find(name):
    """The Experiment called ``name``; InputError that suggests near names."""
    if name not in EXPERIMENTS:
        known, hint = f"one of {', '.join(EXPERIMENTS)}", near(name, EXPERIMENTS)
        raise InputError(must_be("reproduce", "experiment", known, repr(name), hint))
    module, attribute = EXPERIMENTS[name]
    return getattr(importlib.import_module(f"minirnn.experiments.{module}"), attribute)

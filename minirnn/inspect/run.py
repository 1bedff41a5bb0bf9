"""A batch of a run's data through every checkpoint of it, as in training."""

import copy
from dataclasses import replace

import numpy as np

from minirnn import nn
from minirnn.errors import InputError, must_be
from minirnn.inspect.inspection import Frame, Inspection
from minirnn.inspect.measure import read
from minirnn.inspect.probe import Probe
from minirnn.inspect.reading import reading_of
from minirnn.models import registry
from minirnn.train.checkpoint import CheckpointError, checkpoints, fitting
from minirnn.train.lens import MOST_ROWS, MOST_STEPS
from minirnn.train.run_folder import RunFolder


def inspect_run(path, split="valid", text=None, steps=None, batch=None, folder=None, evaluate=False, spectra=None,
                say=None, progress=None):
    """A batch through every usable checkpoint of the run folder ``path``, and back -> Inspection, a frame a checkpoint.

    Which batch that is, is the model's business (``lens`` in its sample.py): for a language model the first window of
    the run's ``split`` ("train", "valid", "test"; ``folder`` is where the data are), cut into ``batch`` streams (the
    run's own number, fewer for a short text), or ``text`` itself; ``steps`` of it, by default the run's window. Loss
    and dropout are those of training, nothing is dropped where ``evaluate``; a window of the run's size has the masks
    of its first update. ``inspect_run("runs/ptb", steps=10, evaluate=True)`` shows ten steps without dropout. ``say``
    is told about checkpoints that cannot be used, ``progress`` what is being looked at. Raises InputError when it is no
    run folder, no checkpoint can be used, or the text is too short.
    """
    run_folder, name = RunFolder.open(path), registry.name_of(path)
    stored = run_folder.config()
    config = registry.configuration(name, stored["config"]).but(kernels="explicit", device="cpu")
    for option, value, most in (("steps", steps, MOST_STEPS), ("batch", batch, MOST_ROWS)):
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most):
            raise InputError(must_be("inspect", option, f"an integer in 1..{most}", repr(value)))
    lens, frames, unusable, best, cell, reader = None, [], [], None, None, None
    for checkpoint in reversed(checkpoints(run_folder.checkpoints)):
        try:
            modules, files, state = registry.read_modules(run_folder, checkpoint, name, config)
            with fitting(checkpoint):
                label, best = _label(state), (state["best"] or {}).get("checkpoint")
        except CheckpointError as error:
            unusable.append(str(error))
            if say:
                say(f"checkpoint {error}; left out")
            continue
        run = registry.Loaded(name, config, modules, files, run_folder.path, checkpoint)
        if lens is None:
            lens = _lens(run, stored, split=split, text=text, steps=steps, batch=batch, folder=folder)
        if progress:
            progress(label)
        cell = run.model.recurrent.cell
        if lens.reads and (reader is None or checkpoint == best):
            reader = copy.deepcopy(run.model)  # looking changes it
        loss, layers = look(run.model.train(not evaluate), lens, spectra)
        facts = f"{loss:.4g} {lens.unit}" if np.isfinite(loss) else "not a finite number"
        frames.append((checkpoint, Frame(label, f"loss on this window {facts}", layers)))
    if not frames:
        reasons = ": " + "; ".join(unusable) if unusable else f" yet in {run_folder.checkpoints}"
        raise InputError(f"run folder {path}: no usable checkpoint{reasons}")
    layer = f"The {lens.layers} {config.cell} layers" if lens.layers > 1 else f"The {config.cell} layer"
    dropped = "nothing dropped, as in evaluation" if evaluate else f"dropout {lens.masks}"
    return Inspection(
        name=run_folder.path.resolve().name,
        cell=cell,
        slider="training checkpoint",
        subject=f"{layer} of the run, {config.hidden} units, on {lens.subject}; {dropped}.",
        loss=lens.about,
        frames=tuple(replace(f, label=f"{f.label}, best") if n == best else f for n, f in frames),
        symbols=lens.symbols,
        notes=tuple(f"Left out: checkpoint {reason}." for reason in unusable),
        reading=None if reader is None else reading_of(reader, *lens.reads, _untrained(reader, config)),
    )


def _untrained(model, config):
    """A run's model with parameters drawn anew, as before training."""
    model = copy.deepcopy(model)
    nn.init.redraw_uniform(np.random.default_rng(config.seed), model.parameters(), config.init)
    return model


def _lens(run, stored, **asked):
    """What is looked at; InputError where the model has nothing to look at, or the data are others now."""
    module = registry.stem_of(run.name, "sample")
    if module is None or not hasattr(module, "lens"):
        raise InputError(must_be("inspect", "RUN", "a run with a recurrent layer to look into", f"one of {run.name}"))
    lens = module.lens(run, **asked)
    if lens.fingerprint not in (None, stored.get("data_fingerprint")):
        cause = "they have changed since; give a text of your own with --text"
        raise InputError(must_be("inspect", "data", "those the run was started on", "different ones", cause))
    return lens


def look(model, lens, spectra=None):
    """A model on the batch of a Lens, and back from its loss -> (loss in the lens's unit, a Microscope a layer).

    ``model``'s recurrent layer must have ``kernels="explicit"``; it keeps the probe. Of an untrained model of 100 words
    the loss is about log(100) = 4.6 nats a word.
    """
    probe = model.recurrent.cell = Probe(model.recurrent.cell)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # shown as missing
        loss, divisor = lens.loss(model)
        loss.backward()
    T = lens.steps
    scopes = [read(probe.cell, probe.steps[k : k + T], spectra=spectra) for k in range(0, len(probe.steps), T)]
    return loss.item() / divisor, tuple(scopes)


def _label(state):
    """When a checkpoint was written: its update and epoch."""
    clock = state["clock"]
    if clock["step"] == 0:
        return "update 0, before training"
    return f"update {clock['step']}, " + (
        f"in epoch {clock['rounds'] + 1}" if clock["position"] else f"after epoch {clock['rounds']}"
    )

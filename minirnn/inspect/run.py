"""A window of text through every checkpoint of a run, as in training."""

from dataclasses import replace

import numpy as np

from minirnn.array import Streams
from minirnn.data import Vocabulary, stream_batches
from minirnn.errors import InputError, must_be
from minirnn.inspect.inspection import Frame, Inspection
from minirnn.inspect.measure import read
from minirnn.inspect.probe import Probe
from minirnn.nn import cross_entropy
from minirnn.train.checkpoint import CheckpointError, checkpoints, read_checkpoint
from minirnn.train.language_model import build_model, load_corpus
from minirnn.train.run_folder import RunFolder
from minirnn.train.runs import read_config
from minirnn.train.task import under

MOST_STEPS, MOST_ROWS = 1000, 256


def inspect_run(path, split="valid", text=None, steps=None, batch=None, folder=None, evaluate=False, spectra=None,
                say=None, progress=None):
    """The first window of a text through every usable checkpoint of the run folder ``path``, and back -> Inspection.

    The text is the run's ``split`` ("train", "valid", "test"; ``folder`` as in ``data.load``), cut into ``batch``
    streams (the run's own number, fewer for a short text), or ``text`` itself; ``steps`` of it, by default the run's
    window. As in training: the same loss, and dropout, where the window has the size of the run's with the masks of
    its first update; without any where ``evaluate``. ``say`` is told about checkpoints that cannot be used,
    ``progress`` what is being looked at.
    Raises InputError when it is no run folder, no checkpoint can be used, or the text is too short.
    """
    run_folder = RunFolder.open(path)
    stored = run_folder.read_json("config.json")
    config = replace(read_config(run_folder, stored), kernels="explicit", device="cpu")
    vocab = Vocabulary.from_json((run_folder.path / "vocabulary.json").read_text(encoding="utf-8"))
    for name, value, most in (("steps", steps, MOST_STEPS), ("batch", batch, MOST_ROWS)):
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most):
            raise InputError(must_be("inspect", name, f"an integer in 1..{most}", repr(value)))
    steps = steps or min(config.window, MOST_STEPS)
    if text is not None:
        tokens, origin, batch = vocab.encode(text), "the text given", 1
    else:
        corpus = load_corpus(config, folder)
        if corpus.fingerprint != stored.get("data_fingerprint"):
            cause = f"they have changed since (origin now: {corpus.origin}); give a text of your own with --text"
            raise InputError(must_be("inspect", "data", "those the run was started on", "different ones", cause))
        tokens, origin = getattr(corpus, split), f"{corpus.name}, {split}"
    if len(tokens) < 2:
        raise InputError(must_be("inspect", "text", f"at least 2 {vocab.level}s", len(tokens)))
    batch = max(1, min(batch or config.batch, MOST_ROWS, len(tokens) // (steps + 1)))
    inputs, targets = stream_batches(tokens, batch, min(steps, len(tokens) - 1))[0]

    frames, unusable = [], []
    for name in reversed(checkpoints(run_folder.checkpoints)):
        model = build_model(config, len(vocab))
        try:
            found = read_checkpoint(run_folder.checkpoints, name, stored["run"])
            model.load_state_dict(under("model.", found.arrays))
            label, best = _label(found.state), (found.state["best"] or {}).get("checkpoint")
        except (InputError, KeyError, TypeError) as error:
            reason = str(error) if isinstance(error, CheckpointError) else f"{name} does not fit this run ({error})"
            unusable.append(reason)
            if say:
                say(f"checkpoint {reason}; left out")
            continue
        if progress:
            progress(label)
        cell = model.recurrent.cell
        loss, layers = look(model.eval() if evaluate else model.train(), inputs, targets, Streams(config.seed), spectra)
        facts = f"{loss:.4g} nats a {vocab.level}" if np.isfinite(loss) else "not a finite number"
        frames.append((name, Frame(label, f"loss on this window {facts}", layers)))
    if not frames:
        reasons = ": " + "; ".join(unusable) if unusable else " yet"
        raise InputError(f"run folder {path}: no usable checkpoint{reasons}")
    layer = f"The {config.layers} {config.cell} layers" if config.layers > 1 else f"The {config.cell} layer"
    like_first = (*inputs.shape, config.stride) == (config.window, config.batch, None)
    masks = "as in the run's first update" if like_first else "as in training, with masks of this window's own"
    dropped = "nothing dropped, as in evaluation" if evaluate else f"dropout {masks}"
    return Inspection(
        name=run_folder.path.resolve().name,
        cell=cell,
        slider="training checkpoint",
        subject=f"{layer} of the run, {config.hidden} units, on {origin}: the first {len(inputs)} {vocab.level}s of "
        f"{batch} {'stream' if batch == 1 else 'streams'}, from a zero state; {dropped}.",
        loss="L is the loss of training: cross-entropy summed over the window, mean over the streams.",
        frames=tuple(replace(f, label=f"{f.label}, best") if name == best else f for name, f in frames),
        symbols=tuple(vocab.symbols[i] for i in inputs[:, 0]),
        notes=tuple(f"Left out: checkpoint {reason}." for reason in unusable),
    )


def look(model, inputs, targets, rng, spectra=None):
    """A LanguageModel on tokens (T, B) and back from its loss -> (loss in nats a symbol, a Microscope a layer).

    ``model``'s recurrent layer must have ``kernels="explicit"``; it keeps the probe. ``rng`` as the model takes it.
    """
    probe = model.recurrent.cell = Probe(model.recurrent.cell)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # shown as missing
        logits, _ = model(inputs, rng=rng)
        loss = cross_entropy(logits, targets, time="sum")
        loss.backward()
    T = len(inputs)
    scopes = [read(probe.cell, probe.steps[k : k + T], spectra=spectra) for k in range(0, len(probe.steps), T)]
    return loss.item() / T, tuple(scopes)


def _label(state):
    """When a checkpoint was written: its update and epoch."""
    if state["step"] == 0:
        return "update 0, before training"
    return f"update {state['step']}, " + (
        f"in epoch {state['epoch'] + 1}" if state["position"] else f"after epoch {state['epoch']}"
    )

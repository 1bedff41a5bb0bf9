"""Which of two symbols came first in sequences of one's own, and what the layer does with some drawn ones."""

import json
from dataclasses import dataclass

import numpy as np

from minirnn import ops
from minirnn.array import Streams, stream, to_device
from minirnn.autograd import no_grad
from minirnn.data.temporal_order import CLASSES, SYMBOLS, draw
from minirnn.errors import InputError, must_be
from minirnn.nn import cross_entropy
from minirnn.train.config import Config, option
from minirnn.train.lens import MOST_ROWS, Lens


@dataclass(frozen=True)
class Options(Config):
    """What ``minirnn sample`` can be asked of a Temporal Order run."""

    where, group = "sample", "temporal order"
    text: str = option("CACDCDBDCDCDDCC", f"a sequence of {', '.join(SYMBOLS)}")


def sample(run, options=Options()):
    """The class of a sequence by a Loaded run -> {"sample.txt", "sample.json"}: bytes. InputError for other symbols."""
    if not options.text or set(options.text) - set(SYMBOLS):
        raise InputError(must_be("sample", "--text", f"made of {', '.join(SYMBOLS)}", repr(options.text)))
    x = np.eye(len(SYMBOLS), dtype=run.config.dtype)[[SYMBOLS.index(s) for s in options.text]][:, None]
    with no_grad():
        shares = ops.softmax(run.model.eval()(to_device(x, run.model.output.weight.device))).numpy()[0]
    made = {"text": options.text, "class": CLASSES[int(shares.argmax())],
            "shares": {name: float(share) for name, share in zip(CLASSES, shares)}}
    return {"sample.txt": f"{made['class']}\t{shares.max():.3f}\t{options.text}\n".encode(),
            "sample.json": (json.dumps(made, indent=1) + "\n").encode()}


def lens(run, split="valid", text=None, steps=None, batch=None, folder=None):
    """Drawn sequences for the microscope, of the run's length, whatever ``split``. InputError for a ``text``."""
    if text is not None:
        raise InputError(must_be("inspect", "--text", "left out here", "one", "the loss needs its class"))
    config = run.config
    inputs, classes = draw(stream(config.seed, "inspected"), min(batch or config.batch, MOST_ROWS),
                           steps or config.length)
    inputs = inputs.astype(config.dtype)

    def loss(model):
        return cross_entropy(model(inputs, streams=Streams(config.seed)), classes), 1

    return Lens(
        loss=loss, steps=len(inputs), layers=1, unit="nats a sequence",
        subject=f"temporal-order: {inputs.shape[1]} sequences drawn for this", masks="as in training",
        about="L is the loss of training: the mean over sequences.",
        symbols=tuple(SYMBOLS[k] for k in inputs[:, 0].argmax(-1)),
    )

"""``minirnn train word-lm | char-lm`` and ``minirnn train --resume RUN``."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from minirnn.errors import InputError
from minirnn.train.config import need_rate, preset
from minirnn.train.loop import Diverged
from minirnn.train.runs import resume_run, train_language_model

USAGE = """usage: minirnn train word-lm | char-lm [options]     train a language model on words or characters
       minirnn train --resume RUN [options]         go on with a run exactly where it stopped

examples: minirnn train word-lm --quick
          minirnn train char-lm --text mybook.txt --hidden 256 --name mybook
          minirnn train word-lm --preset thesis --rate 0.25 --scheme ours
          minirnn train --resume runs/mybook

Each form has --help. Exit status: 0 trained to the end, 1 given up (updates stayed non-finite), 2 bad input or a full
disk, 130 or 143 interrupted by Ctrl-C or SIGTERM after writing a checkpoint."""


@dataclass(frozen=True)
class TrainOptions:
    """Options of word-lm and char-lm; what is not given comes from the preset."""

    preset: Literal["classroom", "thesis", "quick"] | None = None
    """classroom (the default): minutes on two cores; thesis: its sizes, sec. 3.4.2 or 3.4.3; quick: seconds"""
    quick: bool = False
    """the same as --preset quick"""
    data: str | None = None
    """a data set, see 'minirnn data list'"""
    text: Path | None = None
    """a text file of your own instead"""
    data_folder: Path | None = None
    """where the sets' files are; default MINIRNN_DATA, then the cache, then a download"""
    twin: bool = False
    """use the generated twin of the set"""
    limit: int | None = None
    """largest vocabulary of words"""
    train_tokens: int | None = None
    """train on so many of the first tokens only: less text, more overfitting"""
    cell: Literal["lstm", "gru", "rnn"] | None = None
    hidden: int | None = None
    embedding: int | None = None
    layers: int | None = None
    init: float | None = None
    """all parameters are drawn from U(-init, init)"""
    rate: float | None = None
    """recurrent dropout: probability of dropping"""
    scheme: Literal["ours", "gal", "moon"] | None = None
    """recurrent dropout: what is dropped"""
    sampling: Literal["per_step", "per_sequence"] | None = None
    scaling: Literal["test", "inverted"] | None = None
    zoneout: tuple[float, ...] | None = None
    """of an LSTM or GRU: probability that a unit keeps its old state; for an LSTM also two, memory and hidden state"""
    forward_dropout: tuple[float, float] | None = None
    """dropout of the embedded input and before the output layer (thesis: 0.2 0.5)"""
    batch: int | None = None
    window: int | None = None
    """steps of truncated backpropagation"""
    stride: int | None = None
    """steps from one window to the next, which overlap where it is smaller than --window"""
    epochs: int | None = None
    optimizer: Literal["sgd", "momentum", "adam", "rmsprop", "adadelta"] | None = None
    lr: float | None = None
    clip: float | None = None
    """bound of the global gradient norm"""
    schedule: Literal["plateau", "epoch-decay", "constant"] | None = None
    decay: float | None = None
    """of --schedule epoch-decay: lr is multiplied by it after each epoch from the tenth on"""
    patience: int | None = None
    """end after so many epochs without a new best"""
    ppl_mode: Literal["total", "mean_of_exp"] | None = None
    seed: int | None = None
    dtype: Literal["float32", "float64"] | None = None
    kernels: Literal["fused", "explicit"] | None = None
    device: str | None = None
    """cpu, or cuda for the first GPU"""
    log_every: int | None = None
    checkpoint_every: int | None = None
    """updates between checkpoints (one more after every epoch)"""
    snapshots: int | None = None
    """so many checkpoints, from the first to the last, are never deleted: for 'minirnn inspect'"""
    name: str | None = None
    """name of the run folder; default: the set, the cell and a number"""
    runs: Path = Path("runs")
    """folder of the run folders"""
    json: bool = False
    """print result.json to standard output"""
    silent: bool = False
    """no progress"""


OWN = ("preset", "quick", "data_folder", "twin", "name", "runs", "json", "silent")  # not part of the configuration


def train(level, options):
    """Train from parsed options -> Outcome."""
    given = {name: value for name, value in vars(options).items() if name not in OWN}
    given["text"] = None if options.text is None else str(options.text)
    if options.text is not None and options.data is not None:
        raise InputError("train: --data and --text must be given one at a time, got both")
    if options.quick and options.preset not in (None, "quick"):
        raise InputError(f"train: --quick and --preset must be given one at a time, got --quick and {options.preset}")
    need_rate("train", given, options.rate)
    if options.twin and options.text is not None:
        raise InputError("train: --twin must be given with a data set, got --text; a file of yours has no twin")
    if options.twin:
        given["source"] = "twin"
    config = preset(level, "quick" if options.quick else options.preset or "classroom", **given)
    return train_language_model(config, options.runs, options.name, options.data_folder, quiet=options.silent)


def resume(
    resume: Annotated[Path, tyro.conf.arg(metavar="RUN", help="the run folder")],
    data_folder: Annotated[Path | None, tyro.conf.arg(help="where the data are; default MINIRNN_DATA")] = None,
    text: Annotated[Path | None, tyro.conf.arg(help="where the text file is now, if it was moved")] = None,
    end: Annotated[bool, tyro.conf.arg(help="train no further: test the best epoch so far")] = False,
    json: Annotated[bool, tyro.conf.arg(help="print result.json to standard output")] = False,
    silent: Annotated[bool, tyro.conf.arg(help="no progress")] = False,
):
    """Go on with a run from its newest usable checkpoint; the result is that of the uninterrupted run.

    Example: minirnn train --resume runs/word-lm-python-help-lstm-1
    """
    return resume_run(resume, data_folder, text, quiet=silent, end=end), json


def main(argv):
    """Run ``minirnn train``; exit status as USAGE says."""
    if not argv or argv[0] in ("-h", "--help"):
        print(USAGE, file=sys.stdout if argv else sys.stderr)
        return 0 if argv else 2
    flags = (tyro.conf.FlagCreatePairsOff,)
    try:
        if argv[0] in ("word-lm", "char-lm"):
            level = argv[0].removesuffix("-lm")
            description = f"Train a language model on {level}s. Example: minirnn train {argv[0]} --quick --name first"
            options = tyro.cli(TrainOptions, args=argv[1:], prog=f"minirnn train {argv[0]}", description=description,
                               config=flags)
            outcome, as_json = train(level, options), options.json
        elif any(word == "--resume" or word.startswith("--resume=") for word in argv):
            words = ["--help"] if {"-h", "--help"} & set(argv) else argv
            outcome, as_json = tyro.cli(resume, args=words, prog="minirnn train", config=flags)
        else:
            raise InputError(f"train: model must be one of word-lm, char-lm (or --resume RUN), got {argv[0]!r}")
    except Diverged as error:
        print(f"minirnn: {error}", file=sys.stderr)
        return 1
    if as_json and outcome.result is not None:
        print(json.dumps(outcome.result, indent=1))
    return outcome.status

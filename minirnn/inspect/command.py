"""``minirnn inspect RUN|CELL``: the BPTT microscope as one HTML file."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import FlagCreatePairsOff, Positional, arg

from minirnn.cells import CELLS, find, near
from minirnn.errors import InputError, must_be
from minirnn.files import check_writable, write_atomically
from minirnn.inspect.inspection import as_json
from minirnn.inspect.page import page
from minirnn.inspect.run import inspect_run
from minirnn.inspect.specimen import inspect_cell
from minirnn.nn.recurrent_dropout import ALIASES, SCHEMES
from minirnn.train.supervised import need_rate

HELP = f"""Look into a recurrent layer, per gate and time step: gradient norms, saturation, dropout masks, contents, and
singular values of the step. One HTML file that needs no network, with a slider over the checkpoints of a training run
('minirnn train word-lm --snapshots 8' keeps some from the whole of it) or over settings of a random cell.

cells: {", ".join(CELLS)}

examples:
  minirnn inspect runs/ptb
  minirnn inspect runs/ptb --text "the company said it expects"
  minirnn inspect lstm --rate 0.25 --steps 60"""


@dataclass(frozen=True)
class Options:
    """What ``minirnn inspect`` was asked."""

    target: Annotated[str, Positional, arg(metavar="RUN|CELL", help="a run folder of 'minirnn train', or a cell")]
    out: Annotated[Path | None, arg(help="the file; default RUN/inspect.html or ./inspect-CELL.html")] = None
    as_json: Annotated[bool, arg(name="json", help="print the numbers instead; the page only where --out asks")] = False
    steps: Annotated[int | None, arg(help="time steps; default the run's window, or 40")] = None
    batch: Annotated[int | None, arg(help="sequences side by side; default the run's, or 8")] = None
    split: Annotated[
        Literal["train", "valid", "test"] | None, arg(help="RUN: which text, its first window (default valid)")
    ] = None
    text: Annotated[str | None, arg(help="RUN: this text instead, as typed here")] = None
    data_folder: Annotated[Path | None, arg(help="RUN: where the data are; default MINIRNN_DATA")] = None
    evaluate: Annotated[bool, arg(help="RUN: as in evaluation, nothing dropped")] = False
    hidden: Annotated[int | None, arg(help="CELL: units (default 32)")] = None
    seed: Annotated[int | None, arg(help="CELL: of its weights, input and masks (default 0)")] = None
    rate: Annotated[float | None, arg(help="CELL: recurrent dropout, probability of dropping (default 0)")] = None
    scheme: Annotated[Literal[*SCHEMES, *ALIASES] | None, arg(help="CELL: what is dropped")] = None
    sampling: Annotated[Literal["per_step", "per_sequence"] | None, arg(help="CELL: how often")] = None


OF_RUN, OF_CELL = ("split", "text", "data_folder", "evaluate"), ("hidden", "seed", "rate", "scheme", "sampling")


def main(argv):
    """Run ``minirnn inspect``; returns the exit status: 0 the page is written, 2 bad input."""
    options = tyro.cli(Options, args=argv, prog="minirnn inspect", description=HELP, config=(FlagCreatePairsOff,))
    is_run = is_run_folder(options.target)
    given = {name: value for name, value in vars(options).items() if value is not None and value is not False}
    for name in OF_CELL if is_run else OF_RUN:
        if name in given:
            what = "a run" if name in OF_RUN else "a cell"
            raise InputError(must_be("inspect", f"--{name.replace('_', '-')}", f"given with {what}", options.target))
    for other in ("split", "batch"):
        if options.text is not None and given.get(other) is not None:
            raise InputError(f"inspect: --text and --{other} must be given one at a time, got both")
    need_rate("inspect", given)
    out = options.out
    if out is None and not options.as_json:
        here = Path(options.target) if is_run else Path(f"inspect-{find(options.target)[0]}.html")
        out = here / "inspect.html" if is_run else here
    if out is not None:
        check_writable(out, "inspect", "--out")
    chosen = {name: given[name] for name in ("steps", "batch", *(OF_RUN if is_run else OF_CELL)) if name in given}
    if is_run:
        chosen["folder"] = chosen.pop("data_folder", None)
        shown = inspect_run(options.target, say=lambda text: print(text, file=sys.stderr), progress=_progress, **chosen)
        _progress("")
    else:
        shown = inspect_cell(options.target, **chosen)
    if out is not None:
        write_atomically(out, page(shown).encode())
        print(f"page: {out}", file=sys.stderr if options.as_json else sys.stdout)
    if options.as_json:
        print(json.dumps(as_json(shown), ensure_ascii=False, allow_nan=False))
    return 0


def _progress(text):
    """What is being looked at, on a terminal only, overwritten by what follows."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def is_run_folder(target):
    """Whether ``target`` is a run folder; InputError, with near names, when it is neither that nor a cell."""
    path = Path(target)
    if (path / "config.json").is_file():
        return True
    if find(target)[0] is not None:
        return False
    what = f"a run folder of 'minirnn train' or one of {', '.join(CELLS)}"
    if path.exists():
        raise InputError(must_be("inspect", "RUN", what, f"{target!r}, which has no config.json"))
    runs = [str(config.parent) for config in path.parent.glob("*/config.json")]
    cause = near(target, *runs) or "there is no such folder"
    raise InputError(must_be("inspect", "RUN|CELL", what, repr(target), cause))

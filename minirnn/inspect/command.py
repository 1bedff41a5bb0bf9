"""``minirnn inspect RUN|CELL``: the BPTT microscope as one HTML file."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from minirnn.cells import CELLS, find, near
from minirnn.errors import InputError, must_be
from minirnn.files import check_writable, write_atomically
from minirnn.inspect.inspection import as_json
from minirnn.inspect.page import page
from minirnn.inspect.run import inspect_run
from minirnn.inspect.specimen import inspect_cell
from minirnn.nn.recurrent_dropout import ALIASES, SCHEMES
from minirnn.options import option, read
from minirnn.terminal import written
from minirnn.train.supervised import need_rate

HELP = f"""Look into a recurrent layer, per gate and time step: gradient norms, saturation, dropout masks, contents, and
singular values of the step. One HTML file that needs no network, with a slider over the checkpoints of a training run
('minirnn train word-lm --snapshots 8' keeps some from the whole of it) or over settings of a random cell.

cells: {", ".join(CELLS)}"""
EXAMPLES = ("minirnn inspect runs/ptb", 'minirnn inspect runs/ptb --text "the company said it expects"',
            "minirnn inspect lstm --rate 0.25 --steps 60")
RUN, CELL = "of a run", "of a random cell"


@dataclass(frozen=True)
class Options:
    """What ``minirnn inspect`` was asked."""

    target: str = option(metavar="RUN|CELL", help="a run folder of 'minirnn train', or a cell", positional=True,
                         group="what to look into")
    out: Path | None = option(None, "the file; default RUN/inspect.html or ./inspect-CELL.html", metavar="FILE")
    as_json: bool = option(False, "print the numbers instead; the page only where --out asks", name="json")
    steps: int | None = option(None, "time steps; default the run's window, or 40")
    batch: int | None = option(None, "sequences side by side; default the run's, or 8")
    split: str | None = option(None, "which text, its first window; default valid", group=RUN,
                               choices=("train", "valid", "test"))
    text: str | None = option(None, "this text instead, as typed here", group=RUN)
    data_folder: Path | None = option(None, "where the data are; default MINIRNN_DATA", metavar="FOLDER", group=RUN)
    evaluate: bool = option(False, "as in evaluation, nothing dropped", group=RUN)
    hidden: int | None = option(None, "units; default 32", group=CELL)
    seed: int | None = option(None, "of its weights, input and masks; default 0", group=CELL)
    rate: float | None = option(None, "recurrent dropout, probability of dropping; default 0", group=CELL)
    scheme: str | None = option(None, "what is dropped", choices=(*SCHEMES, *ALIASES), group=CELL)
    sampling: str | None = option(None, "how often", choices=("per_step", "per_sequence"), group=CELL)


OF_RUN, OF_CELL = ("split", "text", "data_folder", "evaluate"), ("hidden", "seed", "rate", "scheme", "sampling")


def main(argv):
    """Run ``minirnn inspect``; returns the exit status: 0 the page is written, 2 bad input."""
    options = read(Options, argv, "minirnn inspect", HELP, EXAMPLES)
    if options is None:
        return 0
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
        written("page", out, sys.stderr if options.as_json else sys.stdout)
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

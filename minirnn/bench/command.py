"""``minirnn bench``: time workloads, alone or against other libraries, once their gradients agree."""

import contextlib
import importlib.util
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from minirnn.bench import report, startup
from minirnn.bench.interleave import Worker, compare, disagreement, peak_memory
from minirnn.bench.workloads import GATES, Workload, catalogue
from minirnn.errors import InputError, must_be
from minirnn.files import write_atomically
from minirnn.options import option, read

HELP = """Time minirnn, alone or side by side with PyTorch and JAX: the same work, one process a library, in turn.

A line has each side's median and [quartiles] over rounds, how many times minirnn's time a rival takes (x), and the
share of the machine's peak, a large matrix product measured in the same run. Exit status 1 when two sides' gradients
differ: then nothing is compared. In the workloads with dropout minirnn draws and applies a mask at every step; rivals
do the same work without dropout, and so does minirnn on the side called no-masks.
The side called bare-loop does what nn.unroll does without it."""
EXAMPLES = ("minirnn bench", "minirnn bench --workloads 'lstm_|word-lm' --against torch,jax --torch-m",
            "minirnn bench --workloads lstm_32 --against torch --json")
WHAT, HOW = "what is timed", "how it is timed"

RIVALS = {"torch": "PyTorch", "jax": "JAX"}  # package -> its name
SOURCES = {
    "minirnn": "minirnn.bench.ours:make",
    "no-masks": "minirnn.bench.ours:make_without_dropout",
    "bare-loop": "minirnn.bench.ours:make_bare_loop",
    "kernels": "minirnn.bench.ours:make_kernels",
    "peak": "minirnn.bench.ours:make",
    "torch": "minirnn.bench.with_torch:make",
    "torch-m": "minirnn.bench.with_torch:make",
    "jax": "minirnn.bench.with_jax:make",
}
PRODUCT = {"N": 2048}  # large enough for every machine's peak


@dataclass(frozen=True)
class Options:
    """What ``minirnn bench`` was asked."""

    workloads: str = option(".", "which; names from --list", metavar="REGEX", group=WHAT)
    against: str = option("", "rivals, which must be installed", metavar="torch,jax", group=WHAT)
    torch_m: bool = option(False, "time PyTorch also with glibc told to keep freed memory", group=WHAT)
    kernels: bool = option(False, "time the recurrent kernels also without modules and tape", group=WHAT)
    grid: bool = option(False, "add layers with B in 1..128, H in 32..1024, T of 10 and 100", group=WHAT)
    names: bool = option(False, "print the names there are", name="list", group=WHAT)
    dtype: str = option("float32", choices=("float32", "float64"), group=HOW)
    threads: int = option(2, "of every library", group=HOW)
    rounds: int = option(7, "in each, every library has its turn", group=HOW)
    seconds: float = option(0.4, "of one batch of one library", group=HOW)
    clock: str = option("wall", "process: processor time, for a busy machine; with --threads 1 only",
                        choices=("wall", "process"), group=HOW)
    patience: float = option(20.0, "seconds a workload may wait for a quiet machine", group=HOW)
    as_json: bool = option(False, "print JSON for a program to read", name="json", group="what is told")
    save: Path | None = option(None, "write the JSON here as well, after every workload", metavar="FILE",
                               group="what is told")


def _pattern(text):
    try:
        return re.compile(text)
    except re.error as error:
        raise InputError(must_be("bench", "--workloads", "a regular expression", repr(text), str(error))) from None


def main(argv):
    """Run ``minirnn bench``; returns the exit status: 0 measured, 1 the gradients disagree, 2 bad input."""
    options = read(Options, argv, "minirnn bench", HELP, EXAMPLES)
    if options is None:
        return 0
    known = catalogue(options.dtype, options.grid)
    if options.names:
        print("\n".join([*known, "start-up"]))
        return 0
    rivals = chosen_rivals(options)
    for name in ("threads", "rounds", "seconds"):
        if not getattr(options, name) > 0:
            raise InputError(must_be("bench", f"--{name}", "above zero", getattr(options, name)))
    if options.clock == "process" and options.threads > 1:
        cause = "threads that wait for each other use processor time too"
        raise InputError(must_be("bench", "--clock process", "with --threads 1", f"--threads {options.threads}", cause))
    pattern = _pattern(options.workloads)
    chosen = [w for name, w in known.items() if pattern.search(name)]
    start_up = pattern.search("start-up") is not None
    if not chosen and not start_up:
        raise InputError(must_be("bench", "--workloads", "a pattern that matches a name", repr(options.workloads),
                                 "see minirnn bench --list"))
    result = {
        "date": report.today(), "machine": report.machine([r for r in RIVALS if r in rivals]),
        "load_before": report.load(),
        "settings": {"dtype": options.dtype, "threads": options.threads, "rounds": options.rounds,
                     "seconds": options.seconds, "clock": options.clock, "against": rivals},
        "workloads": {},
    }
    say = (lambda text: print(text, file=sys.stderr, flush=True)) if options.as_json else (
        lambda text: print(text, flush=True))
    for name, row in measure(chosen, rivals, options):
        if row is None:
            return 1
        result["workloads"][name] = row
        say(report.line(name, row))
        save(result, options)
    if start_up:
        result["start_up"] = startup.measure()
        say("\n".join(report.startup_lines(result["start_up"])))
        save(result, options)
    if options.as_json:
        print(json.dumps(result, indent=1))
    return 0


def save(result, options):
    """Write what has been measured so far, if that was asked for: an interruption loses one workload at most."""
    if options.save:
        write_atomically(options.save, (json.dumps(result, indent=1) + "\n").encode())


def chosen_rivals(options):
    """The sides besides minirnn, after looking that each is installed; InputError names what is not."""
    asked = [name for name in options.against.split(",") if name]
    for name in asked:
        if name not in RIVALS:
            raise InputError(must_be("bench", "--against", f"of {','.join(RIVALS)}", repr(name)))
        if importlib.util.find_spec(name) is None:
            raise InputError(must_be("bench", f"--against {name}", f"{RIVALS[name]}, installed", f"no package {name}",
                                     f"pip install {name}, or leave it out"))
    if options.torch_m and "torch" not in asked:
        raise InputError(must_be("bench", "--torch-m", "given with --against torch", repr(options.against)))
    return [side for name in asked for side in (name, *(["torch-m"] if name == "torch" and options.torch_m else []))]


def measure(chosen, rivals, options):
    """Yield every workload's name and result; None instead of a result, and the end, when gradients disagree."""
    with contextlib.ExitStack() as stack:
        workers = {}

        def worker(side):
            if side not in workers:
                workers[side] = stack.enter_context(Worker(side, SOURCES[side], options.threads))
            return workers[side]

        for workload in chosen:
            kernels = ["kernels"] if options.kernels and workload.kind in GATES else []
            plain = ["no-masks"] if workload.dropout else ["bare-loop"] if workload.kind == "unroll" else []
            able = [r for r in rivals if workload.kind != "unroll" and (r != "jax" or workload.kind != "tape")]
            sides = ["minirnn", *plain, *kernels, *able]
            present = [worker(side) for side in sides]
            differ = disagreement(present, workload) if len(present) > 1 else None
            if differ is not None and not differ < workload.tolerance:
                how = f"gradients of {', '.join(sides)} differ by {differ:.1e} of the largest entry"
                print(f"bench: {workload.name}: {how}; nothing is compared", file=sys.stderr)
                yield workload.name, None
                return
            turns, peak = [(side, workload) for side in present], None
            if workload.flops:
                turns.append((worker("peak"), Workload("product", "product", PRODUCT, options.dtype)))
            seconds, others = compare(turns, options.rounds, options.seconds, options.patience, options.clock)
            if workload.flops:
                peak = turns[-1][1].flops / min(seconds.pop("peak"))
            memory = {side.name: peak_memory(side, workload) for side in present} if workload.kind == "lm" else None
            yield workload.name, report.row(workload, seconds, differ, others, peak, memory)

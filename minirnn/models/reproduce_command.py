"""``minirnn reproduce NAME``: run a table or figure of the sources and print the source's numbers beside ours."""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from minirnn.errors import InputError, must_be
from minirnn.experiments.experiment import NOT_HELD
from minirnn.experiments.jobs import jobs_of, run_jobs
from minirnn.experiments.table import as_json, outcome, text
from minirnn.files import check_writable, write_atomically
from minirnn.models import registry
from minirnn.models.models_command import RESULTS
from minirnn.options import option, read
from minirnn.plots import png
from minirnn.terminal import coloured
from minirnn.train.progress import clock

EXPERIMENTS = tuple(sorted(table for model in registry.MODELS.values() for table in model.tables))
HELP = """Run a table or figure of the sources; print paper | ours mean ± sd | seeds, and which claims held.

A claim has held if it is true of the means and of every seed alone, of at least three; it has not if it is true of
none of these; else nobody can tell.

Each row and seed is a run of its own: interrupted ones go on where they were, finished ones are reused, also by another
experiment that needs the same run. Exit status: 0 all rows are complete and no claim failed, 1 a claim failed, a
run diverged or is not there, 2 bad input, 130 or 143 interrupted."""
EXAMPLES = ("minirnn reproduce table-3.1", "minirnn reproduce table-3.2 --rows 'ours|none' --jobs 2",
            "minirnn reproduce table-3.2 --scale paper --rows '^none$'",
            "minirnn reproduce table-3.1 --scale smoke --json")
WHAT, WHERE = "what is run", "where it is kept, what is told"


@dataclass(frozen=True)
class Options:
    """What ``minirnn reproduce`` was asked."""

    name: str | None = option(None, ", ".join(EXPERIMENTS), metavar="NAME", positional=True, group=WHAT)
    scale: str = option("classroom", "seconds; minutes on two cores; the source's own sizes",
                        choices=("smoke", "classroom", "paper"), group=WHAT)
    rows: str | None = option(None, "only the rows whose names match; see --list", metavar="REGEX", group=WHAT)
    seeds: int | None = option(None, "runs of every row; default: what the scale says", group=WHAT)
    jobs: int = option(1, "runs at once, in processes that share the threads out", group=WHAT)
    names: bool = option(False, "print the experiments, or the rows of NAME, and end", name="list", group=WHAT)
    finished: bool = option(False, "run nothing: show what is complete", group=WHAT)
    runs: Path = option(Path("runs/reproduce"), "where the run folders are kept", metavar="FOLDER", group=WHERE)
    data_folder: Path | None = option(None, "where the sets' files are; default MINIRNN_DATA", metavar="FOLDER",
                                      group=WHERE)
    figure: Path | None = option(None, "the figure; default --runs/NAME-SCALE.png", metavar="PNG", group=WHERE)
    save: Path | None = option(None, "write the JSON here as well", metavar="FILE", group=WHERE)
    as_json: bool = option(False, "print JSON for a program to read", name="json", group=WHERE)
    silent: bool = option(False, "no progress", group=WHERE)


def main(argv):
    """Run ``minirnn reproduce``; returns the exit status that HELP gives."""
    options = read(Options, argv, "minirnn reproduce", HELP, EXAMPLES)
    if options is None:
        return 0
    if options.name is None and not options.names:
        raise InputError(must_be("reproduce", "NAME", f"one of {', '.join(EXPERIMENTS)}", "none"))
    if options.name is None:
        titles = {name: registry.experiment(name).title for name in EXPERIMENTS}
        found = {name: {"title": title, "seconds": seconds_of(name)} for name, title in titles.items()}
        lines = [_listed(name, **each) for name, each in found.items()]
        print(json.dumps(found) if options.as_json else "\n".join(lines))
        return 0
    experiment = registry.experiment(options.name)
    if options.names:
        keys = [row.key for row in experiment.rows]
        print(json.dumps(keys) if options.as_json else "\n".join(keys))
        return 0
    for flag, path in (("--save", options.save), ("--figure", options.figure)):
        if path is not None:
            check_writable(path, "reproduce", flag)
    scale = experiment.scales[options.scale]
    seeds = scale.seeds if options.seeds is None else options.seeds
    for name, value in (("--seeds", seeds), ("--jobs", options.jobs)):
        if value < 1:
            raise InputError(must_be("reproduce", name, "at least 1", value))
    rows = chosen_rows(experiment, scale, options.rows)
    jobs = jobs_of(experiment, options.scale, rows, seeds, options.runs, registry)
    status = 0
    if not options.finished:
        status = run_jobs(jobs, options.jobs, options.data_folder, quiet=options.silent)
    results, missing = outcome(experiment, jobs, options.data_folder)
    found = as_json(experiment, options.scale, rows, results, missing)
    if options.save and (results.runs or not experiment.rows):
        write_atomically(options.save, (json.dumps(found, indent=1) + "\n").encode())
    if options.as_json or experiment.rows:
        print(json.dumps(found, indent=1) if options.as_json else coloured(text(found)))
    if experiment.draw is not None and (results.runs or not experiment.rows):
        path = options.figure or options.runs / f"{experiment.name}-{options.scale}.png"
        if options.figure is None:
            path.parent.mkdir(parents=True, exist_ok=True)  # no run made the folder
        write_atomically(path, png(experiment.draw(results)))
        print(f"figure: {path}", file=sys.stderr)
    failed = any(judged["verdict"] == NOT_HELD for judged in found["claims"])
    return status or int(failed or bool(missing))


def seconds_of(name, results=RESULTS):
    """{scale: seconds that the committed runs of a table took, one after the other}, as far as they are committed."""
    found = {}
    for path in sorted(results.glob(f"{name}.json")) + sorted(results.glob(f"{name}-*.json")):
        saved = json.loads(path.read_text(encoding="utf-8"))
        found[saved["scale"]] = sum(sum(row["seconds"]) for row in saved["rows"])
    return found


def _listed(name, title, seconds):
    """A table's lines in --list: its name and title, and how long what is committed of it took."""
    times = ", ".join(f"{scale} {clock(value)}" for scale, value in seconds.items() if value)
    return f"{name:<16}{title}" + (f"\n{'':<16}as committed: {times}" if times else "")


def chosen_rows(experiment, scale, pattern):
    """The rows that ``pattern`` finds (None: those of the scale); InputError when it finds none or is no pattern."""
    if pattern is None:
        return [row for row in experiment.rows if not scale.rows or row.key in scale.rows]
    try:
        found = [row for row in experiment.rows if re.search(pattern, row.key)]
    except re.error as error:
        raise InputError(must_be("reproduce", "--rows", "a regular expression", repr(pattern), str(error))) from None
    if not found:
        cause = f"see minirnn reproduce {experiment.name} --list"
        raise InputError(must_be("reproduce", "--rows", "a pattern that matches a row", repr(pattern), cause))
    return found

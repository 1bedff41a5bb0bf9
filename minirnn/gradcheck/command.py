"""``minirnn gradcheck``: one case by name, everything, or a user's own code."""

import json
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

from minirnn.cells import CELLS
from minirnn.errors import InputError, must_be, say
from minirnn.gradcheck import report
from minirnn.gradcheck.rows import Row, measured
from minirnn.gradcheck.user import listing
from minirnn.gradcheck.user.check import SECONDS, check_file
from minirnn.gradcheck.user.source import is_user_code
from minirnn.gradcheck.verdict import Verdict
from minirnn.options import option, read
from minirnn.terminal import coloured, written
from minirnn.threads import threads_of_kernels, use_threads

HELP = """Prove gradients: of an operation, cell, layer, loss or model by name, of everything, or of your own code.

The verdict is PASS, WRONG, UNDECIDABLE AT THIS PRECISION, KINK or NON-DETERMINISTIC; exit status 0 only for PASS."""
EXAMPLES = (
    "minirnn gradcheck lstm --report runs/lstm", "minirnn gradcheck --all --jobs 2",
    "minirnn gradcheck mycell.py:forward,backward --shapes 3,5 5,2",
    "minirnn gradcheck mylstm.py:forward,backward --cell lstm",
    "minirnn gradcheck mylstm.py:MyLSTM --cell lstm --gates figo --layout in,hidden",
    "minirnn gradcheck homework.ipynb",
)
WHAT, TOLD, CHECKER = "what is checked", "what is told", "the checker itself"
OWN = "a file of yours: two functions of it, or a class that has both"


@dataclass(frozen=True)
class Options:
    """What ``minirnn gradcheck`` was asked."""

    target: str | None = option(
        None, "a name from --list, two functions, or a class; FILE.py alone lists what could be checked in it",
        metavar="NAME|FILE.py:FORWARD,BACKWARD|FILE.py:CLASS", positional=True, group=WHAT)
    everything: bool = option(False, "check everything in the suite", name="all", group=WHAT)
    thorough: bool = option(False, "models entry by entry too, not along random directions", group=WHAT)
    jobs: int = option(1, "with --all, --false-alarms: so many at once, in processes of their own", group=WHAT)
    seed: int = option(0, "of random arguments, cotangents and mistakes", group=WHAT)
    names: bool = option(False, "print the names there are", name="list", group=WHAT)
    shapes: tuple[str, ...] = option(
        (), "of forward's arguments: 3,5 5,2; int10:4 is four integers below 10", metavar="SHAPE", group=OWN)
    cell: str | None = option(
        None, f"it is this recurrent cell, a step or a sequence: a wrong gate is named. {', '.join(CELLS)}", group=OWN)
    gates: str = option("", "with --cell: the order of your gates, like figo; found by trial if left out",
                        metavar="ORDER", group=OWN)
    layout: tuple[str, ...] = option(
        (), "with --cell: in,hidden or hidden,in for weights, batch,time or time,batch; found by trial if left out",
        group=OWN)
    saved: bool = option(False, "forward returns (y, saved), backward takes (dy, saved) instead of (dy, *args)",
                         group=OWN)
    init: str | None = option(
        None, "of your class's constructor: '5, 2'; (4,3) is an array of that shape; with --cell, D inputs and H "
        "units, '(D,4*H), (H,4*H), (4*H,)'", metavar="ARGS", group=OWN)
    constant: tuple[str, ...] = option((), "arguments that need no gradient", metavar="NAME", group=OWN)
    dtype: str = option("float64", "the float type to check in", choices=("float64", "float32"), group=OWN)
    time_limit: float = option(SECONDS, "seconds for running the file, and for each call", group=OWN)
    report: Path | None = option(None, "write report.html with V-curves here", metavar="FOLDER", group=TOLD)
    as_json: bool = option(False, "print JSON for a program to read", name="json", group=TOLD)
    score: int | None = option(
        None, "make N random mistakes in each of four cells, and count those named; 500 take minutes", group=CHECKER)
    false_alarms: int | None = option(
        None, "check N pieces of random code, right and made wrong, and count false verdicts", group=CHECKER)


OWN_OPTIONS = {f.name: f.default for f in fields(Options) if f.metadata["group"] == OWN}


def main(argv):
    """Run ``minirnn gradcheck``; returns the exit status: 0 all PASS, 1 not, 2 bad input."""
    options = read(Options, argv, "minirnn gradcheck", HELP, EXAMPLES)
    if options is None:
        return 0
    if options.jobs < 1 or (options.jobs > 1 and not options.everything and options.false_alarms is None):
        which = "at least 1, and given with --all or --false-alarms"
        raise InputError(must_be("gradcheck", "--jobs", which, options.jobs))
    measured = (options.score is not None, options.false_alarms is not None)
    asked = (options.target is not None, options.everything, options.names, *measured)
    if sum(asked) != 1:
        got = "more than one" if any(asked) else "none"
        known = "a name, a file, --all, --score, --false-alarms or --list"
        raise InputError(must_be("gradcheck", "what to check", known, got))
    if options.score is not None:
        return _score(options)
    if options.false_alarms is not None:
        return _false_alarms(options)
    if options.names:
        return _list(options)
    if options.target is not None and is_user_code(options.target):
        return _user_code(options)
    given = [name for name, default in OWN_OPTIONS.items() if getattr(options, name) != default]
    given = [f"--{name.replace('_', '-')}" for name in given]
    if given:
        raise InputError(must_be("gradcheck", ", ".join(given), "given with a file", repr(options.target)))
    return _suite(options)


def _suite(options):
    from minirnn.gradcheck import suite

    cases = list(suite.cases()) if options.everything else suite.named(options.target)
    if not cases:
        names = "a name from 'minirnn gradcheck --list' or FILE.py:FORWARD,BACKWARD"
        raise InputError(must_be("gradcheck", "target", names, repr(options.target)))
    start, rows = time.perf_counter(), []
    width = max(len(case.name) for case in cases)
    _progress(options, f"0 of {len(cases)}: {cases[0].kind} {cases[0].name}")
    for row in _rows(cases, options):
        rows.append(row)
        _progress(options, "")
        if not options.as_json and options.everything:
            print(coloured(report.row_line(row, width)), flush=True)
        if len(rows) < len(cases):
            _progress(options, f"{len(rows)} of {len(cases)}: {cases[len(rows)].kind} {cases[len(rows)].name}")
    seconds = time.perf_counter() - start
    told = [row for row in rows if not options.everything or row.verdict is not Verdict.PASS]
    text = [line for row in told for line in report.details(row)] + ["", report.summary(rows, seconds)]
    if options.everything:
        text += ["", *report.slowest(rows)]
    return _finish(options, rows, seconds, text)


def _rows(cases, options):
    """A Row of each case, in order, one after the other or in ``--jobs`` processes."""
    if options.jobs == 1:
        yield from (case.run(options.thorough) for case in cases)
    else:
        yield from _in_processes(_row, [(number, options.thorough) for number in range(len(cases))], options.jobs)


def _in_processes(function, work, jobs):
    """function(*arguments) for each of ``work``, in order, in so many processes with a share of the threads each."""
    if jobs == 1:
        yield from (function(*arguments) for arguments in work)
        return
    threads = str(max(1, threads_of_kernels() // jobs))
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _share, (threads,)) as pool:
        yield from pool.map(function, *zip(*work))


def _share(threads):
    """In a process that does some of the cases: its share of the threads."""
    os.environ["MINIRNN_NUM_THREADS"] = threads
    use_threads()


def _row(number, thorough):
    from minirnn.gradcheck import suite

    return list(suite.cases())[number].run(thorough)


def _score(options):
    """Mistakes made at random, and how many the diagnosis names -> 0 where none went unnoticed, 1 else."""
    from minirnn.gradcheck.score import KINDS, score

    if options.score < 1:
        raise InputError(must_be("gradcheck", "--score", "at least 1", options.score))
    found = []
    for cell in KINDS:
        found.append(score(cell, options.score, options.seed, lambda text: _progress(options, text)))
        _progress(options, "")
        if not options.as_json:
            print("{cell:<16} {made} mistakes: {0} not noticed, {named} named in words ({recall:.1%}), {right} of "
                  "these right ({precision:.1%})".format(len(found[-1]["missed"]), **found[-1]), flush=True)
    if options.as_json:
        print(json.dumps(found, indent=1))
    return int(any(row["missed"] for row in found))


def _false_alarms(options):
    """Right code made at random, then made wrong, and what is said of it -> 0 where all of it is true, 1 else."""
    from minirnn.gradcheck.false_alarms import false_alarms, together

    checks, each = options.false_alarms, 50
    if checks < 1:
        raise InputError(must_be("gradcheck", "--false-alarms", "at least 1", checks))
    starts = range(0, checks, each)
    work = [(min(each, checks - start), options.seed, start) for start in starts]
    found = []
    for part in _in_processes(false_alarms, work, options.jobs):
        found.append(part)
        row = together(found)
        alarms, missed = len(row["alarms"]), len(row["missed"])
        _progress(options, f"{row['checks']} of {checks}: {alarms} false alarms, {missed} missed")
    _progress(options, "")
    if options.as_json:
        print(json.dumps(row, indent=1))
    else:
        said = ", ".join(f"{row[verdict]} {verdict}" for verdict in map(str, Verdict) if verdict in row)
        print(f"{checks} checks of right code: {said}, {len(row['alarms'])} false alarms", *row["alarms"], sep="\n")
        print(f"{row['mistakes']} of them made wrong: {len(row['missed'])} passed", *row["missed"], sep="\n")
    return int(bool(row["alarms"] or row["missed"]))


def _user_code(options):
    if ":" not in Path(options.target).name and not (options.shapes or options.cell):
        return _listing(options)
    start, given = time.perf_counter(), {name: getattr(options, name) for name in OWN_OPTIONS}
    given["constants"] = given.pop("constant")
    finding = check_file(options.target, seed=options.seed, **given)
    seconds = time.perf_counter() - start
    return _finish(
        options, [Row("code", finding.name, (measured("yours", finding),), seconds)], seconds, [str(finding)]
    )


def _listing(options):
    """What could be checked in a file -> 0, or 2 for nothing."""
    found, notes = listing.candidates(options.target, options.time_limit)
    told = listing.as_json if options.as_json else listing.as_text
    text = told(options.target, found, notes)
    if found or options.as_json:
        print(json.dumps(text, indent=1) if options.as_json else text)
    else:
        say(f"minirnn: gradcheck: {text}")
    return 0 if found else 2


def _finish(options, rows, seconds, text):
    """Print, write the report, and say by the exit status whether everything passed."""
    if options.as_json:
        print(json.dumps(report.as_json(rows, seconds), indent=1))
    else:
        print(coloured("\n".join(text)))
    if options.report is not None:
        page = report.write_html(options.report, rows, report.summary(rows, seconds))
        written("report", page, sys.stderr if options.as_json else sys.stdout)
    for row in rows:
        for part in row.parts:
            if part.finding is not None and any("not finite" in note for note in part.finding.notes):
                say(f"minirnn: gradcheck: {row.name}: the function is not finite at the point, nothing can be measured")
    return 0 if all(row.verdict is Verdict.PASS for row in rows) else 1


def _list(options):
    from minirnn.gradcheck import suite

    cases = [{"kind": case.kind, "name": case.name} for case in suite.cases()]
    if options.as_json:
        print(json.dumps(cases, indent=1))
    else:
        print("\n".join(f"{case['kind']:<7}{case['name']}" for case in cases))
    return 0


def _progress(options, text):
    """What is being checked, on a terminal only, overwritten by what follows."""
    if sys.stderr.isatty() and not options.as_json:
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

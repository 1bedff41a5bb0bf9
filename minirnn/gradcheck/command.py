"""``minirnn gradcheck``: one case by name, everything, or a user's own code."""

import json
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import FlagCreatePairsOff, Positional, arg

from minirnn.cells import CELLS
from minirnn.errors import InputError, must_be, say
from minirnn.gradcheck import report
from minirnn.gradcheck.user_code import check_file, is_user_code
from minirnn.gradcheck.verdict import Verdict
from minirnn.threads import threads_of_kernels, use_threads

HELP = """Prove gradients: of an operation, cell, layer, loss or model by name, of everything, or of your own code.

The verdict is PASS, WRONG, UNDECIDABLE AT THIS PRECISION, KINK or NON-DETERMINISTIC; exit status 0 only for PASS.

examples:
  minirnn gradcheck lstm --report runs/lstm
  minirnn gradcheck --all --jobs 2
  minirnn gradcheck mycell.py:forward,backward --shapes 3,5 5,2
  minirnn gradcheck mylstm.py:forward,backward --cell lstm"""


@dataclass(frozen=True)
class Options:
    """What ``minirnn gradcheck`` was asked."""

    target: Annotated[
        str | None, Positional, arg(metavar="NAME|FILE.py:FORWARD,BACKWARD", help="what to check; see --list")
    ] = None
    everything: Annotated[bool, arg(name="all", help="check everything in the suite")] = False
    thorough: Annotated[bool, arg(help="models entry by entry too, not along random directions")] = False
    jobs: Annotated[int, arg(help="with --all: so many cases at once, in processes of their own")] = 1
    score: Annotated[
        int | None,
        arg(metavar="N", help="make N random mistakes in each of four cells, and count those named; 500 take minutes"),
    ] = None
    names: Annotated[bool, arg(name="list", help="print the names there are")] = False
    report: Annotated[Path | None, arg(metavar="DIR", help="write report.html with V-curves here")] = None
    as_json: Annotated[bool, arg(name="json", help="print JSON for a program to read")] = False
    shapes: Annotated[tuple[str, ...], arg(metavar="SHAPE...", help="your code: shapes of forward's arguments")] = ()
    cell: Annotated[
        str | None,
        arg(help=f"your code is this recurrent cell over a sequence: a wrong gate is named. {', '.join(CELLS)}"),
    ] = None
    saved: Annotated[
        bool, arg(help="your code: forward returns (y, saved), backward takes (dy, saved) instead of (dy, *args)")
    ] = False
    constant: Annotated[
        tuple[str, ...], arg(metavar="NAME...", help="your code: arguments that need no gradient")
    ] = ()
    dtype: Annotated[Literal["float64", "float32"], arg(help="your code: the float type to check in")] = "float64"
    seed: Annotated[int, arg(help="your code: seed of the random arguments and cotangents")] = 0


def main(argv):
    """Run ``minirnn gradcheck``; returns the exit status: 0 all PASS, 1 not, 2 bad input."""
    options = tyro.cli(Options, args=argv, prog="minirnn gradcheck", description=HELP, config=(FlagCreatePairsOff,))
    asked = (options.target is not None, options.everything, options.names, options.score is not None)
    if sum(asked) != 1:
        got = "more than one" if any(asked) else "none"
        raise InputError(must_be("gradcheck", "what to check", "a name, a file, --all, --score or --list", got))
    if options.score is not None:
        return _score(options)
    if options.names:
        return _list(options)
    if options.target is not None and is_user_code(options.target):
        return _user_code(options)
    if options.shapes or options.cell or options.saved or options.constant:
        which = "--shapes, --cell, --saved, --constant"
        raise InputError(must_be("gradcheck", which, "given with a file", repr(options.target)))
    return _suite(options)


def _suite(options):
    from minirnn.gradcheck import suite

    cases = list(suite.cases()) if options.everything else suite.named(options.target)
    if not cases:
        names = "a name from 'minirnn gradcheck --list' or FILE.py:FORWARD,BACKWARD"
        raise InputError(must_be("gradcheck", "target", names, repr(options.target)))
    if options.jobs < 1 or (options.jobs > 1 and not options.everything):
        raise InputError(must_be("gradcheck", "--jobs", "at least 1, and given with --all", options.jobs))
    start, rows = time.perf_counter(), []
    width = max(len(case.name) for case in cases)
    _progress(options, f"0 of {len(cases)}: {cases[0].kind} {cases[0].name}")
    for row in _rows(cases, options):
        rows.append(row)
        _progress(options, "")
        if not options.as_json and options.everything:
            print(report.row_line(row, width), flush=True)
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
        return
    threads = str(max(1, threads_of_kernels() // options.jobs))
    with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn"), _share, (threads,)) as pool:
        yield from pool.map(_row, range(len(cases)), [options.thorough] * len(cases))


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


def _user_code(options):
    from minirnn.gradcheck.suite import Row, measured

    start = time.perf_counter()
    finding = check_file(
        options.target,
        shapes=options.shapes,
        cell=options.cell,
        saved=options.saved,
        dtype=options.dtype,
        seed=options.seed,
        constants=options.constant,
    )
    seconds = time.perf_counter() - start
    return _finish(
        options, [Row("code", finding.name, (measured("yours", finding),), seconds)], seconds, [str(finding)]
    )


def _finish(options, rows, seconds, text):
    """Print, write the report, and say by the exit status whether everything passed."""
    if options.as_json:
        print(json.dumps(report.as_json(rows, seconds), indent=1))
    else:
        print("\n".join(text))
    if options.report is not None:
        page = report.write_html(options.report, rows, report.summary(rows, seconds))
        print(f"report: {page}", file=sys.stderr if options.as_json else sys.stdout)
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

"""``minirnn course assign|grade|progress``: exercises for students, points for those who mark them."""

import argparse
import csv
import importlib.util
import io
import json
import os
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from minirnn.errors import InputError, must_be, near, printable
from minirnn.files import check_writable, make_folder, naming, write_atomically
from minirnn.options import Parser

USAGE = """usage: minirnn course assign NAME --out DIR      the exercises as a notebook
       minirnn course grade FOLDER --csv FILE    points for submissions
       minirnn course progress                   your own points

examples: minirnn course assign 02d --out handout
          minirnn course assign 02d --out mine --solutions
          minirnn course grade submissions --csv points.csv --jobs 2
          minirnn course progress

Each form has --help."""
FORMATS = ("plain", "nbgrader")
LONGEST = 200  # bytes of a submission's name, that its feedback bears too


def main(argv):
    """Exercises: hand them out, grade what comes back, look at your own points."""
    if not argv or argv[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if argv else 2
    if argv[0] not in FORMS:
        hint = near(argv[0], FORMS)
        raise InputError(must_be("course", "what to do", f"one of {', '.join(FORMS)}", repr(argv[0]), hint))
    make_parser, run = FORMS[argv[0]]
    parser = make_parser()
    if any(word in ("-h", "--help") for word in argv):
        parser.print_help()
        return 0
    return run(parser.parse(argv[1:]))


def _assign_parser():
    parser = Parser(
        "minirnn course assign",
        "Write the exercises of a chapter as a notebook, without solutions.\n\n"
        "Example: minirnn course assign 02d --out handout",
        "With --format nbgrader the cells carry nbgrader's metadata. With --solutions\n"
        "beside it the file is the instructor's, in DIR/source/exercises_NAME, from which\n"
        "nbgrader generate_assignment makes the students'.")
    parser.add_argument("chapter", metavar="NAME", help="the chapter, such as 02d")
    parser.usage = "minirnn course assign NAME --out DIR [options]"
    parser.add_argument("--out", type=Path, required=True, metavar="DIR",
                        help="folder for the notebook, made if need be")
    parser.add_argument("--solutions", action="store_true", help="the solutions in place of the tasks")
    parser.add_argument("--format", choices=FORMATS, metavar="|".join(FORMATS), help="default plain")
    parser.add_argument("-h", "--help", action="store_true", help="this text")
    return parser


def _assign(options):
    from minirnn.course import assignments

    chapter = assignments.chapter_named(options["chapter"])
    if importlib.util.find_spec("nbformat") is None:
        raise InputError("course: nbformat is not installed; install minirnn[course]")
    import nbformat

    solved, nbgrader = options.get("solutions", False), options.get("format") == "nbgrader"
    name = f"exercises_{chapter}"
    file = f"{name}_solutions.ipynb" if solved and not nbgrader else f"{name}.ipynb"
    folder = options["out"] / "source" / name if solved and nbgrader else options["out"]
    make_folder(folder)
    text = nbformat.writes(assignments.assignment(chapter, solved, nbgrader)) + "\n"
    write_atomically(folder / file, text.encode())
    print(f"{folder / file}")
    return 0


def _grade_parser():
    parser = Parser(
        "minirnn course grade",
        "Grade every notebook and script of a folder, each in a process of its own with\n"
        "limits; a broken or hostile one costs only itself.\n\n"
        "Example: minirnn course grade submissions --csv points.csv --jobs 2",
        "Beside points.csv stands points_feedback: what each exercise lacks, as JSON, a\n"
        "file for each submission. Their processes write in folders of their own, start\n"
        "no others and reach no network; on Linux the kernel sees to it. Exit status 0\n"
        "when all were looked at, whatever they earned.")
    parser.usage = "minirnn course grade FOLDER --csv FILE [options]"
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the submissions are, .ipynb and .py")
    parser.add_argument("--csv", type=Path, required=True, metavar="FILE", help="the table of points to write")
    parser.add_argument("--chapter", metavar="NAME",
                        help="the chapter that was handed out, such as 02d; left out, those that a submission answers")
    parser.add_argument("--jobs", type=_count, metavar="N", help="so many at once, default 1")
    parser.add_argument("--seconds", type=_count, metavar="S", help="for each submission, default 60")
    parser.add_argument("--memory", type=_count, metavar="MIB", help="MiB for each, default 2048")
    parser.add_argument("-h", "--help", action="store_true", help="this text")
    return parser


def _count(text):
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 10**6:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to 1000000, got {text!r}")
    return int(text)


def _grade(options):
    if os.name != "posix":
        raise InputError("course grade: it needs a system with limits for processes, Linux or macOS")
    from minirnn.course import assignments
    from minirnn.course.grading import judge, submissions

    folder, table = options["folder"], options["csv"]
    if not folder.is_dir():
        raise InputError(must_be("course grade", "FOLDER", "an existing folder", repr(str(folder))))
    check_writable(table, "course grade", "--csv")
    chapter = assignments.chapter_named(options["chapter"]) if "chapter" in options else None
    paths = submissions.find(folder)
    if not paths:
        raise InputError(f"course grade: FOLDER must hold submissions, .ipynb or .py, {str(folder)!r} has none")
    feedback = table.with_name(table.stem + "_feedback")
    make_folder(feedback)
    limits = judge.Limits(options.get("seconds", 60), options.get("memory", 2048), _not_to_be_read(folder, feedback))
    rows = {}
    with warnings.catch_warnings(), ThreadPoolExecutor(options.get("jobs", 1)) as pool:
        warnings.simplefilter("ignore")  # of checkers, about odd numbers
        work = {pool.submit(judge.grade, p, p.relative_to(folder).as_posix(), limits, chapter): p for p in paths}
        try:
            for done in as_completed(work):
                rows[work[done]] = found = done.result()
                _keep(feedback, found)
                print(_line(found), flush=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            judge.stop()
            raise
    write_atomically(table, _table([rows[path] for path in paths]).encode())
    print(f"{table}: {len(paths)} submissions; what they lack is in {feedback}")
    return 0


def _not_to_be_read(*folders):
    """Those of the folders that hold nothing which a submission's process needs to run."""
    needed = [Path(__file__).resolve(), *(Path(place).resolve() for place in (sys.prefix, sys.base_prefix))]
    denied = [folder.resolve() for folder in folders]
    return tuple(folder for folder in denied if not any(place.is_relative_to(folder) for place in needed))


def _keep(folder, found):
    *above, name = found["submission"].split("/")
    if len(os.fsencode(name)) > LONGEST:
        name = f"{name[:LONGEST // 8]}-{zlib.crc32(os.fsencode(name)):08x}"
    file = folder.joinpath(*above, f"{name}.json")
    make_folder(file.parent)
    with naming(file):
        write_atomically(file, (json.dumps(found, indent=1, allow_nan=False) + "\n").encode())


def _line(found):
    name = printable(found["submission"])
    return f"{name if len(name) <= 40 else '...' + name[-37:]:<40}  {found['status']:<10}  " \
           f"{found['points']:>3} of {found['of']:<3}  {found['seconds']:5.1f} s"


def _table(rows):
    """The points as CSV: a row for each submission, a column for each exercise that any was asked."""
    from minirnn.course.tasks import EXERCISES

    asked = {exercise["name"] for row in rows for exercise in row["exercises"]}
    names = [name for name in EXERCISES if name in asked]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["submission", "status", "points", "of", *names])
    for row in rows:
        points = {exercise["name"]: exercise["points"] for exercise in row["exercises"]}
        name = printable(row["submission"])
        safe = "'" + name if name.startswith(("=", "+", "-", "@")) else name  # a spreadsheet takes it for a formula
        writer.writerow([safe, row["status"], row["points"], row["of"], *(points.get(n, "") for n in names)])
    return text.getvalue()


def _progress_parser():
    parser = Parser("minirnn course progress", "Your points, exercise by exercise.\n\nExample: minirnn course progress",
                    "They are kept in a small file in the user's cache, or in the one that\n"
                    "MINIRNN_PROGRESS names; MINIRNN_PROGRESS=off keeps none.")
    parser.add_argument("-h", "--help", action="store_true", help="this text")
    return parser


def _progress(options):
    from minirnn.course.exercises import points

    print(points())
    return 0


FORMS = {"assign": (_assign_parser, _assign), "grade": (_grade_parser, _grade),
         "progress": (_progress_parser, _progress)}

"""``minirnn chapters list|run|build|open``."""

import importlib.util
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from minirnn.course import chapters
from minirnn.course.equations import checkout
from minirnn.course.opening import open_copy
from minirnn.errors import InputError, must_be
from minirnn.options import option, read_one_of
from minirnn.threads import threads_of_kernels

NAMES = {"help": "chapters, as 02c or 02c_recurrent_networks_and_bptt; all when left out", "metavar": "CHAPTER",
         "positional": True}
FOLDER = {"help": "where the notebooks are; this clone's chapters/ when left out", "metavar": "FOLDER"}


@dataclass(frozen=True)
class List:
    """List the chapters. Example: minirnn chapters list"""

    folder: Path | None = option(None, **FOLDER)
    json: bool = option(False, "print JSON for a program to read")


@dataclass(frozen=True)
class Run:
    """Run chapters on a clean kernel, keep nothing; exit status 1 when one fails. Example: minirnn chapters run 02c"""

    names: tuple[str, ...] = option((), **NAMES)
    folder: Path | None = option(None, **FOLDER)
    jobs: int = option(1, "so many at once, which share the kernels' threads out")


@dataclass(frozen=True)
class Build:
    """Run chapters on a clean kernel and store them with their outputs. Example: minirnn chapters build 02d"""

    names: tuple[str, ...] = option((), **NAMES)
    folder: Path | None = option(None, **FOLDER)
    solutions: Path | None = option(
        None, "store the chapters with their exercises solved in this folder, and leave the chapters as they are",
        metavar="FOLDER")


@dataclass(frozen=True)
class Open:
    """Open a chapter in JupyterLab or Jupyter Notebook: a copy that is yours and never written over. Example: minirnn
    chapters open 02c
    """

    name: str = option(help="a chapter, as 02c or 02c_recurrent_networks_and_bptt", metavar="CHAPTER", positional=True)
    out: Path = option(Path("course"), "where your copies are", metavar="FOLDER")
    no_browser: bool = option(False, "start no browser, print the address for one")
    folder: Path | None = option(None, **FOLDER)


def main(argv):
    """Chapters of the course: list, run, build or open them."""
    commands = {"list": List, "run": Run, "build": Build, "open": Open}
    name, options = read_one_of(commands, argv, "minirnn chapters", main.__doc__)
    if options is None:
        return 0
    for package in ("nbformat", "nbclient", "ipykernel"):
        if importlib.util.find_spec(package) is None:
            raise InputError(f"chapters: {package} is not installed; install minirnn[course]")
    folder = options.folder if options.folder is not None else checkout() / "chapters"
    if not folder.is_dir():
        raise InputError(f"chapters: folder must be an existing folder, got {folder}")
    if name == "list":
        return _list(folder, options.json)
    if name == "open":
        (chapter,) = chapters.find(folder, (options.name,))
        return 1 if open_copy(chapter, options.out, not options.no_browser) else 0
    if name == "run" and options.jobs < 1:
        raise InputError(must_be("chapters", "--jobs", "at least 1", options.jobs))
    if name == "build":
        if options.solutions is not None and options.solutions.resolve() == folder.resolve():
            raise InputError(must_be("chapters", "--solutions", "another folder than the chapters'", options.solutions))
        return _each(folder, options.names, lambda path: chapters.build(path, options.solutions), "built")
    if options.jobs > 1:
        return _side_by_side(folder, options.names, options.jobs)
    return _each(folder, options.names, lambda path: chapters.execute(chapters.read(path), path.parent)[1], "ran")


def _list(folder, as_json):
    rows = [(path, chapters.read(path)) for path in chapters.find(folder)]
    if as_json:
        facts = [{"name": p.stem, "title": chapters.title(nb), "stale": chapters.stale(nb)} for p, nb in rows]
        print(json.dumps(facts, indent=2))
    else:
        for path, notebook in rows:
            print(f"{path.stem:<40} {chapters.title(notebook)}" + ("  (stale)" if chapters.stale(notebook) else ""))
    return 0


def _each(folder, names, work, done):
    """Run each chapter in a kernel of its own and say how it went, in the order of the course -> exit status."""
    return max([_one(path, work, done) for path in chapters.find(folder, names)], default=0)


def _side_by_side(folder, names, jobs):
    threads = str(max(1, threads_of_kernels() // jobs))
    with ThreadPoolExecutor(jobs) as pool:  # each thread waits for a process that runs one chapter
        return max(pool.map(lambda path: _apart(path, threads), chapters.find(folder, names)), default=0)


def _one(path, work, done):
    try:
        seconds = work(path)
    except InputError as error:
        print(f"{path.stem:<40} FAILED\n{error}", flush=True)
        return 1
    slow = f", more than the {chapters.SECONDS} s of a chapter" if seconds > chapters.SECONDS else ""
    print(f"{path.stem:<40} {done} in {seconds:.0f} s{slow}", flush=True)
    return 0


def _apart(path, threads):
    command = [sys.executable, "-m", "minirnn", "chapters", "run", path.stem, "--folder", str(path.parent)]
    done = subprocess.run(command, env={**os.environ, "MINIRNN_NUM_THREADS": threads}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(done.stdout, end="", flush=True)
    return done.returncode

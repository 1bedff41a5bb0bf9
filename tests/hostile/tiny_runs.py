"""Tiny runs of every registered model, whole and cut short, and commands of minirnn tried in this process."""

import atexit
import contextlib
import functools
import io
import json
import os
import shutil
import signal
import tempfile
import traceback
from pathlib import Path

from minirnn import cli, data
from minirnn.models import registry
from minirnn.threads import use_threads
from minirnn.train import execute

TEXT = "".join(f"{a} {b} went to the {c}\n" for a in ("ann", "bob", "cy") for b in ("and", "or")
               for c in ("sea", "old mill", "market", "house of glass"))
EVERY = {"kernels": "explicit", "log_every": 3, "checkpoint_every": 4, "epochs": 2, "hidden": 3, "rate": 0.25}
LANGUAGE = {**EVERY, "embedding": 3, "batch": 6, "samples": 5}
TINY = {
    "word-lm": {**LANGUAGE, "window": 10},
    "char-lm": {**LANGUAGE, "window": 40},
    "tagger": {**EVERY, "filters": 4, "batch": 8},
    "sentiment": {**EVERY, "batch": 6, "epoch_updates": 7, "weak_epochs": 1, "vector_size": 3},
    "temporal-order": {**EVERY, "length": 5, "batch": 4, "fixed": 9, "test": 20},
}
# of the generated sets
FEW = {"ner-templates": {"train": 60, "valid": 15, "test": 15},
       "sentiment-grammar": {"weak": 60, "train": 30, "valid": 12, "test": 12}}
VARYING = ("run", "metrics", "seconds", "sha256")
SECONDS = 60


class Hang(BaseException):
    """A command took longer than it may."""


@functools.cache
def prepare():
    """The folder of this process's text and runs; from now on sets are small, each made once, and none downloaded."""
    use_threads(1)
    os.fsync = lambda descriptor: None  # what the system was told outlives a process; power failures are not tried
    os.environ.pop("MINIRNN_DATA", None)
    folder = Path(tempfile.mkdtemp(prefix="tiny-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["MINIRNN_CACHE"] = str(folder / "cache")
    (folder / "text.txt").write_text(TEXT * 3)
    load, kept = data.load, {}

    def small(name, source="search", folder=None, **options):
        key = json.dumps([str(name), str(source), str(folder), sorted(options.items())], default=str)
        if key not in kept:
            kept[key] = load(name, source, folder, **{**FEW.get(name, {}), **options})
        return kept[key]

    data.load = small
    return folder


def settings(name, seed=0):
    """What ``registry.configure(name, "quick", ...)`` is given."""
    text = {"text": str(prepare() / "text.txt")} if "lm" in name else {}
    return {**TINY[name], **text, "seed": seed}


def configuration(name, seed=0):
    return registry.configure(name, "quick", **settings(name, seed))


def as_options(name, seed=0):
    """The same on the command line."""
    return [name, "--quick", *(word for key, value in settings(name, seed).items()
                               for word in (f"--{key.replace('_', '-')}", str(value)))]


@functools.cache
def whole(name, seed=0):
    """Where the run of a model is that was never interrupted; its folder has the name that ``reproduce`` looks for."""
    runs = prepare() / f"whole-{seed}"
    config = configuration(name, seed)
    return registry.train(name, config, runs, registry.folder_name(name, config), quiet=True).path


@functools.cache
def cut(name, updates):
    """The same run, asked to stop after so many updates."""

    class Stop(execute.StopRequest):
        looks = 0

        def __bool__(self):
            Stop.looks += 1
            if Stop.looks > updates:
                self.number = signal.SIGTERM
            return super().__bool__()

    config, usual = configuration(name), execute.StopRequest
    execute.StopRequest = Stop
    try:
        runs = prepare() / f"cut-{updates}"
        return registry.train(name, config, runs, registry.folder_name(name, config), quiet=True).path
    finally:
        execute.StopRequest = usual


def numbers(path):
    """The numbers of a run that ended and the lines of its metrics, without clocks and the run's own id."""
    result = json.loads((path / "result.json").read_bytes())
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_bytes().splitlines()]
    plain = lambda values: {key: value for key, value in values.items()
                            if key not in VARYING and not key.endswith("_per_second")}
    return plain(result), [plain(line) for line in lines]


def names_of(path):
    """The files below a folder, without locks and what was set aside."""
    return sorted(str(p.relative_to(path)) for p in path.rglob("*")
                  if p.is_file() and p.name != ".lock" and p.suffix != ".unusable")


def copied(path, runs):
    """A copy of a run folder in ``runs``."""
    return Path(shutil.copytree(path, runs / path.name))


@contextlib.contextmanager
def at_most(seconds):
    """Raise Hang inside after so many seconds."""

    def late(number, frame):
        raise Hang

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Said:
    """What a command did: ``status``, or ``crash`` in a line, and its ``out`` and ``err``."""

    def __init__(self, argv, seconds=SECONDS, encoding="utf-8", output="open"):
        streams = [io.TextIOWrapper(io.BytesIO(), encoding, write_through=True) for _ in range(2)]
        shown = None if output == "closed" else _broken_pipe() if output == "pipe" else streams[0]
        self.status, self.crash = None, None
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(streams[1]):
            try:
                with at_most(seconds):
                    self.status = cli.main([str(word) for word in argv])
            except SystemExit as ended:
                self.status = 0 if ended.code is None else ended.code
            except Hang:
                self.crash = f"still at work after {seconds} s"
            except Exception as error:  # what the command line does not catch would be a traceback
                place = traceback.extract_tb(error.__traceback__)[-1]
                self.crash = f"{type(error).__name__} in {Path(place.filename).name} {place.name}: {str(error)[:80]}"
        if output == "pipe":
            with contextlib.suppress(OSError):
                shown.close()
        self.out, self.err = (s.buffer.getvalue().decode(encoding, "replace") for s in streams)

    def refusal(self):
        """What is wrong with how the command ended badly, None where nothing is: one printable line, no traceback."""
        if self.crash:
            return self.crash
        lines = [line for line in self.err.split("\n") if line.startswith("minirnn: ")]
        if self.status == 2 and len(lines) > 1:
            return f"{len(lines)} lines of error"
        if not all(c.isprintable() or c in "\n\t\r" for c in self.err):
            return "unprintable characters in the error"
        if "Traceback" in self.err:
            return "a traceback"
        return None


def _broken_pipe():
    """A stream that nobody reads any more."""
    reads, writes = os.pipe()
    os.close(reads)
    return open(writes, "w")

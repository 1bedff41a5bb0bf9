"""Attacks on a run while it trains: one call of the operating system fails, writes less, or is the process's last."""

import builtins
import contextlib
import errno
import functools
import io
import os
import shutil
import subprocess
import sys

from tiny_runs import Said, as_options, names_of, numbers, prepare, whole

from minirnn import files
from minirnn.models import registry
from minirnn.train import execute

CALLS = ("open", "write", "fsync", "replace", "rename", "unlink", "mkdir", "rmdir", "scandir", "listdir", "stat",
         "lstat", "read", "ftruncate")
ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES)
SHORT, DEATH, LATE_DEATH = "a short write", "death before", "death after"
HOWS = (*ERRORS, SHORT, DEATH, LATE_DEATH)


class Death(BaseException):
    """The process is gone; nothing catches this, and nothing it does afterwards reaches the disk."""


@functools.cache
def gone():
    """The number of a process that ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


class Disk:
    """Inside, call number ``at`` below the folder fails in the way ``how``; ``count`` counts them all."""

    def __init__(self, at, how):
        self.at, self.how, self.count, self.dead, self.struck = at, how, 0, False, None

    def call(self, name, real, *args, **options):
        if self.dead and name != "close":
            raise Death
        self.count += 1
        if self.count != self.at:
            return real(*args, **options)
        self.struck = name
        if self.how == SHORT:
            if name == "write":
                return real(args[0], bytes(args[1])[: max(1, len(args[1]) // 2)])
            return real(*args, **options)
        if self.how == DEATH:
            self.dead = True
            raise Death
        if self.how == LATE_DEATH:
            with contextlib.suppress(OSError):
                real(*args, **options)
            self.dead = True
            raise Death
        named = [str(args[0])] if args and isinstance(args[0], (str, os.PathLike)) else []  # as the system does
        raise OSError(self.how, os.strerror(self.how), *named)

    def __enter__(self):
        disk = self
        self.real = {name: getattr(os, name) for name in CALLS} | {"flock": files.fcntl.flock, "getpid": os.getpid,
                                                                   "open_file": builtins.open, "io.open": io.open}
        for name in CALLS:
            setattr(os, name, functools.partial(self.call, name, self.real[name]))
        files.fcntl.flock = functools.partial(self.call, "flock", self.real["flock"])

        class File(io.FileIO):
            def write(self, data):
                return disk.call("write", lambda file, part: io.FileIO.write(self, part), self, data)

            def truncate(self, size):
                return disk.call("truncate", io.FileIO.truncate, self, size)

        def opened(path, mode="r", buffering=-1, *args, **options):
            kind = File if buffering == 0 else self.real["open_file"]
            rest = () if buffering == 0 else (buffering, *args)
            return disk.call("open", kind, path, mode.replace("b", "") if buffering == 0 else mode, *rest, **options)

        builtins.open = io.open = opened
        os.getpid = gone
        return self

    def __exit__(self, *exception):
        for name in CALLS:
            setattr(os, name, self.real[name])
        builtins.open, io.open, os.getpid = self.real["open_file"], self.real["io.open"], self.real["getpid"]
        files.fcntl.flock = self.real["flock"]


class _Stop(execute.StopRequest):
    """Asked to stop at the look that ``at`` says."""

    at = 0

    def __bool__(self):
        _Stop.at -= 1
        if _Stop.at == 0:
            self.number = 15
        return super().__bool__()


def _step(argv, stop, disk):
    """One command -> (what it Said, None where the process died)."""
    usual, execute.StopRequest, _Stop.at = execute.StopRequest, _Stop, stop
    try:
        with disk:
            return Said(argv)
    except Death:
        return None
    finally:
        execute.StopRequest = usual


def _argv(name, runs):
    path = runs / "run"
    if (path / "config.json").exists():
        return ["train", "--resume", path]
    return ["train", *as_options(name), "--runs", runs, "--name", "run"]


@functools.cache
def _calls(name, stop):
    """How many calls the beginning of a run makes, and the rest of it."""
    runs = prepare() / f"counted-{name}-{stop}"
    counts = []
    for look in (stop, 0):
        disk = Disk(0, DEATH)
        _step(_argv(name, runs), look, disk)
        counts.append(disk.count)
    return counts


def attack_disks(rng, folder):
    """A run that is interrupted and resumed meets one failing call; then it goes on, to the numbers of a whole run."""
    name = [*registry.MODELS][int(rng.integers(len(registry.MODELS)))]
    stop, how = int(rng.integers(2, 9)), HOWS[int(rng.integers(len(HOWS)))]
    expected, counts = whole(name), _calls(name, stop)
    folder = folder / "try"
    shutil.rmtree(folder, ignore_errors=True)
    runs = folder / "runs"
    runs.mkdir(parents=True)
    phase = int(rng.integers(2))
    at = int(rng.integers(1, counts[phase] + 1))
    label = how if isinstance(how, str) else errno.errorcode[how]
    for k, look in enumerate((stop, 0)):
        disk = Disk(at if k == phase else 0, how)
        said = _step(_argv(name, runs), look, disk)
        where = f"{name}, {disk.struck}: {label} ({('begun', 'resumed')[k]})"
        if said is not None:
            if said.refusal():
                return f"{where}: {said.refusal()}"
            if said.status not in (0, 143, 2):
                return f"{where}: exit status {said.status}"
            named = "'/" in said.err or str(runs) in said.err
            if said.status == 2 and (said.err.count("minirnn: ") != 1 or not named):
                return f"{where}: no clear line: {said.err[-200:]!r}".replace(str(folder), "FOLDER")
        if disk.struck:
            break
    for _ in range(3):
        said = Said(_argv(name, runs))
        if said.status == 0:
            break
    else:
        return f"{where}: cannot go on: {said.crash} {said.err[-200:]!r}".replace(str(folder), "FOLDER")
    if numbers(runs / "run") != numbers(expected):
        return f"{where}: another result"
    if names_of(runs / "run") != [n for n in names_of(expected) if not n.startswith("measures/")]:
        extra = sorted(set(names_of(runs / "run")) ^ set(names_of(expected)))
        return f"{where}: other files: {extra}"
    litter = [p.name for p in runs.iterdir() if p.name != "run"]
    return f"{where}: left behind {[n.split('-')[-1] for n in litter]}" if litter else None

"""Attacks on what writes files: every call of the file system fails once, at a place drawn at random."""

import errno
import os
from contextlib import contextmanager, suppress

from minirnn.errors import InputError
from minirnn.files import Lock, write_atomically

CALLS = ("open", "write", "fsync", "replace", "close", "unlink", "stat", "lstat", "ftruncate")
ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES)


@contextmanager
def failing(at, number):
    """Inside, call number ``at`` of the functions of ``os`` that touch files raises OSError(number)."""
    real, count = {name: getattr(os, name) for name in CALLS}, [0]

    def guarded(name):
        def call(*args, **options):
            count[0] += 1
            if count[0] == at and name != "close":  # a descriptor that is not closed is another matter
                raise OSError(number, os.strerror(number))
            return real[name](*args, **options)

        return call

    for name in CALLS:
        setattr(os, name, guarded(name))
    try:
        yield count
    finally:
        for name, function in real.items():
            setattr(os, name, function)


def attack_writers(rng, folder):
    """Whatever fails, the file holds all of the old bytes or all of the new ones, and nothing else is left behind."""
    place = folder / f"w{int(rng.integers(1 << 40))}"
    place.mkdir()
    path = place / "file"
    old, new = (None if rng.random() < 0.3 else rng.bytes(20)), rng.bytes(int(rng.integers(0, 50)))
    if old is not None:
        path.write_bytes(old)
    at, number = int(rng.integers(1, 14)), ERRORS[int(rng.integers(len(ERRORS)))]
    failed = None
    with failing(at, number):
        try:
            write_atomically(path, new)
        except OSError as error:
            failed = error
    there = path.read_bytes() if path.exists() else None
    if there not in (old, new) or (failed is None and there != new):
        return f"call {at} failed with {errno.errorcode[number]}: the file is neither old nor new"
    if failed is not None and str(path) not in str(failed):
        return f"call {at} failed with {errno.errorcode[number]}: the message names no file: {failed}"
    litter = [p.name for p in place.iterdir() if p != path]
    if litter and failed is None:
        return f"call {at} failed with {errno.errorcode[number]}: left behind {len(litter)} files"
    write_atomically(path, new)
    if [p for p in place.iterdir() if p != path]:
        return f"call {at} failed with {errno.errorcode[number]}: left behind what the next write does not remove"
    return None


def attack_locks(rng, folder):
    """A lock file that is a link, a folder or full of nonsense empties nothing and lets nobody in twice."""
    place = folder / f"l{int(rng.integers(1 << 40))}"
    place.mkdir()
    path, victim = place / "lock", place / "victim"
    victim.write_bytes(b"precious")
    which = int(rng.integers(4))
    if which == 0:
        path.symlink_to(victim)
    elif which == 1:
        path.mkdir()
    elif which == 2:
        path.write_bytes(rng.bytes(100))
    at = int(rng.integers(1, 8)) if rng.random() < 0.5 else 0
    with failing(at, errno.EIO), suppress(OSError, InputError):
        with Lock(path, "this"):
            if which in (0, 1):
                return f"a lock of kind {which} was taken"
            with failing(0, 0):
                try:
                    with Lock(path, "this"):
                        return "a lock was taken twice"
                except InputError as error:
                    words = str(error)
            if not words.isprintable():
                return f"the message has bytes of the lock file: {words!r}"
    if victim.read_bytes() != b"precious":
        return "the target of a link was changed"
    return None

"""Machine code kept on disk between processes, one file for each kernel and dtype.

What is read back is a pickle that becomes running code, so it is read only where nobody else could have written it, and
only if its checksum is right: a file that was cut short or damaged is compiled anew, with a word that names it.
"""

import contextlib
import functools
import hashlib
import os
import pickle
import stat
import tempfile

from numba.core import compiler, serialize

from minirnn.errors import say

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

CHECKSUM = hashlib.sha256().digest_size
NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def stranger(status, shared=False):
    """Why others may have put something where ``status`` (os.stat_result) was taken, or None.

    ``shared`` allows a folder as /tmp is, where everyone may create files and nobody may touch another user's.
    """
    if not hasattr(os, "getuid"):  # Windows: the user's folder has its own access list
        return None
    if status.st_uid != os.getuid() and not (shared and status.st_uid == 0):
        return f"belongs to user {status.st_uid}"
    if status.st_mode & OTHERS_MAY_WRITE and not (shared and status.st_mode & stat.S_ISVTX):
        return "can be written by others; chmod go-w makes it yours"
    return None


def private_folder(folder):
    """Make ``folder`` and what is missing above it, for this user alone; why it cannot be trusted, or None."""
    for part in (*reversed(folder.parents), folder):
        with contextlib.suppress(FileExistsError):
            if not part.is_dir():
                part.mkdir(mode=0o700)
    for status, part in ((os.stat(folder.parent), folder.parent), (os.lstat(folder), folder)):
        why = stranger(status, shared=part != folder) if stat.S_ISDIR(status.st_mode) else "is no folder"
        if why:
            return f"{part} {why}"
    with tempfile.TemporaryFile(dir=folder):
        return None


@contextlib.contextmanager
def one_process_at_a_time(path):
    """Others that want the same kernel wait here and then find it kept; without file locks they compile too."""
    descriptor = None
    if fcntl is not None:
        with contextlib.suppress(OSError):  # a link in its place, or a file system without locks
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | NO_LINKS, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def read_kept(path, name):
    """The bytes that ``write_kept`` put there under this name, or None; says so where the file is not as it was."""
    try:
        descriptor = os.open(path, os.O_RDONLY | NO_LINKS)
    except FileNotFoundError:
        return None
    except OSError as error:
        return _again(path, f"cannot be read ({error.strerror})")
    status = os.fstat(descriptor)
    why = "is no file" if not stat.S_ISREG(status.st_mode) else stranger(status)
    if why:
        os.close(descriptor)
        return _again(path, why)
    with open(descriptor, "rb") as file:
        data = file.read()
    if data[:CHECKSUM] != _checksum(name, data[CHECKSUM:]):
        return _again(path, "is damaged")
    return data[CHECKSUM:]


def write_kept(path, name, data):
    """Keep bytes under a name, whole or not at all; says so where that fails."""
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".tmp")
        with open(descriptor, "wb") as file:
            file.write(_checksum(name, data) + data)
        os.replace(temporary, path)
    except OSError as error:
        say(f"minirnn: {path} could not be kept ({error.strerror})")
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


@functools.cache  # once per file
def _again(path, why):
    say(f"minirnn: {path} {why}; compiling it again")


def _checksum(name, data):
    return hashlib.sha256(name.encode() + b"\0" + data).digest()


class Kept:
    """What a Numba dispatcher asks for machine code before it compiles, and hands it to afterwards.

    path: the file; name: what the code depends on, part of its checksum; announce: called before compiling.
    """

    def __init__(self, path, name, announce):
        self.path, self.name, self.announce = path, name, announce
        self.cache_path = str(path.parent)

    def load_overload(self, signature, target_context):
        """The compiled function, or None to have it compiled."""
        target_context.refresh()
        data = read_kept(self.path, self.name)
        if data is None:
            self.announce()
            return None
        return compiler.CompileResult._rebuild(target_context, *pickle.loads(data))

    def save_overload(self, signature, compiled):
        """Keep a function that was just compiled."""
        write_kept(self.path, self.name, serialize.dumps(compiled._reduce()))

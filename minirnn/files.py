"""Files that survive a crash: written whole or not at all, and locked against a second process."""

import contextlib
import os
from pathlib import Path

from minirnn.errors import InputError, must_be

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

LOCK_BYTE = 4096  # beyond the pid, so that the pid stays readable under the lock


@contextlib.contextmanager
def naming(path, action="write"):
    """Give an OSError raised inside the path it lacks: a full disk otherwise says only 'No space left on device'."""
    try:
        yield
    except OSError as error:
        raise type(error)(error.errno, f"cannot {action}: {error.strerror or error}", str(path)) from error


def write_atomically(path, data):
    """Write bytes to ``path`` so that a reader sees the old content or all of the new, whatever happens meanwhile.

    A temporary name beside it, flushed to the disk, then renamed. Raises OSError naming ``path``; the old file stays.
    """
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with naming(path):
        try:
            with open(temporary, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def sync_folder(folder):
    """Make renames inside ``folder`` durable (Windows has no such call and needs none)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def check_writable(path, where, option):
    """InputError, before any work is done, for a file ``path`` of ``option`` that could not be written."""
    path = Path(path)
    if path.is_dir():
        raise InputError(must_be(where, option, "a file", f"the folder {str(path)!r}"))
    if not path.parent.is_dir():
        raise InputError(must_be(where, option, "in an existing folder", repr(str(path))))
    if not os.access(path.parent, os.W_OK):
        raise InputError(must_be(where, option, "in a folder that can be written", repr(str(path))))


def make_folder(folder):
    """Create ``folder`` with its parents; OSError naming it when it cannot be made."""
    with naming(folder, "create the folder"):
        Path(folder).mkdir(parents=True, exist_ok=True)


class Lock:
    """A lock file held by one process at a time; the system drops it when that process dies, so none is ever stale.

    ``with Lock(path, "run folder runs/a"):`` raises InputError naming the holder, or with ``wait`` waits for it.
    """

    def __init__(self, path, what, wait=False, on_wait=None):
        self.path, self.what, self.wait, self.on_wait = Path(path), what, wait, on_wait
        self.descriptor = None

    def __enter__(self):
        with naming(self.path, "lock"):
            self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._acquire()
            os.ftruncate(self.descriptor, 0)
            os.write(self.descriptor, str(os.getpid()).encode())
        except BaseException:
            os.close(self.descriptor)
            raise
        return self

    def __exit__(self, *exception):
        os.close(self.descriptor)  # closing drops the lock

    def _acquire(self):
        if _try_lock(self.descriptor, self.path):
            return
        holder = (
            os.pread(self.descriptor, 32, 0).decode() if hasattr(os, "pread") else os.read(self.descriptor, 32).decode()
        )
        if not self.wait:
            raise InputError(
                f"{self.what} is in use by process {holder or 'unknown'}; wait for it, stop it, or choose another"
            )
        if self.on_wait:
            self.on_wait(holder)
        while not _try_lock(self.descriptor, self.path, block=True):
            continue  # msvcrt gives up after ten seconds, flock waits for good


def _try_lock(descriptor, path, block=False):
    """Lock the open file; False when another process holds it."""
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if block else fcntl.LOCK_NB))
        else:
            os.lseek(descriptor, LOCK_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if block else msvcrt.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
    except (BlockingIOError, PermissionError):
        if fcntl is None:
            os.lseek(descriptor, 0, os.SEEK_SET)
        return False
    except OSError as error:
        if fcntl is None and error.errno == 36:  # EDEADLOCK: LK_LOCK's ten seconds are over
            return False
        raise type(error)(error.errno, f"cannot lock: {error.strerror}", str(path)) from error
    return True

"""Files that survive a crash: written whole or not at all, and locked against a second process."""

import contextlib
import errno
import glob
import os
import stat
from pathlib import Path

from minirnn.errors import InputError, must_be

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
PID_WIDTH = 20  # a process number in a lock file, with blanks behind it
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

    A temporary name beside it, flushed to the disk, then renamed; what a crash left under such a name is removed.
    Where ``path`` is a link its target is written, and what is no regular file, /dev/null, is written in place. Raises
    OSError naming ``path``; the old file stays.
    """
    asked, path = Path(path), Path(os.path.realpath(path))
    with naming(asked):
        if path.exists() and not path.is_file():
            _write(path, os.O_WRONLY, data, sync=False)
            return
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        _remove_litter(path)
        try:
            _write(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINKS, data)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):  # the error that brought us here is the one to tell
                temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def _write(path, flags, data, sync=True):
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_litter(path):
    """Remove what writers of ``path`` left that were killed, files named NAME.PID.tmp of processes that are gone."""
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.tmp"):
        pid = left.name[len(path.name) + 1 : -len(".tmp")]
        if pid.isascii() and pid.isdigit() and (int(pid) == os.getpid() or not alive(int(pid))):
            with contextlib.suppress(OSError):
                left.unlink()


def alive(pid):
    """Whether a process runs; True where that cannot be told."""
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


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
    if path.exists() and not path.is_file():  # /dev/null
        if not os.access(path, os.W_OK):
            raise InputError(must_be(where, option, "a file that can be written", repr(str(path))))
        return
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

    ``with Lock(path, "run folder runs/a"):`` raises InputError naming the holder, or with ``wait`` waits for it. A
    link in its place is refused, and bytes that no lock wrote are left alone.
    """

    def __init__(self, path, what, wait=False, on_wait=None):
        self.path, self.what, self.wait, self.on_wait = Path(path), what, wait, on_wait
        self.descriptor = None

    def __enter__(self):
        while True:
            self._open()
            try:
                with naming(self.path, "lock"):
                    self._acquire()
                    if self._in_place():
                        self._sign()
                        return self
            except BaseException:
                os.close(self.descriptor)
                raise
            os.close(self.descriptor)  # the file was replaced while we waited for it

    def __exit__(self, *exception):
        os.close(self.descriptor)  # closing drops the lock

    def check(self):
        """InputError where the lock file is not the one that is locked: its folder was removed or replaced, and what
        would be written there now is another process's."""
        if not self._in_place():
            raise InputError(f"{self.what} was removed or replaced while it was in use; nothing more is written there")

    def _open(self):
        with naming(self.path, "lock"):
            self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | NO_LINKS, 0o644)
            if not stat.S_ISREG(os.fstat(self.descriptor).st_mode):
                os.close(self.descriptor)
                raise OSError(errno.EINVAL, "it is no regular file")

    def _in_place(self):
        try:
            there = os.lstat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self.descriptor))

    def _holder(self):
        """What the lock file says: a process number, b"" in a new file, or None for other bytes."""
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        text = os.read(self.descriptor, PID_WIDTH + 1)
        return text.strip() if len(text) <= PID_WIDTH and (not text.strip() or text.strip().isdigit()) else None

    def _sign(self):
        if self._holder() is not None:
            os.lseek(self.descriptor, 0, os.SEEK_SET)
            os.write(self.descriptor, str(os.getpid()).encode().ljust(PID_WIDTH))

    def _acquire(self):
        if _try_lock(self.descriptor, self.path):
            return
        holder = (self._holder() or b"").decode() or "unknown"
        if not self.wait:
            raise InputError(f"{self.what} is in use by process {holder}; wait for it, stop it, or choose another")
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
        raise
    return True

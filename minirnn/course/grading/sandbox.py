"""What the process of a submission gives up before it runs any of it.

Three walls: rlimits (time, memory, size of files); Landlock, where Linux has it, by which the kernel refuses to write
outside one folder, to read what is denied, to start programs, TCP, and signals to others; and an audit hook, which
refuses the same in Python, says so in words, and is all there is elsewhere.
"""

import ctypes
import os
import resource
import sys

FILE = 16 * 2**20  # bytes of the largest file
PROCESSES = 512
REFUSED = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty",
           "pty.spawn", "os.kill", "os.killpg", "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg",
           "socket.getaddrinfo")
FOREIGN = ("ctypes.dlopen", "ctypes.dlsym", "ctypes.call_function")  # refused where no kernel stands behind the hook
# event -> which of its arguments are paths that it changes
CHANGES = {"os.remove": (0,), "os.rename": (0, 1), "os.rmdir": (0,), "os.mkdir": (0,), "os.link": (0, 1),
           "os.symlink": (1,), "os.truncate": (0,), "os.chmod": (0,), "os.chown": (0,), "os.utime": (0,),
           "shutil.rmtree": (0,)}
# Landlock: rights as bits of a mask
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14
EVERY = {1: (1 << 13) - 1, 2: (1 << 14) - 1}  # by version of the interface; from 3 on:
EVERY_LATER = (1 << 15) - 1
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # system calls, the same on every architecture
NO_NEW_PRIVILEGES = 38


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32)]


def shut(folder, denied, seconds, memory):
    """Leave this process a folder to write in, nothing below ``denied`` to read, seconds and bytes; for good."""
    limit(seconds, memory)
    refused = REFUSED if landlock(folder, denied) else REFUSED + FOREIGN
    sys.addaudithook(_hook(os.path.realpath(folder), [os.path.realpath(path) for path in denied], refused))


def limit(seconds, memory):
    """Processor time, address space, sizes of files; no core dumps."""
    for what, most in ((resource.RLIMIT_CPU, int(seconds) + 1), (resource.RLIMIT_AS, memory),
                       (resource.RLIMIT_FSIZE, FILE), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_NPROC, PROCESSES)):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(what, (most, most))
        except (ValueError, OSError):  # macOS knows no limit of the address space
            continue


def landlock(folder, denied):
    """Ask the kernel to keep this process in: whether it can."""
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    every = EVERY.get(version, EVERY_LATER)
    ruleset = _Ruleset(every, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = libc.syscall(CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(size), 0)
    if rules < 0:
        return False

    def grant(path, allowed):
        if not os.path.isdir(path):
            allowed &= EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
        try:
            handle = os.open(path, os.O_PATH)
        except OSError:  # it went away meanwhile
            return
        libc.syscall(ADD_RULE, rules, 1, ctypes.byref(_Beneath(allowed & every, handle)), 0)
        os.close(handle)

    grant("/", READ_DIR)
    for path in readable("/", [os.path.realpath(path) for path in denied]):
        grant(path, READ_FILE | READ_DIR)
    grant("/dev/null", READ_FILE | WRITE_FILE)
    grant(folder, every & ~EXECUTE)
    libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    return libc.syscall(RESTRICT_SELF, rules, 0) == 0


def readable(folder, denied):
    """The largest folders and files that have nothing denied in them."""
    inside = [path for path in denied if path == folder or path.startswith(folder.rstrip("/") + "/")]
    if not inside:
        yield folder
    elif folder not in inside:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.is_symlink():
                    yield from readable(entry.path, inside)


def _hook(folder, denied, refused):
    within = lambda path, home: path == home or path.startswith(home + os.sep)
    harmless = (folder, os.devnull)

    def path_of(given):
        if isinstance(given, int):
            return None
        return os.path.realpath(os.fsdecode(given))

    def hook(event, args):
        if event == "open":
            path = path_of(args[0]) if args[0] is not None else None
            if path is None:
                return
            flags = args[2] if isinstance(args[2], int) else 0
            writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
            if any(within(path, home) for home in denied):
                raise PermissionError("a submission may not read the exercises' own files")
            if writes and not any(within(path, home) for home in harmless):
                raise PermissionError("a submission may write in its own folder only")
        elif event in CHANGES:
            for place in CHANGES[event]:
                path = path_of(args[place]) if args[place] is not None else None
                if path is not None and not within(path, folder):
                    raise PermissionError("a submission may change files in its own folder only")
        elif event in refused:
            raise PermissionError(f"a submission may not use {event}")

    return hook

"""Running what a student wrote: with a time limit, its output caught, and whatever it raises turned into a line.

Nothing here keeps a hostile program out; that is what ``minirnn.course.grading`` does, in a process apart.
"""

import builtins
import contextlib
import ctypes
import io
import linecache
import signal
import sys
import sysconfig
import threading
import traceback
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import minirnn
from minirnn.errors import InputError, printable

LINES, CHARACTERS = 5, 400  # of what was printed, that are shown
CELL = "cell "  # how the names of a submission's cells begin, where it is graded
AGAIN = 0.02  # seconds, after which code that swallowed the alarm hears it again
OURS = (str(Path(minirnn.__file__).parent), *{sysconfig.get_path(k) for k in ("stdlib", "platstdlib", "purelib")})


class TimeIsUp(BaseException):
    """Raised inside code that runs too long; no Exception, so that ``except Exception`` lets it pass."""


class StudentError(InputError):
    """What a student's code did wrong, already in words."""


class Outcome(NamedTuple):
    """What came of a call: its value, or the problem in words; and the first lines it printed."""

    value: Any
    problem: str
    printed: str


class Shown(io.TextIOBase):
    """A stream that keeps the beginning of what is written to it and counts the rest."""

    def __init__(self):
        self.kept, self.count = "", 0

    def writable(self):
        return True

    def write(self, text):
        self.count += len(text)
        self.kept += text[: max(0, CHARACTERS - len(self.kept))]
        return len(text)

    def __str__(self):
        lines = printable(self.kept).splitlines()[:LINES]
        shown = sum(map(len, lines)) + len(lines)
        return "\n".join([*lines, f"... {self.count} characters in all"] if shown < self.count else lines)


def guarded(function, seconds):
    """Call function() and return an Outcome, whatever it does: raise, exit, print, read, or go on for ever.

    In the main thread a signal ends it. Elsewhere, and where there are no such signals, it runs in a thread of its own
    that is told to stop and, where it is deep in compiled code, left behind; the problem then says so.
    """
    shown, found = Shown(), {}

    def run(disarm=lambda: None):
        try:
            found["value"] = function()
        except BaseException as error:  # a student's code may raise anything, SystemExit too
            disarm()
            found["problem"] = in_words(error, seconds)

    alone = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown), _no_input(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (_by_signal if alone else _by_thread)(run, seconds, found)
    return Outcome(found.get("value"), found.get("problem", ""), str(shown))


def _by_signal(run, seconds, found):
    def ring(number, frame):
        raise TimeIsUp

    disarm = lambda: signal.setitimer(signal.ITIMER_REAL, 0)
    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
        run(disarm)
        disarm()
    except TimeIsUp:  # it rang again on the way out
        found.setdefault("problem", _too_long(seconds))
    finally:
        disarm()
        signal.signal(signal.SIGALRM, before)


def _by_thread(run, seconds, found):
    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    worker.join(seconds)
    for _ in range(50):
        if not worker.is_alive():
            return
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(worker.ident), ctypes.py_object(TimeIsUp))
        worker.join(AGAIN)
    found["problem"] = f"{_too_long(seconds)} It cannot be stopped here and still runs: restart the kernel."


@contextlib.contextmanager
def _no_input():
    def refuse(prompt=""):
        raise EOFError("a solution that is being checked cannot ask for input")

    before, builtins.input = builtins.input, refuse
    stdin, sys.stdin = sys.stdin, io.StringIO()
    try:
        yield
    finally:
        builtins.input, sys.stdin = before, stdin


def _too_long(seconds):
    return f"it was still running after {seconds:g} s: is there an endless loop?"


def in_words(error, seconds=0.0):
    """An exception in one or two lines: what it says, and the last line of the student's own code."""
    if isinstance(error, StudentError):
        return str(error)
    if isinstance(error, InputError):
        return str(error).removeprefix("gradcheck: ")
    if isinstance(error, TimeIsUp):
        text = _too_long(seconds)
    elif isinstance(error, KeyboardInterrupt):
        text = "interrupted"
    else:
        text = f"it raised {type(error).__name__}" + _message(error)
    try:
        return text + _line(error)
    except Exception:  # a student's exception can carry anything, such as a traceback that cannot be read
        return text


def _message(error):
    try:
        text = printable(str(error))
    except Exception:  # its own __str__ raises
        return ", which cannot be printed"
    return ": " + (text if len(text) <= CHARACTERS else text[:CHARACTERS] + " ...") if text else ""


def _line(error):
    frames = [f for f in traceback.extract_tb(error.__traceback__, limit=-500)
              if not f.filename.startswith((*OURS, "<frozen", "<__array_function__")) and "-packages" not in f.filename]
    if not frames:
        return ""
    last = frames[-1]
    code = (last.line or linecache.getline(last.filename, last.lineno)).strip()
    where = f"{last.filename}, " if last.filename.startswith(CELL) else ""
    return f"\n({where}line {last.lineno}, in {last.name}{': ' + printable(code[:100]) if code else ''})"

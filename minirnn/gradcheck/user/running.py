"""Running code that others wrote: what it raises is one line, what it prints is kept apart, its time is limited."""

import contextlib
import functools
import io
import os
import signal
import sys
import threading
import traceback
import warnings
from pathlib import Path

from minirnn.errors import InputError, must_be

OURS = Path(__file__).resolve().parents[2]  # the package minirnn
AGAIN = 0.2  # seconds after which the time limit strikes once more, for a bare except may swallow it
CELL = ", cell "  # in the file name of code from a notebook: "own.ipynb, cell 3"


class TimeUp(BaseException):
    """The time limit was reached; no Exception, so that a user's ``except Exception`` does not swallow it."""


class Watch:
    """``with Watch(10) as watch``: between watch.start() and watch.stop() 10 seconds may pass, then TimeUp is raised.

    It stops a Python loop too. Where the system has no interval timer (Windows), and outside the main thread, there is
    no limit: ``watch.works`` is False. Raises InputError for a limit that is none.
    """

    def __init__(self, seconds):
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < 1e6:
            raise InputError(must_be("gradcheck", "--time-limit", "a positive number of seconds", repr(seconds)))
        self.seconds = seconds
        self.works = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()

    def __enter__(self):
        if self.works:
            self.before = signal.signal(signal.SIGALRM, _stop)
        return self

    def __exit__(self, *error):
        if self.works:
            self.stop()
            signal.signal(signal.SIGALRM, self.before)

    def start(self):
        if self.works:
            signal.setitimer(signal.ITIMER_REAL, self.seconds, AGAIN)

    def stop(self):
        if self.works:
            signal.setitimer(signal.ITIMER_REAL, 0)


def _stop(number, frame):
    raise TimeUp


class Nowhere(io.TextIOBase):
    """A stream for what is not shown."""

    def write(self, text):
        return len(text)


NOWHERE = Nowhere()


def guarded(path, function, name, watch, shown):
    """The function, whose exceptions become one clear line, and whose calls may take as long as the watch says.

    shown: an iterator of streams that take the place of standard output, one a call; then nothing is shown.
    """

    @functools.wraps(function)
    def call(*args, **options):
        before, sys.stdout = sys.stdout, next(shown, NOWHERE)
        try:
            watch.start()
            return function(*args, **options)
        except InputError:
            raise
        except TimeUp as late:
            cause = "give it more with --time-limit, or smaller shapes"
            what, got = f"done in {watch.seconds:g} s", f"no result{place(path, late)}"
            raise InputError(must_be("gradcheck", f"a call of {name}", what, got, cause)) from None
        except (Exception, SystemExit) as error:  # whatever a user's code raises is the user's
            raise InputError(f"gradcheck: {name} raised {one_line(path, error)}") from error
        finally:
            watch.stop()
            sys.stdout = before

    return call


@contextlib.contextmanager
def nothing_shown():
    """No figure on a screen, no warning; what is printed comes on standard error."""
    before = os.environ.get("MPLBACKEND")
    os.environ["MPLBACKEND"] = "Agg"
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
            warnings.simplefilter("ignore")
            yield
    finally:
        os.environ.pop("MPLBACKEND")
        if before is not None:
            os.environ["MPLBACKEND"] = before


def one_line(path, error):
    """ "ValueError: message (own.py, line 12)", the line being the deepest one in the user's own files."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"{type(error).__name__}: {error.msg} ({Path(error.filename).name}, line {error.lineno})"
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}{place(path, error)}"


def place(path, error):
    """ " (helper.py, line 12)": the deepest line of a traceback in a file of the user's folder; "" for none."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if CELL in frame.filename:
            return f" ({Path(frame.filename).name}, line {frame.lineno})"
        file = Path(frame.filename).resolve()
        own = file.is_relative_to(path.parent.resolve()) and "site-packages" not in file.parts
        if own and not file.is_relative_to(OURS):
            return f" ({file.relative_to(path.parent.resolve())}, line {frame.lineno})"
    return ""

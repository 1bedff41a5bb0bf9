"""A chapter in a student's hands: a copy that is theirs, in a notebook front end."""

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

from minirnn.errors import InputError, must_be
from minirnn.files import make_folder, write_atomically

FRONT_ENDS = ("jupyterlab", "notebook")


def front_end():
    """The installed front end, the first of ``FRONT_ENDS``; InputError that says what to install."""
    for name in FRONT_ENDS:
        if importlib.util.find_spec(name) is not None:
            return name
    raise InputError("chapters open: no notebook front end is installed; install minirnn[lab]")


def copy(chapter, folder):
    """The copy of a chapter in ``folder`` with the results that chapters read, made unless it is there -> (path, new).

    What is there is a student's work and stays as it is. InputError where it is no file.
    """
    chapter, folder = Path(chapter), Path(folder)
    results = sorted((chapter.parent / "results").glob("*.json"))
    made = {}
    for source, target in [(chapter, folder / chapter.name), *((r, folder / "results" / r.name) for r in results)]:
        made[target] = not target.exists()
        if made[target]:
            make_folder(target.parent)
            write_atomically(target, source.read_bytes())
        elif not target.is_file():
            raise InputError(must_be("chapters open", target, "a notebook", "a folder"))
    path = folder / chapter.name
    return path, made[path]


def open_copy(chapter, folder, browser=True):
    """Copy a chapter, say which copy it is, and start the front end on it; its exit status, once it has ended."""
    program = front_end()
    path, new = copy(chapter, folder)
    if new:
        print(f"your copy: {path}")
    else:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(path.stat().st_mtime))
        print(f"your copy: {path}, as you left it on {when}; to begin afresh, move it away")
    print(f"starting {program}; control-C stops it", flush=True)
    return run([sys.executable, "-m", program, str(path), *([] if browser else ["--no-browser"])])


def run(command):
    """Run a program until it ends; control-C is its own to answer, for it asks before it stops -> its exit status."""
    with subprocess.Popen(command) as program:
        while True:
            try:
                return program.wait()
            except KeyboardInterrupt:
                continue

"""What a student has solved and asked for: one small file in the user's cache, written whole or not at all.

With MINIRNN_PROGRESS=off it is kept for as long as the process runs.
"""

import contextlib
import json
import os
from pathlib import Path

from minirnn.data.registry import cache_folder
from minirnn.errors import say
from minirnn.files import Lock, make_folder, write_atomically

NOTHING = {"share": 0.0, "earned": 0, "tries": 0, "hints": 0, "gave_up": False}
OFF = "off"
_KEPT_HERE = {}  # where it is off


def path():
    """The file: what MINIRNN_PROGRESS names, else progress.json in minirnn's cache; None where it is "off"."""
    given = os.environ.get("MINIRNN_PROGRESS")
    if given == OFF:
        return None
    return Path(given) if given else cache_folder().parent / "progress.json"


def read():
    """{exercise: {share, earned, tries, hints, gave_up}}; a file that is damaged is put aside, not overwritten."""
    file = path()
    if file is None:
        return dict(_KEPT_HERE)
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        return {str(name): _entry(entry) for name, entry in stored.items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        say(f"progress: it cannot be read: {error}")
        return {}
    except (ValueError, TypeError, AttributeError, RecursionError):
        aside = file.with_name(file.name + ".damaged")
        with contextlib.suppress(OSError):  # where nothing can be written nothing is lost
            os.replace(file, aside)
            say(f"progress: {file} was damaged; it is kept as {aside.name}, and progress starts anew")
        return {}


def _entry(entry):
    return {key: type(start)(entry.get(key, start)) for key, start in NOTHING.items()}


def change(name, make):
    """Replace the entry of an exercise by make(entry); what cannot be kept is said in a line, and nothing else fails.

    Returns the new entry.
    """
    file = path()
    if file is None:
        _KEPT_HERE[name] = make(_KEPT_HERE.get(name, dict(NOTHING)))
        return _KEPT_HERE[name]
    try:
        make_folder(file.parent)
        with Lock(file.with_name(file.name + ".lock"), "the file of your progress", wait=True):
            everything = read()
            everything[name] = make(everything.get(name, dict(NOTHING)))
            write_atomically(file, (json.dumps(everything, indent=1) + "\n").encode())
            return everything[name]
    except OSError as error:
        say(f"progress: it is not kept: {error}")
        return make(dict(NOTHING))

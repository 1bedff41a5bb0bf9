"""The user's file, a script or a notebook, run for the names it defines."""

import contextlib
import importlib.util
import json
import linecache
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from minirnn.errors import InputError, must_be
from minirnn.gradcheck.user.running import CELL, TimeUp, nothing_shown, one_line, place

KINDS = (".py", ".ipynb")
MAIN = "put what trains under if __name__ == '__main__':, or give more with --time-limit"


@dataclass
class Source:
    """A file that ran: its path, the module it made, and what is to be said about how it ran."""

    path: Path
    module: ModuleType
    notes: tuple

    @property
    def own(self):
        """{name: function or class} that the file itself defines, in its order."""
        made = vars(self.module).items()
        return {n: v for n, v in made if callable(v) and getattr(v, "__module__", "") == self.module.__name__}


def split_target(target):
    """"own.py:forward,backward" -> ("own.py", ["forward", "backward"]); no names for the file alone."""
    file, colon, listed = target.rpartition(":")
    if not colon or not file.endswith(KINDS):
        return target, []
    names = [n.strip() for n in listed.split(",")]
    if not all(names) or len(names) > 3:
        forms = "file.py:forward,backward or file.py:forward,backward,inputs or file.py:Class"
        raise InputError(must_be("gradcheck", "target", forms, target))
    return file, names


def is_user_code(target):
    """Whether a command-line target names a file rather than a case of the suite."""
    return target.endswith(KINDS) or target.rpartition(":")[0].endswith(KINDS)


def load(file, wanted, watch):
    """Run a file -> Source. Code that fails or takes too long after the ``wanted`` names were defined only is noted.

    Raises InputError for a missing file, and for one that stops before it defines what is wanted.
    """
    path = Path(file)
    if not path.is_file():
        raise InputError(must_be("gradcheck", "target", "a Python file", f"{file}, which does not exist"))
    spec = importlib.util.spec_from_file_location(f"checked_{path.stem}", path)
    module = importlib.util.module_from_spec(spec) if spec else ModuleType(f"checked_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses look for their module there
    pieces = _cells(path) if path.suffix == ".ipynb" else [("", _text(path))]
    folder, stopped = str(path.parent.resolve()), []
    sys.path.insert(0, folder)  # so that the file may import its neighbours
    try:
        with nothing_shown():
            watch.start()
            for label, text in pieces:
                stopped += _run(path, label, text, module)
    except TimeUp as late:
        reason = must_be("gradcheck", path.name, f"done in {watch.seconds:g} s", f"no end{place(path, late)}", MAIN)
        at = f"stopped after {watch.seconds:g} s{place(path, late)}"
        stopped.append((f"{at}, what was defined by then is checked; {MAIN}", reason))
    finally:
        watch.stop()
        with contextlib.suppress(ValueError):  # the file may have removed it itself
            sys.path.remove(folder)
    source = Source(path, module, tuple(said for said, _ in stopped))
    missing = [name for name in wanted if not hasattr(module, name)] if wanted else not source.own
    if stopped and missing:
        raise InputError(stopped[0][1])
    return source


def _run(path, label, text, module):
    """Run one piece of a file -> [] or [(where it stopped, the same as an error)]."""
    name = f"{path}{label}"
    if label:  # so that a traceback shows the line
        linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    try:
        exec(compile(text, name, "exec", dont_inherit=True), vars(module))
    except (Exception, SystemExit) as error:  # whatever a user's file raises is the user's, and is said in one line
        said = one_line(path, error)
        return [(f"did not run to its end: {said}", f"gradcheck: {path}{label} does not run: {said}")]
    return []


def _text(path):
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(must_be("gradcheck", path.name, "text in UTF-8", f"byte {error.start} is not")) from None


def _cells(path):
    """[(", cell 3", code)] of a notebook, numbered among its code cells from 1, without magics."""
    try:
        cells = [c for c in json.loads(_text(path))["cells"] if c["cell_type"] == "code"]
        texts = ["".join(c["source"]) for c in cells]
    except (json.JSONDecodeError, KeyError, TypeError):
        raise InputError(must_be("gradcheck", path.name, "a Jupyter notebook of format 4", "something else")) from None
    return [(f"{CELL}{k}", _without_magics(text)) for k, text in enumerate(texts, 1)]


def _without_magics(text):
    """Python of a cell: lines with % or ! are blank, and so is a cell in another language, %%bash."""
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    if first.startswith("%%") and first.split()[0] not in ("%%time", "%%timeit", "%%capture", "%%prun"):
        return ""
    return "\n".join("" if line.lstrip()[:1] in ("%", "!", "?") else line for line in lines) + "\n"

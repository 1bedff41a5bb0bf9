"""The submissions in a folder and the cells of each, read without running anything."""

import json
import stat
from pathlib import Path

from minirnn.errors import InputError, printable

KINDS = (".ipynb", ".py")
MOST = 16 * 2**20  # bytes of one file
CELLS = 2000


def find(folder):
    """The paths of submissions in ``folder`` and its folders, in order; what is hidden is left out."""
    inside = sorted(path for path in Path(folder).rglob("*") if path.suffix in KINDS)
    return [p for p in inside if not any(part.startswith(".") for part in p.relative_to(folder).parts)]


def cells_of(path):
    """The source of every code cell of a notebook, or of a script as one; InputError in words for any other file."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise InputError("it is no regular file")
    if status.st_size > MOST:
        raise InputError(f"it has {status.st_size // 2**20} MiB, more than {MOST // 2**20}")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("it is no text") from None
    if path.suffix == ".py":
        return [text]
    try:
        cells = json.loads(text)["cells"]
        code = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
        code = ["".join(source) for source in code]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(f"it is no notebook: {type(error).__name__} {printable(str(error))[:100]}") from None
    if len(code) > CELLS:
        raise InputError(f"it has {len(code)} cells, more than {CELLS}")
    return [plain(source) for source in code]


def plain(source):
    """A cell as plain Python: what is IPython's own, %magic and !command, does nothing."""
    if source.lstrip().startswith("%%"):
        return "pass"
    lines = []
    for line in source.splitlines():
        text = line.lstrip()
        lines.append(line[: len(line) - len(text)] + "pass" if text.startswith(("%", "!")) else line)
    return "\n".join(lines)

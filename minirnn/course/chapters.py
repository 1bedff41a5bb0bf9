"""The chapters as files: finding them, running them on a clean kernel, storing them with outputs.

A stored chapter carries a hash of its own cells, so that a test can tell outputs that are older than their sources.
"""

import base64
import hashlib
import os
import time
from pathlib import Path

from minirnn.course import assignments
from minirnn.errors import InputError
from minirnn.files import make_folder, write_atomically

MAX_FIGURE = 100_000  # bytes of one PNG
SECONDS = 90  # what one chapter may take on two cores


def find(folder, names=()):
    """The chapters' paths in order; names are file names, stems or their first part ("02c"). InputError if unknown."""
    paths = sorted(Path(folder).glob("[0-9]*.ipynb"))
    if not names:
        return paths
    chosen = []
    for name in names:
        match = [p for p in paths if name in (p.name, p.stem, p.stem.split("_")[0])]
        if not match:
            raise InputError(f"chapters: no chapter {name!r}; there are {', '.join(p.stem for p in paths)}")
        chosen += match
    return chosen


def read(path):
    """The notebook at path."""
    import nbformat

    try:
        return nbformat.read(path, as_version=4)
    except (ValueError, nbformat.ValidationError) as error:
        raise InputError(f"chapters: {Path(path).name} is not a notebook: {error}") from None


def title(notebook):
    """The text of the first heading."""
    for cell in notebook.cells:
        for line in cell.source.splitlines():
            if cell.cell_type == "markdown" and line.startswith("# "):
                return line[2:].strip()
    return "(no title)"


def source_hash(notebook):
    """Hash of everything a reader can edit: the kind and source of every cell."""
    text = "\x00".join(f"{cell.cell_type}\x01{cell.source}" for cell in notebook.cells)
    return hashlib.sha256(text.encode()).hexdigest()


def execute(notebook, folder):
    """Run every cell on a clean kernel in ``folder`` -> (notebook, seconds).

    Raises InputError with the failing cell's own traceback when a cell raises.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    start = time.perf_counter()
    client = NotebookClient(
        notebook, timeout=4 * SECONDS, kernel_name="python3", record_timing=False,
        resources={"metadata": {"path": str(folder)}}, extra_arguments=["--IPKernelApp.log_level=40"],
    )
    try:
        client.execute(env={**os.environ, "MINIRNN_PROGRESS": "off"})  # nobody's points change what a chapter shows
    except (CellExecutionError, CellTimeoutError) as error:
        raise InputError(f"chapters: {title(notebook)}: a cell failed\n{error}") from None
    return notebook, time.perf_counter() - start


def clean(notebook):
    """Without machine metadata, counts in order, and the source hash stored; InputError for a figure over 100 KB."""
    count = 0
    for cell in notebook.cells:
        cell.metadata = {k: v for k, v in cell.metadata.items() if k in ("tags", "jupyter")}
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        for output in cell.outputs:
            output.pop("metadata", None)
            if output.output_type in ("execute_result", "display_data"):
                output.metadata = {}
            if output.output_type == "execute_result":
                output.execution_count = count
            image = output.get("data", {}).get("image/png")
            if image and len(base64.b64decode(image)) > MAX_FIGURE:
                raise InputError(f"chapters: {title(notebook)}: the figure of cell {count} is over {MAX_FIGURE} bytes")
    for place, cell in enumerate(notebook.cells):
        cell.id = f"cell-{place}"
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "minirnn": {"source_hash": source_hash(notebook)},
    }
    return notebook


def build(path, solutions=None):
    """Run a chapter, its exercises written from their data, and store it with its outputs; the seconds it took.

    With ``solutions``, a folder, the chapter with its exercises solved is stored there, and ``path`` stays as it is.
    """
    import nbformat

    path = Path(path)
    notebook = assignments.fill(read(path), solved=solutions is not None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook, seconds = execute(notebook, path.parent)
    text = nbformat.writes(clean(notebook)) + "\n"
    if solutions is not None:
        make_folder(solutions)
        path = Path(solutions) / path.name
    write_atomically(path, text.encode())
    return seconds


def stale(notebook):
    """Why the stored outputs cannot be trusted, or None: the hash differs, or a cell was never run or out of order."""
    if notebook.metadata.get("minirnn", {}).get("source_hash") != source_hash(notebook):
        return "its cells changed after its outputs were made; run minirnn chapters build"
    for cell in notebook.cells:
        exercise = assignments.exercise_of(cell)
        if exercise is not None and cell.cell_type == "code" and cell.source != exercise.cell(exercise.starter):
            return f"its exercise {exercise.name!r} changed; run minirnn chapters build"
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    if counts != list(range(1, len(counts) + 1)):
        return f"its execution counts are {counts}, not 1, 2, 3 ..."
    return None

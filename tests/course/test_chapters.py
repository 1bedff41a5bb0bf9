"""Chapters: stored with the outputs of their own cells, clean, runnable; the tool notices when they are not."""

import base64
import importlib.util
import json
import re
import shutil
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from minirnn.cli import main
from minirnn.course import assignments, chapters, opening, tasks
from minirnn.course.equations import checkout
from minirnn.errors import InputError

pytest.importorskip("nbclient", reason="chapters need minirnn[course]")
ALL = chapters.find(checkout() / "chapters")


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
def test_chapter_is_stored_with_the_outputs_of_its_own_cells(path):
    assert chapters.stale(chapters.read(path)) is None


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
def test_chapter_has_no_machine_data_and_small_figures(path):
    notebook = chapters.read(path)
    assert set(notebook.metadata) == {"kernelspec", "language_info", "minirnn"}
    figures = 0
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags", "jupyter"}
        for output in cell.get("outputs", []):
            assert output.output_type != "error" and output.get("name") != "stderr", output
            image = output.get("data", {}).get("image/png")
            if image:
                figures += 1
                assert len(base64.b64decode(image)) <= chapters.MAX_FIGURE
    assert figures >= 1
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"/(home|tmp|root|usr)/|0x[0-9a-f]{6,}", text)


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
def test_chapter_has_every_part(path):
    text = "\n".join(cell.source for cell in chapters.read(path).cells)
    for heading in ("## Derivation", "## Code", "## Gradient check", "## Experiment", "## Exercises"):
        assert heading in text, f"{path.stem} lacks {heading!r}"
    assert "assert not caught.ok" in text


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
def test_a_chapters_exercises_are_those_of_its_tasks_in_order(path):
    found = [(cell.cell_type, assignments.exercise_of(cell)) for cell in chapters.read(path).cells]
    named = [(kind, exercise.name) for kind, exercise in found if exercise is not None]
    kinds = ("markdown", "code")
    assert named == [(kind, e.name) for e in tasks.CHAPTERS[path.stem.split("_")[0]] for kind in kinds]


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
def test_no_solution_stands_in_a_chapter_or_its_html(path, characteristic, shown):
    """Single lines may stand in a derivation, and in no cell of an exercise; the rest of a solution stands nowhere."""
    notebook = chapters.read(path)
    everything = shown(notebook.cells)
    of_exercises = shown([cell for cell in notebook.cells if assignments.exercise_of(cell) is not None])
    assert "<details" not in "\n".join(cell.source for cell in notebook.cells)
    assert not any("solution" in cell.metadata.get("tags", []) for cell in notebook.cells)
    for exercise in tasks.CHAPTERS[path.stem.split("_")[0]]:
        lines = characteristic(exercise)
        assert lines and exercise.why not in everything
        assert not [line for line in lines if line in of_exercises]
        assert [line for line in lines if line not in everything], f"{exercise.name}: every line is in the chapter"


@pytest.mark.slow
@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
def test_solving_every_exercise_runs_a_chapter_to_its_end(path, tmp_path):
    before = path.read_bytes()
    chapters.build(path, solutions=tmp_path)
    assert path.read_bytes() == before
    solved = chapters.read(tmp_path / path.name)
    for cell in solved.cells:
        exercise = assignments.exercise_of(cell)
        if exercise is not None and cell.cell_type == "code":
            said = cell.outputs[-1].data["text/plain"]
            assert said.startswith(f"✓ {exercise.name}: right") or exercise.kind == "speed run", said
            assert "text/html" in cell.outputs[-1].data


def test_a_changed_exercise_makes_its_chapter_stale():
    notebook = chapters.read(ALL[0])
    cell = next(c for c in notebook.cells if c.cell_type == "code" and assignments.exercise_of(c))
    cell.source += "\n1"
    notebook.metadata.minirnn.source_hash = chapters.source_hash(notebook)
    assert "its exercise 'best step' changed" in chapters.stale(notebook)
    cell.metadata.tags = ["exercise:gru mx"]
    with pytest.raises(InputError, match="no exercise 'gru mx'; did you mean gru mix"):
        assignments.fill(notebook)


def notebook_of(folder, *cells):
    import nbformat

    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A title")])
    made.cells += [nbformat.v4.new_code_cell(source) for source in cells]
    path = folder / "01_made.ipynb"
    nbformat.write(made, path)
    return path


@pytest.mark.slow
def test_build_stores_outputs_and_an_edit_makes_them_stale(tmp_path, capsys):
    path = notebook_of(tmp_path, "1 + 1", "print('hello')")
    assert "source_hash" not in chapters.read(path).metadata.get("minirnn", {})
    assert main(["chapters", "build", "01", "--folder", str(tmp_path)]) == 0
    built = chapters.read(path)
    assert chapters.stale(built) is None and chapters.title(built) == "A title"
    assert built.cells[1].outputs[0].data["text/plain"] == "2"
    first = path.read_bytes()
    chapters.build(path)
    assert path.read_bytes() == first
    built.cells[1].source = "1 + 2"
    assert "run minirnn chapters build" in chapters.stale(built)
    built.cells[1].source = "1 + 1"
    built.cells[1].execution_count = 7
    assert "execution counts" in chapters.stale(built)


@pytest.mark.slow
def test_a_failing_cell_fails_the_command_and_keeps_the_file(tmp_path, capsys):
    path = notebook_of(tmp_path, "assert 1 == 2, 'they differ'")
    before = path.read_bytes()
    assert main(["chapters", "build", "--folder", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "FAILED" in out and "they differ" in out
    assert path.read_bytes() == before


@pytest.mark.slow
def test_chapters_run_two_at_a_time_and_one_that_fails_is_named(tmp_path, capsys):
    for name, source in (("01_right", "1 + 1"), ("02_wrong", "1 / 0"), ("03_too", "2 + 2")):
        notebook_of(tmp_path, source).rename(tmp_path / f"{name}.ipynb")
    assert main(["chapters", "run", "--jobs", "2", "--folder", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "02_wrong" in out and out.count("FAILED") == 1 and out.count("ran in") == 2
    assert main(["chapters", "run", "01", "--jobs", "0", "--folder", str(tmp_path)]) == 2


def test_figures_over_the_limit_are_refused(tmp_path):
    import nbformat

    notebook = chapters.read(notebook_of(tmp_path, "0"))
    big = base64.b64encode(b"x" * (chapters.MAX_FIGURE + 1)).decode()
    notebook.cells[1].outputs = [nbformat.v4.new_output("display_data", {"image/png": big})]
    with pytest.raises(InputError, match="is over 100000 bytes"):
        chapters.clean(notebook)


def test_listing_and_bad_names(tmp_path, capsys):
    for path in ALL:
        shutil.copy(path, tmp_path)
    assert main(["chapters", "list", "--folder", str(tmp_path), "--json"]) == 0
    assert [row["stale"] for row in json.loads(capsys.readouterr().out)] == [None] * len(ALL)
    assert main(["chapters", "run", "99", "--folder", str(tmp_path)]) == 2
    assert "no chapter '99'; there are 00_start_here" in capsys.readouterr().err
    assert main(["chapters", "list", "--folder", str(tmp_path / "nowhere")]) == 2
    assert main(["chapters", "build", "00", "--folder", str(tmp_path), "--solutions", str(tmp_path)]) == 2
    assert "--solutions must be another folder than the chapters'" in capsys.readouterr().err
    (tmp_path / "03_broken.ipynb").write_text("{")
    assert main(["chapters", "list", "--folder", str(tmp_path)]) == 2
    assert "03_broken.ipynb is not a notebook" in capsys.readouterr().err


@pytest.fixture
def front_ends(monkeypatch, tmp_path):
    """Programs that chapters open finds, the commands it gives them, and what they answer; in an empty folder."""
    monkeypatch.chdir(tmp_path)
    given = SimpleNamespace(installed=["jupyterlab"], commands=[], status=0)
    real = importlib.util.find_spec

    class Program:
        def __init__(self, command):
            given.commands.append(command)
            self.interrupts = 2

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def wait(self):
            self.interrupts -= 1
            if self.interrupts >= 0:  # the reader presses control-C and answers that it shall go on
                raise KeyboardInterrupt
            return given.status

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: (
        (name in given.installed or None) if name in opening.FRONT_ENDS else real(name)))
    monkeypatch.setattr(opening.subprocess, "Popen", Program)
    return given


def test_open_copies_a_chapter_with_its_results_and_starts_the_front_end(front_ends, tmp_path, capsys):
    assert main(["chapters", "open", "02g"]) == 0
    copy = Path("course/02g_making_it_fast.ipynb")
    assert front_ends.commands == [[sys.executable, "-m", "jupyterlab", str(copy)]]
    assert copy.read_bytes() == (checkout() / "chapters" / copy.name).read_bytes()
    results = {path.name for path in (checkout() / "chapters/results").glob("*.json")}
    assert {path.name for path in Path("course/results").iterdir()} == results != set()
    assert f"your copy: {copy}\nstarting jupyterlab" in capsys.readouterr().out
    front_ends.installed = ["notebook"]
    assert main(["chapters", "open", "00", "--no-browser", "--out", "mine"]) == 0
    assert front_ends.commands[1] == [sys.executable, "-m", "notebook", "mine/00_start_here.ipynb", "--no-browser"]


def test_open_never_writes_over_a_students_work(front_ends, tmp_path, capsys):
    chapter = notebook_of(tmp_path, "1 + 1")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a.json").write_text("[]")
    command = ["chapters", "open", "01", "--folder", str(tmp_path)]
    assert main(command) == 0
    mine = {Path("course") / chapter.name: "my work", Path("course/results/a.json"): "[1]"}
    for path, text in mine.items():
        path.write_text(text)
    capsys.readouterr()
    assert main(command) == 0
    assert re.search(r"your copy: course/01_made.ipynb, as you left it on \d{4}-\d\d-\d\d \d\d:\d\d; to begin",
                     capsys.readouterr().out)
    assert {path: path.read_text() for path in mine} == mine and len(front_ends.commands) == 2


def test_open_says_in_one_line_what_is_missing_and_copies_nothing(front_ends, tmp_path, capsys):
    front_ends.installed = []
    for argv, message in ((["02c"], r"no notebook front end is installed; install minirnn\[lab\]"),
                          (["99"], "no chapter '99'; there are 00_start_here"), ([], "CHAPTER must be given"),
                          (["02c", "--folder", "nowhere"], "folder must be an existing folder, got nowhere")):
        assert main(["chapters", "open", *argv]) == 2
        assert re.fullmatch(f"minirnn: chapters.*: {message}.*\n", capsys.readouterr().err)
    assert not Path("course").exists() and front_ends.commands == []
    front_ends.installed, front_ends.status = ["jupyterlab"], 3
    assert main(["chapters", "open", "02c"]) == 1
    Path("course/02c_recurrent_networks_and_bptt.ipynb").rename("away")
    Path("course/02c_recurrent_networks_and_bptt.ipynb").mkdir()
    assert main(["chapters", "open", "02c"]) == 2
    assert "02c_recurrent_networks_and_bptt.ipynb must be a notebook, got a folder" in capsys.readouterr().err
    shutil.rmtree("course")
    Path("course").write_text("a file")
    assert main(["chapters", "open", "02c"]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and len(front_ends.commands) == 1


def test_the_help_of_open_fits_a_terminal_and_the_front_end_is_an_extra(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["chapters", "open", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--no-browser" in shown and "never written over" in " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= 80
    extras = tomllib.loads((checkout() / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert any(each.startswith("jupyterlab") for each in extras["lab"])

"""Assignments: notebooks that run, solved and unsolved; nbgrader's cells, read by nbgrader where it is installed."""

import ast
import html
import re

import pytest

from minirnn.cli import main
from minirnn.course import assignments, chapters, tasks
from minirnn.course.equations import checkout
from minirnn.errors import InputError

nbformat = pytest.importorskip("nbformat", reason="notebooks need minirnn[course]")
pytest.importorskip("nbclient", reason="running them needs minirnn[course]")
KEYS = {"schema_version", "task", "grade", "grade_id", "locked", "solution"}  # of nbgrader's schema 3
STUB = "# YOUR CODE HERE\nraise NotImplementedError()"


@pytest.mark.parametrize("chapter", tasks.CHAPTERS)
@pytest.mark.parametrize("nbgrader", [False, True])
def test_no_solution_stands_in_an_assignment(chapter, nbgrader, characteristic, shown):
    text = shown(assignments.assignment(chapter, nbgrader=nbgrader).cells)
    solved = shown(assignments.assignment(chapter, solved=True, nbgrader=nbgrader).cells)
    for exercise in tasks.CHAPTERS[chapter]:
        assert not [line for line in [exercise.why, *characteristic(exercise)] if line in text]
        assert all(line in solved for line in characteristic(exercise))


@pytest.mark.parametrize("solved", [False, True])
def test_an_assignment_runs_to_its_end(solved, tmp_path, progress_file):
    """All chapters' exercises in one notebook: one kernel is enough, and it changes nobody's points."""
    made = [assignments.assignment(chapter, solved) for chapter in tasks.CHAPTERS]
    notebook = made[0]
    notebook.cells = [cell for each in made for cell in each.cells]
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    nbformat.validate(notebook)
    chapters.execute(notebook, tmp_path)
    assert not progress_file.exists()
    for cell in notebook.cells:
        exercise = assignments.exercise_of(cell)
        if exercise is not None and cell.cell_type == "code":
            right = cell.outputs[-1].data["text/plain"].startswith("✓")
            assert right == solved or exercise.kind == "speed run", cell.outputs[-1].data["text/plain"]


@pytest.mark.parametrize("chapter", tasks.CHAPTERS)
def test_nbgraders_cells_are_of_its_schema(chapter):
    """The schema as it is documented; what nbgrader's own reader says is the next test."""
    notebook = assignments.assignment(chapter, solved=True, nbgrader=True)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    ids = [cell.metadata.nbgrader.grade_id for cell in cells]
    assert len(ids) == len(set(ids)) == 2 * len(tasks.CHAPTERS[chapter])
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", name) for name in ids)
    for cell, exercise in zip(cells, [e for e in tasks.CHAPTERS[chapter] for _ in range(2)]):
        facts = cell.metadata.nbgrader
        assert facts.schema_version == 3 and facts.grade != facts.solution and facts.locked == facts.grade
        assert set(facts) == KEYS | ({"points"} if facts.grade else set())
        if facts.grade:
            assert facts.points == exercise.points and cell.source.startswith(f'graded("{exercise.name}", ')
        else:
            assert cell.source.count("### BEGIN SOLUTION") == cell.source.count("### END SOLUTION") == 1
            assert "check(" not in cell.source
            handed_out = re.sub(r"( *)### BEGIN SOLUTION.*### END SOLUTION", lambda m: "\n".join(
                m[1] + line for line in STUB.splitlines()), cell.source, flags=re.DOTALL)
            ast.parse(handed_out)


@pytest.mark.parametrize("chapter", tasks.CHAPTERS)
@pytest.mark.parametrize("solved", [False, True])
def test_nbgrader_reads_it(chapter, solved, tmp_path):
    reader = pytest.importorskip("nbgrader.nbgraderformat", reason="nbgrader is not installed")
    v3 = pytest.importorskip("nbgrader.nbgraderformat.v3", reason="nbgrader is not installed")
    nbformat.write(assignments.assignment(chapter, solved, nbgrader=True), tmp_path / "a.ipynb")
    notebook = reader.read(str(tmp_path / "a.ipynb"), as_version=4)
    v3.MetadataValidatorV3().validate_nb(notebook)
    if solved:
        clear = pytest.importorskip("nbgrader.preprocessors", reason="nbgrader is not installed").ClearSolutions()
        cleared, _ = clear.preprocess(notebook, {})
        assert str(cleared).count("NotImplementedError") == len(tasks.CHAPTERS[chapter])
        assert "### BEGIN" not in str(cleared)


@pytest.mark.parametrize("path", chapters.find(checkout() / "chapters"), ids=lambda p: p.stem)
def test_no_solution_stands_in_a_chapters_page(path, characteristic):
    """As nbconvert writes it, every tag removed: what a browser shows, and what it hides."""
    exporters = pytest.importorskip("nbconvert", reason="nbconvert is not installed")
    page, _ = exporters.HTMLExporter(template_name="basic").from_filename(str(path))
    text = html.unescape(re.sub(r"<[^>]*>", "", page))
    for exercise in tasks.CHAPTERS[path.stem.split("_")[0]]:
        assert exercise.starter.strip().splitlines()[0] in text  # it is the text that the lines are looked for in
        assert [line for line in characteristic(exercise) if line not in text] and exercise.why not in text


def test_cells_are_written_from_their_exercise():
    path = next(p for p in chapters.find(checkout() / "chapters") if p.stem.startswith("02d"))
    for solved in (False, True):
        notebook = assignments.fill(chapters.read(path), solved)
        found = [(cell, assignments.exercise_of(cell)) for cell in notebook.cells]
        cells = {(cell.cell_type, e.name): cell.source for cell, e in found if e is not None}
        exercise = tasks.find("gru mix")
        code = exercise.solution if solved else exercise.starter
        assert cells["code", "gru mix"] == f'{code.strip()}\n\n\ncheck("gru mix", gru_mix_backward)'
        text = cells["markdown", "gru mix"]
        assert text.startswith("1. **The GRU's mix** ★☆☆ *fill the step, 10 points*") and exercise.text in text
        assert (exercise.why in text) == solved


def test_files_of_the_command(tmp_path, capsys):
    assert main(["course", "assign", "02d_lstm_and_gru", "--out", str(tmp_path)]) == 0
    assert main(["course", "assign", "02d", "--out", str(tmp_path), "--solutions"]) == 0
    assert main(["course", "assign", "02d", "--out", str(tmp_path), "--solutions", "--format", "nbgrader"]) == 0
    assert capsys.readouterr().out.count("exercises_02d") == 4
    task, solved = (chapters.read(tmp_path / f"exercises_02d{more}.ipynb") for more in ("", "_solutions"))
    assert "Your turn" in str(task) and "Your turn" not in str(solved) and "*Solution:*" in str(solved)
    source = chapters.read(tmp_path / "source" / "exercises_02d" / "exercises_02d.ipynb")
    assert source == assignments.assignment("02d", solved=True, nbgrader=True)


def test_a_chapter_is_named_by_its_number_or_its_file():
    assert {assignments.chapter_named(n) for n in ("02d", "02d_lstm_and_gru", "02d_lstm_and_gru.ipynb")} == {"02d"}
    with pytest.raises(InputError, match="did you mean 02d"):
        assignments.chapter_named("02dd")

"""Exercises in notebooks: the cells of a chapter, and an assignment of its own, as tasks, as solutions, for nbgrader.

Everything is made from ``minirnn.course.tasks``. In a chapter a Markdown or code cell with the tag ``exercise:NAME``
holds the exercise's text, or its starter and the line that checks it; ``fill`` writes both from there.
"""

import ast

from minirnn.course import tasks
from minirnn.errors import InputError, near

TAG = "exercise:"
SETUP = """import numpy as np

from minirnn.cells.activations import sigmoid
from minirnn.course.exercises import check, graded, hint, hunt, points, solution, table_check
from minirnn.gradcheck import check_cell"""
HOW = ('`check` says what is right and what is wrong, `hint("NAME")` gives a hint and says what it costs, `points()` '
       "shows what you have.")


def chapter_named(name):
    """The chapter "02d" of "02d" or "02d_lstm_and_gru"; InputError with a near name for one without exercises."""
    chapter = name.removesuffix(".ipynb").split("_")[0]
    if chapter not in tasks.CHAPTERS:
        known = ", ".join(tasks.CHAPTERS)
        hint = near(chapter, tasks.CHAPTERS)
        raise InputError(f"course: chapter must be one of {known}, got {name!r}" + (f"; {hint}" if hint else ""))
    return chapter


def exercise_of(cell):
    """The exercise that a cell belongs to by its tag, or None; InputError for a tag of no exercise."""
    for tag in cell.metadata.get("tags", ()):
        if tag.startswith(TAG):
            exercise = tasks.find(tag.removeprefix(TAG))
            if exercise is None:
                raise InputError(f"chapters: {tag}: {tasks.unknown(tag.removeprefix(TAG))}")
            return exercise
    return None


def fill(notebook, solved=False):
    """Write the cells of exercises from their data: the tasks, or with ``solved`` the solutions in their place."""
    numbers = {}
    for cell in notebook.cells:
        exercise = exercise_of(cell)
        if exercise is None:
            continue
        number = numbers.setdefault(exercise.name, len(numbers) + 1)
        if cell.cell_type == "markdown":
            cell.source = words(exercise, number) + (f"\n\n*Solution:* {exercise.why}" if solved else "")
        else:
            cell.source = exercise.cell(exercise.solution if solved else exercise.starter)
    return notebook


def words(exercise, number):
    """The Markdown of an exercise: its number, title, stars, points and text."""
    return f"{number}. {exercise.heading()}\n\n{exercise.text}"


def assignment(chapter, solved=False, nbgrader=False):
    """A notebook with the exercises of a chapter alone: -> nbformat notebook without outputs.

    With ``nbgrader`` its cells carry nbgrader's metadata; with ``solved`` too, the solutions stand between its marks,
    and nbgrader makes the students' version of it.
    """
    import nbformat.v4 as v4

    title = f"# Exercises of chapter {chapter}" + (": solutions" if solved else "") + f"\n\n{HOW}"
    cells = [v4.new_markdown_cell(title), v4.new_code_cell(SETUP)]
    for number, exercise in enumerate(tasks.CHAPTERS[chapter], 1):
        tags = {"tags": [TAG + exercise.name]}
        explained = solved and not nbgrader
        text = words(exercise, number) + (f"\n\n*Solution:* {exercise.why}" if explained else "")
        cells.append(v4.new_markdown_cell(text, metadata=tags))
        code = exercise.solution if solved else exercise.starter
        if nbgrader:
            cells += _for_nbgrader(exercise, marked(code) if solved else code.strip(), tags)
        else:
            cells.append(v4.new_code_cell(exercise.cell(code), metadata=tags))
    if not nbgrader:
        cells.append(v4.new_code_cell("points()"))
    for place, cell in enumerate(cells):
        cell.id = f"cell-{place}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


def _for_nbgrader(exercise, code, tags):
    """The cell that is answered and the locked one that gives it points: nbgrader's schema 3."""
    import nbformat.v4 as v4

    slug = exercise.name.replace(" ", "-")
    common = {"schema_version": 3, "task": False}
    answered = {**common, "grade": False, "grade_id": slug, "locked": False, "solution": True}
    marks = {**common, "grade": True, "grade_id": f"{slug}-points", "locked": True, "points": exercise.points,
             "solution": False}
    points = f'graded("{exercise.name}", {exercise.answer})'
    return [v4.new_code_cell(code, metadata={**tags, "nbgrader": answered}),
            v4.new_code_cell(points, metadata={"nbgrader": marks})]


def marked(code):
    """A solution between nbgrader's marks; a single function keeps its first line and its arguments outside."""
    code = code.strip()
    tree = ast.parse(code).body
    lines = code.splitlines()
    kept = []
    if len(tree) == 1 and isinstance(tree[0], ast.FunctionDef):
        first = tree[0].body[0].lineno - 1
        kept, lines = lines[:first], lines[first:]
    inset = " " * 4 * bool(kept)
    return "\n".join([*kept, f"{inset}### BEGIN SOLUTION", *lines, f"{inset}### END SOLUTION"])

"""Every exercise of the course, chapter by chapter: a file each, with text, hints, starter, solution and checker."""

from minirnn.course.tasks import chapter_00, chapter_02c, chapter_02d, chapter_02g, chapter_03
from minirnn.errors import near, printable

CHAPTERS = {
    "00": chapter_00.EXERCISES,
    "02c": chapter_02c.EXERCISES,
    "02d": chapter_02d.EXERCISES,
    "02g": chapter_02g.EXERCISES,
    "03": chapter_03.EXERCISES,
}
EXERCISES = {exercise.name: exercise for exercises in CHAPTERS.values() for exercise in exercises}


def find(name):
    """The exercise of a name, whatever its case and spaces; None where there is none."""
    return EXERCISES.get(" ".join(name.lower().split())) if isinstance(name, str) else None


def unknown(name):
    """What is said of a name that no exercise has."""
    if not isinstance(name, str):
        return f'the name of an exercise must come first, as in check("gru mix", backward); got {type(name).__name__}'
    hint = near(name[:60].lower(), EXERCISES) or "there are " + ", ".join(EXERCISES)
    return f"no exercise {printable(name)[:60]!r}; {hint}"


def chapter_of(name):
    """The chapter of an exercise: chapter_of("gru mix") is "02d"."""
    return next(chapter for chapter, exercises in CHAPTERS.items() if any(e.name == name for e in exercises))

"""The exercises of the chapters, for notebooks and terminals. ::

    check("gru mix", backward)      right, or what is wrong with it; never raises for what an answer does
    graded("gru mix", backward)     the points of an answer, for those who mark it
    hint("gru mix")                 hint 1, then 2, then 3, and what each costs
    points()                        what you have so far
    solution("gru mix")             once it is solved, or with give_up=True
    hunt("lstm", seed=7)            a backward with one slip in it, to be found
    table_check({"h1": 0.2}, {"h1": 0.3})   a table by hand against another, entry by entry

The exercises themselves, a file for each chapter, are in ``minirnn.course.tasks``.
"""

from minirnn.course.exercises.hunting import hunt
from minirnn.course.exercises.session import check, graded, hint, points, solution
from minirnn.course.exercises.tables import table_check

__all__ = ["check", "graded", "hint", "hunt", "points", "solution", "table_check"]

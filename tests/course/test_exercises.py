"""Exercises: right answers are right, others are told what is wrong, and nothing an answer does gets out of check."""

import sys
import threading
import time

import numpy as np
import pytest

from minirnn.cells.activations import sigmoid
from minirnn.course import tasks
from minirnn.course.exercises import check, graded, hunt
from minirnn.course.exercises.checkers import Backward, Speed
from minirnn.course.exercises.claims import verdict
from minirnn.course.exercises.exercise import KINDS, Exercise, Report
from minirnn.course.exercises.guard import guarded
from minirnn.course.exercises.session import Result
from minirnn.errors import InputError

ALL = list(tasks.EXERCISES.values())
NAMES = {"np": np, "sigmoid": sigmoid, "hunt": hunt}


def answer_of(exercise, code):
    scope = dict(NAMES)
    exec(compile(code.strip(), "<answer>", "exec"), scope)
    return scope[exercise.answer]


@pytest.mark.parametrize("exercise", ALL, ids=lambda e: e.name)
def test_every_solution_is_right_and_every_starter_is_not(exercise):
    if not isinstance(exercise.checker, Speed):  # another process may take the time; a test of its own is below
        result = check(exercise.name, answer_of(exercise, exercise.solution))
        assert result and result.points == exercise.points, result
    result = check(exercise.name, answer_of(exercise, exercise.starter))
    assert not result and result.report.lines


@pytest.mark.parametrize("exercise", ALL, ids=lambda e: e.name)
def test_every_exercise_is_whole(exercise):
    assert exercise.kind in KINDS and exercise.title and exercise.text.strip() and exercise.why
    assert len(set(exercise.hints)) == 3 and all(hint.strip() for hint in exercise.hints)
    assert exercise.answer in exercise.starter and exercise.starter.strip() != exercise.solution.strip()
    assert exercise.name == " ".join(exercise.name.lower().split())


def test_names_are_unique_and_bad_exercises_are_refused():
    assert len(ALL) == sum(map(len, tasks.CHAPTERS.values()))
    facts = dict(name="a", title="A", kind="predict", stars=1, text="t", hints=("1", "2", "3"), answer="a",
                 starter="a = 1", solution="a = 2", why="w", checker=None)
    Exercise(**facts)
    for wrong, said in (({"kind": "guess"}, "kind must be one of predict"), ({"stars": 4}, "stars must be 1, 2 or 3"),
                        ({"hints": ("1", "2")}, "hints must be 3 texts, got 2")):
        with pytest.raises(InputError, match=said):
            Exercise(**facts | wrong)


@pytest.mark.parametrize("exercise", [e for e in ALL if isinstance(e.checker, Backward)], ids=lambda e: e.name)
def test_every_backward_exercise_rejects_zeros(exercise):
    shapes = exercise.checker.shapes.values()
    result = check(exercise.name, lambda dy, *args: tuple(np.zeros(s) for s in shapes))
    assert result.report.share == 0 and "it is zero" in repr(result)


def right(dh, z, h_prev, n):
    """thesis (2.2.9)"""
    return dh * (n - h_prev), dh * (1 - z), dh * z


def scaled(factor):
    return lambda *args: tuple(factor * np.asarray(g) for g in right(*args))


def endless(*args):
    while True:
        pass


def stubborn(*args):
    while True:
        try:
            sum(range(100))
        except:  # noqa: E722  the student's, who catches everything
            pass


def in_place(dh, z, h_prev, n):
    got = right(dh.copy(), z.copy(), h_prev.copy(), n.copy())
    z *= 0
    return got


def printing(*args):
    print("x" * 50)
    for k in range(10_000):
        print("line", k)
    return right(*args)


def writing(*args):
    sys.stderr.write("to stderr")
    return right(*args)


def asking(*args):
    return float(input("a number? "))


def deep(*args):
    return deep(*args)


class Rude(Exception):
    def __str__(self):
        raise ValueError("no")


def rude(*args):
    raise Rude


def first_line_raises(dh, z, h_prev, n):
    w = 1
    return dh @ np.ones((7, w))


def exits(*args):
    sys.exit(3)


def interrupts(*args):
    raise KeyboardInterrupt


ROBUST = [
    (first_line_raises, "it raised ValueError: matmul"), (first_line_raises, "return dh @ np.ones((7, w))"),
    (exits, "it raised SystemExit: 3"), (interrupts, "interrupted"), (deep, "RecursionError"), (asking, "cannot ask"),
    (rude, "it raised Rude, which cannot be printed"), (None, "the answer is None"), (7, "must be a function"),
    (right(*np.ones((4, 3, 4))), "must be a function backward(dh, z, h_prev, n), got tuple"), ("right", "got str"),
    (lambda *args: None, "returned None: is its return missing"), (lambda: 0, "takes 0 positional arguments"),
    (lambda *args: (), "number of gradients"), (lambda *args: right(*args)[:2], "got 2"),
    (lambda *args: "abc", "the number of gradients"),
    (lambda *args: ({}, [], "x"), "must be"), (lambda *args: (1j, 1j, 1j), "must be"),
    (lambda dh, *args: (dh.T, dh, dh), "must be of shape (3, 4), got (4, 3); is it transposed?"),
    (lambda dh, *args: (dh[:1], dh, dh), "must be of shape (3, 4), got (1, 4)"),
    (lambda dh, *args: (dh * np.nan, dh, dh), "12 of 12 entries are nan"),
    (lambda dh, *args: (dh * np.inf,) * 3, "are infinite"),
    (scaled(1 / 3), "every entry is 1/3 of what it should be: did you divide by the batch (B = 3)?"),
    (scaled(3), "every entry is 3 times what it should be: is a division by the batch (B = 3) missing?"),
    (scaled(1 / 4), "did you divide by the units (H = 4)?"), (scaled(-1), "every entry has the wrong sign"),
    (scaled(2), "is the slope of a square, or a path counted twice?"), (scaled(0.5), "1/2 of what it should be"),
    (scaled(1.7), "every entry is 1.7 times what it should be"),
    (lambda *args: tuple(g[::-1] for g in right(*args)), "it is in reverse order along its first axis"),
    (lambda *args: tuple(g[:, ::-1] for g in right(*args)), "it is in reverse order along axis 1"),
    (lambda *args: tuple(np.roll(g, 1, axis=0) for g in right(*args)), "it is shifted by 1"),
    (type, "it raised TypeError"), (endless, "still running"), (stubborn, "still running after 0.3 s"),
]


@pytest.mark.parametrize(("answer", "message"), ROBUST)
def test_whatever_an_answer_is_or_does_check_says_it(answer, message, monkeypatch):
    if answer in (endless, stubborn):
        monkeypatch.setattr("minirnn.course.exercises.session.guard.guarded", lambda f, seconds: guarded(f, 0.3))
    result = check("gru mix", answer)
    assert not result and message in " ".join(repr(result).split()), result
    assert all(len(line) <= 80 for line in repr(result).splitlines())


def test_the_line_of_the_student_is_named():
    line = first_line_raises.__code__.co_firstlineno + 2
    assert f"(line {line}, in first_line_raises" in repr(check("gru mix", first_line_raises))


def test_what_is_printed_is_shown_in_part_and_does_not_reach_the_terminal(capsys):
    result = check("gru mix", printing)
    assert result and "| line 0" in repr(result) and "characters in all" in repr(result)
    assert "line 99" not in repr(result)
    assert check("gru mix", writing).printed.startswith("to stderrto stderr")
    assert capsys.readouterr() == ("", "")


def test_writing_into_an_argument_is_noted_and_harmless():
    result = check("gru mix", in_place)
    assert result and "writes into its argument z" in repr(result)


def test_elsewhere_than_in_the_main_thread_an_endless_loop_is_ended_too():
    found = []
    worker = threading.Thread(target=lambda: found.append(guarded(endless, 0.2)))
    worker.start()
    worker.join(10)
    assert "still running after 0.2 s" in found[0].problem and "restart" not in found[0].problem
    assert threading.active_count() == 1


def test_where_nothing_can_end_it_that_is_said():
    done = []

    def asleep():
        time.sleep(1.6)
        done.append(True)

    found = []
    worker = threading.Thread(target=lambda: found.append(guarded(asleep, 0.1)))
    worker.start()
    worker.join(10)
    assert "it cannot be stopped here and still runs" in found[0].problem.lower()
    for _ in range(100):
        if threading.active_count() == 1:
            break
        time.sleep(0.05)
    assert threading.active_count() == 1


def test_right_and_partly_right():
    result = check("gru mix", right)
    assert result and repr(result) == "✓ gru mix: right, 10 of 10 points"
    partly = check("gru mix", lambda dh, z, h, n: (dh * n, dh * (1 - z), dh * z))
    assert not partly and partly.points == 7 and "right: h_prev, n" in repr(partly) and "67% right" in repr(partly)
    html = partly._repr_html_()
    assert "class=bad>✗ gru mix" in html and "<svg" in html and "class=good>✓" in result._repr_html_()
    assert "&lt;b&gt;" in Result("<b>", "", Report(0.0, ("<b>",)), 0, 0)._repr_html_()


def test_unknown_exercises_are_answered_with_near_names():
    assert "did you mean gru mix?" in repr(check("gru mx", right))
    assert "there are best step" in repr(check("zzz", right)) and "the name of an exercise" in repr(check(right, "a"))
    assert check("  GRU  Mix ", right) and not check("gru mx", right)


def test_points_for_those_who_mark_ignore_what_was_tried(capsys):
    assert graded("gru mix", right) == 10 and graded("gru mix", lambda dh, z, h, n: (dh, dh * (1 - z), dh * z)) == 7
    assert graded("gru mx", right) == 0 and "did you mean" in capsys.readouterr().out


STEP = tasks.find("lstm step")
CATALOGUE = [
    ("dc + dh * o * (1 - tanh_c**2)", "dh * o * (1 - tanh_c**2)", "dc = dh * o *"),
    ("df * f * (1 - f)", "df * f", "the sigmoid derivative of the forget gate is written f, without 1 - f"),
    ("dc * f, da.T", "dc * i, da.T", "dc_prev is dc * i, it should be dc * f"),
    ("da.T @ x, da.T @ h_prev, da.sum(axis=0)", "da.T @ x / 3, da.T @ h_prev / 3, da.mean(axis=0)",
     "the mean over the batch is taken where the sum belongs"),
    ("da @ weight_hh", "da @ weight_hh[:3]", "it raised ValueError"),
    ("da.T @ x,", "(da.T @ x).T,", "dweight_ih: it must be of shape (8, 5), got (5, 8); is it transposed?"),
    (", da.sum(axis=0)", "", "it must return 6 arrays, dx, dh_prev, dc_prev, dweight_ih, dweight_hh, dbias, got 5"),
]


@pytest.mark.parametrize(("good", "bad", "said"), CATALOGUE)
def test_a_cells_mistake_is_named_from_the_catalogue(good, bad, said):
    assert STEP.solution.count(good) == 1
    result = check("lstm step", answer_of(STEP, STEP.solution.replace(good, bad)))
    assert not result and said in " ".join(repr(result).split()), result


@pytest.mark.parametrize(
    ("solution", "message"),
    [
        (lambda g, c: [a * min(1, c / np.linalg.norm(a)) for a in g], "each array was clipped by itself"),
        (lambda g, c: [np.clip(a, -c, c) for a in g], "must become the limit"),
        (lambda g, c: [a / 2 for a in g], "must leave every gradient"),
        (lambda g, c: [], "must leave every gradient"),
    ],
)
def test_clipping_is_judged_by_its_properties(solution, message):
    assert message in " ".join(repr(check("clip by global norm", solution)).split())


@pytest.mark.parametrize(
    ("solution", "message"),
    [
        (np.tanh, "right"),
        (lambda x: np.exp(2 * min(x, 20)) - 1, "for tiny arguments"),
        (lambda x: x, "for ordinary arguments"),
        (lambda x: np.tanh(abs(x)), "for negative arguments"),
        (lambda x: np.tanh(x) if abs(x) < 9 else np.float64("nan"), "for large arguments"),
    ],
)
def test_tanh_is_judged_near_zero_and_far_from_it(solution, message):
    assert message in repr(check("stable tanh", solution))


def test_what_is_left_of_a_memory_is_measured():
    """thesis (3.3.14), (3.3.16)"""
    forgets = lambda s, rate, k: (1 - rate) ** (k + 1) if s == "moon" else 1.0
    assert "ours, rate 0.4" in repr(check("memory left", forgets))


def test_a_speed_run_counts_equality_and_speed():
    slow = lambda x: (time.sleep(0.002), x + 1)[1]
    run = Speed(slow, lambda: (np.ones(3),), 4.0, "f(x)")
    assert run.judge(lambda x: x + 1).share == 1 and run.judge(slow).share == 0.5 and run.judge(lambda x: x).share == 0


RUN = lambda gain, seed: gain * (1 + seed % 3)
EXPERIMENTS = [
    ({"run": RUN, "seeds": [0, 1, 2, 3, 4, 5], "verdict": "held"}, 20, "larger than 0.9 for 6 of 6 seeds: held"),
    ({"run": RUN, "seeds": [0, 1, 2, 3, 4, 5], "verdict": "cannot tell"}, 10, "6 of 6 seeds: held"),
    ({"run": lambda g, s: -g * (1 + s), "seeds": list(range(8)), "verdict": "not held"}, 20, "0 of 8 seeds: not held"),
    ({"run": lambda g, s: g * (-1) ** s, "seeds": list(range(8)), "verdict": "cannot tell"}, 20, "4 of 8"),
    ({"run": RUN, "seeds": [0, 1, 2, 3, 4], "verdict": "held"}, 0, "6 to 100 different"),
    ({"run": RUN, "seeds": [1] * 6, "verdict": "held"}, 0, "6 to 100 different"),
    ({"run": lambda g, s: g, "seeds": list(range(6)), "verdict": "held"}, 0, "does run use its seed"),
    ({"run": lambda g, s: np.random.default_rng().random(), "seeds": list(range(6)), "verdict": "held"}, 0, "differ"),
    ({"run": lambda g, s: float("nan"), "seeds": list(range(6)), "verdict": "held"}, 0, "finite number, got nan"),
    ({"run": lambda g, s: "1", "seeds": list(range(6)), "verdict": "held"}, 0, "must return a number, got str"),
    ({"run": RUN, "seeds": list(range(6)), "verdict": "yes"}, 0, "verdict must be one of 'held'"), ({}, 0, "must be {"),
]


@pytest.mark.parametrize(("answer", "worth", "said"), EXPERIMENTS)
def test_an_experiment_is_run_and_its_verdict_held_against_its_numbers(answer, worth, said):
    result = check("gain by seeds", answer)
    assert result.points == worth and said in " ".join(repr(result).split()), result


@pytest.mark.parametrize(("wins", "losses", "said"), [
    (6, 0, "held"), (0, 6, "not held"), (5, 0, "cannot tell"), (7, 1, "cannot tell"), (8, 1, "held"),
    (0, 0, "cannot tell"),
])
def test_a_verdict_is_a_sign_test_of_both_sides(wins, losses, said):
    """p = 2 * 9 / 256 = 0.07 for seven of eight, 2 * 10 / 512 = 0.04 for eight of nine; ties count for neither."""
    assert verdict([1] * wins + [-1] * losses + [0], [0] * (wins + losses + 1)) == said


def test_a_project_is_judged_by_its_rubric():
    project = tasks.find("one gate")
    unit = answer_of(project, project.solution)
    for change, share, said in (
        ({"forward": lambda *a: unit["forward"](*a) * 2}, 0, "or a path counted twice"),
        ({"backward": lambda *a: unit["backward"](*a)[:5]}, 1 / 4, "number of gradients"),
        ({"backward": lambda *a: 1 / 0}, 1 / 4, "it raised ZeroDivisionError: division by zero (line"),
        ({"backward": lambda *a: [g * 3 for g in unit["backward"](*a)]}, 1 / 4, "is a division by the batch"),
        ({"forward": lambda *a: unit["forward"](*a).astype(float)}, 2 / 4, "it makes float32, float64"),
        ({"forward": lambda x, *a: (unit["forward"](x.copy(), *a), x.fill(0))[0]}, 3 / 4, "argument is written into"),
    ):
        result = check("one gate", {**unit, **change})
        assert result.report.share == share and said in " ".join(repr(result).split()), result
    assert "once the ones above are met" in repr(check("one gate", {**unit, "forward": unit["backward"]}))
    assert "dictionary of functions, forward, backward" in repr(check("one gate", {"forward": 1}))


def test_a_choice_says_what_the_wrong_one_overlooks():
    assert "bend" in repr(check("best step", "1e-1")) and check("best step", " 1E-5 ")
    assert "must be one of" in repr(check("best step", 1e-5)) and "got list" in repr(check("best step", []))

"""Progress: points, what hints cost, what a solution costs; a file that survives whatever happens to it."""

import json
import os
import threading

import pytest

from minirnn.course.exercises import check, hint, points, progress, solution
from minirnn.course.tasks import CHAPTERS, EXERCISES

right = lambda dh, z, h, n: (dh * (n - h), dh * (1 - z), dh * z)


def test_hints_come_one_by_one_and_cost_points_until_it_is_solved():
    texts = EXERCISES["gru mix"].hints
    assert repr(hint("gru mix")).startswith(f"hint 1 of 3 (it costs 1 of 10 points): {texts[0][:20]}")
    assert "hint 2 of 3 (it costs 2 of 10" in repr(hint("gru mix"))
    assert check("gru mix", right).points == 7
    assert "hint 3 of 3 (it costs nothing now)" in repr(hint("gru mix"))
    assert points().facts == {"points": 7, "of": sum(e.points for e in EXERCISES.values())}
    again = " ".join(repr(hint("gru mix")).split())
    assert all(f"hint {n} of 3: {text}" in again for n, text in enumerate(texts, 1))
    assert "did you mean gru mix" in repr(hint("gru mx")) and "did you mean" in repr(solution("gru mx"))


def test_points_once_earned_stay():
    check("gru mix", right)
    check("gru mix", None)
    hint("gru mix")
    assert points().facts["points"] == 10 and "✓ gru mix" in repr(points()) and "2 tries, 1 hint" in repr(points())


def test_a_solution_is_shown_once_solved_or_given_up():
    assert "def" not in repr(solution("gru mix")) and "give_up=True" in repr(solution("gru mix"))
    assert "(n - h_prev)" in repr(solution("gru mix", give_up=True))
    assert check("gru mix", right).points == 0 and points().facts["points"] == 0 and "gave up" in repr(points())
    check("best step", "1e-5")
    assert "best_step" in repr(solution("best step")) and points().facts["points"] == 10


def test_the_summary_fits_eighty_columns():
    for name in EXERCISES:
        hint(name), check(name, None), solution(name, give_up=True)
    lines = repr(points()).splitlines()
    assert max(map(len, lines)) <= 80 and len(lines) == len(EXERCISES) + len(CHAPTERS) + 1


def test_a_damaged_file_is_put_aside(progress_file, capsys):
    for damage in (b"{", b"[1, 2]", b'{"gru mix": {"hints": "many"}}', b"\xff\xfe", b"[" * 100_000):
        progress_file.write_bytes(damage)
        assert check("gru mix", right)
        assert progress_file.with_name("progress.json.damaged").read_bytes() == damage
        assert "was damaged" in capsys.readouterr().err
        assert json.loads(progress_file.read_text())["gru mix"]["earned"] == 10


def test_a_file_that_cannot_be_written_costs_no_check(monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MINIRNN_PROGRESS", str(tmp_path / "file" / "progress.json"))
    assert check("gru mix", right).points == 10 and repr(points())
    assert "it is not kept" in capsys.readouterr().err


def test_without_a_file_progress_lasts_as_long_as_the_process(monkeypatch, progress_file):
    monkeypatch.setenv("MINIRNN_PROGRESS", "off")
    monkeypatch.setattr(progress, "_KEPT_HERE", {})
    hint("gru mix")
    assert "2 of 3" in repr(hint("gru mix")) and "progress is not kept" in repr(points())
    assert not progress_file.exists()


@pytest.mark.skipif(os.name != "posix", reason="locks threads of one process apart")
def test_two_at_once_lose_nothing():
    count = lambda entry: {**entry, "tries": entry["tries"] + 1}
    ten_times = lambda: [progress.change("gru mix", count) for _ in range(10)]
    workers = [threading.Thread(target=ten_times) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert progress.read()["gru mix"]["tries"] == 20


def test_it_lies_in_the_cache_unless_told_otherwise(monkeypatch, tmp_path):
    monkeypatch.delenv("MINIRNN_PROGRESS")
    monkeypatch.setenv("MINIRNN_CACHE", str(tmp_path))
    assert progress.path() == tmp_path / "progress.json"

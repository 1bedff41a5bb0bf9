"""Grading: right answers earn their points, and what is broken or hostile costs only itself."""

import csv
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from minirnn.cli import main
from minirnn.course import assignments, tasks
from minirnn.course.exercises.checkers import Speed
from minirnn.course.grading import sandbox, submissions, wire
from minirnn.errors import InputError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="grading needs limits for processes")
ON_LINUX = sys.platform.startswith("linux")
SECONDS = 3
HEAD = "import ctypes, os, signal, socket, subprocess, sys, time\nimport numpy as np\n" \
       "from minirnn.course.exercises import check\n"
RIGHT = "def right(dh, z, h_prev, n):\n    return dh * (n - h_prev), dh * (1 - z), dh * z\n"
ANSWER = f"{RIGHT}check('gru mix', right)\n"
WORK = "def f(dh, z, h_prev, n):\n    {}\n    return dh, dh, dh\ncheck('gru mix', f)\n"
SOLUTION = Path(tasks.__file__).parent / "chapter_02d.py"
WRITE = "for f in range(3, 200):\n    try: os.write(f, {})\n    except OSError: pass\n"  # to the grader's pipe, too
LIBC = "libc = ctypes.CDLL(None, use_errno=True)\n"
LIE = """
import minirnn.course.exercises as e
e.check = lambda *a, **k: True
import minirnn.course.grading.child as child, minirnn.course.exercises.session as session
from minirnn.course.exercises.exercise import Report
session.check = session.graded = e.check
sys.modules['__main__'].__dict__['check'] = e.check
sys.modules['__main__'].guarded = lambda f, s: ('', (1.0, True), '')
check('gru mix', lambda *a: Report(1.0))
"""

# name -> (code, points of 'gru mix' that it still earns)
HOSTILE = {
    "endless_cell": (ANSWER + "while True: pass", 10),
    "endless_answer": (WORK.format("while True: pass"), 0),
    "stubborn": (ANSWER + "while True:\n    try:\n        time.sleep(0.01)\n    except BaseException:\n        pass",
                 None),
    "signals_ignored": ("signal.setitimer(signal.ITIMER_REAL, 0)\n"
                        "for s in range(1, 32):\n    s not in (9, 19) and signal.signal(s, signal.SIG_IGN)\n"
                        "while True: pass", 0),
    "fork_bomb": (ANSWER + "for _ in range(30): os.fork()", 10),
    "fork_below_python": (ANSWER + LIBC + "if libc.fork() == 0:\n    libc.setsid()\n    time.sleep(600)", 10),
    "memory_hog": (ANSWER + "kept = []\nwhile True: kept.append(np.zeros(3 * 10**7))", 10),
    "much_memory": (ANSWER + "np.zeros(2 * 10**8)\nprint('GOT memory')", 10),
    "large_file": (ANSWER + "with open('f', 'wb') as f: f.truncate(2**25)\nprint('GOT a file')", 10),
    "memory_in_answer": (WORK.format("np.ones((10**5, 10**5))"), 0),
    "sys_exit": (ANSWER + "sys.exit(0)", 10),
    "os_exit": (ANSWER + "os._exit(0)", 0),
    "exit_in_answer": (WORK.format("os._exit(0)"), 0),
    "kills_itself": (ANSWER + "ctypes.string_at(0)", 0),
    "deletes_others": (ANSWER + "os.remove({target!r})", 10),
    "deletes_below_python": (ANSWER + LIBC + "libc.unlink({target!r}.encode())", 10),
    "writes_outside": (ANSWER + "open({outside!r}, 'w').write('x')", 10),
    "writes_below_python": (ANSWER + LIBC + "f = libc.open({outside!r}.encode(), 0o101, 0o644)\n"
                            "libc.write(f, b'x', 1)", 10),
    "imports_solutions": ("from minirnn.course.tasks import EXERCISES\ne = EXERCISES['gru mix']\nexec(e.solution)\n"
                          "check('gru mix', gru_mix_backward)", 0),
    "reads_solutions": (f"print(open({str(SOLUTION)!r}).read())", 0),
    "reads_below_python": (LIBC + f"f = libc.open({str(SOLUTION)!r}.encode(), 0)\nb = ctypes.create_string_buffer(9)\n"
                           "libc.read(f, b, 9) > 0 and print('GOT', b.raw)", 0),
    "reads_others": (ANSWER + "print(open({target!r}).read())", 10),
    "prints_gigabytes": (ANSWER + "for _ in range(3000): print('x' * 10**6)", 10),
    "writes_gigabytes": (ANSWER + "while True: os.write(1, b'x' * 10**6)", 10),
    "always_true": (HEAD + LIE, 0),
    "raises": (ANSWER + "raise RuntimeError('no')", 10),
    "does_not_compile": ("def f(:", 0),
    "huge_answer": (WORK.format("return np.ones(10**8), 0, 0"), 0),
    "huge_int": (WORK.format("return 10**5000, 0, 0"), 0),
    "sockets": (ANSWER + "socket.create_connection(('127.0.0.1', 9))", 10),
    "recursion": (WORK.format("return f(dh, z, h_prev, n)"), 0),
    "nested_answer": ("a = []\nfor _ in range(10**5): a = [a]\ncheck('gru mix', a)\n", 0),
    "reads_stdin": (WORK.format("sys.stdin.read() or input()"), 0),
    "answers_twice": ("check('gru mix', 7)\n" + ANSWER, 10),
    "junk_in_the_channel": (ANSWER + WRITE.format("b'junk' * 100"), 0),
    "lies_about_size": (ANSWER + WRITE.format("b'\\xff' * 8"), 0),
    "starts_programs": (ANSWER + "subprocess.run(['touch', {outside!r}])", 10),
    "execs_below_python": (ANSWER + LIBC + "if libc.fork() == 0:\n"
                           "    libc.execl(b'/usr/bin/touch', b'touch', {outside!r}.encode(), None)\n"
                           "    os._exit(0)", 10),
    "kills_the_grader": (ANSWER + "os.kill(os.getppid(), 9)", 10),
    "kills_below_python": (ANSWER + LIBC + "libc.kill(os.getppid(), 9)", 10),
    "asks_for_secrets": (ANSWER + "print('SECRET' if 'MINIRNN_TEST_SECRET' in os.environ else 'none')", 10),
    "shuts_its_folder": (ANSWER + "os.mkdir('a')\nopen('a/b', 'w').close()\nos.chmod('a', 0)", 10),
    "odd_types": (WORK.format("return {{}}, object(), 'x'"), 0),
    "many_answers": (ANSWER + "for k in range(10**5): check('x' * 10**3 + str(k), 1)", 10),
    "long_name": (ANSWER + "check('x' * 10**7, 1)", 10),
    "large_table": ("check('bptt by hand', {'h' * 9999: k for k in range(9)})\n" + ANSWER, 10),
    "odd_names": (ANSWER + "check(None, 1)\ncheck('gru mx', right)\ncheck('\\x1b[2J', 1)\ncheck(right)", 10),
}
FILES = {
    "not_json.ipynb": b"{", "binary.ipynb": bytes(range(256)) * 10, "binary.py": b"\x80\xff" * 100, "empty.ipynb": b"",
    "nested.ipynb": b"[" * 10**5, "no_cells.ipynb": b'{"cells": 7}', "bad_cells.ipynb": b'{"cells": [1, 2]}',
    "zeros.py": b"\0" * 50, "huge.py": b"#" * (submissions.MOST + 1),
}


def notebook(*sources, **more):
    cells = [{"cell_type": "code", "source": s, "metadata": {}, "outputs": [], "execution_count": None, **more}
             for s in sources]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A folder of innocent, broken and hostile submissions, graded: {file name: feedback}, the table, the folder."""
    base = tmp_path_factory.mktemp("grading")
    folder = base / "submissions"
    folder.mkdir()
    target, outside = folder / "zz_innocent.py", base / "outside"
    for name in ("aa_innocent.py", "zz_innocent.py"):
        (folder / name).write_text(HEAD + ANSWER)
    for name, (code, _) in HOSTILE.items():
        code = code.replace("{target!r}", repr(str(target))).replace("{outside!r}", repr(str(outside)))
        (folder / f"{name}.py").write_text(HEAD + code.replace("{{}}", "{}"))
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    changed = notebook("%matplotlib inline\n" + HEAD, "%%bash\nrm -rf /", ANSWER + "!ls", "1 / 0", id="mine")
    (folder / "changed_ids.ipynb").write_text(changed)
    (folder / "link.py").symlink_to("/etc/hostname")
    os.mkfifo(folder / "fifo.py")
    (folder / "=cmd|x\x1b[2J.py").write_text(HEAD + ANSWER)
    (folder / f"{'long' * 60}.py").write_text(HEAD + ANSWER)
    (folder / "group").mkdir()
    (folder / "group" / "inside.py").write_text(HEAD + ANSWER)
    os.environ["MINIRNN_TEST_SECRET"] = "1"
    before, tempfile.tempdir = tempfile.tempdir, str(base / "temporary")
    os.mkdir(tempfile.tempdir)
    try:
        status = main(["course", "grade", str(folder), "--csv", str(base / "points.csv"), "--seconds", str(SECONDS),
                       "--memory", "1500", "--jobs", "2", "--chapter", "02d"])
    finally:
        del os.environ["MINIRNN_TEST_SECRET"]
        tempfile.tempdir = before
    assert status == 0
    with open(base / "points.csv", newline="") as file:
        table = {row["submission"]: row for row in csv.DictReader(file)}
    told = [json.loads(path.read_text()) for path in (base / "points_feedback").rglob("*.json")]
    assert (base / "points_feedback" / "group" / "inside.py.json").exists()
    return {found["submission"]: found for found in told}, table, base


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_submission_costs_only_itself(name, graded):
    feedback, table, base = graded
    earned, found = HOSTILE[name][1], feedback[f"{name}.py"]
    assert found["of"] == sum(e.points for e in tasks.CHAPTERS["02d"]) and found["seconds"] < 4 * SECONDS
    if earned is not None:
        assert found["points"] == earned == int(table[f"{name}.py"]["gru mix"]), found
    assert "GOT" not in found["printed"] and "SECRET" not in found["printed"] and "def right" not in found["printed"]


@pytest.mark.parametrize("name", ["aa_innocent.py", "zz_innocent.py", "changed_ids.ipynb", "group/inside.py",
                                  "=cmd|x\x1b[2J.py", f"{'long' * 60}.py"])
def test_the_innocent_among_them_keep_their_points(name, graded):
    found = graded[0][name]
    assert found["points"] == 10 and found["status"] == "graded", found


@pytest.mark.parametrize("name", [*FILES, "link.py", "fifo.py"])
def test_what_is_no_submission_is_said_in_a_line(name, graded):
    found = graded[0][name]
    assert found["points"] == 0 and found["notes"] and "\n" not in found["notes"][0].split(": it raised")[0]
    assert found["status"] == "unreadable" or name in ("zeros.py",)


def test_nothing_is_left_of_them(graded):
    _, table, base = graded
    assert not (base / "outside").exists() and (base / "submissions" / "zz_innocent.py").exists()
    assert len(table) == len(HOSTILE) + len(FILES) + 8
    assert "'=cmd|x\\x1b[2J.py" in table  # no formula, no escape sequence
    if ON_LINUX:
        home = f"HOME={base / 'temporary'}".encode()
        assert not [p for p in Path("/proc").glob("[0-9]*/environ") if _holds(p, home)]
    assert not list((base / "temporary").iterdir())


def _holds(path, text):
    try:
        return text in path.read_bytes()
    except OSError:
        return False


def test_what_was_refused_is_said(graded):
    feedback = graded[0]
    said = lambda name: " ".join(feedback[f"{name}.py"]["notes"])
    assert "write in its own folder only" in said("writes_outside") and "os.fork" in said("fork_bomb")
    assert "may not read the exercises' own files" in said("imports_solutions") + said("reads_solutions")
    assert "own folder only" in said("deletes_others") and "subprocess.Popen" in said("starts_programs")
    assert "MemoryError" in said("memory_hog") and "os.kill" in said("kills_the_grader")
    assert "its process has ended" in said("os_exit") and "SyntaxError" in said("does_not_compile")
    assert feedback["endless_answer.py"]["status"] == "graded" and feedback["raises.py"]["status"] == "graded"
    assert feedback["does_not_compile.py"]["status"] == "no answers"
    assert "cell 1, line" in said("raises") and "endless loop" in said("endless_cell")
    assert "did you mean gru mix" in said("odd_names") and "may not read" in said("reads_others")
    assert "cell 4: it raised ZeroDivisionError" in " ".join(feedback["changed_ids.ipynb"]["notes"])
    message = feedback["recursion.py"]["exercises"][0]["message"]
    assert "RecursionError" in message[0]


def has_landlock():
    """Whether this kernel answers with a version of the interface."""
    ask = lambda: ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1)
    return ON_LINUX and ask() > 0


@pytest.mark.skipif(not has_landlock(), reason="this kernel has no Landlock")
def test_the_kernel_holds_the_walls_too(graded, tmp_path):
    """Without the audit hook, which code below Python goes around."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "secret").write_text("x")
    pid = os.fork()
    if pid == 0:
        try:
            held = sandbox.landlock(str(tmp_path / "mine"), [str(tmp_path / "secret")])
            (tmp_path / "mine" / "a").write_text("b")
            os.listdir("/")
            for act in (lambda: (tmp_path / "secret").read_text(), lambda: (tmp_path / "b").write_text("x"),
                        lambda: os.remove(tmp_path / "secret"), lambda: os.execv("/bin/true", ["true"])):
                try:
                    act()
                    os._exit(3)
                except PermissionError:
                    continue
            os._exit(0 if held else 4)
        finally:
            os._exit(5)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_control_c_ends_it_with_everything_it_started(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.py").write_text("while True: pass")
    command = [sys.executable, "-m", "minirnn", "course", "grade", "in", "--csv", "p.csv"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    grader = subprocess.Popen(command, cwd=tmp_path, env=environment, start_new_session=True, stderr=subprocess.PIPE,
                              text=True)
    while not list(tmp_path.glob("submission-*")):
        time.sleep(0.05)
    time.sleep(0.5)
    grader.send_signal(signal.SIGINT)
    assert "interrupted" in grader.communicate(timeout=20)[1] and grader.returncode == 130
    assert not list(tmp_path.glob("submission-*"))
    assert not [p for p in Path("/proc").glob("[0-9]*/environ") if _holds(p, f"HOME={tmp_path}".encode())]


def test_a_solved_assignment_earns_everything(tmp_path, capsys):
    nbformat = pytest.importorskip("nbformat")
    total = 0
    (tmp_path / "in").mkdir()
    for chapter in tasks.CHAPTERS:
        nbformat.write(assignments.assignment(chapter, solved=True), tmp_path / "in" / f"{chapter}.ipynb")
    assert main(["course", "grade", str(tmp_path / "in"), "--csv", str(tmp_path / "p.csv")]) == 0
    for chapter, exercises in tasks.CHAPTERS.items():
        found = json.loads((tmp_path / "p_feedback" / f"{chapter}.ipynb.json").read_text())
        assert found["notes"] == [] and found["of"] == sum(e.points for e in exercises)
        for told, exercise in zip(found["exercises"], exercises):
            assert told["solved"] or isinstance(exercise.checker, Speed) and told["points"] == 10, told
            total += told["of"]
    assert total == sum(e.points for e in tasks.EXERCISES.values())
    assert "5 submissions" in capsys.readouterr().out


VALUES = [None, True, 3, -2.5, "text", ..., (1, [2, (3,)]), {("h", 1): 0.5, 2: "x"}, np.arange(6.0).reshape(2, 3).T,
          np.float32(1.5), np.zeros((0, 3)), 1e308, float("inf")]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_survive_the_wire(value):
    back = wire.decode(wire.encode(value))
    assert type(back) is type(value)
    assert np.array_equal(back, value) if isinstance(value, np.ndarray) else back == value


def test_what_is_no_value_is_refused_or_named():
    assert wire.decode(wire.encode([object(), np.array([object()]), print])) == [
        wire.Opaque("object"), wire.Opaque("ndarray"), wire.Opaque("builtin_function_or_method")]
    assert wire.decode(wire.encode(print, lambda f: 7)) == wire.Function(7)
    head = lambda text: len(text).to_bytes(4, "big") + text
    for junk in (b"", b"\0\0", head(b"[]"), head(b'["a", "O", [1], 0]'), head(b'["a", "<f8", [99], 0]'),
                 head(b'["a", "<f8", [-1], 0]'), head(b'["a", "<f8", [10000000000000], 0]'), head(b'["z", 1]'),
                 head(b'["d", [[["l", []], ["v", 1]]]]'), head(b"[" * 10**5), head(b'["v", {}]'), head(b'["t", 7]')):
        with pytest.raises(wire.Broken):
            wire.decode(junk)


def test_a_channel_gives_up_in_time():
    theirs, mine = os.pipe()
    channel = wire.Channel(theirs, mine)
    start = time.monotonic()
    with pytest.raises(wire.Broken, match="time is up"):
        channel.receive(start + 0.2)
    with pytest.raises(wire.Broken, match="time is up"):
        channel.send(np.ones(10**6), start + 0.4)
    os.close(mine)
    os.read(theirs, 10**6)
    with pytest.raises(wire.Broken, match="has ended"):
        channel.receive()
    os.close(theirs)


@pytest.mark.parametrize(("words", "said"), [
    (["grad"], "did you mean grade"), (["grade", "nowhere", "--csv", "x.csv"], "FOLDER must be an existing folder"),
    (["grade", ".", "--csv", "no/x.csv"], "--csv must be in an existing folder"),
    (["grade"], "FOLDER, --csv must be given"),
    (["grade", "empty", "--csv", "x.csv"], "must hold submissions"),
    (["assign", "02e", "--out", "a"], "chapter must be one of"),
    (["grade", ".", "--csv", "x.csv", "--jobs", "0"], "--jobs must be a whole number from 1"),
    (["grade", ".", "--csv", "x.csv", "--second", "3"], "did you mean --seconds"),
    (["assign", "02d", "--out", "a", "--format", "otter"], "--format must be one of plain, nbgrader"),
])
def test_bad_commands_are_one_line(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert main(["course", *words]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1


def test_help_fits_eighty_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for words in (["--help"], ["assign", "--help"], ["grade", "--help"], ["progress", "--help"]):
        assert main(["course", *words]) == 0
    assert main(["course"]) == 2 and main(["course", "progress"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_folders_that_the_process_needs_are_not_shut():
    from minirnn.course.course_command import _not_to_be_read

    assert _not_to_be_read(Path(sys.prefix), Path("/")) == ()


def test_cells_are_read_without_ipythons_own(tmp_path):
    assert submissions.plain("%matplotlib inline\nfor k in x:\n    !ls\n") == "pass\nfor k in x:\n    pass"
    (tmp_path / "many.ipynb").write_text(notebook(*["1"] * (submissions.CELLS + 1)))
    with pytest.raises(InputError, match="more than 2000"):
        submissions.cells_of(tmp_path / "many.ipynb")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "a.py").write_text("1")
    assert [p.name for p in submissions.find(tmp_path)] == ["many.ipynb"]

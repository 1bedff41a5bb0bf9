"""Running a user's file: scripts that train, notebooks with failing cells, lines in errors, time limits."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from minirnn.cli import main
from minirnn.errors import InputError
from minirnn.gradcheck import Verdict
from minirnn.gradcheck.user.check import check_file
from minirnn.gradcheck.user.running import TimeUp, Watch
from minirnn.gradcheck.user.source import load

EXAMPLES = Path(__file__).parent.parent / "examples"
TANH = """import numpy as np
def forward(x): return np.tanh(x)
def backward(dy, x): return dy * (1 - np.tanh(x) ** 2)
"""
X = {"shapes": ["3,4"]}


def refused(capsys, *arguments):
    """The one line on standard error of a command that exits with 2."""
    assert main(["gradcheck", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "Traceback" not in err
    return err.splitlines()[-1]


def test_a_script_that_trains_is_stopped_and_what_it_defined_by_then_is_checked():
    before, start = signal.getsignal(signal.SIGALRM), time.perf_counter()
    finding = check_file(f"{EXAMPLES / 'trains.py'}", shapes=["3,4", "4,2"], time_limit=0.3)
    assert finding.verdict is Verdict.PASS and time.perf_counter() - start < 5
    assert "stopped after 0.3 s (trains.py, line 18)" in finding.notes[-1]
    assert "put what trains under if __name__ == '__main__':" in finding.notes[-1]
    assert signal.getsignal(signal.SIGALRM) is before and signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_a_script_that_trains_before_it_defines_what_is_wanted_is_told_what_to_do(capsys):
    line = refused(capsys, f"{EXAMPLES / 'trains.py'}:late", "--shapes", "3,4", "--time-limit", "0.3")
    assert "trains.py must be done in 0.3 s, got no end (trains.py, line 18); put what trains under" in line


@pytest.mark.parametrize("loop", [
    "while True:\n        x = x + 0", "while True:\n        try: x = x + 0\n        except: pass",
])
def test_a_call_that_does_not_end_is_stopped(tmp_path, loop, capsys):
    (tmp_path / "own.py").write_text(TANH.replace("return dy", f"\n    {loop}\n    return dy"))
    line = refused(capsys, f"{tmp_path / 'own.py'}:forward,backward", "--shapes", "3", "--time-limit", "0.3")
    assert "a call of backward must be done in 0.3 s, got no result (own.py, line" in line and "--time-limit" in line


def test_where_there_is_no_timer_nothing_is_limited_and_nothing_breaks():
    found = []

    def check():
        with Watch(0.01) as watch:
            watch.start()
            time.sleep(0.05)
            watch.stop()
        finding = check_file(f"{EXAMPLES / 'layers.py'}:Linear", **X)
        found.append((watch.works, finding.verdict, finding.notes[-1][:20]))

    thread = threading.Thread(target=check)
    thread.start()
    thread.join()
    assert found == [(False, Verdict.PASS, "without a time limit")]
    with pytest.raises(TimeUp), Watch(0.01) as watch:
        watch.start()
        time.sleep(0.5)


@pytest.mark.parametrize("seconds", ["0", "-1", "inf", "nan"])
def test_a_time_limit_is_a_positive_number(seconds, capsys):
    line = refused(capsys, f"{EXAMPLES / 'layers.py'}:Linear", "--shapes", "3,4", "--time-limit", seconds)
    assert "--time-limit must be a positive number of seconds" in line


def test_a_file_that_fails_after_its_functions_is_checked_with_a_note(tmp_path):
    (tmp_path / "own.py").write_text(TANH + "open('input.txt')\n")
    finding = check_file(f"{tmp_path / 'own.py'}:forward", **X)
    assert finding.verdict is Verdict.PASS
    assert finding.notes[-1].startswith("did not run to its end: FileNotFoundError")
    assert finding.notes[-1].endswith("(own.py, line 4)")
    (tmp_path / "own.py").write_text("open('input.txt')\n" + TANH)
    with pytest.raises(InputError, match=r"own.py does not run: FileNotFoundError: .* \(own.py, line 1\)$"):
        check_file(f"{tmp_path / 'own.py'}:forward", **X)


def test_a_syntax_error_names_its_line_once(tmp_path, capsys):
    (tmp_path / "own.py").write_text("x = 1\ndef forward(x:\n    return x\n")
    assert refused(capsys, tmp_path / "own.py", "--shapes", "3").count("line 2") == 1


def test_the_deepest_line_of_the_users_own_files_is_named(tmp_path, capsys):
    (tmp_path / "deep.py").write_text("import numpy as np\n\ndef inner(x):\n    return np.linalg.cholesky(x)\n")
    code = "from deep import inner\ndef forward(x): return inner(x)\ndef backward(dy, x): pass\n"
    (tmp_path / "own.py").write_text(code)
    line = refused(capsys, f"{tmp_path / 'own.py'}:forward,backward", "--shapes", "3,4")
    sys.modules.pop("deep", None)
    assert "forward raised LinAlgError" in line and line.endswith("(deep.py, line 4)")


def notebook(path, *cells):
    made = [{"cell_type": "code", "source": text} for text in cells]
    path.write_text(json.dumps({"cells": made, "nbformat": 4}))
    return path


def test_a_notebook_names_the_cell_that_fails(tmp_path, capsys):
    cells = "import numpy as np", "%matplotlib inline\ny = x0", TANH.replace("tanh(x)", "tan(x0)")
    book = notebook(tmp_path / "own.ipynb", *cells)
    line = refused(capsys, f"{book}:forward,backward", "--shapes", "3")
    assert "forward raised NameError: name 'x0' is not defined (own.ipynb, cell 3, line 2)" in line
    line = refused(capsys, f"{book}:nothing", "--shapes", "3")
    assert "cell 2 does not run: NameError: name 'x0' is not defined (own.ipynb, cell 2, line 2)" in line
    book.write_text("{}")
    assert "own.ipynb must be a Jupyter notebook" in refused(capsys, f"{book}:f", "--shapes", "3")


@pytest.mark.parametrize("cell", ["%%bash\nls", "%%time\n" + TANH, "!pip install x\n" + TANH, "%timeit 1\n" + TANH])
def test_magics_are_left_out(tmp_path, cell):
    book = notebook(tmp_path / "own.ipynb", TANH, cell)
    assert check_file(f"{book}:forward", **X).notes == ()


def test_a_file_sees_no_screen_and_leaves_nothing_behind(tmp_path):
    code = TANH + "import os, warnings\nBACKEND = os.environ['MPLBACKEND']\nwarnings.warn('x')\n"
    (tmp_path / "own.py").write_text(code)
    before = os.environ.get("MPLBACKEND"), list(sys.path)
    with Watch(10) as watch:
        source = load(str(tmp_path / "own.py"), ("forward",), watch)
    assert source.module.BACKEND == "Agg" and (os.environ.get("MPLBACKEND"), sys.path) == before
    assert list(source.own) == ["forward", "backward"]


def test_text_that_is_not_utf8_is_one_line(tmp_path, capsys):
    (tmp_path / "own.py").write_bytes(b"x = '\xff'\n")
    assert "own.py must be text in UTF-8, got byte 5 is not" in refused(capsys, tmp_path / "own.py", "--shapes", "3")

"""The command line where its streams are closed, full, broken or of few characters, and where it is interrupted."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest

from minirnn import cli
from minirnn.errors import InputError

COMMAND = [sys.executable, "-m", "minirnn"]
WRONG = "def forward(x): return x * x\ndef backward(dy, x): return dy * x\n"
ARROW = "import sys\nfrom minirnn import cli\ncli.COMMANDS = {'show': ('arrow', '')}\nsys.exit(cli.main(['show']))\n"


@pytest.fixture
def wrong(tmp_path):
    (tmp_path / "wrong.py").write_text(WRONG)
    return [*COMMAND, "gradcheck", f"{tmp_path / 'wrong.py'}:forward,backward", "--shapes", "3,4"]


def closed_pipe():
    """The writing end of a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def test_a_broken_pipe_is_no_success(wrong):
    for command in (wrong, [*COMMAND, "--help"], [*COMMAND, "data", "list"]):
        writer = closed_pipe()
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
        os.close(writer)
        assert done.returncode in (1, 141) if command is wrong else done.returncode == 141
        assert done.stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_one_line(wrong):
    with open("/dev/full", "w") as full:
        done = subprocess.run(wrong, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "No space left" in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_characters_that_a_terminal_lacks_are_written_out(encoding, tmp_path):
    (tmp_path / "arrow.py").write_text("def main(argv):\n    print('a \\u2192 b')\n    return 0\n")
    env = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", ARROW], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "a \\u2192 b\n", "")


@pytest.mark.skipif(os.name != "posix", reason="closes streams as a shell does")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_change_no_exit_status(wrong, closed):
    command = " ".join(f"'{part}'" for part in wrong)
    done = subprocess.run(f"{command} {closed}", shell=True, capture_output=True, text=True)
    assert done.returncode == 1
    done = subprocess.run(f"{command.replace('3,4', 'x')} {closed}", shell=True, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""


@pytest.mark.parametrize("error, status, words", [
    (KeyboardInterrupt(), 130, "minirnn: interrupted\n"),
    (MemoryError(), 2, "minirnn: not enough memory"),
    (InputError("file \x1b[2J"), 2, "minirnn: file \\x1b[2J\n"),
    (PermissionError(13, "Permission denied", "a"), 2, "minirnn: [Errno 13] Permission denied: 'a'\n"),
])
def test_what_ends_a_command_is_one_line(error, status, words, monkeypatch, capsys):
    def fails(module):
        raise error

    monkeypatch.setattr(cli.importlib, "import_module", fails)
    assert cli.main(["data"]) == status
    assert capsys.readouterr().err.startswith(words)


@pytest.mark.parametrize("argv", [["inspect", "lstm", "--split=\x1b[2J"], ["train", "\x1b[2J"], ["data", "\x1b[2J"]])
def test_what_was_typed_does_not_command_the_terminal(argv, capsys):
    with contextlib.suppress(SystemExit):  # of a parser
        assert cli.main(argv) == 2
    said = capsys.readouterr().err
    assert "\\x1b[2J" in said and "\x1b" not in said


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_control_c_while_numpy_is_imported_is_one_line(tmp_path):
    """A stand-in for NumPy takes a minute to import; the interrupt comes while it does."""
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([*COMMAND, "data", "list"], env=env, **pipes)
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "minirnn: interrupted\n")


def test_the_package_offers_its_names_without_loading_numpy():
    code = "import sys, minirnn, minirnn.cli\nprint('numpy' in sys.modules, minirnn.nn.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False minirnn.nn\n"
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        from minirnn import nothing  # noqa: F401

"""Atomic writes and locks."""

import os
import subprocess
import sys
import time

import pytest

from minirnn.errors import InputError
from minirnn.files import Lock, make_folder, write_atomically


def test_write_replaces_and_leaves_no_temporary_file(tmp_path):
    write_atomically(tmp_path / "a", b"old")
    write_atomically(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new" and os.listdir(tmp_path) == ["a"]


def test_failed_write_keeps_the_old_file_and_names_the_path(tmp_path, monkeypatch):
    write_atomically(tmp_path / "a", b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device.*a'"):
        write_atomically(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old" and os.listdir(tmp_path) == ["a"]


def test_missing_or_blocked_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone/a"):
        write_atomically(tmp_path / "gone/a", b"")
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot create the folder.*file/below"):
        make_folder(tmp_path / "file/below")


def test_lock_is_exclusive_and_free_again(tmp_path):
    with Lock(tmp_path / "lock", "run folder x"):
        with pytest.raises(InputError, match=f"run folder x is in use by process {os.getpid()}"):
            Lock(tmp_path / "lock", "run folder x").__enter__()
    with Lock(tmp_path / "lock", "run folder x"):
        pass


def holder(path, seconds):
    """A process that holds the lock by now and for ``seconds``."""
    program = (
        "import sys, time; from minirnn.files import Lock\n"
        "with Lock(sys.argv[1], 'x'): print('held', flush=True); time.sleep(float(sys.argv[2]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_lock_of_a_killed_process_is_not_stale(tmp_path):
    process = holder(tmp_path / "lock", 60)
    with pytest.raises(InputError, match=f"in use by process {process.pid}"):
        Lock(tmp_path / "lock", "x").__enter__()
    process.kill()
    process.wait()
    process.stdout.close()
    with Lock(tmp_path / "lock", "x"):
        assert (tmp_path / "lock").read_text().strip() == str(os.getpid())


def test_waiting_lock_is_taken_when_the_holder_leaves(tmp_path):
    process = holder(tmp_path / "lock", 0.5)
    told, begin = [], time.monotonic()
    with Lock(tmp_path / "lock", "x", wait=True, on_wait=told.append):
        assert time.monotonic() - begin > 0.2
    assert told == [str(process.pid)]
    process.wait()
    process.stdout.close()


def test_a_link_is_followed_and_what_is_no_file_is_written_in_place(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real" / "target")
    write_atomically(tmp_path / "link", b"through")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real" / "target").read_bytes() == b"through"
    before = os.stat(os.devnull)
    write_atomically(os.devnull, b"nothing")
    assert os.stat(os.devnull).st_rdev == before.st_rdev != 0
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(tmp_path / "pipe", b"into")
    assert os.read(reader, 9) == b"into" and (tmp_path / "pipe").is_fifo()
    os.close(reader)


def test_what_a_killed_writer_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for name in (f"a[1].{gone.pid}.tmp", f"a[1].{os.getppid()}.tmp", "a[1].bak.tmp", f"b.{gone.pid}.tmp"):
        (tmp_path / name).write_bytes(b"half")
    write_atomically(tmp_path / "a[1]", b"whole")
    assert sorted(os.listdir(tmp_path)) == sorted(
        ["a[1]", f"a[1].{os.getppid()}.tmp", "a[1].bak.tmp", f"b.{gone.pid}.tmp"]
    )


def test_a_lock_is_no_way_to_another_file(tmp_path):
    (tmp_path / "precious").write_bytes(b"text that no lock wrote")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="cannot lock.*lock"):
        Lock(tmp_path / "lock", "x").__enter__()
    with Lock(tmp_path / "precious", "x"):
        with pytest.raises(InputError, match="in use by process unknown"):
            Lock(tmp_path / "precious", "x").__enter__()
    assert (tmp_path / "precious").read_bytes() == b"text that no lock wrote"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is no regular file"):
        Lock(tmp_path / "pipe", "x").__enter__()


def test_a_lock_whose_folder_was_replaced_says_so(tmp_path):
    (tmp_path / "run").mkdir()
    with Lock(tmp_path / "run" / ".lock", "run folder run") as lock:
        lock.check()
        (tmp_path / "run").rename(tmp_path / "elsewhere")
        with pytest.raises(InputError, match="run folder run was removed or replaced"):
            lock.check()
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / ".lock").touch()
        with pytest.raises(InputError, match="run folder run was removed or replaced"):
            lock.check()


def test_a_terminal_is_not_commanded(capsys):
    from minirnn.errors import printable, say

    assert printable("fine: naïve, 日本\n\ttoo") == "fine: naïve, 日本\n\ttoo"
    assert printable("\x1b[2J\x07\u202e") == "\\x1b[2J\\x07\\u202e"
    say("minirnn: \x1b]0;title\x07")
    assert capsys.readouterr().err == "minirnn: \\x1b]0;title\\x07\n"


def test_what_does_not_fit_into_memory_is_refused_before_it_is_made(monkeypatch):
    from minirnn import memory_limit

    assert memory_limit.available() > 1 << 20
    memory_limit.check_fits("x", "--hidden", 1 << 20)
    monkeypatch.setattr(memory_limit, "available", lambda: 4 * 10**9)
    with pytest.raises(InputError, match=r"small enough for the memory there is \(4 GB\), got about 4.1 GB"):
        memory_limit.check_fits("x", "--hidden", 4_100_000_000)
    monkeypatch.setattr(memory_limit, "available", lambda: None)
    memory_limit.check_fits("x", "--hidden", 10**30)

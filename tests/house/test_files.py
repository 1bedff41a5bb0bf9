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
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_waiting_lock_is_taken_when_the_holder_leaves(tmp_path):
    process = holder(tmp_path / "lock", 0.5)
    told, begin = [], time.monotonic()
    with Lock(tmp_path / "lock", "x", wait=True, on_wait=told.append):
        assert time.monotonic() - begin > 0.2
    assert told == [str(process.pid)]
    process.wait()
    process.stdout.close()

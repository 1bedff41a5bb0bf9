"""``minirnn data``: exit status, JSON, messages."""

import gzip
import json

import pytest

from minirnn import data
from minirnn.cli import main


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    monkeypatch.delenv("MINIRNN_DATA", raising=False)
    monkeypatch.setenv("MINIRNN_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_list_names_every_set_for_people_and_programs(capsys):
    assert main(["data", "list"]) == 0
    text = capsys.readouterr().out
    assert main(["data", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [entry.name for entry in data.SETS]
    assert all(f"{row['name']}  " in text and row["licence"] for row in rows)  # longer ones than their column once


def test_path_is_status_1_when_files_are_absent(capsys, tmp_path):
    assert main(["data", "path", "tinyshakespeare"]) == 1
    assert "minirnn data fetch tinyshakespeare" in capsys.readouterr().err
    (tmp_path / "tinyshakespeare").mkdir()
    (tmp_path / "tinyshakespeare/input.txt").write_text("anything")
    assert main(["data", "path", "tinyshakespeare", "--data-folder", str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "tinyshakespeare/input.txt")
    assert main(["data", "path", "tinyshakespeare", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"tinyshakespeare/input.txt": None}


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["path", "mnits"], "did you mean mnist"),
        (["fetch", "pbt"], "did you mean ptb"),
        (["fetch"], "at least one name"),
        (["list", "--data-folder", "/no/such/folder"], "--data-folder must be an existing folder"),
    ],
)
def test_bad_arguments_are_status_2(arguments, message, capsys):
    assert main(["data", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["list", "--frob"], ["frob"], []])
def test_unknown_options_are_status_2(arguments, capsys):
    assert main(["data", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "must be one" in error


@pytest.mark.parametrize("arguments", [[], ["list"], ["path"], ["fetch"], ["doctor"]])
def test_help_shows_an_example(arguments, capsys):
    assert main(["data", *arguments, "--help"]) == 0
    assert "xample: minirnn data" in " ".join(capsys.readouterr().out.split())


def test_doctor_finds_what_is_wrong(capsys, tmp_path, monkeypatch):
    assert main(["data", "doctor"]) == 0
    (tmp_path / "tinyshakespeare").mkdir()
    (tmp_path / "tinyshakespeare/input.txt.gz").write_bytes(gzip.compress(b"another text" * 99)[:-9])
    (tmp_path / "cache/data/file.0.part").write_bytes(b"half")
    capsys.readouterr()
    assert main(["data", "doctor", "--data-folder", str(tmp_path), "--json"]) == 1
    findings = json.loads(capsys.readouterr().out)
    assert ["tinyshakespeare/input.txt"] == [f["what"] for f in findings if f["state"] == "WRONG"]
    assert ["partial download"] == [f["what"] for f in findings if f["state"] == "note"]
    monkeypatch.setenv("MINIRNN_DATA", str(tmp_path / "gone"))
    assert main(["data", "doctor"]) == 1
    assert "MINIRNN_DATA must be an existing folder" in capsys.readouterr().out


def test_doctor_names_a_cache_that_cannot_be_written(capsys, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MINIRNN_CACHE", str(tmp_path / "file"))
    assert main(["data", "doctor"]) == 1
    assert "set MINIRNN_CACHE" in capsys.readouterr().out


def test_fetch_says_when_no_mirror_answers_and_when_nothing_is_needed(capsys, monkeypatch):
    from minirnn.data import download

    def unreachable(url, have, stall):
        raise ConnectionRefusedError

    monkeypatch.setattr(download, "_open", unreachable)
    assert main(["data", "fetch", "tinyshakespeare", "python-help", "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert "connection broken" in result["tinyshakespeare"]["error"] and result["python-help"] == {}


def test_fetch_replaces_a_damaged_file_of_the_cache(capsys, tmp_path, monkeypatch):
    damaged = tmp_path / "cache/data/tinyshakespeare/input.txt"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("cut sho")
    monkeypatch.setattr("minirnn.data.download._open", lambda *a: (_ for _ in ()).throw(ConnectionRefusedError()))
    assert main(["data", "fetch", "tinyshakespeare"]) == 1
    assert "damaged, fetching it again" in capsys.readouterr().err and not damaged.exists()

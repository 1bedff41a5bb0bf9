"""The classroom's text: one edition, kept in the package with its licence, whatever Python runs."""

import gzip
import json
import shutil
import sys
import tomllib
from pathlib import Path

import pytest

from minirnn import data
from minirnn.cli import main
from minirnn.data import python_help
from minirnn.errors import InputError

FOLDER = Path(python_help.__file__).parent
# of the corpora that every committed result on python-help was computed from
FINGERPRINTS = {"word": "9936fa5600a0cd722304825979375bde895190414b4525e6dd141f279e489a6d",
                "char": "b96c61f363a70ab3e84aad8d195841c6029fc522271f74db3c8ba491c331089d"}


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """A copy of the package's folder of texts, which a test may damage."""
    shutil.copy(FOLDER / python_help.TEXTS.path, tmp_path)
    monkeypatch.setattr(python_help, "__file__", str(tmp_path / "python_help.py"))
    return tmp_path / python_help.TEXTS.path


@pytest.mark.parametrize("level", FINGERPRINTS)
def test_the_text_is_that_of_the_committed_results_whatever_python_runs(level, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)  # as where a distribution leaves it out
    corpus = data.load("python-help", level=level)
    assert (corpus.origin, corpus.fingerprint) == ("embedded", FINGERPRINTS[level])


@pytest.mark.skipif(sys.version_info[:3] != (3, 11, 7), reason="this Python carries another edition of the help texts")
def test_the_text_is_that_of_its_edition():
    from pydoc_data.topics import topics

    assert python_help.embedded() == {name: text.encode() for name, text in topics.items()}


def test_a_damaged_text_is_refused_and_the_doctor_names_it(elsewhere, capsys):
    topics = json.loads(gzip.decompress(elsewhere.read_bytes()))
    elsewhere.write_bytes(gzip.compress(json.dumps(topics | {"assert": "another text"}).encode()))
    with pytest.raises(InputError, match=r"python_help.json.gz must be the content with sha256 4717ccc51e2e.* damaged"):
        data.load("python-help")
    assert main(["data", "doctor"]) == 1
    assert "WRONG   python-help: data: " in capsys.readouterr().out
    elsewhere.unlink()
    assert main(["data", "doctor"]) == 1
    assert "WRONG   python-help: [Errno 2]" in capsys.readouterr().out
    assert data.load("python-help", source="twin").origin == "generated twin"


def test_the_licence_of_the_text_stands_beside_it_and_is_shipped():
    notice = (FOLDER / "python_help.LICENSE.txt").read_text(encoding="utf-8")
    for part in ("help texts of Python 3.11.7", "unchanged in content",
                 "Copyright (c) 2001-2023 Python Software Foundation",
                 "PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2", "ZERO-CLAUSE BSD LICENSE"):
        assert part in notice
    project = tomllib.loads((FOLDER.parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
    assert "minirnn/data/python_help.LICENSE.txt" in project["project"]["license-files"]
    assert {python_help.TEXTS.path, "python_help.LICENSE.txt"} <= set(
        project["tool"]["setuptools"]["package-data"]["minirnn.data"])

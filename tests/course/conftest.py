"""Nobody's own progress is read or written by a test."""

import pytest


@pytest.fixture(autouse=True)
def progress_file(tmp_path, monkeypatch):
    """A file of progress for each test."""
    monkeypatch.setenv("MINIRNN_PROGRESS", str(tmp_path / "progress.json"))
    return tmp_path / "progress.json"

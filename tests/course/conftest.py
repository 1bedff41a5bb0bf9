"""Nobody's own progress is read or written by a test; where a solution could be seen."""

import html

import pytest


@pytest.fixture(autouse=True)
def progress_file(tmp_path, monkeypatch):
    """A file of progress for each test."""
    monkeypatch.setenv("MINIRNN_PROGRESS", str(tmp_path / "progress.json"))
    return tmp_path / "progress.json"


@pytest.fixture(scope="session")
def characteristic():
    """characteristic(exercise): the lines of a solution that its starter has not."""
    def lines_of(exercise):
        lines = [line.strip() for line in exercise.solution.strip().splitlines()]
        return [line for line in lines if len(line) > 8 and line not in exercise.starter]

    return lines_of


@pytest.fixture(scope="session")
def shown():
    """shown(cells): everything that cells and their outputs hold in words, HTML as what is read of it."""
    def text_of(cells):
        texts = [cell.source for cell in cells]
        for cell in cells:
            for output in cell.get("outputs", []):
                texts += [str(text) for kind, text in output.get("data", {}).items() if kind.startswith("text/")]
                texts.append(output.get("text", ""))
        return html.unescape("\n".join(texts))

    return text_of

"""``minirnn show``: one page of any run, ended or not, with what it made on the way."""

import re

import pytest

from minirnn.cli import main
from minirnn.models import registry, show_command


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    """The folder of a complete tiny run."""
    return registry.train("char-lm", config.but(samples=20), tmp_path_factory.mktemp("runs"), "whole", quiet=True).path


def test_the_page_has_the_result_the_curves_and_the_samples_of_every_epoch(run, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert main(["show", str(run), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"page: {out}\n"
    text = out.read_text(encoding="utf-8")
    result = registry.finished("char-lm", registry.load(run).config.to_json(), run)
    assert f"{result['test_perplexity']:.6g}" in text and text.count("data:image/png;base64,") == 1
    kept = sorted((run / "attachments").iterdir())
    assert len(kept) == 2 and re.findall("sample.txt after epoch ([12])", text) == ["1", "2"]
    assert all(line.strip() in text.replace("&#x27;", "'") for path in kept for line in path.read_text().splitlines())
    assert "descent.lr" in text and "0.02" in text and "http" not in text


@pytest.mark.parametrize("name", [name for name in registry.MODELS if name != "word-lm"])
def test_every_model_has_a_page_also_while_it_trains(name, tmp_path, stop_at_look):
    small = {"tagger": {"hidden": 4, "filters": 4, "epochs": 1}, "temporal-order": {"hidden": 4, "test": 20},
             "sentiment": {"hidden": 4, "epoch_updates": 2, "weak_epochs": 1, "epochs": 1},
             "char-lm": {"hidden": 4, "embedding": 4, "batch": 200}}.get(name, {})
    stop_at_look(3)
    path = registry.train(name, registry.configure(name, "quick", **small), tmp_path, "run", quiet=True).path
    page = show_command.page_of(path)
    assert "minirnn train --resume" in page and "No epoch has ended yet" in page
    stop_at_look(10**9)
    registry.resume(path, quiet=True)
    assert "data:image/png" in show_command.page_of(path)


def test_what_a_name_or_a_text_holds_is_no_html(run, tmp_path):
    kept = sorted((run / "attachments").iterdir())[0]
    before = kept.read_bytes()
    kept.write_bytes(b"<script>alert(1)</script>")
    try:
        assert "<script>alert" not in show_command.page_of(run)
        kept.unlink()
        assert "no longer in the run folder" in show_command.page_of(run)
    finally:
        kept.write_bytes(before)


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "RUN must be a run folder, got none"),
    (["/no/such/run"], "a folder with config.json"),
    (["RUN", "--out", "/no/such/folder/page.html"], "in an existing folder"),
    (["RUN", "--ot", "x"], "got '--ot'; did you mean --out?"),
])
def test_bad_input_is_status_2_with_one_line(arguments, message, run, capsys):
    assert main(["show", *[str(run) if a == "RUN" else a for a in arguments]]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1

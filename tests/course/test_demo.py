"""The demonstration at its smallest: proof, two runs, comparison, report; repeated, continued, refused, begun anew."""

import json
import re

import pytest

from minirnn.cli import main
from minirnn.models import registry

pytestmark = pytest.mark.slow
SMALL = ["--epochs", "1", "--hidden", "16"]


def test_demo_proves_trains_twice_compares_and_writes_a_page_with_figures(tmp_path, capsys):
    assert main(["demo", *SMALL, "--runs", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "lstm, explicit: PASS" in out and "fused against explicit: PASS" in out
    assert re.search(r"no dropout +\d+\.\d +\d+\.\d +\d+\.\d", out) and "sample, temperature" in out
    plain, dropped = (
        json.loads((tmp_path / "demo" / name / "result.json").read_text())["valid_perplexity"]
        for name in ("no-dropout", "recurrent-dropout")
    )
    assert f"{'held' if dropped < plain else 'NOT held'} ({plain:.1f} -> {dropped:.1f})" in out
    page = (tmp_path / "demo" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2 and "the class" in page and "What next" in page

    assert main(["demo", *SMALL, "--runs", str(tmp_path)]) == 0  # complete: taken as it is
    captured = capsys.readouterr()
    assert captured.err.count("is complete") == 2 and f"({plain:.1f} -> {dropped:.1f})" in captured.out

    assert main(["demo", "--epochs", "2", "--hidden", "16", "--runs", str(tmp_path)]) == 2
    assert "was made with other options; add --fresh" in capsys.readouterr().err

    (tmp_path / "demo" / "thesis.txt").write_text("mine")
    assert main(["demo", *SMALL, "--fresh", "--runs", str(tmp_path)]) == 2
    assert "also holds thesis.txt; move that first" in capsys.readouterr().err
    assert (tmp_path / "demo" / "thesis.txt").read_text() == "mine"


def test_demo_goes_on_where_it_was_interrupted(tmp_path, capsys, monkeypatch):
    real, calls = registry.train, []

    def interrupted_at_the_second(name, config, folder, called):
        calls.append(called)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(name, config, folder, called)

    monkeypatch.setattr(registry, "train", interrupted_at_the_second)
    assert main(["demo", *SMALL, "--runs", str(tmp_path)]) == 130
    monkeypatch.setattr(registry, "train", lambda *a: calls.append(a[-1]) or real(*a))
    assert main(["demo", *SMALL, "--runs", str(tmp_path)]) == 0
    assert calls == ["no-dropout", "recurrent-dropout", "recurrent-dropout"]
    assert main(["demo", *SMALL, "--fresh", "--runs", str(tmp_path)]) == 0
    assert len(calls) == 5

"""What the README, the page for who comes from PyTorch and the models' own pages show runs as it stands there."""

import ast
import importlib
import re
from pathlib import Path

import numpy as np
import pytest

from minirnn.models import registry

ROOT = Path(__file__).parent.parent.parent
FOLDERS = sorted({model.folder for model in registry.MODELS.values()})


def test_the_python_of_the_readme_runs():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.S)
    assert len(blocks) >= 2
    names = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert names["loss"] < 1e-3


def test_the_page_for_who_comes_from_pytorch_runs(tmp_path, monkeypatch):
    """Its blocks, and the code in the second column of its tables, in the order of the page."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "COMING_FROM_PYTORCH.md").read_text(encoding="utf-8")
    names, lines, ran = {}, 0, []
    for part in re.split(r"(```python\n.*?```)", text, flags=re.S):
        if part.startswith("```"):
            exec(compile("\n" * lines + part[len("```python") : -3], "COMING_FROM_PYTORCH.md", "exec"), names)
        for number, line in enumerate(part.splitlines() if "```" not in part else ()):
            cells = line.split("|") if line.startswith("|") else []
            assert not cells or len(cells) == 5, f"line {lines + number + 1} has a column more or less"
            for code in re.findall(r"`([^`]+)`", cells[2]) if cells else ():
                exec(compile("\n" * (lines + number) + code, "COMING_FROM_PYTORCH.md", "exec"), names)
                ran.append(code)
        lines += part.count("\n")
    assert len(ran) >= 50 and np.isfinite(names["loss"].item()) and names["lstm"].state_dict().keys() > {"weight_ih_l0"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_models_first_lines_run(folder):
    """Five lines, as the docstring of its package shows them."""
    module = importlib.import_module(f"minirnn.models.{folder}")
    source = Path(module.__file__).read_text(encoding="utf-8")
    shown = [line[4:] for line in ast.get_docstring(ast.parse(source), clean=False).splitlines() if line[:4] == "    "]
    assert 4 <= len(shown) <= 6
    names = {}
    exec(compile("\n".join(shown), f"{folder}/__init__.py", "exec"), names)
    assert any(getattr(value, "shape", None) for value in names.values())

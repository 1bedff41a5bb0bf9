"""What the README and the models' own pages show runs as it stands there."""

import ast
import importlib
import re
from pathlib import Path

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

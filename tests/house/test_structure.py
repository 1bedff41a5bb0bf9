"""The house: who may import whom, what importing loads, sizes, and that the package list is the folders."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SOURCES = sorted([*(ROOT / "minirnn").rglob("*.py"), *(ROOT / "kernels").rglob("*.py")])

# room -> the rooms it may import (itself always)
ARROWS = {
    "errors": set(),
    "files": {"errors"},
    "array": {"errors"},
    "threads": {"errors", "kernels"},
    "autograd": {"array", "errors", "kernels"},
    "ops": {"autograd", "errors"},
    "cells": {"array", "errors"},
    "kernels": {"errors"},
    "bptt": {"array", "cells", "errors", "kernels"},
    "nn": {"array", "autograd", "bptt", "cells", "errors", "kernels", "ops"},
    "optim": {"array", "autograd", "errors", "kernels"},
    "data": {"array", "errors", "files"},
    "metrics": {"array", "errors"},
    "plots": {"array", "errors"},
    "models": {"array", "autograd", "cells", "errors", "nn", "ops"},
    "gradcheck": {"array", "autograd", "bptt", "cells", "errors", "kernels", "models", "nn", "ops", "optim", "plots",
                  ""},
    "inspect": {"array", "autograd", "bptt", "cells", "data", "errors", "files", "models", "nn", "ops", "train", ""},
    "train": {"array", "autograd", "data", "errors", "files", "metrics", "models", "nn", "ops", "optim", "plots", ""},
    "experiments": {"array", "autograd", "bptt", "cells", "data", "errors", "files", "metrics", "models", "nn", "ops",
                    "plots", "threads", "train", ""},
    "bench": {"array", "autograd", "errors", "files", "kernels", "models", "nn", "ops", "optim", ""},
    "course": {"array", "autograd", "bptt", "cells", "data", "errors", "experiments", "gradcheck", "metrics", "models",
               "nn", "ops", "optim", "plots", "train", ""},
    "cli": {"errors", "threads", ""},
    "__main__": {"cli"},
    "": {"autograd", "nn", "ops", "optim"},
}
# files that belong to a room without lying in its folder
BELONGS = {"border": "bptt", "fused": "bptt", "flow": "bptt"}


def room_of(module):
    """"minirnn.nn.layers" -> "nn", "minirnn" -> ""."""
    parts = module.split(".")
    name = parts[1] if len(parts) > 1 else ""
    return BELONGS.get(name, name)


def module_of(path):
    relative = path.relative_to(ROOT).with_suffix("")
    parts = ["minirnn", *relative.parts] if relative.parts[0] == "kernels" else list(relative.parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path):
    """Every module of minirnn a file imports anywhere, functions included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports are absolute"
            rooms = {f"minirnn.{alias.name}" for alias in node.names} if node.module == "minirnn" else {node.module}
            ours = {m for m in rooms if m.split(".")[0] == "minirnn"}
            found |= {m if room_of(m) in ARROWS else "minirnn" for m in ours}
    return {module for module in found if module.split(".")[0] == "minirnn"}


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_imports_follow_the_arrows(path):
    room = room_of(module_of(path))
    for module in imported(path):
        target = room_of(module)
        assert target == room or target in ARROWS[room], f"{module_of(path)} must not import {module}"


@pytest.mark.parametrize("path", [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))], ids=lambda p: p.name)
def test_no_file_over_400_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def code_lines(path):
    """Lines that are neither blank, comment nor docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.FunctionDef, ast.ClassDef)
    inside = set()
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            inside |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines = path.read_text(encoding="utf-8").splitlines()
    counted = (line.strip() for n, line in enumerate(lines, 1) if n not in inside)
    return sum(1 for line in counted if line and not line.startswith("#"))


def test_the_engine_stays_under_960_code_lines():
    engine = [ROOT / "minirnn" / "array.py", *(ROOT / "minirnn" / "autograd").glob("*.py")]
    assert sum(map(code_lines, engine)) < 960


def test_the_package_list_is_the_folders():
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {".".join(p.relative_to(ROOT).parts) for p in (ROOT / "minirnn").rglob("*")
               if p.is_dir() and any(p.glob("*.py"))}
    assert set(setup["packages"]) == {"minirnn", "minirnn.kernels", *folders}
    assert not (ROOT / "minirnn" / "kernels").exists()
    assert all(len(list((ROOT / f.replace(".", "/")).glob("*.py"))) >= 2 for f in folders)


def test_the_rooms_are_described_in_contributing():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for package in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"][1:]:
        room = package.split(".")[1]
        assert f"`{room}/`" in text, f"CONTRIBUTING.md has no line for {room}/"


def test_importing_minirnn_loads_nothing_heavy():
    heavy = ("numba", "cupy", "matplotlib", "tyro", "tqdm")
    code = f"import sys, minirnn; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_importing_the_kernels_loads_and_compiles_nothing():
    code = "import sys, minirnn.kernels; print('numba' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_public_functions_and_classes_say_what_they_do(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{path.name} does not say what it is"
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_") and node.name != "main":
            short = isinstance(node, ast.FunctionDef) and len(node.body) <= 2
            assert ast.get_docstring(node) or short, f"{path.name}: {node.name} has no docstring"

"""The house: who may import whom, what importing loads, sizes, and that the package list is the folders."""

import ast
import re
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
    "options": {"errors"},
    "terminal": set(),
    "files": {"errors"},
    "memory_limit": {"errors"},
    "array": {"errors"},
    "init": {"array", "errors"},
    "threads": {"errors", "kernels"},
    "autograd": {"array", "errors", "kernels"},
    "ops": {"autograd", "errors"},
    "cells": {"array", "errors", "init"},
    "kernels": {"errors"},
    "bptt": {"array", "cells", "errors", "kernels"},
    "nn": {"array", "autograd", "bptt", "cells", "errors", "init", "ops"},
    "optim": {"array", "autograd", "errors"},
    "data": {"array", "errors", "files", "options"},
    "metrics": {"array", "errors"},
    "plots": {"array", "errors"},
    "models": {"array", "autograd", "bptt", "cells", "data", "errors", "experiments", "files", "memory_limit",
               "metrics", "nn", "ops", "optim", "options", "plots", "terminal", "threads", "train", ""},
    "gradcheck": {"array", "autograd", "bptt", "cells", "errors", "kernels", "memory_limit", "models", "nn", "ops",
                  "optim", "options", "plots", "terminal", "threads", ""},
    "inspect": {"array", "autograd", "bptt", "cells", "errors", "files", "init", "models", "nn", "ops", "options",
                "plots", "terminal", "train", ""},
    "train": {"array", "autograd", "errors", "files", "memory_limit", "nn", "ops", "options", "optim", ""},
    "experiments": {"errors", "threads", "train"},
    "bench": {"array", "autograd", "errors", "files", "kernels", "models", "nn", "ops", "options", "optim", ""},
    "course": {"array", "autograd", "bptt", "cells", "data", "errors", "experiments", "files", "gradcheck", "metrics",
               "models", "nn", "ops", "optim", "options", "plots", "terminal", "threads", "train", ""},
    "cli": {"errors", "threads", ""},
    "__main__": {"cli"},
    "pytest_plugin": {"gradcheck"},
    "": {"autograd", "nn", "ops", "optim"},
}
# file of a model's folder -> the rooms it may import, and the files of its own folder; of another model only "model"
MACHINERY = {"array", "autograd", "cells", "errors", "nn", "ops"}
STEMS = {
    "__init__": (set(), {"model"}),
    "model": (MACHINERY, set()),
    "task": (MACHINERY | {"data", "metrics", "optim", "train"}, {"model"}),
    "sample": (MACHINERY | {"data", "plots", "train"}, {"model", "task"}),
    # what is shown of a model in tables and figures; a model with many of them has a file each
    "tables": (MACHINERY | {"bptt", "data", "experiments", "metrics", "plots"}, {"model", "task", "*tables"}),
}
STEMS |= {name: STEMS["tables"] for name in ("char_tables", "word_tables", "memory")}
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


MODEL_FILES = sorted((ROOT / "minirnn" / "models").glob("*/*.py"))


@pytest.mark.parametrize("path", MODEL_FILES, ids=module_of)
def test_a_models_files_follow_the_arrows_between_stems(path):
    folder, stem = path.parent.name, path.stem
    assert stem in STEMS, f"{stem}.py is no file of a model: {', '.join(STEMS)}"
    rooms, siblings = STEMS[stem]
    siblings = siblings | {"memory", "char_tables", "word_tables", "tables"} if "*tables" in siblings else siblings
    for module in imported(path):
        _, *parts = module.split(".")
        if parts[:1] != ["models"]:
            assert room_of(module) in rooms | {""}, f"{module_of(path)} must not import {module}"
        elif parts[1] == folder:
            assert len(parts) > 2 and parts[2] in siblings, f"{module_of(path)} must not import {module}"
        else:
            assert parts[2:3] == ["model"], f"{module_of(path)} may import only model of another model, not {module}"


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


def test_the_engine_is_small_and_operations_grow_by_theme():
    """The tape and the arrays under it: at most 400 code lines; an operation goes into its theme's file, of 250."""
    rooms = ROOT / "minirnn"
    assert code_lines(rooms / "array.py") + code_lines(rooms / "autograd" / "tape.py") <= 400
    sizes = {path.name: code_lines(path) for path in (rooms / "autograd").glob("*.py")}
    assert max(sizes.values()) <= 250, sizes


def test_what_large_arrays_do_is_decided_in_one_file():
    """Readers of operations, losses and optimisers meet no kernels and no size at which they begin."""
    rooms = [*(ROOT / "minirnn" / "autograd").glob("*.py"), *(ROOT / "minirnn" / "optim").glob("*.py"),
             *(ROOT / "minirnn" / "nn").glob("*.py")]
    for path in rooms:
        known = path.name == "compiled.py"
        assert known or not any(room_of(module) == "kernels" for module in imported(path)), path.name
        assert known or not re.search(r"LARGE|BY_MEMORY|\.wanted\(", path.read_text(encoding="utf-8")), path.name


@pytest.mark.parametrize(("words", "home"), [
    ("difflib.", "minirnn.errors"), ("FigureCanvasAgg(", "minirnn.plots"), ("<!doctype html>", "minirnn.plots.page"),
])
def test_what_is_written_once_stays_written_once(words, home):
    """Near names, figures without a display and HTML pages have one file each."""
    assert [module_of(path) for path in SOURCES if words in path.read_text(encoding="utf-8")] == [home]


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
    heavy = ("numba", "cupy", "matplotlib", "tqdm")
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

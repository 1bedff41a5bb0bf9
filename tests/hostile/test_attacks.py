"""A few hundred of each kind of attack; ``python tests/hostile/attack.py --tries 10000`` makes more of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ATTACK = Path(__file__).parent / "attack.py"
TRIES = {"kernels": 300, "saved": 150, "optimisers": 100, "kept-code": 100, "operations": 400, "public": 600,
         "writers": 150, "locks": 60}


def test_every_kind_of_attack_is_tried_here():
    listed = subprocess.run([sys.executable, ATTACK, "--list"], capture_output=True, text=True, check=True).stdout
    assert listed.split() == [*TRIES]


@pytest.mark.parametrize("name", TRIES)
def test_minirnn_holds(name, tmp_path):
    out = tmp_path / "result.json"
    command = [sys.executable, ATTACK, "--tries", str(TRIES[name]), "--seed", "0", "--only", name, "--json", out]
    done = subprocess.run(command, capture_output=True, text=True)
    assert out.exists(), done.stderr
    assert json.loads(out.read_text())["attacks"][name]["failures"] == {}

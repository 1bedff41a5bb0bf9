"""A few hundred of each kind of attack; ``python tests/hostile/attack.py --tries 10000`` makes more of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from minirnn.models.registry import MODELS

ATTACK = Path(__file__).parent / "attack.py"
TRIES = {"kernels": 250, "saved": 150, "optimisers": 50, "kept-code": 100, "operations": 300, "public": 500,
         "writers": 150, "locks": 60, "runs": 90, "commands": 60, "disks": 30}


def test_every_kind_of_attack_is_tried_here():
    listed = subprocess.run([sys.executable, ATTACK, "--list"], capture_output=True, text=True, check=True).stdout
    assert listed.split() == [*TRIES]


@pytest.mark.slow
def test_killed_runs_of_every_model_end_as_uninterrupted_ones(tmp_path):
    out = tmp_path / "result.json"
    command = [sys.executable, ATTACK, "--only", "--kills", "2", "--json", out]
    done = subprocess.run(command, capture_output=True, text=True)
    killed = json.loads(out.read_text())["kills"]
    assert list(killed) == list(MODELS) and done.returncode == 0, done.stdout + done.stderr
    assert all(found["kills"] == 2 and found["failures"] == [] for found in killed.values())


@pytest.mark.parametrize("name", TRIES)
def test_minirnn_holds(name, tmp_path):
    out = tmp_path / "result.json"
    command = [sys.executable, ATTACK, "--tries", str(TRIES[name]), "--seed", "0", "--only", name, "--json", out]
    done = subprocess.run(command, capture_output=True, text=True)
    assert out.exists(), done.stderr
    assert json.loads(out.read_text())["attacks"][name]["failures"] == {}

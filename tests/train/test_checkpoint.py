"""Checkpoints: what is written is what is read, and damage is found."""

import json
import math
import os

import numpy as np
import pytest
from safetensors import numpy as safetensors

from minirnn.train.checkpoint import (
    CheckpointError,
    checkpoints,
    discard_old,
    hash_of,
    name_of,
    read_checkpoint,
    set_aside,
    write_checkpoint,
)

ARRAYS = {
    "matrix": np.arange(12, dtype=np.float32).reshape(3, 4),
    "transposed": np.arange(12, dtype=np.float64).reshape(3, 4).T,
    "strided": np.arange(20, dtype=np.int64)[::-3],
    "number": np.array(2.5),
    "empty": np.zeros((0, 3), np.float32),
}


def test_arrays_and_state_survive_bit_for_bit_strided_ones_too(tmp_path):
    state = {"lr": 0.1 + 0.2, "best": np.float64(1 / 3), "count": np.int64(7), "none": None, "worst": float("inf"),
             "deep": {"in": [float("nan"), "nano"]}}
    name = write_checkpoint(tmp_path, 12, ARRAYS, state, run="r")
    found = read_checkpoint(tmp_path, name, run="r")
    assert found.arrays.keys() == ARRAYS.keys()
    for key, array in ARRAYS.items():
        assert (found.arrays[key].shape, found.arrays[key].dtype) == (array.shape, array.dtype)
        np.testing.assert_array_equal(found.arrays[key], array)
    assert (found.state["lr"], found.state["best"], found.state["count"]) == (0.1 + 0.2, 1 / 3, 7)
    assert found.state["worst"] == float("inf")
    assert math.isnan(found.state["deep"]["in"][0]) and found.state["deep"]["in"][1] == "nano"
    assert sorted(os.listdir(tmp_path)) == ["step-000000012.json", "step-000000012.safetensors"]


def damage(tmp_path, how):
    arrays, state = tmp_path / "step-000000001.safetensors", tmp_path / "step-000000001.json"
    if how == "arrays cut":
        arrays.write_bytes(arrays.read_bytes()[:-5])
    elif how == "arrays flipped":
        data = bytearray(arrays.read_bytes())
        data[-1] ^= 1
        arrays.write_bytes(data)
    elif how == "arrays gone":
        arrays.unlink()
    elif how == "state cut":
        state.write_bytes(state.read_bytes()[:40])
    elif how == "state edited":
        state.write_text(state.read_text().replace('"lr": 1', '"lr": 2'))
    elif how == "state empty":
        state.write_text("")
    elif how == "state foreign":
        state.write_text(json.dumps({"anything": 1}))
    elif how == "state a list":
        state.write_text("[1]")


@pytest.mark.parametrize(
    "how, message",
    [
        ("arrays cut", "safetensors is damaged"),
        ("arrays flipped", "safetensors is damaged"),
        ("arrays gone", "step-000000001.safetensors is missing"),
        ("state cut", "json is damaged"),
        ("state edited", "its hash is wrong"),
        ("state empty", "json is damaged"),
        ("state foreign", "json is damaged"),
        ("state a list", "json is damaged"),
    ],
)
def test_damage_is_found_and_named(how, message, tmp_path):
    write_checkpoint(tmp_path, 1, ARRAYS, {"lr": 1}, "r")
    damage(tmp_path, how)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(tmp_path, name_of(1), "r")


def test_another_run_is_refused(tmp_path):
    write_checkpoint(tmp_path, 1, ARRAYS, {}, "r")
    with pytest.raises(CheckpointError, match="belongs to another run"):
        read_checkpoint(tmp_path, name_of(1), "another")


def test_wrong_bytes_on_the_disk_are_noticed_at_once(tmp_path, monkeypatch):
    real = safetensors.save
    for wrong, message in ((b"x" * 99, "no safetensors file"), (real({"a": np.zeros(2)}), "reads back differently")):
        monkeypatch.setattr(safetensors, "save", lambda arrays, wrong=wrong: wrong)
        with pytest.raises(CheckpointError, match=message):
            write_checkpoint(tmp_path, 1, {"a": np.ones(2)}, {}, "r")
    assert checkpoints(tmp_path) == []


def test_the_newest_two_and_the_named_ones_are_kept(tmp_path):
    for step in range(5):
        write_checkpoint(tmp_path, step, {"a": np.full(2, step)}, {}, "r")
    discard_old(tmp_path, [name_of(1)])
    assert checkpoints(tmp_path) == [name_of(4), name_of(3), name_of(1)]
    set_aside(tmp_path, name_of(4))
    assert checkpoints(tmp_path) == [name_of(3), name_of(1)]
    assert (tmp_path / "step-000000004.safetensors.unusable").exists()


def test_hash_depends_on_names_types_shapes_values_and_history():
    base = {"a": np.arange(6.0), "b": np.ones(2)}
    others = [
        {"a": np.arange(6.0), "c": np.ones(2)},
        {"a": np.arange(6.0).reshape(2, 3), "b": np.ones(2)},
        {"a": np.arange(6.0), "b": np.ones(2, np.float32)},
        {"a": np.nextafter(np.arange(6.0), 9), "b": np.ones(2)},
    ]
    hashes = [hash_of(base), hash_of(base, "before"), *map(hash_of, others)]
    assert len(set(hashes)) == len(hashes)
    assert hash_of(base) == hash_of({"b": np.ones(4)[::2], "a": np.arange(6.0)})

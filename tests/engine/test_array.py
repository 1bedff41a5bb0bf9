"""The one file that knows CuPy: namespaces, devices, scatter-add, named random streams. No GPU is needed here."""

import sys
import types

import numpy as np
import pytest

from minirnn import Tensor, nn
from minirnn.array import Streams, check_float, device_of, scatter_add, stream, to_cpu, to_device, xp_of
from minirnn.errors import DtypeError, InputError


class Foreign:
    """Stands in for cupy.ndarray: an array of another namespace that can be fetched."""

    def __init__(self, values):
        self.values, self.device = values, types.SimpleNamespace(id=1)

    def get(self):
        return self.values


@pytest.fixture
def cupy(monkeypatch):
    """A stand-in for cupy with one device that holds Foreign arrays."""

    class Absent(Exception):
        pass

    runtime = types.SimpleNamespace(getDeviceCount=lambda: 1, CUDARuntimeError=Absent)

    class Device:
        def __init__(self, index):
            self.index = index

        def __enter__(self):
            return self

        def __exit__(self, *exception):
            return None

    module = types.SimpleNamespace(
        ndarray=Foreign, asarray=Foreign, cuda=types.SimpleNamespace(runtime=runtime, Device=Device)
    )
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


def test_the_namespace_and_device_follow_the_arrays(cupy):
    here, there = np.ones(2), Foreign(np.ones(2))
    assert xp_of(here) is np and xp_of(here, there) is cupy
    assert (device_of(here), device_of(there)) == ("cpu", "cuda:1")
    assert to_cpu(here) is here and to_cpu(there) is there.values
    moved = to_device(here, "cuda:0")
    assert isinstance(moved, Foreign) and to_device(moved, "cpu") is here
    with pytest.raises(InputError, match="must be .cpu. or .cuda:0., got .cuda:3.; CUDA_VISIBLE_DEVICES=3"):
        to_device(here, "cuda:3")


@pytest.mark.parametrize("wrong", ["gpu", "cuda:x", "cpu:0", 0])
def test_unknown_devices_are_named(wrong):
    with pytest.raises(InputError, match="device must be .cpu., .cuda. or .cuda:0."):
        to_device(np.ones(2), wrong)


def test_a_gpu_that_is_not_there_is_one_clear_error(cupy, monkeypatch):
    cupy.cuda.runtime.getDeviceCount = lambda: 0
    with pytest.raises(InputError, match="no GPU was found; use 'cpu'"):
        to_device(np.ones(2), "cuda")

    def broken():
        raise cupy.cuda.runtime.CUDARuntimeError("driver too old")

    cupy.cuda.runtime.getDeviceCount = broken
    with pytest.raises(InputError, match=r"no usable GPU was found \(driver too old\)"):
        nn.Linear(2, 2, rng=0).to("cuda")
    monkeypatch.setitem(sys.modules, "cupy", None)
    layer = nn.Linear(2, 2, rng=0)
    before = layer.weight.value
    with pytest.raises(InputError, match=r"CuPy, which is not installed; install minirnn\[cuda12\]"):
        layer.to("cuda")
    assert layer.weight.value is before  # nothing lost


def test_scatter_add_counts_repeated_places_on_both_ways():
    rng = np.random.default_rng(0)
    for size in (10, 1000):
        index, values = rng.integers(-5, 5, size), rng.standard_normal((size, 3))
        target, expected = np.ones((5, 3)), np.ones((5, 3))
        scatter_add(target, index, values)
        np.add.at(expected, index, values)
        np.testing.assert_allclose(target, expected, rtol=1e-12)


def test_streams_depend_on_their_name_alone():
    first = stream(3, "masks", 7, 0).random(4)
    stream(3, "masks", 7, 1).random(100)
    np.testing.assert_array_equal(stream(3, "masks", 7, 0).random(4), first)
    np.testing.assert_array_equal(Streams(3, 7)("masks", 0).random(4), first)
    names = ((4, "masks", 7, 0), (3, "mask", 7, 0), (3, "masks", 70), (3, "masks", 7), (3, "masks", 0, 7))
    others = [stream(*name).random(4) for name in names]
    assert all(not np.array_equal(first, other) for other in others)


def test_float_types():
    check_float("here", "x", np.ones(1, np.float32))
    with pytest.raises(DtypeError, match="here: x must be float32 or float64, got int64"):
        check_float("here", "x", np.ones(1, np.int64))
    with pytest.raises(DtypeError, match="float16.*11 bits"):
        check_float("here", "x", np.ones(1, np.float16))
    assert Tensor([1, 2]).dtype == np.int64 and Tensor(2.5).shape == ()

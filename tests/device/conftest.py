"""``device``: "cpu"; "cuda" behind a wall (fakecupy: no GPU needed, nothing crosses unnoticed); "cuda" where one is."""

import importlib.util
import sys

import fakecupy
import pytest


def no_gpu():
    """Why tests on a real GPU cannot run here, or None."""
    if importlib.util.find_spec("cupy") is None:
        return "CuPy is not installed"
    import cupy

    try:
        return None if cupy.cuda.runtime.getDeviceCount() else "there is no GPU"
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"there is no GPU: {error}"


@pytest.fixture
def traffic(monkeypatch):
    """The wall is up: "cuda" is a device of fakecupy; what crosses from now on is counted in this object."""
    monkeypatch.setitem(sys.modules, "cupy", fakecupy.module())
    fakecupy.TRAFFIC.clear()
    return fakecupy.TRAFFIC


@pytest.fixture(params=["cpu", "wall", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    """The name of a device to put arrays and models on."""
    if request.param == "wall":
        request.getfixturevalue("traffic")
        return "cuda"
    if request.param == "cuda" and (reason := no_gpu()):
        pytest.skip(reason)
    return request.param

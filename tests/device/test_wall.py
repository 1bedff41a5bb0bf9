"""The stand-in for CuPy itself: what it refuses, and what it counts."""

import fakecupy
import numpy as np
import pytest
from compare_surface import missing

from minirnn.array import device_of, to_cpu, to_device, xp_of


@pytest.fixture
def x(traffic):
    return to_device(np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]]), "cuda")


@pytest.mark.parametrize("crossing", [
    lambda x: np.exp(x), lambda x: np.concatenate([x, x]), lambda x: np.asarray(x), lambda x: x + np.ones(3),
    lambda x: np.ones(3) * x, lambda x: x[np.array([0, 1])], lambda x: x[[0, 1]], lambda x: np.zeros(2)[x],
    lambda x: xp_of(x).where(np.ones(3, bool), x, 0), lambda x: x.__setitem__(0, np.ones(3)), lambda x: np.float64(x),
    lambda x: np.shape(x), lambda x: x @ np.ones((3, 2)), lambda x: x.clip(np.zeros(3), 1.0),
    lambda x: xp_of(x).concatenate([x, 0.0]),
], ids=lambda f: str(f.__code__.co_firstlineno))
def test_what_would_convert_without_a_word_is_refused(x, crossing):
    with pytest.raises(fakecupy.Crossing):
        crossing(x)


def test_a_function_outside_the_committed_surface_does_not_exist(x):
    with pytest.raises(AttributeError, match="cupy.hypot is not in cupy_surface.txt"):
        xp_of(x).hypot(x, x)
    with pytest.raises(AttributeError, match="cupy.ndarray.searchsorted is not in"):
        x.searchsorted(0.0)


def test_crossings_are_counted_by_line(x, traffic):
    assert traffic.totals() == {"up": 1, "down": 0, "sync": 0}
    assert float(x.sum()) == 5.5 and bool((x > 0).any()) and x[x > 0].shape == (4,)
    np.testing.assert_array_equal(to_cpu(x)[0], [1.0, -2.0, 3.0])
    assert traffic.totals() == {"up": 1, "down": 1, "sync": 3}
    assert "sync    3 tests/device/test_wall.py:" in traffic.report()


def test_numbers_behind_the_wall_are_numpys(x):
    assert device_of(x) == "cuda:0" and x.dtype == np.float64
    np.testing.assert_array_equal(to_cpu(np.float32(2) * x.T + 1), 2 * to_cpu(x).T + 1)
    view = x[0]
    view *= 2
    assert to_cpu(x)[0].tolist() == [2.0, -4.0, 6.0]  # a view writes through, as everywhere


def test_the_installed_cupy_has_the_whole_surface():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed; compare_surface.py says how it was compared")
    assert missing(cupy) == []


def test_nothing_is_listed_that_nobody_uses():
    """Every name of the surface occurs in the sources."""
    root = fakecupy.SURFACE.parent.parent.parent
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (root / "minirnn").rglob("*.py"))
    names = [line for line in fakecupy.SURFACE.read_text().splitlines() if line and not line.startswith("#")]
    assert [name for name in names if name.rpartition(".")[2] not in sources] == []

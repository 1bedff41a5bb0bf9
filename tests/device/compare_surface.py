"""Which names of cupy_surface.txt the installed CuPy has; needs neither a GPU nor a driver.

    python -m venv /some/where && /some/where/bin/pip install "cupy-cuda12x>=14"
    /some/where/bin/python tests/device/compare_surface.py         # CuPy 14.2.0 has all 65 names
"""

import sys
from functools import reduce
from pathlib import Path

SURFACE = Path(__file__).with_name("cupy_surface.txt")


def missing(cupy):
    """The names of the committed list that a CuPy lacks."""
    names = [line for line in SURFACE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return [name for name in names if reduce(lambda a, b: getattr(a, b, None), name.split(".")[1:], cupy) is None]


if __name__ == "__main__":
    import cupy

    lacking = missing(cupy)
    count = sum(line.startswith("cupy") for line in SURFACE.read_text(encoding="utf-8").splitlines())
    print(f"CuPy {cupy.__version__} " + (f"lacks {', '.join(lacking)}" if lacking else f"has all {count} names"))
    sys.exit(bool(lacking))

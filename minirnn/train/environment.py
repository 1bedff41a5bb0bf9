"""What the numbers of a run depend on besides its configuration; no host names, no paths."""

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

REPORTED = ("minirnn", "numpy", "numba", "safetensors")
VARIABLES = r"(OMP|OPENBLAS|MKL|NUMBA)_NUM_THREADS|NUMBA_DISABLE_JIT|MINIRNN_KERNELS"


def environment():
    """Versions, processor, and the variables that choose threads and forms of the kernels, as JSON values."""
    versions = {}
    for name in REPORTED:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "absent"
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": _processor(),
        "processors": os.cpu_count(),
        "packages": versions,
        "variables": {name: value for name, value in os.environ.items() if re.fullmatch(VARIABLES, name)},
    }


def _processor():
    """The processor's model in words: other ones add in another order."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")),
                platform.processor())


def changes(before, now):
    """(name, before, now) of what differs between two environments, packages and variables one by one."""
    flat = [{**e, **e.get("packages", {}), **e.get("variables", {}), "packages": None, "variables": None}
            for e in (before, now)]
    return [(name, flat[0].get(name), flat[1].get(name)) for name in {**flat[1], **flat[0]}
            if flat[0].get(name) != flat[1].get(name)]

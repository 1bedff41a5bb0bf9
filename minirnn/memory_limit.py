"""How much memory there is, so that what cannot fit is refused in a line before any of it is asked for."""

import os
from pathlib import Path

from minirnn.errors import InputError, must_be

try:
    import resource
except ImportError:  # Windows
    resource = None

# (limit, what is used of it) of this process's control group, version 2 and version 1
GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def available():
    """Bytes that this process can still use: the system's, its group's and its own limit; None where nobody says."""
    known = [_free_of_system(), _free_of_limit(), *(_free_of_group(*files) for files in GROUPS)]
    known = [n for n in known if n is not None]
    return max(0, min(known)) if known else None


def check_fits(where, name, need, cause="make it smaller"):
    """InputError, before anything is made, where ``need`` bytes for what option ``name`` asks are not available.

    ``check_fits("gradcheck", "--shapes", 8 * 10**12)`` -> ``gradcheck: --shapes must be ... got about 8000 GB``.
    """
    there = available()
    if there is not None and need > there:
        what = f"small enough for the memory there is ({_in_words(there)})"
        raise InputError(must_be(where, name, what, f"about {_in_words(need)}", cause))


def _in_words(count):
    return f"{count / 1e9:.3g} GB" if count < 1e15 else f"{count / 1e9:.0e} GB"


def _free_of_system():
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return None
    except OSError:  # not Linux
        names = getattr(os, "sysconf_names", {})
        known = "SC_PAGE_SIZE" in names and "SC_PHYS_PAGES" in names
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if known else None


def _free_of_group(limit, used):
    try:
        most = Path(limit).read_text().strip()
        return int(most) - int(Path(used).read_text()) if most.isdigit() else None
    except (OSError, ValueError):
        return None


def _free_of_limit():
    """What ``ulimit -v`` leaves."""
    if resource is None:
        return None
    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    if most == resource.RLIM_INFINITY:
        return None
    try:
        return most - int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return most

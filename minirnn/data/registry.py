"""What a data set is, where its files are looked for, and ``load``."""

import gzip
import hashlib
import inspect
import os
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from minirnn.data.download import SPARE, Mirror, download
from minirnn.errors import InputError, must_be, near

SOURCES = ("search", "local", "twin")
THIS_PACKAGE = "this package"  # carries a set whose text is kept in minirnn/data/


@dataclass(frozen=True)
class RemoteFile:
    """One file of a set: its name below a data folder, the sha256 and size of its content (unpacked), its mirrors."""

    path: str
    sha256: str
    size: int
    mirrors: tuple[Mirror, ...]


@dataclass(frozen=True)
class DataSet:
    """A registry entry. ``build(contents, origin, **options)`` makes the set from {path: bytes}; ``twin()`` makes
    generated contents of the same schema, {"ptb/ptb.train.txt": b"..."}; ``embedded()``, for sets without files, the
    contents that need no download. ``explains``: of broken contents ``build`` raises InputError with file and line.
    """

    name: str
    summary: str
    licence: str
    build: Callable
    twin: Callable
    files: tuple[RemoteFile, ...] = ()
    embedded: Callable | None = None
    carried_by: str = ""  # what brings an embedded set, for the listing
    explains: bool = False


def options_of(entry):
    """Names of the options that ``build`` takes."""
    return list(inspect.signature(entry.build).parameters)[2:]


def find_set(name, sets):
    """The entry called ``name`` (underscores count as hyphens); InputError suggesting near names."""
    by_name = {entry.name: entry for entry in sets}
    wanted = str(name).lower().replace("_", "-")
    if wanted in by_name:
        return by_name[wanted]
    parts = [known for known in by_name if wanted in known or known in wanted]  # "penn-ptb"
    hint = f"did you mean {' or '.join(parts)}?" if parts else near(wanted, by_name) or "see 'minirnn data list'"
    raise InputError(must_be("data", "set", "one of " + ", ".join(by_name), repr(name), hint))


def data_folder(folder=None):
    """The user's data folder: the argument, else MINIRNN_DATA, else None; InputError when it is not a folder."""
    named = folder if folder is not None else os.environ.get("MINIRNN_DATA") or None
    if named is None:
        return None
    path = Path(named).expanduser()
    if not path.is_dir():
        raise InputError(
            must_be(
                "data", "--data-folder" if folder is not None else "MINIRNN_DATA", "an existing folder", repr(str(path))
            )
        )
    return path


def cache_folder():
    """Where downloads are kept: MINIRNN_CACHE/data, else minirnn/data in the user's cache folder of this system.

    With MINIRNN_CACHE=/big that is /big/data, and the kernels keep theirs beside it by a function of their own
    (kernels/jit.py): that package imports numpy and numba alone, so that it can be taken out, and honours
    NUMBA_CACHE_DIR too. A test holds the two together.
    """
    if os.environ.get("MINIRNN_CACHE"):
        return Path(os.environ["MINIRNN_CACHE"]).expanduser() / "data"
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "minirnn" / "data"


def locate(file, folder=None):
    """(path, origin) of a file in the data folder or the cache, plain or .gz; (None, None) when it is in neither."""
    for place, origin in ((data_folder(folder), "data folder"), (cache_folder(), "cache")):
        if place is not None:
            for name in (file.path, file.path + ".gz"):
                if (place / name).is_file():
                    return place / name, origin
    return None, None


def unpacked(path, most=None):
    """The content of a file, plain or .gz; InputError for a damaged gzip file or more than ``most`` bytes in it."""
    if path.suffix != ".gz":
        data = path.read_bytes()
    else:
        try:
            with gzip.open(path, "rb") as file:
                data = file.read() if most is None else file.read(most + 1)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputError(
                must_be(
                    "data",
                    str(path),
                    "a whole gzip file",
                    f"{path.stat().st_size} bytes that do not unpack ({error})",
                    "the copy was cut short; delete it and fetch it again",
                )
            ) from None
    if path.suffix == ".gz" and most is not None and len(data) > most:
        cause = "it is another file; delete it"
        raise InputError(must_be("data", str(path), f"at most {most} bytes unpacked", "more", cause))
    return data


def read_verified(path, file):
    """The content of a file, unpacked and checked; InputError for a damaged gzip file or a wrong sha256."""
    data = unpacked(path, file.size + SPARE)
    digest = hashlib.sha256(data).hexdigest()
    if digest != file.sha256:
        what = f"the content with sha256 {file.sha256[:12]}... ({file.size} bytes)"
        again = "delete it to fetch it again" if file.mirrors else "put the original there"
        cause = f"it is damaged or another version; {again}, or ask for the generated twin (--twin)"
        raise InputError(must_be("data", str(path), what, f"{digest[:12]}... ({len(data)} bytes)", cause))
    return data


def fetch(entry, folder=None, report=None, **network):
    """Make every file of a set present, downloading what the data folder and the cache lack -> [(path, origin)]."""
    found = []
    for file in entry.files:
        path, origin = locate(file, folder)
        if path is None:
            path, origin = download(file, cache_folder(), report=report, licence=entry.licence, **network), "cache"
        found.append((path, origin))
    return found


def contents_of(entry, source, folder=None):
    """({path: bytes}, origin) of a set from ``source``: "search", "local" (no download) or "twin"."""
    if source not in SOURCES:
        raise InputError(must_be(f"data set {entry.name}", "source", "one of " + ", ".join(SOURCES), repr(source)))
    if source == "twin":
        return entry.twin(), "generated twin"
    if entry.embedded is not None:
        return entry.embedded(), "embedded"
    if source == "local":
        missing = [file.path for file in entry.files if locate(file, folder)[0] is None]
        if missing:
            raise InputError(missing_message(entry, missing, folder))
    located = fetch(entry, folder)
    origins = {origin for _, origin in located}
    origin = "data folder" if origins == {"data folder"} else "cache"
    try:
        return {file.path: read_verified(path, file) for file, (path, _) in zip(entry.files, located)}, origin
    except InputError:
        if entry.explains:  # a broken line says more than a wrong sha256
            read = {file.path: unpacked(path, file.size + SPARE) for file, (path, _) in zip(entry.files, located)}
            entry.build(read, origin)
        raise


def missing_message(entry, missing, folder=None):
    """One line that says which files are absent, where they were looked for and the ways to get them."""
    places = [str(place) for place in (data_folder(folder), cache_folder()) if place is not None]
    return must_be(
        f"data set {entry.name}",
        missing[0],
        "in " + " or ".join(places),
        "no such file",
        f"run 'minirnn data fetch {entry.name}', set MINIRNN_DATA to a folder with it, or ask for its twin (--twin)",
    )

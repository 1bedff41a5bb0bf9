"""``minirnn data list | path | fetch | doctor``."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from minirnn.data import SETS
from minirnn.data.download import DownloadFailed, content_hash
from minirnn.data.registry import (
    THIS_PACKAGE,
    cache_folder,
    data_folder,
    fetch,
    find_set,
    locate,
    missing_message,
    read_verified,
)
from minirnn.data.report import Report
from minirnn.errors import InputError
from minirnn.files import make_folder, write_atomically
from minirnn.options import option, read_one_of

FOLDER = {"help": "where the files are; default MINIRNN_DATA", "name": "data-folder", "metavar": "FOLDER"}
JSON = {"help": "print JSON for a program to read", "name": "json"}
SET = {"help": "names from 'minirnn data list'", "metavar": "SET", "positional": True}


@dataclass(frozen=True)
class Folders:
    """List the data sets: where each is now, its licence. Example: minirnn data list --json"""

    folder: Path | None = option(None, **FOLDER)
    as_json: bool = option(False, **JSON)


@dataclass(frozen=True)
class Doctor(Folders):
    """Check folders and the hash of every file present; status 1 when something is wrong. Example: minirnn data doctor
    """


@dataclass(frozen=True)
class One(Folders):
    """Print the paths of a set's files; status 1 when one is missing. Example: minirnn data path ptb"""

    name: str = option("", **SET)


@dataclass(frozen=True)
class Fetch(Folders):
    """Download sets into the cache: verified, resumable, from the first mirror that works. Example: minirnn data fetch
    ptb mnist
    """

    names: tuple[str, ...] = option((), **SET)


def list_sets(folder, as_json):
    """Print where each set is now, and its licence -> 0."""
    rows = [
        {
            "name": e.name,
            "state": state_of(e, folder),
            "megabytes": round(sum(f.size for f in e.files) / 1e6, 1),
            "summary": e.summary,
            "licence": e.licence,
        }
        for e in SETS
    ]
    if as_json:
        print(json.dumps(rows, indent=1))
        return 0
    width = max(len(row["name"]) for row in rows) + 2
    for row in rows:
        print(f"{row['name']:<{width}}{row['state']}")
        print(f"{'':<{width}}{row['summary']}\n{'':<{width}}licence: {row['licence']}")
    print("\nuse one with: minirnn train char-lm --data NAME    fetch one with: minirnn data fetch NAME")
    return 0


def path_of_set(folder, as_json, name):
    """Print the paths of a set's files -> 1 when one is missing."""
    if not name:
        raise InputError("data path: SET must be a name from 'minirnn data list', got none")
    entry = find_set(name, SETS)
    paths = {file.path: locate(file, folder)[0] for file in entry.files}
    missing = [name for name, path in paths.items() if path is None]
    if as_json:
        print(json.dumps({name: str(path) if path else None for name, path in paths.items()}, indent=1))
    else:
        for path in filter(None, paths.values()):
            print(path)
        if not entry.files:
            print(f"{entry.name} has no files: {entry.carried_by}", file=sys.stderr)
        if missing:
            print(missing_message(entry, missing, folder), file=sys.stderr)
    return 1 if missing else 0


def fetch_sets(folder, as_json, names):
    """Download sets into the cache -> 1 when one could not be had."""
    if not names:
        raise InputError("data fetch: set must be at least one name, got none; see 'minirnn data list'")
    result, failed = {}, False
    for entry in [find_set(name, SETS) for name in names]:
        discard_damaged(entry, folder)
        try:
            found = fetch(entry, folder, report=Report())
            for file, (path, _) in zip(entry.files, found):
                read_verified(path, file)
        except DownloadFailed as error:
            result[entry.name], failed = {"error": str(error)}, True
            continue
        result[entry.name] = {file.path: str(path) for file, (path, _) in zip(entry.files, found)}
    if as_json:
        print(json.dumps(result, indent=1))
        return 1 if failed else 0
    for name, files in result.items():
        print(
            f"{name}: "
            + (
                files.get("error")
                or ", ".join(files.values())
                or f"nothing to fetch, {find_set(name, SETS).carried_by}"
            )
        )
    return 1 if failed else 0


def discard_damaged(entry, folder):
    """Delete files of the cache whose content is wrong, so that they are fetched again (a data folder is not ours)."""
    for file in entry.files:
        path, origin = locate(file, folder)
        if origin == "cache" and content_hash(path) != file.sha256:
            Report().line(f"{path}: damaged, fetching it again")
            path.unlink()


def doctor(folder, as_json):
    """Print what is wrong with folders and files -> 1 when something is."""
    findings = [*check_folders(folder), *check_files(folder)]
    if as_json:
        print(json.dumps([dict(zip(("state", "what", "detail"), finding)) for finding in findings], indent=1))
    else:
        for state, what, detail in findings:
            print(f"{state:<8}{what}: {detail}")
    return 1 if any(state == "WRONG" for state, _, _ in findings) else 0


def check_folders(folder):
    """Findings (state, what, detail) about the data folder, the cache and partial downloads."""
    try:
        found = data_folder(folder)
        yield "ok", "data folder", str(found) if found else "none set (--data-folder or MINIRNN_DATA)"
    except InputError as error:
        yield "WRONG", "data folder", str(error)
    cache = cache_folder()
    try:
        make_folder(cache)
        write_atomically(cache / ".doctor", b"")
        (cache / ".doctor").unlink()
        yield "ok", "cache", f"{cache}, {shutil.disk_usage(cache).free / 1e9:.1f} GB free"
    except OSError as error:
        yield "WRONG", "cache", f"{error}; set MINIRNN_CACHE to a folder you can write"
    for part in sorted(cache.rglob("*.part")) if cache.is_dir() else ():
        yield (
            "note",
            "partial download",
            f"{part}, {part.stat().st_size} bytes; 'minirnn data fetch' goes on from it, deleting it is safe",
        )


def check_files(folder):
    """Findings (state, what, detail) about every file of every set."""
    for entry in SETS:
        if not entry.files:
            yield _embedded_finding(entry)
        for file in entry.files:
            try:
                path, origin = locate(file, folder)
                if path is not None:
                    read_verified(path, file)
                yield (
                    ("ok", file.path, f"{origin}, sha256 right")
                    if path
                    else ("absent", file.path, f"minirnn data fetch {entry.name}")
                )
            except (InputError, OSError) as error:
                yield "WRONG", file.path, str(error)


def _embedded_finding(entry):
    try:
        entry.embedded()
    except (InputError, OSError) as error:
        return "WRONG" if entry.carried_by == THIS_PACKAGE else "absent", entry.name, str(error)
    return "ok", entry.name, entry.carried_by


def state_of(entry, folder):
    """Where a set is now, in a few words."""
    if not entry.files:
        return entry.carried_by
    origins = {locate(file, folder)[1] for file in entry.files}
    return f"not here: minirnn data fetch {entry.name}" if None in origins else ", ".join(sorted(origins))


def main(argv):
    """Run ``minirnn data``; 0 when what was asked holds, 1 when not, 2 for bad input."""
    commands = {"list": (Folders, list_sets), "path": (One, path_of_set), "fetch": (Fetch, fetch_sets),
                "doctor": (Doctor, doctor)}
    about = "Data sets: where they are, how to get them. Example: minirnn data fetch ptb"
    name, options = read_one_of({n: cls for n, (cls, _) in commands.items()}, argv, "minirnn data", about)
    return 0 if options is None else commands[name][1](**vars(options))

"""Checkpoints: arrays as safetensors beside a JSON state, each written whole, hashed and read back.

step-000000420.safetensors is renamed into place first and step-000000420.json, which holds its hash, last: a checkpoint
exists once its JSON does. Whatever was damaged since then is found when it is read.
"""

import contextlib
import hashlib
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from minirnn.errors import InputError
from minirnn.files import naming, write_atomically

FORMAT = 2
KEEP = 2


class CheckpointError(InputError):
    """A checkpoint cannot be used; the message says which and why."""


class UnreadableError(CheckpointError):
    """The system does not read a checkpoint that is there; perhaps it does the next time."""


@dataclass(frozen=True)
class Checkpoint:
    """What a file pair held: ``arrays`` {name: array} and the JSON ``state``."""

    name: str
    arrays: dict
    state: dict


def name_of(step):
    return f"step-{step:09d}"


def write_checkpoint(folder, step, arrays, state, run):
    """Write checkpoint ``step`` into ``folder`` -> its name, "step-000000420"; ``run`` is RunFolder's ``identity``.

    Raises OSError naming the file when it cannot be written, CheckpointError when what was written reads back
    differently; the checkpoints before it are untouched.
    """
    folder, name = Path(folder), name_of(step)
    # contiguous copies: safetensors writes the memory behind a strided array, not its values
    arrays = {key: np.array(array, order="C") for key, array in arrays.items()}
    data = safetensors.save(arrays)
    state = _plain(state)
    digest = hashlib.sha256(data).hexdigest()
    path = folder / f"{name}.safetensors"
    write_atomically(path, data)
    _compare(path, arrays, digest)
    body = {"format": FORMAT, "run": run, "step": step, "arrays": digest, "state": state}
    body["sha256"] = digest_of(body)
    write_atomically(folder / f"{name}.json", json.dumps(body, indent=1, allow_nan=False).encode())
    return name


def _compare(path, arrays, digest):
    """Read the file back; CheckpointError, and the file deleted, unless every array is there bit for bit."""
    with naming(path, "read back"):
        data = path.read_bytes()
    try:
        if hashlib.sha256(data).hexdigest() == digest and hash_of(safetensors.load(data)) == hash_of(arrays):
            return
    except SafetensorError as error:
        path.unlink()
        raise CheckpointError(f"checkpoint {path}: reads back as no safetensors file ({error})") from None
    path.unlink()
    raise CheckpointError(f"checkpoint {path}: reads back differently from what was written; is the disk failing?")


def read_checkpoint(folder, name, run=None):
    """The Checkpoint ``name``; CheckpointError when it is missing, damaged or of another run than ``run``."""
    path = Path(folder) / f"{name}.json"
    try:
        body = json.loads(path.read_bytes())
        stated = body.pop("sha256")
        if stated != digest_of(body):
            raise CheckpointError(f"{path.name} is damaged (its hash is wrong)")
        if body["format"] != FORMAT:
            raise CheckpointError(f"{path.name} has format {body['format']}, this minirnn reads {FORMAT}")
        if run is not None and body["run"] != run:
            raise CheckpointError(f"{path.name} belongs to another run, or to another configuration of this one")
        data = path.with_suffix(".safetensors").read_bytes()
    except FileNotFoundError as error:
        raise CheckpointError(f"{Path(error.filename).name} is missing") from None
    except OSError as error:
        raise UnreadableError(f"'{error.filename or path}' cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path.name} is damaged ({type(error).__name__})") from None
    if hashlib.sha256(data).hexdigest() != body["arrays"]:
        raise CheckpointError(f"{name}.safetensors is damaged ({len(data)} bytes with another hash than recorded)")
    try:
        return Checkpoint(name, safetensors.load(data), _restored(body["state"]))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:  # the last three: types NumPy has not, as BF16
        raise CheckpointError(f"{name}.safetensors cannot be read ({error})") from None


@contextlib.contextmanager
def fitting(name):
    """CheckpointError for what goes wrong inside: what checkpoint ``name`` holds does not fit the run."""
    try:
        yield
    except CheckpointError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise CheckpointError(f"{name} does not fit this run ({error})") from None


def checkpoints(folder):
    """Names of the checkpoints in a folder, newest first."""
    return sorted({path.stem for path in _files(folder) if path.suffix == ".json"}, reverse=True)


def _files(folder):
    """The files of checkpoints; OSError where a folder cannot be read, which glob would call an empty one."""
    try:
        return [Path(folder) / name for name in os.listdir(folder) if name.startswith("step-")]
    except FileNotFoundError:
        return []


def discard_old(folder, keep_also=()):
    """Delete all checkpoints but the newest ``KEEP`` and the named ones."""
    kept = {*checkpoints(folder)[:KEEP], *keep_also}
    for path in _files(folder):
        if path.name.split(".")[0] not in kept and path.suffix in (".json", ".safetensors", ".tmp"):
            with naming(path, "delete"):
                path.unlink()


def snapshot_steps(total, count):
    """The updates of ``total`` whose checkpoints stay for good: ``count``, from 0 to ``total``, ever farther apart.

    snapshot_steps(100, 5) is {0, 6, 25, 56, 100}. Where a run is short some coincide; a count of 1 means the first, 0
    none.
    """
    count = min(count, total + 1)
    return {round(total * (k / max(count - 1, 1)) ** 2) for k in range(count)}


def set_aside(folder, name):
    """Rename an unusable checkpoint out of the way, keeping it for whoever wants to look."""
    for suffix in (".json", ".safetensors"):
        path = Path(folder) / (name + suffix)
        if path.exists():
            with naming(path, "rename"):
                path.replace(path.with_name(path.name + ".unusable"))


def hash_of(arrays, before=""):
    """sha256 over names, types, shapes and bytes of {name: array}, linked to an earlier hash."""
    digest = hashlib.sha256(before.encode())
    for key in sorted(arrays):
        array = np.array(arrays[key], order="C")
        digest.update(f"{key} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def digest_of(body):
    """sha256 of JSON values."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _plain(value):
    """JSON values only: NumPy numbers as Python's, a non-finite float as the text that float() reads."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value


def _restored(value):
    """The inverse of ``_plain``, for the texts it makes of non-finite floats."""
    if isinstance(value, dict):
        return {key: _restored(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_restored(item) for item in value]
    return float(value) if value in ("inf", "-inf", "nan") else value

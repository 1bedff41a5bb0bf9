"""A run folder: all that belongs to one run, owned by one process at a time."""

import contextlib
import errno
import json
import math
import os
import platform
import re
import shutil
import uuid
from importlib.metadata import PackageNotFoundError, version
from itertools import count
from pathlib import Path

from minirnn.errors import InputError, must_be
from minirnn.files import Lock, make_folder, naming, sync_folder, write_atomically

REPORTED = ("minirnn", "numpy", "numba", "safetensors")


class FolderExists(InputError):
    """A run folder of this name exists already."""


class RunFolder:
    """``with RunFolder.create(runs, name, config) as folder`` or ``RunFolder.open(path)``: locked while it is entered.

    Files: config.json, vocabulary.json, environment.json, metrics.jsonl, checkpoints/, result.json.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.checkpoints = self.path / "checkpoints"
        self.lock = Lock(self.path / ".lock", f"run folder {self.path}")
        self.metrics = None

    @classmethod
    def create(cls, runs, name, config):
        """Make ``runs/name`` with its configuration, whole or not at all; an empty folder of that name is taken over.

        InputError when it exists, OSError when it cannot be made.
        """
        if not re.fullmatch(r"[\w.+=-]+", name) or name.strip(".") == "":
            raise InputError(must_be("run folder", "name", "letters, digits and any of . _ - + =", repr(name)))
        path = Path(runs) / name
        exists = FolderExists(
            must_be("run folder", "name", "a new name", repr(str(path)),
                    f"go on with 'minirnn train --resume {path}', or choose another --name")
        )
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise exists
        made = cls(Path(runs) / f".{name}.{uuid.uuid4().hex[:8]}.tmp")
        make_folder(made.checkpoints)
        try:
            made.write_json("environment.json", environment())
            made.write_json("config.json", {"run": uuid.uuid4().hex, **config})
            with naming(path, "create the folder"):
                if path.is_dir():
                    path.rmdir()
                made.path.rename(path)
        except OSError as error:
            shutil.rmtree(made.path, ignore_errors=True)
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):  # another process was first
                raise exists from None
            raise
        sync_folder(path.parent)
        return cls(path)

    @classmethod
    def create_numbered(cls, runs, stem, config):
        """As ``create``, under the first free name of stem-1, stem-2 ..., whoever else is making folders now."""
        for number in count(1):
            with contextlib.suppress(FolderExists):
                return cls.create(runs, f"{stem}-{number}", config)

    @classmethod
    def open(cls, path):
        """The existing run folder ``path``; InputError when it is none."""
        folder = cls(path)
        if not (folder.path / "config.json").is_file():
            cause = "a run begins with 'minirnn train word-lm' or 'char-lm'"
            raise InputError(must_be("run folder", "path", "a folder with config.json", repr(str(path)), cause))
        return folder

    def __enter__(self):
        self.lock.__enter__()
        return self

    def __exit__(self, *exception):
        if self.metrics is not None:
            self.metrics.close()
            self.metrics = None
        self.lock.__exit__(*exception)

    def read_json(self, name):
        """The object in a JSON file of this folder; InputError when it is damaged."""
        path = self.path / name
        with naming(path, "read"):
            text = path.read_bytes()
        try:
            return json.loads(text)
        except ValueError as error:
            raise InputError(must_be("run folder", str(path), "JSON", f"damaged text ({error})")) from None

    def write_json(self, name, value):
        """Write a JSON file of this folder whole or not at all."""
        write_atomically(self.path / name, (json.dumps(without_nan(value), indent=1) + "\n").encode())

    def begin_metrics(self, size):
        """Open metrics.jsonl for appending, cut back to the ``size`` bytes it had at the checkpoint resumed from."""
        path = self.path / "metrics.jsonl"
        with naming(path):
            self.metrics = open(path, "ab", buffering=0)
            if self.metrics.tell() > size:
                self.metrics.truncate(size)

    def write_metric(self, **values):
        """Append one line to metrics.jsonl; OSError naming it when it cannot be written."""
        line = (json.dumps(without_nan(values)) + "\n").encode()
        with naming(self.path / "metrics.jsonl"):
            if self.metrics.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def metrics_size(self):
        """Bytes of metrics.jsonl, now safely on the disk."""
        with naming(self.path / "metrics.jsonl"):
            os.fsync(self.metrics.fileno())
            return self.metrics.tell()

    def read_metrics(self):
        """Every line of metrics.jsonl as a dict; a last line cut short by a crash is left out."""
        lines = (self.path / "metrics.jsonl").read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines]


def environment():
    """What the numbers of a run depend on besides its configuration; no host names, no paths."""
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
        "processors": os.cpu_count(),
        "packages": versions,
        "variables": {k: v for k, v in os.environ.items() if re.fullmatch(r"(OMP|OPENBLAS|MKL|NUMBA)_NUM_THREADS", k)},
    }


def without_nan(value):
    """JSON has no NaN or infinity: None in their place."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

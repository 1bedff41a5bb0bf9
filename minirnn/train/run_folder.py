"""A run folder: all that belongs to one run, owned by one process at a time.

Every JSON file in it carries the sha256 of its content, and every checkpoint that of the configuration, so that a
folder that was changed by hand or by a failing disk is refused and never becomes another run without a word.
"""

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import shutil
import uuid
from itertools import count
from pathlib import Path

from minirnn.errors import DtypeError, InputError, must_be
from minirnn.files import Lock, alive, make_folder, naming, sync_folder, write_atomically
from minirnn.train.checkpoint import CheckpointError, checkpoints, digest_of, fitting, read_checkpoint
from minirnn.train.environment import environment

LAYOUT = 2  # of the folder and its files
SEAL = "sha256"
RESULT = {"status": str, "metrics": dict, "data": dict, "seconds": (int, float), "parameters_sha256": str, "chain": str}


class FolderExists(InputError):
    """A run folder of this name exists already."""


class RunFolder:
    """``with RunFolder.create(runs, name, config) as folder`` or ``RunFolder.open(path)``: locked while it is entered.

    Files: config.json, what the procedure adds (vocabulary.json), environment.json, metrics.jsonl, checkpoints/,
    attachments/, measures/, result.json.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.checkpoints = self.path / "checkpoints"
        self.lock = Lock(self.path / ".lock", f"run folder {self.path}")
        self.metrics = self.digest = None
        self.entered = False

    @classmethod
    def create(cls, runs, name, config, files=None):
        """Make ``runs/name`` with its configuration and ``files`` {name: JSON values}, whole or not at all.

        An empty folder of that name is taken over. InputError when it exists, OSError when it cannot be made.
        """
        if not re.fullmatch(r"[\w.+=-]+", name, re.ASCII) or name.strip(".") == "":
            raise InputError(must_be("run folder", "name", "letters, digits and any of . _ - + =", repr(name)))
        path, files = Path(runs) / name, files or {}
        exists = FolderExists(
            must_be("run folder", "name", "a new name", repr(str(path)),
                    f"go on with 'minirnn train --resume {path}', or choose another --name")
        )
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise exists
        _sweep(path)
        made = cls(Path(runs) / f".{name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")
        make_folder(made.checkpoints)
        try:
            made.write_json("environment.json", environment())
            for file, values in files.items():
                made.write_json(file, values)
            sealed = {file: digest_of(without_nan(values)) for file, values in files.items()}
            made.write_json("config.json", {"run": uuid.uuid4().hex, **config, "files": sealed})
            with naming(path, "create the folder"):
                if path.is_dir():
                    path.rmdir()
                made.path.rename(path)
        except OSError as error:
            shutil.rmtree(made.path, ignore_errors=True)
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):  # another process was first
                raise exists from None
            raise
        with naming(path, "create the folder"):
            sync_folder(path.parent)
        return cls(path)

    @classmethod
    def create_numbered(cls, runs, stem, config, files=None):
        """As ``create``, under the first free name of stem-1, stem-2 ..., whoever else is making folders now."""
        for number in count(1):
            with contextlib.suppress(FolderExists):
                return cls.create(runs, f"{stem}-{number}", config, files)

    @classmethod
    def open(cls, path):
        """The existing run folder ``path``; InputError when it is none."""
        folder = cls(path_of(path))
        if not (folder.path / "config.json").is_file():
            cause = "a run begins with 'minirnn train MODEL'; 'minirnn models' lists them"
            raise InputError(must_be("run folder", "path", "a folder with config.json", repr(str(path)), cause))
        folder.check_kinds()
        return folder

    def check_kinds(self):
        """InputError for a link, a pipe or a device in the folder: what is written there would land elsewhere."""
        for path in (*self.path.iterdir(), *self.path.glob("*/*")):
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                kind = "a link" if path.is_symlink() else "something else"
                raise InputError(must_be("run folder", str(path), "a file or a folder", kind, "remove it"))

    def __enter__(self):
        with contextlib.ExitStack() as failed:
            failed.enter_context(self.lock)
            self._tidy()
            failed.pop_all()
        self.entered = True
        return self

    def _tidy(self):
        """Make the folder what a run needs, after whatever happened to the last process in it."""
        make_folder(self.checkpoints)
        for litter in (*self.path.glob("*.tmp"), *self.path.glob("*/*.tmp")):  # of a process that was killed
            with naming(litter, "delete"):
                litter.unlink(missing_ok=True)

    def __exit__(self, *exception):
        if self.metrics is not None:
            self.metrics.close()
            self.metrics = None
        self.entered = False
        self.lock.__exit__(*exception)

    def check(self):
        """InputError where the folder was removed or replaced since it was entered: it is another process's now."""
        if self.entered:
            self.lock.check()

    def config(self):
        """What config.json says; InputError when it is damaged, was changed or is of an older minirnn."""
        stored = self.read_json("config.json")
        if stored.get("layout") != LAYOUT:
            older = self.path / "config.json"
            cause = f"train its configuration anew: minirnn train MODEL --config {older}"
            raise InputError(must_be("run folder", str(self.path), f"of layout {LAYOUT}", "an older one", cause))
        if not isinstance(stored.get("config"), dict) or not isinstance(stored.get("run"), str):
            raise InputError(must_be("run folder", str(self.path / "config.json"), "a configuration of a run", "none"))
        return stored

    @property
    def identity(self):
        """What a checkpoint must say to be one of this run: the hash of config.json, which holds those of its files."""
        return digest_of(self.config())

    def read_json(self, name):
        """The object in a JSON file of this folder; InputError when it is damaged or was changed."""
        path = self.path / name
        with naming(path, "read"):
            text = path.read_bytes()
        try:
            value = json.loads(text)
            if not isinstance(value, dict):
                raise InputError(must_be("run folder", str(path), "a JSON object", type(value).__name__))
            seal = value.pop(SEAL, None)
            right = seal == digest_of(value)
        except InputError:
            raise
        except (ValueError, RecursionError) as error:
            raise InputError(must_be("run folder", str(path), "JSON", f"damaged text ({error})")) from None
        if seal is None and name == "config.json" and value.get("layout") != LAYOUT:
            return value  # ``config`` says so
        if not right:
            cause = "it was changed, or the disk is failing; begin the run anew, or put the file back"
            raise InputError(must_be("run folder", str(path), "as it was written", "other content", cause))
        return value

    def write_json(self, name, value):
        """Write a JSON file of this folder whole or not at all, with the hash of its content."""
        value = without_nan(value)
        sealed = {**value, SEAL: digest_of(value)}
        self.check()
        write_atomically(self.path / name, (json.dumps(sealed, indent=1) + "\n").encode())

    def read_file(self, name):
        """The object in a file that belongs to the configuration, such as vocabulary.json; InputError for another's."""
        value = self.read_json(name)
        if digest_of(value) != self.config().get("files", {}).get(name):
            cause = "it or config.json is that of another run"
            raise InputError(must_be("run folder", str(self.path / name), "the file the run was made with", "another",
                                     cause))
        return value

    def complete(self, name, values):
        """Write a file of the configuration where it is missing; InputError where it is another run's or damaged."""
        if (self.path / name).is_file():
            self.read_file(name)
        else:
            self.write_json(name, values)

    def read_result(self):
        """The content of result.json, None when the run has not ended; InputError when it is damaged or another's."""
        if not (self.path / "result.json").exists():
            return None
        result = self.read_json("result.json")
        if not all(isinstance(result.get(name), kind) for name, kind in RESULT.items()) or not all(
                isinstance(result["data"].get(name), str) for name in ("name", "origin")):
            raise InputError(must_be("run folder", str(self.path / "result.json"), "a run's result", "something else"))
        if result.get("run") != self.config()["run"]:
            cause = "it or config.json was put there from elsewhere"
            raise InputError(must_be("run folder", str(self.path / "result.json"), "this run's", "another run's",
                                     cause))
        return result

    def write_result(self, result):
        """Write result.json, with the identity of the run and the hash of its metrics."""
        self.write_json("result.json", {"run": self.config()["run"], **result, "metrics": self.metrics_state()})

    def attach(self, name, step, data):
        """Keep bytes worth looking at as attachments/step-000000120-NAME -> {"file": that path, "sha256"}."""
        if not re.fullmatch(r"[\w.+=-]+", name, re.ASCII):
            raise InputError(must_be("attachment", "name", "letters, digits and any of . _ - + =", repr(name)))
        self.check()
        make_folder(self.path / "attachments")
        kept = f"attachments/step-{step:09d}-{name}"
        write_atomically(self.path / kept, data)
        return {"file": kept, SEAL: hashlib.sha256(data).hexdigest()}

    def measured(self, name, inputs, measure):
        """The JSON object that ``measure()`` gives, made once for equal ``inputs`` and then read from measures/."""
        path, key = f"measures/{name}.json", digest_of(without_nan(inputs))
        if (self.path / path).exists():
            kept = self.read_json(path)
            if kept.get("inputs") == key and isinstance(kept.get("found"), dict):
                return kept["found"]
        found = without_nan(measure())
        make_folder(self.path / "measures")
        self.write_json(path, {"inputs": key, "found": found})
        return found

    def begin_metrics(self, state):
        """Open metrics.jsonl for appending, cut back to what ``state`` of ``metrics_state`` says; None: empty.

        InputError when its beginning is not what it was then.
        """
        path = self.path / "metrics.jsonl"
        size = 0 if state is None else int(state["bytes"])
        with naming(path):
            self.metrics = open(path, "a+b", buffering=0)
            self.metrics.seek(0)
            kept = self.metrics.read(size) if size else b""
            self.digest = hashlib.sha256(kept)
            if state is not None and (len(kept), self.digest.hexdigest()) != (size, state["sha256"]):
                cause = "the curves of the run would be wrong; put the file back, or begin the run anew"
                what = f"to begin with the {size} bytes it had at the checkpoint"
                raise InputError(must_be("run folder", str(path), what, "others, or fewer", cause))
            if self.metrics.seek(0, os.SEEK_END) > size:
                self.metrics.truncate(size)
            self.metrics.seek(size)  # ``tell`` says where the file ends, also before the next line is written

    def write_metric(self, **values):
        """Append one line to metrics.jsonl; OSError naming it when it cannot be written."""
        line = (json.dumps(without_nan(values)) + "\n").encode()
        with naming(self.path / "metrics.jsonl"):
            if self.metrics.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.digest.update(line)

    def metrics_state(self):
        """{"bytes", "sha256"} of metrics.jsonl, now safely on the disk; InputError as ``check``."""
        self.check()
        with naming(self.path / "metrics.jsonl"):
            os.fsync(self.metrics.fileno())
            return {"bytes": self.metrics.tell(), "sha256": self.digest.hexdigest()}

    def read_metrics(self):
        """Every line of metrics.jsonl as a dict; a last line cut short by a crash is left out.

        InputError for a line that is none, for a step before the last one, and where the file does not begin as the
        result says, or the newest checkpoint.
        """
        path, result = self.path / "metrics.jsonl", self.read_result()
        kept = self._metrics_of_checkpoint() if result is None else result["metrics"]
        with naming(path, "read"):
            data = path.read_bytes()
        size = len(data) if kept is None or result is not None else int(kept["bytes"])
        if kept is not None and hashlib.sha256(data[:size]).hexdigest() != kept[SEAL]:
            when = "when the run ended" if result is not None else "at the newest checkpoint"
            raise InputError(must_be("run folder", str(path), f"as it was {when}", "other content"))
        lines = []
        for number, line in enumerate(data.split(b"\n")[:-1], 1):
            try:
                lines.append(json.loads(line))
                lines[-1]["kind"]
                in_order = lines[-1]["step"] >= (lines[-2]["step"] if number > 1 else 0)
            except (ValueError, TypeError, KeyError, RecursionError):
                raise InputError(must_be("run folder", f"{path} line {number}", "a JSON object with kind and step",
                                         repr(line[:40]))) from None
            if not in_order:
                raise InputError(must_be("run folder", f"{path} line {number}", "no step before the last one",
                                         lines[-1]["step"]))
        return lines

    def _metrics_of_checkpoint(self):
        """What ``metrics_state`` said at the newest usable checkpoint; None where there is no checkpoint."""
        reasons = []
        for name in checkpoints(self.checkpoints):
            try:
                with fitting(name):
                    state = read_checkpoint(self.checkpoints, name, self.identity).state["metrics"]
                    return {"bytes": int(state["bytes"]), SEAL: str(state[SEAL])}
            except CheckpointError as error:
                reasons.append(str(error))
        if reasons:
            cause = "; ".join(reasons)
            raise InputError(f"run folder {self.path}: no checkpoint to compare metrics.jsonl with: {cause}")
        return None


def path_of(path):
    """A text or path as a Path; DtypeError for anything else."""
    if not isinstance(path, (str, os.PathLike)):
        raise DtypeError(must_be("run folder", "path", "a path", type(path).__name__))
    return Path(path)


def _sweep(path):
    """Remove what processes that were killed while they made the folder ``path`` left beside it."""
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        pid = left.name.removeprefix(f".{path.name}.").partition("-")[0]
        if left.is_dir() and (not (pid.isascii() and pid.isdigit()) or not alive(int(pid))):
            shutil.rmtree(left, ignore_errors=True)


def without_nan(value):
    """JSON has no NaN or infinity: None in their place."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""Attacks on run folders: every file of them damaged, exchanged, replaced by something that is no file, or removed."""

import contextlib
import functools
import json
import os
import re
import shutil

import numpy as np
from tiny_runs import Said, configuration, copied, cut, numbers, prepare, whole

from minirnn.experiments import Column, Experiment, Row, Scale
from minirnn.models import registry
from minirnn.train.checkpoint import digest_of

STATES = ("whole", 1, 5, 10)  # complete, or asked to stop after so many updates
TOLD = re.compile(r"trying another|left out|trying the one before|nobody can say")
SHOWN = re.compile(r"no longer in the run folder|not as it was kept")
TEXTS = [b"[]", b"3", b"null", b'"x"', b"{}", b"[" * 100_000, b'{"a":' * 50_000, b'{"a": 1e999}', b"NaN",
         b'{"a": ' + b"9" * 6000 + b"}", b"\xff\xfe{}", b"\x00" * 300, b"{}\n" * 3]
NUMBERS = [0, -1, 1, 10**30, 1e300, None, "x", [], {}, True, float("inf"), "step-000000004", [[]], "\x1b[2J"]


def attack_runs(rng, folder):
    """One file of a run of any model is harmed, then the run is resumed, sampled, shown, inspected or reproduced.

    Held: what is said of the run is what would be without the harm, or a file is named and the exit status is not 0.
    """
    name = [*registry.MODELS][int(rng.integers(len(registry.MODELS)))]
    state = STATES[int(rng.integers(len(STATES)))]
    command = COMMANDS[int(rng.integers(len(COMMANDS)))]
    folder = folder / "try"
    runs, outside = folder / "runs", folder / "outside"
    shutil.rmtree(folder, ignore_errors=True)
    runs.mkdir(parents=True)
    outside.mkdir()
    (outside / "file").write_bytes(b"precious")
    path = copied(_template(name, state), runs)
    victims = sorted(p for p in path.rglob("*") if p.name != ".lock")
    victim = victims[int(rng.integers(len(victims)))]
    where = victim.relative_to(path).as_posix()
    harm, forged = _harm(rng, victim, name, outside)
    kept = _content(outside)
    said = Said(_argv(command, name, path))
    why = _judged(said, command, name, state, path, victim, harm, forged)
    if why is None and (_content(outside) != kept or sorted(p.name for p in folder.iterdir()) != ["outside", "runs"]):
        why = "something was written outside the run folder"
    return None if why is None else f"{name} {state}, {where} {harm}, {command}: {why}".replace(str(folder), "FOLDER")


def _content(folder):
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def _template(name, state):
    path = whole(name) if state == "whole" else cut(name, state)
    if state == "whole" and not (path / "measures").exists():
        Said(_argv("reproduce", name, path))
    return path


def _argv(command, name, path):
    _reproduced(name)
    return {
        "resume": ["train", "--resume", path],
        "resume-silent": ["train", "--resume", path, "--silent"],
        "sample": ["sample", path, *([] if name == "temporal-order" else ["--length", "9"] if "lm" in name
                                     else ["--text", "the good sea of Rome in 1999"])],
        "show": ["show", path],
        "inspect": ["inspect", path, "--json", "--steps", "4", "--batch", "2"],
        "reproduce": ["reproduce", "tiny", "--scale", "smoke", "--finished", "--json", "--runs", path.parent],
    }[command]


COMMANDS = ("resume", "resume", "resume-silent", "sample", "show", "inspect", "reproduce")


def _reproduced(name):
    """From now on ``minirnn reproduce tiny`` is about the tiny run of this model."""
    measure = lambda run, folder: {"sum": float(sum(np.abs(p.value).sum() for p in run.model.parameters()))}
    experiment = Experiment("tiny", "a tiny run", name, (Row("only", {}),),
                            (Column("updates", "updates"), Column("sum", "sum")), {"smoke": Scale({})},
                            lambda row, scale, seed: configuration(name, seed), measure=measure)
    registry.experiment = lambda asked: experiment


@functools.cache
def _expected(command, name, state):
    """What the command prints and writes of the unharmed run."""
    runs = prepare() / "unharmed"
    shutil.rmtree(runs, ignore_errors=True)
    runs.mkdir()
    path = copied(_template(name, state), runs)
    said = Said(_argv(command, name, path))
    page = (path / "show.html").read_bytes() if command == "show" else b""
    return said.status, said.out, page


def _judged(said, command, name, state, path, victim, harm, forged):
    """What did not hold, or None."""
    replaced = (victim.name, harm) == ("config.json", "foreign")  # another run by all that can be told at first
    bad = said.refusal()
    if bad is not None or forged:
        return bad
    status, out, page = _expected(command, name, state)
    if said.status not in (0, status):
        if said.status not in (1, 2):
            return f"exit status {said.status}"
        stem = re.sub(r"\.(json|safetensors)$", "", victim.name)
        if stem not in said.err and said.status == 2 and not replaced:
            return f"the file is not named: {said.err[-150:]!r}"
        return None if said.err.strip() or said.status == 1 and command == "reproduce" else "no word on standard error"
    if command.startswith("resume"):
        with contextlib.suppress(ValueError):
            return None if numbers(path) == numbers(whole(name)) else "another result"
        return "result or metrics are damaged"
    if command == "show":
        text = (path / "show.html").read_bytes()
        if state != "whole" and victim.name == "metrics.jsonl" and victim.exists():
            begun = (_template(name, state) / "metrics.jsonl").read_bytes()
            if victim.read_bytes().startswith(begun):  # lines since the checkpoint, which a resumed run cuts off
                return None
        return None if text == page or SHOWN.search(text.decode()) else "another page without a word"
    if command == "inspect" and harm == "removed" and victim.name.startswith("step-"):
        return None  # one checkpoint fewer to show; nothing lists those that there were
    if said.out != out and not TOLD.search(said.err):
        return "another output without a word"
    return None


def _harm(rng, victim, name, outside):
    """Harm a file or folder -> (how, whether it carries a right hash all the same)."""
    if victim.is_dir():
        hows = ("removed", "file", "link", "emptied")
        how = hows[int(rng.integers(len(hows)))]
        if how == "link":
            victim.rename(outside / victim.name)
            victim.symlink_to(outside / victim.name)
            return how, False
        shutil.rmtree(victim)
        if how == "file":
            victim.write_bytes(b"a file")
        elif how == "emptied":
            victim.mkdir()
        return how, False
    data = victim.read_bytes()
    harms = {
        "bit": lambda: _flipped(rng, data), "cut": lambda: data[: int(rng.integers(len(data)))] if data else b"x",
        "doubled": lambda: data * 2 if data else b"x", "longer": lambda: data + rng.bytes(9), "emptied": lambda: b"",
        "digit": lambda: _other_digit(rng, data), "line": lambda: _lines(rng, data),
        "text": lambda: TEXTS[int(rng.integers(len(TEXTS)))], "noise": lambda: rng.bytes(200),
        "foreign": lambda: _foreign(rng, victim, name), "type": lambda: _of_type(rng, data),
    }
    others = ("removed", "folder", "pipe", "link", "same-link", "dangling", "forged", "swapped")
    how = [*harms, *others][int(rng.integers(len(harms) + len(others)))]
    if how in harms:
        victim.write_bytes(harms[how]())
        return how, False
    if how == "forged":
        return how, _forged(rng, victim, data)
    if how == "swapped":
        others = [p for p in victim.parent.iterdir() if p.is_file() and p.name != ".lock" and p != victim]
        other = others[int(rng.integers(len(others)))] if others else victim
        victim.write_bytes(other.read_bytes())
        other.write_bytes(data)
        return f"swapped with {other.name}", True  # two files are harmed: only that it ends well is looked at
    victim.unlink()
    if how == "folder":
        victim.mkdir()
    elif how == "pipe":
        os.mkfifo(victim)
    elif how in ("link", "same-link", "dangling"):
        target = outside / ("new" if how == "dangling" else "file")
        if how == "same-link":
            target.write_bytes(data)
        victim.symlink_to(target)
    return how, False


def _flipped(rng, data):
    if not data:
        return b"x"
    place = int(rng.integers(len(data)))
    return data[:place] + bytes([data[place] ^ (1 << int(rng.integers(8)))]) + data[place + 1 :]


def _other_digit(rng, data):
    places = [m.start() for m in re.finditer(rb"\d", data)] or [0]
    place = places[int(rng.integers(len(places)))]
    return data[:place] + str((int(data[place : place + 1] or b"0", 36) + 1) % 10).encode() + data[place + 1 :]


def _lines(rng, data):
    """A line twice, left out, or moved to the end."""
    lines = data.splitlines(keepends=True) or [b"x"]
    k, which = int(rng.integers(len(lines))), int(rng.integers(3))
    line = lines.pop(k) if which else lines[k]
    return b"".join([*lines, *([] if which == 1 else [line])])


def _foreign(rng, victim, name):
    """The file of this name in another run, or any file of one."""
    other = whole(name, seed=1) if rng.random() < 0.6 else whole([*registry.MODELS][int(rng.integers(5))], seed=1)
    files = sorted(p for p in other.rglob("*") if p.is_file() and p.name != ".lock")
    same = [p for p in files if p.name == victim.name]
    return (same or files)[int(rng.integers(len(same or files)))].read_bytes()


def _of_type(rng, data):
    """Arrays said to be of a type that NumPy has not, or of other sizes than there are bytes."""
    header = b'{"a":{"dtype":"%s","shape":%s,"data_offsets":[0,%d]}}'
    kinds = [(b"BF16", b"[2]", 4), (b"F8_E4M3", b"[4]", 4), (b"F8_E5M2", b"[4]", 4), (b"F32", b"[1000000000000]", 4),
             (b"F32", b"[-1]", 4), (b"Q7", b"[1]", 4), (b"F32", b"[1]", 10**15)]
    text = header % kinds[int(rng.integers(len(kinds)))]
    return len(text).to_bytes(8, "little") + text + b"\0" * 4


def _forged(rng, victim, data):
    """One value of a JSON file changed, and the hash made right again; whether there was such a file."""
    try:
        value = json.loads(data)
    except ValueError:
        victim.write_bytes(rng.bytes(20))
        return True
    places = list(_places(value))
    holder, key = places[int(rng.integers(len(places)))]
    if rng.random() < 0.3:
        del holder[key]
    else:
        holder[key] = NUMBERS[int(rng.integers(len(NUMBERS)))]
    if isinstance(value, dict) and "sha256" in value:
        value.pop("sha256")
        value["sha256"] = "" if "inf" in str(value).lower() and float("inf") in _leaves(value) else digest_of(value)
    victim.write_text(json.dumps(value))
    return True


def _places(value):
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from _places(value[key])


def _leaves(value):
    return [holder[key] for holder, key in _places(value) if not isinstance(holder[key], (dict, list))]

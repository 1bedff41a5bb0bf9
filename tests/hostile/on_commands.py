"""Attacks on the command line: random and adversarial arguments for every command, and outputs that are closed."""

import functools
import os
import shutil
import signal

from tiny_runs import Said, as_options, prepare, whole

from minirnn.cli import COMMANDS
from minirnn.data import registry as sets
from minirnn.data.download import DownloadFailed
from minirnn.models import registry
from minirnn.train import execute

WORDS = [
    "", " ", "0", "-1", "1", "3", "-0.0", "10000000000000000000000", "9" * 5000, "1e999", "nan", "inf", "-inf", "0.5",
    "\xb2", "\u0663", "\uff11", "1_0", "0x10", "1,2", "(", "[", "*", "(?P<", "\\", "\x1b[2J\x1b]0;x\x07", "\u202e",
    "\x7f", "\udc80\udcff", "none", "None", "yes", "true", "a/b", "../x", "..", ".", "/", "/dev/null", "/dev/full",
    "/proc/self/mem", "/nonexistent/x", "a file", "a folder", "locked", "-", "--", "--help", "--=", "=", "'", "lstm",
    "gru", "word-lm", "tagger", "ptb", "x" * 10_000, "\xe9\U0001f600", "%s%n", "{}", "\n", "a\nb", "\t", "cuda",
    "cuda:99", "float16",
]
FLAGS = {
    "gradcheck": "list thorough report json shapes cell gates layout saved init constant dtype time-limit seed jobs",
    "train": "preset quick config name runs data-folder twin json silent seed dtype device log-every"
             " checkpoint-every snapshots data source batch epochs patience optimizer lr clip schedule decay"
             " descent.lr cell hidden rate scheme sampling scaling forward-dropout init kernels text limit"
             " train-tokens embedding layers zoneout window stride ppl-mode samples vectors vectors-source"
             " filters kernel activation conv-activation capitals window-words vector-size train-vectors weak"
             " weak-epochs epoch-updates length fixed test forget-bias resume end",
    "sample": "checkpoint out json text prime length temperature seed",
    "show": "out",
    "models": "json",
    "inspect": "out json steps batch split text data-folder evaluate hidden seed rate scheme sampling",
    "chapters": "folder json jobs",
    "course": "out csv solutions format jobs seconds memory json",
    "equations": "json html",
    "demo": "runs epochs hidden seed fresh",
    "bench": "workloads against torch-m kernels grid list dtype threads rounds seconds clock patience json save",
    "reproduce": "scale rows seeds jobs runs data-folder figure list finished json save silent",
    "data": "data-folder folder json",
}
STATUSES = (0, 1, 2, 130, 141)
CASES = ("lstm", "gru", "tanh", "Linear", "nothing", "code.py:f,b", "code.py:f", "code.py:,", ":", "code.py:f,g",
         "torn.py:f,b", "a folder/code.py:f,b")
OUTPUTS = ("utf-8", "utf-8", "ascii", "cp1252", "closed", "pipe")


@functools.cache
def _prepared():
    """From now on nothing is downloaded, and training is asked to stop after two updates."""
    assert list(COMMANDS) == list(FLAGS), "a command has no arguments here"
    prepare()

    def unreachable(*args, **options):
        raise DownloadFailed("no network")

    sets.download = unreachable

    class Stop(execute.StopRequest):
        looks = 0

        def __bool__(self):
            self.looks += 1
            if self.looks > 2:
                self.number = signal.SIGINT
            return super().__bool__()

    return Stop


def attack_commands(rng, folder):
    """Any command with arguments that are mostly wrong: one of the statuses it promises, and no traceback."""
    stop, runs = _prepared(), [str(whole(name)) for name in registry.MODELS]
    folder = folder / "try"
    shutil.rmtree(folder, ignore_errors=True)
    here = folder / "some" / "where"
    _furnish(here)
    command = [*COMMANDS][int(rng.integers(len(COMMANDS)))] if rng.random() < 0.97 else _word(rng)
    argv = [command, *_arguments(rng, command, runs)]
    output = OUTPUTS[int(rng.integers(len(OUTPUTS)))]
    usual, before = execute.StopRequest, os.getcwd()
    execute.StopRequest = stop
    os.chdir(here)
    try:
        said = Said(argv, encoding="utf-8" if output in ("closed", "pipe") else output, output=output)
    finally:
        os.chdir(before)
        execute.StopRequest = usual
    why = said.refusal()
    if why is None and said.status not in STATUSES:
        why = f"exit status {said.status}"
    if why is None and "\x1b" in said.out:
        why = "an escape sequence in the output"
    if why is None:
        return None
    shown = [word if len(word) < 60 else f"{word[:20]}... of {len(word)}" for word in argv]
    return f"{shown} to {output}: {why}".replace(str(folder), "FOLDER").replace(str(prepare()), "TINY")


def _furnish(here):
    here.mkdir(parents=True)
    (here / "a file").write_bytes(b"not what you want\n\xff")
    (here / "a folder").mkdir()
    (here / "code.py").write_text("def f(x):\n    return x * x\n\n\ndef b(dy, x):\n    return 2 * x * dy\n")
    (here / "torn.py").write_text("def f(x:\n")
    (here / "locked").mkdir(mode=0)


def _word(rng):
    return WORDS[int(rng.integers(len(WORDS)))]


def _pick(rng, *choices):
    return choices[int(rng.integers(len(choices)))]


def _arguments(rng, command, runs):
    """What stands first, mostly right so that more is reached, and flags with and without odd values behind it."""
    target = lambda: _word(rng) if rng.random() < 0.3 else _pick(rng, *runs)
    first = {
        "gradcheck": lambda: [_pick(rng, *CASES)],
        "train": lambda: ["--resume", target()] if rng.random() < 0.2 else as_options(_pick(rng, *registry.MODELS)),
        "sample": lambda: [target()], "show": lambda: [target()],
        "inspect": lambda: [_pick(rng, target(), "lstm", "gru")],
        "chapters": lambda: ["list"],
        "course": lambda: _pick(rng, ["assign", "02d", "--out", "handout"], ["progress"], [_word(rng)],
                                ["grade", "a folder", "--csv", "points.csv"]),
        "equations": lambda: [_pick(rng, "2.2.5", "speed", "speed G4", _word(rng))],
        "demo": lambda: ["--epochs", "\u00b2"], "bench": lambda: _pick(rng, ["--list"], ["--rounds", "x"]),
        "reproduce": lambda: ["table-3.1", _pick(rng, "--finished", "--list"), "--scale", "smoke"],
        "data": lambda: [_pick(rng, "list", "path", "doctor", "fetch"), *([_word(rng)] if rng.random() < 0.5 else [])],
    }.get(command, list)
    argv = [*first()] if rng.random() < 0.9 or command in ("demo", "bench", "reproduce") else []
    flags = FLAGS.get(command, "json").split()
    for _ in range(int(rng.integers(0, 4))):
        flag = "--" + (_pick(rng, *flags) if rng.random() < 0.9 else _pick(rng, *" ".join(FLAGS.values()).split()))
        value = _word(rng) if rng.random() < 0.85 else _pick(rng, *runs)
        extra = _pick(rng, [flag, value], [flag, value], [flag, value], [f"{flag}={value}"], [flag], [value],
                      [flag, value, value])
        argv = [*argv, *extra] if rng.random() < 0.9 else [*extra, *argv]
    if command == "demo":  # whatever else is said, it must not begin
        return [*argv, "--epochs", "\u00b2"]
    if command == "bench":
        return [*argv, "--list"]
    if command == "chapters" and {"run", "build"} & set(argv):
        return ["run", "--jobs", "x"]
    return argv

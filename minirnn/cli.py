"""The command line: one line a command, each loaded only when it is called."""

import contextlib
import importlib
import os
import sys

from minirnn.errors import DtypeError, InputError, near, printable, say
from minirnn.threads import use_threads

BROKEN_PIPE = 128 + 13  # as a shell reports SIGPIPE

# name -> (module whose main(argv) runs it, one line for --help)
COMMANDS = {
    "gradcheck": ("minirnn.gradcheck.command", "prove gradients: ops, cells, layers, or your own forward/backward"),
    "train": ("minirnn.models.train_command", "train a model; every run can be resumed exactly"),
    "sample": ("minirnn.models.sample_command", "what a trained model makes: text, tags, classes"),
    "show": ("minirnn.models.show_command", "one page of a run: curves, what it made, its result"),
    "models": ("minirnn.models.models_command", "every model of the sources: folder, chapter, tables, claims"),
    "inspect": ("minirnn.inspect.command", "look into a run's or a cell's gates, gradients and memory: one HTML page"),
    "chapters": ("minirnn.course.chapters_command", "list, run, build or open the course's notebooks"),
    "course": ("minirnn.course.course_command", "exercises: hand them out, grade submissions, see your points"),
    "equations": ("minirnn.course.equations_command", "equations: words, code, tests, chapter; the formula sheet"),
    "demo": ("minirnn.course.demo", "three minutes: prove an LSTM's gradients, train it on real text, read the report"),
    "bench": ("minirnn.bench.command", "time workloads, alone or against PyTorch and JAX, once gradients agree"),
    "reproduce": ("minirnn.models.reproduce_command", "a table or figure of the sources: paper | ours, claims"),
    "data": ("minirnn.data.command", "list, fetch, locate and diagnose data sets"),
}


def usage():
    """What ``minirnn --help`` prints."""
    lines = ["usage: minirnn COMMAND [options]", "", "commands:"]
    lines += [f"  {name:<12}{text}" for name, (_, text) in COMMANDS.items()]
    lines += ["", "example: minirnn gradcheck lstm", "each command has --help with an example"]
    return "\n".join(lines)


def main(argv=None):
    """Run one command and return its exit status: 0 what was asked holds, 1 it does not, 2 bad input; 130 after
    control-C, 141 where the reader of a pipe went away before the command had its result."""
    argv, status = list(sys.argv[1:] if argv is None else argv), None
    try:
        _make_writable()
        status = _run(argv)
        _flush()
        return status
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        _drop_output()
        return status or BROKEN_PIPE
    except KeyboardInterrupt:
        say("minirnn: interrupted")
        return 130
    except (InputError, DtypeError, OSError) as error:
        say(f"minirnn: {error}")
        return 2
    except MemoryError as error:
        say(f"minirnn: not enough memory ({error or 'something asked for is too large'})")
        return 2


def _run(argv):
    if not argv or argv[0] in ("-h", "--help"):
        print(usage())
        return 0 if argv else 2
    if argv[0] == "--version":
        import minirnn

        print(minirnn.__version__)
        return 0
    if argv[0] not in COMMANDS:
        say(f"minirnn: unknown command {argv[0]!r}; {near(argv[0], COMMANDS) or 'commands are ' + ', '.join(COMMANDS)}")
        return 2
    command = importlib.import_module(COMMANDS[argv[0]][0])
    use_threads()
    if all(word.isprintable() for word in argv):
        return command.main(argv[1:])
    with contextlib.redirect_stderr(_Harmless(sys.stderr)):  # parsers repeat what they do not understand
        return command.main(argv[1:])


class _Harmless:
    """A stream that writes control characters out: what was typed must not command the terminal."""

    def __init__(self, stream):
        self.stream = stream

    def write(self, text):
        return self.stream.write(printable(text))

    def __getattr__(self, name):
        return getattr(self.stream, name)


def _make_writable():
    """Let output take every character: an ASCII terminal, or one of Windows, shows "\\u2192" for an arrow it lacks."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who started us
            setattr(sys, name, open(os.devnull, "w"))
        elif hasattr(getattr(sys, name), "reconfigure"):
            getattr(sys, name).reconfigure(errors="backslashreplace")


def _flush():
    """A pipe that broke or a disk that is full may show only now."""
    try:
        sys.stdout.flush()
    except OSError:
        _drop_output()
        raise


def _drop_output():
    """Send what is left to nowhere, or Python tries again as it ends, complains and chooses the exit status."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())

"""``minirnn sample RUN``: what a trained model makes of it, by the model's own ``sample.py``."""

import sys
from dataclasses import fields
from pathlib import Path

from minirnn.errors import InputError, must_be, printable
from minirnn.files import make_folder, write_atomically
from minirnn.models import registry
from minirnn.options import Parser
from minirnn.train.options import add_options

USAGE = """usage: minirnn sample RUN [options]     text from a language model, tags of a tagger, classes of a classifier

examples: minirnn sample runs/word-lm-python-help-lstm-1 --prime "the value of" --temperature 0.8
          minirnn sample runs/tagger-1 --text "Ann lives in Rome ."

'minirnn sample RUN --help' lists the options that the run's model has. It need not have ended."""


def parser_of(name):
    """(Parser, default Options) of ``minirnn sample`` for a registered model; InputError where it has no sample."""
    module = registry.stem_of(name, "sample")
    if module is None:
        raise InputError(must_be("sample", "RUN", "a run of a model that can show something", f"one of {name}"))
    parser = Parser("minirnn sample RUN", f"Show what a trained model makes; {name}: {registry.MODELS[name].about}.")
    group = parser.add_argument_group("which parameters, and where to")
    group.add_argument("--checkpoint", choices=("best", "last"), metavar="best|last", help="default best")
    group.add_argument("--out", type=Path, metavar="FOLDER", help="write all that was made into this folder")
    group.add_argument("--json", action="store_true", help="print JSON for a program to read")
    group.add_argument("-h", "--help", action="store_true", help="this text")
    add_options(parser, module.Options())
    return parser, module


def main(argv):
    """Run ``minirnn sample``; 0 when something was made, 2 for bad input."""
    if not argv or argv[0].startswith("-"):
        asked = bool({"-h", "--help"} & set(argv))
        print(USAGE, file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    name = registry.name_of(argv[0])
    parser, module = parser_of(name)
    options = parser.parse(argv[1:])
    if options.get("help"):
        print(parser.format_help())
        return 0
    run = registry.load(argv[0], options.get("checkpoint", "best"), say=lambda text: print(text, file=sys.stderr))
    own = {field.name for field in fields(module.Options)}
    made = module.sample(run, module.Options().but(**{key: value for key, value in options.items() if key in own}))
    shown = made["sample.json" if "json" in options else "sample.txt"].decode()
    sys.stdout.write(shown if "json" in options else "\n".join(map(printable, shown.split("\n"))))
    if "out" in options:
        make_folder(options["out"])
        for file, content in made.items():
            write_atomically(options["out"] / file, content)
    return 0

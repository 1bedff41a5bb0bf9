"""``minirnn train MODEL`` and ``minirnn train --resume RUN``."""

import json
import sys
from pathlib import Path

from minirnn.errors import InputError, must_be, near
from minirnn.files import naming
from minirnn.models import registry
from minirnn.options import Parser
from minirnn.train.options import add_options

EXIT_STATUS = """Exit status: 0 trained to the end, 1 given up (updates stayed non-finite),
2 bad input or a full disk, 130 or 143 interrupted by Ctrl-C or SIGTERM after
writing a checkpoint."""


def usage():
    """What ``minirnn train --help`` prints."""
    models = "\n".join(f"  {name:<16}{model.about}" for name, model in registry.MODELS.items())
    return f"""usage: minirnn train MODEL [options]          train a model
       minirnn train --resume RUN [options]   go on with a run exactly where it stopped

models:
{models}

examples: minirnn train word-lm --quick
          minirnn train char-lm --text mybook.txt --hidden 256 --name mybook
          minirnn train word-lm --preset thesis --rate 0.25 --scheme update
          minirnn train --resume runs/mybook

Each form has --help. {EXIT_STATUS}"""


def parser_of(name, preset=None, **given):
    """The Parser of ``minirnn train NAME``; its help shows the defaults of a preset with what is ``given``."""
    known = list(registry.presets(name))
    parser = Parser(
        f"minirnn train {name}",
        f"Train {name}: {registry.MODELS[name].about}.\n\nExample: minirnn train {name} --quick --name first",
        f"{NONE_HELP}\n{EXIT_STATUS}",
    )
    run = parser.add_argument_group("what to train, and where")
    run.add_argument("--preset", choices=known, metavar="|".join(known),
                     help=f"default {known[0]}; thesis: its own sizes; classroom: minutes; quick: seconds")
    run.add_argument("--quick", action="store_true", help="the same as --preset quick")
    run.add_argument("--config", type=Path, metavar="FILE", help="start from the configuration in a config.json")
    run.add_argument("--name", help="name of the run folder; default: the model, its data and a number")
    run.add_argument("--runs", type=Path, metavar="FOLDER", help="folder of the run folders, default runs")
    run.add_argument("--data-folder", type=Path, metavar="FOLDER",
                     help="where the sets' files are; default MINIRNN_DATA, then the cache, then a download")
    run.add_argument("--twin", action="store_true", help="use the generated twin of the set: the same as --source twin")
    run.add_argument("--json", action="store_true", help="print result.json to standard output")
    run.add_argument("--silent", action="store_true", help="no progress")
    run.add_argument("-h", "--help", action="store_true",
                     help="this text; with a preset or options beside it, what is then the default")
    add_options(parser, registry.configure(name, preset, **given))
    return parser


NONE_HELP = """What is not given comes from the preset. Where nothing is a choice, write
'none': --clip none."""
OWN = ("preset", "quick", "config", "name", "runs", "data_folder", "twin", "json", "silent", "help")


def elsewhere(name):
    """A function that says of a flag, in words, which other model has it."""

    def say(flag):
        wanted = flag.lstrip("-").replace("-", "_")
        owners = []
        for other in registry.MODELS:
            names = registry.task_of(other).CONFIG.names()
            if other != name and any(wanted in (known, known.split(".")[-1]) for known in names):
                owners.append(other)
        return f"{flag} is an option of {', '.join(owners)}" if owners else ""

    return say


def _chosen(options):
    """(preset or None, {entry of the configuration: value}) of parsed options."""
    preset = "quick" if options.get("quick") else options.get("preset")
    return preset, {key: value for key, value in options.items() if key not in OWN}


def configuration_of(name, options):
    """The configuration that parsed ``options`` of ``parser_of(name)`` ask for; InputError for what contradicts."""
    preset, given = _chosen(options)
    if options.get("quick") and options.get("preset", "quick") != "quick":
        got = f"--quick and {options['preset']}"
        raise InputError(f"train: --quick and --preset must be given one at a time, got {got}")
    if options.get("twin"):
        if given.get("text") is not None:
            raise InputError("train: --twin must be given with a data set, got --text; a file of yours has no twin")
        given["source"] = "twin"
    if "config" not in options:
        return registry.configure(name, preset, **given)
    if preset is not None:
        raise InputError("train: --config must be given without --preset, got both")
    return read_configuration(name, options["config"]).but(**given)


def read_configuration(name, path):
    """The configuration in a config.json, also one that an older minirnn wrote; InputError when there is none."""
    with naming(path, "read"):
        text = Path(path).read_bytes()
    try:
        stored = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(must_be("train", "--config", "a JSON file", f"{path} ({error})")) from None
    if not isinstance(stored, dict) or not isinstance(stored.get("config"), dict):
        raise InputError(must_be("train", "--config", "the config.json of a run", str(path)))
    if stored.get("model", name) != name:
        raise InputError(must_be("train", "--config", f"one of {name}", f"one of {stored['model']}"))
    return registry.configuration(name, stored["config"])


def resume_parser():
    """The Parser of ``minirnn train --resume RUN``."""
    parser = Parser("minirnn train --resume RUN", "Go on with a run from its newest usable checkpoint; the result is "
                    "that of the\nuninterrupted run. Example: minirnn train --resume runs/word-lm-python-help-lstm-1",
                    EXIT_STATUS)
    parser.add_argument("--resume", type=Path, metavar="RUN", help="the run folder")
    parser.add_argument("--data-folder", type=Path, metavar="FOLDER", help="where the data are; default MINIRNN_DATA")
    parser.add_argument("--text", type=Path, metavar="FILE", help="where the text file is now, if it was moved")
    parser.add_argument("--end", action="store_true", help="train no further: test the best epoch so far")
    parser.add_argument("--json", action="store_true", help="print result.json to standard output")
    parser.add_argument("--silent", action="store_true", help="no progress")
    parser.add_argument("-h", "--help", action="store_true", help="this text")
    return parser


def main(argv):
    """Run ``minirnn train``; exit status as EXIT_STATUS says."""
    if not argv or argv[0] in ("-h", "--help"):
        print(usage(), file=sys.stdout if argv else sys.stderr)
        return 0 if argv else 2
    if argv[0] in registry.MODELS:
        return _train(argv[0], argv[1:])
    if any(word == "--resume" or word.startswith("--resume=") for word in argv):
        return _resume(argv)
    known = ", ".join(registry.MODELS)
    is_run = (Path(argv[0]) / "config.json").is_file()
    hint = f"go on with a run: --resume {argv[0]}" if is_run else near(argv[0], registry.MODELS)
    raise InputError(must_be("train", "model", f"one of {known} (or --resume RUN)", repr(argv[0]), hint))


def _train(name, argv):
    options = parser_of(name).parse(argv, elsewhere(name))
    if options.get("help"):
        preset, given = _chosen(options)
        print(parser_of(name, preset, **given).format_help())
        return 0
    config = configuration_of(name, options)
    outcome = registry.train(name, config, options.get("runs", "runs"), options.get("name"),
                             options.get("data_folder"), quiet="silent" in options)
    return _ended(outcome, options)


def _resume(argv):
    parser = resume_parser()
    if {"-h", "--help"} & set(argv):
        print(parser.format_help())
        return 0
    options = parser.parse(argv)
    outcome = registry.resume(options["resume"], options.get("data_folder"), options.get("text"),
                              quiet="silent" in options, end="end" in options)
    return _ended(outcome, options)


def _ended(outcome, options):
    if "json" in options and outcome.result is not None:
        print(json.dumps(outcome.result, indent=1))
    return outcome.status

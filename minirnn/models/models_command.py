"""``minirnn models``: every model of the sources, where it lives, and how its claims stand."""

import json
import sys
from pathlib import Path

from minirnn.models import registry
from minirnn.options import Parser

RESULTS = Path(__file__).resolve().parents[2] / "chapters" / "results"


def claims_of(table, results=RESULTS):
    """{"held": 3, "not held": 1} of the committed classroom results of a table; {} where none are committed."""
    path, counts = results / f"{table}-classroom.json", {}
    if not path.is_file():
        path = results / f"{table}.json"
    if not path.is_file():
        return {}
    for claim in json.loads(path.read_text(encoding="utf-8"))["claims"]:
        counts[claim["verdict"]] = counts.get(claim["verdict"], 0) + 1
    return counts


def listing(results=RESULTS):
    """[{"model", "about", "folder", "chapter", "gradient cases", "presets", "tables": {name: claims}}]."""
    return [
        {"model": name, "about": model.about, "folder": f"minirnn/models/{model.folder}", "chapter": model.chapter,
         "gradient cases": list(model.cases), "presets": list(registry.presets(name)),
         "tables": {table: claims_of(table, results) for table in model.tables}}
        for name, model in registry.MODELS.items()
    ]


def main(argv):
    """Run ``minirnn models``; 0."""
    parser = Parser("minirnn models", "List every model: what it is, its folder, chapter, gradient cases, tables and "
                    "the state of\ntheir claims. Example: minirnn models --json")
    parser.add_argument("--json", action="store_true", help="print JSON for a program to read")
    parser.add_argument("-h", "--help", action="store_true", help="this text")
    options = parser.parse(argv)
    if "help" in options:
        print(parser.format_help())
        return 0
    found = listing()
    if "json" in options:
        print(json.dumps(found, indent=1))
        return 0
    for line in found:
        print(f"{line['model']:<16}{line['about']}")
        print(f"{'':<16}{line['folder']}, chapter {line['chapter']}, gradcheck {', '.join(line['gradient cases'])}")
        for table, counts in line["tables"].items():
            state = ", ".join(f"{number} {word}" for word, number in counts.items()) or "no results committed"
            print(f"{'':<16}{table}: {state}")
    print("\ntrain one: minirnn train NAME --quick", file=sys.stderr)
    return 0

"""``minirnn show RUN``: one page of a run, whatever it trained: its curves, what it made on the way, its result."""

import hashlib
import html
import json
from pathlib import Path

from minirnn.errors import InputError, must_be
from minirnn.files import check_writable, write_atomically
from minirnn.models import registry
from minirnn.options import Parser
from minirnn.plots import png
from minirnn.plots.curves import run_curves
from minirnn.plots.page import Section, page, picture, table, text
from minirnn.terminal import written
from minirnn.train.run_folder import RunFolder

PICTURES, TEXTS = (".png",), (".txt", ".json")
MOST = 12  # attachments of one name: the first, the last and some between
HIDDEN = ("run", "metrics", "data", "parameters_sha256", "chain")


def page_of(path):
    """The HTML page of the run in folder ``path``, ended or not; InputError where it is none or damaged."""
    name, run_folder = registry.name_of(path), RunFolder.open(path)
    stored, lines, result = run_folder.config(), run_folder.read_metrics(), run_folder.read_result()
    config = registry.configuration(name, stored["config"])
    sections = [Section("Result", _result(result)), Section("Curves", _curves(lines))]
    made = _attachments(run_folder.path, lines)
    if made:
        sections.append(Section("What it made", f"<div class=made>{made}</div>"))
    rows = [[key, json.dumps(value)] for key, value in _flat(config.to_json())]
    sections.append(Section("Configuration", table(["entry", "value"], rows)))
    about = html.escape(f"{name}: {registry.MODELS[name].about}; {len(lines)} lines of metrics.jsonl.")
    return page(run_folder.path.resolve().name, sections, before=f"<p>{about}</p>")


def _result(result):
    if result is None:
        return "<p>It has not ended: go on with <code>minirnn train --resume</code>.</p>"
    rows = [[key.replace("_", " "), ("n", _in_words(value))] for key, value in result.items() if key not in HIDDEN]
    data = result["data"]
    return table(["", ""], [["data", f"{data['name']} ({data['origin']})"], *rows])


def _in_words(value):
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value)


def _curves(lines):
    epochs = [line for line in lines if line["kind"] == "epoch"]
    if not epochs:
        return "<p>No epoch has ended yet.</p>"
    words = f"{len(epochs)} epochs; each panel is one number that was measured after every epoch."
    return picture(png(run_curves(epochs)), words) + f"<p>{words}</p>"


def _attachments(folder, lines):
    """The kept files of each name in the order of the run, at most MOST of them; missing ones are named."""
    by_name = {}
    for line in lines:
        if line["kind"] == "attachment":
            by_name.setdefault(line["file"].partition("-")[2].partition("-")[2], []).append(line)
    parts = []
    for name, kept in by_name.items():
        chosen = sorted({round(k * (len(kept) - 1) / max(1, MOST - 1)) for k in range(MOST)})
        for line in (kept[k] for k in chosen):
            parts.append(f"<h3>{html.escape(name)} after epoch {line['epoch']}</h3>" + _shown(folder, line))
    return "\n".join(parts)


def _shown(folder, line):
    path = folder / line["file"]
    if not path.is_file():
        return "<p>It is no longer in the run folder.</p>"
    if hashlib.sha256(path.read_bytes()).hexdigest() != line.get("sha256"):
        return "<p>It is not as it was kept: somebody changed it, or the disk is failing.</p>"
    if path.suffix in PICTURES:
        return picture(path.read_bytes(), path.name)
    if path.suffix in TEXTS:
        return text(path.read_text(encoding="utf-8", errors="replace"))
    return f"<p>{html.escape(path.name)}, {path.stat().st_size:,} bytes</p>"


def _flat(values, prefix=""):
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def main(argv):
    """Run ``minirnn show``; 0 the page is written, 2 bad input."""
    parser = Parser("minirnn show RUN", "Write one HTML page of a run: curves, what it made, its result.\n"
                    "Example: minirnn show runs/word-lm-python-help-lstm-1")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the page; default RUN/show.html")
    parser.add_argument("-h", "--help", action="store_true", help="this text")
    if not argv or argv[0].startswith("-"):
        if {"-h", "--help"} & set(argv):
            print(parser.format_help())
            return 0
        raise InputError(must_be("show", "RUN", "a run folder", argv[0] if argv else "none"))
    options = parser.parse(argv[1:])
    if "help" in options:
        print(parser.format_help())
        return 0
    made = page_of(argv[0])
    out = options.get("out", Path(argv[0]) / "show.html")
    check_writable(out, "show", "--out")
    write_atomically(out, made.encode())
    written("page", out)
    return 0

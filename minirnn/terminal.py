"""What a terminal adds to printed text: colour for verdicts, links to written pages. Elsewhere text stays plain."""

import os
import re
import sys
from pathlib import Path

GOOD, BAD, OPEN = "\033[32m", "\033[1;31m", "\033[33m"  # green, bold red, yellow
END = "\033[0m"
VERDICTS = [
    (re.compile(r"\bPASS\b|^ *held\b(?=  )", re.M), GOOD),
    (re.compile(r"\bWRONG\b|\bNON-DETERMINISTIC\b|^ *NOT HELD\b(?=  )|\bFAILED\b", re.M), BAD),
    (re.compile(r"\bUNDECIDABLE AT THIS PRECISION\b|\bKINK\b|^ *(?:cannot tell|not judged)\b(?=  )", re.M), OPEN),
]


def coloured(text, stream=None):
    """``text`` with its verdicts in colour where ``stream`` (standard output) is a terminal and NO_COLOR is not set."""
    if not shows_colour(stream):
        return text
    for pattern, colour in VERDICTS:
        text = pattern.sub(lambda found, colour=colour: f"{colour}{found[0]}{END}", text)
    return text


def shows_colour(stream=None):
    """Whether a stream takes colour: a terminal that is not dumb, and nobody has set NO_COLOR (no-color.org)."""
    stream = sys.stdout if stream is None else stream
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def written(what, path, stream=None):
    """Print that a page was written: "page: runs/a/show.html", and on a terminal a link that can be opened."""
    stream = sys.stdout if stream is None else stream
    print(f"{what}: {path}", file=stream)
    if stream.isatty():
        print(f"  {Path(path).resolve().as_uri()}", file=stream)

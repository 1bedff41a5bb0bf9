"""Write the table of measured ratios into README.md, between its two marks, from benchmarks/results/float32.json.

    python benchmarks/readme_table.py
"""

import json
import re
import sys
from pathlib import Path

from minirnn.bench import report
from minirnn.files import write_atomically

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "benchmarks" / "results" / "float32.json"
DROPOUT = (
    "In rows with dropout minirnn draws and applies masks of recurrent dropout at every step; the rivals, which have "
    "no such dropout, do the work without it, and no-masks is minirnn without it."
)
MARKS = "<!-- measured: made by benchmarks/readme_table.py -->", "<!-- end of measured -->"


def table(results):
    """The text between the marks, for the path of a result of ``minirnn bench``."""
    result = json.loads(results.read_text(encoding="utf-8"))
    about, settings = result["machine"], result["settings"]
    took = max(row["others_took"] or 0 for row in result["workloads"].values())
    lines = [
        f"Measured {result['date']} on {about['processor']}, {about['logical_processors']} logical processors, "
        f"{settings['dtype']}, {'one thread' if settings['threads'] == 1 else str(settings['threads']) + ' threads'} a "
        f"library{', processor time' if settings['clock'] == 'process' else ''}; "
        + ", ".join(f"{name} {about[name]}" for name in ("torch", "jax", "numpy", "numba") if name in about)
        + ". A ratio is the rival's time over minirnn's: above 1 minirnn is faster. torch-m is PyTorch with glibc "
        "told to keep freed memory. Layers (B, T, D, H) are forward and backward with every gradient, checked to agree "
        "before anything is timed."
        + (" " + DROPOUT if any("no-masks" in row["sides"] for row in result["workloads"].values()) else ""),
        "",
        report.markdown(result),
    ]
    if "start_up" in result:
        lines += ["", "Start-up: " + "; ".join(report.startup_lines(result["start_up"])) + "."]
    memory = [
        f"{report.words(name)} " + ", ".join(f"{side} {m['peak']:.0f}" for side, m in row["memory_mib"].items())
        for name, row in result["workloads"].items() if "memory_mib" in row
    ]  # fmt: skip
    if memory:
        lines += ["", f"Peak memory of the process in MiB: {'; '.join(memory)}."]
    if took > 0.05:
        uncertain = "so times are upper bounds" + ("" if settings["clock"] == "process" else " and ratios uncertain")
        lines += ["", f"Other programs took up to {100 * took:.0f} % of the processors meanwhile, {uncertain}."]
    return "\n".join(lines)


def filled(readme):
    """README.md's text with the table put between the marks."""
    start, end = MARKS
    between = re.compile(f"{re.escape(start)}.*{re.escape(end)}", re.DOTALL)
    return between.sub(lambda _: f"{start}\n{table(RESULT)}\n{end}", readme)


def main():
    path = ROOT / "README.md"
    text = path.read_text(encoding="utf-8")
    write_atomically(path, filled(text).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())

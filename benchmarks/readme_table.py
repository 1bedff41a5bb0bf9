"""Write what was measured into README.md and benchmarks/README.md, between their marks, from benchmarks/results.

    python benchmarks/readme_table.py
"""

import json
import re
import sys
from pathlib import Path

from minirnn.bench import report
from minirnn.files import write_atomically

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
RUNS = ("float32.json", "float32-run2.json", "float32-run3.json")
DROPOUT = (
    "In rows with dropout minirnn draws and applies masks of recurrent dropout at every step; the rivals, which have "
    "no such dropout, do the work without it, and no-masks is minirnn without it."
)
MARKS = "<!-- measured: made by benchmarks/readme_table.py -->", "<!-- end of measured -->"


def read(name):
    """A committed result."""
    return json.loads((RESULTS / name).read_text(encoding="utf-8"))


def table(names=RUNS):
    """The text of the main README, from the results of several runs of ``minirnn bench``."""
    result = report.over_runs([read(name) for name in names])
    about, settings = result["machine"], result["settings"]
    took = max(row["others_took"] or 0 for row in result["workloads"].values())
    lines = [
        f"Measured {result['date']} on {about['processor']}, {about['logical_processors']} logical processors, "
        f"{settings['dtype']}, {'one thread' if settings['threads'] == 1 else str(settings['threads']) + ' threads'} a "
        f"library{', processor time' if settings['clock'] == 'process' else ''}; "
        + ", ".join(f"{name} {about[name]}" for name in ("torch", "jax", "numpy", "numba") if name in about)
        + f". Medians of {len(names)} separate runs, in brackets the least and the greatest run's ratio. A ratio is "
        "the rival's time over minirnn's: above 1 minirnn is faster. torch-m is PyTorch with glibc "
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
    ]
    if memory:
        lines += ["", f"Peak memory of the process in MiB: {'; '.join(memory)}."]
    if took > 0.05:
        uncertain = "so times are upper bounds" + ("" if settings["clock"] == "process" else " and ratios uncertain")
        lines += ["", f"Other programs took up to {100 * took:.0f} % of the processors meanwhile, {uncertain}."]
    return "\n".join(lines)


def details():
    """The text of benchmarks/README.md: layers of all sizes beside PyTorch, and where a layer's time goes."""
    sizes, profile = read("grid.json"), read("where_time_goes.json")
    settings, runs = sizes["settings"], report.over_runs([read(name) for name in RUNS])
    lines = [
        f"Times of PyTorch over minirnn's, {settings['dtype']}, {settings['threads']} threads, D = H, on "
        f"{sizes['machine']['processor']}, {sizes['date']}:",
        "",
        report.grid(sizes),
        "",
        f"Jobs of a layer on one thread, whose peak is {profile['peak_gflops']:.0f} GF/s (NumPy's product of two large "
        "matrices in the same run): the share of that peak which the whole layer, its recurrences and its products "
        "over all steps reach. What is left up to 100 % is all that any other arrangement of the same work could gain "
        "on this machine.",
        "",
        "| layer | ms | of peak | recurrence forward, backward | products |",
        "|---|---|---|---|---|",
    ]
    for name, layer in profile["layers"].items():
        share = {True: [], False: []}
        for job in layer["jobs"]:
            if job["gflops"]:
                share["recur" in job["job"]].append(f"{100 * job['fraction_of_peak']:.0f} %")
        digits = 0 if layer["ms"] >= 100 else 1
        lines.append(
            f"| {report.words(name)} | {layer['ms']:.{digits}f} | {100 * layer['fraction_of_peak']:.0f} % | "
            f"{', '.join(share[True])} | {', '.join(share[False])} |"
        )
    lines += [
        "",
        "The same share on two threads, for each library (medians of the runs in the main README): a ratio cannot "
        "exceed 100 % over the rival's share.",
        "",
        "| work | minirnn | torch | torch-m |",
        "|---|---|---|---|",
    ]
    for name, row in runs["workloads"].items():
        if "fraction_of_peak" in row and "dropout" not in name:
            shares = (f"{100 * row['fraction_of_peak'][side]:.0f} %" for side in ("minirnn", "torch", "torch-m"))
            lines.append(f"| {report.words(name)} | {' | '.join(shares)} |")
    return "\n".join(lines)


def filled(readme, text):
    """A README with ``text`` put between the marks."""
    start, end = MARKS
    between = re.compile(f"{re.escape(start)}.*{re.escape(end)}", re.DOTALL)
    return between.sub(lambda _: f"{start}\n{text}\n{end}", readme)


def main():
    for path, text in ((ROOT / "README.md", table()), (ROOT / "benchmarks" / "README.md", details())):
        write_atomically(path, filled(path.read_text(encoding="utf-8"), text).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())

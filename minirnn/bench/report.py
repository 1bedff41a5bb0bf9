"""A benchmark's result: rows as JSON, lines of a table for people, a table in Markdown for the README."""

import datetime
import os
import platform
import statistics
from importlib import metadata
from pathlib import Path

from minirnn.bench.interleave import quartiles

OURS = ("minirnn", "kernels")


def machine(libraries):
    """What a reader needs to place the numbers: processor, versions, load. No names of hosts or people."""
    model, flags = platform.machine(), ""
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            model = value.strip() if name.strip() == "model name" else model
            flags = value if name.strip() == "flags" else flags
    return {
        "processor": model,
        "logical_processors": os.cpu_count(),
        "avx512": "avx512f" in flags,
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in ("numpy", "numba", "llvmlite", *libraries)},
    }


def load():
    """Average number of runnable processes over the last minute, or None where the system does not say."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def today():
    """The date, as written in results."""
    return datetime.date.today().isoformat()


def row(workload, seconds, differ, others, peak, memory):
    """One workload's result. ``seconds``: {side: [of a step, one a round]}; peak: best flops a second of a product.

    A ratio is a rival's time over minirnn's, so above 1 minirnn is faster.
    """
    unit, scale, pieces = workload.unit
    ours = seconds["minirnn"]
    result = {
        "unit": unit,
        "sides": {side: quartiles([scale * s for s in values]) for side, values in seconds.items()},
        "ratios": {
            side: quartiles([b / a for a, b in zip(ours, values)])
            for side, values in seconds.items() if side not in OURS
        },
        "gradients_differ_by": None if differ is None else float(f"{differ:.1e}"),
        "others_took": None if others is None else round(others, 3),
    }
    if peak:
        reached = {side: workload.flops / statistics.median(values) / peak for side, values in seconds.items()}
        result["gemm_gflops"] = round(peak / 1e9, 1)
        result["fraction_of_peak"] = {side: round(fraction, 3) for side, fraction in reached.items()}
    if memory:
        result["memory_mib"] = memory
    return result


def line(name, result):
    """One line for people: median and spread of each side, ratios, fraction of the peak."""
    cells = []
    for side, figures in result["sides"].items():
        low, high = figures["quartiles"]
        ratio = f" x{result['ratios'][side]['median']:.2f}" if side in result["ratios"] else ""
        cells.append(f"{side} {figures['median']:.4g} [{low:.4g} {high:.4g}]{ratio}")
    ends = [result["unit"]]
    if "fraction_of_peak" in result:
        ends.append(f"{100 * result['fraction_of_peak']['minirnn']:.0f}% of {result['gemm_gflops']:.0f} GF/s")
    if "memory_mib" in result:
        ends.append("peak MiB " + ", ".join(f"{side} {m['peak']:.0f}" for side, m in result["memory_mib"].items()))
    if result["others_took"] is not None:
        ends.append(f"others took {100 * result['others_took']:.0f}%")
    return f"{name:<20} " + "  ".join([*cells, *ends])


def startup_lines(figures):
    """Lines for people about ``startup.measure``'s result."""
    words = {"import_beyond_numpy": "import minirnn, beyond NumPy's", "cold_compilation": "first LSTM, empty cache",
             "first_kernel_beyond_numba": "first LSTM, kernels in the cache, beyond importing Numba"}
    return [f"{words[key]}: {value['median']:.2f} s" for key, value in figures.items()]


def over_runs(reports):
    """Several reports of the same workloads as one: medians over the runs, and each run's ratios as ``runs``."""
    merged = {**reports[0], "workloads": {}}
    for name, first in reports[0]["workloads"].items():
        rows = [report["workloads"][name] for report in reports]
        ratios = {side: sorted(row["ratios"][side]["median"] for row in rows) for side in first["ratios"]}
        row = merged["workloads"][name] = {
            **first,
            "sides": {side: {"median": statistics.median(r["sides"][side]["median"] for r in rows)}
                      for side in first["sides"]},
            "ratios": {side: {"median": statistics.median(values), "runs": values} for side, values in ratios.items()},
            "others_took": max((r["others_took"] or 0 for r in rows), default=0),
        }
        if "fraction_of_peak" in first:
            sides = {side: statistics.median(r["fraction_of_peak"][side] for r in rows) for side in first["sides"]}
            row["fraction_of_peak"] = sides
    if "start_up" in reports[0]:
        merged["start_up"] = {
            key: {"median": statistics.median(report["start_up"][key]["median"] for report in reports)}
            for key in reports[0]["start_up"]
        }
    return merged


def _ratio(ratio):
    """ "1.10", or with several runs "1.10 (1.06 - 1.13)"."""
    runs = ratio.get("runs", [])
    return f"{ratio['median']:.2f}" + (f" ({runs[0]:.2f} - {runs[-1]:.2f})" if len(runs) > 1 else "")


def markdown(report):
    """The table of ratios for a README: one row a workload, one column a rival; rows by workload in order."""
    compared = {side for result in report["workloads"].values() for side in result["ratios"]}
    rivals = [side for side in ("torch", "torch-m", "jax", "no-masks") if side in compared]
    header = ["work", "minirnn", *(f"x {rival}" for rival in rivals), "of GEMM peak"]
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    for name, result in report["workloads"].items():
        unit = "us/op" if "operation" in result["unit"] else result["unit"]
        ratios = [_ratio(result["ratios"][r]) if r in result["ratios"] else "" for r in rivals]
        fraction = f"{100 * result['fraction_of_peak']['minirnn']:.0f} %" if "fraction_of_peak" in result else ""
        time = f"{result['sides']['minirnn']['median']:.3g} {unit}"
        lines.append("| " + " | ".join([words(name), time, *ratios, fraction]) + " |")
    return "\n".join(lines)


def grid(report, rival="torch"):
    """The ratios of recurrent layers of all sizes, one table a cell: a row for each B and T, a column for each H."""
    found = {}
    for name, result in report["workloads"].items():
        cell, B, T, _, H = name.split("_")
        found.setdefault(cell, {}).setdefault((int(B), int(T)), {})[int(H)] = result["ratios"][rival]["median"]
    lines = []
    for cell, rows in found.items():
        widths = sorted({H for row in rows.values() for H in row})
        lines += [f"| {cell.upper()}: B, T | " + " | ".join(f"H = {H}" for H in widths) + " |"]
        lines += ["|---" * (len(widths) + 1) + "|"]
        lines += [f"| {B}, {T} | " + " | ".join(f"{row[H]:.2f}" for H in widths) + " |"
                  for (B, T), row in sorted(rows.items())]
        lines += [""]
    return "\n".join(lines).rstrip()


def words(name):
    """ "lstm-dropout_32_35_256_256" -> "LSTM 32, 35, 256, 256, dropout"; names without sizes with spaces."""
    first, *sizes = name.split("_")
    if not sizes:
        return name.replace("-", " ")
    cell, *more = first.split("-")
    return f"{cell.upper()} {', '.join([*sizes, *more])}"

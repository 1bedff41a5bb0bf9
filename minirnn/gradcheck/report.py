"""The printed table, and the HTML report with V-curves."""

import html
import re
from pathlib import Path

from minirnn.gradcheck import view
from minirnn.gradcheck.verdict import Verdict
from minirnn.plots import page as pages
from minirnn.plots import png
from minirnn.plots.vcurve import v_curves

V_CURVES = (
    "Below, the V-curves: each slope was measured at many step sizes. To the right the error is truncation, to the "
    "left rounding; extrapolation deepens the V. The claimed gradient is compared with the value at the bottom, or, "
    "where the function takes complex arguments, with the complex step, which has no rounding side at all."
)


def table(rows):
    """Lines of text, one for each row: its kind, name, verdict and the error of every part."""
    width = max((len(row.name) for row in rows), default=0)
    return [row_line(row, width) for row in rows]


def row_line(row, width):
    parts = "  ".join(f"{part.label} {part.error:.1e}" for part in row.parts)
    return f"{row.kind:<7}{row.name:<{width}}  {row.verdict:<6}  {parts}"


def summary(rows, seconds):
    """One line on all rows: how many hold, the worst errors and where, and the time."""
    held = sum(row.verdict is Verdict.PASS for row in rows)
    worst, bottom = max(rows, key=lambda row: row.error), max(rows, key=lambda row: row.bottom)
    return (
        f"{held} of {len(rows)} PASS; worst relative error in float64 {worst.error:.1e} ({worst.kind} {worst.name}), "
        f"at the bottom of the V-curves {bottom.bottom:.1e} ({bottom.kind} {bottom.name}); {seconds:.0f} s"
    )


def slowest(rows, count=10):
    """The cases that took longest, a line each with its seconds."""
    longest = sorted(rows, key=lambda row: -row.seconds)[:count]
    return [f"the {len(longest)} slowest:", *(f"  {row.seconds:6.1f} s  {row.kind} {row.name}" for row in longest)]


def details(row):
    """The findings of a row that was asked for by name, or that did not pass."""
    lines = []
    for part in row.parts:
        if part.finding is not None:
            lines.append(str(part.finding))
        else:
            lines.append(
                f"{row.name}, {part.label} against explicit: {part.verdict}  largest difference {part.error:.1e}"
            )
    return lines


def as_json(rows, seconds):
    """Everything a program may want of the rows, as plain data."""
    return {
        "verdict": str(max((row.verdict for row in rows), key=lambda v: v.severity)),
        "cases": len(rows),
        "passed": sum(row.verdict is Verdict.PASS for row in rows),
        "worst_relative_error": max(row.error for row in rows),
        "bottom_of_v": max(row.bottom for row in rows),
        "seconds": round(seconds, 2),
        "rows": [
            {
                "kind": row.kind,
                "name": row.name,
                "verdict": str(row.verdict),
                "seconds": round(row.seconds, 3),
                "parts": [
                    {
                        "label": part.label,
                        "error": part.error,
                        "verdict": str(part.verdict),
                        **({"finding": part.finding.as_dict()} if part.finding is not None else {}),
                    }
                    for part in row.parts
                ],
            }
            for row in rows
        ],
    }


def write_html(folder, rows, headline):
    """Write folder/report.html, self-contained, and each figure beside it as a PNG; returns the path of the page.

    Where there are many rows, operations that pass go without a figure. Raises OSError for a folder that cannot be
    written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    drawn = rows if len(rows) <= 12 else [row for row in rows if row.kind != "op" or row.verdict is not Verdict.PASS]
    figures = {}
    for row in drawn:
        for part in row.parts:
            if part.finding is not None:
                name = re.sub(r"[^A-Za-z0-9]+", "_", f"{row.kind} {row.name} {part.label}").strip("_")
                figures[name] = (part.finding, png(v_curves(part.finding)) if part.finding.tensors else None)
    for name, (_, image) in figures.items():
        if image is not None:
            (folder / f"{name}.png").write_bytes(image)
    page = folder / "report.html"
    page.write_text(_page(rows, figures, headline), encoding="utf-8")
    return page


def _page(rows, figures, headline):
    listed = [[row.kind, row.name, view.coloured(row.verdict),
               ("n", ", ".join(f"{part.label} {part.error:.1e}" for part in row.parts))] for row in rows]
    overview = f"<p>{html.escape(headline)}</p>" + pages.table(["kind", "case", "verdict", "errors"], listed)
    curves = [pages.Section("", f"<p>{V_CURVES}</p>")]
    for name, (finding, image) in figures.items():
        kind, verdict = view.coloured(finding.verdict)
        heading = f"{html.escape(finding.name)}: <span class={kind}>{verdict}</span>"
        drawn = "" if image is None else pages.picture(image, f"V-curves of {name}")
        curves.append(pages.Section(heading, view.body(finding) + drawn))
    return pages.page("Gradient report", curves, before=overview, style=view.STYLE)

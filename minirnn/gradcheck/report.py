"""The printed table, and the HTML report with V-curves."""

import base64
import html
import re
from pathlib import Path

from minirnn.gradcheck.verdict import Verdict
from minirnn.plots.vcurve import png, v_curves

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 }
td, th { padding: .15em .8em; text-align: left; border-bottom: 1px solid #ddd }
td.n { font-variant-numeric: tabular-nums } .PASS { color: #17692c } .bad { color: #b00020; font-weight: 600 }
pre { background: #f6f6f6; padding: .8em; overflow-x: auto } img { max-width: 100% }
"""


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
            if part.finding is not None and part.finding.tensors:
                name = re.sub(r"[^A-Za-z0-9]+", "_", f"{row.kind} {row.name} {part.label}").strip("_")
                figures[name] = (part.finding, png(v_curves(part.finding)))
    for name, (_, image) in figures.items():
        (folder / f"{name}.png").write_bytes(image)
    page = folder / "report.html"
    page.write_text(_page(rows, figures, headline), encoding="utf-8")
    return page


def _page(rows, figures, headline):
    lines = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>minirnn gradient report</title>",
        f"<style>{STYLE}</style><h1>Gradient report</h1><p>{html.escape(headline)}</p>",
        "<table><tr><th>kind<th>case<th>verdict<th>errors</tr>",
    ]
    for row in rows:
        parts = html.escape(", ".join(f"{part.label} {part.error:.1e}" for part in row.parts))
        verdict, name = _coloured(row.verdict), html.escape(row.name)
        lines.append(f"<tr><td>{row.kind}<td>{name}<td>{verdict}<td class=n>{parts}</tr>")
    lines.append(
        "</table><p>Below, the V-curves: each slope was measured at many step sizes. To the right the error is "
        "truncation, to the left rounding; extrapolation deepens the V. The claimed gradient is compared with the "
        "value at the bottom, or, where the function takes complex arguments, with the complex step, which has no "
        "rounding side at all.</p>"
    )
    for name, (finding, image) in figures.items():
        data = base64.b64encode(image).decode()
        lines.append(f"<h2>{html.escape(finding.name)}: {_coloured(finding.verdict)}</h2>")
        lines.append(f'<img alt="V-curves of {html.escape(name)}" src="data:image/png;base64,{data}">')
        lines.append(f"<pre>{html.escape(str(finding))}</pre>")
    return "\n".join([*lines, "</html>"])


def _coloured(verdict):
    return f'<span class="{"PASS" if verdict is Verdict.PASS else "bad"}">{html.escape(str(verdict))}</span>'

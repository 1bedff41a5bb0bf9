"""A finding as HTML, for a notebook and for the report: a table, and where an array is wrong a map of its errors."""

import html
import math

import numpy as np

from minirnn.gradcheck.verdict import Verdict
from minirnn.plots import page as pages

CELLS = 64  # of a heat map along each axis; more entries share them
WIDTH, CELL, LETTER, LINE = 256, 18, 7, 16  # pixels: of a map, of an entry at most, of a letter and a line of text
SHADES = 8

STYLE = """.finding p { color: var(--ink) } .finding ul { margin: .3rem 0; padding-left: 1.2rem }
.finding table { font-size: .9em } .finding td, .finding th { padding: .15em .6em .15em 0 }
.finding figure { margin: .8rem 0 } .finding figcaption { max-width: 56rem; overflow-wrap: anywhere }
.finding svg { display: block; max-width: 100%; height: auto; margin: .3rem 0 }
.finding pre { margin: .5rem 0; white-space: pre-wrap }
.finding .ground { fill: var(--bar); stroke: var(--rule) } .finding .wrong { fill: var(--bad) }
.finding .frame { stroke: var(--ink); stroke-width: 1.5 } .finding text { fill: var(--ink); font-size: 12px }
"""
# a notebook's theme is not the system's: where it says which it is, that one counts
NOTEBOOK = f""".minirnn {{ color-scheme: light dark; {pages.LIGHT} font-size: 14px; line-height: 1.5;
padding: .3rem .8rem; background: var(--paper); color: var(--ink); {pages.PARTS} {STYLE} }}
@media (prefers-color-scheme: dark) {{ .minirnn {{ {pages.DARK} }} }}
[data-jp-theme-light=true] .minirnn, .vscode-light .minirnn {{ color-scheme: light; {pages.LIGHT} }}
[data-jp-theme-light=false] .minirnn, .vscode-dark .minirnn {{ color-scheme: dark; {pages.DARK} }}
"""


def notebook(finding):
    """What a notebook shows of a Finding, with its own style."""
    kind, verdict = coloured(finding.verdict)
    title = f"<p><b>{html.escape(finding.name)}: <span class={kind}>{verdict}</span></b></p>"
    return f"<div class=minirnn><style>{NOTEBOOK}</style>{title}{body(finding)}</div>"


def body(finding):
    """Everything of a Finding but its name: HTML for a page whose style has ``STYLE``."""
    lines = [finding.nondeterministic] if finding.nondeterministic else [_summary(finding)]
    parts = [f"<p>{html.escape(line)}</p>" for line in lines]
    if finding.diagnosis:
        parts.append(pages.text("\n".join(finding.diagnosis)))
    if finding.tensors:
        head = ["array", "shape", "error", "verdict", "wrong entries"]
        parts.append(pages.table(head, [_row(tensor) for tensor in finding.tensors]))
    parts += [_figure(tensor, finding.rtol) for tensor in finding.tensors if tensor.verdict is not Verdict.PASS]
    if finding.notes:
        parts.append("<ul>" + "".join(f"<li>{html.escape(note)}" for note in finding.notes) + "</ul>")
    return "<div class=finding>" + "\n".join(parts) + "</div>"


def coloured(verdict):
    """A verdict as a cell of ``pages.table``: its class and its text."""
    return "good" if verdict is Verdict.PASS else "bad", str(verdict)


def _summary(finding):
    return (f"Worst relative error {finding.error:.1e}, tolerance {finding.rtol:.0e} ({finding.dtype}, "
            f"{finding.method}; V's bottom {finding.bottom:.1e}).")


def _row(tensor):
    wrong = f"{_wrong(tensor.entries)} of {len(tensor.entries)}" + (" lines" if tensor.measured is None else "")
    return [tensor.name, ("n", str(tensor.shape)), ("n", f"{tensor.error:.1e}"), coloured(tensor.verdict), ("n", wrong)]


def _wrong(entries):
    return sum(entry.verdict is Verdict.WRONG for entry in entries)


def _figure(tensor, rtol):
    """What is wrong with one array, in words and, where every entry was measured, as a map."""
    words = tensor.note or (f"worst at {tensor.place}: {tensor.worst}" if tensor.worst is not None else "")
    drawn = tensor.measured is not None and len(tensor.entries) > 1 and _wrong(tensor.entries)
    return (f"<figure><figcaption><b>{html.escape(tensor.name)}</b>: {html.escape(words)}</figcaption>"
            f"{heat_map(tensor, rtol) if drawn else ''}</figure>")


def heat_map(tensor, rtol):
    """The wrong entries of an array, fuller the larger their error, as an SVG; gates are framed and counted.

    tensor: a TensorFinding of which every entry was measured. Rows are its first axis, columns the others one after the
    other; more than 64 entries along one share cells, which show the largest error among theirs.
    """
    errors = np.array([np.nan_to_num(e.error, nan=np.inf) if e.verdict is Verdict.WRONG else 0 for e in tensor.entries])
    errors = errors.reshape(tensor.shape[0] if tensor.blocks or len(tensor.shape) > 1 else 1, -1)
    errors = errors.T if tensor.across else errors  # gates stand one below the other
    rows, columns = errors.shape
    counts = [f"{gate}: {np.count_nonzero(errors[first:last])} of {errors[first:last].size}"
              for gate, first, last in tensor.blocks]
    lowest = min((last - first for _, first, last in tensor.blocks), default=rows)
    wide, high = min(CELL, WIDTH / columns), max(min(CELL, WIDTH / rows), LINE / lowest)  # pixels of an entry
    width, height, left = columns * wide, rows * high, max((LETTER * len(count) + 8 for count in counts), default=0)
    frames = "".join(
        f'<text x="{left - 8}" y="{(first + last) / 2 * high + 4:.1f}" text-anchor=end>{html.escape(count)}</text>'
        f'<rect class=frame x="{left}" y="{first * high:.1f}" width="{width:.1f}" height="{(last - first) * high:.1f}" '
        f"fill=none pointer-events=all><title>gate {html.escape(count)} wrong</title></rect>"
        for count, (_, first, last) in zip(counts, tensor.blocks))
    alt = f"{tensor.name}: {np.count_nonzero(errors)} of {errors.size} entries wrong"
    alt += f"; gates {', '.join(counts)}" if counts else ""
    squares = _squares(errors, [first for _, first, _ in tensor.blocks], rtol, wide, high)
    return (
        f'<svg role=img aria-label="{html.escape(alt)}" width="{left + width + 2:.0f}" '
        f'viewBox="0 -1 {left + width + 2:.1f} {height + 2:.1f}">'
        f'<rect class=ground x="{left}" width="{width:.1f}" height="{height:.1f}" fill=none />'
        f'<g transform="translate({left})">{squares}</g>{frames}</svg>'
        f"<small>{'turned, ' * tensor.across}rows: {rows}, columns: {columns}; "
        f"full colour: wrong by {errors.max():.1e}</small>"
    )


def _squares(errors, starts, rtol, wide, high):
    """The wrong cells as SVG, a path for each shade, logarithmic from the tolerance to the largest finite error."""
    ys, xs = _edges(len(errors), starts), _edges(errors.shape[1])
    cells = np.maximum.reduceat(np.maximum.reduceat(errors, ys[:-1], axis=0), xs[:-1], axis=1)
    largest = float(np.max(cells, where=np.isfinite(cells), initial=rtol))
    share = np.log(np.clip(cells, rtol, largest) / rtol) / (math.log(largest / rtol) or 1)
    share[np.isinf(cells)] = 1
    shades = np.where(cells > 0, np.clip(np.ceil(SHADES * share), SHADES // 4, SHADES), 0)
    paths = []
    for shade in np.unique(shades[shades > 0]):
        line = "".join(
            f"M{xs[j] * wide:.1f} {ys[i] * high:.1f}H{xs[j + 1] * wide:.1f}V{ys[i + 1] * high:.1f}H{xs[j] * wide:.1f}z"
            for i, j in np.argwhere(shades == shade))
        paths.append(f'<path class=wrong fill-opacity="{shade / SHADES:.3g}" d="{line}"/>')
    return "".join(paths)


def _edges(size, starts=()):
    """Where the cells of an axis begin, and its end: about CELLS of them, none across the start of a block."""
    step, starts = math.ceil(size / CELLS), sorted({0, *starts})
    return [e for first, last in zip(starts, [*starts[1:], size]) for e in range(first, last, step)] + [size]

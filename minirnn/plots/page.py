"""One HTML file for a reader: no server, no network, light or dark as the system is, from 400 pixels up. ::

    page("Gradient report", [Section("LSTM", picture(png(curves), "V-curves") + text("PASS"))])
"""

import base64
import html
from typing import NamedTuple

LIGHT = """--paper: #fff; --ink: #1c1c1c; --soft: #666; --rule: #ddd; --bar: #f4f4f2;
  --good: #17692c; --bad: #b00020;
  --c0: #0067a5; --c1: #c8500a; --c2: #008060; --c3: #b4489a; --c4: #8a6d00; --low: #0067a5; --high: #d9772b;
  --none: #bbb; --minus: #0b5fa5; --plus: #c44e00;"""
DARK = """--paper: #16181b; --ink: #e8e6e3; --soft: #a5a29d; --rule: #3a3d42;
  --bar: #202328; --good: #4fc26f; --bad: #ff7a85;
  --c0: #5db8f5; --c1: #ff9d57; --c2: #3fcf9f; --c3: #eb94d2; --c4: #e3c64a; --low: #4fa8e8;
  --high: #f08c3c; --none: #5a5d61; --minus: #58b4ff; --plus: #ff9146;"""
PARTS = """p { margin: .2rem 0 .5rem; max-width: 56rem }
:focus-visible { outline: 2px solid var(--c1); outline-offset: 2px }
.wide { overflow-x: auto } table { border-collapse: collapse; margin: .5rem 0 }
td, th { padding: .15em .8em; text-align: left; border-bottom: 1px solid var(--rule) }
td.n { font-variant-numeric: tabular-nums; white-space: nowrap }
.good { color: var(--good) } .bad { color: var(--bad); font-weight: 600 }
pre { background: var(--bar); padding: .8em; overflow-x: auto; font-size: .85rem }
"""  # what also stands inside another page, such as a notebook
STYLE = f""":root {{ color-scheme: light dark; {LIGHT} }}
@media (prefers-color-scheme: dark) {{ :root {{ {DARK} }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 1.5rem auto; padding: 0 1rem;
  background: var(--paper); color: var(--ink) }}
h1 {{ font-size: 1.6rem; margin: 0 0 .5rem }} h2 {{ font-size: 1.15rem; margin: 2rem 0 .2rem }}
h3 {{ font-size: 1rem; margin: 1rem 0 .2rem; color: var(--soft) }}
{PARTS}section p {{ color: var(--soft) }}
.made pre {{ white-space: pre-wrap }}
img {{ max-width: 100%; height: auto; background: #fff; border-radius: 4px }}
"""


class Section(NamedTuple):
    """A part of a page: its heading and its body, both HTML, and the id of its element, if it has one."""

    heading: str
    body: str
    id: str = ""


def page(title, sections, *, before="", style="", after=""):
    """The whole file as text: the title (plain text), ``before`` (HTML), the Sections.

    ``style`` is CSS beside that of every page; ``after`` is HTML at the end: page("Title", [], after="<script>...").
    """
    parts = "\n".join(
        f"<section{f' id={html.escape(s.id)!r}' if s.id else ''}>"
        + (f"<h2>{s.heading}</h2>" if s.heading else "") + f"{s.body}</section>" for s in sections)
    return f"""<!doctype html>
<html lang=en><head><meta charset=utf-8><meta name=viewport content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>{STYLE}{style}</style></head>
<body>
<h1>{html.escape(title)}</h1>
{before}
{parts}
{after}</body></html>
"""


def picture(png, alt):
    """The bytes of a PNG inside the page; ``alt`` says in words what is to be seen."""
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'


def text(lines):
    """Plain text as it is, in a box that scrolls where it is wider than the page."""
    return f"<pre>{html.escape(lines)}</pre>"


def table(head, rows):
    """Cells of plain text, or (HTML class, text): table(["name", "error"], [["tanh", ("n", "3e-9")]])."""
    lines = ["<div class=wide><table><tr>" + "".join(f"<th>{html.escape(name)}" for name in head) + "</tr>"]
    for row in rows:
        cells = [(cell if isinstance(cell, tuple) else ("", cell)) for cell in row]
        lines.append("<tr>" + "".join(
            f"<td{f' class={kind}' if kind else ''}>{html.escape(cell)}" for kind, cell in cells) + "</tr>")
    return "\n".join([*lines, "</table></div>"])

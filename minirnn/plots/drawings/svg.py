"""A small drawing kit on plain strings: boxes, circles, arrows and labels with subscripts, light or dark, as SVG. ::

    canvas = Canvas(300, 60)
    canvas.arrow([(40, 30), (260, 30)], name="h_prev->h")
    canvas.text(150, 18, "U h_{t-1}", "math")
    canvas.drawing("One step", "An arrow from the old state to the new.")      # shows itself in a notebook

A unit is a pixel at the drawing's natural width. Coordinates are absolute, and a label stands around its (x, y).
"""

import html
import math
import numbers
import re
import unicodedata
from contextlib import contextmanager
from typing import NamedTuple

from minirnn.errors import InputError, bound, must_be, near, printable
from minirnn.files import check_writable, write_atomically
from minirnn.plots.page import DARK, LIGHT

SMALL, NORMAL = 15, 17.5  # sizes of text, in units
LEAST = 11  # pixels of the smallest text, however narrow the page: below, the drawing scrolls
WIDEST = 500  # units that fit into a telephone's 368 pixels with SMALL text at LEAST
HEAD = 10  # the length of an arrow's head
SUB = 0.74  # a subscript's size, of the text it belongs to

STYLE = f""".drawing {{ {LIGHT} font-family: system-ui, sans-serif; background: var(--paper) }}
@media (prefers-color-scheme: dark) {{ .drawing {{ {DARK} }} }}
[data-jp-theme-light=true] .drawing, [data-theme=light] .drawing {{ {LIGHT} }}
[data-jp-theme-light=false] .drawing, [data-theme=dark] .drawing {{ {DARK} }}
.drawing text {{ fill: var(--ink) }} .drawing .math {{ font-style: italic }} .drawing .soft {{ fill: var(--soft) }}
.drawing .back {{ fill: var(--c1) }} .drawing .strong {{ font-weight: 600 }}
.drawing .shape {{ fill: var(--paper); stroke: var(--soft); stroke-width: 1.6 }}
.drawing .frame {{ fill: var(--bar); stroke: var(--rule) }} .drawing .leaf {{ fill: var(--bar) }}
.drawing .gate, .drawing .cell {{ stroke: var(--c0); fill: var(--c0); fill-opacity: .16 }}
.drawing .candidate {{ stroke: var(--c2); fill: var(--c2); fill-opacity: .16 }}
.drawing .loss {{ stroke: var(--c3); fill: var(--c3); fill-opacity: .16 }}
.drawing .older {{ fill-opacity: 0; stroke-opacity: .6 }}
.drawing .line, .drawing .halo {{ fill: none; stroke: var(--soft); stroke-width: 1.8;
  stroke-linejoin: round }}
.drawing .over {{ paint-order: stroke; stroke: var(--paper); stroke-width: 5 }} .drawing .label {{ stroke: none }}
 .drawing .on-bar {{ fill: var(--bar) }} .drawing .on-paper {{ fill: var(--paper) }}
.drawing .dashed {{ stroke-dasharray: 5 4 }}
.drawing .head, .drawing .dot {{ fill: var(--soft) }}
.drawing .memory .line {{ stroke: var(--ink); stroke-width: 3.2 }} .drawing .memory .head {{ fill: var(--ink) }}
.drawing .hot .line {{ stroke: var(--c1); stroke-width: 3.2 }} .drawing .hot .head {{ fill: var(--c1) }}
.drawing .hot .halo {{ stroke: var(--c1); stroke-width: 12; stroke-opacity: .22 }}
.drawing .hot .shape {{ stroke: var(--c1); stroke-width: 3 }}
.drawing .gone {{ fill: none; stroke: var(--bad); stroke-width: 2.6; stroke-linecap: round }}
.drawing .faint .line {{ stroke: var(--none) }} .drawing .faint .head {{ fill: var(--none) }}
.drawing .unit {{ fill: var(--c0); stroke: var(--paper) }}
.drawing .backward .line, .drawing .passed, .drawing .counted {{ stroke: var(--c1); stroke-width: 2.4 }}
.drawing .backward .head, .drawing .counted {{ fill: var(--c1) }}
"""


class Drawing(NamedTuple):
    """A finished drawing: its caption, what it shows in words, the SVG as text, and the names of its edges.

    lstm_cell().edges is ("h_prev->a_f", ...). The caption has subscripts as labels do.
    """

    title: str
    alt: str
    svg: str
    edges: tuple = ()

    def _repr_html_(self):
        return (f'<figure style="margin: 1rem 0; overflow-x: auto">{self.svg}'
                f'<figcaption style="max-width: 44rem; opacity: .8">{_caption(self.title)}</figcaption></figure>')

    def save(self, path):
        """Write the SVG as a file of its own: lstm_cell().save("lstm.svg"); OSError or InputError naming the path."""
        check_writable(path, "Drawing.save", "path")
        write_atomically(path, self.svg.encode())


def _caption(words):
    tags = {0: "{}", -1: "<sub>{}</sub>", 1: "<sup>{}</sup>"}
    return "".join(tags[level].format(escaped(part)) for part, level in spans(words))


def escaped(words):
    """Text that is only text inside XML, whatever it holds: escaped("<b>") is "&lt;b&gt;", control signs are spelt."""
    return html.escape(printable(str(words)).replace("\n", " ").replace("\t", " "))


def spans(words):
    """[(text, 0 | 1 | -1)], -1 for a subscript: spans("c_{t-1} + 1") is [("c", 0), ("t-1", -1), (" + 1", 0)]."""
    parts = re.split(r"([_^](?:\{[^{}]+\}|\w+))", str(words))
    level = lambda part: {"_": -1, "^": 1}[part[0]]
    return [(part[1:].strip("{}"), level(part)) if place % 2 else (part, 0) for place, part in enumerate(parts) if part]


def width_of(words, size):
    """How wide a label may be, in units, whatever the font: rather too much than too little."""
    return size * sum(_em(letter) * (SUB if level else 1) for part, level in spans(words) for letter in printable(part))


def _em(letter):
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.05
    if unicodedata.combining(letter):
        return 0
    if letter in "ijlI.,:;'|!()[]{} ":
        return 0.36
    return 0.95 if letter in "mwMW%@—" else 0.74 if letter.isupper() else 0.64


def number(value):
    """At most six signs for a drawing: 0.1234 -> "0.123", -12345.6 -> "−1e4", 1e-9 -> "1e−9"."""
    value = bound("a drawing", "number", value) + 0.0  # not −0
    size = abs(value)
    small = f"{value:.0f}" if size >= 99.95 else f"{value:.3f}".rstrip("0") if size < 0.0995 else f"{value:.3g}"
    text = f"{value:.0e}" if size and not 0.00095 <= size < 9999.5 else small.rstrip(".") if "." in small else small
    text = re.sub(r"e([+-])0?(\d+)", lambda found: "e" + found[1].replace("+", "") + found[2], text)
    return text.replace("-", "−")


class Canvas:
    """What is drawn so far, in order, between y = ``top`` and ``height``; later shapes lie over earlier ones."""

    def __init__(self, width, height, top=0):
        self.width, self.height, self.top, self.parts, self.edges = width, height, top, [], []

    def box(self, x, y, width, height, kind="", words="", size=NORMAL, corner=8):
        """A rectangle around (x, y) with a label inside; kind: "gate", "candidate", "loss", "leaf", "frame", ..."""
        self.parts.append(f'<rect class="shape {kind}" x="{_n(x - width / 2)}" y="{_n(y - height / 2)}" '
                          f'width="{_n(width)}" height="{_n(height)}" rx="{_n(corner)}"/>')
        self.text(x, y, words, size=size)

    def circle(self, x, y, radius, kind="", words="", size=NORMAL):
        """A circle around (x, y) with a label inside."""
        self.parts.append(f'<circle class="shape {kind}" cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}"/>')
        self.text(x, y, words, size=size)

    def dot(self, x, y, kind="dot"):
        """Where lines meet."""
        self.parts.append(f'<circle class="{kind}" cx="{_n(x)}" cy="{_n(y)}" r="3.4"/>')

    def cross(self, x, y, reach=6):
        """A mark over what is dropped, cut or stopped."""
        a, b, c, d = _n(x - reach), _n(x + reach), _n(y - reach), _n(y + reach)
        self.parts.append(f'<path class="gone" d="M{a} {c}L{b} {d}M{a} {d}L{b} {c}"/>')

    def bar(self, x, y):
        """A wall at which a line ends."""
        self.parts.append(f'<path class="gone" d="M{_n(x)} {_n(y - 10)}V{_n(y + 10)}"/>')

    def text(self, x, y, words, kind="", anchor="middle", size=SMALL):
        """A label; "h_t" and "c_{t-1}" have subscripts, "y^2" a superscript. anchor: "start", "middle", "end"."""
        if not str(words):
            return
        pieces, shift = "", 0
        for part, level in spans(words):
            move = -0.25 * level * size - shift
            shift += move
            small = f' font-size="{_n(SUB * size)}"' if level else ""
            pieces += f'<tspan{f" dy={chr(34)}{_n(move)}{chr(34)}" if move else ""}{small}>{escaped(part)}</tspan>'
        self.parts.append(f'<text class="{kind}" x="{_n(x)}" y="{_n(y + 0.35 * size)}" font-size="{_n(size)}" '
                          f'text-anchor="{anchor}" xml:space="preserve">{pieces}</text>')

    def gap(self, x, y, kind="bar"):
        """Where a line will cross over another: interrupt the one below; kind: what lies behind, "bar" or "paper"."""
        self.parts.append(f'<rect class="on-{kind}" x="{_n(x - 5)}" y="{_n(y - 4)}" width="10" height="8"/>')

    def arrow(self, points, name="", kind="", hot=False, head=True, corner=10, dashed=False):
        """A line through (x, y) points with round corners, and a head at the last; ``name`` makes it an edge.

        hot: the edge that is spoken of; kind: "memory", a road that gets a broad line.
        """
        path = _path(_shortened(points) if head else points, corner)
        self._line(path, _head(*points[-2:]) if head else "", name, kind, hot, dashed)

    def curve(self, points, name="", kind="", hot=False, head=True, dashed=False):
        """A smooth line through points from left to right, horizontal at both ends; otherwise as ``arrow``."""
        points = [*points[:-1], (points[-1][0] - (HEAD - 2) * head, points[-1][1])]
        path = f"M{_n(points[0][0])} {_n(points[0][1])}"
        slopes = _slopes(points)
        for (a, b), (c, d), m, n in zip(points, points[1:], slopes, slopes[1:]):
            middle, half = _n((a + c) / 2), (c - a) / 2
            path += f"C{middle} {_n(b + m * half)} {middle} {_n(d - n * half)} {_n(c)} {_n(d)}"
        x, y = points[-1]
        self._line(path, _head((x, y), (x + HEAD - 2, y)) if head else "", name, kind, hot, dashed)

    def _line(self, path, head, name, kind, hot, dashed):
        lines = ["halo"] * bool(hot) + ["line dashed" if dashed else "line"]
        drawn = "".join(f'<path class="{line}" d="{path}"/>' for line in lines) + head
        with self.group(f"edge {kind}" + " hot" * bool(hot), "edge", name):
            self.parts.append(drawn)
        self.edges += [name] * bool(name)

    @contextmanager
    def group(self, kind, what="", name=""):
        """What is drawn inside belongs together: an element <g class=kind data-what=name>."""
        self.parts.append(f'<g class="{kind.strip()}"' + (f' data-{what}="{escaped(name)}"' if name else "") + ">")
        yield
        self.parts.append("</g>")

    def drawing(self, title, alt):
        """The finished Drawing: it scales with the page, and scrolls before its text is smaller than 11 pixels."""
        least = math.ceil(LEAST * self.width / SMALL)
        inside = "\n".join(self.parts)
        svg = (f'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" role="img" aria-label="{escaped(alt)}" '
               f'viewBox="0 {_n(self.top)} {_n(self.width)} {_n(self.height - self.top)}" '
               f'style="display: block; width: 100%; min-width: {least}px; max-width: {_n(1.25 * self.width)}px">'
               f"<style>{STYLE}</style>\n{inside}\n</svg>")
        return Drawing(title, alt, svg, tuple(dict.fromkeys(self.edges)))


def _n(value):
    return f"{round(float(value), 1):g}"


def _slopes(points):
    """Of a curve that turns only at the points: 0 at the ends and where it turns, else the lesser slope beside it."""
    rises = [(d - b) / (c - a) for (a, b), (c, d) in zip(points, points[1:])]
    inner = [0 if m * n <= 0 else min(m, n, key=abs) for m, n in zip(rises, rises[1:])]
    return [0, *inner, 0]


def _towards(start, end, length):
    """The point ``length`` before ``end`` on the way from ``start``."""
    (a, b), (c, d) = start, end
    share = min(1, length / (math.hypot(c - a, d - b) or 1))
    return c - (c - a) * share, d - (d - b) * share


def _shortened(points):
    return [*points[:-1], _towards(*points[-2:], HEAD - 2)]


def _head(start, end):
    (a, b), (x, y) = _towards(start, end, HEAD), end
    across = (-(y - b) * 0.48, (x - a) * 0.48)
    corners = [end, (a + across[0], b + across[1]), (a - across[0], b - across[1])]
    return '<path class="head" d="M' + "L".join(f"{_n(x)} {_n(y)}" for x, y in corners) + 'Z"/>'


def _path(points, corner):
    path = f"M{_n(points[0][0])} {_n(points[0][1])}"
    for before, here, after in zip(points, points[1:], points[2:]):
        reach = min(corner, math.dist(before, here) / 2, math.dist(here, after) / 2)
        (a, b), (c, d) = _towards(before, here, reach), _towards(after, here, reach)
        path += f"L{_n(a)} {_n(b)}Q{_n(here[0])} {_n(here[1])} {_n(c)} {_n(d)}"
    return path + f"L{_n(points[-1][0])} {_n(points[-1][1])}"


def check_name(where, argument, name, known, what):
    """``name`` where it is one of ``known``; else InputError with the nearest, "f->fc" for "f->fk" and for "f"."""
    if not isinstance(name, str) or name not in known:
        leads = [edge for edge in known if edge.startswith(f"{name}->")]
        cause = f"did you mean {leads[0]}?" if leads else near(name, known) if isinstance(name, str) else ""
        choices = what if len(known) > 8 else f"one of {', '.join(known)}"
        raise InputError(must_be(where, argument, choices, repr(name), cause))
    return name


def check_names(where, argument, names, known, what):
    """The set of names, which may be given as one text; InputError for one that is not known, or for no names."""
    if names is not None and not isinstance(names, (str, list, tuple, set, frozenset, dict)):
        raise InputError(must_be(where, argument, f"{what}, or several", repr(names)))
    names = (names,) if isinstance(names, str) else names or ()
    return {check_name(where, argument, name, known, what) for name in names}


def check_numbers(where, argument, given, known, what):
    """{name: number or text} as {name: text}; None is none; InputError for a name that is not ``known``."""
    if given is not None and not isinstance(given, dict):
        raise InputError(must_be(where, argument, f"{{{what}: number}}", repr(given)))
    check_names(where, argument, given, known, what)
    return {name: value if isinstance(value, str) else number(value) for name, value in (given or {}).items()}


def check_count(where, name, value, most, least=1):
    """A whole number from ``least`` to ``most``, or InputError."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or not least <= value <= most:
        raise InputError(must_be(where, name, f"a whole number from {least} to {most}", repr(value)))
    return int(value)

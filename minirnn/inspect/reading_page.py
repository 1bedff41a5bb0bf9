"""The panel of the microscope's page that shows a model reading: coloured text, ranked units, guesses."""

import html
import json
from importlib import resources

from minirnn.plots import page as pages

STYLE = """#reading .text { font: 15px/1.7 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere;
  background: var(--bar); border-radius: 6px; padding: .8rem; max-height: 22rem; overflow-y: auto }
#reading .text span { border-radius: 2px } #reading .text .at { outline: 2px solid var(--ink) }
#reading button { border: 1px solid var(--rule); border-radius: 999px; padding: .2rem .7rem; background: none;
  margin: .15rem .3rem .15rem 0; color: inherit; font: inherit; cursor: pointer }
#reading button[aria-pressed=true] { background: var(--c0); color: var(--paper) }
#reading label { display: flex; gap: .6rem; align-items: center; margin: .3rem 0 }
#reading input { flex: 1; max-width: 24rem; accent-color: var(--c0) }
#reading .next { min-height: 3em; color: var(--ink) }
"""


def section(reading):
    """The Section of a Reading, which its ``script`` brings to life."""
    numbers = lambda k: [("n", f"{k.score:.2f}"), ("n", f"{k.median:.2f}"), ("n", _of(reading.control, k.mark))]
    rows = [[k.mark, str(k.unit), *numbers(k), "correlation" if k.counted else "pairs in order"] for k in reading.known]
    ranked = pages.table(["mark", "unit", "it knows", "median unit", "untrained", "measured as"], rows) if rows else ""
    button = "<button type=button data-unit={} aria-pressed=false>{}: unit {}</button>"
    chips = "".join(button.format(k.unit, html.escape(k.mark), k.unit) for k in reading.known)
    said = ("A unit's score is the share of pairs of characters, one inside and one outside, that it puts in order "
            "(0.5 is chance), or the size of its correlation with what is counted. " if rows else "")
    body = f"""<p>{said}Point at a symbol, or use the arrow keys, to see what the model would say next.</p>
{ranked}<div>{chips}<button type=button id=by aria-pressed=false>what a guess looked at</button></div>
<label>any unit <input type=range id=unit min=0 max={reading.contents.shape[1] - 1}>
<output id=unit-label for=unit></output></label>
<p class=next aria-live=polite></p>
<div class=text tabindex=0 role=application aria-label="the text; arrow keys move from symbol to symbol"></div>
<p><span style="color:var(--plus)">orange</span>: the unit is above its own mean, or the guess looked here;
<span style="color:var(--minus)">blue</span>: below it. What a guess looked at is |d logit / d x<sub>t</sub>|.</p>"""
    return pages.Section("What a unit knows", body, "reading")


def script(reading, as_bytes):
    """The numbers and the script that draws them; ``as_bytes`` makes a map of bytes."""
    data = json.dumps({
        "symbols": reading.symbols, "words": any(len(symbol) > 1 for symbol in reading.symbols),
        "units": reading.contents.shape[1], "contents": as_bytes(reading.contents),
        "known": [{"mark": k.mark, "unit": k.unit} for k in reading.known],
        "guesses": [[[symbol, round(chance, 4)] for symbol, chance in row] for row in reading.guesses],
        "looked": as_bytes(reading.looked), "back": reading.looked.shape[1],
    }, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    code = resources.files("minirnn.inspect").joinpath("reading.js").read_text(encoding="utf-8")
    return (f"<script type=\"application/json\" id=reading-data>{data.replace('<', chr(92) + 'u003c')}</script>\n"
            f"<script>{{{code}}}</script>")


def _of(control, mark):
    return next((f"{k.score:.2f}" for k in control if k.mark == mark), "")

"""One HTML file that shows an Inspection: no server, no network, a small script and the numbers inside it."""

import base64
import html
import json
from importlib import resources

import numpy as np

from minirnn.inspect import reading_page
from minirnn.inspect.inspection import plain
from minirnn.inspect.measure import LIMITS
from minirnn.inspect.wording import panels
from minirnn.plots import page as pages

MAP_BYTES = 800_000  # of all heat maps together, a byte a cell; beyond it every k-th unit is shown
QUANTILES = {"largest": 1.0, "90 %": 0.9, "median": 0.5, "10 %": 0.1, "smallest": 0.0}
SYMBOL = 14  # letters of a symbol on the time axis


def page(inspection):
    """The whole page as text."""
    data = json.dumps(_data(inspection), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    words = [inspection.subject, inspection.loss, *inspection.notes]
    sections = [pages.Section(heading, f"<p>{sentence}</p><div class=figure></div>", key)
                for key, heading, sentence in panels(inspection, unit_stride(inspection))]
    reads = [] if inspection.reading is None else [reading_page.section(inspection.reading)]
    return pages.page(
        f"{inspection.name}: BPTT microscope", [*reads, *sections], style=_file("page.css") + reading_page.STYLE,
        before="\n".join([*(f"<p>{html.escape(text)}</p>" for text in words), _controls(inspection)]),
        after=f"""<script type="application/json" id=data>{data.replace("<", chr(92) + "u003c")}</script>
<script>{_file("page.js")}</script>
{reading_page.script(inspection.reading, as_bytes) if reads else ""}
""")


def _controls(inspection):
    last = len(inspection.frames) - 1
    layers = "".join(f"<option value={k}>layer {k + 1}</option>" for k in range(len(inspection.frames[0].layers)))
    return f"""<div id=controls>
<label>{html.escape(inspection.slider)} <input type=range id=frame min=0 max={last} value=0></label>
<output id=frame-label for=frame></output>
<label>time step <input type=range id=step></label>
<output id=step-label for=step></output>
<label id=layers>layer <select id=layer>{layers}</select></label>
<label><input type=checkbox id=same checked> one scale for the whole slider</label>
</div>
<noscript><p>This page draws its figures with a script of its own; allow scripts to see them.</p></noscript>"""


def _file(name):
    return resources.files("minirnn.inspect").joinpath(name).read_text(encoding="utf-8")


def _data(inspection):
    """What the script draws: rounded curves, and heat maps as bytes."""
    first = inspection.frames[0].layers[0]
    T, H = len(next(iter(first.gate_gradients.values()))), next(iter(first.contents.values())).shape[1]
    stride = unit_stride(inspection)
    return {
        "steps": T,
        "units": H,
        "stride": stride,
        "symbols": None if inspection.symbols is None else [shown(symbol) for symbol in inspection.symbols],
        "limits": {name: [_limit(v) for v in LIMITS[kind]] for name, (_, kind) in inspection.cell.watched.items()},
        "frames": [
            {"label": f.label, "facts": f.facts, "layers": [_layer(layer, stride) for layer in f.layers]}
            for f in inspection.frames
        ],
    }


def _limit(value):
    return value if np.isfinite(value) else None


def _layer(scope, stride):
    values = scope.singular_values
    spectrum = {name: np.quantile(values, q, axis=1) if len(values) else values[:, :0] for name, q in QUANTILES.items()}
    return plain(
        {
            "gates": scope.gate_gradients,
            "states": scope.state_gradients,
            "low": scope.low,
            "high": scope.high,
            "at": scope.spectrum_steps,
            "spectrum": spectrum,
            "contents": {name: as_bytes(values[:, ::stride]) for name, values in scope.contents.items()},
            "masks": {name: as_bytes(values[:, ::stride]) for name, values in scope.masks.items()},
        },
        4,
    )


def as_bytes(values):
    """A heat map {"size", "data"}: a byte b a cell, row after row, in base64; value size (b - 127) / 127, 255 NaN."""
    known = np.isfinite(values)
    size = float(np.abs(values[known]).max(initial=0.0))
    scaled = np.where(known, values, 0.0).astype(np.float64) / (size or 1.0)
    cells = np.where(known, np.rint(127 * scaled) + 127, 255).astype(np.uint8)
    return {"size": size, "data": base64.b64encode(cells.tobytes()).decode()}


def unit_stride(inspection):
    """1, or k where only every k-th unit fits the page."""
    maps = [a for f in inspection.frames for s in f.layers for a in (*s.contents.values(), *s.masks.values())]
    return max(1, -(-sum(a.size for a in maps) // MAP_BYTES))


def shown(symbol):
    """A symbol as it stands on the time axis: blanks visible, long ones cut."""
    text = symbol.replace(" ", "␣").replace("\n", "↵").replace("\t", "⇥")
    return text if len(text) <= SYMBOL else text[: SYMBOL - 1] + "…"

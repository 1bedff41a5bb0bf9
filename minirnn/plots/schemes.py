"""Where three schemes of recurrent dropout drop what: the LSTM as a drawing, thesis Figure 3.1."""

from minirnn.plots import figure

# name of a node -> (x, y, text)
NODES = {
    "x": (0.0, 0.0, "$x_t$"), "h_prev": (0.0, 1.4, "$h_{t-1}$"), "c_prev": (0.0, 4.2, "$c_{t-1}$"),
    "f": (1.6, 1.4, "f"), "i": (2.6, 1.4, "i"), "g": (3.6, 1.4, "g"), "o": (4.9, 1.4, "o"),
    "keep": (1.6, 4.2, r"$\odot$"), "write": (3.1, 2.8, r"$\odot$"), "add": (3.1, 4.2, "+"),
    "c": (4.4, 4.2, "$c_t$"), "show": (4.9, 2.8, r"$\odot$"), "h": (6.2, 2.8, "$h_t$"),
}
ARROWS = (
    ("c_prev", "keep"), ("f", "keep"), ("keep", "add"), ("i", "write"), ("g", "write"), ("write", "add"),
    ("add", "c"), ("c", "show"), ("o", "show"), ("show", "h"),
)
GATES = ("f", "i", "g", "o")
# what each scheme drops: the hidden state on its way into the gates, the cell, the update; thesis (3.3.8) to (3.3.10)
DROPPED = {
    "Gal: the hidden state": {("h_prev", gate) for gate in GATES},
    "Moon: the cell": {("add", "c")},
    "Ours: the update": {("g", "write")},
}
DROP, PLAIN = "#d62728", "#444444"


def scheme_figure():
    """Three LSTMs side by side, dashed red where dropout acts -> matplotlib Figure."""
    drawn = figure(10.5, 3.6)
    for panel, (title, dropped) in zip(drawn.subplots(1, 3), DROPPED.items()):
        for start, end in (*ARROWS, *((source, gate) for source in ("x", "h_prev") for gate in GATES)):
            _arrow(panel, start, end, (start, end) in dropped)
        for name, (x, y, text) in NODES.items():
            shape = "square" if name in GATES else "circle"
            panel.text(x, y, text, ha="center", va="center", fontsize=11,
                       bbox={"boxstyle": f"{shape},pad=0.3", "fc": "white", "ec": PLAIN})
        panel.set(title=title, xlim=(-0.6, 6.8), ylim=(-0.6, 4.8))
        panel.axis("off")
    return drawn


def _arrow(panel, start, end, dropped):
    bend = 0.0 if {start, end}.isdisjoint({"x", "h_prev"}) else -0.25 if start == "h_prev" else 0.12
    panel.annotate(
        "", NODES[end][:2], NODES[start][:2], zorder=2 if dropped else 1,
        arrowprops={"arrowstyle": "-|>", "color": DROP if dropped else PLAIN, "ls": "--" if dropped else "-",
                    "lw": 2.0 if dropped else 0.8, "shrinkA": 11, "shrinkB": 12,
                    "connectionstyle": f"arc3,rad={bend}"},
    )

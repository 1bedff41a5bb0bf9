"""Learning curves: a value of every epoch, one line a run."""

from minirnn.plots import figure


def learning_curves(runs):
    """A figure with training (dotted) and validation perplexities of runs on a logarithmic axis.

    runs: {name: list of dicts with "epoch", "train_perplexity" and "valid_perplexity"}, as metrics.jsonl has them
    under kind "epoch". -> matplotlib Figure.
    """
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    drawn = figure(6.5, 3.6)
    panel = drawn.subplots()
    for colour, (name, epochs) in enumerate(runs.items()):
        steps = [e["epoch"] for e in epochs]
        for kind, part, style in (("valid", "validation", ".-"), ("train", "training", ":")):
            values = [e[f"{kind}_perplexity"] for e in epochs]
            panel.plot(steps, values, style, color=f"C{colour}", label=f"{name}, {part}")
    panel.set(xlabel="epoch", ylabel="perplexity", yscale="log")
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    panel.yaxis.set_minor_formatter(NullFormatter())
    panel.legend(fontsize=8)
    return drawn


def run_curves(epochs, columns=2):
    """A figure with a panel for every number of a run's epochs; the best epoch so far is marked.

    epochs: list of dicts as metrics.jsonl has them under kind "epoch". Numbers that differ in "train", "valid" and
    "test" alone share a panel: train_loss and valid_loss are in the panel "loss". -> matplotlib Figure.
    """
    panels = {}
    for name in dict.fromkeys(key for line in epochs for key in line):
        values = [line.get(name) for line in epochs]
        if name in ("kind", "step", "epoch", "best", "skipped", "seconds", "phase"):
            continue
        if any(isinstance(value, (int, float)) for value in values):
            part, _, rest = name.partition("_")
            home, label = (rest, part) if part in ("train", "valid", "test") and rest else (name, "")
            panels.setdefault(home, []).append((label, values))
    columns = max(1, min(columns, len(panels)))
    rows = max(1, -(-len(panels) // columns))
    made = figure(3.1 * columns, 2.3 * rows)
    axes = made.subplots(rows, columns, squeeze=False)
    steps = [line["epoch"] for line in epochs]
    best = max((line["epoch"] for line in epochs if line.get("best")), default=None)
    for panel, (name, lines) in zip(axes.flat, panels.items()):
        for colour, (label, values) in enumerate(lines):
            style = ".-" if label != "train" else ".:"
            panel.plot(steps, [float("nan") if v is None else v for v in values], style, color=f"C{colour}",
                       label=label or name, markersize=4)
        if best is not None:
            panel.axvline(best, color="0.7", linewidth=0.8, linestyle="--")
        panel.set_title(name.replace("_", " "), fontsize=9)
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.tick_params(labelsize=7)
        panel.set_xlabel("epoch", fontsize=7)
        if len(lines) > 1:
            panel.legend(fontsize=7)
    for panel in axes.flat[len(panels) :]:
        panel.axis("off")
    return made

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

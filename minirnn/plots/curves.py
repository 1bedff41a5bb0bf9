"""Learning curves: a value of every epoch, one line a run."""


def learning_curves(runs, key="valid_perplexity", label="validation perplexity"):
    """A figure with training (dotted) and validation curves of runs on a logarithmic axis.

    runs: {name: list of dicts with "epoch", "train_perplexity" and ``key``}, as metrics.jsonl has them under kind
    "epoch". -> matplotlib Figure.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    panel = figure.subplots()
    for colour, (name, epochs) in enumerate(runs.items()):
        steps = [e["epoch"] for e in epochs]
        panel.plot(steps, [e[key] for e in epochs], ".-", color=f"C{colour}", label=f"{name}, validation")
        trained = [e["train_perplexity"] for e in epochs]
        panel.plot(steps, trained, ":", color=f"C{colour}", label=f"{name}, training")
    panel.set(xlabel="epoch", ylabel=label, yscale="log")
    panel.legend(fontsize=8)
    return figure

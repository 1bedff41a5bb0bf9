"""The memory of a marker over time, and trained cells in evaluation against training."""

STYLES = {"0.25": "--", "0.5": "-", "step": ":", "sequence": "-"}


def memory_curves(markers, ratios):
    """Two panels, the first on a logarithmic axis -> matplotlib Figure.

    markers {"SCHEME-RATE": contribution of every step}; ratios {"SCHEME-RATE-SAMPLING": norm ratio of every step}.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    schemes = sorted({name.split("-")[0] for name in (*markers, *ratios)})
    for panel, curves in ((left, markers), (right, ratios)):
        for name, values in curves.items():
            scheme, *_, last = name.split("-")
            panel.plot(range(len(values)), values, color=f"C{schemes.index(scheme)}", ls=STYLES[last],
                       label=f"{scheme} {last}")  # fmt: skip
        if curves:
            panel.legend(fontsize=8)
    left.set(xlabel="step", yscale="log", ylabel="contribution of step 0", title="open gates, evaluation")
    right.set(xlabel="step", ylim=(0, None), ylabel="norm of c, evaluation / training",
              title="trained word models, rate 0.5")  # fmt: skip
    return figure

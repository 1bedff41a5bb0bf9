"""The memory of a marker over time, and trained cells in evaluation against training."""

from minirnn.plots import figure

STYLES = {"step": "--", "sequence": "-"}


def memory_curves(markers, ratios):
    """Two panels, the first on a logarithmic axis -> matplotlib Figure.

    markers {"SCHEME-RATE-SAMPLING": contribution of every step}; ratios {the same: norm ratio of every step}.
    """
    drawn = figure(8, 3.4)
    left, right = drawn.subplots(1, 2)
    schemes = sorted({name.split("-")[0] for name in (*markers, *ratios)})
    for panel, curves in ((left, markers), (right, ratios)):
        for name, values in curves.items():
            scheme, rate, sampling = name.split("-")
            panel.plot(range(len(values)), values, color=f"C{schemes.index(scheme)}", ls=STYLES[sampling],
                       label=f"{scheme} {rate} per {sampling}")
    left.set(xlabel="step", yscale="log", ylabel="contribution of step 0", title="open gates, evaluation")
    right.set(xlabel="step", ylim=(0, None), ylabel="norm of c, evaluation / training", title="trained word models")
    left.legend(fontsize=8)
    return drawn

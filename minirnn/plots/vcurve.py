"""V-curves: the error of a numerical slope against the step size, truncation to the right and rounding to the left."""

import numpy as np

from minirnn.plots import figure

FLOOR = 1e-18  # an error of exactly zero, on a logarithmic axis


def v_curves(finding, columns=4):
    """A figure of a check's V-curves, one panel for each array: worst relative error at every step size, by order.

    finding: what a gradient check returned; its tensors have ``name``, ``verdict``, ``steps`` (n,) and ``errors``
    (orders, n), the error of central differences (order 2) and of their extrapolations. -> matplotlib Figure.
    """
    tensors = finding.tensors
    columns = max(1, min(columns, len(tensors)))
    rows = max(1, -(-len(tensors) // columns))
    drawn = figure(2.9 * columns, 2.3 * rows + 0.4)
    panels = drawn.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for panel, tensor in zip(panels.flat, tensors):
        for k, errors in enumerate(tensor.errors[:4]):
            label = "central differences" if k == 0 else f"extrapolated, order {2 * k + 2}"
            known = np.isfinite(errors)
            panel.loglog(tensor.steps[known], np.maximum(errors[known], FLOOR), ".-", markersize=3, label=label)
        panel.axhline(finding.rtol, color="0.6", linewidth=0.8, linestyle=":", label="tolerance")
        panel.set_title(f"{tensor.name}: {tensor.verdict}", fontsize=8)
        panel.tick_params(labelsize=7, labelbottom=True)
    for panel in panels.flat[len(tensors) :]:
        panel.axis("off")
    if tensors:
        panels[0, 0].legend(fontsize=5.5)
    drawn.supxlabel("step size", fontsize=8)
    drawn.supylabel("worst relative error", fontsize=8)
    return drawn

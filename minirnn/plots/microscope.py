"""One layer under the microscope: gradients at the gates, saturation, singular values of the step, over time."""

import numpy as np

from minirnn.plots import figure

BANDS = ((0.0, 1.0, 0.15), (0.1, 0.9, 0.3))  # lower and upper quantile, opacity
FLOOR = 1e-12  # singular values below it, on a logarithmic axis


def microscope_figure(scopes):
    """A row of three panels for each of ``scopes`` {label: what ``minirnn.inspect.measure.microscope`` returned}.

        ||dL/da_t|| of every gate  |  share of saturated units  |  singular values of d s_t / d s_{t-1}

    Saturated units: solid above (open), dotted below (shut). Singular values: the median, the middle 80 % and all of
    them. Panels of a column share their axes; numbers that are missing leave a gap. -> matplotlib Figure.
    """
    drawn = figure(9, 2.1 * len(scopes) + 0.5)
    rows = drawn.subplots(len(scopes), 3, squeeze=False, sharex=True, sharey="col")
    for (gradients, saturation, spectrum), (label, scope) in zip(rows, scopes.items()):
        for colour, (gate, norms) in enumerate(scope.gate_gradients.items()):
            steps = 1 + np.arange(len(norms))
            gradients.semilogy(steps, np.where(norms > 0, norms, np.nan), color=f"C{colour}", label=gate)
            saturation.plot(steps, scope.high[gate], color=f"C{colour}", label=gate)
            saturation.plot(steps, scope.low[gate], color=f"C{colour}", linestyle=":")
        values, steps = np.maximum(scope.singular_values, FLOOR), 1 + scope.spectrum_steps
        for low, high, opacity in BANDS:
            ends = np.quantile(values, (low, high), axis=1)
            spectrum.fill_between(steps, *ends, color="C0", alpha=opacity, linewidth=0)
        spectrum.semilogy(steps, np.median(values, axis=1), color="C0")
        spectrum.axhline(1, color="0.4", linewidth=0.8, linestyle="--")
        gradients.set_ylabel(label)
        saturation.set_ylim(-0.02, 1.02)
    for panel, title in zip(rows[0], ("gradient at the gates", "share saturated", "singular values of a step")):
        panel.set_title(title, fontsize=9)
    rows[0][0].legend(fontsize=7)
    for panel in rows[-1]:
        panel.set_xlabel("time step")
    return drawn

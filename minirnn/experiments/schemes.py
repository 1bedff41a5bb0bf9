"""Figure 3.1 of the thesis: where the three schemes of recurrent dropout act in an LSTM. Nothing is run."""

from minirnn.experiments.experiment import Experiment, Scale
from minirnn.plots.schemes import scheme_figure

EXPERIMENT = Experiment(
    name="figure-3.1",
    title="Where dropout acts in the three schemes (thesis Figure 3.1)",
    kind="drawing",
    rows=(),
    columns=(),
    scales={name: Scale({}) for name in ("smoke", "classroom", "paper")},
    configure=None,
    draw=lambda results: scheme_figure(),
)

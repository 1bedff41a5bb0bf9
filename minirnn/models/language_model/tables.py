"""All tables and figures of the language model, and Figure 3.1, which shows where their dropout acts."""

from minirnn.experiments.experiment import Experiment, Scale
from minirnn.models.language_model.char_tables import EXPERIMENT as CHARACTERS
from minirnn.models.language_model.memory import EXPERIMENT as MEMORY
from minirnn.models.language_model.word_tables import FIGURE, TABLE
from minirnn.plots.schemes import scheme_figure

SCHEMES = Experiment(
    name="figure-3.1",
    title="Where dropout acts in the three schemes (thesis Figure 3.1)",
    kind="drawing",
    rows=(),
    columns=(),
    scales={name: Scale({}) for name in ("smoke", "classroom", "paper")},
    configure=None,
    draw=lambda results: scheme_figure(),
)

EXPERIMENTS = {each.name: each for each in (TABLE, CHARACTERS, SCHEMES, FIGURE, MEMORY)}

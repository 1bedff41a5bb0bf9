"""Table 3.1 of the thesis: its rows and its recipe."""

from minirnn.experiments.experiment import Row
from minirnn.models.temporal_order.tables import EXPERIMENT


def test_the_table_has_its_rows_and_the_recipe_of_the_thesis():
    assert len(EXPERIMENT.rows) == 14
    paper = EXPERIMENT.configure(Row("", {}), EXPERIMENT.scales["paper"], 0)
    assert (paper.hidden, paper.fixed, paper.forget_bias) == (256, 200, None)

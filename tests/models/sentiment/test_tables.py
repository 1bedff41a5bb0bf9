"""Table 3.5 of the thesis: its numbers and its recipe."""

import pytest

from minirnn.models import registry
from minirnn.train import Descent


def test_the_table_holds_the_numbers_and_the_recipe_of_the_thesis():
    experiment = registry.experiment("table-3.5")
    rows = {row.key: row for row in experiment.rows}
    assert list(rows) == ["rnn-0", "rnn-0.25", "lstm-0", "lstm-0.25", "gru-0", "gru-0.25", "lstm-0-labelled-only",
                          "lstm-0.25-labelled-only"]
    assert rows["gru-0.25"].reported == pytest.approx({"Tw13": 69.04, "LJ14": 72.10, "Tw15": 60.34, "Tw14": 69.65,
                                                       "SMS13": 65.73, "Sarc14": 54.77, "mean": 63.45})
    assert rows["rnn-0"].reported["Sarc14"] == 53.58 and rows["lstm-0"].reported["SMS13"] == 61.47
    assert not rows["lstm-0-labelled-only"].reported
    config = experiment.configure(rows["gru-0.25"], experiment.scales["paper"], 1)
    expected = {"data": "semeval", "cell": "gru", "rate": 0.25, "scheme": "ours", "sampling": "per_step",
                "hidden": 500, "forward_dropout": (0.2, 0.5), "batch": 32, "vectors": "glove", "train_vectors": False,
                "weak": "vader", "seed": 1,
                "descent": Descent("rmsprop", 1e-3, clip=10.0, schedule="epoch-decay", decay=0.95)}
    assert {name: getattr(config, name) for name in expected} == expected
    without = experiment.configure(rows["lstm-0.25-labelled-only"], experiment.scales["paper"], 1)
    assert without.weak_epochs == 0 and without.weak == "none" and without.epochs == config.epochs

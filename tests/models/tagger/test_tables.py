"""Table 3.4 of the thesis: its numbers and its recipe."""

from minirnn.models.tagger import tables
from minirnn.models.tagger.task import TaggerConfig


def test_table_3_4_holds_the_numbers_of_the_thesis_and_its_recipe():
    rows = {row.key: row for row in tables.EXPERIMENT.rows}
    assert len(rows) == 28 and rows["none"].reported == {"valid": 88.56, "test": 84.46}
    assert rows["ours-0.25-sequence"].reported == {"valid": 89.32, "test": 84.95}
    assert rows["forward-moon-0.5-sequence"].reported == {"valid": 89.61, "test": 86.39}
    assert rows["forward-gal-0.25-step"].reported == {"valid": 91.06, "test": 87.05}
    best = {scheme: max((key for key in rows if key.startswith(scheme)), key=lambda k: rows[k].reported["test"])
            for scheme in ("moon", "gal", "ours")}
    assert best == {"moon": "moon-0.25-step", "gal": "gal-0.25-sequence", "ours": "ours-0.25-sequence"}  # its bold type
    config = tables.EXPERIMENT.configure(rows["forward-ours-0.5-step"], tables.EXPERIMENT.scales["paper"], 2)
    assert config == TaggerConfig.of(rate=0.5, scheme="ours", sampling="per_step", seed=2)
    without = tables.EXPERIMENT.configure(rows["none"], tables.EXPERIMENT.scales["paper"], 0)
    assert without.forward_dropout == (0.0, 0.0) and without.rate == 0

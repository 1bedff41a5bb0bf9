"""Tables 3.2 and 3.3 of the thesis: its numbers and its recipes."""

from minirnn.models import registry
from minirnn.models.language_model import word_tables
from minirnn.models.language_model.task import LanguageModelConfig


def test_tables_hold_the_numbers_of_the_thesis():
    words = {row.key: row.reported for row in word_tables.TABLE.rows}
    assert len(words) == 26
    assert words["none"] == {"valid": 130.0, "test": 125.2} and words["forward"] == {"valid": 94.1, "test": 89.5}
    assert words["ours-0.5-sequence"]["test"] == 96.8 and words["forward-ours-0.25-step"]["test"] == 87.0
    assert words["forward-moon-0.5-step"]["valid"] == 140.6 and words["gal-0.25-sequence"]["valid"] == 120.5
    characters = {row.key: row.reported for row in registry.experiment("table-3.3").rows}
    assert set(characters) == set(words)
    assert min(characters, key=lambda key: characters[key]["test"]) == "ours-0.25-step"


def test_paper_scale_is_the_recipe_of_the_thesis():
    row = {row.key: row for row in word_tables.TABLE.rows}["forward-ours-0.25-step"]
    config = word_tables.TABLE.configure(row, word_tables.TABLE.scales["paper"], 3)
    expected = LanguageModelConfig.of(
        level="word", data="ptb", hidden=256, embedding=256, batch=32, window=35, epochs=100, optimizer="sgd", lr=1.0,
        clip=10.0, schedule="plateau", init=0.05, scheme="ours", rate=0.25, sampling="per_step",
        forward_dropout=(0.2, 0.5), seed=3, patience=word_tables.PATIENCE,
    )
    assert config == expected

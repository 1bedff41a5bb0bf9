"""Every registered model has what the registry says: files, presets, tables, gradient cases, a chapter, tests."""

import json
from pathlib import Path

import pytest

from minirnn.cli import main
from minirnn.course import chapters
from minirnn.errors import InputError
from minirnn.gradcheck import suite
from minirnn.models import models_command, registry, sample_command

ROOT = Path(__file__).parent.parent.parent
CASES = {case.name for case in suite.cases() if case.kind == "model"}


@pytest.mark.parametrize("name", registry.MODELS)
def test_a_model_has_what_its_line_says(name):
    model, task = registry.MODELS[name], registry.task_of(name)
    folder = ROOT / "minirnn" / "models" / model.folder
    assert (folder / "model.py").is_file() and (folder / "task.py").is_file()
    assert all(hasattr(task, part) for part in ("CONFIG", "PRESETS", "configure", "make", "modules"))
    assert {"classroom", "thesis", "quick"} <= set(registry.presets(name))
    assert model.cases and set(model.cases) <= CASES
    assert list((ROOT / "tests" / "models" / model.folder).glob("test_*.py"))
    assert [path.stem for path in chapters.find(ROOT / "chapters") if path.stem.startswith(model.chapter)]
    for table in model.tables:
        experiment = registry.experiment(table)
        assert experiment.name == table and (not experiment.rows or experiment.kind in registry.MODELS)


@pytest.mark.parametrize("folder", sorted({model.folder for model in registry.MODELS.values()}))
def test_the_tables_of_a_folder_are_those_that_the_registry_names(folder):
    lines = {name: model for name, model in registry.MODELS.items() if model.folder == folder}
    named = [table for model in lines.values() for table in model.tables]
    assert sorted(named) == sorted(registry.experiments_of(next(iter(lines)))) and len(set(named)) == len(named)


@pytest.mark.parametrize("name", registry.MODELS)
def test_a_configuration_survives_its_json_and_equal_ones_share_a_folder(name):
    for preset in registry.presets(name):
        config = registry.configure(name, preset, seed=3)
        again = registry.configuration(name, json.loads(json.dumps(config.to_json())))
        assert again == config and registry.folder_name(name, again) == registry.folder_name(name, config)
        assert registry.folder_name(name, config.but(seed=4)) != registry.folder_name(name, config)
        flat = config.to_json()
        if list(type(config).nested()) == ["descent"]:  # as configurations were before they were nested
            flat |= flat.pop("descent")
        assert registry.configuration(name, flat) == config


def test_a_model_without_tables_or_samples_is_one_all_the_same(monkeypatch):
    """Both files may be left out: what asks for them finds nothing, or says so."""
    monkeypatch.setattr(registry, "stem_of", lambda name, stem: None)
    assert registry.experiments_of("tagger") == {}
    with pytest.raises(InputError, match="a model that can show something, got one of tagger"):
        sample_command.parser_of("tagger")


def test_models_are_listed_with_the_state_of_their_claims(tmp_path, capsys):
    assert main(["models"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in registry.MODELS) and "table-3.5: 1 held, 3 cannot tell" in shown
    assert main(["models", "--json"]) == 0
    assert [line["model"] for line in json.loads(capsys.readouterr().out)] == list(registry.MODELS)
    claims = {"claims": [{"claim": "a", "verdict": "held"}, {"claim": "b", "verdict": "not held"},
                         {"claim": "c", "verdict": "not judged"}]}
    (tmp_path / "table-9.json").write_text(json.dumps(claims))
    assert models_command.claims_of("table-9", tmp_path) == {"held": 1, "not held": 1, "not judged": 1}
    assert models_command.claims_of("table-10", tmp_path) == {}


@pytest.mark.parametrize(("call", "message"), [
    (lambda: registry.find("tager"), "name must be one of .*, got 'tager'; did you mean tagger?"),
    (lambda: registry.configure("tagger", "clasroom"), "got 'clasroom'; did you mean classroom"),
    (lambda: registry.configure("tagger", window=3), "got 'window'; did you mean window_words"),
    (lambda: registry.configuration("tagger", {"lrr": 3}), r"those of this minirnn, got also \['lrr'\]"),
    (lambda: registry.configuration("tagger", [3]), "config must be a configuration, got list"),
    (lambda: registry.experiment("table-3.6"), "did you mean table-3"),
])
def test_unknown_names_are_refused_with_near_ones(call, message):
    with pytest.raises(InputError, match=message):
        call()

"""Claims of experiments: they hold on the source's own numbers, and each can fail."""

import copy
import json

import pytest

from minirnn.experiments import table
from minirnn.experiments.experiment import HELD, LEAST_SEEDS, NOT_HELD, NOT_JUDGED, Results
from minirnn.models.models_command import RESULTS
from minirnn.models.registry import experiment as find
from minirnn.models.reproduce_command import EXPERIMENTS

WITH_CLAIMS = [name for name in EXPERIMENTS if any(scale.claims for scale in find(name).scales.values())]
# what the thesis says in words or not at all: {experiment: {row: {metric: value}}}
SAID = {
    "table-3.1": {row.key: {"updates_to_solve": 1500 if row.key == "short-moon-step" else 100}
                  for row in find("table-3.1").rows},  # 10 to 20 times more
    "table-3.4": {"forward-kernel-1": {"valid_f1": 80.0}, "forward-no-capitals": {"valid_f1": 85.0}},
    "table-3.5": {f"lstm-{rate}-labelled-only": {"test_f1": 50.0} for rate in ("0", "0.25")},
    "figure-3.2": {
        "none": {"epochs": {"train_perplexity": [300.0, 100.0, 60.0]}},
        "ours-0.25-step": {"epochs": {"train_perplexity": [320.0, 120.0, 80.0]}},
    },
    "memory-scaling": {row.key: {"cell_ratio": 0.5 if "moon" in row.key else 1.0}
                       for row in find("memory-scaling").rows},
}


def of_the_thesis(name):
    """Runs as an experiment's results have them, with the numbers of the thesis, on as many seeds as a claim needs."""
    experiment = find(name)
    runs = {}
    for row in experiment.rows:
        measured = {c.metric: row.reported[c.title] / c.factor for c in experiment.columns if c.title in row.reported}
        measured |= SAID.get(name, {}).get(row.key, {})
        if measured:
            runs[row.key] = [{**measured, "seed": seed} for seed in range(LEAST_SEEDS)]
    return runs


@pytest.mark.parametrize("name", WITH_CLAIMS)
def test_claims_hold_on_the_numbers_of_the_thesis_and_cannot_be_judged_without(name):
    experiment = find(name)
    for scale in experiment.scales:
        assert all(judged.verdict == NOT_JUDGED for judged in Results(experiment, {}).judge(scale))
        assert all(judged.verdict == HELD for judged in Results(experiment, of_the_thesis(name)).judge(scale))


@pytest.mark.parametrize("name", WITH_CLAIMS)
def test_each_claim_fails_when_some_number_is_another(name):
    experiment, whole = find(name), of_the_thesis(name)
    for scale, size in experiment.scales.items():
        standing = {claim.text for claim in size.claims}
        for row, (run, *_) in whole.items():
            for metric in set(run) - {"seed"}:
                for factor in (1e-6, 1e6):
                    spoiled = copy.deepcopy(whole)
                    value = spoiled[row][0][metric]
                    if isinstance(value, dict):
                        value = {key: [factor * v for v in values] for key, values in value.items()}
                    for run in spoiled[row]:
                        run[metric] = value if isinstance(value, dict) else factor * value + factor
                    judged = Results(experiment, spoiled).judge(scale)
                    standing -= {each.claim for each in judged if each.verdict == NOT_HELD}
        assert not standing


COMMITTED = [path for path in sorted(RESULTS.glob("*.json")) if json.loads(path.read_text()).get("claims")]


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_committed_verdicts_are_those_of_the_committed_numbers(path):
    saved = json.loads(path.read_text())
    experiment = find(saved["experiment"])
    judged = [judged._asdict() for judged in table.of_saved(experiment, saved).judge(saved["scale"])]
    assert judged == saved["claims"] and any(each["verdict"] != NOT_JUDGED for each in judged)

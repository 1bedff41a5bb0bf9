"""Every table and figure of every model: its scales and rows, and a run of its first and last row at smoke scale."""

import pytest

from minirnn import cli
from minirnn.models import registry
from minirnn.models.reproduce_command import EXPERIMENTS


def reproduce(*argv):
    return cli.main(["reproduce", *map(str, argv)])


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_has_three_scales_unique_rows_and_runs_at_smoke(name, tmp_path, capsys):
    experiment = registry.experiment(name)
    assert experiment.name == name and set(experiment.scales) == {"smoke", "classroom", "paper"}
    keys = [row.key for row in experiment.rows]
    assert len(set(keys)) == len(keys)
    titles = {column.title for column in experiment.columns}
    assert all(set(row.reported) <= titles for row in experiment.rows)
    only = f"^({'|'.join(keys[:1] + keys[-1:])})$"
    status = reproduce(name, "--scale", "smoke", "--runs", tmp_path, "--silent", "--seeds", 1,
                       *(["--rows", only] if keys else []))
    shown = capsys.readouterr()
    assert status == 0, shown.err
    for key in keys[:1] + keys[-1:]:
        assert f"\n{key} " in shown.out
    if experiment.draw is not None:
        assert (tmp_path / f"{name}-smoke.png").read_bytes().startswith(b"\x89PNG")

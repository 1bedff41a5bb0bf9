"""Experiments: rows and claims, runs shared, resumed and done side by side, the printed table, bad input."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from minirnn import cli
from minirnn.errors import InputError
from minirnn.experiments import table
from minirnn.experiments.experiment import Claim, Column, Experiment, Results, Row, Scale
from minirnn.experiments.jobs import jobs_of, run_jobs
from minirnn.models import registry, worker
from minirnn.models.reproduce_command import EXPERIMENTS
from minirnn.models.temporal_order import tables as temporal_order
from minirnn.models.temporal_order.task import TemporalOrderConfig, TemporalOrderTask
from minirnn.train.run_folder import RunFolder

TINY = {"preset": "classroom", "hidden": 4, "epochs": 1, "test": 20}
TOY = replace(
    temporal_order.EXPERIMENT,
    rows=tuple(row for row in temporal_order.EXPERIMENT.rows if row.key in ("short-none", "short-ours-step")),
    scales={"smoke": Scale(TINY, seeds=2)},
)


def reproduce(*argv):
    return cli.main(["reproduce", *map(str, argv)])


def result(seed=0, **metrics):
    return {"status": "complete", "data": {"name": "toy", "origin": "generated"}, "seconds": 1.0, "seed": seed,
            "config": {}, **metrics}


SMALL = Experiment(
    name="toy", title="Toy", kind="none", rows=(Row("a", {}, {"score": 10.0}), Row("b", {})),
    columns=(Column("score", "share", ".1f", 100),),
    scales={"classroom": Scale({}, claims=(Claim("a below b", lambda r: r("a", "score") < r("b", "score")),))},
    configure=None,
)


def test_results_are_means_and_deviations_over_seeds():
    both = {"a": [result(0, share=0.1), result(1, share=0.3)], "b": [result(0, share=0.15), result(1, share=0.15)]}
    results = Results(SMALL, both)
    assert results("a", "score") == pytest.approx(20.0)
    assert results.judge("classroom") == [("a below b", "cannot tell", 1, 2)]
    found = table.as_json(SMALL, "classroom", SMALL.rows, results, {})
    assert found["rows"][0]["ours"]["score"]["sd"] == pytest.approx(np.std([10, 30], ddof=1))
    shown = table.text(found)
    assert "10.0, 30.0" in shown and "cannot tell  a below b (on 1 of 2 seeds)" in shown
    assert "data: toy (generated)" in shown
    assert Results(SMALL, {"a": [result(share=0.1)]}).judge("classroom") == [("a below b", "not judged", 0, 0)]


@pytest.mark.parametrize(("a", "b", "verdict"), [
    ((1, 2, 3), (4, 5, 6), ("held", 3, 3)), ((4, 5, 6), (1, 2, 3), ("not held", 0, 3)),
    ((1, 2, 9), (4, 5, 6), ("cannot tell", 2, 3)), ((1, 2), (4, 5), ("cannot tell", 2, 2)),
    ((1, 1, 1, 1), (2, 2, 2, 2), ("held", 4, 4)), ((1,), (2,), ("cannot tell", 1, 1)),
    ((1, 2, 5.5), (4, 5, 5), ("cannot tell", 2, 3)),
])
def test_a_claim_needs_three_seeds_that_all_say_the_same(a, b, verdict):
    runs = {key: [result(seed, share=value) for seed, value in enumerate(values)] for key, values in zip("ab", (a, b))}
    assert Results(SMALL, runs).judge("classroom") == [("a below b", *verdict)]
    shown = table.text(table.as_json(SMALL, "classroom", SMALL.rows, Results(SMALL, runs), {}))
    assert (verdict[0].upper() if verdict[0] == "not held" else verdict[0]) + "  a below b" in shown
    again = table.of_saved(SMALL, table.as_json(SMALL, "classroom", SMALL.rows, Results(SMALL, runs), {}))
    assert again.judge("classroom") == Results(SMALL, runs).judge("classroom")


def test_what_no_seed_changes_needs_one():
    claim = Claim("below", lambda r: r("a", "score") < 2, True)
    exact = replace(SMALL, scales={"classroom": Scale({}, claims=(claim,))})
    for share, verdict in ((0.01, "held"), (0.03, "not held")):
        assert Results(exact, {"a": [result(share=share)]}).judge("classroom")[0].verdict == verdict


def test_claims_compare_rows_on_the_seeds_they_share():
    """a below b with seed 0; the mean of a over both seeds is above b."""
    results = Results(SMALL, {"a": [result(0, share=0.1), result(1, share=0.3)], "b": [result(0, share=0.15)]})
    assert results.judge("classroom") == [("a below b", "cannot tell", 1, 1)]
    found = table.as_json(SMALL, "classroom", SMALL.rows, results, {})
    assert found["rows"][0]["ours"]["score"]["mean"] == pytest.approx(20.0)
    apart = Results(SMALL, {"a": [result(1, share=0.1)], "b": [result(0, share=0.15)]})
    assert apart.judge("classroom")[0].verdict == "not judged"


def test_a_run_ended_by_hand_is_marked():
    runs = [result(0, share=0.1, status="by hand"), result(1, share=0.3)]
    results = Results(SMALL, {"a": runs})
    found = table.as_json(SMALL, "classroom", SMALL.rows, results, {})
    assert found["rows"][0]["ended_by_hand"] == [0] and table.text(found).count("2, 1 ended by hand") == 1


def test_a_task_that_was_never_solved_counts_as_infinitely_many_updates():
    claims = dict(zip(("slower", "same"), temporal_order.CLAIMS[2::2]))

    def held(claim, **updates):
        runs = {f"{length}-{row}": [result(s, updates_to_solve=u) for s, u in enumerate(values)]
                for row, values in updates.items() for length in ("short", "medium")}
        return claims[claim].holds(Results(temporal_order.EXPERIMENT, runs))

    rows = ("moon-sequence", "ours-sequence")
    assert held("same", **dict(zip(rows, ([400, None], [400, None]))))
    assert not held("same", **dict(zip(rows, ([400, None], [None, 400]))))
    assert not held("same", **dict(zip(rows, ([400, None], [400, 400]))))
    assert held("slower", **{"moon-step": [None, None], "ours-step": [300, 300]})
    assert not held("slower", **{"moon-step": [400, 400], "ours-step": [300, 300]})
    runs = {"short-none": [result(0, updates_to_solve=100), result(1, updates_to_solve=None)]}
    found = table.as_json(temporal_order.EXPERIMENT, "classroom", temporal_order.EXPERIMENT.rows[:1],
                          Results(temporal_order.EXPERIMENT, runs), {})
    assert found["rows"][0]["ours"]["updates"] == {"mean": 100.0, "sd": None, "values": [100.0, None]}
    assert "100 (1 of 2)" in table.text(found)


def test_a_measurement_that_does_not_exist_is_a_dash():
    results = Results(SMALL, {"a": [result(share=None)]})
    shown = table.text(table.as_json(SMALL, "classroom", SMALL.rows[:1], results, {"a": 2}))
    assert shown.splitlines()[3].split() == ["a", "10.0", "-", "1", "of", "3"]


def test_finished_runs_are_reused_and_interrupted_ones_go_on(tmp_path, monkeypatch, stop_at_look):
    jobs = jobs_of(TOY, "smoke", TOY.rows, 2, tmp_path, registry)
    assert run_jobs(jobs, quiet=True) == 0
    whole = [job.result()["parameters_sha256"] for job in jobs]
    monkeypatch.setattr(registry, "run", lambda *a, **k: pytest.fail("ran again"))
    assert run_jobs(jobs, quiet=True) == 0
    monkeypatch.undo()
    again = jobs_of(TOY, "smoke", TOY.rows, 2, tmp_path / "again", registry)

    stop_at_look(70)  # in the second run
    assert run_jobs(again, quiet=True) == 143
    assert [job.result() is not None for job in again] == [True, False, False, False]
    monkeypatch.undo()
    assert run_jobs(again, quiet=True) == 0
    assert [job.result()["parameters_sha256"] for job in again] == whole


def test_side_by_side_gives_the_same_numbers(tmp_path):
    one = jobs_of(TOY, "smoke", TOY.rows, 2, tmp_path / "one", registry)
    two = jobs_of(TOY, "smoke", TOY.rows, 2, tmp_path / "two", registry)
    assert run_jobs(one, quiet=True) == run_jobs(two, processes=2, quiet=True) == 0
    for a, b in zip(one, two):
        assert a.result()["parameters_sha256"] == b.result()["parameters_sha256"]


def test_a_signal_ends_every_process_with_a_checkpoint(tmp_path):
    argv = [sys.executable, "-m", "minirnn", "reproduce", "table-3.1", "--rows", "medium-moon", "--jobs", "2",
            "--seeds", "1", "--runs", str(tmp_path)]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "MINIRNN_NUM_THREADS": "1"})
    end = time.monotonic() + 60
    while len(list(tmp_path.glob("*/checkpoints/*.json"))) < 2 and time.monotonic() < end:
        time.sleep(0.1)
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143, said
    assert said.count("interrupted at update") == 2
    assert not list(tmp_path.glob("*/result.json"))


def test_a_run_keeps_its_folder_when_an_option_is_added_and_others_get_their_own():
    config = TemporalOrderConfig.of(rate=0.5)
    stored = {k: v for k, v in config.to_json().items() if k != "patience"}
    name = registry.folder_name("temporal-order", config)
    assert name == registry.folder_name("temporal-order", registry.configuration("temporal-order", stored))
    assert name != registry.folder_name("temporal-order", config.but(seed=1))


def test_a_folder_of_another_configuration_is_refused(tmp_path):
    (job,) = jobs_of(TOY, "smoke", TOY.rows[:1], 1, tmp_path, registry)
    assert run_jobs([job], quiet=True) == 0
    with pytest.raises(InputError, match="a run of the same configuration"):
        registry.run(job.kind, {**job.config, "seed": 5}, job.path, quiet=True)


def test_a_finished_run_is_reused_only_whole_and_of_the_same_configuration(tmp_path, reseal):
    (job,) = jobs_of(TOY, "smoke", TOY.rows[:1], 1, tmp_path, registry)
    assert job.result() is None and run_jobs([job], quiet=True) == 0 and job.result()["updates"] > 0
    stored = (job.path / "config.json").read_text()
    (job.path / "config.json").write_text(stored.replace('"hidden": 4', '"hidden": 5'))
    with pytest.raises(InputError, match="config.json must be as it was written, got other content"):
        run_jobs([job], quiet=True)
    reseal(job.path / "config.json", config={**json.loads(stored)["config"], "hidden": 5})
    with pytest.raises(InputError, match="a run of the same configuration, got another one"):
        run_jobs([job], quiet=True)
    (job.path / "config.json").write_text(stored)
    (job.path / "result.json").write_text((job.path / "result.json").read_text()[:40])
    with pytest.raises(InputError, match="result.json must be JSON, got damaged text"):
        job.result()


class Worker:
    """A process of a run that ends at once with ``status``."""

    status, environments = 0, []

    def __init__(self, arguments, env, stderr):
        self.environments.append(env)
        self.returncode = self.status

    def poll(self):
        return self.returncode


@pytest.mark.parametrize(("ended", "status"), [(0, 0), (1, 1), (-9, 137)])
def test_the_worst_end_of_a_process_is_the_exit_status(ended, status, tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", type("Ended", (Worker,), {"status": ended}))
    assert run_jobs(jobs_of(TOY, "smoke", TOY.rows, 1, tmp_path, registry), processes=2, quiet=True) == status


def test_a_worker_interrupted_while_it_reads_data_ends_quietly(monkeypatch, capsys):
    def interrupted(*arguments, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(registry, "run", interrupted)
    task = {"kind": "temporal-order", "config": {}, "path": "p", "folder": None, "quiet": True}
    assert worker.main(json.dumps(task)) == 130
    assert capsys.readouterr() == ("", "")


def test_processes_share_out_the_threads_the_user_allows(tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", Worker)
    jobs = jobs_of(TOY, "smoke", TOY.rows, 1, tmp_path, registry)
    for allowed, each in (("4", "2"), ("1", "1"), ("7", "3")):
        monkeypatch.setenv("MINIRNN_NUM_THREADS", allowed)
        Worker.environments.clear()
        run_jobs(jobs, processes=2, quiet=True)
        assert [env["MINIRNN_NUM_THREADS"] for env in Worker.environments] == [each] * 2


def test_json_has_what_the_numbers_depend_on_and_no_paths(tmp_path, capsys):
    saved = tmp_path / "saved.json"
    assert reproduce("figure-3.2", "--scale", "smoke", "--runs", tmp_path / "runs", "--json", "--save", saved,
                     "--silent") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == json.loads(saved.read_text())
    assert [row["row"] for row in shown["rows"]] == ["none", "ours-0.25-step"]
    assert shown["rows"][0]["paper"] == {"valid": 130.0, "test": 125.2}
    assert len(shown["rows"][0]["epochs"][0]["valid_perplexity"]) == 1
    assert shown["rows"][0]["ours"]["valid"]["values"][0] == shown["rows"][0]["epochs"][0]["valid_perplexity"][0]
    assert str(tmp_path) not in saved.read_text()


def test_exit_status_says_whether_claims_held_and_rows_are_complete(tmp_path, monkeypatch, capsys):
    never = Claim("never", lambda r: r("short-none", "test %") > 1e9, True)
    false = replace(TOY, scales={"classroom": Scale(TINY, claims=(never,))})
    monkeypatch.setattr(registry, "experiment", lambda name: false)
    assert reproduce("table-3.1", "--runs", tmp_path, "--finished", "--silent") == 1
    assert "0 of 1" in capsys.readouterr().out
    assert reproduce("table-3.1", "--runs", tmp_path, "--silent") == 1
    assert "NOT HELD  never" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["table-3.11"], "did you mean table-3.1"),
        ([], "NAME must be one of"),
        (["table-3.1", "--rows", "nothing"], "see minirnn reproduce table-3.1 --list"),
        (["table-3.1", "--rows", "("], "a regular expression"),
        (["table-3.1", "--seeds", "0"], "--seeds must be at least 1"),
        (["table-3.1", "--jobs", "-1"], "--jobs must be at least 1"),
        (["table-3.1", "--save", "/no/such/x.json"], "--save must be in an existing folder"),
        (["figure-3.1", "--figure", "/"], "--figure must be a file, got the folder"),
    ],
)
def test_bad_input_is_one_line_and_status_two(argv, message, capsys, tmp_path):
    assert reproduce(*argv, "--runs", tmp_path) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_lists_name_experiments_and_rows(capsys):
    assert reproduce("--list") == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("table-3.1", "figure-3.2", "memory-scaling"))
    assert reproduce("table-3.1", "--list") == 0
    assert "medium-moon-sequence" in capsys.readouterr().out.splitlines()
    assert reproduce("table-3.1", "--list", "--json") == 0
    assert "medium-moon-sequence" in json.loads(capsys.readouterr().out)
    assert reproduce("--list", "--json") == 0
    assert set(json.loads(capsys.readouterr().out)) == set(EXPERIMENTS)


def test_a_figure_without_rows_has_json_too(tmp_path, capsys):
    saved = tmp_path / "figure.json"
    assert reproduce("figure-3.1", "--runs", tmp_path / "new", "--json", "--save", saved, "--silent") == 0
    assert json.loads(capsys.readouterr().out) == json.loads(saved.read_text())


def test_a_diverged_run_is_a_result_that_stops_no_other_and_is_not_tried_again(tmp_path, monkeypatch, capsys):
    jobs = jobs_of(TOY, "smoke", TOY.rows, 1, tmp_path, registry)
    real = TemporalOrderTask.loss

    def first_diverges(task, clock):
        loss, seen = real(task, clock)
        return loss * (np.float32(np.nan) if task.config.rate == 0 else 1), seen

    monkeypatch.setattr(TemporalOrderTask, "loss", first_diverges)
    assert run_jobs(jobs, quiet=True) == 1
    assert [job.result()["status"] for job in jobs] == ["diverged", "complete"]
    monkeypatch.undo()
    monkeypatch.setattr(registry, "run", lambda *a, **k: pytest.fail("tried again"))
    assert run_jobs(jobs) == 1
    said = capsys.readouterr().err
    assert "short-none, seed 0: diverged earlier, not tried again (50 updates in a row were not finite" in said
    claim = Claim("none is right", lambda r: r("short-none", "test %") > 0)
    judged = replace(TOY, scales={"smoke": Scale(TINY, claims=(claim,))})
    results, missing = table.outcome(judged, jobs)
    shown = table.text(table.as_json(judged, "smoke", judged.rows, results, missing))
    assert missing == {} and "1, 1 diverged" in shown and "not judged  none is right" in shown


def test_what_is_measured_of_a_run_is_measured_once(tmp_path):
    jobs, calls = jobs_of(TOY, "smoke", TOY.rows[:1], 1, tmp_path, registry), []

    def measure(run, folder):
        calls.append(run.name)
        return {"units": run.model.recurrent.hidden_size, "nothing": float("nan")}

    measured = replace(TOY, measure=measure)
    run_jobs(jobs, quiet=True)
    for _ in range(3):
        results, _ = table.outcome(measured, jobs)
        assert results.runs["short-none"][0]["units"] == 4 and results.runs["short-none"][0]["nothing"] is None
    assert calls == ["temporal-order"]
    kept = jobs[0].path / "measures/table-3.1.json"
    kept.write_text(kept.read_text().replace('"units": 4', '"units": 5'))
    with pytest.raises(InputError, match="table-3.1.json must be as it was written"):
        table.outcome(measured, jobs)


def test_curves_are_those_of_the_run_folder(tmp_path):
    jobs = jobs_of(TOY, "smoke", TOY.rows[:1], 1, tmp_path, registry)
    run_jobs(jobs, quiet=True)
    kept = table.curves(jobs[0].path, ("train_accuracy",))
    lines = RunFolder.open(jobs[0].path).read_metrics()
    assert kept["train_accuracy"] == [line["train_accuracy"] for line in lines if line["kind"] == "epoch"]

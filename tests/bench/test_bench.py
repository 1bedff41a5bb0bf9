"""The benchmark: it refuses what disagrees, names what is missing, and both sides do the same work. Nothing is timed
here but for the form of the answer."""

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

from minirnn import bptt, nn
from minirnn.array import Streams
from minirnn.bench import command, ours, report, startup
from minirnn.bench.interleave import Worker, disagreement, peak_memory
from minirnn.bench.workloads import (
    THRESHOLD,
    Workload,
    catalogue,
    embedding_data,
    language_model_data,
    layer,
    layer_data,
    layer_flops,
    softmax_data,
    unroll_data,
)
from minirnn.cells import GRU, LSTM, RNN, Masks, Weights
from minirnn.cli import main

LM = {"V": 7, "E": 3, "H": 4, "B": 2, "T": 5}
TINY = {
    **{cell: layer(cell, 2, 4, 5, 3, "float64") for cell in ("lstm", "gru", "rnn")},
    **{f"{cell} dropout": layer(cell, 2, 4, 5, 3, "float64", 0.25) for cell in ("lstm", "gru", "rnn")},
    **{f"lm {o}": Workload(f"lm {o}", "lm", {**LM, "optimizer": o}, "float64") for o in ("sgd", "adam")},
    "softmax-xent": Workload("softmax-xent", "softmax-xent", {"N": 6, "V": 9}, "float64"),
    "embedding-gradient": Workload("embedding-gradient", "embedding-gradient", {"N": 9, "V": 5, "D": 3}, "float64"),
    "lm dropout": Workload("lm dropout", "lm", {**LM, "optimizer": "sgd"}, "float64", 0.25),
    "tape": Workload("tape", "tape", {"size": 3, "operations": 4}, "float64"),
    "unroll": Workload("unroll", "unroll", {"B": 2, "T": 4, "D": 3, "H": 5}, "float64"),
}
QUICK = ["--workloads", "^tape-overhead$", "--rounds", "2", "--seconds", "0.01", "--patience", "0"]


def softmax(a):
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def explicit_layer(w):
    """The gradients by the explicit step-by-step form."""
    x, weights, dy = layer_data(w)
    cell = {"lstm": LSTM(), "gru": GRU(reset_after=True), "rnn": RNN()}[w.kind]
    zeros = np.zeros_like(dy[0])
    run = bptt.forward(cell, x, (zeros,) * len(cell.states), Weights(*weights), form="explicit")
    got = bptt.backward(run, dy)
    return [got.x, *got.weights]


def explicit_language_model(w):
    """Clipped gradients of the first step on plain arrays. thesis (2.2.3)-(2.2.6)"""
    (table, *weights, out_weight, out_bias), tokens, targets = language_model_data(w)
    zeros = np.zeros((w.sizes["B"], w.sizes["H"]))
    run = bptt.forward(LSTM(), table[tokens], (zeros, zeros), Weights(*weights), form="explicit")
    da = (softmax(run.y @ out_weight.T + out_bias) - np.eye(w.sizes["V"])[targets]) / w.sizes["B"]
    got = bptt.backward(run, da @ out_weight)
    dtable = np.zeros_like(table)
    np.add.at(dtable, tokens, got.x)
    gradients = [dtable, *got.weights, np.einsum("tbv,tbh->vh", da, run.y), da.sum(axis=(0, 1))]
    norm = np.sqrt(sum((g * g).sum() for g in gradients))
    assert norm > 2 * THRESHOLD  # clipping is at work
    return [g * (THRESHOLD / norm) for g in gradients]


def explicit_softmax(w):
    logits, targets = softmax_data(w)
    return [(softmax(logits) - np.eye(w.sizes["V"])[targets]) / w.sizes["N"]]


def explicit_embedding(w):
    table, ids, dy = embedding_data(w)
    dtable = np.zeros_like(table)
    np.add.at(dtable, ids, dy)
    return [dtable]


def explicit_tape(w):
    one = np.ones(w.sizes["size"])
    return [one, w.sizes["operations"] * one]


def explicit_unroll(w):
    """A vanilla step whose two matrices are one. thesis (2.2.2)"""
    x, weight, h0, dy = unroll_data(w)
    D = x.shape[2]
    run = bptt.forward(RNN(), x, h0, Weights(weight[:, :D], weight[:, D:]), form="explicit")
    got = bptt.backward(run, dy)
    return [got.x, np.concatenate(got.weights[:2], axis=1), *got.state0]


EXPLICIT = {"lm": explicit_language_model, "softmax-xent": explicit_softmax, "embedding-gradient": explicit_embedding,
            "tape": explicit_tape, "unroll": explicit_unroll}


@pytest.mark.parametrize("w", TINY.values(), ids=TINY)
def test_our_side_computes_the_gradients_of_the_explicit_form(w):
    step, results = ours.make(w)
    step()
    truth = EXPLICIT.get(w.kind, explicit_layer)(w)
    found = results()
    assert [a.shape for a in found] == [a.shape for a in truth]
    for a, b in zip(found, truth):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12 * max(1, np.abs(b).max()))


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_a_step_with_dropout_draws_fresh_masks_and_computes_what_the_layer_does_with_them(cell):
    w = TINY[f"{cell} dropout"]
    (x, weights, dy), (step, results) = layer_data(w), ours.layer(w)
    spec = nn.RecurrentDropout("ours", w.dropout)
    kind, found = {"lstm": LSTM(), "gru": GRU(reset_after=True), "rnn": RNN()}[cell], []
    for number in range(2):
        step()
        found.append(results())
        mask = spec.masks(Streams(0, number)("recurrent", 0), *dy.shape, x, True).ours
        assert 0 < mask.mean() < 1
        masks = Masks(**{"gal" if cell == "rnn" else "ours": mask})
        zeros = (np.zeros_like(dy[0]),) * len(kind.states)
        got = bptt.backward(bptt.forward(kind, x, zeros, Weights(*weights), masks, form="explicit"), dy)
        for a, b in zip(found[-1], [got.x, *got.weights]):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12 * max(1, np.abs(b).max()))
    assert not np.allclose(found[0][0], found[1][0])


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_the_kernels_alone_compute_what_the_layer_does(cell):
    (step, results), (step_alone, results_alone) = ours.make(TINY[cell]), ours.make_kernels(TINY[cell])
    step(), step_alone()
    for a, b in zip(results(), results_alone()):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("rival", ["torch", "jax"])
def test_a_rivals_side_computes_the_same(rival):
    pytest.importorskip(rival, reason=f"{rival} is not needed by minirnn")
    with Worker("minirnn", command.SOURCES["minirnn"], 1) as a, Worker(rival, command.SOURCES[rival], 1) as b:
        for w in TINY.values():
            if w.kind != "unroll" and (rival != "jax" or w.kind != "tape"):
                assert disagreement([a, b], w) < w.tolerance, w.name


def test_sizes_that_were_asked_for_are_there():
    known, grid = catalogue(), catalogue(grid=True)
    assert known["lstm_32_35_256_256"].sizes == {"B": 32, "T": 35, "D": 256, "H": 256}
    assert len(known) == 3 * 7 + 9
    assert len(grid) == len(known) + 3 * (4 * 6 * 2 - 1)  # B, T, D, H = 1, 100, 128, 128 is in both
    assert layer_flops("rnn", 2, 3, 5, 7) == 3 * 2 * (2 * 3 * 7 * 5 + 2 * 3 * 7 * 7)  # speed (G1)
    assert known["word-lm-dropout"].dropout == known["gru-dropout_32_35_256_256"].dropout == 0.25
    assert known["lstm-dropout_32_35_256_256"].flops == known["lstm_32_35_256_256"].flops
    assert known["word-lm"].flops == layer_flops("lstm", 32, 35, 256, 256) + 6 * 1120 * 256 * 10_000


def test_dropout_is_timed_against_itself_without_masks(monkeypatch, capsys):
    w = TINY["gru dropout"]
    monkeypatch.setattr(command, "catalogue", lambda *_: {w.name: w})
    monkeypatch.setattr(command, "PRODUCT", {"N": 8})
    assert main(["bench", "--workloads", "dropout", *QUICK[2:], "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["workloads"]["gru-dropout_2_4_5_3"]
    assert set(row["sides"]) == {"minirnn", "no-masks"} and set(row["ratios"]) == {"no-masks"}
    assert row["gradients_differ_by"] < 1e-12


def test_unroll_is_timed_against_the_bare_loop_in_the_same_run(capsys):
    assert main(["bench", "--workloads", "unroll", *QUICK[2:], "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["workloads"]["unroll-overhead"]
    assert set(row["ratios"]) == {"bare-loop"} and row["gradients_differ_by"] < 1e-5


def test_words_and_columns_name_what_has_dropout():
    row = {"unit": "ms", "sides": {"minirnn": {"median": 3.0}}, "ratios": {"no-masks": {"median": 0.5}}}
    text = report.markdown({"settings": {"against": []}, "workloads": {"lstm-dropout_1_2_3_4": row}})
    assert "| x no-masks |" in text and "| LSTM 1, 2, 3, 4, dropout | 3 ms | 0.50 |" in text
    assert report.words("word-lm-dropout") == "word lm dropout" and report.words("gru_1_2") == "GRU 1, 2"


@pytest.fixture
def twin(tmp_path, monkeypatch):
    """A rival that is minirnn, its gradients times a factor; it stands where numpy is looked for."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(command, "RIVALS", {"numpy": "the twin"})
    monkeypatch.setitem(command.SOURCES, "numpy", "twin:make")

    def write(factor):
        (tmp_path / "twin.py").write_text(
            "from minirnn.bench import ours\n\n"
            "def make(w):\n"
            "    step, results = ours.make(w)\n"
            f"    return step, lambda: [a * {factor} for a in results()]\n"
        )

    return write


def test_sides_that_agree_are_compared_and_the_json_says_so(twin, tmp_path, capsys):
    twin("1.0")
    path = tmp_path / "result.json"
    assert main(["bench", *QUICK, "--against", "numpy", "--json", "--save", str(path)]) == 0
    out = capsys.readouterr()
    result = json.loads(out.out)
    assert result == json.loads(path.read_text()) and "tape-overhead" in out.err
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", result["date"])
    assert {"processor", "python", "numpy", "numba"} <= set(result["machine"])
    assert result["settings"] == {
        "dtype": "float32", "threads": 2, "rounds": 2, "seconds": 0.01, "clock": "wall",
        "against": ["numpy"]}
    row = result["workloads"]["tape-overhead"]
    assert row["unit"] == "us per operation" and row["gradients_differ_by"] == 0
    assert set(row["sides"]) == {"minirnn", "numpy"} and set(row["ratios"]) == {"numpy"}
    low, high = row["ratios"]["numpy"]["quartiles"]
    assert 0 < low <= row["ratios"]["numpy"]["median"] <= high


@pytest.mark.parametrize("factor", ["1.001", "float('nan')"])
def test_sides_that_disagree_are_not_compared(twin, factor, capsys):
    twin(factor)
    assert main(["bench", *QUICK, "--against", "numpy", "--json"]) == 1
    out = capsys.readouterr()
    assert out.out == "" and "tape-overhead: gradients of minirnn, numpy differ by" in out.err


def test_a_side_that_dies_ends_with_a_word(twin, capfd):
    twin("no_such_name")
    assert main(["bench", *QUICK, "--against", "numpy"]) == 2
    assert "the numpy process ended on tape-overhead" in capfd.readouterr().err


def test_a_missing_rival_is_named(monkeypatch, capsys):
    monkeypatch.setattr(command, "RIVALS", {"no_such_package": "Nothing"})
    assert main(["bench", "--against", "no_such_package"]) == 2
    assert "--against no_such_package must be Nothing, installed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--against", "theano"], "must be of torch,jax, got 'theano'"),
        (["--torch-m"], "--torch-m must be given with --against torch"),
        (["--workloads", "nothing"], "see minirnn bench --list"),
        (["--clock", "process"], "--clock process must be with --threads 1, got --threads 2"),
        (["--rounds", "0"], "--rounds must be above zero, got 0"),
    ],
)
def test_options_that_cannot_be_met_say_why(arguments, message, capsys):
    assert main(["bench", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_list_names_every_workload(capsys):
    assert main(["bench", "--list", "--grid"]) == 0
    assert capsys.readouterr().out.split() == [*catalogue(grid=True), "start-up"]


def test_a_row_has_medians_of_rounds_ratios_and_the_fraction_of_the_peak():
    w = layer("rnn", 2, 3, 5, 7)
    seconds = {"minirnn": [1e-3, 2e-3, 4e-3], "kernels": [1e-3] * 3, "torch": [3e-3, 4e-3, 4e-3]}
    row = report.row(w, seconds, 2.34e-6, 0.02, w.flops / 1e-3, None)
    assert row["sides"]["minirnn"] == {"median": 2.0, "quartiles": [1.5, 3.0]}
    assert row["ratios"] == {"torch": {"median": 2.0, "quartiles": [1.5, 2.5]}}
    assert row["fraction_of_peak"]["minirnn"] == 0.5 and row["gradients_differ_by"] == 2.3e-6
    assert "torch 4 [3.5 4] x2.00" in report.line("w", row) and "50% of" in report.line("w", row)


@pytest.mark.slow
def test_memory_is_measured_in_a_fresh_process():
    w = Workload("xent", "softmax-xent", {"N": 1000, "V": 5000}, "float64")  # 40 MB of logits, and of gradients
    with Worker("minirnn", command.SOURCES["minirnn"], 1) as worker:
        memory = peak_memory(worker, w)
    assert memory["peak"] > memory["imported"] + 2 * 40e6 / 2**20 * 0.95


def test_start_up_is_timed_by_fresh_interpreters():
    assert 0 < startup.fresh([startup.IMPORT])


ROOT = Path(__file__).parent.parent.parent
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("float*.json"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda p: p.stem)
def test_committed_results_agree_with_themselves(path):
    result = json.loads(path.read_text(encoding="utf-8"))
    assert {"date", "machine", "load_before", "settings", "workloads"} <= set(result)
    for name, row in result["workloads"].items():
        assert row["gradients_differ_by"] < catalogue(result["settings"]["dtype"], grid=True)[name].tolerance
        for rival, ratio in row["ratios"].items():
            low, high = ratio["quartiles"]
            assert low <= ratio["median"] <= high and rival in row["sides"]


def script_named(name):
    """A script of benchmarks/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


@pytest.mark.parametrize("name", ["lstm_8_10_32_32", "gru_8_10_32_32", "rnn_8_10_32_32"])
def test_the_profile_of_a_layer_accounts_for_all_of_its_products(name, monkeypatch):
    script = script_named("where_time_goes")
    monkeypatch.setattr(script, "SECONDS", 0)
    workload = catalogue(grid=True)[name]
    found = script.profile(workload, peak=1.0)
    assert sum(job["gflops"] * job["ms"] * 1e6 for job in found["jobs"]) == pytest.approx(workload.flops)
    assert sum(job["ms"] for job in found["jobs"]) == pytest.approx(found["ms"])
    assert {job["pass"] for job in found["jobs"]} == {"forward", "backward"}


def test_the_readme_shows_the_committed_results():
    script = script_named("readme_table")
    for path, made in (("README.md", script.table()), ("benchmarks/README.md", script.details())):
        text = (ROOT / path).read_text(encoding="utf-8")
        shown = text.split(script.MARKS[0])[1].split(script.MARKS[1])[0]
        assert shown.strip() == made.strip()
    assert re.search(r"Measured \d{4}-\d\d-\d\d", script.table())


def test_several_runs_are_shown_by_their_medians():
    rows = [{"sides": {"minirnn": {"median": ms}, "torch": {"median": 9.0}}, "ratios": {"torch": {"median": 9 / ms}},
             "others_took": took, "unit": "ms"} for ms, took in ((3.0, 0.0), (9.0, None), (4.5, 0.2))]
    merged = report.over_runs([{"workloads": {"word-lm": row}} for row in rows])
    row = merged["workloads"]["word-lm"]
    assert row["sides"]["minirnn"]["median"] == 4.5 and row["others_took"] == 0.2
    assert row["ratios"]["torch"] == {"median": 2.0, "runs": [1.0, 2.0, 3.0]}
    assert "| 4.5 ms | 2.00 (1.00 - 3.00) |" in report.markdown(merged)

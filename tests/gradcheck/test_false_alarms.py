"""Right code is not called wrong: the ways in which differences deceive, one by one, and at random by the thousand."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from minirnn.cli import main
from minirnn.gradcheck import Verdict, check_vjp, false_alarms, sweep
from minirnn.gradcheck.findings import Entry
from minirnn.gradcheck.measurement import Measurement
from minirnn.gradcheck.sweep import Slope

COMMITTED = Path(__file__).parent / "false_alarms.json"


def chaos(x):
    """The logistic map, thirty times over: its slope grows to 1e8."""
    for _ in range(30):
        x = 4 * x * (1 - x)
    return x


def chaos_back(dy, x):
    slope = np.ones_like(x)
    for _ in range(30):
        slope, x = slope * 4 * (1 - 2 * x), 4 * x * (1 - x)
    return dy * slope


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("seed", range(8))
def test_steps_that_agree_by_chance_accuse_nobody(seed, dtype):
    """Where all steps are too long for a function, some of them give equal slopes by chance."""
    x = np.random.default_rng(seed).uniform(0.1, 0.9, 24).astype(dtype)
    for f in (chaos, lambda x: chaos(x).astype(np.float32)):
        finding = check_vjp(f, chaos_back, [x], complex_step=False, rng=seed, lenient=True)
        assert finding.verdict in (Verdict.PASS, Verdict.UNDECIDABLE), str(finding)


def test_a_function_that_bends_between_steps_is_still_checked():
    """The mean of a right gradient between two points is the slope between them; that of a wrong one is not."""
    f, x = lambda x: np.abs(np.sin(40 * x)).astype(np.float32), np.random.default_rng(0).standard_normal(50)
    back = lambda dy, x: dy * 40 * np.cos(40 * x) * np.sign(np.sin(40 * x))
    assert check_vjp(f, back, [x], lenient=True).verdict is not Verdict.WRONG
    for factor in (1.05, 0, -1, 2):
        finding = check_vjp(f, lambda dy, x, factor=factor: factor * back(dy, x), [x], lenient=True)
        assert finding.verdict is Verdict.WRONG, factor


def test_steps_that_drown_inside_a_function_accuse_nobody():
    f, back = lambda x: np.sin(x * 1e-9 + 1e7), lambda dy, x: dy * 1e-9 * np.cos(x * 1e-9 + 1e7)
    x = np.random.default_rng(0).standard_normal(6)
    assert check_vjp(f, back, [x], complex_step=False).verdict is not Verdict.WRONG
    assert check_vjp(f, lambda dy, x: -back(dy, x), [x], complex_step=False).verdict is Verdict.WRONG


def test_a_function_whose_values_cancel_has_no_gradient_and_no_mistake():
    centred = lambda x: x - x.mean(0, keepdims=True)
    f, x = lambda x: centred(np.tanh(x)).mean(), 0.3 * np.random.default_rng(0).standard_normal((9, 7))
    back = lambda dy, x: centred(np.full_like(x, dy / x.size)) * (1 - np.tanh(x) ** 2)
    for seed in range(10):
        assert check_vjp(f, back, [x], rng=seed, complex_step=False).verdict is not Verdict.WRONG
    wrong = lambda dy, x: np.full_like(x, dy / x.size)
    assert check_vjp(f, wrong, [x], complex_step=False).verdict is Verdict.WRONG


HERE = np.random.default_rng(0).standard_normal((3, 4))
INSIDE = {
    "all that comes out": lambda x, w: np.tanh(x @ w).astype(np.float32).astype(float),
    "what is stored": lambda x, w: np.tanh(x @ w).astype(np.float32).astype(float) @ w.T,
    "a sum": lambda x, w: float(np.tanh(x @ w).astype(np.float32).sum()),
    "a large sum, which looks whole": lambda x, w: float(np.float32(1e9 + 100 * np.tanh(x @ w).sum())),
    "what moves far away only": lambda x, w: float(np.float32(1 + max(0, np.abs(x - HERE).max() - 0.01))),
    "a constant": lambda x, w: (x.astype(np.float32) @ w.astype(np.float32) * 0 + np.float32(0.1)).astype(float),
}


@pytest.mark.parametrize("where", INSIDE)
def test_float32_inside_is_noticed_by_what_it_does_not_see(where):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((3, 4)), rng.standard_normal((4, 5))
    finding = check_vjp(INSIDE[where], lambda dy, x, w: (np.zeros_like(x), np.zeros_like(w)), [x, w])
    assert any("float32 inside" in note for note in finding.notes) and finding.rtol == 1e-3
    in_full = check_vjp(lambda x, w: np.tanh(x @ w), lambda dy, x, w: (np.zeros_like(x), np.zeros_like(w)), [x, w])
    assert in_full.rtol == 1e-8 and not any("float32" in note for note in in_full.notes)


WHOLE = [np.sign, np.round, lambda x: np.maximum(x, 0), lambda x: 0 * x, lambda x: x.argmax() + 0.0]


def test_what_a_tenth_of_the_arguments_hides_has_not_passed():
    """Chaos at their full size; at a tenth a slope of 1e-9 in a value of 1, which float32 does not see."""
    far = lambda x: np.abs(x) > 0.2
    f = lambda x: (1 + 1e-9 * x + np.where(far(x), chaos(np.clip(x, 0, 1)), 0)).astype(np.float32).astype(float)
    back = lambda dy, x: -1e-9 * dy + np.where(far(x), chaos_back(dy, np.clip(x, 0, 1)), 0)
    for seed in range(4):
        x = np.random.default_rng(seed).uniform(0.3, 0.9, 12)
        assert not check_vjp(f, back, [x], drawn=True, complex_step=False, rng=seed, lenient=True).ok


def test_a_wrong_array_with_one_large_entry_shows_along_directions():
    w = np.random.default_rng(0).standard_normal(2000).astype(np.float32)
    w[7] = 300
    f, x = lambda x: (x * w).sum(), np.ones(2000, np.float32)
    shut = {"entries": 0, "directions": 4, "complex_step": False}
    assert check_vjp(f, lambda dy, x: dy * w, [x], **shut).ok
    assert check_vjp(f, lambda dy, x: dy * w * np.float32(1.02), [x], **shut).verdict is Verdict.WRONG


def test_two_rungs_that_agree_by_chance_are_contradicted_by_smaller_steps():
    """Slopes as a chaotic layer gave them: 1935 twice on the way to 67303."""
    slopes = np.array([27, -1, -223, 1935.27, 1935.28, 4904, 17222, 43745, 69871, 67587, 67320.9, 67303.9, 67302.9,
                       67302.8, 67302.8, 67302.8])
    steps = sweep.ladder(np.float64)
    found = sweep.measure(0.0, steps * slopes, -steps * slopes, steps, np.finfo(float).eps, 1.0)
    assert abs(found.value - 67302.8) < 1 and found.step < 1e-6


def test_nothing_beneath_rounding_accuses():
    """Of ((x + 1e6) - 1e6) - x only rounding is left: between two points it is larger than a claim of 1e-9."""
    module = importlib.import_module("minirnn.gradcheck.check")
    point = Measurement(lambda x: (x + 1e6) - 1e6 - x, [np.array([0.3, -0.7])], cotangents=[np.ones(2)])
    held = module._Comparison(point, lambda dy, x: np.full_like(x, 1e-9), "rounding", 1e-8)
    slope = Slope(0.0, 1e-15, 0.0, 0.0, "smooth", np.zeros((5, 16)), 0.004)
    entry = Entry((0,), 1e-9, slope, 1e-15, 1e-9, 1.0, Verdict.WRONG)
    assert 0 < point.floor < 1e-9 and held.consistent(0, (0,), entry)
    large = Entry((0,), 1e-3, slope, 1e-15, 1e-3, 1.0, Verdict.WRONG)
    held.vjp = lambda dy, x: np.full_like(x, 1e-3)
    assert not held.consistent(0, (0,), large)


@pytest.mark.parametrize("f", WHOLE)
def test_functions_of_whole_numbers_are_not_taken_for_float32(f):
    back = lambda dy, x: np.where(f(x) == x, dy, 0) if np.shape(f(x)) else np.zeros_like(x)
    finding = check_vjp(f, back, [np.array([0.3, -1.2, 2.7])])
    assert finding.ok and finding.rtol == 1e-8


def test_float64_decides_what_float32_leaves_open():
    f, x = lambda x: np.maximum(x, 0.3) ** 2, np.array([0.3001, 0.2999, 0.1, 0.9], np.float32)
    back = lambda dy, x: (dy * 2 * np.maximum(x, 0.3) * (x > 0.3)).astype(np.float32)
    assert check_vjp(f, back, [x], complex_step=False).verdict is Verdict.PASS
    assert check_vjp(f, lambda dy, x: -back(dy, x), [x], complex_step=False).verdict is Verdict.WRONG


def test_a_backward_may_use_what_the_last_forward_kept():
    kept = {}

    def f(x, w):
        kept["h"] = np.tanh(x @ w)
        return kept["h"]

    def back(dy, x, w):
        da = dy * (1 - kept["h"] ** 2)
        return da @ w.T, x.T @ da

    rng = np.random.default_rng(0)
    args = [rng.standard_normal((3, 4)), rng.standard_normal((4, 2))]
    assert check_vjp(f, back, args).verdict is Verdict.PASS


def test_undecidable_says_what_to_do_and_is_tried_at_a_tenth():
    """Saturated by its size, the function says nothing; at a tenth of it, it does."""
    x = np.full((3, 3), 0.37) * np.arange(1, 10).reshape(3, 3)
    steep = lambda x: chaos(1 / (1 + np.exp(-5 * x)))

    def back(dy, x):
        s = 1 / (1 + np.exp(-5 * x))
        return chaos_back(dy, s) * 5 * s * (1 - s)

    drawn = check_vjp(steep, back, [x], complex_step=False, drawn=True, rtol=1e-5)
    given = check_vjp(steep, back, [x], complex_step=False, rtol=1e-5)
    assert given.verdict is Verdict.UNDECIDABLE and drawn.verdict in (Verdict.PASS, Verdict.UNDECIDABLE)
    assert any("try smaller sizes, or smaller weights" in note for note in given.notes)
    assert any(note.startswith("tried at a tenth of these arguments") for note in given.notes)


def test_a_gate_too_steep_passes_at_a_tenth_and_its_mistake_is_found_there():
    f, back = lambda x: np.tanh(1e3 * x), lambda dy, x: dy * 1e3 * (1 - np.tanh(1e3 * x) ** 2)
    x, shut = np.array([0.013, -0.011]), {"complex_step": False, "rtol": 1e-13}
    assert check_vjp(f, back, [x], **shut).verdict is Verdict.UNDECIDABLE
    finding = check_vjp(f, back, [x], complex_step=False, rtol=1e-13, drawn=True)
    assert finding.verdict in (Verdict.PASS, Verdict.UNDECIDABLE)


def test_no_false_alarm_and_nothing_missed_in_some_pieces_of_random_code():
    found = false_alarms.false_alarms(24, seed=1)
    assert found["alarms"] == [] and found["missed"] == []
    assert found["PASS"] >= 16 and found["mistakes"] >= 8
    parts = [false_alarms.false_alarms(2, seed=1, first=first) for first in (0, 2)]
    again = false_alarms.together(parts)
    assert again["checks"] == 4 and again["PASS"] == false_alarms.false_alarms(4, seed=1)["PASS"]


def test_a_checker_that_is_wrong_is_noticed(monkeypatch, capsys):
    """Whatever is said falsely counts: here everything is called wrong, and then nothing is."""
    fake = lambda verdict: lambda *args, **options: type("Finding", (), {"verdict": verdict, "ok": verdict == "PASS"})
    monkeypatch.setattr(false_alarms, "check_vjp", fake(Verdict.WRONG))
    assert main(["gradcheck", "--false-alarms", "3"]) == 1 and "3 false alarms" in capsys.readouterr().out
    monkeypatch.setattr(false_alarms, "check_vjp", fake(Verdict.PASS))
    assert main(["gradcheck", "--false-alarms", "6", "--json"]) == 1
    row = json.loads(capsys.readouterr().out)
    assert row["alarms"] == [] and len(row["missed"]) == row["mistakes"] > 0
    monkeypatch.setattr(false_alarms, "check_vjp", fake(Verdict.KINK))
    assert false_alarms.false_alarms(4)["mistakes"] == 0  # what was not proven is not made wrong


def test_the_committed_figures_hold():
    kept = json.loads(COMMITTED.read_text())
    assert kept["checks"] >= 10_000 and kept["alarms"] == [] and kept["missed"] == [] and kept["mistakes"] > 5_000
    assert sum(kept[str(v)] for v in Verdict if str(v) in kept) == kept["checks"]
    assert kept["PASS"] >= 0.75 * kept["checks"]
    assert main(["gradcheck", "--false-alarms", "0"]) == 2

"""What a notebook and the report show of a finding: its table, and maps of what is wrong."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from minirnn.cells import LSTM, PeepholeLSTM
from minirnn.cli import main
from minirnn.gradcheck import Verdict, check_cell, check_vjp, random_problem, recurrent, sweep, view
from minirnn.gradcheck.findings import Entry, TensorFinding

A = np.random.default_rng(0).standard_normal((6, 5))


class Page(HTMLParser):
    """``text``: what is read, and ``seen``: [(tag, attributes)]; raises for a tag that is closed and was not open."""

    def __init__(self, source):
        super().__init__()
        self.open, self.seen, self.text = [], [], []
        self.feed(source)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in ("td", "th", "tr", "li", "img", "meta"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert tag in ("tr", "td", "li") or self.open.pop() == tag, tag

    def handle_data(self, text):
        if "style" not in self.open:
            self.text.append(text)

    def of(self, tag, **wanted):
        return [a for seen, a in self.seen if seen == tag and wanted.items() <= a.items()]


def wrong_in_f(problem):
    """The gradient with gate f's block of weight_hh doubled, and one bias of gate g off."""
    got = {name: g.copy() for name, g in recurrent.gradients(problem).items()}
    H = problem.dy.shape[-1]
    got["weight_hh"][H : 2 * H] *= 2
    got["bias_hh"][2 * H] += 1e-4
    return got


@pytest.fixture(scope="module")
def lstm():
    return check_cell(random_problem(LSTM(), H=3), wrong_in_f)


def squares(source):
    """How many cells each map of a page colours."""
    return [svg.count("M") for svg in re.findall(r"<svg.*?</svg>", source, flags=re.S)]


def test_a_notebook_shows_the_table_and_what_the_plain_report_says(lstm):
    page = Page(lstm._repr_html_())
    said = "".join(page.text)
    for line in (*lstm.diagnosis, *lstm.notes, str(lstm.verdict), "float64"):
        assert line in said, line
    for tensor in lstm.tensors:
        assert tensor.name in said and f"{tensor.error:.1e}" in said and str(tensor.shape) in said
    assert f"worst at {lstm.tensors[4].place}: {lstm.tensors[4].worst}" in said
    assert "9 of 36" in said and "1 of 12" in said


def test_a_prompt_shows_the_report(lstm):
    assert repr(lstm) == str(lstm) and str(lstm).startswith("LSTM(") and "\n  weight_hh  (12, 3)" in str(lstm)


def test_wrong_arrays_alone_have_a_map_with_every_gate_framed_and_counted(lstm):
    source = lstm._repr_html_()
    page = Page(source)
    maps = page.of("svg", role="img")
    assert [m["aria-label"] for m in maps] == [
        "weight_hh: 9 of 36 entries wrong; gates i: 0 of 9, f: 9 of 9, g: 0 of 9, o: 0 of 9",
        "bias_hh: 1 of 12 entries wrong; gates i: 0 of 3, f: 0 of 3, g: 1 of 3, o: 0 of 3",
    ]
    assert squares(source) == [9, 1]
    frames = page.of("rect", **{"class": "frame"})
    tops = [float(frame["y"]) for frame in frames[:4]]
    assert len(frames) == 8 and np.allclose(np.diff(tops), float(frames[0]["height"]), atol=0.11)
    assert source.count("<title>gate f: 9 of 9 wrong</title>") == 1
    # the first coloured cell of weight_hh stands in the frame of f, that of bias_hh in the frame of g
    heights = [float(y) for y in re.findall(r'd="M[\d.]+ ([\d.]+)', source)]
    assert tops[1] == pytest.approx(min(heights[:-1])) and tops[2] == pytest.approx(heights[-1])


def test_blocks_are_the_gates_rows_where_there_are_gates():
    problem = random_problem(PeepholeLSTM())
    assert problem.blocks("weight_hh") == ((("i", 0, 2), ("f", 2, 4), ("g", 4, 6), ("o", 6, 8)), False)
    assert problem.blocks("x") == problem.blocks("h0") == ((), False)
    for name, array in problem.arrays.items():
        assert not problem.blocks(name)[0] or problem.blocks(name)[0][-1][2] == len(array)


def off(change):
    def vjp(dy, x):
        g = dy * np.cos(x)
        change(g)
        return g

    return vjp


def test_the_larger_the_error_the_fuller_the_colour():
    def change(g):
        g[0, 0] += 1e-6
        g[1, 1] += 1e-3
        g[2, 2] += 1

    source = check_vjp(np.sin, off(change), [A])._repr_html_()
    shades = re.findall(r'fill-opacity="([\d.]+)" d="M([\d.]+)', source)
    assert [float(x) / view.CELL for _, x in shades] == [0, 1, 2]
    assert float(shades[0][0]) < float(shades[1][0]) < float(shades[2][0]) == 1


def test_a_gradient_that_is_not_finite_is_coloured_fully():
    source = check_vjp(np.sin, off(lambda g: g.__setitem__((3, slice(None)), np.nan)), [A])._repr_html_()
    assert squares(source) == [5] and re.findall(r'fill-opacity="([\d.]+)"', source) == ["1"]
    assert "x: 5 of 30 entries wrong" in source


def tensor(errors, blocks=()):
    """A TensorFinding of these errors, wrong where they are not 0."""
    slope = sweep.Slope(1.0, 1e-9, 1.0, 1.0, "smooth", np.ones((1, 1)))
    entries = tuple(Entry(index, 1.0, slope, 1e-9, 1.0, e, Verdict.WRONG if e else Verdict.PASS)
                    for index, e in np.ndenumerate(errors))
    return TensorFinding("w", errors.shape, entries, errors, errors, np.ones(1), np.ones((1, 1)), blocks=blocks)


def test_large_arrays_share_cells_and_lose_no_wrong_entry():
    errors = np.zeros((130, 70))
    errors[129, 69] = 0.1
    source = view.heat_map(tensor(errors), 1e-8)
    assert squares(source) == [1] and "w: 1 of 9100 entries wrong" in source and "rows: 130, columns: 70" in source
    every = view.heat_map(tensor(errors + 1e-3), 1e-8)
    assert squares(every) == [44 * 35] and len(every) < 60_000  # three rows and two columns to a cell
    full = re.search(r'fill-opacity="1" d="([^"]*)"', every).group(1)
    assert full.count("M") == 1 and full.startswith(f"M{68 * view.WIDTH / 70:.1f} ")  # the largest of its six entries


def test_cells_do_not_reach_over_the_border_of_a_gate():
    assert view._edges(200, [0, 50, 100, 150]) == [
        e for first in (0, 50, 100, 150) for e in range(first, first + 50, 4)] + [200]
    assert view._edges(3) == [0, 1, 2, 3] and len(view._edges(64)) == 65 and len(view._edges(65)) == 34


def test_a_wrong_entry_is_coloured_inside_the_frame_of_its_gate_which_has_room_for_its_label():
    errors = np.zeros((200, 2))
    errors[49] = 1
    source = view.heat_map(tensor(errors, tuple((g, 50 * k, 50 * k + 50) for k, g in enumerate("ifgo"))), 1e-8)
    high = view.WIDTH / 200
    assert re.findall(r"M[\d.]+ ([\d.]+)H[\d.]+V([\d.]+)", source)[0] == (f"{48 * high:.1f}", f"{50 * high:.1f}")
    thin = Page(view.heat_map(tensor(np.eye(40), tuple((f"g{k}", k, k + 1) for k in range(40))), 1e-8))
    assert {frame["height"] for frame in thin.of("rect", **{"class": "frame"})} == {f"{view.LINE:.1f}"}


def test_what_was_not_measured_entry_by_entry_has_a_table_and_no_map():
    large = check_vjp(np.sin, lambda dy, x: 2 * dy * np.cos(x), [np.ones((20, 20))])
    source = large._repr_html_()
    assert "<svg" not in source and re.search(r"\d+ of \d+ lines<", source)
    one = check_vjp(np.sin, lambda dy, x: 2 * dy * np.cos(x), [np.array(0.3)])._repr_html_()
    assert "<svg" not in one and "worst at x[]" in one
    float32 = check_vjp(np.sin, lambda dy, x: (dy * np.cos(x)).astype("f"), [A])._repr_html_()
    assert "its gradient is float32, it is float64" in float32


def test_verdicts_without_a_wrong_entry_are_said_in_words():
    kink = check_vjp(np.abs, lambda dy, x: dy * np.sign(x), [np.array([0.0, 1.0])])._repr_html_()
    assert "KINK" in kink and "to the left" in kink and "<svg" not in kink
    rng = np.random.default_rng(0)
    changing = Page(check_vjp(lambda x: x * rng.random(), lambda dy, x: dy, [A])._repr_html_())
    assert "two calls of the function" in "".join(changing.text) and not changing.of("table")
    missing = check_vjp(np.sin, lambda dy, x: None, [A])._repr_html_()
    assert "did backward forget its return?" in missing


def test_names_are_text_and_no_html():
    finding = check_vjp(np.sin, off(lambda g: g.fill(1)), [A], names=["<b>"], name="<script>")
    source = finding._repr_html_()
    assert "<script>" not in source and "&lt;script&gt;" in source and Page(source).of("b") and "<b><b>" not in source


def test_a_notebooks_style_stays_inside_and_follows_its_theme(lstm):
    style = re.search("<style>(.*)</style>", lstm._repr_html_(), flags=re.S).group(1)
    depth, outside = 0, ""
    for c in style:
        depth += (c == "{") - (c == "}")
        outside += c if depth == 0 else ""
    assert depth == 0
    rules = [rule.strip() for rule in outside.split("}") if rule.strip()]
    assert all(rule.startswith("@media") or all(".minirnn" in part for part in rule.split(",")) for rule in rules)
    assert "prefers-color-scheme: dark" in style and "[data-jp-theme-light=false]" in style


LSTM_OF_A_USER = """
import numpy as np
from minirnn.cells import LSTM
from minirnn.gradcheck import recurrent
from dataclasses import replace

P = recurrent.random_problem(LSTM())

def at(args):
    return P.at(dict(zip(P.arrays, args)))

def forward(*args):
    return recurrent.outputs(at(args))

def backward(dys, *args):
    got = recurrent.gradients(replace(at(args), dy=dys[0], dfinal=tuple(dys[1:])))
    got["weight_hh"][2:4] *= 2
    return list(got.values())
"""


def test_the_report_of_a_users_lstm_shows_the_gate(tmp_path, capsys):
    (tmp_path / "mine.py").write_text(LSTM_OF_A_USER)
    assert main(["gradcheck", f"{tmp_path / 'mine.py'}:forward,backward", "--cell", "lstm",
                 "--report", str(tmp_path / "out")]) == 1
    source = (tmp_path / "out" / "report.html").read_text()
    page = Page(source)
    (label,) = [svg["aria-label"] for svg in page.of("svg")]
    assert label == "weight_hh: 4 of 16 entries wrong; gates i: 0 of 4, f: 4 of 4, g: 0 of 4, o: 0 of 4"
    assert len(page.of("img")) == 1 and len(page.of("style")) == 1 and view.STYLE in source
    assert "weight_hh gate f is 2 times the right one" in "".join(page.text)


def test_gates_side_by_side_are_drawn_one_below_the_other(tmp_path, capsys):
    code = (Path(__file__).parent / "examples" / "caches.py").read_text()
    (tmp_path / "mine.py").write_text(code.replace("di * i * (1 - i)", "di"))
    target = f"{tmp_path / 'mine.py'}:lstm_step_forward,lstm_step_backward"
    assert main(["gradcheck", target, "--saved", "--cell", "lstm", "--report", str(tmp_path / "out")]) == 1
    page = Page((tmp_path / "out" / "report.html").read_text())
    labels = {svg["aria-label"].partition(":")[0]: svg["aria-label"] for svg in page.of("svg")}
    assert labels["Wx"] == "Wx: 10 of 40 entries wrong; gates i: 10 of 10, f: 0 of 10, o: 0 of 10, g: 0 of 10"
    assert labels["b"] == "b: 2 of 8 entries wrong; gates i: 2 of 2, f: 0 of 2, o: 0 of 2, g: 0 of 2"
    assert "turned, rows: 8, columns: 5" in "".join(page.text)


def test_the_report_says_what_it_has_no_curves_of(tmp_path, capsys):
    (tmp_path / "mine.py").write_text("def forward(x):\n    return 2 * x\n\ndef backward(dy, x):\n    return None\n")
    target = f"{tmp_path / 'mine.py'}:forward,backward"
    assert main(["gradcheck", target, "--shapes", "3", "--report", str(tmp_path / "out")]) == 1
    page = Page((tmp_path / "out" / "report.html").read_text())
    assert "did backward forget its return?" in "".join(page.text) and not page.of("img")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["report.html"]

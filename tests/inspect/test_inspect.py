"""The BPTT microscope: its numbers against independent computations, its page and its command for cells."""

import base64
import json
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from minirnn import bptt, ops
from minirnn.autograd import Tensor, grad
from minirnn.cells import CELLS, GRU, LSTM, RNN, Masks, find
from minirnn.cli import main
from minirnn.errors import InputError
from minirnn.inspect import page as page_module
from minirnn.inspect.inspection import as_json
from minirnn.inspect.measure import microscope, norms, saturation, spectrum_steps
from minirnn.inspect.page import as_bytes, page
from minirnn.inspect.specimen import inspect_cell
from minirnn.plots import png
from minirnn.plots.microscope import microscope_figure

T, B, D, H = 5, 3, 4, 2
ALL = list(CELLS.values())


def problem(cell, masked=False):
    """Everything ``microscope`` takes, random."""
    rng = np.random.default_rng(1)
    weights = cell.Weights(*(rng.standard_normal(s) for s in cell.shapes(D, H).values()))
    x, dy = rng.standard_normal((T, B, D)), rng.standard_normal((T, B, H))
    state0, dfinal = (tuple(rng.standard_normal((B, H)) for _ in cell.states) for _ in range(2))
    values = {name: (0.25, 0.75) if name.startswith("zoneout") else (0.5, 2.0) for name in cell.masks}
    masks = Masks(**{name: rng.choice(v, (T, B, H)) for name, v in values.items()}) if masked else Masks()
    return x, state0, weights, masks, dy, dfinal


def on_the_tape(cell, x, state0, weights, masks, dy, dfinal):
    """dL/da of every gate (T, K, B, H) and dL/ds of every state, from the definitions, with a leaf added to each."""
    leaf = lambda: Tensor(np.zeros((B, H)), requires_grad=True)
    phi = {"tanh": ops.tanh, "relu": ops.relu, "identity": lambda a: a}
    drop = lambda name, t, value: value if getattr(masks, name) is None else value * Tensor(getattr(masks, name)[t])

    def choose(name, t, old, new):  # zoneout, slides
        share = getattr(masks, name)
        return new if share is None else Tensor(share[t]) * old + Tensor(1 - share[t]) * new

    W = [Tensor(w) for w in np.split(weights.weight_ih, len(cell.gates))]
    U = [Tensor(w) for w in np.split(weights.weight_hh, len(cell.gates))]
    b = [Tensor(w) for w in np.split(weights.bias_ih, len(cell.gates))]
    v = [Tensor(w) for w in np.split(weights.bias_hh, len(cell.gates))]
    at_states = [[leaf() for _ in state0]]
    state = [Tensor(s) + e for s, e in zip(state0, at_states[0])]
    at_gates, loss = [], Tensor(np.zeros(()))
    for t in range(T):
        add = [leaf() for _ in cell.gates]
        at_gates.append(add)
        new_leaves = [leaf() for _ in state0]
        h_in, x_t = drop("gal", t, state[0]), Tensor(x[t])
        from_x = [x_t @ w.T + bias + e for w, bias, e in zip(W, b, add)]
        from_h = [h_in @ u.T + bias for u, bias in zip(U, v)]
        if cell.name == "rnn":  # thesis (2.2.2)
            state = [phi[cell.nonlinearity](from_x[0] + from_h[0]) + new_leaves[0]]
        elif cell.name == "lstm":  # thesis (2.2.4)-(2.2.6)
            a = {gate: p + q for gate, p, q in zip(cell.gates, from_x, from_h)}
            kept = ops.sigmoid(a["f"]) * state[1] if cell.forget_gate else state[1]
            new = kept + ops.sigmoid(a["i"]) * drop("ours", t, phi[cell.activation](a["g"]))
            c = drop("moon", t, new)
            h = choose("zoneout_h", t, state[0], ops.sigmoid(a["o"]) * phi[cell.activation](c))
            state = [h + new_leaves[0], choose("zoneout_c", t, state[1], c) + new_leaves[1]]
        elif cell.name == "lstm-peephole":  # graves (7)-(11)
            a = {gate: p + q for gate, p, q in zip(cell.gates, from_x, from_h)}
            p_i, p_f, p_o = (Tensor(p) for p in np.split(weights.weight_ch, 3))
            kept = ops.sigmoid(a["f"] + p_f * state[1]) * state[1]
            c = drop("moon", t, kept + ops.sigmoid(a["i"] + p_i * state[1]) * drop("ours", t, ops.tanh(a["g"])))
            h = choose("zoneout_h", t, state[0], ops.sigmoid(a["o"] + p_o * c) * ops.tanh(c))
            state = [h + new_leaves[0], choose("zoneout_c", t, state[1], c) + new_leaves[1]]
        elif cell.name == "lstm-coupled":  # thesis (2.2.4)-(2.2.6) with i = 1 - f
            a_f, a_g, a_o = (p + q for p, q in zip(from_x, from_h))
            f = ops.sigmoid(a_f)
            c = drop("moon", t, f * state[1] + (1 - f) * drop("ours", t, ops.tanh(a_g)))
            h = choose("zoneout_h", t, state[0], ops.sigmoid(a_o) * ops.tanh(c))
            state = [h + new_leaves[0], choose("zoneout_c", t, state[1], c) + new_leaves[1]]
        else:  # thesis (2.2.7)-(2.2.9)
            r, z = ops.sigmoid(from_x[0] + from_h[0]), ops.sigmoid(from_x[1] + from_h[1])
            inner = r * from_h[2] if cell.reset_after else (r * h_in) @ U[2].T + v[2]
            n, new = drop("ours", t, ops.tanh(from_x[2] + inner)), z if cell.convention == "thesis" else 1 - z
            h = drop("moon", t, (1 - new) * state[0] + new * n)
            state = [choose("zoneout_h", t, state[0], h) + new_leaves[0]]
        at_states.append(new_leaves)
        loss = loss + (state[0] * Tensor(dy[t])).sum()
    for s, d in zip(state, dfinal):
        loss = loss + (s * Tensor(d)).sum()
    leaves = [e for step in at_gates for e in step] + [e for step in at_states for e in step]
    found = [g.value if g is not None else np.zeros((B, H)) for g in grad([loss], leaves)]
    K = len(cell.gates)
    return np.array(found[: T * K]).reshape(T, K, B, H), np.array(found[T * K :]).reshape(T + 1, -1, B, H)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("cell", ALL, ids=str)
def test_gate_and_state_gradients_equal_those_of_the_tape(cell, masked):
    taken = problem(cell, masked)
    scope = microscope(cell, *taken, spectra=0)
    at_gates, at_states = on_the_tape(cell, *taken)
    for k, gate in enumerate(cell.gates):
        expected = [np.linalg.norm(at_gates[t, k]) for t in range(T)]
        np.testing.assert_allclose(scope.gate_gradients[gate], expected, rtol=1e-12, atol=1e-13)
    for k, name in enumerate(cell.states):
        expected = [np.linalg.norm(at_states[t, k]) for t in range(T + 1)]
        np.testing.assert_allclose(scope.state_gradients[name], expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("cell", ALL, ids=str)
def test_singular_values_equal_those_of_central_differences(cell, masked):
    x, state0, weights, masks, dy, dfinal = problem(cell, masked)
    row, step = 2, 1e-6
    scope = microscope(cell, x, state0, weights, masks, dy, row=row)
    states = [s[:, row] for s in bptt.forward(cell, x, state0, weights, masks, form="explicit").states]
    assert scope.spectrum_steps.tolist() == list(range(T))
    for t in range(T):
        here = Masks(*(None if m is None else m[t, row : row + 1] for m in masks))

        def after(flat, t=t, here=here):
            old = tuple(part[None] for part in np.split(flat, len(states)))
            return np.concatenate(cell.step(x[t, row : row + 1], old, weights, here)[0], axis=1)[0]

        middle = np.concatenate([s[t] for s in states])
        jacobian = [(after(middle + e) - after(middle - e)) / (2 * step) for e in step * np.eye(len(middle))]
        expected = np.linalg.svd(np.array(jacobian).T, compute_uv=False)
        np.testing.assert_allclose(scope.singular_values[t], expected, rtol=0, atol=1e-7)


def test_few_singular_values_are_taken_where_each_is_dear():
    assert spectrum_steps(35, 64).tolist() == list(range(35))
    assert spectrum_steps(35, 64, most=3).tolist() == [0, 17, 34]
    assert spectrum_steps(35, 64, most=1).tolist() == [34] and spectrum_steps(35, 64, most=0).size == 0
    assert 1 < len(spectrum_steps(100, 1024)) < 20 and spectrum_steps(100, 4096).size == 0


@pytest.mark.parametrize(
    "kind, low, high", [("sigmoid", 2 / 5, 1 / 5), ("tanh", 1 / 5, 1 / 5), ("relu", 2 / 5, 0), ("identity", 0, 0)]
)
def test_saturation_of_known_values(kind, low, high):
    values = np.array([[-0.95, 0.1 if kind == "sigmoid" else 0.0, 0.5, 0.89, 0.9], [0.5, 0.5, np.nan, 0.5, 0.5]])
    got = saturation(values, kind)
    np.testing.assert_array_equal(got[0], [low, np.nan])
    np.testing.assert_array_equal(got[1], [high, np.nan])


def test_saturation_is_counted_over_batch_and_units_of_every_gate():
    x, state0, weights, masks, dy, _ = problem(LSTM())
    scope = microscope(LSTM(), x, state0, weights, dy=dy, spectra=0)
    saved = bptt.forward(LSTM(), x, state0, weights, form="explicit").saved
    for gate in "ifo":
        expected = [np.count_nonzero(getattr(s, gate) > 0.9) / (B * H) for s in saved]
        np.testing.assert_allclose(scope.high[gate], expected, rtol=1e-15)
    np.testing.assert_allclose(scope.low["g"], [np.count_nonzero(s.g < -0.9) / (B * H) for s in saved], rtol=1e-15)
    np.testing.assert_allclose(scope.high["phi(c)"], [(s.phi_c > 0.9).mean() for s in saved], rtol=1e-15)


@pytest.mark.parametrize("cell", [RNN(), LSTM(), GRU()], ids=str)
def test_masks_and_contents_shown_are_those_used(cell):
    x, state0, weights, masks, dy, _ = problem(cell, masked=True)
    masks = masks._replace(gal=masks.gal[0], ours=None if masks.ours is None else 0.75)  # a sequence's, and a number
    scope = microscope(cell, x, state0, weights, masks, dy, row=1, spectra=0)
    assert set(scope.masks) == set(cell.masks) - {"ours"}  # a number is nothing to draw
    np.testing.assert_array_equal(scope.masks["gal"], np.repeat(masks.gal[None, 1], T, axis=0))
    if cell.name != "rnn":
        np.testing.assert_array_equal(scope.masks["moon"], masks.moon[:, 1])
    run = bptt.forward(cell, x, state0, weights, masks, form="explicit")
    for name, s in zip(cell.states, run.states):
        np.testing.assert_array_equal(scope.contents[name], s[:, 1])


def test_float32_stays_and_arguments_are_not_written_to():
    taken = problem(LSTM(), masked=True)
    narrow = lambda a: None if a is None else np.float32(a)
    as32 = [np.float32(a) if isinstance(a, np.ndarray) else type(a)(*map(narrow, a)) if hasattr(a, "_fields")
            else tuple(map(np.float32, a)) for a in taken]
    arrays = [a for a in (as32[0], *as32[1], *as32[2], *as32[3]) if a is not None]
    before = [np.copy(a) for a in arrays]
    scope = microscope(LSTM(), *as32)
    for a, old in zip(arrays, before):
        np.testing.assert_array_equal(a, old)
    assert scope.contents["c"].dtype == np.float32
    wide = microscope(LSTM(), *taken)
    np.testing.assert_allclose(scope.gate_gradients["f"], wide.gate_gradients["f"], rtol=1e-4)


def test_norms_do_not_overflow_in_float32_and_infinity_is_missing():
    assert norms(np.full((1, 2), 1e30, np.float32))[0] == pytest.approx(2**0.5 * 1e30, rel=1e-6)
    assert np.isnan(norms(np.array([[np.inf]]))).all()


@pytest.mark.parametrize("row", [-1, B])
def test_a_row_outside_the_batch_is_refused(row):
    with pytest.raises(InputError, match="row must be in 0..B-1"):
        microscope(RNN(), *problem(RNN()), row=row)


# ------------------------------------------------------------------------------------------------------------ the page
class Reader(HTMLParser):
    """The tags, attributes and texts of a page; which tags were left open."""

    VOID = ("meta", "input")

    def __init__(self, text):
        super().__init__()
        self.attributes, self.texts, self.open = [], {}, []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.attributes.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(text)

    @property
    def data(self):
        return next(json.loads(text) for text in self.texts["script"] if text.startswith("{"))

    def with_id(self, name):
        return next(attributes for _, attributes in self.attributes if attributes.get("id") == name)


def assert_self_contained(text):
    for outside in ("http://", "https://", "src=", "<link", "@import", "url(", "fetch(", "import("):
        assert outside not in text, outside


@pytest.mark.parametrize("name", CELLS)
def test_page_of_every_cell_parses_and_refers_to_nothing_outside(name):
    shown = inspect_cell(name, hidden=6, steps=4, batch=2, rate=0.5)
    text = page(shown)
    assert_self_contained(text)
    read = Reader(text)
    assert read.open == [] and len(text) < 100_000
    assert [f["label"] for f in read.data["frames"]] == [f.label for f in shown.frames] and len(shown.frames) >= 4
    assert read.with_id("frame")["type"] == "range" and read.with_id("frame")["max"] == str(len(shown.frames) - 1)
    sections = [attributes["id"] for tag, attributes in read.attributes if tag == "section"]
    expected = ["gates", "states", "saturation", "spectrum"]
    expected += [f"contents-{s}" for s in reversed(shown.cell.states)]
    expected += ["masks-gal" if shown.cell.name == "rnn" else "masks-ours"]
    assert sections == expected and len(read.texts["h2"]) >= len(sections)


def test_a_cell_without_a_forget_gate_is_not_said_to_have_one():
    text = page(inspect_cell("lstm-version-0", hidden=2, steps=3, batch=1))
    assert "i, o = σ(a)" in text and "nothing multiplies it" in text and "f<sub>t</sub> alone" not in text
    assert "i, f, o = σ(a)" in page(inspect_cell("lstm", hidden=2, steps=3, batch=1))


def test_page_holds_the_numbers_rounded_and_the_maps_as_bytes():
    shown = inspect_cell("lstm", hidden=6, steps=4, batch=2, rate=0.5)
    data, scope = Reader(page(shown)).data, shown.frames[1].layers[0]
    layer = data["frames"][1]["layers"][0]
    np.testing.assert_allclose(layer["gates"]["f"], scope.gate_gradients["f"], rtol=5e-4)
    np.testing.assert_allclose(layer["spectrum"]["median"], np.median(scope.singular_values, axis=1), rtol=5e-4)
    np.testing.assert_allclose(layer["spectrum"]["largest"], scope.singular_values[:, 0], rtol=5e-4)
    held = layer["contents"]["c"]
    cells = np.frombuffer(base64.b64decode(held["data"]), np.uint8).reshape(5, 6)
    np.testing.assert_allclose(held["size"] * (cells - 127.0) / 127, scope.contents["c"], atol=held["size"] / 253)
    masks = np.frombuffer(base64.b64decode(layer["masks"]["ours"]["data"]), np.uint8).reshape(4, 6)
    np.testing.assert_array_equal(masks == 254, scope.masks["ours"] == 1)


def test_missing_numbers_are_null_and_a_byte_of_their_own():
    x, state0, weights, masks, dy, dfinal = problem(LSTM(), masked=True)
    weights.weight_ih[:2] = np.nan  # the input gate
    scope = microscope(LSTM(), x, state0, weights, masks, dy, dfinal)
    good = inspect_cell("lstm", hidden=H, steps=T, batch=B)
    shown = replace(good, frames=(good.frames[0], replace(good.frames[1], layers=(scope,))))
    layer = Reader(page(shown)).data["frames"][1]["layers"][0]
    assert layer["gates"]["i"] == [None] * T and layer["spectrum"]["median"][1:] == [None] * (T - 1)
    assert layer["low"]["i"] == [None] * T
    cells = np.frombuffer(base64.b64decode(layer["contents"]["c"]["data"]), np.uint8).reshape(T + 1, H)
    assert (cells[1:] == 255).all() and (cells[0] != 255).all()
    assert "NaN" not in json.dumps(as_json(shown)) and json.dumps(as_json(shown), allow_nan=False)
    assert as_bytes(np.array([[np.inf, -1.0, 0.0]]))["size"] == 1
    assert png(microscope_figure({"broken": scope})).startswith(b"\x89PNG")


def test_words_of_a_run_cannot_leave_their_place():
    shown = inspect_cell("rnn", hidden=2, steps=3, batch=1)
    shown = replace(shown, name="<b>&", symbols=("</script>", "a b", "x" * 99), subject="<i>", notes=("1 < 2",))
    read = Reader(page(shown))
    assert read.open == [] and not {"b", "i"} & {tag for tag, _ in read.attributes}
    assert read.data["symbols"] == ["</script>", "a␣b", "x" * 13 + "…"]
    assert "<b>&: BPTT microscope" in read.texts["title"] and "1 < 2" in read.texts["p"]


def test_page_stays_small_and_says_what_it_leaves_out(monkeypatch):
    shown = inspect_cell("lstm", hidden=256, steps=35, batch=1, rate=0.25, spectra=1)
    text = page(shown)
    assert len(text.encode()) < 2_000_000 and "unit is shown" not in text
    assert "Taken at 1 of the 35 steps" in text
    monkeypatch.setattr(page_module, "MAP_BYTES", 50_000)
    smaller = page(shown)
    assert len(smaller) < len(text) / 2
    stride = Reader(smaller).data["stride"]
    map_of = lambda text: np.frombuffer(
        base64.b64decode(Reader(text).data["frames"][0]["layers"][0]["contents"]["h"]["data"]), np.uint8)
    assert stride > 1 and f"Only one unit in {stride} is shown" in smaller
    assert map_of(smaller).size == 36 * -(-256 // stride)


def test_figure_draws_the_numbers_given():
    shown = inspect_cell("lstm", hidden=4, steps=6, batch=2)
    scopes = {f.label: f.layers[0] for f in shown.frames[:2]}
    axes = microscope_figure(scopes).axes
    assert [panel.get_ylabel() for panel in axes[::3]] == list(scopes) and len(axes) == 6
    scope = shown.frames[1].layers[0]
    line = axes[3].lines[1]
    assert line.get_label() == "f" and line.get_xdata().tolist() == [1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(line.get_ydata()[1:], scope.gate_gradients["f"][1:])  # at the first, c0 = 0
    np.testing.assert_array_equal(axes[4].lines[2].get_ydata(), scope.high["f"])
    np.testing.assert_array_equal(axes[4].lines[3].get_ydata(), scope.low["f"])
    np.testing.assert_allclose(axes[5].lines[0].get_ydata(), np.median(scope.singular_values, axis=1))


# --------------------------------------------------------------------------------------------------------------- cells
def test_a_cell_is_found_in_any_spelling():
    assert find("LSTM version 0") == ("lstm-version-0", LSTM(forget_gate=False))
    assert find("gru_reset_after")[1].reset_after and find("GRU after")[0] == "gru-reset-after"
    assert find("lsmt") == (None, None)


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "gru-slides", "gru-reset-after"])
def test_the_slider_of_a_cell_goes_from_forgetting_to_remembering(name):
    shown = inspect_cell(name, hidden=16, steps=20, batch=2, spectra=0)
    left = [f.layers[0].state_gradients[shown.cell.states[-1]][0] for f in shown.frames]
    assert left == sorted(left) and left[-1] > 100 * left[0]


def test_equal_seeds_give_equal_pages():
    one, again, other = (page(inspect_cell("lstm", hidden=4, steps=5, batch=2, seed=s)) for s in (0, 0, 1))
    assert one == again != other


def test_the_cell_command_writes_a_page_or_numbers(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sizes = ["--hidden", "3", "--steps", "4", "--batch", "2"]
    assert main(["inspect", "GRU_after", *sizes]) == 0
    assert capsys.readouterr().out == "page: inspect-gru-reset-after.html\n"
    assert Reader((tmp_path / "inspect-gru-reset-after.html").read_text(encoding="utf-8")).data["units"] == 3
    assert main(["inspect", "rnn", *sizes, "--json", "--rate", "0.5"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(json.dumps(as_json(inspect_cell("rnn", 3, 4, 2, rate=0.5))))
    assert np.shape(printed["frames"][0]["layers"][0]["masks"]["gal"]) == (4, 3)
    assert not (tmp_path / "inspect-rnn.html").exists()
    assert main(["inspect", "rnn", *sizes, "--json", "--out", "there.html"]) == 0
    json.loads(capsys.readouterr().out)
    assert (tmp_path / "there.html").exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["lsmt"], "did you mean lstm"),
        (["nothing-like-it"], "there is no such folder"),
        (["."], "has no config.json"),
        (["lstm", "--hidden", "0"], "hidden must be an integer in 1..4096, got 0"),
        (["lstm", "--steps", "-3"], "steps must be an integer in 1..4096, got -3"),
        (["lstm", "--batch", "99999"], "batch must be an integer in 1..4096"),
        (["lstm", "--rate", "1.5"], "rate must be a number in [0, 1)"),
        (["rnn", "--rate", "0.5", "--scheme", "moon"], "gal only, got moon; it has no memory cell"),
        (["lstm", "--scheme", "moon"], "--scheme must be given with a --rate above 0, got none"),
        (["lstm", "--text", "x"], "--text must be given with a run"),
        (["lstm", "--out", "."], "--out must be a file"),
        (["lstm", "--out", "no/where.html"], "--out must be in an existing folder"),
    ],
)
def test_bad_input_is_status_2_with_one_line(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["inspect", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_help_shows_an_example(capsys):
    assert main(["inspect", "--help"]) == 0 and "minirnn inspect runs/ptb" in capsys.readouterr().out

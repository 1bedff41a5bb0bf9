"""The drawings of the course: well formed, legible at 400 pixels, no label over another, only what is named lit."""

import re
import xml.etree.ElementTree as XML
from functools import partial

import numpy as np
import pytest

from minirnn import ops
from minirnn.autograd.tape import Tensor
from minirnn.errors import InputError
from minirnn.plots.drawings import Canvas, graph, graph_of, gru_cell, lstm_cell, masks_in_time, unrolled, windows
from minirnn.plots.drawings.svg import number, spans, width_of
from minirnn.plots.page import DARK, LIGHT

SVG = "{http://www.w3.org/2000/svg}"
LONGEST = -0.0123  # six signs


def chain():
    """L = (tanh(w x + b) - t)^2 on the tape, and its names."""
    w, x, b, t = (Tensor(value, requires_grad=True) for value in (0.5, 2.0, -0.3, 0.8))
    a = w * x + b
    y = ops.tanh(a)
    return (y - t) ** 2, {"w": w, "x": x, "b": b, "t": t, "a": a, "y": y}


def tape_graph(**options):
    result, names = chain()
    return graph(**graph_of(result, {**names, "L": result}), **options)


def with_numbers(cell, **options):
    """A cell with a number at every place that takes one."""
    taken = {}
    for name in (*cell(**options).edges, "x", "h_prev"):
        try:
            cell(values={name: LONGEST}, **options)
        except InputError:
            continue
        taken[name] = LONGEST
    assert len(taken) >= 14
    return cell(values=taken, gradients=taken, **options)


FORK = {"nodes": {"x": "", "y": "tanh", "z": "exp", "L": "×"},
        "edges": [("x", "y"), ("y", "z"), ("z", "L"), ("x", "L")],
        "values": {"x": 1, "y": -0.76}, "gradients": {"x": 0.5, "x->y": LONGEST, "x->L": LONGEST, "z->L": LONGEST}}
FORMS = {"thesis": {}, "slides": {"convention": "slides"}, "pytorch": {"reset_after": True}}
DRAWINGS = {
    **{f"lstm {stage}": lambda stage=stage: lstm_cell(stage) for stage in ("forget", "input", "memory", "all")},
    "lstm numbers": lambda: with_numbers(lstm_cell),
    "lstm peepholes": lambda: with_numbers(lstm_cell, peepholes=True, highlight="c->o"),
    **{f"gru {stage}": lambda stage=stage: gru_cell(stage) for stage in ("reset", "candidate", "update", "output")},
    **{f"gru {form}": lambda form=form: with_numbers(gru_cell, **FORMS[form]) for form in FORMS},
    "graph": tape_graph, "fork": lambda: graph(**FORK, highlight="x->L"),
    "one node": lambda: graph({"x": ""}, []),
    "unrolled": lambda: unrolled(4, highlight="L_4->x_1"), "unrolled 7": lambda: unrolled(7, loss="last"),
    "unrolled memory": lambda: unrolled(5, "hc", highlight="L_5->U"), "unrolled 1": lambda: unrolled(1),
    "windows": lambda: windows(12, 4), "windows over": lambda: windows(10, 6, 3), "windows 1": lambda: windows(1, 1),
    **{name: lambda name=name: masks_in_time(name) for name in ("gal", "moon", "ours", "zoneout")},
}


@pytest.fixture(scope="module")
def drawn():
    return {name: make() for name, make in DRAWINGS.items()}


def each(function):
    return pytest.mark.parametrize("name", DRAWINGS)(function)


def words(tree):
    """The text of every label."""
    return ["".join(label.itertext()) for label in tree.iter(f"{SVG}text")]


def label_boxes(tree):
    """[(text, left, top, right, bottom)] of every label, from the SVG alone; a letter is taken to be broad."""
    boxes = []
    for label in tree.iter(f"{SVG}text"):
        size, x, base = (float(label.get(key)) for key in ("font-size", "x", "y"))
        wide = sum(len(piece.text) * float(piece.get("font-size", size)) * 0.58 for piece in label)
        left = x - wide * {"start": 0, "middle": 0.5, "end": 1}[label.get("text-anchor")]
        boxes.append(("".join(label.itertext()), left, base - 0.72 * size, left + wide, base + 0.05 * size))
    return boxes


def edges_of(drawing):
    """{name of an edge: its whole element as text}."""
    tree = XML.fromstring(drawing.svg)
    groups = [group for group in tree.iter(f"{SVG}g") if group.get("data-edge")]
    return {group.get("data-edge"): XML.tostring(group) for group in groups}


@each
def test_a_drawing_is_well_formed_and_says_in_words_what_it_shows(name, drawn):
    tree = XML.fromstring(drawn[name].svg)
    assert tree.tag == f"{SVG}svg" and tree.get("role") == "img"
    assert tree.get("aria-label") == drawn[name].alt and len(drawn[name].alt) > 20 < len(drawn[name].title) + 5
    assert "width" not in tree.attrib and re.match(r"0 -?\d", tree.get("viewBox"))
    assert "http" not in drawn[name].svg.replace(SVG.strip("{}"), "") and "url(" not in drawn[name].svg
    assert set(edges_of(drawn[name])) == set(drawn[name].edges)


@each
def test_no_label_leaves_the_drawing_or_lies_over_another(name, drawn):
    tree = XML.fromstring(drawn[name].svg)
    left, top, width, height = map(float, tree.get("viewBox").split())
    boxes = label_boxes(tree)
    for text, x0, y0, x1, y1 in boxes:
        assert left <= x0 and x1 <= left + width and top <= y0 and y1 <= top + height, text
    for place, (one, a0, b0, a1, b1) in enumerate(boxes):
        for other, c0, d0, c1, d1 in boxes[:place]:
            assert a1 <= c0 or c1 <= a0 or b1 <= d0 or d1 <= b0, f"{one!r} over {other!r}"


def along(path):
    """Points of a line of straight pieces and round corners, a unit or two apart."""
    numbers = [float(n) for n in re.findall(r"-?[\d.]+", path.get("d"))]
    corners = list(zip(numbers[::2], numbers[1::2]))
    for (a, b), (c, d) in zip(corners, corners[1:]):
        steps = int(max(abs(c - a), abs(d - b))) + 1
        yield from ((a + (c - a) * k / steps, b + (d - b) * k / steps) for k in range(steps + 1))


@pytest.mark.parametrize("name", [name for name in DRAWINGS if name not in ("graph", "fork", "one node")])
def test_no_line_runs_through_a_label(name, drawn):
    tree = XML.fromstring(drawn[name].svg)
    boxes = label_boxes(tree)
    lines = [path for path in tree.iter(f"{SVG}path") if path.get("class").split()[0] in ("line", "gone")]
    for path in lines:
        for x, y in along(path):
            hit = [text for text, x0, y0, x1, y1 in boxes if x0 < x < x1 and y0 < y < y1]
            assert not hit, (path.get("d"), hit)


@each
def test_text_has_11_pixels_on_a_telephone_and_all_but_the_longest_fit(name, drawn):
    tree = XML.fromstring(drawn[name].svg)
    width = float(tree.get("viewBox").split()[2])
    least = float(re.search(r"min-width: (\d+)px", tree.get("style"))[1])
    assert all(float(label.get("font-size")) * least / width >= 11 for label in tree.iter(f"{SVG}text"))
    assert least <= 368 or name == "fork"


@each
def test_every_colour_is_a_token_and_every_token_has_its_dark_counterpart(name, drawn):
    style = XML.fromstring(drawn[name].svg).find(f"{SVG}style").text
    assert f"@media (prefers-color-scheme: dark) {{ .drawing {{ {DARK} }} }}" in style
    assert style.startswith(f".drawing {{ {LIGHT}") and style.count(DARK) == 2  # and where a page or JupyterLab is dark
    plain = drawn[name].svg.replace(DARK, "").replace(LIGHT, "")
    assert not re.search(r"#[0-9a-f]{3,6}\b", plain)
    assert set(re.findall(r"var\((--\w+)\)", plain)) <= set(re.findall(r"(--\w+):", DARK))
    kinds = set(re.findall(r"\.([a-z-]+)", re.sub(r"\{[^}]*\}", "", style)))
    used = {kind for found in re.findall(r'class="([^"]*)"', drawn[name].svg) for kind in found.split()}
    assert used - {"edge", "node", "operation", "dropped"} <= kinds  # no class without its rule


@pytest.mark.parametrize("make", [lstm_cell, gru_cell, partial(gru_cell, reset_after=True),
                                  partial(lstm_cell, peepholes=True), partial(graph, **FORK)])
def test_a_highlight_changes_exactly_the_edge_it_names(make):
    plain = edges_of(make())
    for name in plain:
        lit = make(highlight=name)
        changed = {edge for edge, element in edges_of(lit).items() if element != plain[edge]}
        assert changed == {name} and f"{name} is highlighted" in lit.alt
        assert b"halo" in edges_of(lit)[name] and b"halo" not in plain[name]
    pair = [*plain][:2]
    assert {e for e, element in edges_of(make(highlight=pair)).items() if element != plain[e]} == set(pair)


def lit_edges(drawing):
    return {name for name, element in edges_of(drawing).items() if b"hot" in element}


def test_the_lstm_grows_by_its_gates_and_stays_where_it_is():
    stages = [lstm_cell(stage) for stage in ("forget", "input", "memory", "output")]
    assert [set(drawing.edges) for drawing in stages] == sorted((set(d.edges) for d in stages), key=len)
    assert set(stages[0].edges) == {"h_prev->a_f", "x->a_f", "a_f->f", "c_prev->fc", "f->fc"}
    assert len(stages[3].edges) == 4 * 3 + 11 and stages[3].edges == lstm_cell().edges
    assert set(lstm_cell(peepholes=True).edges) - set(lstm_cell().edges) == {"c_prev->f", "c_prev->i", "c->o"}
    for before, after in zip(stages, stages[1:]):
        assert edges_of(before).items() <= edges_of(after).items()
    nodes = lambda d: XML.fromstring(d.svg).iter(f"{SVG}g")
    older = lambda d: {node.get("data-node") for node in nodes(d) if "older" in node[0].get("class")}
    assert older(stages[0]) == older(lstm_cell()) == set() and older(stages[1]) == {"f", "fc"}  # the newest is tinted
    labels = words(XML.fromstring(lstm_cell().svg))
    for label in ("ct−1", "ht−1", "xt", "ct", "ht", *"figo", *(m + g for m in "WUa" for g in "figo")):
        assert label in labels


def test_the_grus_forms_differ_where_the_forms_do():
    thesis, slides, torch = (gru_cell(**options) for options in FORMS.values())
    assert "h_t = (1 − z) h_{t−1} + z n" in thesis.title and "h_t = z h_{t−1} + (1 − z) n" in slides.title
    assert {"z->one", "one->kh", "z->zn"} <= set(thesis.edges) and {"z->kh", "z->one", "one->zn"} <= set(slides.edges)
    assert slides.edges == torch.edges and "after the product" in torch.title and "before the product" in slides.title
    at = {name: [box[1] for box in label_boxes(XML.fromstring(d.svg)) if box[0] == "Un"]
          for name, d in (("before", slides), ("after", torch))}
    assert len(at["before"]) == len(at["after"]) == 1 and at["after"] < at["before"]  # U_n on the other side of r
    assert gru_cell("reset").edges != gru_cell("candidate").edges


def test_numbers_stand_at_their_edges_gradients_in_orange():
    drawing = lstm_cell(values={"f->fc": 0.7311}, gradients={"f->fc": -0.12})
    labels = {"".join(label.itertext()): label for label in XML.fromstring(drawing.svg).iter(f"{SVG}text")}
    assert labels["−0.12"].get("class") == "back" and labels["0.731"].get("class") == ""
    assert float(labels["−0.12"].get("y")) > float(labels["0.731"].get("y"))
    assert "value at f->fc: 0.731; gradient at f->fc: −0.12" in drawing.alt


@pytest.mark.parametrize(("value", "text"), [
    (0, "0"), (2.0, "2"), (0.5, "0.5"), (0.1234, "0.123"), (-0.0123, "−0.012"), (12.0, "12"), (1234, "1234"),
    (99.99, "100"), (-12345.6, "−1e4"), (9999.9, "1e4"), (1e-9, "1e−9"), (-0.00123, "−0.001"), (1e300, "1e300"),
    (-0.0, "0"), (float("nan"), "nan"), (float("-inf"), "−inf"), (np.float32(0.25), "0.25"), (100, "100"),
    (0.0996, "0.0996")])
def test_a_number_has_at_most_six_signs(value, text):
    assert number(value) == text and len(text) <= 6


def test_the_graph_of_a_tape_has_its_values_and_gradients():
    result, names = chain()
    read = graph_of(result, names)
    assert list(read["nodes"].items()) == [("w", ""), ("x", ""), ("u_1", "×"), ("b", ""), ("a", "+"), ("y", "tanh"),
                                           ("t", ""), ("u_2", "−"), ("u_3", "( )^{2}")]
    assert ("a", "y") in read["edges"] and len(read["edges"]) == 8
    y = np.tanh(0.7)
    assert read["values"]["y"] == number(y) and read["values"]["u_3"] == number((y - 0.8) ** 2)
    assert read["gradients"]["w"] == number(2 * (y - 0.8) * (1 - y**2) * 2.0) and read["gradients"]["u_3"] == "1"
    assert names["w"].grad is None
    labels = words(XML.fromstring(graph(**read).svg))
    assert {"w", "tanh", "y = 0.604", "( )2", read["gradients"]["w"]} <= set(labels)
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    read = graph_of((x * 2.0 * x * 2.0).sum(), {"x": x})
    assert read["values"]["x"] == "3" and read["nodes"]["2"] == read["nodes"]["2 (1)"] == ""
    assert "2" not in read["values"]  # its name says it


def test_a_graphs_edges_lead_to_the_right_and_a_leaf_stands_before_its_user():
    drawing = tape_graph()
    starts = {}
    for edge, element in edges_of(drawing).items():
        path = XML.fromstring(element)[0].get("d")
        across = [float(point) for point in re.findall(r"(?:^M|C| )(-?[\d.]+) -?[\d.]+", path)]
        assert across[0] < across[-1] and across == sorted(across)
        starts[edge] = across[0]
    assert abs(starts["b->a"] - starts["u_1->a"]) < 20 < starts["b->a"] - starts["w->u_1"]


def test_a_curve_goes_through_its_points_and_turns_only_there():
    canvas = Canvas(100, 100)
    canvas.curve([(0, 10), (40, 90), (60, 70), (80, 20), (100, 10)], "way", head=False)
    d = re.search(r'class="line" d="M([^"]*)"', canvas.drawing("A curve", "A curve.").svg)[1]
    heights = [[float(n) for n in part.split()][1::2] for part in d.split("C")]
    assert [part[-1] for part in heights] == [10, 90, 70, 20, 10]
    bends = [height for part in heights for height in part]
    assert bends[:4] == sorted(bends[:4]) and bends[3:] == sorted(bends[3:], reverse=True)
    assert bends[4:7] != [90, 70, 70]  # on its way down it does not rest at a point


def test_the_way_of_a_gradient_is_lit_and_its_arrows_turn_round():
    assert lit_edges(unrolled(4, highlight="L_3->x_2")) == {"h_3->L_3", "h_2->h_3", "x_2->h_2"}
    assert lit_edges(unrolled(4, highlight="L_1->x_1")) == {"h_1->L_1", "x_1->h_1"}
    assert lit_edges(unrolled(4, highlight="L_2->W")) == {"h_2->L_2", "h_1->h_2", "x_1->h_1", "x_2->h_2"}
    assert lit_edges(unrolled(2, loss="last", highlight="L_2->U")) == {"h_2->L_2", "h_1->h_2", "h_0->h_1"}
    assert lit_edges(unrolled(2, highlight="L_1->h_0")) == {"h_1->L_1", "h_0->h_1"}
    assert lit_edges(unrolled(3, "hc", highlight="L_3->x_1")) == {"h_3->L_3", "c_2->c_3", "c_1->c_2", "x_1->h_1"}
    head = lambda drawing: re.search(r'class="head" d="M([\d.]+)', edges_of(drawing)["h_1->h_2"].decode())[1]
    assert float(head(unrolled(2))) > float(head(unrolled(2, highlight="L_2->x_1")))
    strong = lambda way: re.findall(r'class="math strong back"[^>]*><tspan>(.)<', unrolled(4, highlight=way).svg)
    assert strong("L_3->U") == ["U"] * 3 and strong("L_2->W") == ["W"] * 2 and strong("L_3->x_1") == []
    assert {f"{letter}{t}" for letter in "xhL" for t in "123"} | {"h0"} <= set(words(XML.fromstring(unrolled(3).svg)))
    assert "L_2 back to W, which is used 2 times: its gradient is a sum of 2" in unrolled(3, highlight="L_2->W").alt


def test_windows_reach_back_their_length_and_count_each_loss_once():
    def read(drawing):
        groups = [g for g in XML.fromstring(drawing.svg).iter(f"{SVG}g") if g.get("data-node", "").startswith("window")]
        kinds = [[circle.get("class").split()[-1] for circle in g.iter(f"{SVG}circle")] for g in groups]
        walls = [any(path.get("class") == "gone" for path in g) for g in groups]
        return [g.get("data-node") for g in groups], kinds, walls

    spans_, kinds, walls = read(windows(10, 4, 3))
    assert spans_ == ["window_1_3", "window_3_6", "window_6_9", "window_9_10"] and walls == [False, True, True, True]
    assert [k.count("counted") for k in kinds] == [3, 3, 3, 1] and kinds[1] == ["passed"] + 3 * ["counted"]
    assert read(windows(10, 4))[0] == ["window_1_4", "window_5_8", "window_9_10"]  # what is left at the end is shorter
    assert "no gradient is cut short" in windows(4, 4).title and "gradient stops" in windows(6, 3).title
    assert read(windows(6, 3))[0] == ["window_1_3", "window_4_6"] and "passed through" not in windows(6, 3).svg
    assert "gradient stops</tspan>" not in windows(4, 4).svg and "gradient stops</tspan>" in windows(6, 3).svg
    height = lambda d: XML.fromstring(d.svg).get("viewBox").split()[3]
    assert height(windows(12, 4)) == height(windows(4, 4)) < height(windows(12, 6, 3))  # side by side where they can be
    assert "from step 6 back to step 3" in windows(10, 4, 3).alt


@pytest.mark.parametrize(("scheme", "faint"), [
    ("gal", {"h_1_2"}), ("moon", {"memory_1_3", "h_1_3"}), ("ours", {"update_1_2"}),
    ("zoneout", {"h_1_2", "update_1_2"})])
def test_a_mask_cuts_the_path_of_its_scheme_and_marks_it_by_shape(scheme, faint):
    drawing = masks_in_time(scheme, [[1, 1], [0, 1], [1, 1]])
    assert {name for name, element in edges_of(drawing).items() if b"dashed" in element} == faint
    groups = {g.get("data-node"): g for g in XML.fromstring(drawing.svg).iter(f"{SVG}g") if g.get("data-node")}
    assert len(groups) == 6 and "unit 1 at 2; unit 2 at no step" in drawing.alt
    crossed = {name for name, g in groups.items() if any(path.get("class") == "gone" for path in g)}
    assert crossed == {"unit_1_step_2"} == {name for name, g in groups.items() if "dropped" in g.get("class")}
    layer = {"gal": "state", "moon": "memory", "ours": "update"}.get(scheme, scheme)
    assert masks_in_time(layer, [[1, 1], [0, 1], [1, 1]]) == drawing


def test_masks_are_drawn_anew_or_once_as_the_seed_says():
    once, anew = (masks_in_time("ours", T=9, units=5, sampling=s, rate=0.5) for s in ("per_sequence", "per_step"))
    steps = lambda d: re.findall(r"unit \d at ([^;.]+)", d.alt)
    assert set(steps(once)) == {"1, 2, 3, 4, 5, 6, 7, 8, 9", "no step"} and len(set(steps(anew))) > 2
    assert masks_in_time("ours", seed=1) == masks_in_time("ours", seed=1) != masks_in_time("ours", seed=2)
    assert set(steps(masks_in_time("ours", rate=0))) == {"no step"}


def test_labels_have_subscripts_and_a_width():
    assert spans("c_{t-1} + 1") == [("c", 0), ("t-1", -1), (" + 1", 0)] and spans("y^2") == [("y", 0), ("2", 1)]
    assert spans("weight_ih") == [("weight", 0), ("ih", -1)] and spans("a_") == [("a_", 0)]
    assert width_of("WW", 10) > width_of("aa", 10) > width_of("a_a", 10) > width_of("ii", 10) > 0
    canvas = Canvas(100, 40)
    canvas.text(50, 20, "h_t s", "math")
    pieces = XML.fromstring(canvas.drawing("A label", "h_t").svg).find(f"{SVG}text")
    assert [piece.get("dy") is not None for piece in pieces] == [False, True, True]
    assert sum(float(piece.get("dy", 0)) for piece in pieces) == pytest.approx(0, abs=0.11)  # back on the line


def test_a_drawing_shows_itself_with_its_caption_and_saves_a_file_of_its_own(tmp_path):
    drawing = lstm_cell("forget")
    shown = drawing._repr_html_()
    assert shown.startswith("<figure") and "c<sub>t</sub> = f c<sub>t−1</sub>" in shown and drawing.svg in shown
    drawing.save(tmp_path / "lstm.svg")
    assert XML.parse(tmp_path / "lstm.svg").getroot().get("class") == "drawing"
    with pytest.raises(InputError, match="Drawing.save: path must be in an existing folder"):
        drawing.save(tmp_path / "none" / "lstm.svg")

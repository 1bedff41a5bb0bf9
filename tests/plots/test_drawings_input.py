"""What drawings do with what they are given: hostile names are only text, and what is wrong gets one clear line."""

import xml.etree.ElementTree as XML
from html.parser import HTMLParser

import numpy as np
import pytest

from minirnn.autograd.tape import Tensor
from minirnn.errors import DtypeError, InputError
from minirnn.plots.drawings import graph, graph_of, gru_cell, lstm_cell, masks_in_time, unrolled, windows

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = ['<script>alert("1")</script>', "</svg>&amp;", "a'b\"", "]]>", "\x00\x1b[2J", "\ud800", "x\ny", "_", "^{",
           "a_{b", "_{}", " ", "漢字"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_only_text(name):
    drawing = graph({name: "", "L": name}, [(name, "L")], {name: name}, {"L": name}, highlight=f"{name}->L", title=name)
    tree = XML.fromstring(drawing.svg)
    labels = ["".join(label.itertext()) for label in tree.iter(f"{SVG}text")]
    assert {part.tag for part in tree.iter()} == {SVG + t for t in "svg style g path rect text tspan".split()}
    assert len(labels) == 5 and all(labels)
    seen = []
    reader = HTMLParser()
    reader.handle_starttag = lambda tag, _: seen.append(tag)
    reader.feed(drawing._repr_html_())
    assert "script" not in seen and seen.count("svg") == seen.count("figcaption") == 1


@pytest.mark.parametrize(("call", "message"), [
    (lambda: lstm_cell("forgot"), "upto must be one of forget, .*did you mean forget?"),
    (lambda: lstm_cell(highlight="f->fk"), "highlight must be one of lstm_cell.*got 'f->fk'; did you mean f->fc?"),
    (lambda: lstm_cell("forget", highlight="o->h"), "with upto='forget', got 'o->h'; it comes with upto='output'"),
    (lambda: lstm_cell(highlight="c"), "got 'c'; did you mean c->c_next?"),
    (lambda: lstm_cell(values={"f": 1}), "got 'f'; did you mean f->fc?"),
    (lambda: lstm_cell(highlight=[["f"]]), "got \\['f'\\]$"),
    (lambda: lstm_cell(highlight=3), "highlight must be one of lstm_cell..\\.edges, or several, got 3"),
    (lambda: lstm_cell(highlight=[3]), "highlight must be one of lstm_cell.*got 3"),
    (lambda: lstm_cell(values={"x->a_f": 1}), "values must be an edge with room for a number, got 'x->a_f'"),
    (lambda: lstm_cell(values={"f->fc": [1, 2]}), "number must be one number, got list"),
    (lambda: lstm_cell(values=0.5), "values must be {an edge with room for a number: number}, got 0.5"),
    (lambda: lstm_cell(gradients=["f->fc"]), "gradients must be {an edge with room for a number: number}"),
    (lambda: gru_cell(convention="paper"), "convention must be 'thesis' or 'slides', got 'paper'"),
    (lambda: gru_cell(reset_after=True, convention="thesis"), "convention must be 'slides' when reset_after"),
    (lambda: graph({}, []), "nodes must be .* 1 to 40 nodes, got 0"),
    (lambda: graph(["a"], []), "nodes must be .*got list"),
    (lambda: graph({"a": "", "b": "+"}, [("a", "c")]), "edges must be .*got 'c'"),
    (lambda: graph({"a": "", "b": "+"}, ["ab"]), "edges must be pairs of names, got 'ab'"),
    (lambda: graph({"a": "", "b": "+"}, 3), "edges must be pairs of names, got 3"),
    (lambda: graph({"a": ""}, [], highlight="b"), "highlight must be .*got 'b'"),
    (lambda: graph({"a": "", "b": "+"}, [("a", "b"), ("b", "a")]), "without a cycle, got a->b b->a"),
    (lambda: graph({"a": ""}, [], {"aa": 1}), "values must be .*got 'aa'; did you mean a?"),
    (lambda: graph({"a": ""}, [], ["a"]), "values must be {a node: number}"),
    (lambda: graph({"a": ""}, [], {"a": object()}), "number must be one number, got object"),
    (lambda: graph({3: ""}, []), "nodes must be .*text"),
    (lambda: graph({"a": 3}, []), "nodes must be .*both text.*got 'a': 3"),
    (lambda: graph({"a->b": ""}, []), "without '->' in a name, got 'a->b': ''"),
    (lambda: graph({"": ""}, []), "nodes must be .*got '': ''"),
    (lambda: unrolled(0), "T must be a whole number from 1 to 24, got 0"),
    (lambda: unrolled(2.5), "T must be a whole number"),
    (lambda: unrolled(3, "lstm"), "cell must be 'h' or 'hc', got 'lstm'"),
    (lambda: unrolled(3, loss="all"), "loss must be 'each' or 'last', got 'all'"),
    *[(lambda way=way: unrolled(3, loss="last", highlight=way), "highlight must be a way back from L_3, 'L_3->x_1'")
      for way in ("L_2->x_1", "L_3->x_4", "L_3->x_0", "L_3->c_0", "L_3", "x_1->L_3", "", 3)],
    (lambda: windows(4, 5), "length must be a whole number from 1 to 4, got 5"),
    (lambda: windows(4, 2, 3), "stride must be a whole number from 1 to 2, got 3"),
    (lambda: masks_in_time("oars"), "scheme must be one of gal, moon, ours, zoneout, got 'oars'; did you mean ours?"),
    (lambda: masks_in_time(None), "scheme must be one of"),
    (lambda: masks_in_time("ours", [1, 0]), r"mask must be \(T, units\) .*got int64 of shape \(2,\)"),
    (lambda: masks_in_time("ours", [[1], [1, 0]]), "mask must be .*got list"),
    (lambda: masks_in_time("ours", np.ones((17, 1))), r"mask must be .*got float64 of shape \(17, 1\)"),
    (lambda: masks_in_time("ours", [[np.nan]]), "mask must be .*finite numbers"),
    (lambda: masks_in_time("ours", [["1"]]), "mask must be .*got <U1 of shape"),
    (lambda: masks_in_time("ours", T=0), "T must be a whole number from 1 to 16, got 0"),
    (lambda: masks_in_time("ours", sampling="once"), "sampling must be 'per_step' or 'per_sequence', got 'once'"),
    (lambda: masks_in_time("ours", rate=1), "rate must be a number from 0 to below 1, got 1"),
    (lambda: masks_in_time("ours", seed=-1), "seed must be a whole number from 0"),
])
def test_bad_input_gets_one_clear_line(call, message):
    with pytest.raises(InputError, match=message) as error:
        call()
    assert "\n" not in str(error.value)


def test_a_graph_is_read_from_tensors_only():
    for result, names in ((3.0, {}), (Tensor(1.0, requires_grad=True), {"w": 2.0})):
        with pytest.raises(DtypeError, match="graph_of: "):
            graph_of(result, names)
    with pytest.raises(DtypeError, match="names must be"):
        graph_of(Tensor(1.0, requires_grad=True), ["w"])
    with pytest.raises(InputError, match="nothing to differentiate"):
        graph_of(Tensor(1.0), {})

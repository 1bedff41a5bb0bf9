"""Layouts: what they build, that gradients come back as they went, and that all of a loss arrives somewhere."""

import numpy as np
import pytest

from minirnn.cells import CELLS, Weights
from minirnn.cells.order import reordered
from minirnn.gradcheck import recurrent
from minirnn.gradcheck.user import trial
from minirnn.gradcheck.user.layout import Layout, Part, arranged, catalogue

D, H = 5, 2
STATES = (Part("h", ("h0",), axes="BH"), Part("c", ("c0",), axes="BH"))


def layout(*parts, cell="lstm", axes="TBD", **options):
    return Layout(CELLS[cell], cell, (Part("x", ("x",), axes=axes), *parts), **options)


LAYOUTS = {
    "figo, (in, hidden), batch first": layout(
        *STATES, Part("W", ("weight_ih",), "figo", turned=True), Part("U", ("weight_hh",), "figo", turned=True),
        Part("b", ("bias_ih",), "figo"), Part("c", ("bias_hh",), "figo"), axes="BTD"),
    "joint with a bias row, no states": layout(
        Part("W", ("1", "weight_hh", "weight_ih"), "ogfi", turned=True), biases=1),
    "a matrix for each gate": layout(*STATES, *(
        Part(f"{s}{g}", (f,), g) for g in "ifgo" for s, f in (("W", "weight_ih"), ("U", "weight_hh"), ("b", "bias"))),
        biases=1),
    "coupled, i for 1 - f": layout(
        *STATES, Part("W", ("weight_ih", "weight_hh"), "gof"), Part("b", ("bias",), "gof", vector="column"),
        cell="lstm-coupled", flipped="f", biases=1, axes="DB"),
    "no bias, peepholes, one example": layout(
        Part("h", ("h0",), axes="H1"), Part("c", ("c0",), axes="H1"), Part("W", ("weight_ih",), "gifo"),
        Part("U", ("weight_hh",), "gifo"), Part("p", ("weight_ch",), "gifo"),
        cell="lstm-peephole", biases=0, axes="TD1"),
    "gru, reset after, one bias": layout(
        Part("h", ("h0",), axes="BH"), Part("W", ("weight_ih",), "znr"), Part("U", ("weight_hh",), "znr"),
        Part("b", ("bias",), "znr", vector="row"), cell="gru-reset-after", flipped="z", biases=1),
}
every_layout = pytest.mark.parametrize("name", LAYOUTS)


@every_layout
def test_gradients_come_back_as_the_arrays_went(name):
    """Moving our arrays by d moves the user's by L d; <L d, g> = <d, L^T g> for every d and g."""
    lay = LAYOUTS[name]
    p, q = (lay.problem(D, H, seed=seed) for seed in (0, 1))
    rng = np.random.default_rng(2)
    given = [rng.standard_normal(a.shape) for a in lay.arrays(p)]
    back = lay.gradients(p, given)
    moved = [b - a for a, b in zip(lay.arrays(p), lay.arrays(q))]
    there = sum((m * g).sum() for m, g in zip(moved, given))
    here = sum(((q.arrays[n] - p.arrays[n]) * g).sum() for n, g in back.items())
    np.testing.assert_allclose(here, there, rtol=1e-12)
    assert [g.shape for g in back.values()] == [p.arrays[n].shape for n in back]


@every_layout
def test_every_entry_is_one_of_ours_and_none_is_lost(name):
    lay = LAYOUTS[name]
    labels, _ = lay.labels(lay.problem(D, H))
    entries = np.concatenate([np.abs(a).ravel() for a in labels])
    assert len(set(entries)) == len(entries)


def test_a_layout_is_what_the_library_itself_reorders():
    lay = LAYOUTS["figo, (in, hidden), batch first"]
    p = lay.problem(D, H)
    x, _, _, W, U, b, c = lay.arrays(p)
    want = reordered(p.weights, "ifgo", "figo")
    for got, ours in zip((W.T, U.T, b, c), Weights(*want)):
        np.testing.assert_array_equal(got, ours)
    np.testing.assert_array_equal(x, p.x.transpose(1, 0, 2))


def test_axes_are_moved_dropped_and_added():
    x = np.arange(12.0).reshape(1, 3, 4)
    assert arranged(x, "TBD", "BTD").shape == (3, 1, 4) and arranged(x, "TBD", "DB").shape == (4, 3)
    assert arranged(x[:, :1], "TBD", "D1").shape == (4, 1)
    np.testing.assert_array_equal(arranged(x, "TBD", "DB"), x[0].T)


@pytest.mark.parametrize("results", [
    [("y", "BTH"), ("h", "BH"), ("c", "BH")], [("y", "TBH")], [("h", "BH")], [("h", "BH"), ("c", "BH")],
    [("y0", "TBH"), ("cs", "TBH")], [("", ""), ("y", "TBH")], [("y", "TBH"), ("h", "1BH")],
])
def test_what_arrives_at_the_results_and_what_does_not_are_the_whole_loss(results):
    """<dy, y> + <dfinal, final> of the problem is that of the user's results plus that of the rest."""
    lay = Layout(CELLS["lstm"], "lstm", LAYOUTS["figo, (in, hidden), batch first"].parts, results=tuple(results))
    p = lay.problem(D, H)
    dys, rest = lay.cotangents(p)
    ours = catalogue(p)
    at = lambda role, axes: arranged(ours[role], "TBH" if ours[role].ndim == 3 else "BH", axes)
    shown = sum((d * at(*role)).sum() for d, role in zip(dys, results) if d is not None)
    loss = lambda q: (q.dy * ours["y"]).sum() + sum((d * ours[s]).sum() for d, s in zip(q.dfinal, q.cell.states))
    np.testing.assert_allclose(shown + loss(rest), loss(p), rtol=1e-12)
    roles = {role for role, _ in results}
    assert (loss(rest) == 0) == bool({"c", "cs"} & roles and {"y", "y0"} & roles)


def test_the_catalogue_is_what_the_explicit_loop_gives():
    p = recurrent.random_problem(CELLS["lstm"])
    y, h, c = recurrent.outputs(p)
    ours = catalogue(p)
    begin = ours["y0"][0], ours["cs0"][0]
    for got, want in zip((ours["y"], ours["h"], ours["c"], ours["cs"][-1], *begin), (y, h, c, c, *p.state0)):
        np.testing.assert_array_equal(got, want)


def test_a_layout_in_words():
    words = {name: trial.in_words(lay) for name, lay in LAYOUTS.items()}
    assert words["figo, (in, hidden), batch first"] == (
        "lstm, gates f i g o, weights (in, hidden), two biases, x (batch, time, in)")
    assert words["coupled, i for 1 - f"] == (
        "lstm-coupled, gates g o 1-f, a matrix over [x, h] as (hidden, in), one bias, x (in, batch), one step")
    assert "a matrix over [1, h, x] as (in, hidden), one bias" in words["joint with a bias row, no states"]

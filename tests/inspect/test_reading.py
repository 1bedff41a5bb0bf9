"""What a prediction looked at is the gradient, what comes next the softmax, for every symbol of a text."""

import base64
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from minirnn.autograd import Tensor, grad
from minirnn.inspect.inspection import as_json
from minirnn.inspect.page import page
from minirnn.inspect.reading import Reading, looked_at, reading_of
from minirnn.inspect.specimen import inspect_cell
from minirnn.inspect.units import Known
from minirnn.models.language_model import LanguageModel

VOCABULARY = ("a", "b", '"', " ", "\n")
IDS = np.array([0, 3, 2, 1, 0, 2, 3, 1, 4, 0, 1])
LONG = np.tile([2, 0, 1, 0, 2, 3, 0, 1, 1, 3, 4], 20)


@pytest.fixture(params=["lstm", "gru"])
def model(request):
    return LanguageModel(5, 3, 4, cell=request.param, rng=0, kernels="explicit", init=0.8)


def test_the_guesses_are_the_softmax_of_the_whole_text(model):
    reading = reading_of(model, IDS, VOCABULARY, LanguageModel(5, 3, 4, cell="gru", rng=1, kernels="explicit"))
    logits = model(IDS[:, None])[0].value[:, 0].astype(float)
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for row, chance in zip(reading.guesses, chances):
        assert [s for s, _ in row] == [VOCABULARY[k] for k in np.argsort(-chance)]
        np.testing.assert_allclose([c for _, c in row], sorted(chance, reverse=True), rtol=1e-5)
    assert reading.symbols == tuple(VOCABULARY[i] for i in IDS) and reading.contents.shape == (11, 4)
    known = reading_of(model, LONG, VOCABULARY, LanguageModel(5, 3, 4, cell="gru", rng=1, kernels="explicit"))
    assert {k.mark for k in known.known} == {k.mark for k in known.control} >= {"inside quotes"}


def test_what_a_prediction_looked_at_is_the_gradient_of_its_logit(model):
    back, guesses = 4, np.full(len(IDS), 2)
    found = looked_at(model, IDS, guesses, back)
    for t in (1, 3, 6):
        x = Tensor(model.embedding(IDS[max(0, t - back + 1) : t + 1, None]).value, requires_grad=True)
        (dx,) = grad(model.output(model.recurrent(x)[0][-1])[0, 2], x)
        sizes = np.linalg.norm(dx.value[::-1, 0].astype(float), axis=1)
        np.testing.assert_allclose(found[t, : len(sizes)], sizes / sizes.max(), rtol=1e-5)
    assert found.shape == (len(IDS), back) and (found.max(axis=1) == 1).all()
    assert (found[0, 1:] == 0).all() and (found[1, 2:] == 0).all() and (found[1, :2] > 0).all()


def test_marks_are_for_characters_alone(model):
    words = ("the", "b", '"', " ", "\n")
    assert reading_of(model, IDS, words).known == () and reading_of(model, IDS, VOCABULARY).control == ()


def test_the_text_that_is_read_stands_in_the_page_and_cannot_leave_its_place():
    symbols = ("</script><b>", "a", '"', "\n")
    known = (Known("inside <quotes>", False, 1, -1, 0.987, 0.5),)
    reading = Reading(symbols, np.array([[0.5, -1.0]] * 4), tuple(((s, 0.25), ("<i>", 0.1)) for s in symbols),
                      np.eye(4, 3), known, (Known("inside <quotes>", False, 0, 1, 0.61, 0.5),))
    shown = replace(inspect_cell("rnn", hidden=2, steps=3, batch=1), reading=reading)
    text = page(shown)
    assert "<b>" not in text and "<i>" not in text and "<quotes>" not in text
    assert not any(outside in text for outside in ("http://", "https://", "src=", "<link", "fetch(", "import("))
    (inside,) = re.findall('id=reading-data>(.*?)</script>', text)
    data = json.loads(inside)
    assert data["symbols"] == list(symbols) and data["guesses"][1] == [["a", 0.25], ["<i>", 0.1]]
    assert data["known"] == [{"mark": "inside <quotes>", "unit": 1}] and data["words"] is True
    contents = np.frombuffer(base64.b64decode(data["contents"]["data"]), np.uint8).reshape(4, 2)
    np.testing.assert_allclose((contents[0] - 127.0) / 127 * data["contents"]["size"], [0.5, -1], atol=0.01)
    assert data["back"] == 3 and "id=unit min=0 max=1" in text
    assert re.search("inside &lt;quotes&gt;<td>1<td class=n>0.99<td class=n>0.50<td class=n>0.61", text)
    assert text.index("id='reading'") < text.index("id='gates'") and as_json(shown)["known"][0]["unit"] == 1
    assert "id='reading'" not in page(replace(shown, reading=None))

"""The tagger of thesis sec. 3.4.4: its gradient, padding and dropout."""


import numpy as np
import pytest

from minirnn import nn
from minirnn.array import Streams
from minirnn.autograd import Tensor, no_grad
from minirnn.errors import DtypeError, InputError
from minirnn.models.tagger import Tagger
from minirnn.models.tagger.task import Encoded, forward


def tagger(seed=0, dtype=np.float64, **options):
    """5 tags, 11 words of 4 numbers, 3 classes; sizes all different."""
    rng = np.random.default_rng(seed)
    sizes = {"classes": 3, "filters": 6, "kernel": 3, "hidden": 7, **options}
    return Tagger(rng.standard_normal((11, 4)), 5, rng=rng, dtype=dtype, **sizes)


def batch(rng, lengths, classes=3):
    words = rng.integers(11, size=(max(lengths), len(lengths)))
    return words, rng.integers(classes, size=words.shape), np.array(lengths)


# ----------------------------------------------------------------------------------------------- the model


@pytest.mark.parametrize("activation, scheme", [("relu", "gal"), ("relu", "moon"), ("relu", "ours"), ("tanh", "ours")])
def test_gradients_of_the_whole_tagger_equal_central_differences(activation, scheme):
    """thesis (3.3.5) and (3.3.7), f relu or tanh; forward dropout (3.3.15), recurrent dropout (3.3.8)-(3.3.10)."""
    rng = np.random.default_rng(1)
    model = tagger(activation=activation, conv_activation=activation, forward_dropout=(0.2, 0.5),
                   recurrent_dropout=(scheme, 0.3)).train()
    words, capitals, lengths = batch(rng, [5, 2, 4])
    cotangent = rng.standard_normal((5, 3, 5))

    def value():
        return (model(words, capitals, lengths, streams=Streams(3)) * Tensor(cotangent)).sum()

    value().backward()
    for name, parameter in model.named_parameters():
        kept, numeric = parameter.value, np.empty(parameter.shape)
        for index in np.ndindex(parameter.shape):
            ends = []
            for step in (1e-5, -1e-5):
                parameter.value = kept.copy()
                parameter.value[index] += step
                with no_grad():
                    ends.append(value().item())
            numeric[index] = (ends[0] - ends[1]) / 2e-5
        parameter.value = kept
        scale = max(1, np.abs(numeric).max())
        np.testing.assert_allclose(parameter.grad.value, numeric, rtol=0, atol=1e-7 * scale, err_msg=name)
        assert np.abs(numeric).max() > 1e-3, f"{name} has no influence"


def test_word_vectors_are_saved_but_not_trained():
    model = tagger()
    assert [name for name, _ in model.named_buffers()] == ["table"] and "table" in model.state_dict()
    assert not any(name.startswith("table") for name, _ in model.named_parameters())


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_sentence_has_the_same_output_alone_and_in_a_padded_batch(kernel):
    rng = np.random.default_rng(2)
    model = tagger(kernel=kernel).eval()
    words, capitals, lengths = batch(rng, [3, 9, 1, 6])  # what is behind a sentence's end is not zero here
    together = model(words, capitals, lengths).value
    for b, n in enumerate(lengths):
        alone = model(words[:n, b : b + 1], capitals[:n, b : b + 1]).value
        np.testing.assert_allclose(together[:n, b], alone[:, 0], rtol=0, atol=1e-12)


def test_padding_has_no_influence_on_the_loss_or_any_gradient():
    rng = np.random.default_rng(3)
    model = tagger().eval()
    sentences = [Encoded(*(rng.integers(limit, size=n) for limit in (11, 3, 5))) for n in (4, 2, 7)]
    _, loss, _, inside = forward(model, sentences)
    loss.backward()
    together = {name: p.grad.value for name, p in model.named_parameters()}
    model.zero_grad()
    total = 0.0
    for sentence in sentences:
        _, one, _, _ = forward(model, [sentence])
        total += one.item() * len(sentence.words)
        (one * len(sentence.words)).backward()
    assert inside.sum() == 13 and loss.item() == pytest.approx(total / 13, rel=1e-12)
    for name, p in model.named_parameters():
        np.testing.assert_allclose(together[name], p.grad.value / 13, rtol=0, atol=1e-12)


def test_a_word_sees_half_a_kernel_to_the_right_and_everything_to_the_left():
    rng = np.random.default_rng(4)
    model = tagger(kernel=5).eval()
    words, capitals, _ = batch(rng, [9])
    before = model(words, capitals).value
    for place in range(9):
        changed = words.copy()
        changed[place] = (changed[place] + 1) % 11
        moved = np.abs(model(changed, capitals).value - before).max(axis=(1, 2)) > 0
        assert moved[max(place - 2, 0) :].all() and not moved[: max(place - 2, 0)].any()


def test_the_layers_are_those_of_the_thesis():
    """Without dropout: an explicit window of vectors and one-hot classes, relu, the LSTM, a linear map."""
    rng = np.random.default_rng(5)
    model = tagger(kernel=3).eval()
    words, capitals, _ = batch(rng, [4])
    x = np.concatenate([model.table.value[words[:, 0]], np.eye(3)[capitals[:, 0]]], axis=1)  # (T, D + classes)
    around = np.concatenate([np.zeros((1, 7)), x, np.zeros((1, 7))])
    weight, bias = model.convolution.weight.value, model.convolution.bias.value  # (filters, D + classes, k)
    filtered = [np.maximum(np.einsum("ock,kc->o", weight, around[t : t + 3]) + bias, 0) for t in range(4)]
    h, _ = model.recurrent(Tensor(np.array(filtered)[:, None]))
    expected = h.value @ model.output.weight.value.T + model.output.bias.value
    np.testing.assert_allclose(model(words, capitals).value, expected, rtol=0, atol=1e-12)
    assert model.recurrent.cell.activation == "relu"


def record_inputs(layer):
    """A list to which the layer will add what it is called with."""
    seen, original = [], layer.forward
    layer.forward = lambda x: (seen.append(x.value), original(x))[1]
    return seen


def test_forward_dropout_acts_on_inputs_and_outputs_with_its_own_rate():
    rng = np.random.default_rng(6)
    words, capitals, lengths = batch(rng, [4, 3])
    for rates, child in (((0.4, 0.0), "convolution"), ((0.0, 0.4), "output")):
        model = tagger(forward_dropout=rates)
        seen = record_inputs(getattr(model, child))
        model.eval()(words, capitals, lengths)
        model.train()(words, capitals, lengths, streams=Streams(0))
        before, after = seen
        kept = after != 0
        np.testing.assert_allclose(after[kept], before[kept] / 0.6, rtol=1e-12)
        assert 0.2 < (kept[before != 0]).mean() < 0.95
        np.testing.assert_array_equal(model.eval()(words, capitals).shape, (4, 2, 5))


def test_initial_parameters_are_the_layers_own_or_uniform():
    assert np.abs(tagger(init=0.03).output.bias.value).max() > 0
    assert max(np.abs(p.value).max() for p in tagger(init=0.03).parameters()) <= 0.03
    own = tagger()
    np.testing.assert_array_equal(own.recurrent.bias_ih_l0.value[7:14], 1)  # b_f
    assert not own.output.bias.value.any()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m, w, c, n: tagger(kernel=4), "kernel must be a positive odd int, got 4"),
        (lambda m, w, c, n: tagger(conv_activation="sin"), "conv_activation must be 'relu' or 'tanh', got 'sin'"),
        (lambda m, w, c, n: tagger(activation="sin"), "activation must be 'tanh' or 'relu'"),
        (lambda m, w, c, n: tagger(forward_dropout=(0.2, 1.0)), r"rate must be a number in \[0, 1\)"),
        (lambda m, w, c, n: Tagger(np.zeros(3), 2), r"table must be \(V, D\)"),
        (lambda m, w, c, n: m(w + 9, c, n), r"ids must be in \[0, V\) = \[0, 11\)"),
        (lambda m, w, c, n: m(w, c + 3, n), r"ids must be in \[0, V\) = \[0, 3\)"),
        (lambda m, w, c, n: m(w, c[:2], n), r"capitals must be words' \(T, B\) = \(4, 2\), got \(2, 2\)"),
        (lambda m, w, c, n: m(w[:, 0], c[:, 0], n), r"words must be \(T, B\), got \(4,\)"),
        (lambda m, w, c, n: m(w, None, n), "capitals must be None without classes .* got None"),
        (lambda m, w, c, n: tagger(classes=0)(w, c, n), "capitals must be None without classes .* got an array"),
        (lambda m, w, c, n: m(w, c, [4]), r"lengths must be \(B,\) = \(2,\), got \(1,\)"),
        (lambda m, w, c, n: m(w, c, [4, 9]), "lengths must be in 1..T = 1..4, got 9"),
    ],
)
def test_bad_arguments_are_named(call, message):
    words, capitals, lengths = batch(np.random.default_rng(0), [4, 2])
    words[0, 0] = 5
    with pytest.raises((InputError, DtypeError), match=message):
        call(tagger(), words, capitals, lengths)


@pytest.mark.parametrize("stride, padding, length", [(1, 0, 4), (2, 1, 4), (1, "causal", 6)])
def test_conv1d_is_the_operation_with_weights_of_its_own(stride, padding, length):
    layer = nn.Conv1d(3, 5, 3, stride, padding, rng=0, dtype=np.float64)
    assert layer.weight.shape == (5, 3, 3) and layer.bias.shape == (5,) and not layer.bias.value.any()
    assert np.abs(layer.weight.value).max() <= np.sqrt(6 / (9 + 15))  # Glorot, a kernel of 3 in both fans
    layer.bias.value = np.arange(5.0)
    x = np.random.default_rng(0).standard_normal((2, 3, 6))
    y = layer(Tensor(x)).value
    left = {0: 0, 1: 1, "causal": 2}[padding]
    around = np.pad(x, ((0, 0), (0, 0), (left, 0 if padding == "causal" else left)))
    expected = [np.einsum("nck,ock->no", around[:, :, t * stride : t * stride + 3], layer.weight.value)
                for t in range(length if stride == 1 else 3)]
    np.testing.assert_allclose(y, np.moveaxis(expected, 0, -1) + np.arange(5.0)[:, None], rtol=0, atol=1e-12)
    assert nn.Conv1d(3, 5, 1, bias=False).bias is None
    with pytest.raises(InputError, match="Conv1d: kernel_size must be a positive int, got 0"):
        nn.Conv1d(3, 5, 0)

"""Lists of modules, activations as modules, how modules are shown, partial state dicts, and a GRU of another form."""

import warnings

import numpy as np
import pytest

from minirnn import Tensor, nn, ops
from minirnn.errors import DtypeError, FormWarning, InputError


def test_a_list_of_modules_is_a_list_and_a_module():
    layers = nn.ModuleList(nn.Linear(3, 3, rng=k) for k in range(3))
    assert len(layers) == 3 and layers[-1] is layers[2] and [*layers][0] is layers[0]
    assert [name for name, _ in layers.named_parameters()] == [f"{k}.{n}" for k in range(3) for n in ("weight", "bias")]
    cut = layers[1:]
    assert isinstance(cut, nn.ModuleList) and [*cut] == [layers[1], layers[2]]
    assert layers.append(nn.Tanh()) is layers and len(layers.extend([nn.ReLU(), nn.ReLU()])) == 6
    model = nn.Sequential(*layers)
    x = Tensor(np.ones((2, 3), np.float32))
    y = x
    for layer in layers:
        y = layer(y)
    np.testing.assert_array_equal(model(x).value, y.value)
    assert len(model) == 6 and model[0] is layers[0] and not layers.eval()[4].training


def test_a_list_refuses_what_is_no_module_or_not_there():
    layers = nn.ModuleList([nn.Tanh()])
    with pytest.raises(DtypeError, match="ModuleList: module 1 must be a Module, got function"):
        layers.append(ops.tanh)
    with pytest.raises(InputError, match="ModuleList: index must be one of 1 modules, got 1"):
        layers[1]
    with pytest.raises(DtypeError, match="index must be an integer or a slice, got str"):
        layers["0"]
    with pytest.raises(DtypeError, match="Sequential: module 0 must be a Module"):
        nn.Sequential(np.tanh)


@pytest.mark.parametrize(("module", "operation"), [
    (nn.Tanh(), ops.tanh), (nn.Sigmoid(), ops.sigmoid), (nn.ReLU(), ops.relu), (nn.SiLU(), ops.silu),
    (nn.LeakyReLU(0.2), lambda x: ops.leaky_relu(x, 0.2)), (nn.ELU(0.5), lambda x: ops.elu(x, 0.5)),
    (nn.GELU(), ops.gelu), (nn.GELU("tanh"), lambda x: ops.gelu(x, "tanh")),
    (nn.Softmax(0), lambda x: ops.softmax(x, 0)),
    (nn.LogSoftmax(), ops.log_softmax),
], ids=lambda value: str(value) if isinstance(value, nn.Module) else "")
def test_activations_as_modules(module, operation):
    x = np.random.default_rng(0).standard_normal((3, 4))
    np.testing.assert_array_equal(module(x).value, operation(x).value)


def test_arguments_of_activations_are_checked():
    with pytest.raises(InputError, match="GELU: approximate must be 'none' or 'tanh', got 'erf'"):
        nn.GELU("erf")
    with pytest.raises(DtypeError, match="takes 1 positional argument but 2 were given"):
        nn.ReLU(True)
    with pytest.raises(InputError, match="LeakyReLU: negative_slope must be one number"):
        nn.LeakyReLU("steep")


def test_a_module_shows_what_is_in_it():
    class Model(nn.Module):
        def __init__(self):
            self.embedding = nn.Embedding(9, 4, padding_idx=0)
            self.rnn = nn.LSTM(4, 8, 2, bidirectional=True, zoneout=(0.1, 0.0))
            self.head = nn.Sequential(nn.Dropout(0.25), nn.Linear(16, 2, bias=False), nn.LeakyReLU(0.2))

    assert repr(Model()) == """Model(
  (embedding): Embedding(9, 4, padding_idx=0)
  (rnn): LSTM(4, 8, num_layers=2, bidirectional=True, zoneout_c=0.1)
  (head): Sequential(
    (0): Dropout(rate=0.25)
    (1): Linear(in_features=16, out_features=2, bias=False)
    (2): LeakyReLU(negative_slope=0.2)
  )
)"""
    assert repr(nn.Tanh()) == "Tanh()" and repr(nn.ModuleList()) == "ModuleList()"
    assert repr(nn.GRU(3, 4, reset_after=True)) == "GRU(3, 4, reset_after=True, convention='slides')"
    assert repr(nn.RNNCell(3, 4, bias=False, nonlinearity="relu")) == "RNNCell(3, 4, nonlinearity='relu', bias=False)"
    assert repr(nn.Conv1d(3, 4, 5, padding="causal")) == (
        "Conv1d(3, 4, kernel_size=5, stride=1, padding='causal', bias=True)")


def test_a_partial_state_dict_says_what_it_lacked():
    model = nn.Sequential(nn.Linear(3, 4, rng=0), nn.Linear(4, 2, rng=1))
    before = model.state_dict()
    loaded = model.load_state_dict({"0.bias": np.arange(4.0), "head.weight": np.ones(3)}, strict=False)
    assert loaded.missing_keys == ["0.weight", "1.weight", "1.bias"] and loaded.unexpected_keys == ["head.weight"]
    np.testing.assert_array_equal(model[0].bias.value, np.arange(4.0))
    np.testing.assert_array_equal(model[1].weight.value, before["1.weight"])
    assert model.load_state_dict(before) == ([], [])
    with pytest.raises(InputError, match=r"'0.bias' must be \(4,\), got \(5,\)"):
        model.load_state_dict({"0.bias": np.ones(5)}, strict=False)
    with pytest.raises(InputError, match="missing '0.weight'.*unexpected 'other'"):
        model.load_state_dict({"other": np.ones(5)})


@pytest.mark.parametrize("make", [nn.GRU, nn.GRUCell])
def test_a_gru_whose_form_nobody_said_says_so_once(make):
    other = dict(make(3, 4, reset_after=True, rng=1).state_dict())  # as a file of PyTorch's would be
    layer = make(3, 4, rng=0)
    model = nn.Sequential(layer, make(3, 4))
    with pytest.warns(FormWarning, match="reset_after=True for PyTorch's form, or with reset_after=False") as seen:
        model.load_state_dict({f"{k}.{name}": a for k in range(2) for name, a in other.items()})
    assert len(seen) == 1 and seen[0].filename == __file__
    layer.load_state_dict(other)  # a second time nothing is said
    for said in ({"reset_after": False}, {"reset_after": True}, {"convention": "slides"}):
        make(3, 4, **said).load_state_dict(other)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(3, 4).load_state_dict(layer.state_dict())  # minirnn's own
        make(3, 4).load_state_dict({"unknown": 1}, strict=False)

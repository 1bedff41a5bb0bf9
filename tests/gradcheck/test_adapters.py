"""Gradients of PyTorch, JAX and HIPS/autograd under the checker: right ones, planted mistakes, and what is refused."""

import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from minirnn.errors import DtypeError, InputError
from minirnn.gradcheck import Verdict, assert_gradients, check, check_autograd, check_jax, check_torch_function

RNG = np.random.default_rng(0)
X, W = RNG.standard_normal((3, 4)), RNG.standard_normal((4, 2))
ADAPTERS = {"torch": check_torch_function, "jax": check_jax, "autograd": check_autograd}


def library(name):
    return pytest.importorskip(name, reason=f"{name} is not installed")


@pytest.fixture
def torch():
    return library("torch")


@pytest.fixture
def jax():
    jax = library("jax")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield jax
    jax.config.update("jax_enable_x64", before)


@pytest.mark.parametrize("name", ADAPTERS)
def test_the_example_of_the_docstring_runs_and_passes(name, capsys):
    library(name)
    example = re.search(r"\n\n((?: {8}.*\n|\n)+)\n {4}\S", ADAPTERS[name].__doc__).group(1)
    exec(compile(textwrap.dedent(example), name, "exec"), {})
    assert re.match(r"[Cc]ube: PASS .*\n  x ", capsys.readouterr().out)


@pytest.mark.parametrize(("name", "called"), [("torch", "PyTorch"), ("jax", "JAX"), ("autograd", "HIPS/autograd")])
def test_a_library_that_is_not_there_is_named(name, called, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)  # which makes importing it fail
    with pytest.raises(InputError, match=f"needs {called}, which is not installed: pip install {name}$"):
        ADAPTERS[name](np.sin, [X])


def layer(torch, change=lambda ctx, dx, dw: (dx, dw)):
    """tanh(x @ w) * k as a torch.autograd.Function, what its backward returns being changed."""

    class Layer(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w, k):
            y = k * torch.tanh(x @ w)
            ctx.save_for_backward(x, w, y)
            ctx.k = k
            return y

        @staticmethod
        def backward(ctx, dy):
            x, w, y = ctx.saved_tensors
            da = dy * (ctx.k - y * y / ctx.k)
            return *change(ctx, da @ w.T, x.T @ da), None

    return Layer


def tensors(torch, **options):
    return [torch.tensor(a, **options) for a in (X, W)]


@pytest.mark.parametrize("order", [1, 2])
def test_a_right_function_passes_to_both_orders(torch, order):
    finding = check_torch_function(layer(torch), *tensors(torch), 3.0, order=order)
    assert finding.ok and finding.dtype == "float64" and finding.error < 1e-10
    assert [t.name for t in finding.tensors] == ["x", "w", "cotangent0"][: order + 1]


def test_float32_is_checked_in_float32(torch):
    finding = check_torch_function(layer(torch), *tensors(torch, dtype=torch.float32), 3.0)
    assert finding.ok and finding.dtype == "float32"


def scaled(ctx, dx, dw):
    return dx, 2 * dw


def turned(ctx, dx, dw):
    return -dx, dw


@pytest.mark.parametrize(("change", "says"), [
    (scaled, "the gradient of w is 2 times the right one"), (turned, "the gradient of x has the wrong sign"),
    (lambda ctx, dx, dw: (dx, None), "no gradient was claimed for w"),
])
def test_planted_mistakes_are_wrong_and_named(torch, change, says):
    finding = check_torch_function(layer(torch, change), *tensors(torch), 3.0)
    assert finding.verdict is Verdict.WRONG and says in str(finding)


def test_a_forgotten_return_is_one_line(torch):
    broken = layer(torch)
    broken.backward = staticmethod(lambda ctx, dy: None)
    with pytest.raises(InputError, match=r"^Layer raised RuntimeError: .*incorrect number of gradients"):
        check_torch_function(broken, *tensors(torch), 3.0)


def spoiled_saved(ctx, dx, dw):
    ctx.saved_tensors[0].zero_()
    return dx, dw


def test_a_backward_that_writes_into_saved_tensors_is_found_though_its_first_gradient_is_right(torch):
    finding = check_torch_function(layer(torch, spoiled_saved), *tensors(torch), 3.0)
    assert finding.verdict is Verdict.NON_DETERMINISTIC and "writes into a tensor that was saved" in str(finding)


def test_a_backward_that_writes_into_its_cotangent_is_found(torch):
    class Halved(torch.autograd.Function):
        forward = staticmethod(lambda ctx, x: x / 2)
        backward = staticmethod(lambda ctx, dy: dy.mul_(0.5))

    finding = check_torch_function(Halved, tensors(torch)[0])
    assert finding.verdict is Verdict.NON_DETERMINISTIC and "different gradients of x" in str(finding)


def test_a_second_derivative_that_is_lost_is_wrong(torch):
    """The first order is right, but made of numbers that no longer know where they come from."""
    lost = layer(torch, lambda ctx, dx, dw: (dx, dw.detach()))
    assert check_torch_function(lost, *tensors(torch), 3.0).ok
    finding = check_torch_function(lost, *tensors(torch), 3.0, order=2)
    assert finding.verdict is Verdict.WRONG and finding.name == "Layer, second order"
    every = layer(torch, lambda ctx, dx, dw: (dx.detach(), dw.detach()))
    assert check_torch_function(every, *tensors(torch), 3.0, order=2).verdict is Verdict.WRONG


def test_only_tensors_that_require_a_gradient_are_asked_for_one(torch):
    x, w = tensors(torch)
    needs = []
    function = layer(torch, lambda ctx, dx, dw: (needs.append(ctx.needs_input_grad), (dx, None))[1])
    finding = check_torch_function(function, x.requires_grad_(), w, 3.0)
    assert finding.ok and [t.name for t in finding.tensors] == ["x"]
    assert set(needs) == {(True, False, False)} and x.grad is None


def test_results_without_a_gradient_are_left_out(torch):
    class Both(torch.autograd.Function):
        @staticmethod
        def forward(x):
            values, places = x.max(dim=1)
            return values, places, values.round()

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(output[1])
            ctx.shape = inputs[0].shape
            ctx.mark_non_differentiable(output[1], output[2])

        @staticmethod
        def backward(ctx, dy, *rest):
            (places,) = ctx.saved_tensors
            return torch.zeros(ctx.shape, dtype=dy.dtype).scatter(1, places[:, None], dy[:, None])

    finding = check_torch_function(Both, tensors(torch)[0])
    assert finding.ok and [t.name for t in finding.tensors] == ["x"]


def test_a_function_that_marks_its_argument_dirty_passes(torch):
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.mul_(2)

        backward = staticmethod(lambda ctx, dy: 2 * dy)

    x = tensors(torch)[0]
    assert check_torch_function(Doubled, x).ok and np.array_equal(x.numpy(), X)


def test_what_is_handed_through_is_a_copy(torch):
    counter = torch.zeros(3, dtype=torch.int64)

    def counted(x, n):
        n += 1
        return x * 2 * n.sum()

    assert check_torch_function(counted, tensors(torch)[0], counter).ok and not counter.any()


def test_a_linear_function_passes_the_second_order_though_its_arguments_get_no_gradient(torch):
    finding = check_torch_function(lambda x: 3 * x, tensors(torch)[0], order=2)
    assert finding.ok and [t.name for t in finding.tensors] == ["x", "cotangent0"]


@pytest.mark.parametrize(("make", "error", "says"), [
    (lambda torch: (3, torch.zeros(2)), DtypeError, "function must be a torch.autograd.Function or a function of"),
    (lambda torch: (torch.nn.Linear, torch.zeros(2)), DtypeError, "got Linear"),
    (lambda torch: (torch.tanh, X), InputError, "args must be at least one tensor of float32 or float64, got ndarray"),
    (lambda torch: (torch.tanh, torch.zeros(2, dtype=torch.bfloat16)), DtypeError, "got torch.bfloat16"),
    (lambda torch: (lambda x: x.detach(), torch.zeros(2)), InputError, "its result must be a tensor that has a grad"),
    (lambda torch: (lambda x: torch.complex(x, x), torch.zeros(2)), DtypeError, "its result must be real"),
    (lambda torch: (lambda x: x @ x, torch.zeros(2, 3)), InputError, "<lambda> raised RuntimeError: mat1 and mat2"),
])
def test_what_torch_is_given_wrongly_is_one_clear_line(torch, make, error, says):
    with pytest.raises(error, match=re.escape(says)):
        check_torch_function(*make(torch))


def test_a_module_of_torch_is_checked_and_elsewhere_sent_there(torch):
    module = torch.nn.LSTMCell(4, 2, dtype=torch.float64)
    finding = check_torch_function(module, tensors(torch)[0])
    assert finding.ok and finding.name == "LSTMCell" and [t.name for t in finding.tensors] == ["input"]
    with pytest.raises(DtypeError, match="PyTorch's go to check_torch_function"):
        check(module, [X])
    with pytest.raises(InputError, match="or what a check found"):
        assert_gradients(layer(torch), X)
    assert_gradients(finding)


def test_another_order_is_refused(torch):
    with pytest.raises(InputError, match="order must be 1 or 2, got 3"):
        check_torch_function(torch.tanh, torch.zeros(2), order=3)


def jax_layer(jax, change=lambda dp, dx: (dp, dx)):
    """tanh(x @ w + b) with its parameters in a dict, as a jax.custom_vjp function."""
    jnp = jax.numpy
    made = jax.custom_vjp(lambda parameters, x: jnp.tanh(x @ parameters["w"] + parameters["b"]))

    def forward(parameters, x):
        y = made(parameters, x)
        return y, (parameters, x, y)

    def backward(kept, dy):
        parameters, x, y = kept
        da = dy * (1 - y * y)
        return change({"w": x.T @ da, "b": da.sum(0)}, da @ parameters["w"].T)

    made.defvjp(forward, backward)
    return made


PARAMETERS = {"w": W, "b": np.array([0.3, -0.4])}


def test_a_right_custom_vjp_passes_with_its_parameters_by_name(jax):
    finding = check_jax(jax_layer(jax), [PARAMETERS, X])
    assert finding.ok and finding.dtype == "float64" and finding.error < 1e-10
    assert [t.name for t in finding.tensors] == ["parameters['b']", "parameters['w']", "x"]


@pytest.mark.parametrize(("change", "says"), [
    (lambda dp, dx: ({**dp, "b": 2 * dp["b"]}, dx), "the gradient of parameters['b'] is 2 times the right one"),
    (lambda dp, dx: (dp, -dx), "the gradient of x has the wrong sign"),
    (lambda dp, dx: (dp, None), "the gradient of x is zero"),
])
def test_planted_mistakes_of_a_custom_vjp_are_wrong_and_named(jax, change, says):
    finding = check_jax(jax_layer(jax, change), [PARAMETERS, X])
    assert finding.verdict is Verdict.WRONG and says in str(finding)


def test_without_x64_jax_is_checked_in_float32_and_it_is_said(jax):
    jax.config.update("jax_enable_x64", False)
    finding = check_jax(jax_layer(jax), [PARAMETERS, X])
    assert finding.ok and finding.dtype == "float32" and "jax_enable_x64" in str(finding)
    assert "jax_enable_x64" not in str(check_jax(jax.numpy.tanh, [X.astype(np.float32)]))


def test_integers_and_words_are_handed_through_jax(jax):
    f = lambda x, k, how: (x**k if how == "power" else None, k)
    finding = check_jax(f, [X, 3, "power"])
    assert finding.ok and [t.name for t in finding.tensors] == ["x"]


@pytest.mark.parametrize(("f", "args", "error", "says"), [
    (3, [X], DtypeError, "check_jax: f must be a function, got int"),
    (np.sin, X, DtypeError, "check_jax: args must be a list of the arguments of f, got ndarray"),
    (lambda x: x, [X.astype(np.float16)], DtypeError, "x must be of float32 or float64, got float16"),
    (lambda x: x @ x, [X], InputError, "<lambda> raised TypeError: dot_general"),
    (lambda x: x, [1], InputError, "args must be at least one array of float32 or float64, got none"),
])
def test_what_jax_is_given_wrongly_is_one_clear_line(jax, f, args, error, says):
    with pytest.raises(error, match=re.escape(says)):
        check_jax(f, args)


def test_a_forgotten_return_of_a_custom_vjp_is_one_line(jax):
    with pytest.raises(InputError, match=r"^<lambda> raised TypeError: Custom VJP bwd rule"):
        check_jax(jax_layer(jax, lambda dp, dx: None), [PARAMETERS, X])


def primitive_of(change=lambda dx: dx):
    """tanh(x @ w) as a primitive of HIPS/autograd."""
    extend = library("autograd.extend")

    @extend.primitive
    def product(x, w):
        return np.tanh(x @ w)

    extend.defvjp(product, lambda y, x, w: lambda dy: change((dy * (1 - y * y)) @ w.T),
                  lambda y, x, w: lambda dy: x.T @ (dy * (1 - y * y)))
    return product


def test_a_right_primitive_passes():
    finding = check_autograd(primitive_of(), [X, W])
    assert finding.ok and finding.error < 1e-10 and [t.name for t in finding.tensors] == ["x", "w"]


@pytest.mark.parametrize(("change", "says"), [
    (lambda dx: 3 * dx, "the gradient of x is 3 times the right one"), (lambda dx: 0 * dx, "the gradient of x is zero"),
])
def test_planted_mistakes_of_a_primitive_are_wrong_and_named(change, says):
    finding = check_autograd(primitive_of(change), [X, W])
    assert finding.verdict is Verdict.WRONG and says in str(finding)


def test_a_function_of_autograd_with_two_results_and_other_arguments_passes():
    anp = library("autograd.numpy")
    f = lambda x, how, k: (anp.sin(x) * k, anp.sum(x**2)) if how == "both" else None
    finding = check_autograd(f, [X, "both", 2])
    assert finding.ok and [t.name for t in finding.tensors] == ["x"]


def test_a_primitive_whose_gradient_is_wider_than_its_argument_passes_in_float32():
    wide = primitive_of(lambda dx: dx.astype(float))
    finding = check_autograd(wide, [X.astype("f"), W.astype("f")])
    assert finding.ok and finding.dtype == "float32"


def test_a_primitive_without_a_vjp_is_one_line():
    lonely = library("autograd.extend").primitive(lambda x: 2 * x)
    with pytest.raises(InputError, match=r"^<lambda> raised NotImplementedError: VJP of"):
        check_autograd(lonely, [X])


@pytest.mark.parametrize(("f", "args", "says"), [(3, [X], "f must be a function"), (np.sin, X, "args must be a list")])
def test_what_autograd_is_given_wrongly_is_one_clear_line(f, args, says):
    library("autograd")
    with pytest.raises(DtypeError, match=says):
        check_autograd(f, args)


def test_importing_the_checker_imports_none_of_them():
    code = f"import sys, minirnn.gradcheck; print([m for m in {tuple(ADAPTERS)} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"

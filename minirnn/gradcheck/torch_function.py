"""The backward of a torch.autograd.Function; PyTorch is imported when it is asked for."""

from dataclasses import replace

import numpy as np

from minirnn.errors import DtypeError, InputError, must_be
from minirnn.gradcheck.adapters import checked, in_one_line, library, name_of
from minirnn.gradcheck.measurement import argument_names, differ, tupled

WHERE = "check_torch_function"


def check_torch_function(function, *args, order=1, **options):
    """Check the backward of a torch.autograd.Function, or of any function of PyTorch's tensors, at ``args``.

        import torch
        from minirnn.gradcheck import check_torch_function

        class Cube(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x**3

            @staticmethod
            def backward(ctx, dy):
                (x,) = ctx.saved_tensors
                return 3 * x**2 * dy

        finding = check_torch_function(Cube, torch.randn(3, 5, dtype=torch.float64))
        print(finding)

    Tensors that require a gradient are differentiated, or, where none does, all of float32 and float64; all else is
    handed through. ``order=2`` checks the gradient of the gradient. In the first order a second backward through the
    same graph must give the same: one that writes into saved tensors is NON-DETERMINISTIC. Options as for
    ``check_vjp``. -> Finding. Raises InputError without PyTorch, for a result without a gradient, and in one line for
    whatever the function and PyTorch raise; DtypeError for other types.
    """
    torch = library(WHERE, "torch", "PyTorch")
    if order not in (1, 2):
        raise InputError(must_be(WHERE, "order", "1 or 2", repr(order)))
    own = isinstance(function, type) and issubclass(function, torch.autograd.Function)
    if not own and (isinstance(function, type) or not callable(function)):
        kind = "a torch.autograd.Function or a function of tensors"
        raise DtypeError(must_be(WHERE, "function", kind, name_of(function)))
    name, names = name_of(function), _names(torch, function, own, len(args))
    call, moved = function.apply if own else function, _moved(torch, args, names)
    arrays, device = [args[k].detach().cpu().numpy() for k in moved], args[moved[0]].device
    names, results = [names[k] for k in moved], _results(torch, call, args, moved)
    ys = in_one_line(name, results)(*_leaves(torch, arrays, device))
    kept = _kept(name, ys)

    def first(*leaves):
        ys = results(*leaves)
        return [ys[k] for k in kept]

    def second(*given):
        leaves, us = given[: len(arrays)], given[len(arrays) :]
        got = torch.autograd.grad(first(*leaves), leaves, us, create_graph=True, allow_unused=True)
        return [g for g in got if g is not None]

    rng = np.random.default_rng(options.get("rng", 0))
    us = [rng.standard_normal(tuple(ys[k].shape)).astype(arrays[0].dtype) for k in kept]
    if order == 2:
        graph = _Graph(torch, second, device, materialize_grads=True)
        names += [f"cotangent{k}" for k in range(len(us))]
        return checked(f"{name}, second order", graph.values, graph.vjp, [*arrays, *us], names, options)
    graph = _Graph(torch, first, device)
    finding = checked(name, graph.values, graph.vjp, arrays, names, options)
    rewrites = "" if finding.nondeterministic else in_one_line(name, graph.rewrites)(us, arrays, names)
    return replace(finding, nondeterministic=rewrites) if rewrites else finding


def _moved(torch, args, names):
    """The numbers of the arguments to be differentiated."""
    floats = [k for k, a in enumerate(args) if isinstance(a, torch.Tensor) and a.is_floating_point()]
    moved = [k for k in floats if args[k].requires_grad] or floats
    for k in moved:
        if args[k].dtype not in (torch.float32, torch.float64):
            raise DtypeError(must_be(WHERE, names[k], "of float32 or float64", args[k].dtype))
    if not moved:
        got = ", ".join(type(a).__name__ for a in args) or "none"
        raise InputError(must_be(WHERE, "args", "at least one tensor of float32 or float64", got))
    return moved


def _names(torch, function, own, count):
    """The names of the arguments: those of forward, without its ctx."""
    forward = getattr(function, "forward", function)
    ctx = own and function.setup_context is torch.autograd.Function.setup_context
    return argument_names(forward, count + ctx)[ctx:]


def _results(torch, call, args, moved):
    """The function of the moved tensors alone, which returns a list of the tensors that ``call`` returns."""

    def results(*leaves):
        given = [a.detach().clone() if isinstance(a, torch.Tensor) else a for a in args]
        for k, leaf in zip(moved, leaves):
            given[k] = leaf.clone()  # no leaf of the graph, so that it may be written to, as with ctx.mark_dirty
        return [y for y in tupled(call(*given)) if isinstance(y, torch.Tensor)]

    return results


def _kept(name, ys):
    """The numbers of the results that have a gradient."""
    if any(y.is_complex() for y in ys):
        raise DtypeError(must_be(name, "its result", "real", "complex numbers"))
    kept = [k for k, y in enumerate(ys) if y.requires_grad]
    if not kept:
        raise InputError(must_be(name, "its result", "a tensor that has a gradient", "none"))
    return kept


def _leaves(torch, arrays, device):
    return [torch.tensor(a, device=device, requires_grad=True) for a in arrays]


class _Graph:
    """A function of PyTorch's tensors, which returns a list of them, as a pair of functions on arrays."""

    def __init__(self, torch, function, device, **options):
        self.torch, self.function, self.device = torch, function, device
        self.options = {"allow_unused": True, **options}

    def at(self, arrays):
        """(leaves, results) on a graph of their own."""
        leaves = _leaves(self.torch, arrays, self.device)
        return leaves, self.function(*leaves)

    def values(self, *arrays):
        return tuple(y.detach().cpu().numpy() for y in self.at(arrays)[1])

    def vjp(self, dys, *arrays):
        return self.backwards(dys, arrays)()

    def backwards(self, dys, arrays):
        """A function that goes back through one graph whenever it is called: None for what gets no gradient."""
        leaves, ys = self.at(arrays)
        given = [self.torch.tensor(dy, dtype=y.dtype, device=y.device) for y, dy in zip(ys, dys)]
        pairs = [(y, dy) for y, dy in zip(ys, given) if y.requires_grad]
        if not pairs:  # a gradient that PyTorch does not differentiate again
            return lambda: tuple(np.zeros_like(a) for a in arrays)
        ys, dys = zip(*pairs)

        def back():
            got = self.torch.autograd.grad(ys, leaves, dys, retain_graph=True, **self.options)
            return tuple(None if g is None else g.detach().cpu().numpy().copy() for g in got)

        return back

    def rewrites(self, dys, arrays, names):
        """What a second backward through the same graph gives other than the first, in words; '' for the same."""
        back = self.backwards(dys, arrays)
        first = back()
        try:
            second = back()
        except RuntimeError as error:
            if "modified by an inplace operation" not in str(error):
                raise
            return "the backward writes into a tensor that was saved for it, which is wrong for who goes back again"
        for name, one, other in zip(names, first, second):
            if one is not None and differ(one, other, 1000 * np.finfo(one.dtype).eps):
                return f"two backwards through one graph gave different gradients of {name}: does it write into what " \
                       "it was given or had saved?"
        return ""

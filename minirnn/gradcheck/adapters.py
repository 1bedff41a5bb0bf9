"""Gradients derived in other libraries, JAX and HIPS/autograd, each imported only when asked for."""

import importlib
from dataclasses import replace

import numpy as np

from minirnn.array import FLOATS
from minirnn.errors import DtypeError, InputError, must_be
from minirnn.gradcheck import signatures
from minirnn.gradcheck.check import check_vjp
from minirnn.gradcheck.measurement import argument_names, tupled

X64 = "JAX computed in float32: after jax.config.update('jax_enable_x64', True) the check is sharper"


def check_jax(f, args, **options):
    """Check the gradients JAX gives of ``f`` at ``args``, such as those of a jax.custom_vjp function.

        import jax
        import jax.numpy as jnp
        from minirnn.gradcheck import check_jax

        @jax.custom_vjp
        def cube(x):
            return x**3

        cube.defvjp(lambda x: (x**3, x), lambda x, dy: (3 * x**2 * dy,))
        finding = check_jax(cube, [jnp.array([0.5, -1.2, 2.0])])
        print(finding)

    args may be nested, as parameters in a dict are: their arrays of float32 and float64 are differentiated, the rest is
    handed through. JAX computes in float32 unless jax_enable_x64 is set. Options as for ``check_vjp``. -> Finding.
    Raises InputError without JAX, and in one line for whatever f and JAX raise; DtypeError for other types.
    """
    jax = library("check_jax", "jax", "JAX")
    args = _arguments("check_jax", f, args)
    jnp, tree = jax.numpy, jax.tree_util
    known, structure = tree.tree_flatten_with_path(tuple(args))
    leaves, tops = [leaf for _, leaf in known], argument_names(f, len(args))
    names = [tops[path[0].idx] + tree.keystr(path[1:]) for path, _ in known]
    is_float = lambda leaf: jnp.issubdtype(getattr(leaf, "dtype", type(leaf)), jnp.floating)
    moved = [k for k, leaf in enumerate(leaves) if is_float(leaf)]
    arrays = [np.asarray(jnp.asarray(leaves[k])) for k in moved]
    for k, a in zip(moved, arrays):
        if a.dtype not in FLOATS:
            raise DtypeError(must_be("check_jax", names[k], "of float32 or float64", a.dtype))

    def results(*floats):
        given = list(leaves)
        for k, a in zip(moved, floats):
            given[k] = a
        ys = map(jnp.asarray, tree.tree_leaves(f(*tree.tree_unflatten(structure, given))))
        return tuple(y for y in ys if jnp.issubdtype(y.dtype, jnp.inexact))

    def values(*floats):
        return tuple(np.asarray(y) for y in results(*map(jnp.asarray, floats)))

    def vjp(dys, *floats):
        ys, back = jax.vjp(results, *map(jnp.asarray, floats))
        return tuple(np.asarray(g) for g in back(tuple(jnp.asarray(dy, y.dtype) for y, dy in zip(ys, dys))))

    finding = checked(name_of(f), values, vjp, arrays, [names[k] for k in moved], options)
    narrowed = any(getattr(leaves[k], "dtype", None) == np.float64 != a.dtype for k, a in zip(moved, arrays))
    return replace(finding, notes=(*finding.notes, X64)) if narrowed else finding


def check_autograd(f, args, **options):
    """Check the gradients HIPS/autograd gives of ``f`` at ``args``, such as those of a primitive with defvjp.

        import autograd.numpy as np
        from autograd.extend import defvjp, primitive
        from minirnn.gradcheck import check_autograd

        @primitive
        def cube(x):
            return x**3

        defvjp(cube, lambda y, x: lambda dy: 3 * x**2 * dy)
        finding = check_autograd(cube, [np.array([0.5, -1.2, 2.0])])
        print(finding)

    Arrays of float32 and float64 are differentiated, other arguments handed through. f returns an array or a tuple of
    arrays. Options as for ``check_vjp``. -> Finding.
    Raises InputError without autograd, and in one line for whatever f and autograd raise; DtypeError for other types.
    """
    autograd = library("check_autograd", "autograd", "HIPS/autograd")
    args = _arguments("check_autograd", f, args)
    joined = importlib.import_module("autograd.builtins").tuple
    names = argument_names(getattr(f, "fun", f), len(args))
    is_float = lambda a: isinstance(a, (float, np.ndarray, np.generic)) and np.asarray(a).dtype.kind == "f"
    moved = [k for k, a in enumerate(args) if is_float(a)]

    def results(floats):
        given = list(args)
        for place, k in enumerate(moved):
            given[k] = floats[place]
        return joined(tupled(f(*given)))

    def vjp(dys, *floats):
        back, ys = autograd.make_vjp(results)(floats)
        return tuple(back(tuple(dys)))

    arrays, names = [np.asarray(args[k]) for k in moved], [names[k] for k in moved]
    return checked(name_of(f), lambda *floats: tuple(results(floats)), vjp, arrays, names, options)


def checked(name, values, vjp, arrays, names, options):
    """The Finding on a pair of functions of arrays alone, whose exceptions become one line."""
    options = {"name": name, "names": names, "complex_step": False, **options}
    return signatures.described(check_vjp(in_one_line(name, values), in_one_line(name, vjp), arrays, **options))


def library(where, module, name):
    """The module, or one clear error that says what to install."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InputError(f"{where}: needs {name}, which is not installed: pip install {module}") from None


def _arguments(where, f, args):
    if not callable(f):
        raise DtypeError(must_be(where, "f", "a function", type(f).__name__))
    if not isinstance(args, (list, tuple)):
        raise DtypeError(must_be(where, "args", "a list of the arguments of f", type(args).__name__))
    return args


def name_of(function):
    """Its own name, or that of its class."""
    return getattr(function, "__name__", type(function).__name__)


def in_one_line(name, function):
    """The function, whatever it raises an InputError: it is the user's, or the library's word on the user's."""

    def call(*args):
        try:
            return function(*args)
        except (InputError, DtypeError):
            raise
        except Exception as error:
            said = (str(error).splitlines() or [""])[0]
            raise InputError(f"{name} raised {type(error).__name__}: {said}") from error

    call.__name__ = name
    return call

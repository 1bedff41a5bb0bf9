"""A user's class with forward and backward: state in self, gradients in attributes, one object for each call."""

import copy
import re
import types

import numpy as np

from minirnn.errors import InputError, must_be
from minirnn.gradcheck.measurement import differ
from minirnn.gradcheck.user.arguments import constructor_arguments, required
from minirnn.gradcheck.user.code import Code, Trace
from minirnn.gradcheck.user.names import gradient_keys, key, same, written

DEEPEST, MOST = 4, 2000
LEAVES = (str, bytes, np.generic, np.random.Generator, type, types.FunctionType, types.MethodType, types.ModuleType)
ZERO = ("zero_grad", "zero_grads", "zero_gradients", "zerograd", "clear_grads", "cleargrads", "reset_grad",
        "reset_grads", "reset_gradients")
SIZES = {"D": re.compile(r"(?i)d|n_?in|n_?x|input_?(size|dim|dims|shape)?|in_?(features|dim|size|channels)?|x_?dim|"
                         r"num_?inputs?|n_?inputs?|emb\w*|vocab\w*|features"),
         "H": re.compile(r"(?i)h|n_?out|n_?[ah]|hidden_?(size|dim|dims|units)?|n_?hidden|num_?hidden|units|"
                         r"out_?(features|dim|size)?|output_?(size|dim)|n_?outputs?|\w*cell_?(ct|size|dim)")}


def arrays_of(thing):
    """{path: array} of the float arrays in an object, its attributes, dicts and lists and its own objects' in turn."""
    found, seen = {}, set()

    def visit(value, path):
        if isinstance(value, np.ndarray):
            if value.dtype.kind == "f" and value.size:
                found[path] = value
        elif not isinstance(value, LEAVES) and len(path) < DEEPEST and id(value) not in seen and len(found) < MOST:
            seen.add(id(value))
            for name, part in _parts(value):
                visit(part, (*path, name))

    visit(thing, ())
    return found


def _parts(value):
    if isinstance(value, dict):
        return [(k, v) for k, v in value.items() if isinstance(k, (str, int))]
    if isinstance(value, (list, tuple)):
        return list(enumerate(value))
    return list(getattr(value, "__dict__", {}).items())


def put(thing, path, array):
    """Store an array where a path leads; into the array itself where its holder is a tuple."""
    *way, last = path
    for part in way:
        thing = thing[part] if isinstance(thing, (dict, list, tuple)) else getattr(thing, part)
    if isinstance(thing, tuple):
        thing[last][...] = array
    elif isinstance(thing, (dict, list)):
        thing[last] = array
    else:
        setattr(thing, last, array)


class Maker:
    """How an object of the user's class is made: ``make({"D": 5, "H": 2})`` -> object."""

    def __init__(self, name, thing, construct, text, dtype, seed):
        self.name, self.thing, self.construct, self.text = name, thing, construct, text
        self.dtype, self.seed = dtype, seed
        self.sized = isinstance(thing, type) and text is None and bool(required(thing)) or (
            text is not None and bool(re.search(r"\b[DH]\b", text)))

    def make(self, sizes):
        """An object for these sizes, as --init says or the constructor's parameters ask for; a given object as it is.

        Its weights are the same each time: NumPy's global generator is seeded.
        """
        if not isinstance(self.thing, type):
            if self.text is not None:
                raise InputError(must_be("gradcheck", "--init", "given with a class", f"{self.name}, an object"))
            return self.thing
        if self.text is not None:
            args, options = constructor_arguments(self.text, self.dtype, self.seed, sizes)
        else:
            args, options = self._found(sizes), {}
        before = np.random.get_state()
        np.random.seed(self.seed)
        try:
            return self.construct(*args, **options)
        finally:
            np.random.set_state(before)

    def _found(self, sizes):
        found = []
        for name in required(self.thing):
            size = next((sizes[k] for k, names in SIZES.items() if names.fullmatch(name) and k in sizes), None)
            if size is None:
                cause = "for example --init '5, 2', or --init '(4, 3), (4,)' for arrays of these shapes"
                what = f"{', '.join(required(self.thing))} of {self.name}"
                raise InputError(must_be("gradcheck", f"the constructor's {what}", "given with --init", "none", cause))
            found.append(size)
        return found


class Methods(Code):
    """An object's forward and backward. Its weights, the float arrays that forward reads, are arguments too."""

    partly = True

    def __init__(self, name, made, methods, arguments, saved, wrap, arrays, constants=()):
        """``methods``: names of forward and backward; ``wrap(function, name)`` guards one; ``arrays``: of arguments.

        Of ``constants`` no gradient is looked for in attributes.
        """
        super().__init__(name, arguments, saved)
        self.made, self.methods, self.wrap, self.arguments = made, methods, wrap, list(arguments)
        self.forward_function, self.backward_function = (getattr(made, method) for method in methods)
        self.places, self.where, self.constants = {}, None, constants
        self._find_weights(arrays)
        self.names = [*self.arguments, *self.places]
        self.weights = {name: arrays_of(self.made)[paths[0]] for name, paths in self.places.items()}

    def fresh(self):
        """A copy of the object, its gradients zeroed where it can do that; itself where it cannot be copied."""
        try:
            new = copy.deepcopy(self.made)
        except Exception:  # whatever refuses to be copied: locks, generators, files
            new = self.made
        for zero in ZERO:
            if callable(getattr(new, zero, None)):
                self.wrap(getattr(new, zero), zero)()
                break
        return new

    def trace(self, arrays):
        new = self.fresh()
        given, weights = arrays[: len(self.arguments)], arrays[len(self.arguments) :]
        for paths, array in zip(self.places.values(), weights):
            for path in paths:
                put(new, path, array)
        ys, saved = self.split(self._call(new, 0)(*given))
        return Trace(ys, saved, self._call(new, 1), lambda: self._gradients(new))

    def _call(self, new, k):
        return self.wrap(getattr(new, self.methods[k]), self.methods[k])

    def _find_weights(self, arrays):
        """Arrays that change what forward gives when they change, before or else after a first forward made them."""
        self._changed(arrays)
        if not self.places or not self._same_twice(arrays):
            self.made, self.places = self.fresh(), {}
            self._call(self.made, 0)(*[a.copy() for a in arrays])
            self._changed(arrays)
        for _ in range(DEEPEST):  # a state of zeros hides the weights it is multiplied by
            if not self._filled():
                break
            self.places = {}
            self._changed(arrays)

    def _filled(self):
        """Give random numbers to weights that are all zeros or of one number; whether there were any."""
        known, rng, new = arrays_of(self.made), np.random.default_rng(0), self.fresh()
        constant = [paths for paths in self.places.values() if known[paths[0]].size > 1 and not np.ptp(known[paths[0]])]
        for paths in constant:
            array = known[paths[0]]
            moved = array + rng.uniform(0.1, 0.5, array.shape) * rng.choice([-1, 1], array.shape)
            for path in paths:
                put(new, path, moved.astype(array.dtype))
        self.made = new
        return bool(constant)

    def _same_twice(self, arrays):
        one, two = (self._results(arrays) for _ in range(2))
        return not any(differ(a, b, 1e-6) for a, b in zip(one, two))

    def _results(self, arrays, paths=(), array=None, own=None):
        """What forward gives, with another array at some paths in place of its ``own``."""
        new = self.fresh()
        try:
            for path in paths:
                put(new, path, array)
            return [np.asarray(y) for y in self.split(self._call(new, 0)(*[a.copy() for a in arrays]))[0]]
        finally:
            for path in paths:  # where the object could not be copied
                put(new, path, own)

    def _changed(self, arrays):
        groups = {}
        for path, array in arrays_of(self.made).items():
            groups.setdefault(id(array), []).append(path)
        known, rng = arrays_of(self.made), np.random.default_rng(0)
        before = self._results(arrays)
        for paths in groups.values():
            array = known[paths[0]]
            moved = array + (0.5 * rng.standard_normal(array.shape)).astype(array.dtype)
            try:
                after = self._results(arrays, paths, moved, array)
            except InputError:  # code that refuses other numbers has read them
                after = []
            if len(after) != len(before) or any(differ(a, b, 1e-12) for a, b in zip(before, after)):
                self.places[self._named(paths)] = paths

    def _named(self, paths):
        """The shortest name of an array that no other has, by its attribute: W for self.params["W"]."""
        short = min((key(path) for path in paths), key=lambda k: (isinstance(k[0], int), len(k)))
        name = written(short) if isinstance(short[0], str) else written(paths[0])
        return name if name not in self.places and name not in self.arguments else f"self.{written(paths[0])}"

    def _gradients(self, new):
        """{name: gradient} in the attributes of an object whose backward ran; where they are is found once and noted.
        """
        there = arrays_of(new)
        if self.where is None:
            self.where = {name: self._home(name, there) for name in self.names if name not in self.constants}
        if any(self.where.values()):
            self.note("gradients are read from attributes: " + ", ".join(
                f"{name} from self.{written(path)}" for name, path in self.where.items() if path))
        return {name: there[path].copy() for name, path in self.where.items() if path in there}

    def _home(self, name, there):
        """The path of a weight's or an argument's gradient, by its name, before others one of its shape; or None."""
        paths = self.places.get(name, [(name,)])
        taken = {path for every in self.places.values() for path in every}
        wanted = [key(path) for path in paths]
        shape = self.weights[name].shape if name in self.places else None
        named = [path for path in there if path not in taken and any(
            same(k, want) for k in gradient_keys(path) for want in wanted)]
        exact = [path for path in named if any(k in wanted for k in gradient_keys(path))] or named
        return min(exact, key=lambda path: (there[path].shape != shape, len(path)), default=None)

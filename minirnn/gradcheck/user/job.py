"""A target of the command line, loaded: what it names, and the code to check for arguments of any size."""

import itertools
import sys

import numpy as np

from minirnn.errors import InputError, must_be
from minirnn.gradcheck.user import arguments
from minirnn.gradcheck.user.code import Functions
from minirnn.gradcheck.user.layout import BATCHED, SINGLE, arranged
from minirnn.gradcheck.user.names import CACHE
from minirnn.gradcheck.user.objects import Maker, Methods, arrays_of
from minirnn.gradcheck.user.pairs import methods_of, partner
from minirnn.gradcheck.user.roles import C as CELL_STATE
from minirnn.gradcheck.user.roles import H as HIDDEN_STATE
from minirnn.gradcheck.user.running import guarded
from minirnn.gradcheck.user.source import load, split_target

INPUTS, UNITS = 5, 2  # of a cell


class Job:
    """What is checked: two functions, or ``owner``, a class or an object, and its two ``methods``."""

    def __init__(self, target, dtype, seed, saved, init, constants, watch):
        self.dtype, self.seed, self.saved, self.constants, self.watch = dtype, seed, saved, constants, watch
        self.shown, self.made, self.known, self.owner = {}, {}, None, None
        self.house = []  # the names of what forward(*args) of a cell is given
        file, called = split_target(target)
        called = called or ["forward", "backward"]
        self.source = load(file, [name.partition(".")[0] for name in called], watch)
        self.path = self.source.path
        self._sort(called)
        self.name = f"{self.path.name}:{','.join(called)}"
        if self.owner is None and init is not None:
            raise InputError(must_be("gradcheck", "--init", "given with a class", f"the functions {self.name}"))
        if self.owner is not None:
            self.maker = Maker(self.name, self.owner, self.guard(self.owner, called[0]), init, dtype, seed)

    def _sort(self, called):
        things = [self._find(name, called) for name in called]
        inputs = things[2] if len(called) > 2 else getattr(self.source.module, "inputs", None)
        self.inputs = inputs if callable(inputs) else None
        owner, _, method = called[0].partition(".")
        if method:
            self.owner = getattr(self.source.module, owner)
            other, _, backward = called[-1].partition(".")
            self.methods = (method, backward) if len(called) > 1 else methods_of(self.owner)
            if len(called) > 1 and (other != owner or not backward):
                expected = f"{called[0]} and another method of {owner}"
                raise InputError(must_be("gradcheck", "target", expected, called[-1]))
        elif len(called) == 1 and self._is_object(things[0]):
            self.owner, kind = things[0], things[0] if isinstance(things[0], type) else type(things[0])
            self.methods = methods_of(kind)
            if self.methods is None:
                has = ", ".join(n for n in vars(kind) if not n.startswith("_")) or "none"
                what = "a class with methods forward and backward, or named like them"
                raise InputError(must_be("gradcheck", repr(called[0]), what, f"{kind.__name__}, which has {has}"))
        else:
            if len(called) == 1:
                called.append(partner(called[0], self.source.own))
                if called[1] is None:
                    cause = f"no function of {self.path.name} is named like its backward"
                    forms = "file.py:forward,backward or file.py:Class"
                    raise InputError(must_be("gradcheck", "target", forms, f"{called[0]} alone", cause))
                things.append(self._find(called[1], called))
            self.functions = [self.guard(f, n) for f, n in zip(things[:2], called)]

    def _is_object(self, thing):
        return isinstance(thing, type) or not hasattr(thing, "__name__") and methods_of(type(thing)) is not None

    def _find(self, name, called):
        """What a name of the target is, "Class.forward" too."""
        thing = self.source.module
        for part in name.split("."):
            thing = getattr(thing, part, None)
        if not (callable(thing) or len(called) == 1 and self._is_object(thing)):
            expected = f"a function of {self.path}, which defines {', '.join(self.source.own) or 'none'}"
            raise InputError(must_be("gradcheck", repr(name), expected, "no such function"))
        return thing

    def keeps(self):
        """Whether backward looks as if it took what forward saved."""
        return self.owner is None and any(CACHE.fullmatch(p) for p in arguments.required(self.functions[1]))

    def may_take_a_pair(self, cell):
        """Whether forward is a function with one argument for two states; it is then given (h, c) from here on."""
        names = [] if self.owner is not None else self._cell_arguments(self.functions[0])
        held = [n for n in names if HIDDEN_STATE.fullmatch(n)]
        if len(cell.states) < 2 or len(held) != 1 or any(CELL_STATE.fullmatch(n) for n in names):
            return False
        self.functions, self.made = [arguments.paired(f, held[0]) for f in self.functions], {}
        return True

    def guard(self, function, name):
        """A function of the user's, whose prints are shown the first time that this name is called."""
        return guarded(self.path, function, name, self.watch, self.shown.setdefault(name, iter([sys.stderr])))

    def code_at(self, shapes):
        """(the code, its arguments) for random arrays of ``shapes``, or for what inputs() returns."""
        names, args = None, None
        if shapes:
            args = arguments.random_arrays(shapes, self.dtype, self.seed)
        elif self.inputs is not None:
            names, args = arguments.from_inputs(self.guard(self.inputs, "inputs"), self.dtype)
        else:
            cause = "give --shapes 3,5 5,2, or --cell lstm, or a function inputs() in the file"
            raise InputError(must_be("gradcheck", "the arguments of forward", "known", "no shapes", cause))
        if self.owner is None:
            function = self.functions[0]
        else:
            wide = args[0].shape[-1] if args and args[0].ndim else 1
            made = self.maker.make({"D": wide, "H": UNITS})
            function = getattr(made, self.methods[0])
        own = arguments.names_of(function, len(args))
        if names is not None and set(names) <= set(own):  # a dict in another order than the parameters
            args = [args[names.index(name)] for name in own]
        names = own if names is None or set(names) <= set(own) else names
        if self.owner is None:
            code = Functions(self.name, *self.functions, names, self.saved)
        else:
            code = self._methods(made, names, args)
            args = [*args, *(w.astype(self.dtype) for w in code.weights.values())]
        return code.probe(args), args

    def _methods(self, made, names, args):
        return Methods(self.name, made, self.methods, names, self.saved, self.guard, args, self.constants)

    def sizes(self, cell):
        """The (inputs, units) a recurrent cell may have: ours to choose, or what the arrays of an object allow."""
        if self.owner is None or self.maker.sized:
            return [(INPUTS, UNITS)]
        made = self.maker.make({})
        return list(itertools.product(_widths(made), _units(made, cell)))

    def cell_code(self, sizes):
        """The code of a recurrent cell for sizes {"D": 5, "H": 2}; of an object of one size, as it is."""
        if self.owner is None:
            return self.made.setdefault("functions", Functions(
                self.name, *self.functions, self._cell_arguments(self.functions[0]), self.saved))
        size = tuple(sizes.values()) if self.maker.sized else None
        if size not in self.made:
            self.made[size] = self._cell_object(sizes)
            if self.known is not None:
                new, old = self.made[size], self.known
                new.takes, new.asked, new.several, new.where = old.takes, old.asked, old.several, old.where
        return self.made[size]

    def _cell_object(self, sizes):
        """An object's code: with x in the first axes that its forward takes, which shows what it reads."""
        made, rng, error = self.maker.make(sizes), np.random.default_rng(self.seed), None
        names = self._cell_arguments(getattr(made, self.methods[0]))
        widths = [sizes["D"]] if self.maker.sized else _widths(made)
        units = [sizes["H"]] if self.maker.sized or len(names) == 1 else _units(made)
        draw = lambda *shape: rng.standard_normal(shape).astype(self.dtype)
        for D, H, axes in itertools.product(widths, units, (*BATCHED, *SINGLE)):
            T, B = 4 if "T" in axes else 1, 3 if "B" in axes else 1
            x = arranged(draw(T, B, D), "TBD", axes)
            states = [arranged(draw(B, H), "BH", axes.replace("T", "").replace("D", "H")) for _ in names[1:]]
            try:
                code = self._methods(made, names, [x, *states])
            except InputError as raised:
                error = error or raised
                continue
            if code.weights:
                return code
        raise error or InputError(must_be(self.name, "forward", "one that reads float arrays of the object", "none"))

    def _cell_arguments(self, function):
        """The names of a cell's arguments: those without a default and the states; the house's for forward(*args)."""
        plain, rest = arguments.parameters(function)
        wants = arguments.required(function)
        names = [n for n in plain if n in wants or HIDDEN_STATE.fullmatch(n) or CELL_STATE.fullmatch(n)]
        return names if names and not rest else list(self.house)


def _widths(made):
    """The sizes that x may have, from the shapes of an object's arrays."""
    sizes = sorted({n for a in arrays_of(made).values() if a.ndim == 2 for n in a.shape})
    return list(dict.fromkeys([*sizes, *(a - b for a in sizes for b in sizes if a > b)]))


def _units(made, cell=None):
    """The numbers of units that a cell may have, from the shapes of an object's arrays."""
    sizes = {n for a in arrays_of(made).values() for n in a.shape}
    return sorted({n // k for n in sizes for k in ((1, len(cell.gates)) if cell else (1,)) if n % k == 0})

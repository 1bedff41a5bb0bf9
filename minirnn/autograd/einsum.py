"""Sums of products in index notation."""

from functools import lru_cache
from string import ascii_letters

from minirnn.array import check_device, xp_of
from minirnn.autograd.arithmetic import expand
from minirnn.autograd.index import getitem
from minirnn.autograd.shape import reshape, transpose
from minirnn.autograd.tape import alike, lift, record
from minirnn.errors import DtypeError, InputError, must_be


def einsum(subscripts, *operands):
    """Sum of products in index notation: "tbd,hd->tbh"; "ii->" is a trace, and "...ij,...jk->...ik" matmul.

    An ellipsis stands for axes that broadcast, and is added up where the output has none. Raises InputError for what
    are no letters, an index that the output repeats or that is unknown, and lengths that differ.
    """
    if not isinstance(subscripts, str):
        raise DtypeError(must_be("einsum", "subscripts", "text", type(subscripts).__name__))
    operands = alike("einsum", tuple(lift(x) for x in operands))
    ins, out, repeated = _parsed(subscripts, tuple(x.value.ndim for x in operands))
    for number, x in enumerate(operands[1:], 1):
        check_device("einsum", f"operand {number}", x.value, operands[0].value, "operand 0")
    length, mixed = {}, False
    for i, x in zip(ins, operands):
        for c, n in zip(i, x.value.shape):
            mixed = length.setdefault(c, n) != n or mixed
    if mixed:
        length = _broadcast(ins, operands)
    if mixed or repeated:
        fitted = [_once(i, x, length) for i, x in zip(ins, operands)]
        ins, operands = tuple(i for i, _ in fitted), tuple(x for _, x in fitted)
    return _product(ins, out, operands, length)


def _wrong(subscripts, count):
    what = "one group of letters for each operand and an output made of them, each once"
    return InputError(must_be("einsum", "subscripts", what, f"{subscripts!r} for {count} operands"))


@lru_cache(256)
def _parsed(subscripts, ndims):
    """Letters of every operand and of the output, those of an ellipsis included, and whether one is repeated within an
    operand: "...i->..." of 2 axes -> ("ai",), "a", False.

    Raises InputError where their number does not fit.
    """
    given, arrow, out = subscripts.replace(" ", "").partition("->")
    ins = given.split(",")
    named = "".join(ins).replace("...", "")
    single = all(text.count("...") <= 1 for text in [*ins, out])
    if len(ins) != len(ndims) or not single or not set(named + out.replace("...", "")) <= set(ascii_letters):
        raise _wrong(subscripts, len(ndims))
    extra = [n - len(i.replace("...", "")) for i, n in zip(ins, ndims)]
    for number, (i, n, more) in enumerate(zip(ins, ndims, extra)):
        if more < 0 or more > 0 and "..." not in i:
            raise InputError(must_be("einsum", f"operand {number}", f"of as many axes as {i!r} names", f"{n} axes"))
    free = "".join(c for c in ascii_letters if c not in named + out)
    shared = free[: max((n for n, i in zip(extra, ins) if "..." in i), default=0)]
    if not arrow:
        out = "..." + "".join(sorted(c for c in set(named) if named.count(c) == 1))
    ins = tuple(i.replace("...", shared[len(shared) - n :]) for i, n in zip(ins, extra))
    out = out.replace("...", shared)
    if len(set(out)) != len(out) or not set(out) <= set("".join(ins)):
        raise _wrong(subscripts, len(ndims))
    return ins, out, any(len(set(i)) != len(i) for i in ins)


def _broadcast(ins, operands):
    """{letter: length} where a length of 1 gives way to others; InputError for two others."""
    length = {}
    for i, x in zip(ins, operands):
        for c, n in zip(i, x.shape):
            if n != length.setdefault(c, n) and 1 not in (n, length[c]):
                raise InputError(must_be("einsum", f"index {c!r}", "of one length", f"{length[c]} and {n}"))
            length[c] = n if length[c] == 1 else length[c]
    return length


def _once(letters, x, length):
    """Each index once and of its length: a repeated one is a diagonal, a length of 1 that others exceed is left out."""
    short = [k for k, (c, n) in enumerate(zip(letters, x.shape)) if n != length[c]]
    if short:
        letters, shape = (tuple(s for k, s in enumerate(what) if k not in short) for what in (letters, x.shape))
        letters, x = "".join(letters), reshape(x, shape)
    for c in [c for c in dict.fromkeys(letters) if letters.count(c) > 1]:
        places = [k for k, d in enumerate(letters) if d == c]
        rest = [k for k in range(x.ndim) if k not in places]
        every = xp_of(x.value).arange(length[c])
        x = getitem(transpose(x, rest + places), (Ellipsis, *(every,) * len(places)))
        letters = "".join(letters[k] for k in rest) + c
    return letters, x


def _product(ins, out, operands, length):
    """einsum where every operand has its indices once and all lengths agree."""

    def vjp(dy):
        gradients = []
        for k, x in enumerate(operands):
            others = [(i, y) for j, (i, y) in enumerate(zip(ins, operands)) if j != k] + [(out, dy)]
            known = set("".join(i for i, _ in others))
            found = "".join(c for c in ins[k] if c in known)  # an index of x alone was summed over
            dx = _product([i for i, _ in others], found, tuple(y for _, y in others), length)
            dx = reshape(dx, tuple(length[c] if c in known else 1 for c in ins[k]))
            gradients.append(expand(dx, x.shape))
        return gradients

    value = xp_of(operands[0].value).einsum(
        ",".join(ins) + "->" + out, *(x.value for x in operands), optimize=len(ins) > 2
    )
    return record("einsum", value, operands, vjp)

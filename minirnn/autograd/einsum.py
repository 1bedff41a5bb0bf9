"""Sums of products in index notation."""

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
    ins, out = _parsed(subscripts, operands)
    for number, x in enumerate(operands):
        check_device("einsum", f"operand {number}", x.value, operands[0].value, "operand 0")
    ins, operands, length = _fitted(ins, operands)
    if not set(out) <= length.keys():
        raise InputError(_wrong(subscripts, len(operands)))
    return _product(ins, out, operands, length)


def _wrong(subscripts, count):
    what = "one group of letters for each operand and an output made of them, each once"
    return must_be("einsum", "subscripts", what, f"{subscripts!r} for {count} operands")


def _parsed(subscripts, operands):
    """Letters of every operand and of the output, those of an ellipsis included: "...i->..." of (2, 3) -> ["ai"], "a".

    Raises InputError where their number does not fit.
    """
    given, arrow, out = subscripts.replace(" ", "").partition("->")
    ins = given.split(",")
    letters = subscripts.replace("...", "").replace("->", "").replace(",", "").replace(" ", "")
    single = all(text.count("...") <= 1 for text in [*ins, out])
    if len(ins) != len(operands) or not single or not set(letters) <= set(ascii_letters):
        raise InputError(_wrong(subscripts, len(operands)))
    extra = [x.ndim - len(i.replace("...", "")) for i, x in zip(ins, operands)]
    for number, (i, x, n) in enumerate(zip(ins, operands, extra)):
        if n < 0 or n > 0 and "..." not in i:
            raise InputError(must_be("einsum", f"operand {number}", f"of as many axes as {i!r} names", x.shape))
    free = "".join(c for c in ascii_letters if c not in letters)
    shared = free[: max((n for n, i in zip(extra, ins) if "..." in i), default=0)]
    if not arrow:
        joined = "".join(ins).replace("...", "")
        out = "..." + "".join(sorted(c for c in set(joined) if joined.count(c) == 1))
    ins = [i.replace("...", shared[len(shared) - n :]) for i, n in zip(ins, extra)]
    out = out.replace("...", shared)
    if len(set(out)) != len(out):
        raise InputError(_wrong(subscripts, len(operands)))
    return ins, out


def _fitted(ins, operands):
    """Each index once in an operand and of one length: a repeated one is a diagonal, a length of 1 that others exceed
    is left out. -> letters, operands, {letter: length}."""
    length = {}
    for i, x in zip(ins, operands):
        for c, n in zip(i, x.shape):
            if n != length.setdefault(c, n) and 1 not in (n, length[c]):
                raise InputError(must_be("einsum", f"index {c!r}", "of one length", f"{length[c]} and {n}"))
            length[c] = n if length[c] == 1 else length[c]
    fitted = [_once(i, x, length) for i, x in zip(ins, operands)]
    return [i for i, _ in fitted], tuple(x for _, x in fitted), length


def _once(letters, x, length):
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

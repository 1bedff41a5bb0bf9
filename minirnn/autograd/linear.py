"""Matrix products and what is made of them."""

from minirnn.array import check_device, xp_of
from minirnn.autograd.arithmetic import expand, sum_to
from minirnn.autograd.compiled import add_row, product
from minirnn.autograd.reduce import sum
from minirnn.autograd.shape import reshape, swapaxes, transpose
from minirnn.autograd.tape import alike, lift, pair, record
from minirnn.errors import DtypeError, InputError, check_shape, must_be


def _rows(x):
    """All but the last axis flattened into one: (..., D) -> (N, D)."""
    return x if x.ndim == 2 else reshape(x, (-1, x.shape[-1]))


def matmul(x, w):
    """Matrix product, batched over leading axes as in numpy: (..., N, D) @ (..., D, H) -> (..., N, H); 1-d allowed."""
    x, w = pair("matmul", x, w)
    if not x.ndim or not w.ndim or x.shape[-1] != w.shape[-2 if w.ndim > 1 else 0]:
        cause = "is one of them transposed?"
        raise InputError(must_be("matmul", "shapes", "(..., N, D) and (..., D, H)", f"{x.shape} and {w.shape}", cause))
    if x.ndim == 1 or w.ndim == 1:  # a vector is a matrix with one row, or one column
        shape = (
            x.shape[:-1] + w.shape[-1:]
            if x.ndim > 1 < w.ndim
            else (x.shape[:-1] if w.ndim == 1 else w.shape[:-2] + w.shape[-1:])
        )
        made = matmul(reshape(x, (1, -1)) if x.ndim == 1 else x, reshape(w, (-1, 1)) if w.ndim == 1 else w)
        return reshape(made, shape)

    def vjp(dy):  # dy: (..., N, H)
        dx = dw = None
        if x.requires_grad:
            dx = sum_to(matmul(dy, swapaxes(w, -1, -2)), x.shape)  # thesis (2.1.7)
        if w.requires_grad and w.ndim == 2:
            dw = matmul(transpose(_rows(x)), _rows(dy))  # thesis (2.1.8), summed over the batch
        elif w.requires_grad:
            dw = sum_to(matmul(swapaxes(x, -1, -2), dy), w.shape)
        return dx, dw

    return record("matmul", product(x.value, w.value), (x, w), vjp)


def linear(x, weight, bias=None):
    """A layer of rows: x (..., D), weight (H, D), bias (H,) or None -> x W^T + b (..., H). Thesis (2.1.3)."""
    x, weight = pair("linear", x, weight)
    if not x.ndim or weight.ndim != 2 or x.shape[-1] != weight.shape[1]:
        cause = "is the weight transposed?"
        raise InputError(must_be("linear", "shapes", "(..., D) and (H, D)", f"{x.shape} and {weight.shape}", cause))
    y = product(x.value, weight.value.T)
    if bias is not None:
        x, bias = pair("linear", x, bias)
        check_shape("linear", "bias", bias, "(H,)", weight.shape[:1])
        y = add_row(y, bias.value)

    def vjp(dy):  # dy: (..., H)
        dx = matmul(dy, weight) if x.requires_grad else None  # thesis (2.1.7)
        dw = matmul(transpose(_rows(dy)), _rows(x)) if weight.requires_grad else None  # thesis (2.1.8)
        return (dx, dw) if bias is None else (dx, dw, sum(_rows(dy), 0))

    return record("linear", y, (x, weight) if bias is None else (x, weight, bias), vjp)


def einsum(subscripts, *operands):
    """Sum of products in index notation, "tbd,hd->tbh"; every operand has its indices once, no ellipsis.

    Raises InputError for a repeated index within one operand, an ellipsis, or an unknown index in the output.
    """
    if not isinstance(subscripts, str):
        raise DtypeError(must_be("einsum", "subscripts", "text", type(subscripts).__name__))
    operands = alike("einsum", tuple(lift(x) for x in operands))
    ins, arrow, out = subscripts.replace(" ", "").partition("->")
    ins = ins.split(",")
    joined = "".join(ins)
    if not arrow:
        out = "".join(sorted(c for c in set(joined) if joined.count(c) == 1))
    if (
        "." in subscripts
        or len(ins) != len(operands)
        or any(len(set(i)) != len(i) for i in [*ins, out])
        or not set(out) <= set(joined)
    ):
        what = "one group of distinct letters for each operand and an output made of them"
        raise InputError(must_be("einsum", "subscripts", what, f"{subscripts!r} for {len(operands)} operands"))
    length = {c: n for i, x in zip(ins, operands) for c, n in zip(i, x.shape)}

    def vjp(dy):
        gradients = []
        for k, x in enumerate(operands):
            others = [(i, y) for j, (i, y) in enumerate(zip(ins, operands)) if j != k] + [(out, dy)]
            known = set("".join(i for i, _ in others))
            found = "".join(c for c in ins[k] if c in known)  # an index of x alone was summed over
            dx = einsum(",".join(i for i, _ in others) + "->" + found, *(y for _, y in others))
            dx = reshape(dx, tuple(length[c] if c in known else 1 for c in ins[k]))
            gradients.append(expand(dx, x.shape))
        return gradients

    for number, x in enumerate(operands):
        check_device("einsum", f"operand {number}", x.value, operands[0].value, "operand 0")
    value = xp_of(operands[0].value).einsum(
        ",".join(ins) + "->" + out, *(x.value for x in operands), optimize=len(ins) > 2
    )
    return record("einsum", value, operands, vjp)


def dot(x, y):
    """Sum of the products of all entries: <x, y>."""
    return sum(x * y)

"""Matrix products and what is made of them."""

from minirnn.autograd.arithmetic import sum_to
from minirnn.autograd.compiled import add_row, product
from minirnn.autograd.reduce import sum
from minirnn.autograd.shape import reshape, swapaxes, transpose
from minirnn.autograd.tape import pair, record
from minirnn.errors import InputError, check_shape, must_be


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


def dot(x, y):
    """Sum of the products of all entries: <x, y>."""
    return sum(x * y)

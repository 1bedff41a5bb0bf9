"""Matrix products with packed weights: what a recurrent loop multiplies by at every step is put in order once.

A packed matrix (depth, columns) is a row of panels; panel p holds columns p * width .. + width as (depth, width), the
last one padded with zeros, so that the micro-kernel reads it from front to back. ``gemm`` is the general product of the
same parts: it packs a block of B at a time. Every element of C is the sum over k in the same order whatever the number
of threads, so results do not depend on it.
"""

import numpy as np
from minirnn.kernels.jit import Routine, jit, kernel
from minirnn.kernels.memory import empty
from minirnn.kernels.threads import Job, meet, run, split, threads_worth
from minirnn.kernels.tile import (
    ROWS,
    VECTOR_BYTES,
    copy_panel,
    copy_rows,
    element,
    panel_width,
    pointer,
    tile,
    transpose_block,
)
from numba.extending import overload

DEPTH = 256  # k block: a panel of it stays in the second-level cache
RECURRENT_DEPTH = 256  # the same for the few rows of a recurrent step, where C is in the cache anyway
BLOCK_ROWS = 192  # rows of A kept packed at a time, a multiple of ROWS
GAP = 16  # elements between packed blocks of rows, or all would start in the same cache sets
BLOCK_COLUMNS = 1024  # columns of B kept packed at a time
ZERO, ONE = np.int64(0), np.int64(1)  # typed: a literal would have numba compile the callee once per value


def width(dtype):
    """Columns of a panel."""
    return panel_width(np.dtype(dtype))


def packed_like(weight, columns):
    """An empty packed matrix for ``columns`` columns of the depth that makes weight.size elements."""
    step = width(weight.dtype)
    return empty((weight.size // columns * (-(-columns // step) * step),), weight.dtype)


@jit
def pack_panels(target, at, source, start, row, column, depth, columns):
    """Pack B[k, n] = source[start + k * row + n * column], (depth, columns), into panels from target[at]."""
    step = panel_width(target)
    lanes = VECTOR_BYTES // target.itemsize
    for first in range(0, columns, step):
        wide = min(step, columns - first)
        base = at + first * depth
        if column == 1:
            for k in range(depth):
                copy_panel(target, base + k * step, source, start + k * row + first, wide)
            continue
        blocked_depth, blocked_columns = ZERO, ZERO
        if row == 1:  # a transposed matrix: squares of one vector by shuffles, the edges below
            blocked_depth, blocked_columns = depth - depth % lanes, wide - wide % lanes
            for n in range(0, blocked_columns, lanes):
                for k in range(0, blocked_depth, lanes):
                    transpose_block(target, base + k * step + n, step, source, start + k + (first + n) * column, column)
        for k in range(depth):
            for n in range(blocked_columns if k < blocked_depth else ZERO, wide):
                target[base + k * step + n] = element(source, start + k * row + (first + n) * column)
            for n in range(wide, step):
                target[base + k * step + n] = 0


@jit
def pack_rows(target, source, start, row, column, rows, depth):
    """Pack A[m, k] = source[start + m * row + k * column] into blocks of ROWS rows or one less, each (depth, rows)."""
    blocks = (rows + ROWS - 1) // ROWS
    for k0 in range(0, depth, 16):  # few rows of A^T at a time, so that each cache line is read once
        for block in range(blocks):
            first = rows * block // blocks
            count = rows * (block + 1) // blocks - first
            base = first * depth + block * GAP
            for k in range(k0, min(k0 + 16, depth)):
                into, out_of = base + k * count, start + first * row + k * column
                if row == 1:
                    copy_rows(target, into, source, out_of, count)
                else:
                    for m in range(count):
                        target[into + m] = element(source, out_of + m * row)


def multiply(c, c0, c_row, a, a0, a_row, rows_packed, packed, packed0, rows, depth, columns, depth_block, add):
    """C (rows, columns) (+)= A (rows, depth) @ packed B, where a row of A and of C is contiguous.

    c, a and packed are addressed as in ``tile``. ``rows_packed`` says that A comes from ``pack_rows``.
    """
    step = panel_width(c)
    blocks = (rows + ROWS - 1) // ROWS
    for first_column in range(0, columns, step):
        wide = min(step, columns - first_column)
        for k in range(0, depth, depth_block):
            deep = min(depth_block, depth - k)
            panel = packed0 + first_column * depth + k * step
            adding = ONE if add != 0 or k > 0 else ZERO
            for block in range(blocks):
                first = rows * block // blocks
                count = rows * (block + 1) // blocks - first
                if rows_packed:
                    at, row, column = a0 + first * depth + block * GAP, ONE, count
                else:
                    at, row, column = a0 + first * a_row + k, a_row, ONE
                into = c0 + first * c_row + first_column
                tile(c, into, c_row, a, at, row, column, packed, panel, count, deep, wide, adding)


MULTIPLY = Routine(multiply, {name: "pointer" for name in ("c", "a", "packed")})


@overload(multiply)
def _multiply_overload(
    c, c0, c_row, a, a0, a_row, rows_packed, packed, packed0, rows, depth, columns, depth_block, add
):
    call = MULTIPLY.external(c.dtype.name)

    def compiled(
        c, c0, c_row, a, a0, a_row, rows_packed, packed, packed0, rows, depth, columns, depth_block, add
    ):
        call(
            pointer(c), c0, c_row, pointer(a), a0, a_row, rows_packed, pointer(packed), packed0, rows, depth, columns,
            depth_block, add,
        )

    return compiled


@kernel(packed="elements", weight="strided K N")
def pack(tid, nth, arrivals, packed, weight):
    """Pack a weight matrix (K, N) of any strides, each thread some of the panels; fills packed."""
    meet(arrivals, nth)
    depth, columns = weight.shape
    row, column = weight.strides[0] // weight.itemsize, weight.strides[1] // weight.itemsize
    first, last = split(columns, panel_width(packed), tid, nth)
    pack_panels(packed, first * depth, weight, first * column, row, column, depth, last - first)


@kernel(uses=[MULTIPLY], c="strided M N", a="strided M K", b="strided K N", work="threads elements")
def gemm(tid, nth, arrivals, c, a, b, add, work):
    """C (M, N) (+)= A (M, K) @ B (K, N) for any strides of A and B and contiguous rows of C; fills c."""
    meet(arrivals, nth)
    rows, depth = a.shape
    columns = b.shape[1]
    size = c.itemsize
    c_row, a_row, a_col = c.strides[0] // size, a.strides[0] // size, a.strides[1] // size
    b_row, b_col = b.strides[0] // size, b.strides[1] // size
    step = panel_width(c)
    rows_packed = a_col != 1
    # What both threads would have to pack is the cost of a split: A when columns are split, B when rows are.
    m0, m1, n0, n1 = ZERO, rows, ZERO, columns
    if columns >= 8 * step * nth or (columns % (step * nth) == 0 and not (rows_packed and rows > columns)):
        n0, n1 = split(columns, step, tid, nth)
    else:
        m0, m1 = split(rows, ROWS, tid, nth)
    if m1 <= m0:
        return
    mine = work[tid]
    size_a = DEPTH * BLOCK_ROWS + BLOCK_ROWS // ROWS * GAP
    packed_a, packed_b = mine[:size_a], mine[size_a:]
    for n in range(n0, n1, BLOCK_COLUMNS):
        wide = min(BLOCK_COLUMNS, n1 - n)
        for k in range(0, depth, DEPTH):
            deep = min(DEPTH, depth - k)
            pack_panels(packed_b, ZERO, b, k * b_row + n * b_col, b_row, b_col, deep, wide)
            adding = ONE if add != 0 or k > 0 else ZERO
            for m in range(m0, m1, BLOCK_ROWS):
                high = min(BLOCK_ROWS, m1 - m)
                into, at = m * c_row + n, m * a_row + k * a_col
                if rows_packed:
                    pack_rows(packed_a, a, at, a_row, a_col, high, deep)
                    multiply(c, into, c_row, packed_a, ZERO, ZERO, ONE, packed_b, ZERO, high, deep, wide, deep, adding)
                else:
                    multiply(
                        c, m * c_row + n, c_row, a, at, a_row, ZERO, packed_b, ZERO, high, deep, wide, deep, adding
                    )


@kernel(total="N", summands="M N")
def sum_rows(tid, nth, arrivals, total, summands):
    """Sum the rows of a matrix, each thread some of the columns; fills total."""
    meet(arrivals, nth)
    M, N = summands.shape
    first, last = split(N, 16, tid, nth)
    out = total[first:last]
    for j in range(out.size):
        out[j] = 0
    blocked = M - M % 4
    for m in range(0, blocked, 4):  # four rows at a time: out is read and written once for them
        s0, s1 = summands[m, first:last], summands[m + 1, first:last]
        s2, s3 = summands[m + 2, first:last], summands[m + 3, first:last]
        for j in range(out.size):
            out[j] += (s0[j] + s1[j]) + (s2[j] + s3[j])
    for m in range(blocked, M):
        s0 = summands[m, first:last]
        for j in range(out.size):
            out[j] += s0[j]


def workspace(dtype, nth):
    """Scratch for gemm: a block of packed A and one of packed B for each thread."""
    size_a, size_b = DEPTH * BLOCK_ROWS + BLOCK_ROWS // ROWS * GAP, DEPTH * (BLOCK_COLUMNS + width(dtype))
    return empty((nth, size_a + size_b), dtype)


def gemm_job(c, a, b, work, add=False):
    """The job C (M, N) (+)= A (M, K) @ B (K, N); rows of C contiguous."""
    if c.shape[1] == 1 and c.flags.c_contiguous:  # one column would waste the other lanes of a panel
        c, a, b = c.T, b.T, a.T
    return Job(gemm, c.dtype, (c, a, b, int(add), work))


def product(a, b):
    """a (M, K) @ b (K, N) -> (M, N), on as many threads as the size is worth."""
    c = empty((a.shape[0], b.shape[1]), a.dtype)
    nth = threads_worth(a.size * b.shape[1])
    run([gemm_job(c, a, b, workspace(a.dtype, nth))], nth)
    return c


def pack_job(packed, weight):
    """The job that packs a weight matrix (K, N) of any strides."""
    return Job(pack, weight.dtype, (packed, weight))


def column_sums(summands):
    """summands (M, N) -> (N,), on as many threads as the size is worth."""
    total = empty(summands.shape[1:], summands.dtype)
    run([sum_rows_job(total, summands)], threads_worth(8 * summands.size))
    return total


def sum_rows_job(total, summands):
    """The job total (N,) = sum over the rows of summands (M, N)."""
    return Job(sum_rows, total.dtype, (total, summands))

"""The micro-kernel: a tile of a matrix product held in vector registers, written as LLVM vector code.

Everything is addressed as (array, offset in elements from its first element), so one tile serves any layout. The Python
bodies are the slower NumPy twins, used under NUMBA_DISABLE_JIT=1 and by the tests; compiled code gets the overloads.
"""

import os

import llvmlite.binding
import numpy as np
from llvmlite import ir
from minirnn.kernels.jit import OPTIONS
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from minirnn.errors import InputError, must_be


def _vector_bytes():
    asked = os.environ.get("MINIRNN_VECTOR_BYTES")
    if asked not in (None, "", "32", "64"):
        raise InputError(must_be("kernels", "MINIRNN_VECTOR_BYTES", "32 or 64", repr(asked)))
    return int(asked or (64 if llvmlite.binding.get_host_cpu_features().get("avx512f") else 32))


VECTOR_BYTES = _vector_bytes()
# ROWS * VECTORS accumulators, VECTORS of B and one broadcast fit the 32 (AVX-512) or 16 (AVX2) registers; panels wider
# than two vectors would waste more at sizes that are no multiple of them
ROWS = 12 if VECTOR_BYTES == 64 else 6
VECTORS = 2
PANEL_BYTES = VECTORS * VECTOR_BYTES  # a tile is one panel wide
AHEAD = 64  # rows of B fetched ahead, 8 KiB: panels come from the third-level cache where the weights are large

_I32, _I64 = ir.IntType(32), ir.IntType(64)


def _int32(value):
    return ir.Constant(_I32, value)


def _int64(value):
    return ir.Constant(_I64, value)


class _Vector:
    """LLVM types and addresses for vectors of one element type."""

    def __init__(self, array_type):
        self.size = 4 if array_type.dtype == types.float32 else 8
        self.lanes = VECTOR_BYTES // self.size
        self.element = ir.FloatType() if self.size == 4 else ir.DoubleType()
        self.type = ir.VectorType(self.element, self.lanes)
        self.mask = ir.VectorType(ir.IntType(1), self.lanes)
        self.suffix = f"v{self.lanes}f{8 * self.size}"

    def address(self, builder, base, offset):
        return builder.gep(base, [offset])

    def as_vector(self, builder, pointer):
        return builder.bitcast(pointer, ir.PointerType(self.type))

    def lanes_below(self, builder, count, start):
        """Mask of the lanes l with start + l < count."""
        numbers = ir.Constant(ir.VectorType(_I32, self.lanes), [start + l for l in range(self.lanes)])
        return builder.icmp_signed("<", numbers, self.broadcast(builder, builder.trunc(count, _I32)))

    def broadcast(self, builder, scalar):
        kind = ir.VectorType(scalar.type, self.lanes)
        one = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, _int32(0))
        first = ir.Constant(ir.VectorType(_I32, self.lanes), None)
        return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), first)

    def load(self, builder, pointer, mask=None):
        pointer = self.as_vector(builder, pointer)
        if mask is None:
            return builder.load(pointer, align=self.size)
        kind = ir.FunctionType(self.type, [pointer.type, _I32, self.mask, self.type])
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.load.{self.suffix}.p0")
        return builder.call(function, [pointer, _int32(self.size), mask, ir.Constant(self.type, None)])

    def store(self, builder, value, pointer, mask=None):
        pointer = self.as_vector(builder, pointer)
        if mask is None:
            return builder.store(value, pointer, align=self.size)
        kind = ir.FunctionType(ir.VoidType(), [self.type, pointer.type, _I32, self.mask])
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.store.{self.suffix}.p0")
        return builder.call(function, [value, pointer, _int32(self.size), mask])

    def multiply_add(self, builder, a, b, c):
        kind = ir.FunctionType(self.type, [self.type] * 3)
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.{self.suffix}")
        return builder.call(function, [a, b, c])

    def prefetch(self, builder, pointer, write):
        bytes_ = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [bytes_, _I32, _I32, _I32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [builder.bitcast(pointer, bytes_), _int32(int(write)), _int32(3), _int32(1)])


def _data(context, builder, array_type, value):
    """The address of an array's first element; a pointer is one."""
    if isinstance(array_type, types.CPointer):
        return value
    return context.make_array(array_type)(context, builder, value).data


def pointer(array):
    """An array as a Routine takes it."""
    return array


@intrinsic
def _pointer(typingctx, array):
    def codegen(context, builder, signature, args):
        return _data(context, builder, signature.args[0], args[0])

    return types.CPointer(array.dtype)(array), codegen


@overload(pointer)
def _pointer_overload(array):
    return lambda array: _pointer(array)


def panel_width(array):
    """Columns of a panel of an array's elements; the array may be a pointer."""
    return PANEL_BYTES // array.itemsize


@overload(panel_width)
def _panel_width_overload(array):
    width = PANEL_BYTES // (array.dtype.bitwidth // 8)
    return lambda array: width


def _flat(array, offset, span):
    """The twins' view: ``span`` consecutive elements from ``offset`` after the array's first, whatever its strides."""
    view = lambda a, n, step: np.lib.stride_tricks.as_strided(a, (n,), (step,), writeable=array.flags.writeable)
    first = view(array, 2, offset * array.itemsize)[1:]  # offsets are negative where strides are
    return view(first, span, array.itemsize)


# --------------------------------------------------------------------------------------------------------- the tile


def tile(c, c0, c_row, a, a0, a_row, a_col, b, b0, rows, depth, columns, add):
    """One register tile: C (rows, columns) (+)= A (rows, depth) @ B (depth, columns), rows <= ROWS, one panel wide.

    C[m, n] is element c0 + m * c_row + n of c, A[m, k] element a0 + m * a_row + k * a_col of a, and B is a packed panel
    that starts at b0 of b, padded to its full width. Fills C, adding to it when ``add`` is not 0. depth >= 1.
    """
    width = panel_width(c)
    left = np.lib.stride_tricks.as_strided(
        _flat(a, a0, 1), (rows, depth), (a_row * a.itemsize, a_col * a.itemsize), writeable=False
    )
    right = _flat(b, b0, depth * width).reshape(depth, width)[:, :columns]
    out = np.lib.stride_tricks.as_strided(_flat(c, c0, 1), (rows, columns), (c_row * c.itemsize, c.itemsize))
    product = left @ right
    out[...] = out + product if add else product


@intrinsic
def _tile(typingctx, c, c0, c_row, a, a0, a_row, a_col, b, b0, rows, depth, columns, add):
    vector = _Vector(c)
    integer = types.int64
    signature = types.void(
        c, integer, integer, a, integer, integer, integer, b, integer, integer, integer, integer, integer
    )

    def emit(builder, count, base_c, c_row, base_a, a_row, a_col, base_b, depth, columns, add, end):
        """The loop over k for ``count`` rows, from the builder's place; ends with a branch to ``end``."""
        masks = [vector.lanes_below(builder, columns, v * vector.lanes) for v in range(VECTORS)]
        rows_a = [vector.address(builder, base_a, builder.mul(a_row, _int64(m))) for m in range(count)]
        out = []
        for m in range(count):
            row_c = vector.address(builder, base_c, builder.mul(c_row, _int64(m)))
            out.append([vector.address(builder, row_c, _int64(v * vector.lanes)) for v in range(VECTORS)])
        entry = builder.block
        names = ("loop", "done", "add", "write")
        loop, done, adding, writing = (builder.append_basic_block(f"tile.{name}") for name in names)
        for row in out:  # C comes into the cache while the loop runs; it is added after it
            for pointer in row:
                vector.prefetch(builder, pointer, write=True)
        builder.branch(loop)

        builder.position_at_end(loop)
        k, at_a, at_b = builder.phi(_I64), builder.phi(_I64), builder.phi(_I64)
        for phi in (k, at_a, at_b):
            phi.add_incoming(_int64(0), entry)
        sums = [[builder.phi(vector.type) for _ in range(VECTORS)] for _ in range(count)]
        for phi in sum(sums, []):
            phi.add_incoming(ir.Constant(vector.type, None), entry)
        row_b = vector.address(builder, base_b, at_b)
        right = [vector.load(builder, vector.address(builder, row_b, _int64(v * vector.lanes))) for v in range(VECTORS)]
        for v in range(VECTORS):
            ahead = (AHEAD * VECTORS + v) * vector.lanes
            vector.prefetch(builder, vector.address(builder, row_b, _int64(ahead)), write=False)
        new = []
        for m in range(count):
            scalar = builder.load(vector.address(builder, rows_a[m], at_a), align=vector.size)
            left = vector.broadcast(builder, scalar)
            new.append([vector.multiply_add(builder, left, right[v], sums[m][v]) for v in range(VECTORS)])
        next_k = builder.add(k, _int64(1))
        k.add_incoming(next_k, loop)
        at_a.add_incoming(builder.add(at_a, a_col), loop)
        at_b.add_incoming(builder.add(at_b, _int64(VECTORS * vector.lanes)), loop)
        for m in range(count):
            for v in range(VECTORS):
                sums[m][v].add_incoming(new[m][v], loop)
        builder.cbranch(builder.icmp_signed("<", next_k, depth), loop, done)

        builder.position_at_end(done)
        builder.cbranch(builder.icmp_signed("!=", add, _int64(0)), adding, writing)
        for block in (adding, writing):
            builder.position_at_end(block)
            for m in range(count):
                for v in range(VECTORS):
                    value = new[m][v]
                    if block is adding:
                        value = builder.fadd(value, vector.load(builder, out[m][v], masks[v]))
                    vector.store(builder, value, out[m][v], masks[v])
            builder.branch(end)

    def codegen(context, builder, signature, args):
        c, c0, c_row, a, a0, a_row, a_col, b, b0, rows, depth, columns, add = args
        base_c = vector.address(builder, _data(context, builder, signature.args[0], c), c0)
        base_a = vector.address(builder, _data(context, builder, signature.args[3], a), a0)
        base_b = vector.address(builder, _data(context, builder, signature.args[7], b), b0)
        end = builder.append_basic_block("tile.end")
        switch = builder.switch(rows, end)
        for count in range(1, ROWS + 1):
            block = builder.append_basic_block(f"tile.rows{count}")
            switch.add_case(_int64(count), block)
            builder.position_at_end(block)
            emit(builder, count, base_c, c_row, base_a, a_row, a_col, base_b, depth, columns, add, end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return signature, codegen


@overload(tile, inline="never", jit_options=OPTIONS)
def _tile_overload(c, c0, c_row, a, a0, a_row, a_col, b, b0, rows, depth, columns, add):
    def compiled(c, c0, c_row, a, a0, a_row, a_col, b, b0, rows, depth, columns, add):
        _tile(c, c0, c_row, a, a0, a_row, a_col, b, b0, rows, depth, columns, add)

    return compiled


# -------------------------------------------------------------------------------------------- copies used in packing


def copy_panel(target, at, source, start, columns):
    """Copy ``columns`` consecutive elements to a panel row and zero the rest of the row (PANEL_BYTES in all)."""
    row = _flat(target, at, panel_width(target))
    row[:columns] = _flat(source, start, columns)
    row[columns:] = 0


@intrinsic
def _copy_panel(typingctx, target, at, source, start, columns):
    vector = _Vector(target)

    def codegen(context, builder, signature, args):
        into = vector.address(builder, _data(context, builder, signature.args[0], args[0]), args[1])
        out_of = vector.address(builder, _data(context, builder, signature.args[2], args[2]), args[3])
        for v in range(VECTORS):
            mask = vector.lanes_below(builder, args[4], v * vector.lanes)
            value = vector.load(builder, vector.address(builder, out_of, _int64(v * vector.lanes)), mask)
            vector.store(builder, value, vector.address(builder, into, _int64(v * vector.lanes)))
        return context.get_dummy_value()

    integer = types.int64
    return types.void(target, integer, source, integer, integer), codegen


@overload(copy_panel)
def _copy_panel_overload(target, at, source, start, columns):
    return lambda target, at, source, start, columns: _copy_panel(target, at, source, start, columns)


def copy_rows(target, at, source, start, count):
    """Copy ``count`` <= ROWS consecutive elements."""
    _flat(target, at, count)[...] = _flat(source, start, count)


@intrinsic
def _copy_rows(typingctx, target, at, source, start, count):
    vector = _Vector(target)

    def codegen(context, builder, signature, args):
        into = vector.address(builder, _data(context, builder, signature.args[0], args[0]), args[1])
        out_of = vector.address(builder, _data(context, builder, signature.args[2], args[2]), args[3])
        for first in range(0, ROWS, vector.lanes):
            mask = vector.lanes_below(builder, args[4], first)
            value = vector.load(builder, vector.address(builder, out_of, _int64(first)), mask)
            vector.store(builder, value, vector.address(builder, into, _int64(first)), mask)
        return context.get_dummy_value()

    integer = types.int64
    return types.void(target, integer, source, integer, integer), codegen


@overload(copy_rows)
def _copy_rows_overload(target, at, source, start, count):
    return lambda target, at, source, start, count: _copy_rows(target, at, source, start, count)


def element(array, at):
    """The element ``at`` places after the first, whatever the strides."""
    return _flat(array, at, 1)[0]


@intrinsic
def _element(typingctx, array, at):
    def codegen(context, builder, signature, args):
        return builder.load(builder.gep(_data(context, builder, signature.args[0], args[0]), [args[1]]))

    return array.dtype(array, types.int64), codegen


@overload(element)
def _element_overload(array, at):
    return lambda array, at: _element(array, at)


def transpose_block(target, at, target_row, source, start, source_row):
    """target[k, j] = source[j, k] for a square of LANES elements, rows ``target_row`` and ``source_row`` apart."""
    lanes = VECTOR_BYTES // target.itemsize
    strides = target.itemsize
    square = np.lib.stride_tricks.as_strided(_flat(source, start, 1), (lanes, lanes), (source_row * strides, strides))
    out = np.lib.stride_tricks.as_strided(_flat(target, at, 1), (lanes, lanes), (target_row * strides, strides))
    out[...] = square.T


@intrinsic
def _transpose_block(typingctx, target, at, target_row, source, start, source_row):
    vector = _Vector(target)
    lanes = vector.lanes

    def codegen(context, builder, signature, args):
        into = vector.address(builder, _data(context, builder, signature.args[0], args[0]), args[1])
        out_of = vector.address(builder, _data(context, builder, signature.args[3], args[3]), args[4])
        rows = [
            vector.load(builder, vector.address(builder, out_of, builder.mul(args[5], _int64(j)))) for j in range(lanes)
        ]
        step = 1
        while step < lanes:  # butterfly: rows j and j + step exchange blocks of `step` elements
            low = [i if not i & step else lanes + i - step for i in range(lanes)]
            high = [i + step if not i & step else lanes + i for i in range(lanes)]
            low, high = (ir.Constant(ir.VectorType(_I32, lanes), order) for order in (low, high))
            for j in range(lanes):
                if not j & step:
                    pair = rows[j], rows[j + step]
                    rows[j], rows[j + step] = builder.shuffle_vector(*pair, low), builder.shuffle_vector(*pair, high)
            step *= 2
        for k in range(lanes):
            vector.store(builder, rows[k], vector.address(builder, into, builder.mul(args[2], _int64(k))))
        return context.get_dummy_value()

    integer = types.int64
    return types.void(target, integer, integer, source, integer, integer), codegen


@overload(transpose_block)
def _transpose_block_overload(target, at, target_row, source, start, source_row):
    return lambda target, at, target_row, source, start, source_row: _transpose_block(
        target, at, target_row, source, start, source_row
    )

"""Packed products: the tile against its NumPy twin, packing, gemm and column sums against NumPy, any layout."""

import numpy as np
import pytest
from minirnn.kernels import packed, tile
from minirnn.kernels.jit import INTERPRETED, kernel
from minirnn.kernels.threads import NO_MEETING

both_types = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def draw(rng, shape, dtype):
    return rng.standard_normal(shape).astype(dtype)


def assert_close(got, want, depth):
    """Products of ``depth`` standard normal terms, summed in different orders."""
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=0, atol=8 * depth * np.finfo(got.dtype).eps)


def run_on(nth, job):
    """Every thread's share of a job, one after the other."""
    for tid in range(nth):
        job.kernel.on(job.dtype)(tid, nth, NO_MEETING, *job.args)


@kernel(c="N", a="N", b="N")
def compiled_tile(tid, nth, c, a, b, rows, depth, columns, add):
    """One tile of C (rows, columns), rows 100 apart, from packed rows of A and a packed panel."""
    tile.tile(c, 7, 100, a, 3, 1, rows, b, 0, rows, depth, columns, add)


@both_types
@pytest.mark.parametrize("rows", range(1, tile.ROWS + 1))
@pytest.mark.parametrize("add", [0, 1])
def test_tile_equals_its_twin(dtype, rows, add):
    rng = np.random.default_rng(rows)
    width = packed.width(dtype)
    for depth, columns in ((1, 1), (5, width), (33, width - 1), (64, width // 2 + 1)):
        a, b = draw(rng, 3 + rows * depth, dtype), draw(rng, depth * width, dtype)
        c = draw(rng, 7 + 100 * rows, dtype)
        fast, slow = c.copy(), c.copy()
        compiled_tile.on(dtype)(0, 1, fast, a, b, rows, depth, columns, add)
        tile.tile(slow, 7, 100, a, 3, 1, rows, b, 0, rows, depth, columns, add)
        assert_close(fast, slow, depth)
        written = np.zeros(c.size, bool)
        for m in range(rows):
            written[7 + 100 * m : 7 + 100 * m + columns] = True
        np.testing.assert_array_equal(fast[~written], c[~written])


def unpacked(buffer, depth, columns):
    step = packed.width(buffer.dtype)
    panels = buffer.reshape(-1, depth, step).transpose(1, 0, 2).reshape(depth, -1)
    assert not panels[:, columns:].any()
    return panels[:, :columns]


@both_types
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (3, 70), (16, 64), (37, 131), (130, 17)])
def test_packing_keeps_every_element_and_pads_with_zeros(dtype, transposed, shape):
    rng = np.random.default_rng(0)
    weight = draw(rng, shape[::-1], dtype).T if transposed else draw(rng, shape, dtype)
    for nth in (1, 2, 3):
        buffer = packed.packed_like(weight, shape[1])
        buffer[:] = np.nan
        run_on(nth, packed.pack_job(buffer, weight))
        np.testing.assert_array_equal(unpacked(buffer, *shape), weight)


SIZES = [(1, 1, 1), (7, 300, 65), (100, 513, 200), (33, 64, 1100), (200, 70, 3), (400, 5, 1), (1, 270, 90), (13, 1, 64)]


@both_types
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("a_transposed", [False, True])
@pytest.mark.parametrize("b_transposed", [False, True])
def test_gemm_equals_numpy(dtype, sizes, a_transposed, b_transposed):
    M, K, N = sizes
    rng = np.random.default_rng(0)
    a = draw(rng, (K, M), dtype).T if a_transposed else draw(rng, (M, K), dtype)
    b = draw(rng, (N, K), dtype).T if b_transposed else draw(rng, (K, N), dtype)
    whole, shared = np.full((M, N), np.nan, dtype), np.full((M, N), np.nan, dtype)
    run_on(1, packed.gemm_job(whole, a, b, packed.workspace(dtype, 1)))
    assert_close(whole, a @ b, K)
    run_on(3, packed.gemm_job(shared, a, b, packed.workspace(dtype, 3)))
    if INTERPRETED:  # NumPy's product of fewer rows may add up in another order
        assert_close(shared, whole, K)
    else:
        np.testing.assert_array_equal(shared, whole)  # shares do not change the order of a sum


@both_types
def test_gemm_adds_and_works_on_slices(dtype):
    rng = np.random.default_rng(0)
    c, a, b = draw(rng, (40, 90), dtype), draw(rng, (40, 30), dtype), draw(rng, (30, 50), dtype)
    want = c.copy()
    want[:, 10:60] += a[:, 3:23] @ b[5:25]
    run_on(1, packed.gemm_job(c[:, 10:60], a[:, 3:23], b[5:25], packed.workspace(dtype, 1), add=True))
    assert_close(c, want, 30)


@both_types
@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (9, 17), (130, 100)])
def test_sum_rows_equals_numpy(dtype, shape):
    summands = draw(np.random.default_rng(0), shape, dtype)
    for nth in (1, 2):
        total = np.full(shape[1], np.nan, dtype)
        run_on(nth, packed.sum_rows_job(total, summands))
        assert_close(total, summands.sum(axis=0), shape[0])


@both_types
def test_not_a_number_reaches_only_its_own_row(dtype):
    rng = np.random.default_rng(0)
    a, b, c = draw(rng, (20, 30), dtype), draw(rng, (30, 70), dtype), np.empty((20, 70), dtype)
    a[4, 7] = np.nan
    run_on(1, packed.gemm_job(c, a, b, packed.workspace(dtype, 1)))
    assert np.isnan(c[4]).all() and np.isfinite(np.delete(c, 4, axis=0)).all()

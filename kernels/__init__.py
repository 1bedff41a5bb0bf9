"""Sequence kernels (Numba): the same recurrences as minirnn.cells, over a whole sequence."""

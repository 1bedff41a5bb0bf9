"""The dense gradient of a table of vectors, an embedding. Slower twin: minirnn.array.scatter_add."""

import numpy as np
from minirnn.kernels.jit import kernel
from minirnn.kernels.memory import empty
from minirnn.kernels.threads import Job, meet, run, split, threads_worth


@kernel(dtable="V D", ids="int N", dy="N D")
def add_rows(tid, nth, arrivals, dtable, ids, dy):
    """Fills dtable with zeros and adds row n of dy to row ids[n]; each thread has some of the table's rows."""
    meet(arrivals, nth)
    first, last = split(dtable.shape[0], 1, tid, nth)
    mine = dtable[first:last].reshape(-1)
    for j in range(mine.size):
        mine[j] = 0
    for n in range(ids.size):
        if first <= ids[n] < last:
            row, summand = dtable[ids[n]], dy[n]
            for j in range(row.size):
                row[j] += summand[j]


def gradient(ids, dy, rows):
    """ids (N,), dy (N, D) -> (rows, D)."""
    dtable = empty((rows, dy.shape[1]), dy.dtype)
    args = dtable, np.require(ids, np.int64, "CAW"), dy
    run([Job(add_rows, dy.dtype, args)], threads_worth(dtable.size + dy.size))  # mostly memory, filled with zeros
    return dtable

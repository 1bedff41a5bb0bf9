"""One switch for threads, so that NumPy's BLAS and the kernels do not compete for the same processors."""

import os

from minirnn.errors import InputError, must_be


def use_threads(count=None):
    """Let the kernels use ``count`` threads (None: as MINIRNN_NUM_THREADS says, else every processor) and BLAS one.

    Process-wide and meant for programs, such as the command line: a library should leave this to its user. What the
    kernels compute does not depend on their number of threads. InputError unless count is a positive integer.
    """
    if count is not None:
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise InputError(must_be("use_threads", "count", "a positive integer", repr(count)))
        os.environ["MINIRNN_NUM_THREADS"] = str(count)
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="blas")


def threads_of_kernels():
    """How many threads the kernels may use in this process; InputError when MINIRNN_NUM_THREADS is no number."""
    from minirnn.kernels.threads import thread_count

    return thread_count()

"""One switch for threads."""

import subprocess
import sys

import pytest

from minirnn.errors import InputError
from minirnn.threads import use_threads


def test_the_switch_leaves_blas_one_thread_and_tells_the_kernels():
    code = """
import numpy, os, threadpoolctl
from minirnn.threads import use_threads
from minirnn.kernels.threads import thread_count
use_threads(3)
print(thread_count(), [p["num_threads"] for p in threadpoolctl.threadpool_info() if p["user_api"] == "blas"])
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    count, pools = out.split(" ", 1)
    assert count == "3" and set(eval(pools)) <= {1}


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "2"])
def test_a_count_that_is_none_is_refused(count):
    with pytest.raises(InputError, match="count must be a positive integer"):
        use_threads(count)

"""Threads: the same bits whatever their number, from several Python threads at once, after a fork, after an
interrupt."""

import multiprocessing
import os
import sys
import threading

import numpy as np
import pytest
from minirnn.kernels.jit import INTERPRETED
from minirnn.kernels.packed import width
from minirnn.kernels.threads import Job

from minirnn import kernels
from minirnn.errors import InputError

compiled_only = pytest.mark.skipif(INTERPRETED, reason="NUMBA_DISABLE_JIT: there are no threads and no vector code")

T, B, D, H = 6, 9, 5, 37


def layer_gradients(seed=0, dtype=np.float64, T=T, B=B, D=D, H=H):
    """Everything an LSTM computes from random inputs, as one list."""
    rng = np.random.default_rng(seed)
    draw = lambda *s: (0.5 * rng.standard_normal(s)).astype(dtype)
    weights = draw(4 * H, D), draw(4 * H, H), draw(4 * H), draw(4 * H)
    h, c, saved = kernels.lstm_forward(draw(T, B, D), draw(B, H), draw(B, H), *weights)
    return [h, c, *kernels.lstm_backward(saved, draw(T, B, H))]


pytestmark = pytest.mark.usefixtures("small_work_is_shared_out_too")


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_do_not_depend_on_the_number_of_threads(monkeypatch, dtype):
    monkeypatch.setenv("MINIRNN_NUM_THREADS", "1")
    alone = layer_gradients(dtype=dtype)
    for threads in ("2", "3", "4"):
        monkeypatch.setenv("MINIRNN_NUM_THREADS", threads)
        assert same(layer_gradients(dtype=dtype), alone)
        assert same(layer_gradients(dtype=dtype), alone)


@compiled_only
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [1, 3])
def test_units_are_shared_out_where_there_are_few_rows(monkeypatch, dtype, rows):
    """The bits of one thread, whatever the number of threads that share the units; a mask or a length is for one."""
    from minirnn.kernels import lstm, lstm_units

    used = []
    monkeypatch.setattr(lstm, "Job", lambda kernel, *rest: used.append(kernel) or Job(kernel, *rest))
    sizes = {"B": rows, "H": 3 * width(np.float32), "T": 4}
    monkeypatch.setenv("MINIRNN_NUM_THREADS", "1")
    alone = layer_gradients(dtype=dtype, **sizes)
    assert used == [lstm.recur, lstm.recur_back]
    for threads in ("2", "3", "4"):
        monkeypatch.setenv("MINIRNN_NUM_THREADS", threads)
        used.clear()
        assert same(layer_gradients(dtype=dtype, **sizes), alone)
        assert used == [lstm_units.recur, lstm_units.recur_back]
    used.clear()
    layer_gradients(dtype=dtype, **{**sizes, "H": 3 * width(np.float32) - 1})  # not whole panels
    x, h, w = (np.ones(s, dtype) for s in ((4, rows, 96), (rows, 96), (4 * 96, 96)))
    kernels.lstm_forward(x, h, h, w, w, None, None, moon=np.ones((rows, 96), dtype))
    kernels.lstm_forward(x, h, h, w, w, None, None, lengths=np.full(rows, 2))
    assert used == [lstm.recur, lstm.recur_back, lstm.recur, lstm.recur]


@compiled_only
def test_number_of_threads_is_that_of_the_environment_or_the_processors(monkeypatch):
    from minirnn.kernels import threads
    from minirnn.kernels.threads import thread_count, threads_for

    monkeypatch.setenv("MINIRNN_NUM_THREADS", "3")
    assert thread_count() == 3
    assert [threads_for(rows, 1) for rows in (1, 3, 4, 5, 6, 100)] == [1, 1, 2, 2, 3, 3]
    monkeypatch.setattr(threads, "OPERATIONS_WORTH_A_LAUNCH", 1000)
    assert [threads_for(100, work) for work in (0, 1000, 1001)] == [1, 1, 3]
    monkeypatch.delenv("MINIRNN_NUM_THREADS")
    assert 1 <= thread_count() <= os.cpu_count()
    for wrong in ("0", "-1", "two", "1.5"):
        monkeypatch.setenv("MINIRNN_NUM_THREADS", wrong)
        with pytest.raises(InputError, match="MINIRNN_NUM_THREADS must be a whole number of at least 1, got"):
            thread_count()


def test_several_python_threads_at_once(monkeypatch):
    """One gets the team, the others run alone; all get what they would have got one after the other."""
    monkeypatch.setenv("MINIRNN_NUM_THREADS", "2")
    expected = [layer_gradients(seed) for seed in range(4)]
    wrong = []

    def work(seed):
        for _ in range(20):
            if not same(layer_gradients(seed), expected[seed]):
                wrong.append(seed)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert not wrong and not any(worker.is_alive() for worker in workers)


def _in_child(queue):
    queue.put(layer_gradients())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings(
    "ignore:.*multi-threaded.*fork:DeprecationWarning"
)  # Python 3.12 warns; the point is to do it
def test_a_forked_child_makes_a_team_of_its_own(monkeypatch):
    monkeypatch.setenv("MINIRNN_NUM_THREADS", "2")
    expected = layer_gradients()  # the parent now has helper threads, which the child will not have
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue,))
    child.start()
    assert same(queue.get(timeout=30), expected)
    child.join(timeout=30)
    assert child.exitcode == 0


@compiled_only
def test_an_interrupted_run_leaves_the_next_one_right(monkeypatch):
    from minirnn.kernels import threads

    monkeypatch.setenv("MINIRNN_NUM_THREADS", "2")
    expected = layer_gradients()
    original = threads.Team.run

    def interrupted(self, nth, steps, arrivals):
        for lock in self.go[: nth - 1]:  # the helpers are off, and then the user presses control-C
            self.errors, self.steps = [], (nth, steps[:1])
            lock.release()
        raise KeyboardInterrupt

    monkeypatch.setattr(threads.Team, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        layer_gradients()
    monkeypatch.setattr(threads.Team, "run", original)
    assert same(layer_gradients(), expected)


def test_nobody_waits_for_a_thread_that_was_stopped():
    from minirnn.kernels.packed import sum_rows
    from minirnn.kernels.threads import Team

    for stopped in (0, 1):
        arrivals = np.zeros(16, np.int64)
        meets = (sum_rows.on(np.float64), (arrivals, np.empty(40), np.ones((3, 40))))

        def stops(tid, nth, stopped=stopped):
            if tid == stopped:
                raise KeyboardInterrupt if tid == 0 else ValueError

        team = Team(2)
        with pytest.raises((KeyboardInterrupt, ValueError)):
            team.run(2, [(stops, ()), meets], arrivals)
        if stopped == 0:
            assert team.done[0].acquire(timeout=30)  # the helper came out of the meeting


def test_an_error_on_a_helper_thread_reaches_the_caller():
    from minirnn.kernels.threads import Team

    def fails(tid, nth):
        if tid == 1:
            raise ValueError("on the helper")

    with pytest.raises(ValueError, match="on the helper"):
        Team(2).run(2, [(fails, ())])


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system keeps no thread off a processor")
def test_helpers_keep_off_the_callers_processor(monkeypatch):
    from minirnn.kernels import threads

    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("one processor")
    team = threads.Team(2)
    for processor in sorted(allowed)[:2] * 2:
        monkeypatch.setattr(threads, "_processor", lambda here=processor: here)
        team.run(2, [(lambda tid, nth: None, ())])
        assert os.sched_getaffinity(team.helpers[0].native_id) == allowed - {processor}
    assert os.sched_getaffinity(0) == allowed

    def forbidden(*args):
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", forbidden)
    monkeypatch.setattr(threads, "_processor", lambda: min(allowed))
    team.run(2, [(lambda tid, nth: None, ())])


def test_memory_is_used_again_only_when_nobody_holds_it():
    from minirnn.kernels import memory

    memory.release()
    held = memory.empty((100, 1000), np.float64)
    held[:] = 1
    address = held.ctypes.data
    assert address % memory.LINE == 0
    other = memory.empty((100, 1000), np.float64)
    other[:] = 2
    assert (held == 1).all()
    row = held[50]  # a view keeps the whole block
    del held
    again = memory.empty((100, 1000), np.float64)
    again[:] = 3
    assert (row == 1).all() and (other == 2).all()
    del row
    assert memory.empty((99, 1000), np.float64).ctypes.data == address  # a slightly smaller array fits the same block
    memory.release()
    assert (other == 2).all() and (again == 3).all()


def test_a_block_is_in_use_from_the_moment_it_is_handed_out():
    """Another thread may ask before the first has made its array."""
    from minirnn.kernels import memory

    memory.release()
    for _ in range(2):  # blocks made anew, then found
        taken = [memory._take(1 << 16) for _ in range(3)]
        assert len({id(block) for block, _ in taken}) == 3
        del taken
    assert len(memory.kept()) == 3
    memory.release()


def test_memory_kept_is_limited(monkeypatch):
    from minirnn.kernels import memory

    memory.release()
    monkeypatch.setattr(memory, "LIMIT", 1 << 20)
    arrays = [memory.empty((n, 1000), np.float64) for n in range(20, 60)]
    assert sum(block.nbytes for block in memory.kept()) <= 1 << 20
    assert [a.shape for a in arrays] == [(n, 1000) for n in range(20, 60)]
    memory.release()


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="counts references")
def test_a_training_loop_allocates_nothing_new():
    from minirnn.kernels import memory

    memory.release()
    rng = np.random.default_rng(0)
    x, w, r, h0 = (rng.standard_normal(s) for s in ((20, 8, 64), (256, 64), (256, 64), (8, 64)))
    blocks = []
    for _ in range(4):
        h, c, saved = kernels.lstm_forward(x, h0, h0, w, r, None, None)
        gradients = kernels.lstm_backward(saved, h[1:])
        blocks.append({block.ctypes.data for block in memory.kept()})
        del h, c, saved, gradients
    assert blocks[0] == blocks[1] == blocks[2] == blocks[3] != set()
    memory.release()


def test_interrupted_calls_leave_no_threads(monkeypatch):
    import threading
    import time

    from minirnn.kernels import threads

    monkeypatch.setenv("MINIRNN_NUM_THREADS", "3")
    before = threading.active_count()

    def stops(tid, nth):
        if tid == 0:
            raise KeyboardInterrupt

    for _ in range(50):
        team = threads.Team(3)
        with pytest.raises(KeyboardInterrupt):
            team.run(3, [(stops, ())])
        team.dismiss()
    until = time.monotonic() + 30
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.01)
    assert threading.active_count() <= before


@compiled_only
def test_a_system_without_more_threads_is_only_slower(monkeypatch):
    import threading

    from minirnn.kernels import threads

    monkeypatch.setenv("MINIRNN_NUM_THREADS", "4")
    expected = layer_gradients()
    real, started = threading.Thread.start, []

    def start(self):
        if len(started) == allowed:
            raise RuntimeError("can't start new thread")
        started.append(self)
        real(self)

    monkeypatch.setattr(threading.Thread, "start", start)
    for allowed in (0, 1):
        monkeypatch.setattr(threads, "_team", None)
        started.clear()
        assert same(layer_gradients(), expected)
        assert threads._team.size == allowed + 1
    threads._team.dismiss()
    monkeypatch.setattr(threads, "_team", None)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_while_another_thread_is_in_the_pool_of_memory():
    import threading

    from minirnn.kernels import memory

    stop = threading.Event()

    def busy():
        while not stop.is_set():
            memory.empty((100, 1000), np.float64)

    workers = [threading.Thread(target=busy) for _ in range(3)]
    for worker in workers:
        worker.start()
    try:
        for _ in range(20):
            pid = os.fork()
            if pid == 0:
                memory.empty((100, 1000), np.float64)
                os._exit(7)
            until = 30 * 20
            while os.waitpid(pid, os.WNOHANG) == (0, 0) and until:
                stop.wait(0.05)
                until -= 1
            assert until, "the child never came back"
    finally:
        stop.set()
        for worker in workers:
            worker.join()


def test_a_number_of_threads_in_other_digits_is_refused(monkeypatch):
    from minirnn.kernels import threads

    from minirnn.errors import InputError

    for text in ("²", "x", "0", "-1", "1.5"):
        monkeypatch.setenv("MINIRNN_NUM_THREADS", text)
        with pytest.raises(InputError, match="MINIRNN_NUM_THREADS must be a whole number"):
            threads.thread_count()

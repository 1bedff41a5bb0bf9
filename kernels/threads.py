"""A small team of threads that runs kernels side by side with the interpreter lock released.

Each thread calls the same kernels in the same order as (tid, nth, ...) and takes its own share of the rows or columns;
where a kernel reads what another thread wrote, a barrier stands between. Numba's own threading layers are not used:
``workqueue`` ends the process when two Python threads call it at once, the others need a library on the system.
"""

import contextlib
import ctypes
import os
import threading
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from minirnn.kernels.jit import INTERPRETED, Kernel, jit
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from minirnn.errors import InputError, must_be


class Job(NamedTuple):
    """A kernel call for every thread of the team: kernel.on(dtype)(tid, nth, arrivals, *args)."""

    kernel: Kernel
    dtype: np.dtype
    args: tuple


@jit
def split(n, unit, tid, nth):
    """(first, last) of thread tid's share of range(n), cut at multiples of ``unit``."""
    units = (n + unit - 1) // unit
    return min(units * tid // nth * unit, n), min(units * (tid + 1) // nth * unit, n)


def thread_count():
    """How many threads kernels may use: MINIRNN_NUM_THREADS, else the CPUs this process may run on."""
    asked = os.environ.get("MINIRNN_NUM_THREADS", "").strip()
    if asked:
        if not (asked.isascii() and asked.isdigit() and int(asked) > 0):
            raise InputError(must_be("kernels", "MINIRNN_NUM_THREADS", "a whole number of at least 1", repr(asked)))
        wanted = int(asked)
    else:
        wanted = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # A waiting thread must be able to give its processor away; plain Python has the interpreter lock anyway.
    return 1 if INTERPRETED or not hasattr(os, "sched_yield") else wanted


# ---------------------------------------------------------------------------------------------------------- meeting

GIVEN_UP = 8  # on another cache line than the count


def meet(arrivals, nth):
    """Return when all nth threads have called this, at once for an empty array; arrivals (16,) starts with zeros.
    When a thread was stopped, by an interrupt say, it sets arrivals[GIVEN_UP], and nobody waits for it.

    Kernels call it first of all and so wait for what other threads did in the jobs before; in plain Python there are
    no other threads.
    """


@intrinsic
def _arrive(typingctx, arrivals):
    """Add one to arrivals[0] and return the number of threads that came before, this generation's and older ones."""

    def codegen(context, builder, signature, args):
        pointer = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", pointer, ir.Constant(ir.IntType(64), 1), "seq_cst")

    return types.int64(arrivals), codegen


@intrinsic
def _load(typingctx, arrivals, at):
    def codegen(context, builder, signature, args):
        pointer = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.load_atomic(builder.gep(pointer, [args[1]]), "acquire", 8)

    return types.int64(arrivals, types.int64), codegen


@intrinsic
def _yield_processor(typingctx):
    def codegen(context, builder, signature, args):
        if hasattr(os, "sched_yield"):
            kind = ir.FunctionType(ir.IntType(32), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), codegen


@overload(meet)
def _meet(arrivals, nth):
    def compiled(arrivals, nth):
        if arrivals.size == 0:
            return
        target = (_arrive(arrivals) // nth + 1) * nth  # the count at which this generation is complete
        spins = 0
        while _load(arrivals, 0) < target and _load(arrivals, GIVEN_UP) == 0:
            spins += 1
            if spins > 4000:  # some microseconds; then let others run, this machine may be busy
                _yield_processor()

    return compiled


# ------------------------------------------------------------------------------------------------------------- team

MEET = None  # in a list of jobs: no thread starts the next job before all have done the last
NO_MEETING = np.zeros(0, np.int64)


# which processor a thread is on, where the system can also keep threads off one (Linux)
_processor = getattr(ctypes.PyDLL(None), "sched_getcpu", None) if hasattr(os, "sched_setaffinity") else None


class Team:
    """Sleeping helper threads, one per extra processor. ``run`` gives them work and does the first share itself.

    ``size`` is smaller than ``asked`` where the system allows no more threads.
    """

    def __init__(self, asked):
        self.asked, self.size, self.steps, self.arrivals, self.errors = asked, 1, None, NO_MEETING, []
        self.helpers, self.kept_off, self.dismissed = [], None, False
        self.go = [threading.Lock() for _ in range(asked - 1)]
        self.done = [threading.Lock() for _ in range(asked - 1)]
        try:
            for i in range(asked - 1):
                self.go[i].acquire()
                self.done[i].acquire()
                helper = threading.Thread(target=self._help, args=(i,), name=f"minirnn-{i + 1}", daemon=True)
                helper.start()
                self.helpers.append(helper)
                self.size += 1
        except RuntimeError:  # can't start new thread: a limit of the user or the container
            return
        except BaseException:
            self.dismiss()
            raise

    def _help(self, i):
        while True:
            self.go[i].acquire()
            if not self.dismissed:
                self._do_share(i + 1)
                self.done[i].release()
            if self.dismissed:
                return

    def dismiss(self):
        """Let every helper end, now if it waits and else after its share; the team is of no more use."""
        self.dismissed = True
        for lock in self.go:
            if lock.locked():  # else its helper is on the way to work and will see that it is dismissed
                lock.release()

    def _do_share(self, tid):
        nth, steps = self.steps
        try:
            for function, args in steps:
                function(tid, nth, *args)
        except Exception as error:  # handed to the caller, who raises it
            self.errors.append(error)
            self.arrivals[GIVEN_UP:] = 1

    def _keep_off(self, processor):
        """Keep the helpers off the caller's processor: the system likes to wake them there, and then both take turns
        for milliseconds until it moves one."""
        if processor != self.kept_off:
            self.kept_off = processor
            others = os.sched_getaffinity(0) - {processor}
            for helper in self.helpers if others else ():
                with contextlib.suppress(OSError):  # a sandbox that forbids it: only slower
                    os.sched_setaffinity(helper.native_id, others)

    def run(self, nth, steps, arrivals=NO_MEETING):
        """Call function(tid, nth, *args) for every (function, args) on nth threads, this one being the first."""
        self.errors, self.steps, self.arrivals = [], (nth, steps), arrivals
        if _processor is not None:
            self._keep_off(_processor())
        for lock in self.go[: nth - 1]:
            lock.release()
        try:
            for function, args in steps:
                function(0, nth, *args)
        except BaseException:
            arrivals[GIVEN_UP:] = 1
            raise
        for lock in self.done[: nth - 1]:
            lock.acquire()
        self.steps = None  # or the arrays would live until the next run
        if self.errors:
            raise self.errors[0]


_team, _team_lock = None, threading.Lock()


def _forget_team():
    """In a forked child the helpers do not exist, and the lock may be held by a thread that does not either."""
    global _team, _team_lock
    _team, _team_lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_team)


def run(jobs, nth):
    """Run the jobs in order on ``nth`` threads; on the calling thread alone when another call has the team."""
    global _team
    arrivals = np.zeros(16, np.int64) if nth > 1 else NO_MEETING
    steps = []
    for before, job in zip([None, *jobs], jobs):
        if job is not MEET:  # compiled here, before any thread waits for another
            meeting = arrivals if before is MEET and steps else NO_MEETING
            steps.append((job.kernel.on(job.dtype), (meeting, *job.args)))
    if nth > 1 and _team_lock.acquire(blocking=False):
        try:
            team, _team = _team, None  # an interrupted run must not leave a team whose helpers are still at work
            if team is None or team.asked < nth:
                if team is not None:
                    team.dismiss()
                team = Team(nth)
            try:
                team.run(min(nth, team.size), steps, arrivals)
            except BaseException:
                team.dismiss()
                raise
            _team = team
        finally:
            _team_lock.release()
    else:
        with np.errstate(all="ignore") if INTERPRETED else contextlib.nullcontext():  # as machine code does
            for function, (_, *args) in steps:
                function(0, 1, NO_MEETING, *args)


OPERATIONS_WORTH_A_LAUNCH = 1 << 22  # multiply-adds: what a thread does while another one wakes up, some 100 us


def worth_a_launch(multiply_adds):
    """Whether work is large enough to be shared out."""
    return multiply_adds > OPERATIONS_WORTH_A_LAUNCH


def threads_worth(multiply_adds):
    """Threads for work that can be cut anywhere; an element that is read, computed with and written counts for 16."""
    return thread_count() if worth_a_launch(multiply_adds) else 1


def threads_for(rows, multiply_adds):
    """Threads for a sequence of a batch of ``rows``: two rows each at least, one thread below four or for little
    work."""
    return min(thread_count(), rows // 2) if rows >= 4 and worth_a_launch(multiply_adds) else 1

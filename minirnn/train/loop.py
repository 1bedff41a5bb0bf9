"""The loop: updates, epochs, checkpoints, best so far, interruption; the same for every task.

What a task is stands in ``minirnn.train.task.Task``.
"""

import math
import time

from minirnn.errors import InputError
from minirnn.train.checkpoint import (
    CheckpointError,
    checkpoints,
    discard_old,
    hash_of,
    name_of,
    read_checkpoint,
    set_aside,
    write_checkpoint,
)
from minirnn.train.progress import Progress

MOST_SKIPPED = 50  # non-finite updates in a row after which a run is given up


class Diverged(ArithmeticError):
    """Too many updates in a row were non-finite; the message says why and what may help."""


class Loop:
    """Trains ``task`` in the RunFolder ``folder`` (entered), whose run id is ``run``.

    Counters: ``epoch`` (from 0) and ``position`` (next window in it), ``step`` (updates tried), ``skipped`` (of them
    not applied), ``best`` {"score", "epoch", "checkpoint"} or None, ``chain``: the hash over the parameters at every
    regular checkpoint, each linked to the one before. All are in every checkpoint, so an interrupted run ends as an
    uninterrupted one: bit for bit on a CPU.
    """

    def __init__(self, task, folder, run, log_every, checkpoint_every, stream=None, quiet=False, snapshots=()):
        self.task, self.folder, self.run = task, folder, run
        self.log_every, self.checkpoint_every = log_every, checkpoint_every
        self.stream, self.quiet = stream, quiet
        self.snapshots = snapshots  # the steps whose checkpoints are kept for good
        self.epoch = self.position = self.step = self.skipped = self.skipped_in_a_row = 0
        self.best, self.chain = None, ""
        self.seconds = self.update_seconds = 0.0  # since the start of the run, and in updates alone
        self.saved_step = None
        self.begin = time.monotonic()

    def start(self):
        """Begin at the beginning, with a checkpoint of it."""
        self.folder.begin_metrics(0)
        self.checkpoint()

    def resume(self, say):
        """Continue from the newest usable checkpoint; ``say`` is told about each one that is not.

        InputError when there are checkpoints but none can be used.
        """
        reasons = []
        for name in checkpoints(self.folder.checkpoints):
            try:
                found = read_checkpoint(self.folder.checkpoints, name, self.run)
                self._load(found)
            except (InputError, KeyError, TypeError) as error:
                reason = str(error) if isinstance(error, CheckpointError) else f"{name} does not fit this run ({error})"
                reasons.append(reason)
                say(f"checkpoint {reason}; trying the one before it")
                continue
            for bad in checkpoints(self.folder.checkpoints):
                if bad > name:
                    set_aside(self.folder.checkpoints, bad)
            say(f"resuming at update {self.step}, epoch {self.epoch + 1}")
            return
        if reasons:
            raise InputError(f"run folder {self.folder.path}: no usable checkpoint: " + "; ".join(reasons))
        say("no checkpoint yet: starting from the beginning")
        self.start()

    def _load(self, found):
        state = found.state
        numbers = (state["epoch"], state["position"], state["step"], state["skipped"], state["skipped_in_a_row"])
        self.task.load(found.arrays, state["task"])
        self.epoch, self.position, self.step, self.skipped, self.skipped_in_a_row = map(int, numbers)
        self.best, self.chain = state["best"], state["chain"]
        self.seconds, self.update_seconds = float(state["seconds"]), float(state["update_seconds"])
        self.saved_step = self.step
        self.begin = time.monotonic()
        self.folder.begin_metrics(int(state["metrics_bytes"]))

    def checkpoint(self):
        """Write the state of this moment and delete what is neither a snapshot, nor the best, nor of the newest two."""
        state = {
            "epoch": self.epoch, "position": self.position, "step": self.step, "skipped": self.skipped,
            "skipped_in_a_row": self.skipped_in_a_row, "best": self.best, "chain": self.chain,
            "seconds": self.elapsed(), "update_seconds": self.update_seconds,
            "metrics_bytes": self.folder.metrics_size(), "task": self.task.numbers(),
        }
        write_checkpoint(self.folder.checkpoints, self.step, self.task.arrays(), state, self.run)
        self.saved_step = self.step
        best = [self.best["checkpoint"]] if self.best else []
        discard_old(self.folder.checkpoints, [*best, *map(name_of, self.snapshots)])

    def elapsed(self):
        """Seconds of training, those before an interruption included."""
        return self.seconds + time.monotonic() - self.begin

    def rate(self):
        """Tokens (the task's ``unit``) a second over all updates so far, evaluations and checkpoints left out."""
        return self.step * self.task.per_update / max(self.update_seconds, 1e-9)

    def train(self, stop):
        """Train to the end -> True, or to the update at which ``stop`` became true -> False, with a checkpoint.

        Raises Diverged (after a checkpoint) when updates stay non-finite, OSError naming the file on a full disk.
        """
        total = self.task.epochs * self.task.updates
        progress = Progress(total, self.step, self.folder.path.name, self.stream, self.quiet)
        try:
            while not self.task.finished(self.epoch, self.best):
                while self.position < self.task.updates and not stop:
                    self._update(progress)
                if stop or not self._end_epoch(progress, stop):
                    self.checkpoint()
                    return False
            return True
        finally:
            progress.close()

    def _update(self, progress):
        begin = time.perf_counter()
        result = self.task.update(self.position, self.step)
        self.update_seconds += time.perf_counter() - begin
        self.position += 1
        self.step += 1
        so_far = self.task.progress()
        progress.update(self.epoch + 1, f"{self.rate():,.0f} {self.task.unit}/s", so_far)
        self._count_skipped(result, progress)
        if self.step % self.log_every == 0:
            self.folder.write_metric(
                kind="train", step=self.step, epoch=self.epoch + 1, loss=result["loss"], norm=result["norm"],
                **{f"epoch_{name}": value for name, value in so_far.items()}, lr=self.task.optimizer.lr,
                **{f"{self.task.unit}_per_second": round(self.rate())},
            )
        if self.step % self.checkpoint_every == 0 and self.position < self.task.updates:
            self._link()
            self.checkpoint()
        elif self.step in self.snapshots and self.position < self.task.updates:
            self.checkpoint()

    def _count_skipped(self, result, progress):
        """Say, count and log an update that was not applied; give up after many in a row."""
        if result["skipped"] is None:
            self.skipped_in_a_row = 0
            return
        self.skipped += 1
        self.skipped_in_a_row += 1
        progress.line(f"update {self.step} skipped: {result['skipped']}")
        self.folder.write_metric(kind="skipped", step=self.step, epoch=self.epoch + 1, operation=result["skipped"])
        if self.skipped_in_a_row >= MOST_SKIPPED:
            self.checkpoint()
            raise Diverged(
                f"train: {MOST_SKIPPED} updates in a row were not finite, the last because of: {result['skipped']};"
                " a smaller --lr or --clip may help"
            )

    def _link(self):
        """Add the parameters of this moment to the hash chain."""
        self.chain = hash_of(self.task.parameters_only(), self.chain)
        self.folder.write_metric(kind="checkpoint", step=self.step, chain=self.chain)

    def _end_epoch(self, progress, stop):
        """Evaluate, note the best, begin the next epoch, checkpoint; False when ``stop`` came during the evaluation."""
        metrics = self.task.end_epoch(stop)
        if metrics is None:
            return False
        score = metrics.pop("score")
        better = self.best is None or _rank(score) < _rank(self.best["score"])
        if better:
            self.best = {"score": score, "epoch": self.epoch + 1, "checkpoint": name_of(self.step), "metrics": metrics}
        self._link()
        self.folder.write_metric(kind="epoch", step=self.step, epoch=self.epoch + 1, best=better, skipped=self.skipped,
                                 seconds=self.elapsed(), **metrics)
        progress.line(f"epoch {self.epoch + 1}/{self.task.epochs} {self.task.headline(metrics)} lr {metrics['lr']:.4g}"
                      f"{' (best)' if better else ''}")
        self.epoch += 1
        self.position = 0
        self.task.begin_epoch()
        self.checkpoint()
        return True

    def load_best(self):
        """Give the task the parameters of the best epoch; its name. CheckpointError when they are damaged."""
        self.task.load_parameters(read_checkpoint(self.folder.checkpoints, self.best["checkpoint"], self.run).arrays)
        return self.best["checkpoint"]


def _rank(score):
    """A score to minimise, with NaN behind every number."""
    return math.inf if math.isnan(score) else score

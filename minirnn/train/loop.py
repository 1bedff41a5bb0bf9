"""The loop: updates, rounds, phases, checkpoints, best so far, interruption; the same for every procedure."""

import time

from minirnn.errors import InputError
from minirnn.train.checkpoint import (
    CheckpointError,
    checkpoints,
    discard_old,
    fitting,
    hash_of,
    name_of,
    read_checkpoint,
    set_aside,
    write_checkpoint,
)
from minirnn.train.learner import NonFinite
from minirnn.train.procedure import Clock, Interrupted, rank
from minirnn.train.progress import Progress
from minirnn.train.state import join_state, restore, split_state, state_of

MOST_SKIPPED = 50  # non-finite updates in a row after which a run is given up


class Diverged(ArithmeticError):
    """Too many updates in a row were non-finite; the message says why and what may help."""


class Loop:
    """Trains ``procedure`` in the RunFolder ``folder`` (entered).

    Beside the ``clock`` it counts ``skipped`` updates and keeps the ``scores`` of the phase's rounds, ``best`` of them
    or None, and ``chain``, the hash over the parameters at every regular checkpoint, each linked to the one before. All
    are in every checkpoint, so an interrupted run ends as an uninterrupted one: bit for bit on a CPU.

        loop.best    # {"score": 75.3, "epoch": 4, "checkpoint": "step-000000336", "metrics": {"valid_loss": 4.3}}
    """

    def __init__(self, procedure, folder, out=None, quiet=False, snapshots=()):
        self.procedure, self.folder, self.phases = procedure, folder, procedure.phases()
        self.log_every, self.checkpoint_every = procedure.config.log_every, procedure.config.checkpoint_every
        self.out, self.quiet = out, quiet
        self.snapshots = snapshots  # the steps whose checkpoints are kept for good
        self.clock, self.skipped, self.skipped_in_a_row = Clock(), 0, 0
        self.scores, self.best, self.chain = [], None, ""
        self.seconds = self.update_seconds = 0.0  # since the start of the run, and in updates alone
        self.saved_step = None
        self.begin = time.monotonic()

    @property
    def phase(self):
        """The Phase the run is in."""
        return self.phases[self.clock.phase]

    def start(self):
        """Begin at the beginning, with a checkpoint of it."""
        self.folder.begin_metrics(None)
        self.phase.enter()
        self.checkpoint()

    def resume(self, say):
        """Continue from the newest usable checkpoint; ``say`` is told about each one that is not.

        Where step-000000500 is damaged the run goes on from step-000000420. InputError when there are checkpoints but
        none can be used, or metrics.jsonl was changed since.
        """
        reasons = []
        for name in checkpoints(self.folder.checkpoints):
            try:
                found = read_checkpoint(self.folder.checkpoints, name, self.folder.identity)
                with fitting(name):
                    self._load(found)
            except CheckpointError as error:
                reasons.append(str(error))
                say(f"checkpoint {error}; trying the one before it")
                continue
            self.folder.begin_metrics(found.state["metrics"])
            for bad in checkpoints(self.folder.checkpoints):
                if bad > name:
                    set_aside(self.folder.checkpoints, bad)
            self._discard_old()
            say(f"resuming at update {self.clock.step}, epoch {self.clock.rounds + 1}")
            return
        if reasons:
            raise InputError(f"run folder {self.folder.path}: no usable checkpoint: " + "; ".join(reasons))
        say("no checkpoint yet: starting from the beginning")
        self.start()

    def _load(self, found):
        state, clock = found.state, Clock()
        clock.load_state_dict(state["clock"])
        for phase in self.phases[: clock.phase + 1]:
            phase.enter()
        restore(self.procedure.parts(), join_state(found.arrays, state["parts"]))
        int(state["metrics"]["bytes"]), str(state["metrics"]["sha256"])  # or it is no checkpoint
        self.clock = clock
        self.skipped, self.skipped_in_a_row = int(state["skipped"]), int(state["skipped_in_a_row"])
        self.scores, self.best, self.chain = list(state["scores"]), state["best"], state["chain"]
        self.seconds, self.update_seconds = float(state["seconds"]), float(state["update_seconds"])
        self.saved_step = self.clock.step
        self.begin = time.monotonic()

    def checkpoint(self):
        """Write the state of this moment and delete what is neither a snapshot, nor the best, nor of the newest two."""
        arrays, parts = split_state(state_of(self.procedure.parts()))
        state = {
            "clock": self.clock.state_dict(), "skipped": self.skipped, "skipped_in_a_row": self.skipped_in_a_row,
            "scores": self.scores, "best": self.best, "chain": self.chain, "seconds": self.elapsed(),
            "update_seconds": self.update_seconds, "metrics": self.folder.metrics_state(), "parts": parts,
        }
        write_checkpoint(self.folder.checkpoints, self.clock.step, arrays, state, self.folder.identity)
        self.saved_step = self.clock.step
        self._discard_old()

    def _discard_old(self):
        best = [self.best["checkpoint"]] if self.best else []
        discard_old(self.folder.checkpoints, [*best, *map(name_of, self.snapshots)])

    def elapsed(self):
        """Seconds of training, those before an interruption included."""
        return self.seconds + time.monotonic() - self.begin

    def rate(self):
        """What is processed a second (the procedure's ``unit``), evaluations and checkpoints left out."""
        return self.clock.step * self.procedure.per_update / max(self.update_seconds, 1e-9)

    def over(self):
        """Whether the phase the run is in has ended."""
        clock, phase = self.clock, self.phase
        return clock.position == 0 and (clock.round >= phase.rounds or bool(phase.until(self.scores)))

    def train(self, stop):
        """Train to the end -> True, or to the update at which ``stop`` became true -> False, with a checkpoint.

        Raises Diverged (after a checkpoint) when updates stay non-finite, OSError naming the file on a full disk.
        """
        total = sum(phase.updates * phase.rounds for phase in self.phases)
        progress = Progress(total, self.clock.step, self.folder.path.name, self.out, self.quiet)
        self.procedure.stop = stop
        try:
            while True:
                while not self.over():
                    while self.clock.position < self.phase.updates and not stop:
                        self._update(progress)
                    if stop or not self._end_round(progress):
                        self.checkpoint()
                        return False
                if self.clock.phase + 1 == len(self.phases):
                    return True
                self._next_phase()
        finally:
            progress.close()

    def _next_phase(self):
        clock = self.clock
        clock.phase, clock.round, clock.began = clock.phase + 1, 0, clock.step
        self.scores, self.best = [], None
        self.phase.enter()
        self.checkpoint()

    def _update(self, progress):
        clock, skipped = self.clock, None
        begin = time.perf_counter()
        try:
            measured = self.phase.update(clock)
        except NonFinite as error:
            measured, skipped = {"loss": error.loss, "norm": error.norm}, error.operation
        self.update_seconds += time.perf_counter() - begin
        clock.position += 1
        clock.step += 1
        so_far = self.procedure.progress()
        progress.update(clock.rounds + 1, f"{self.rate():,.0f} {self.procedure.unit}/s", so_far)
        self._count_skipped(skipped, progress)
        if clock.step % self.log_every == 0:
            self.folder.write_metric(
                kind="train", step=clock.step, epoch=clock.rounds + 1, phase=self.phase.name, **measured,
                **{f"epoch_{name}": value for name, value in so_far.items()}, **self.procedure.rates(),
                **{f"{self.procedure.unit}_per_second": round(self.rate())},
            )
        if clock.position == self.phase.updates:
            return
        if clock.step % self.checkpoint_every == 0:
            self._link()
            self.checkpoint()
        elif clock.step in self.snapshots:
            self.checkpoint()

    def _count_skipped(self, skipped, progress):
        """Say, count and log an update that was not applied; give up after many in a row."""
        if skipped is None:
            self.skipped_in_a_row = 0
            return
        step = self.clock.step
        self.skipped += 1
        self.skipped_in_a_row += 1
        progress.line(f"update {step} skipped: {skipped}")
        self.folder.write_metric(kind="skipped", step=step, epoch=self.clock.rounds + 1, operation=skipped)
        if self.skipped_in_a_row >= MOST_SKIPPED:
            self.checkpoint()
            raise Diverged(
                f"{MOST_SKIPPED} updates in a row were not finite, the last because of: {skipped};"
                " a smaller --lr or --clip may help"
            )

    def _link(self):
        """Add the parameters of this moment to the hash chain."""
        self.chain = hash_of(self.procedure.parameters(), self.chain)
        self.folder.write_metric(kind="checkpoint", step=self.clock.step, chain=self.chain)

    def _end_round(self, progress):
        """Evaluate, note the best, begin the next round, checkpoint; False when asked to stop in the evaluation."""
        clock, phase = self.clock, self.phase
        try:
            metrics = dict(phase.evaluate(clock))
        except Interrupted:
            return False
        score, clock.rounds = metrics.pop("score", None), clock.rounds + 1
        self.scores.append(score)
        better = score is not None and (self.best is None or rank(score) < rank(self.best["score"]))
        if better:
            self.best = {"score": score, "epoch": clock.rounds, "checkpoint": name_of(clock.step), "metrics": metrics}
        self._link()
        self.folder.write_metric(kind="epoch", step=clock.step, epoch=clock.rounds, phase=phase.name, best=better,
                                 skipped=self.skipped, seconds=self.elapsed(), **metrics)
        made = self._attach()
        rounds = sum(each.rounds for each in self.phases)
        name = f", {phase.name}" if len(self.phases) > 1 else ""
        rates = " ".join(f"{rate} {value:.4g}" for rate, value in self.procedure.rates().items() if rate not in metrics)
        rates = f"lr {metrics['lr']:.4g}" if "lr" in metrics else rates
        words = in_words(self.procedure.shown, metrics)
        progress.line(f"epoch {clock.rounds}/{rounds}{name}: {words}, {rates}{' (best)' if better else ''}")
        if clock.rounds == rounds or clock.rounds & (clock.rounds - 1) == 0:  # after epochs 1, 2, 4, 8, ..., the last
            progress.show(made)
        clock.round, clock.position = clock.round + 1, 0
        self.checkpoint()
        return True

    def _attach(self):
        made = self.procedure.attachments(self.clock)
        for name, data in made.items():
            kept = self.folder.attach(name, self.clock.step, data)
            self.folder.write_metric(kind="attachment", step=self.clock.step, epoch=self.clock.rounds, **kept)
        return made

    def load_best(self):
        """Give the procedure the parts of the best round; CheckpointError when they are damaged."""
        found = read_checkpoint(self.folder.checkpoints, self.best["checkpoint"], self.folder.identity)
        with fitting(found.name):
            restore(self.procedure.parts(), join_state(found.arrays, found.state["parts"]))


def in_words(shown, measured):
    """({"valid_f1": ".2f"}, {"valid_f1": 81.234, "lr": 0.1}) -> "valid f1 81.23"; what was not measured is left out."""
    found = [(name, form) for name, form in shown.items() if isinstance(measured.get(name), (int, float))]
    return ", ".join(f"{name.replace('_', ' ')} {measured[name]:{form}}" for name, form in found)

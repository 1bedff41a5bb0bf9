"""One pool of threads for all tests, fixtures shared by the tests of training, and the mutation score."""

import json
import os
import signal

import pytest

from minirnn.models.language_model.task import LanguageModelConfig
from minirnn.threads import use_threads
from minirnn.train import execute
from minirnn.train.checkpoint import digest_of

# two pools of threads on two processors wait for each other; so do two test processes of two threads each
use_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else None)


def pytest_terminal_summary(terminalreporter):
    """The mutation score, at the end of every run that planted a bug."""
    outcomes = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            planted = dict(report.user_properties).get("mutant")
            if planted is not None and report.when == "call":
                outcomes[planted] = outcome == "passed"
    if outcomes:
        killed = sum(outcomes.values())
        terminalreporter.write_sep("=", f"mutation score: {killed} of {len(outcomes)} planted bugs found and named")
        for planted in sorted(name for name, found in outcomes.items() if not found):
            terminalreporter.write_line(f"survived: {planted}")


TEXT = "".join(
    f"{a} {b} went to the {c}\n"
    for a in ("ann", "bob", "cy")
    for b in ("and", "or")
    for c in ("sea", "old mill", "market", "house of glass")
)


@pytest.fixture(scope="session")
def config(tmp_path_factory):
    """A tiny character model on a tiny text: a hundred updates of a millisecond or two."""
    path = tmp_path_factory.mktemp("text") / "own.txt"
    path.write_text(TEXT * 12)
    return LanguageModelConfig.of(
        level="char", data="text", text=str(path), hidden=12, embedding=6, batch=4, window=20, epochs=2,
        optimizer="adam", lr=0.02, clip=5.0, schedule="plateau", rate=0.25, forward_dropout=(0.1, 0.2),
        kernels="explicit", init=0.1, log_every=5, checkpoint_every=7, seed=3,
    )


@pytest.fixture(scope="session")
def numbers():
    """numbers(result): what must be equal in equal runs, without the run's id, the clock and the bytes of metrics."""
    varying = ("run", "metrics", "seconds", "sha256")
    return lambda result: {key: value for key, value in result.items()
                           if key not in varying and not key.endswith("_per_second")}


@pytest.fixture(scope="session")
def reseal():
    """reseal(path, **changes) changes a JSON file of a run folder and gives it the right hash again."""

    def change(path, **changes):
        value = {**json.loads(path.read_text()), **changes}
        value.pop("sha256")
        path.write_text(json.dumps({**value, "sha256": digest_of(value)}))

    return change


@pytest.fixture
def small_work_is_shared_out_too(monkeypatch):
    """Kernels use all the threads they may, however little there is to do."""
    from minirnn.kernels import threads

    monkeypatch.setattr(threads, "OPERATIONS_WORTH_A_LAUNCH", 0)


@pytest.fixture
def stop_at_look(monkeypatch):
    """stop_at_look(n): from now on training is asked to stop when it looks for the n-th time, whichever run that is."""

    def install(looks, number=signal.SIGTERM):
        class Stop(execute.StopRequest):
            looked = 0

            def __bool__(self):
                Stop.looked += 1
                if Stop.looked == looks:
                    self.number = number
                return super().__bool__()

        monkeypatch.setattr(execute, "StopRequest", Stop)

    return install

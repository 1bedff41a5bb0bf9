"""The contract of training holds more than one model and one loss: two learners, a net that is replaced, a run that
starts from another. Each is interrupted at every update and resumed bit for bit."""

from dataclasses import dataclass

import numpy as np
import pytest

from minirnn import Tensor, grad, nn, ops
from minirnn.array import stream
from minirnn.errors import InputError
from minirnn.models import registry
from minirnn.train import Descent, Ingredient, Phase, Procedure, RunConfig, Tally, Values, option
from minirnn.train.config import from_presets
from minirnn.train.execute import execute, stored_config
from minirnn.train.run_folder import RunFolder


# ------------------------------------------------------------------------------- WGAN-GP: its model (lines are counted)
def mlp(sizes, rng):
    """Linear layers with leaky rectifiers between."""

    class Net(nn.Module):
        def __init__(self):
            for k, (a, b) in enumerate(zip(sizes, sizes[1:])):
                setattr(self, f"layer{k}", nn.Linear(a, b, rng=rng))

        def forward(self, x):
            *hidden, last = [layer for _, layer in self.named_children()]
            for layer in hidden:
                x = ops.leaky_relu(layer(x), 0.2)
            return last(x)

    return Net()


def gradient_penalty(critic, real, fake, u):
    """(|grad D(x)| - 1)^2 in the mean, x between real and fake."""
    between = Tensor(real + u * (fake - real), requires_grad=True)
    (g,) = grad(ops.sum(critic(between)), between, create_graph=True)
    norm = ops.sqrt(ops.sum(g * g, 1) + 1e-12)
    return ops.mean((norm - 1) * (norm - 1))


# ------------------------------------------------------------------------------------------------- WGAN-GP: its task
@dataclass(frozen=True)
class RingConfig(RunConfig):
    """WGAN-GP on a ring of eight Gaussians."""

    updates: int = option(4, least=1)
    rounds: int = option(2, least=1)
    critic_updates: int = option(3, least=1)
    batch: int = option(8, least=1)
    critic: Descent = Descent("adam", 1e-3, (0.5, 0.9), clip=None, schedule="constant")
    generator: Descent = Descent("adam", 1e-3, (0.5, 0.9), clip=None, schedule="constant")


class WganGp(Procedure):
    shown = {"critic": ".3f", "generator": ".3f"}

    def __init__(self, config):
        self.config, self.tally = config, Tally()
        self.generator = config.generator.learner(mlp((2, 8, 2), stream(config.seed, "generator")))
        self.critic = config.critic.learner(mlp((2, 8, 1), stream(config.seed, "critic")))

    def phases(self):
        return (Phase("adversarial", self.config.updates, self.config.rounds, self.update, self.evaluate),)

    def parts(self):
        return {"generator": self.generator, "critic": self.critic, "tally": self.tally}

    def made(self, draw, k):
        noise = draw("noise", k).standard_normal((self.config.batch, 2)).astype(np.float32)
        return self.generator.module(Tensor(noise))

    def critic_loss(self, draw, k):
        angle = 2 * np.pi * draw("data", k).integers(8, size=self.config.batch) / 8
        real = np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)
        fake, D = self.made(draw, k).detach(), self.critic.module
        u = draw("between", k).random((self.config.batch, 1)).astype(np.float32)
        return ops.mean(D(fake)) - ops.mean(D(Tensor(real))) + 10 * gradient_penalty(D, real, fake.value, u)

    def update(self, clock):
        draw = self.streams(clock)
        for k in range(self.config.critic_updates):
            critic, _ = self.critic.descend(lambda k=k: self.critic_loss(draw, k))
        fooled = lambda: -ops.mean(self.critic.module(self.made(draw, self.config.critic_updates)))
        generator, norm = self.generator.descend(fooled)
        self.tally.add(1, critic=critic, generator=generator)
        return {"critic": critic, "generator": generator, "norm": norm}

    def evaluate(self, clock):
        means = self.tally.means()
        self.tally.clear()
        return {"score": -means["critic"], **means}


# ------------------------------------------------------------------- a model whose encoder is replaced after a phase
@dataclass(frozen=True)
class StagesConfig(RunConfig):
    """Two phases: a trivial encoder until its second score, then one of another size."""

    descent: Descent = Descent("adam", 1e-2, schedule="constant")


class TwoStages(Procedure):
    shown = {"score": ".3f"}

    def __init__(self, config):
        self.config, self.head = config, nn.Linear(3, 2, rng=np.random.default_rng(5))

    def build(self, hidden):
        self.both = nn.Sequential(mlp((4, hidden, 3), np.random.default_rng(hidden)), self.head)
        self.learner = self.config.descent.learner(self.both)

    def parts(self):
        return {"model": self.learner}

    def phases(self):
        trivial = Phase("trivial", 3, 5, self.update, lambda clock: {"score": -clock.step},
                        until=lambda scores: len(scores) >= 2, enter=lambda: self.build(1))
        return trivial, Phase("full", 3, 2, self.update, enter=lambda: self.build(6))

    def update(self, clock):
        x = Tensor(self.streams(clock)("x").standard_normal((5, 4)).astype(np.float32))
        loss, norm = self.learner.descend(lambda: ops.mean(self.both(x) * self.both(x)))
        return {"loss": loss, "norm": norm, "in_phase": clock.in_phase}

    def test(self):
        return {"encoder": int(self.both.parameters()[0].shape[0])}


CASES = {"wgan-gp": (WganGp, RingConfig.of(log_every=1, checkpoint_every=3), 8),
         "two stages": (TwoStages, StagesConfig.of(log_every=1, checkpoint_every=4), 12)}


def run(make, config, path, fresh=True):
    """Train in folder ``path``, anew or on -> Outcome."""
    procedure = make(config)
    if fresh:
        folder = RunFolder.create(path.parent, path.name, stored_config("test", config, procedure))
    else:
        folder = RunFolder.open(path)
    with folder:
        return execute(folder, procedure, None, quiet=True, fresh=fresh)


@pytest.mark.parametrize("name", CASES)
def test_interrupted_at_every_update_and_resumed_is_the_uninterrupted_run(name, tmp_path, stop_at_look, numbers):
    make, config, updates = CASES[name]
    whole = run(make, config, tmp_path / "whole")
    lines = RunFolder.open(whole.path).read_metrics()
    assert whole.status == 0 and whole.result["updates"] == updates
    for at in range(updates):
        path = tmp_path / f"cut-{at}"
        stop_at_look(1 + at)
        cut = run(make, config, path)
        stop_at_look(10**9)
        assert cut.result is None and run(make, config, path, fresh=False).result is not None
        result = RunFolder.open(path).read_result()
        assert numbers(result) == numbers(whole.result)
        clock = ("seconds", "updates_per_second")
        again = RunFolder.open(path).read_metrics()
        assert [{k: v for k, v in line.items() if k not in clock} for line in again] == [
            {k: v for k, v in line.items() if k not in clock} for line in lines]


def test_phases_have_their_own_updates_scores_and_nets(tmp_path):
    make, config, _ = CASES["two stages"]
    outcome = run(make, config, tmp_path / "run")
    lines = RunFolder.open(outcome.path).read_metrics()
    assert [(line["phase"], line["epoch"]) for line in lines if line["kind"] == "epoch"] == [
        ("trivial", 1), ("trivial", 2), ("full", 3), ("full", 4)]
    assert [line["in_phase"] for line in lines if line["kind"] == "train"] == [*range(6), *range(6)]
    # the scores of the first phase are of another net: the second has none, so its last parameters are tested
    assert outcome.result["encoder"] == 6 and outcome.result["tested_parameters"] == "last"


class Early(TwoStages):
    """One phase that is over once four updates are made, which is in the middle of its second round."""

    def __init__(self, config):
        super().__init__(config)
        self.count = Values(made=0)

    def parts(self):
        return {**super().parts(), "count": self.count}

    def update(self, clock):
        self.count.made += 1
        return super().update(clock)

    def phases(self):
        return (Phase("only", 3, 5, self.update, until=lambda scores: self.count.made >= 4,
                      enter=lambda: self.build(2)),)


def test_a_round_that_was_begun_is_finished_also_by_a_resumed_run(tmp_path, stop_at_look, numbers):
    whole = run(Early, CASES["two stages"][1], tmp_path / "whole")
    assert whole.result["updates"] == 6 and whole.result["epochs"] == 2
    stop_at_look(7)  # before the sixth update: five are made, and a look at the end of each round
    assert run(Early, CASES["two stages"][1], tmp_path / "cut").result is None
    stop_at_look(10**9)
    assert numbers(run(Early, CASES["two stages"][1], tmp_path / "cut", fresh=False).result) == numbers(whole.result)


def test_each_learner_has_its_own_rate_and_options(tmp_path):
    config = RingConfig.of(**{"critic.lr": 4e-3, "generator.clip": 0.5, "updates": 1, "log_every": 1})
    assert (config.critic.lr, config.generator.lr, config.generator.clip) == (4e-3, 1e-3, 0.5)
    with pytest.raises(InputError, match="option must be one that this model has, got 'lr'; say which: critic.lr, gen"):
        RingConfig.of(lr=0.1)
    outcome = run(WganGp, config, tmp_path / "run")
    line = next(line for line in RunFolder.open(outcome.path).read_metrics() if line["kind"] == "train")
    assert (line["critic_lr"], line["generator_lr"]) == (4e-3, 1e-3)
    assert outcome.result["parameters"] == 2 * 8 + 8 + 8 * 2 + 2 + 2 * 8 + 8 + 8 + 1


# ------------------------------------------------------------------------------------ a run that starts from a run
class Tuned:
    """A registered model for tests: a language model that begins with the parameters of another run."""

    def __init__(self):
        self.lm = registry.task_of("char-lm")
        self.CONFIG, self.PRESETS = self.lm.CONFIG, {"tuned": {"quick": {}}}
        self.configure = from_presets(self.CONFIG, self.PRESETS)
        self.modules, self.wanted = self.lm.modules, {}

    def ingredients(self, config):
        return {"start": Ingredient("char-lm", {"preset": "quick", **self.wanted})}

    def make(self, config, folder=None, ingredients=None):
        task = self.lm.make(config, folder)
        task.model.load_state_dict(ingredients["start"].model.state_dict())
        return task


@pytest.fixture
def tuned(config, monkeypatch):
    """(the registered model, a configuration of it): the ingredient is the tiny run on the same text."""
    task, real = Tuned(), registry.stem_of
    tiny = {key: value for key, value in config.to_json().items() if key not in ("descent", "level")}
    task.wanted = {**tiny, "epochs": 1, "lr": 0.02}
    monkeypatch.setitem(registry.MODELS, "tuned", registry.Model("tuned", "a test", "03", ()))
    monkeypatch.setattr(registry, "stem_of", lambda name, stem: task if name == "tuned" else real(name, stem))
    return task, config.but(epochs=1, lr=1e-3, seed=8, batch=16)


def start(task, runs):
    """Train the ingredient where a run in ``runs`` looks for it -> its folder."""
    wanted = registry.configure("char-lm", "quick", **task.wanted)
    path = runs / registry.folder_name("char-lm", wanted)
    assert registry.run("char-lm", wanted.to_json(), path, quiet=True).status == 0
    return path


def test_a_run_starts_from_another_runs_model_and_resumes_anywhere(tuned, tmp_path, stop_at_look, numbers):
    task, config = tuned
    begun = registry.load(start(task, tmp_path)).model.state_dict()
    assert all(np.array_equal(begun[name], value)
               for name, value in registry.make("tuned", config, runs=tmp_path)[0].parameters().items())
    whole = registry.run("tuned", config.to_json(), tmp_path / "whole", quiet=True)
    for at in range(whole.result["updates"]):
        path = tmp_path / f"cut-{at}"
        stop_at_look(1 + at)
        assert registry.run("tuned", config.to_json(), path, quiet=True).result is None
        stop_at_look(10**9)
        assert numbers(registry.resume(path, quiet=True).result) == numbers(whole.result)


def test_ingredients_are_hashed_into_the_name_and_come_first(tuned, tmp_path):
    from minirnn.experiments.experiment import Experiment, Row, Scale
    from minirnn.experiments.jobs import jobs_of, run_jobs

    task, config = tuned
    before = registry.folder_name("tuned", config)
    task.wanted["lr"] = 0.01
    assert registry.folder_name("tuned", config) != before
    toy = Experiment("toy", "Toy", "tuned", (Row("a", {}), Row("b", {"seed": 9})), (), {"smoke": Scale({})},
                     lambda row, scale, seed: config.but(**row.settings))
    jobs = jobs_of(toy, "smoke", toy.rows, 1, tmp_path, registry)
    assert [job.row for job in jobs] == ["ingredient start of a", "a", "ingredient start of b", "b"]
    assert jobs[0].path == jobs[2].path and jobs[1].needs == (jobs[0].path,)
    assert run_jobs(jobs, quiet=True) == 0 and len({job.path for job in jobs}) == 3


def test_ingredients_that_cannot_be_used_are_refused(tuned, tmp_path, stop_at_look, reseal):
    task, config = tuned
    with pytest.raises(InputError, match="ingredient 'start': run must be in .*, got no run; train it first: minirnn"):
        registry.run("tuned", config.to_json(), tmp_path / "run", quiet=True)
    wanted = registry.configure("char-lm", "quick", **task.wanted)
    path = tmp_path / registry.folder_name("char-lm", wanted)
    stop_at_look(4)
    registry.run("char-lm", wanted.to_json(), path, quiet=True)
    stop_at_look(10**9)
    with pytest.raises(InputError, match="a finished run, got .*still training; go on with it: minirnn train --resume"):
        registry.run("tuned", config.to_json(), tmp_path / "run", quiet=True)
    registry.resume(path, quiet=True)
    stop_at_look(4)
    registry.run("tuned", config.to_json(), tmp_path / "run", quiet=True)
    stop_at_look(10**9)
    reseal(path / "config.json", run="another")  # as if it had been trained anew
    with pytest.raises(InputError, match="this run's, got another run's"):
        registry.resume(tmp_path / "run", quiet=True)
    reseal(path / "config.json", config=wanted.but(seed=77).to_json())
    with pytest.raises(InputError, match="a run of the same configuration, got another one"):
        registry.run("tuned", config.to_json(), tmp_path / "other", quiet=True)
    assert not (tmp_path / "other").exists()


# ------------------------------------------------------------------------------------------------- batch statistics
class Normalised(nn.Module):
    """A layer with a running mean, replaced in training as batch norm does."""

    def __init__(self):
        self.linear = nn.Linear(3, 1, rng=0)
        self.mean = Tensor(np.zeros(3, np.float32))

    def forward(self, x):
        if self.training:
            self.mean.value = (0.9 * self.mean.value + 0.1 * x.value.mean(0)).astype(np.float32)
        return self.linear(x - self.mean.value)


def test_a_nan_batch_leaves_parameters_optimiser_and_batch_statistics_as_they_were():
    from minirnn.train import NonFinite

    learner = Descent("adam", 1e-2).learner(Normalised())
    x = np.ones((4, 3), np.float32)
    loss = lambda array: lambda: ops.mean(learner.module(Tensor(array)) ** 2)
    learner.descend(loss(x))
    before = learner.state_dict()
    with pytest.raises(NonFinite) as found:
        learner.descend(loss(np.where(x == x[0, 0], np.float32(np.nan), x)))
    assert "non-finite value given by the caller" in found.value.operation and np.isnan(found.value.loss)
    after = learner.state_dict()
    assert before["module"]["mean"].any()
    for part in ("module", "optimizer"):
        for name, array in before[part].items():
            np.testing.assert_array_equal(after[part][name], array)
    assert all(p.grad is None for p in learner.module.parameters())
    learner.descend(loss(x))
    assert not np.array_equal(learner.state_dict()["module"]["mean"], before["module"]["mean"])


def test_a_loop_of_ones_own_is_two_lines():
    model = nn.Linear(3, 1, rng=0)
    learner = Descent("adam", 0.1, schedule="constant").learner(model)
    x = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)
    y = (x @ [1.0, -2.0, 0.5]).astype(np.float32)[:, None]
    for _ in range(200):
        last, _ = learner.descend(lambda: nn.mse_loss(model(x), y))
    assert last < 1e-4

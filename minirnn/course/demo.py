"""``minirnn demo``: prove an LSTM's gradients, train it with and without recurrent dropout, write a report."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from minirnn.errors import InputError
from minirnn.gradcheck import Verdict, report, suite
from minirnn.models import registry
from minirnn.models.language_model.sample import Options as Sample
from minirnn.models.language_model.sample import sample
from minirnn.options import option, read
from minirnn.plots import png
from minirnn.plots.curves import learning_curves
from minirnn.plots.page import Section, page, picture, text
from minirnn.plots.vcurve import v_curves
from minirnn.terminal import coloured, written
from minirnn.train.run_folder import RunFolder

# name -> what differs from the classroom recipe of thesis sec. 3.4.2
RUNS = {"no dropout": {}, "recurrent dropout": {"scheme": "ours", "rate": 0.25, "sampling": "per_step"}}
NEXT = """`. .venv/bin/activate` puts minirnn on the path; then
  minirnn chapters list                        the derivations, as notebooks: start with 00_start_here
  minirnn gradcheck --all                      the same proof for everything in the library
  minirnn gradcheck yours.py:forward,backward  and for your own code
  minirnn train char-lm --text FILE            your own text
  minirnn sample {run} --prime "the class"     more from the model just trained"""


@dataclass(frozen=True)
class Options:
    """Three minutes on two cores: (1) prove the LSTM's gradients three ways, (2) train the word language model of
    thesis sec. 3.4.2 at classroom scale on Python's own help texts, without and with recurrent dropout, (3) compare,
    sample, and write report.html. Interrupted or repeated, it goes on where it was.
    """

    runs: Path = option(Path("runs"), "where the folder demo/ is made", metavar="FOLDER")
    epochs: int = option(24, "epochs of each model")
    hidden: int = option(128, "units of the LSTM and size of the embedding")
    seed: int = option(0, "of weights, masks and sample")
    fresh: bool = option(False, "delete the folder demo/ of an earlier demo first")


def main(argv):
    options = read(Options, argv, "minirnn demo", Options.__doc__, ("minirnn demo",))
    if options is None:
        return 0
    start, folder = time.monotonic(), options.runs / "demo"
    configs = {name: _configuration(options, difference) for name, difference in RUNS.items()}  # or say what is wrong
    if options.fresh and folder.exists():
        _delete(folder)
    print("1/3  Is the gradient right? The LSTM by hand, by tape, by kernel, against measured slopes.\n", flush=True)
    row = suite.named("lstm")[0].run()
    print(coloured("\n".join(report.details(row))), "\n", sep="", flush=True)
    print("2/3  Does it learn? A word model of Python's own help texts, twice.\n", flush=True)
    outcomes = {}
    for name, config in configs.items():
        outcomes[name] = outcome = _train(folder, name, config)
        if outcome.status:
            return outcome.status
    path = _report(folder, row, outcomes, options.seed)
    print(f"\ndone in {time.monotonic() - start:.0f} s")
    written("report", path)
    print()
    print(NEXT.format(run=outcomes["recurrent dropout"].path))
    return 0 if row.verdict is Verdict.PASS else 1


def _delete(folder):
    """Remove an earlier demo; InputError for a folder that holds anything else."""
    strange = {p.name for p in folder.iterdir()} - {"report.html", *(n.replace(" ", "-") for n in RUNS)}
    if strange:
        raise InputError(
            f"demo: --fresh deletes {folder}, but it also holds {', '.join(sorted(strange))}; move that first"
        )
    shutil.rmtree(folder)


def _configuration(options, difference):
    return registry.configure("word-lm", "classroom", epochs=options.epochs, hidden=options.hidden,
                              embedding=options.hidden, seed=options.seed, **difference)


def _train(folder, name, config):
    """Train one of the two runs, go on with it, or take it as it is when it is complete."""
    path = folder / name.replace(" ", "-")
    if not path.exists():
        return registry.train("word-lm", config, folder, path.name)
    if registry.configuration("word-lm", RunFolder.open(path).config()["config"]) != config:
        raise InputError(
            f"demo: {path} was made with other options; add --fresh to delete it, or choose another --runs"
        )
    return registry.resume(path)


def _epochs(outcome):
    return [m for m in RunFolder.open(outcome.path).read_metrics() if m["kind"] == "epoch"]


def _report(folder, row, outcomes, seed):
    """Print the comparison and the sample, write report.html; its path."""
    print("\n3/3  What came out\n")
    results = {name: outcome.result for name, outcome in outcomes.items()}
    lines = [f"{'':<20}{'train':>8}{'valid':>8}{'test':>8}   perplexity (best epoch by validation)"]
    for name, outcome in outcomes.items():
        best = _epochs(outcome)[outcome.result["best_epoch"] - 1]
        numbers = (best["train_perplexity"], outcome.result["valid_perplexity"], outcome.result["test_perplexity"])
        lines.append(
            f"{name:<20}" + "".join(f"{n:>8.1f}" for n in numbers) + f"   epoch {outcome.result['best_epoch']}"
        )
    plain, dropped = (results[name]["valid_perplexity"] for name in RUNS)
    lines.append(f"claim: recurrent dropout lowers validation perplexity: {'held' if dropped < plain else 'NOT held'}"
                 f" ({plain:.1f} -> {dropped:.1f})")
    comparison = "\n".join(lines)
    asked = Sample(prime="the class", length=60, temperature=0.7, seed=seed)
    written = sample(registry.load(outcomes["recurrent dropout"].path), asked)["sample.txt"].decode()
    print(comparison, f"\nsample, temperature 0.7:\n{written}", sep="\n")
    curves = png(learning_curves({name: _epochs(outcome) for name, outcome in outcomes.items()}))
    finding = next(part.finding for part in row.parts if part.finding is not None)
    path = folder / "report.html"
    run = outcomes["recurrent dropout"].path
    path.write_text(_page(row, comparison, written, curves, png(v_curves(finding)), run), encoding="utf-8")
    return path


def _page(row, comparison, written, curves, vees, run):
    gradient = (
        "<p>Every slope of the LSTM was measured at many step sizes. To the right of each V the error is truncation, "
        "to the left rounding; the hand-derived gradient is compared with the bottom, the tape and the compiled kernel "
        "with the hand-derived one.</p>"
    )
    learning = (
        "<p>One LSTM layer on Python's help texts, the recipe of thesis sec. 3.4.2 at classroom scale, without and "
        "with recurrent dropout of the update, thesis (3.3.10).</p>"
    )
    details = "\n".join(report.details(row))
    return page("minirnn: proven, trained, compared", [
        Section("1. The gradient", gradient + picture(vees, "V-curves of the LSTM") + text(details)),
        Section("2. Learning", learning + picture(curves, "learning curves") + text(comparison)),
        Section("3. A sample", text(written)),
        Section("4. What next", text(NEXT.format(run=run))),
    ])

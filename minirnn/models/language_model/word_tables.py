"""Table 3.2 and Figure 3.2 of the thesis: word models of the Penn Treebank under recurrent and forward dropout."""

from dataclasses import replace

import numpy as np

from minirnn.experiments.dropout_rows import CLASSROOM, RECURRENT_ONLY, dropout_rows
from minirnn.experiments.experiment import Claim, Column, Experiment, Scale, configuring
from minirnn.models.language_model.task import configure
from minirnn.plots.curves import learning_curves

# Table 3.2, (valid, test) perplexity of Moon, Gal, Ours by (forward, rate, sampling)
NONE = {False: (130.0, 125.2), True: (94.1, 89.5)}
REPORTED = {
    (False, 0.25, "step"): ((113.0, 108.7), (119.8, 114.2), (106.1, 100.0)),
    (False, 0.5, "step"): ((124.0, 116.5), (118.3, 112.5), (102.8, 98.0)),
    (False, 0.25, "sequence"): ((121.0, 113.0), (120.5, 114.0), (106.3, 100.7)),
    (False, 0.5, "sequence"): ((137.7, 126.2), (125.2, 117.9), (103.2, 96.8)),
    (True, 0.25, "step"): ((113.5, 105.8), (92.9, 88.4), (91.6, 87.0)),
    (True, 0.5, "step"): ((140.6, 130.1), (98.6, 92.5), (100.6, 95.5)),
    (True, 0.25, "sequence"): ((105.7, 99.9), (94.5, 89.7), (92.4, 87.6)),
    (True, 0.5, "sequence"): ((125.4, 117.4), (98.4, 92.5), (107.8, 101.8)),
}


ROWS = dropout_rows(NONE, REPORTED)
FOUR = ("none", "ours-0.5-sequence", "forward", "forward-ours-0.25-step")


def within_four_percent(r):
    """The four rows named in FOUR: test perplexity within 4 % of the thesis's."""
    reported = {row.key: row.reported["test"] for row in ROWS}
    return all(abs(r(key, "test") / reported[key] - 1) <= 0.04 for key in FOUR)


CLAIMS = (
    Claim("Ours .25 per step beats no dropout", lambda r: r("ours-0.25-step", "valid") < r("none", "valid")),
    Claim("Ours .25 per step beats Moon .25 per step",
          lambda r: r("ours-0.25-step", "valid") < r("moon-0.25-step", "valid")),
    Claim("forward dropout alone beats every recurrent dropout alone",
          lambda r: all(r("forward", "valid") < r(key, "valid") for key in RECURRENT_ONLY)),
    Claim("forward + Ours .25 per step is at most 1 % worse than forward alone",
          lambda r: r("forward-ours-0.25-step", "valid") <= 1.01 * r("forward", "valid")),
    Claim("forward + Moon .25 per step is worse than forward alone",
          lambda r: r("forward-moon-0.25-step", "valid") > r("forward", "valid")),
)
PAPER_CLAIMS = (
    Claim("none, Ours .5 per sequence, forward, forward + Ours .25 per step: test within 4 % of the thesis",
          within_four_percent),
    Claim("the same four in the thesis's order",
          lambda r: r("none", "test") > r("ours-0.5-sequence", "test") > r("forward", "test")
          > r("forward-ours-0.25-step", "test")),
)
EPOCHS = 30  # at the preset's 14 every row's validation perplexity still falls, those with dropout fastest
PATIENCE = 4  # decision: a run that has not improved for so many epochs, each with a smaller step, is over


SCALES = {
    "smoke": Scale({"preset": "quick", "hidden": 8, "embedding": 8, "limit": 50, "window": 70, "epochs": 1}),
    "classroom": Scale({"preset": "classroom", "epochs": EPOCHS}, seeds=3, claims=CLAIMS, rows=CLASSROOM),
    "paper": Scale({"preset": "thesis", "patience": PATIENCE}, claims=PAPER_CLAIMS),
}
CURVE = ("train_perplexity", "valid_perplexity", "lr")
COLUMNS = (Column("valid", "valid_perplexity", ".1f"), Column("test", "test_perplexity", ".1f"))

TABLE = Experiment(
    name="table-3.2",
    title="Word language model: perplexity (thesis Table 3.2, sec. 3.4.2)",
    kind="word-lm",
    rows=ROWS,
    columns=COLUMNS,
    scales=SCALES,
    configure=configuring("word-lm", configure),
    curve=CURVE,
    notes=(
        "the thesis averages exp(loss) over chunks and adds 1e-6 to probabilities; ours is exp(total loss / tokens)",
        "classroom: Python's own help texts instead of the Penn Treebank",
    ),
)


def slower(r):
    """The mean over epochs of the training loss is higher with dropout."""
    with_, without = (np.log(r.epochs(key)["train_perplexity"]) for key in ("ours-0.25-step", "none"))
    return with_.mean() > without.mean()


FIGURE_CLAIMS = (
    Claim("Ours .25 per step learns more slowly: its training loss is higher in the mean of all epochs", slower),
    Claim("it ends with a higher training perplexity",
          lambda r: r.epochs("ours-0.25-step")["train_perplexity"][-1] > r.epochs("none")["train_perplexity"][-1]),
    Claim("and reaches a lower validation perplexity", lambda r: r("ours-0.25-step", "valid") < r("none", "valid")),
)


def draw(results):
    """Figure 3.2: training and validation perplexity of each epoch, without and with dropout."""
    named = {"none": "no dropout", "ours-0.25-step": "Ours .25 per step"}
    curves = {}
    for key, name in named.items():
        if results.runs.get(key):
            epochs = results.epochs(key)
            curves[name] = [{"epoch": n, **dict(zip(epochs, values))}
                            for n, values in enumerate(zip(*epochs.values()), 1)]
    return learning_curves(curves)


FIGURE = replace(
    TABLE,
    name="figure-3.2",
    title="Learning curves without and with recurrent dropout .25 per step (thesis Figure 3.2)",
    rows=tuple(row for row in ROWS if row.key in ("none", "ours-0.25-step")),
    scales={name: replace(scale, claims=() if name == "smoke" else FIGURE_CLAIMS, rows=())
            for name, scale in SCALES.items()},
    draw=draw,
    notes=(
        *TABLE.notes,
        'the text refers to it as "Fig. 5.10", a slip',
        "after the first epoch alone, at a learning rate that throws the loss about, either may be ahead",
    ),
)

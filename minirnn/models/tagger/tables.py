"""Table 3.4 of the thesis: taggers for the named entities of CoNLL-2003, F1 in per cent."""

import numpy as np

from minirnn.experiments.dropout_rows import CLASSROOM as COMPARED
from minirnn.experiments.dropout_rows import FORWARD, RECURRENT_ONLY, SCHEMES, dropout_rows
from minirnn.experiments.experiment import Claim, Column, Experiment, Row, Scale, configuring
from minirnn.models.tagger.task import configure

# Table 3.4, (valid, test) F1 of Moon, Gal, Ours by (forward, rate, sampling)
NONE = {False: (88.56, 84.46), True: (90.53, 86.99)}
REPORTED = {
    (False, 0.25, "step"): ((88.79, 84.80), (88.95, 84.34), (89.27, 84.78)),
    (False, 0.5, "step"): ((88.68, 84.43), (88.66, 84.33), (89.06, 84.39)),
    (False, 0.25, "sequence"): ((88.71, 84.33), (88.54, 84.88), (89.32, 84.95)),
    (False, 0.5, "sequence"): ((88.06, 83.92), (89.05, 84.22), (88.94, 84.32)),
    (True, 0.25, "step"): ((90.86, 87.19), (91.06, 87.05), (91.02, 87.03)),
    (True, 0.5, "step"): ((90.71, 87.03), (90.76, 87.23), (90.78, 87.31)),
    (True, 0.25, "sequence"): ((90.73, 87.32), (90.86, 86.89), (90.99, 87.33)),
    (True, 0.5, "sequence"): ((89.61, 86.39), (90.76, 86.68), (90.40, 86.82)),
}
# not in the table: what the window of words and the capitals bring, on top of forward dropout alone
WITHOUT = (
    Row("forward-kernel-1", {"forward_dropout": FORWARD, "rate": 0.0, "kernel": 1}),
    Row("forward-no-capitals", {"forward_dropout": FORWARD, "rate": 0.0, "capitals": False}),
)
ROWS = (*dropout_rows(NONE, REPORTED), *WITHOUT)


def mean(results, keys):
    """Mean validation F1 of several rows."""
    return float(np.mean([results(key, "valid") for key in keys]))


def of_scheme(scheme):
    """The rows of a scheme without forward dropout that are run at classroom scale."""
    return [key for key in RECURRENT_ONLY if key.startswith(scheme)]


CLAIMS = (
    Claim("forward dropout alone beats every recurrent dropout alone",
          lambda r: all(r("forward", "valid") > r(key, "valid") for key in RECURRENT_ONLY)),
    Claim("it gains at least twice what recurrent dropout gains in the mean of its rows",
          lambda r: r("forward", "valid") - r("none", "valid") >= 2 * (mean(r, RECURRENT_ONLY) - r("none", "valid"))),
    *(Claim(f"{scheme.capitalize()} .25 per step alone beats no dropout",
            lambda r, key=f"{scheme}-0.25-step": r(key, "valid") > r("none", "valid")) for scheme in SCHEMES),
    Claim("Gal and Ours alone are better than Moon in the means of their rows",
          lambda r: min(mean(r, of_scheme("gal")), mean(r, of_scheme("ours"))) > mean(r, of_scheme("moon"))),
    Claim("without the window of words (kernel 1) F1 is lower",
          lambda r: r("forward-kernel-1", "valid") < r("forward", "valid")),
    Claim("without classes of capitalisation F1 is lower",
          lambda r: r("forward-no-capitals", "valid") < r("forward", "valid")),
)

SMOKE = ("none", "ours-0.25-step", "forward", *(row.key for row in WITHOUT))

EXPERIMENT = Experiment(
    name="table-3.4",
    title="Named entity recognition: F1 of entities in per cent (thesis Table 3.4, sec. 3.4.4)",
    kind="tagger",
    rows=ROWS,
    columns=(Column("valid", "valid_f1"), Column("test", "test_f1")),
    scales={
        "smoke": Scale({"preset": "classroom", "hidden": 8, "filters": 8, "window_words": 6, "epochs": 1}, rows=SMOKE),
        "classroom": Scale({"preset": "classroom"}, seeds=3, claims=CLAIMS,
                           rows=(*COMPARED, *(row.key for row in WITHOUT))),
        "paper": Scale({"preset": "thesis"}, seeds=3, claims=CLAIMS),
    },
    configure=configuring("tagger", configure),
    curve=("train_loss", "valid_loss", "valid_f1"),
    notes=(
        "the parameters of the epoch with the best validation F1 are tested; the claims compare validation F1",
        "word vectors: 50-d GloVe 6B (a subset) in place of the thesis's word2vec; classroom: random ones",
        "classroom: the generated set ner-templates in place of CoNLL-2003",
        "classroom: recurrent dropout alone changes F1 by about as much as another seed does",
        "decided here: batch 32, clip 10, the layers' own initialisation, one window of each sentence an epoch",
    ),
)

EXPERIMENTS = {EXPERIMENT.name: EXPERIMENT}

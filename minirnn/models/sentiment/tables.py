"""Table 3.5 of the thesis: sentiment of tweets, three cells without and with recurrent dropout .25 (Ours, per step)."""

from minirnn.experiments.experiment import Claim, Column, Experiment, Row, Scale, configuring
from minirnn.models.sentiment.task import configure

# column: (the test set's name, F1 by cell at rates 0 and .25)
REPORTED = {
    "Tw13": ("twitter-2013", {"rnn": (67.54, 66.35), "lstm": (67.97, 69.11), "gru": (67.09, 69.04)}),
    "LJ14": ("livejournal-2014", {"rnn": (71.20, 67.70), "lstm": (69.82, 71.39), "gru": (70.80, 72.10)}),
    "Tw15": ("twitter-2015", {"rnn": (59.35, 59.91), "lstm": (57.84, 61.35), "gru": (59.07, 60.34)}),
    "Tw14": ("twitter-2014", {"rnn": (68.90, 67.76), "lstm": (67.95, 68.08), "gru": (67.02, 69.65)}),
    "SMS13": ("sms-2013", {"rnn": (64.51, 64.46), "lstm": (61.47, 65.45), "gru": (67.11, 65.73)}),
    "Sarc14": ("sarcasm-2014", {"rnn": (53.58, 48.74), "lstm": (53.49, 53.80), "gru": (51.01, 54.77)}),
}
HERE = ("Tw13", "Tw15", "Tw14", "Sarc14")  # the mean is over these
RATES = (0.0, 0.25)
NO_PRETRAINING = {"weak": "none", "weak_epochs": 0}


def rows():
    """One row a cell and rate, then the LSTM's two again without pretraining."""
    made = []
    for cell in ("rnn", "lstm", "gru"):
        for k, rate in enumerate(RATES):
            reported = {column: numbers[cell][k] for column, (_, numbers) in REPORTED.items()}
            reported["mean"] = sum(reported[column] for column in HERE) / len(HERE)
            made.append(Row(f"{cell}-{rate:g}", {"cell": cell, "rate": rate}, reported))
    plain = (Row(f"lstm-{rate:g}-labelled-only", {"cell": "lstm", "rate": rate, **NO_PRETRAINING}) for rate in RATES)
    return (*made, *plain)


def pretraining_helps(r):
    """The LSTM's rows, each against the same without pretraining."""
    return all(r(f"lstm-{rate:g}", "mean") > r(f"lstm-{rate:g}-labelled-only", "mean") for rate in RATES)


CLAIMS = (
    Claim("pretraining on weak labels helps the LSTM, without and with dropout", pretraining_helps),
    Claim("dropout .25 helps the LSTM", lambda r: r("lstm-0.25", "mean") > r("lstm-0", "mean")),
    Claim("dropout .25 helps the GRU", lambda r: r("gru-0.25", "mean") > r("gru-0", "mean")),
    Claim("dropout .25 does not help the vanilla RNN", lambda r: r("rnn-0.25", "mean") <= r("rnn-0", "mean")),
)

EXPERIMENT = Experiment(
    name="table-3.5",
    title="Sentiment of tweets: mean F1 of positive and negative (thesis Table 3.5, sec. 3.4.5)",
    kind="sentiment",
    rows=rows(),
    columns=(
        *(Column(column, f"f1_{test}") for column, (test, _) in REPORTED.items()),
        Column("mean", "test_f1"),
    ),
    scales={
        "smoke": Scale({"preset": "classroom", "hidden": 4, "epoch_updates": 2, "weak_epochs": 1, "epochs": 1}),
        "classroom": Scale({"preset": "classroom"}, seeds=4, claims=CLAIMS),
        "paper": Scale({"preset": "thesis"}, claims=CLAIMS),
    },
    configure=configuring("sentiment", configure),
    curve=("train_loss", "valid_f1"),
    notes=(
        "mean: over the test sets that are here; the thesis's over Tw13, Tw15, Tw14 and Sarc14",
        "SMS-2013 and LiveJournal-2014 are not to be had and stay empty",
        "classroom: generated sentences, 20,000 with weak labels (15 % wrong) and 300 with good ones, one test set;"
        " recurrent dropout alone, for with forward dropout the vanilla RNN learns nothing from so few weak updates",
        "classroom: pretraining leaves little to gain, what dropout gains the LSTM is less than the spread over seeds",
        "paper: the weak labels are VADER's positive and negative texts, not a million tweets with emoticons; 50 values"
        " a word vector, not 300",
    ),
)

EXPERIMENTS = {EXPERIMENT.name: EXPERIMENT}

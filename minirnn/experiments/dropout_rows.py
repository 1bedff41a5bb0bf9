"""The rows of Tables 3.2 to 3.4 of the thesis: every form of recurrent dropout, without and with forward dropout."""

from minirnn.experiments.experiment import SAMPLINGS, Row

SCHEMES = ("moon", "gal", "ours")
FORWARD = (0.2, 0.5)  # on the layer's input, before the output layer
# the rows of the classroom scale: those the claims compare
CLASSROOM = ("none", "ours-0.25-step", "moon-0.25-step", "gal-0.25-step", "ours-0.5-step", "ours-0.5-sequence",
             "moon-0.5-sequence", "gal-0.5-sequence", "forward", "forward-ours-0.25-step", "forward-gal-0.25-step",
             "forward-moon-0.25-step")
RECURRENT_ONLY = [key for key in CLASSROOM if not key.startswith("forward") and key != "none"]


def dropout_rows(none, reported, columns=("valid", "test")):
    """Rows of Tables 3.2 to 3.4: forward dropout off and on, each without and with every scheme, rate and sampling.

    none {forward: numbers}, reported {(forward, rate, sampling): numbers of Moon, Gal and Ours}: {(True, 0.25, "step"):
    three of them} makes "forward-moon-0.25-step", "forward-gal-0.25-step" and "forward-ours-0.25-step".
    """
    rows = []
    for forward, numbers in none.items():
        on = {"forward_dropout": FORWARD if forward else (0.0, 0.0)}
        rows.append(Row("forward" if forward else "none", {**on, "rate": 0.0}, dict(zip(columns, numbers))))
        for (with_forward, rate, word), by_scheme in reported.items():
            if with_forward == forward:
                for scheme, numbers_of in zip(SCHEMES, by_scheme):
                    key = ("forward-" if forward else "") + f"{scheme}-{rate}-{word}"
                    settings = {**on, "scheme": scheme, "rate": rate, "sampling": SAMPLINGS[word]}
                    rows.append(Row(key, settings, dict(zip(columns, numbers_of))))
    return tuple(rows)

"""Table 3.3 of the thesis: character models of the Penn Treebank, in bits per character."""

from minirnn.experiments.dropout_rows import dropout_rows
from minirnn.experiments.experiment import Claim, Column, Experiment, Scale, configuring
from minirnn.models.language_model.task import configure
from minirnn.models.language_model.word_tables import CURVE

# Table 3.3, (valid, test) bits per character of Moon, Gal, Ours by (forward, rate, sampling)
NONE = {False: (1.460, 1.457), True: (1.362, 1.326)}
REPORTED = {
    (False, 0.25, "step"): ((1.435, 1.394), (1.345, 1.308), (1.338, 1.301)),
    (False, 0.5, "step"): ((1.610, 1.561), (1.387, 1.348), (1.355, 1.316)),
    (False, 0.25, "sequence"): ((1.433, 1.390), (1.341, 1.304), (1.356, 1.319)),
    (False, 0.5, "sequence"): ((1.691, 1.647), (1.408, 1.369), (1.496, 1.450)),
    (True, 0.25, "step"): ((1.471, 1.428), (1.381, 1.344), (1.358, 1.321)),
    (True, 0.5, "step"): ((1.668, 1.622), (1.463, 1.425), (1.422, 1.380)),
    (True, 0.25, "sequence"): ((1.455, 1.413), (1.387, 1.348), (1.403, 1.363)),
    (True, 0.5, "sequence"): ((1.681, 1.637), (1.477, 1.435), (1.567, 1.522)),
}
ROWS = dropout_rows(NONE, REPORTED)
# the rows of the classroom scale: those the claims compare
CLASSROOM = ("none", "ours-0.25-step", "gal-0.25-step", "moon-0.25-step", "ours-0.5-step", "moon-0.5-step",
             "moon-0.5-sequence", "forward", "forward-ours-0.25-step", "forward-gal-0.25-step")
OURS_AND_GAL = ("ours-0.25-step", "gal-0.25-step")

TRAINED_ON = 150_000  # characters at classroom scale: few enough that training without dropout overfits

CLAIMS = (
    Claim("Ours and Gal .25 per step, without forward dropout, beat no dropout",
          lambda r: all(r(key, "valid") < r("none", "valid") for key in OURS_AND_GAL)),
    Claim("Ours and Gal .25 per step, without forward dropout, beat forward dropout alone",
          lambda r: all(r(key, "valid") < r("forward", "valid") for key in OURS_AND_GAL)),
    Claim("forward dropout on top makes Ours and Gal .25 per step worse",
          lambda r: all(r(f"forward-{key}", "valid") > r(key, "valid") for key in OURS_AND_GAL)),
    Claim("Ours .25 per step is the best of the rows compared",
          lambda r: r("ours-0.25-step", "valid") == min(r(key, "valid") for key in CLASSROOM)),
    Claim("Moon .5 is worse than no dropout, with both samplings",
          lambda r: all(r(f"moon-0.5-{word}", "valid") > r("none", "valid") for word in ("step", "sequence"))),
)

EXPERIMENT = Experiment(
    name="table-3.3",
    title="Character language model: bits per character (thesis Table 3.3, sec. 3.4.3)",
    kind="char-lm",
    rows=ROWS,
    columns=(Column("valid", "valid_bits", ".3f"), Column("test", "test_bits", ".3f")),
    scales={
        "smoke": Scale({"preset": "quick", "hidden": 8, "embedding": 8, "window": 200, "epochs": 1}),
        "classroom": Scale({"preset": "classroom", "train_tokens": TRAINED_ON, "epochs": 60, "lr": 5e-3}, seeds=3,
                           claims=CLAIMS, rows=CLASSROOM),
        "paper": Scale({"preset": "thesis"}, claims=CLAIMS),
    },
    configure=configuring("char-lm", configure),
    curve=CURVE,
    notes=(
        "batch size (32) and carrying the state over from chunk to chunk are decisions; the thesis gives neither",
        f"classroom: the first {TRAINED_ON:,} characters of Python's own help texts instead of the Penn Treebank, for"
        " 60 epochs with 2.5 times the preset's learning rate; of the whole text 128 units learn too little to overfit",
    ),
)

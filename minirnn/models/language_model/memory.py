"""The memory argument of thesis sec. 3.3 as an experiment: what evaluation with dropout does to an old memory.

A marker is written at step 0 into a cell whose gates are open, and its contribution to every later state is measured
in evaluation; then the cells of trained language models (those of Table 3.2) are compared between training and
evaluation.
"""

from dataclasses import replace

import numpy as np

from minirnn import bptt, data
from minirnn.array import Streams, to_cpu
from minirnn.autograd import no_grad
from minirnn.cells import LSTM, Masks, Weights
from minirnn.errors import InputError, must_be
from minirnn.experiments.experiment import SAMPLINGS, Claim, Column, Experiment, Row, configuring
from minirnn.models.language_model.model import detached
from minirnn.models.language_model.task import configure, load_corpus
from minirnn.models.language_model.word_tables import SCALES
from minirnn.nn import RecurrentDropout
from minirnn.nn.recurrent_dropout import of_piece
from minirnn.plots.memory import memory_curves

OPEN = 40.0  # bias of a gate: sigmoid(40) is 1 to the last bit of a float64
STEPS = 50


def marker(scheme, rate, steps=STEPS):
    """Contribution d c_t / d g_0 (steps,) of the first update to the cell at each later step, in evaluation.

    The LSTM's input, forget and output gates are 1, its update is its input (small, where tanh is the identity), and
    every mask is what evaluation puts in its place, keep, thesis (3.3.2). With a rate of 0.25 the first three are: Moon
    0.75, 0.5625, 0.4219, keep^(t+1) from thesis (3.3.14); Ours 0.75 throughout, from thesis (3.3.16); Gal 1.
    """
    weights = Weights(np.array([[0.0], [0.0], [1.0], [0.0]]), np.zeros((4, 1)), np.array([OPEN, OPEN, 0.0, OPEN]))
    masks = RecurrentDropout(scheme, rate).masks(None, steps, 1, 1, np.zeros(1), False) if rate else Masks()
    written = 1e-6
    x = np.zeros((steps, 1, 1))
    x[0] = written
    zero = np.zeros((1, 1))
    run = bptt.forward(LSTM(), x, (zero, zero), weights, masks, form="explicit")
    return np.array([state[0, 0] for state in run.states[1][1:]]) / written


def accumulate(scheme, updates, start, keep):
    """The cell after each step with every gate 1, in evaluation: updates (T, ...), start (...) -> (T, ...).

    Two updates of 1 from 0 with keep = 0.5 make 0.5, 0.75 with Moon, which scales the whole cell, thesis (3.3.11), so
    that what was written is scaled again at every later step, thesis (3.3.12)-(3.3.13); 0.5, 1 with Ours, which scales
    the update alone; 1, 2 with Gal, which scales neither. InputError for another scheme.
    """
    rules = {
        "moon": lambda h, g: keep * (h + g),  # thesis (3.3.11)
        "ours": lambda h, g: h + keep * g,
        "gal": lambda h, g: h + g,
    }
    if scheme not in rules:
        raise InputError(must_be("memory", "scheme", f"one of {', '.join(rules)}", repr(scheme)))
    cells = [start]
    for update in updates:
        cells.append(rules[scheme](cells[-1], update))
    return np.stack(cells[1:])


def closed_form(scheme, updates, start, keep):
    """The last state of ``accumulate`` as one sum; from 0 by two updates of 1 with keep = 0.5 it is 0.75, 1 or 2.

    thesis (3.3.14) for Moon, keep^(t+1) h_0 + sum_i keep^(t-i+1) g_i; thesis (3.3.16) for Ours, h_0 + keep sum_i g_i
    (it prints keep h_0; both are right for h_0 = 0).
    """
    if scheme == "moon":
        powers = keep ** np.arange(len(updates), 0, -1.0)
        return keep ** len(updates) * start + np.tensordot(powers, updates, 1)
    return start + (keep if scheme == "ours" else 1.0) * updates.sum(axis=0)


def log_slope(contribution):
    """Slope of the logarithm of a contribution over time, by least squares."""
    return float(np.polyfit(np.arange(len(contribution)), np.log(contribution), 1)[0])


def cell_norms(model, config, tokens, windows=8):
    """(evaluation, training): mean norm of the LSTM's cell at each step of a window, (window,) each.

    With a window of 35 the first number of each is over the first steps of all windows, to which the state is carried
    over from the window before. The masks of training are drawn afresh, at every step or once a window as in training,
    and the weights stay.
    """
    measured = []
    for training in (False, True):
        model.train() if training else model.eval()
        state, norms = None, []
        with no_grad():
            for number, (inputs, _) in enumerate(data.stream_batches(tokens, config.batch, config.window)):
                if number == windows:
                    break
                streams, of_window = Streams(config.seed, number), []
                for t in range(config.window):  # step by step: the layer returns the cell only at its last step
                    _, state = model(inputs[t : t + 1], state, streams=of_piece(streams, t, config.sampling))
                    state = detached(state)
                    of_window.append(np.linalg.norm(to_cpu(state[1].value)[0], axis=-1).mean())
                norms.append(of_window)
        measured.append(np.mean(norms, axis=0))
    model.eval()
    return tuple(measured)


def measure(run, folder=None):
    """Metrics of a Loaded run: the marker's log-slope in evaluation, and the trained cell, evaluation by training."""
    config = run.config
    contribution = marker(config.scheme, config.rate)
    evaluated, trained = cell_norms(run.model, config, load_corpus(config, folder).valid)
    return {
        "log_slope": log_slope(contribution),
        "marker": contribution.tolist(),
        "cell_ratio": float(evaluated[-1] / trained[-1]),
        "cell_ratio_by_step": (evaluated / trained).tolist(),
    }


def draw(results):
    """Left the marker's contribution over time, right the trained cells: norm in evaluation over norm in training."""
    runs = {key: found[0] for key, found in results.runs.items()}
    return memory_curves({key: run["marker"] for key, run in runs.items()},
                         {key: run["cell_ratio_by_step"] for key, run in runs.items()})


ROWS = tuple(  # rows of Table 3.2, whose runs are shared
    Row(f"{scheme}-{rate}-{word}", {"scheme": scheme, "rate": rate, "sampling": SAMPLINGS[word]}, {"log-slope": slope})
    for rate, word in ((0.25, "step"), (0.5, "sequence"))
    for scheme, slope in (("ours", 0.0), ("gal", 0.0), ("moon", float(np.log(1 - rate))))
)


def slopes_are_the_theory(r):
    """ln keep for Moon, 0 for Ours and Gal, to 1e-9."""
    return all(abs(r(row.key, "log-slope") - row.reported["log-slope"]) < 1e-9 for row in ROWS)


CLAIMS = (
    Claim("the log-slope of the marker's contribution is ln keep for Moon, 0 for Ours and Gal", slopes_are_the_theory,
          exact=True),
)
TRAINED_CLAIMS = (
    *CLAIMS,
    Claim("sampled per sequence, a trained cell loses more of its size in evaluation with Moon than with Ours",
          lambda r: r("moon-0.5-sequence", "eval/train") < r("ours-0.5-sequence", "eval/train")),
)

EXPERIMENT = Experiment(
    name="memory-scaling",
    title="What evaluation does to an old memory (thesis sec. 3.3, equations 3.3.11 to 3.3.16)",
    kind="word-lm",
    rows=ROWS,
    columns=(Column("log-slope", "log_slope", ".4f"), Column("eval/train", "cell_ratio", ".3f")),
    scales={name: replace(scale, claims=CLAIMS if name == "smoke" else TRAINED_CLAIMS, rows=())
            for name, scale in SCALES.items()},
    configure=configuring("word-lm", configure),
    measure=measure,
    kept=("marker", "cell_ratio_by_step"),
    draw=draw,
    notes=(
        "paper log-slope: the theory of 3.3.14 and 3.3.16 (3.3.16 prints keep times h_0 too; without effect, h_0 = 0)",
        "eval/train: mean norm of the trained model's cell at the last step of a window, evaluation over training;"
        " masks of the update add variance to the norm in training, so it may lie below 1 where the mean is kept",
    ),
)

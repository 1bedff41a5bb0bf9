"""Exercises of chapter 02d: LSTM and GRU."""

import numpy as np

from minirnn.cells import LSTM
from minirnn.cells.activations import sigmoid
from minirnn.course.exercises.checkers import Backward, StepBackward, from_finding
from minirnn.course.exercises.claims import Rubric
from minirnn.course.exercises.compare import difference
from minirnn.course.exercises.exercise import Exercise
from minirnn.course.exercises.hunting import Hunted
from minirnn.gradcheck import check_vjp


def lstm_memory(a, c_prev):
    """From the stacked pre-activations a (B, 4H), order i f g o, and c_prev (B, H): (h, c) of an LSTM step."""
    H = c_prev.shape[1]
    i, f, o = sigmoid(a[:, :H]), sigmoid(a[:, H : 2 * H]), sigmoid(a[:, 3 * H :])
    c = f * c_prev + i * np.tanh(a[:, 2 * H : 3 * H])
    return o * np.tanh(c), c


def gru_mix(z, h_prev, n):
    """h = (1 - z) h_prev + z n: how the thesis's GRU mixes old and new -> (B, H)."""
    return (1 - z) * h_prev + z * n


def minimal_unit(x, h_prev, W_f, U_f, W_n, U_n):
    """h = (1 - f) h_prev + f n with one gate f: x (B, D), h_prev (B, H), W (H, D), U (H, H) -> (B, H)."""
    f = sigmoid(x @ W_f.T + h_prev @ U_f.T)
    return (1 - f) * h_prev + f * np.tanh(x @ W_n.T + (f * h_prev) @ U_n.T)


UNIT = {"x": (3, 5), "h_prev": (3, 4), "W_f": (4, 5), "U_f": (4, 4), "W_n": (4, 5), "U_n": (4, 4)}


def unit_arguments(dtype=np.float64):
    """Random arguments of a minimal unit."""
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype(dtype) for shape in UNIT.values()]


def unit_forward(functions):
    """Whether the forward is the definition."""
    args = unit_arguments()
    return difference(functions["forward"](*args), minimal_unit(*args))


def unit_backward(functions):
    """Whether the backward is that of the definition."""
    finding = check_vjp(minimal_unit, functions["backward"], unit_arguments(), names=list(UNIT))
    return "; ".join(from_finding(finding, {"B": 3, "D": 5, "H": 4}).lines)


def unit_narrow(functions):
    """Whether float32 stays float32."""
    args = unit_arguments(np.float32)
    h = functions["forward"](*args)
    kinds = {str(np.asarray(a).dtype) for a in (h, *functions["backward"](np.ones((3, 4), np.float32), *args))}
    return "" if kinds == {"float32"} else f"of float32 arguments it makes {', '.join(sorted(kinds))}"


def unit_careful(functions):
    """Whether no argument is written into."""
    return "" if not any(f.written for f in functions.values()) else "an argument is written into"


EXERCISES = (
    Exercise(
        name="gru mix", title="The GRU's mix", kind="fill the step", stars=1,
        text="The GRU's mix (2.2.9): write `gru_mix_backward(dh, z, h_prev, n)` with one gradient for each argument.",
        hints=("Three products of dh; look at what each argument is multiplied with in (2.2.9).",
               "z stands in both terms, once with a minus.",
               "dz = dh (n - h_prev)."),
        answer="gru_mix_backward",
        starter='''
def gru_mix_backward(dh, z, h_prev, n):
    """Your turn: one of these is wrong."""
    return dh * n, dh * (1 - z), dh * z
''',
        solution='''
def gru_mix_backward(dh, z, h_prev, n):
    """(2.2.9): z has a part in both terms."""
    return dh * (n - h_prev), dh * (1 - z), dh * z
''',
        why=r"$z$ acts on both terms: $\delta z = \delta h\,(n - h_{t-1})$.",
        checker=Backward(gru_mix, {"z": (3, 4), "h_prev": (3, 4), "n": (3, 4)}, {"B": 3, "H": 4}, dy="dh"),
    ),
    Exercise(
        name="lstm memory", title="From the gates to the memory", kind="write it", stars=2,
        text="From the pre-activations to the state: write `lstm_memory_backward((dh, dc), a, c_prev)`, which returns "
             "`da, dc_prev`, for an LSTM, with `a` (B, 4H) stacked i f g o.",
        hints=("Make the gates again from a, then walk the forward lines from the last to the first.",
               "The memory hears from two sides: from the next step (dc) and through h (dh o (1 - tanh² c)). Add them.",
               "di = dc g, df = dc c_prev, dg = dc i, do = dh tanh c; then each times its own slope."),
        answer="lstm_memory_backward",
        starter='''
def lstm_memory_backward(dstate, a, c_prev):
    """Your turn: this is the output gate's part alone."""
    dh, dc = dstate
    a_i, a_f, a_g, a_o = np.split(a, 4, axis=1)
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
    do = dh * np.tanh(f * c_prev + i * g)
    nothing = np.zeros_like(c_prev)
    return np.concatenate([nothing, nothing, nothing, do * o * (1 - o)], axis=1), nothing
''',
        solution='''
def lstm_memory_backward(dstate, a, c_prev):
    """(2.2.6), (2.2.5) and the slopes of (2.2.4)."""
    dh, dc = dstate
    a_i, a_f, a_g, a_o = np.split(a, 4, axis=1)
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
    tanh_c = np.tanh(f * c_prev + i * g)
    dc = dc + dh * o * (1 - tanh_c**2)
    da = [dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dc * i * (1 - g**2), dh * tanh_c * o * (1 - o)]
    return np.concatenate(da, axis=1), dc * f
''',
        why="The table of the derivation without its last line.",
        checker=Backward(lstm_memory, {"a": (3, 16), "c_prev": (3, 4)}, {"B": 3, "H": 4}, dy="(dh, dc)"),
    ),
    Exercise(
        name="lstm step", title="A whole step back", kind="write it", stars=3,
        text="The backward of a whole LSTM step: `lstm_step_backward(dh, dc, x, h_prev, c_prev, i, f, g, o, tanh_c, "
             "weight_ih, weight_hh)` returns `dx, dh_prev, dc_prev, dweight_ih, dweight_hh, dbias`. It is run over a "
             "sequence, and what is wrong is named from the catalogue of mistakes.",
        hints=("The gates are given: start with do and dc, as in the exercise before.",
               "Stack da in the order i f g o; then it is the backward of an affine map with two inputs.",
               "dh_prev = da weight_hh, dc_prev = dc f with the full dc, dweight_hh = daᵀ h_prev."),
        answer="lstm_step_backward",
        starter='''
def lstm_step_backward(dh, dc, x, h_prev, c_prev, i, f, g, o, tanh_c, weight_ih, weight_hh):
    """Your turn: two mistakes from the catalogue are in here."""
    do = dh * tanh_c
    dc = dh * o * (1 - tanh_c**2)
    di, df, dg = dc * g, dc * c_prev, dc * i
    da = np.concatenate([di * i * (1 - i), df * f, dg * (1 - g**2), do * o * (1 - o)], axis=1)
    return da @ weight_ih, da @ weight_hh, dc * f, da.T @ x, da.T @ h_prev, da.sum(axis=0)
''',
        solution='''
def lstm_step_backward(dh, dc, x, h_prev, c_prev, i, f, g, o, tanh_c, weight_ih, weight_hh):
    """(2.2.6), (2.2.5), the slopes of (2.2.4), and the affine map before them."""
    do = dh * tanh_c
    dc = dc + dh * o * (1 - tanh_c**2)
    di, df, dg = dc * g, dc * c_prev, dc * i
    da = np.concatenate([di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)], axis=1)
    return da @ weight_ih, da @ weight_hh, dc * f, da.T @ x, da.T @ h_prev, da.sum(axis=0)
''',
        why="dc missed what the next step hands back, and the forget gate's slope is f (1 - f).",
        checker=StepBackward(LSTM()),
        seconds=20.0,
    ),
    Exercise(
        name="hunt lstm", title="Bug hunt: an LSTM", kind="bug hunt", stars=3,
        text="Choose a seed of your own. `hunt(\"lstm\", seed)` shows a backward in which one line is wrong; find it "
             "with `check_cell(h.problem, h.backward)` of `minirnn.gradcheck`. The answer is `(seed, line)`.",
        hints=("Print what check_cell says: which gates of which arrays are wrong?",
               "One gate wrong: look where its delta is made. All but o wrong: look at the memory's road.",
               "Compare each line with (2.2.4) to (2.2.6): which factor is not there, or not its own?"),
        answer="lstm_slip",
        starter='''
h = hunt("lstm", seed=1)
print(h)
lstm_slip = (1, 1)
''',
        solution='''
h = hunt("lstm", seed=1)
lstm_slip = next((h.seed, line) for line in range(1, 1 + len(h.source.splitlines())) if h.answer(line))
''',
        why="A machine tries every line; you read what gradcheck says.",
        checker=Hunted("lstm"),
    ),
    Exercise(
        name="one gate", title="Mini project: a cell with one gate", kind="mini project", stars=3,
        text=r"The minimal gated unit has one gate: $f = \sigma(W_f x + U_f h_{t-1})$, "
             r"$n = \tanh(W_n x + U_n (f \odot h_{t-1}))$, $h = (1 - f) \odot h_{t-1} + f \odot n$. Write "
             "`forward(x, h_prev, W_f, U_f, W_n, U_n)` and `backward(dh, x, h_prev, W_f, U_f, W_n, U_n)` for rows of a "
             "batch, W (H, D) and U (H, H). The rubric: the forward is the definition; the backward is its gradient; "
             "float32 stays float32; no argument is written into.",
        hints=("Name every line of the forward; walk the lines backward, one gradient for each name.",
               "f is used three times, in (1 - f) h, in f n and in f h: its gradient is a sum of three.",
               "h_prev hears from three places: directly by 1 - f, through U_f, and through f h behind U_n."),
        answer="unit",
        starter='''
def forward(x, h_prev, W_f, U_f, W_n, U_n):
    """Your turn: the gate is missing before U_n."""
    f = sigmoid(x @ W_f.T + h_prev @ U_f.T)
    return (1 - f) * h_prev + f * np.tanh(x @ W_n.T + h_prev @ U_n.T)


def backward(dh, x, h_prev, W_f, U_f, W_n, U_n):
    """Your turn."""
    return [np.zeros_like(a) for a in (x, h_prev, W_f, U_f, W_n, U_n)]


unit = {"forward": forward, "backward": backward}
''',
        solution='''
def forward(x, h_prev, W_f, U_f, W_n, U_n):
    """One gate for both tasks."""
    f = sigmoid(x @ W_f.T + h_prev @ U_f.T)
    n = np.tanh(x @ W_n.T + (f * h_prev) @ U_n.T)
    return (1 - f) * h_prev + f * n


def backward(dh, x, h_prev, W_f, U_f, W_n, U_n):
    """f receives from three places, h_prev from three paths."""
    f = sigmoid(x @ W_f.T + h_prev @ U_f.T)
    n = np.tanh(x @ W_n.T + (f * h_prev) @ U_n.T)
    da_n = dh * f * (1 - n * n)
    dreset = da_n @ U_n
    da_f = (dh * (n - h_prev) + dreset * h_prev) * f * (1 - f)
    dh_prev = dh * (1 - f) + dreset * f + da_f @ U_f
    return da_f @ W_f + da_n @ W_n, dh_prev, da_f.T @ x, da_f.T @ h_prev, da_n.T @ x, da_n.T @ (f * h_prev)


unit = {"forward": forward, "backward": backward}
''',
        why="Nothing is in it that (2.2.7) to (2.2.9) have not; one gate does the work of two.",
        checker=Rubric({"forward": "forward(x, h_prev, W_f, U_f, W_n, U_n)",
                        "backward": "backward(dh, x, h_prev, W_f, U_f, W_n, U_n)"},
                       {"the forward is the definition": unit_forward, "the backward is its gradient": unit_backward,
                        "float32 stays float32": unit_narrow, "no argument is written into": unit_careful}),
    ),
)

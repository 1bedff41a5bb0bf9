"""The workloads by name, their sizes, their data (the same arrays in every process) and their operation counts."""

from dataclasses import asdict, dataclass

import numpy as np

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
LAYERS = (  # B, T, D, H
    (32, 35, 256, 256),  # word language model
    (20, 35, 200, 200),
    (128, 20, 64, 64),
    (64, 50, 512, 512),
    (32, 100, 256, 1024),  # character language model
    (1, 100, 128, 128),
    (32, 400, 1, 128),  # long, one input
)
DROPOUT = 0.25  # rate of the workloads with recurrent dropout: of the update (ours), fresh masks at every step
GRID = [(B, T, H, H) for B in (1, 8, 32, 128) for H in (32, 64, 128, 256, 512, 1024) for T in (10, 100)]
CHAIN = 200  # additions in the workload of the tape
OVERHEAD = ("tape", "unroll")  # what is measured is the cost of recording, not that of the arithmetic

# Gradients of two libraries, relative to the largest entry of each array: sums over up to 12800 rows.
TOLERANCE = {"float32": 1e-4, "float64": 1e-10}
# PyTorch divides by norm + 1e-6 when it clips, and every norm here is above THRESHOLD: up to 1e-5 more.
CLIPPED_TOLERANCE = {"float32": 1.1e-4, "float64": 1.1e-5}


@dataclass(frozen=True)
class Workload:
    """One piece of work: ``kind`` says what is computed, ``sizes`` how large, ``dropout`` the recurrent dropout's rate.

    kind: a cell ("lstm", "gru", "rnn"; sizes B T D H), "lm" (V E H B T, optimizer), "softmax-xent" (N V),
    "embedding-gradient" (N V D), "tape" (size, operations), "unroll" (B T D H), "product" (N, a square matrix product).

    Recurrent dropout is minirnn's alone: a rival does the same work without it, and the gradients that are compared are
    those without it.
    """

    name: str
    kind: str
    sizes: dict
    dtype: str = "float32"
    dropout: float = 0.0

    @property
    def clock(self):
        """Overhead is always processor time; None where the one who asks chooses."""
        return "process" if self.kind in OVERHEAD else None

    @property
    def unit(self):
        """(what a figure means, how many of them are in a second, pieces of work in one step)."""
        return ("us per operation", 1e6, self.sizes["operations"]) if self.kind == "tape" else ("ms", 1e3, 1)

    @property
    def tolerance(self):
        """How far gradients of two libraries may lie apart."""
        return (CLIPPED_TOLERANCE if self.kind == "lm" else TOLERANCE)[self.dtype]

    @property
    def flops(self):
        """Floating-point operations of the matrix products, forward and backward; 0 where products are not the work."""
        s = self.sizes
        if self.kind in GATES:
            return layer_flops(self.kind, s["B"], s["T"], s["D"], s["H"])
        if self.kind == "lm":
            output = 3 * 2 * s["B"] * s["T"] * s["H"] * s["V"]
            return layer_flops("lstm", s["B"], s["T"], s["E"], s["H"]) + output
        return 2 * s["N"] ** 3 if self.kind == "product" else 0

    def as_json(self):
        """What a worker is told."""
        return asdict(self)


def layer_flops(cell, B, T, D, H):
    """2 for a multiply-add, 3 products (forward, input and weight gradient) for each of two weights. speed (G1)"""
    return 3 * 2 * B * T * GATES[cell] * H * (D + H)


def layer(cell, B, T, D, H, dtype="float32", dropout=0.0):
    """A recurrent layer, forward and backward with every gradient."""
    name = f"{cell}{'-dropout' if dropout else ''}_{B}_{T}_{D}_{H}"
    return Workload(name, cell, {"B": B, "T": T, "D": D, "H": H}, dtype, dropout)


def catalogue(dtype="float32", grid=False):
    """Every workload by name; ``grid`` adds the recurrent layers of all sizes."""
    sizes = [*LAYERS, *(GRID if grid else [])]
    word_lm = {"V": 10_000, "E": 256, "H": 256, "B": 32, "T": 35, "optimizer": "sgd"}
    others = [
        layer("lstm", *LAYERS[0], dtype, DROPOUT),
        layer("gru", *LAYERS[0], dtype, DROPOUT),
        Workload("word-lm", "lm", word_lm, dtype),
        Workload("word-lm-dropout", "lm", word_lm, dtype, DROPOUT),
        Workload("char-lm", "lm", {"V": 50, "E": 256, "H": 1024, "B": 32, "T": 100, "optimizer": "adam"}, dtype),
        Workload("softmax-xent", "softmax-xent", {"N": 1120, "V": 10_000}, dtype),
        Workload("embedding-gradient", "embedding-gradient", {"N": 1120, "V": 10_000, "D": 256}, dtype),
        Workload("tape-overhead", "tape", {"size": 10, "operations": CHAIN}, dtype),
        Workload("unroll-overhead", "unroll", {"B": 4, "T": 100, "D": 8, "H": 8}, dtype),
    ]
    return {w.name: w for w in [layer(c, *s, dtype) for c in GATES for s in sizes] + others}


LEARNING_RATE = {"sgd": 1.0, "adam": 1e-3}
THRESHOLD = 0.1  # of clipping: below the first gradient norms, so that every side really scales


def layer_data(w):
    """x (T, B, D), [weight_ih, weight_hh, bias_ih, bias_hh], dy (T, B, H)."""
    B, T, D, H = (w.sizes[letter] for letter in "BTDH")
    draw, rows = _draw(w), GATES[w.kind] * H
    weights = [draw(rows, D, scale=H**-0.5), draw(rows, H, scale=H**-0.5), draw(rows, scale=0.1), draw(rows, scale=0.1)]
    return draw(T, B, D), weights, draw(T, B, H) / B


def language_model_data(w):
    """[embedding (V, E), the LSTM's four, output weight (V, H) and bias (V,)], tokens (T, B), targets (T, B)."""
    V, E, H, B, T = (w.sizes[letter] for letter in "VEHBT")
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.uniform(-0.05, 0.05, shape).astype(w.dtype)
    parameters = [draw(V, E), draw(4 * H, E), draw(4 * H, H), draw(4 * H), draw(4 * H), draw(V, H), draw(V)]
    return parameters, rng.integers(0, V, (T, B)), rng.integers(0, V, (T, B))


def softmax_data(w):
    """logits (N, V), targets (N,)."""
    N, V = w.sizes["N"], w.sizes["V"]
    return _draw(w)(N, V), np.random.default_rng(1).integers(0, V, N)


def embedding_data(w):
    """table (V, D), ids (N,), dy (N, D)."""
    N, V, D = w.sizes["N"], w.sizes["V"], w.sizes["D"]
    draw = _draw(w)
    return draw(V, D), np.random.default_rng(1).integers(0, V, N), draw(N, D)


def tape_data(w):
    """Two arrays (size,)."""
    draw = _draw(w)
    return draw(w.sizes["size"]), draw(w.sizes["size"])


def unroll_data(w):
    """x (T, B, D), weight (H, D + H), h0 (B, H), dy (T, B, H)."""
    B, T, D, H = (w.sizes[letter] for letter in "BTDH")
    draw = _draw(w)
    return draw(T, B, D), draw(H, D + H, scale=H**-0.5), draw(B, H), draw(T, B, H)


def _draw(w):
    rng = np.random.default_rng(0)
    return lambda *shape, scale=1.0: (scale * rng.standard_normal(shape)).astype(w.dtype)

"""The same sources as plain Python (NUMBA_DISABLE_JIT=1) and with shorter vectors give the same numbers."""

import os
import subprocess
import sys

import numpy as np
import pytest

RUN = """
import sys
import numpy as np
from minirnn import kernels
dtype = sys.argv[2]
rng = np.random.default_rng(0)
T, B, D, H = 3, 4, 3, 18
draw = lambda *s: (0.5 * rng.standard_normal(s)).astype(dtype)
results = []
for name, K, options in (
    ("rnn", 1, {}), ("rnn", 1, {"nonlinearity": "relu"}), ("lstm", 4, {}), ("lstm", 4, {"activation": "relu"}),
    ("gru", 3, {}),
    ("gru", 3, {"convention": "slides"}), ("gru", 3, {"reset_after": True}),
):
    states = [draw(B, H) for _ in range(2 if name == "lstm" else 1)]
    known = {"rnn": "gal", "lstm": "gal moon ours zoneout_c zoneout_h", "gru": "gal moon ours zoneout_h"}[name]
    masks = {m: rng.integers(0, 2, (T, B, H)) for m in known.split()}
    weights = draw(K * H, D), draw(K * H, H), draw(K * H), draw(K * H)
    out = getattr(kernels, f"{name}_forward")(
        draw(T, B, D), *states, *weights, lengths=np.array([3, 1, 2, 3]), **masks, **options
    )
    gradients = getattr(kernels, f"{name}_backward")(out[-1], draw(T, B, H), *(draw(B, H) for _ in states))
    results += [*out[:-1], *gradients]
np.savez(sys.argv[1], *results)
"""


def results(path, dtype, **changes):
    subprocess.run(
        [sys.executable, "-c", RUN, str(path), dtype], check=True, env={**os.environ, **changes}, timeout=300
    )
    with np.load(path) as file:
        return [file[name] for name in file.files]


def assert_close(got, want, dtype):
    assert len(got) == len(want)
    for g, w in zip(got, want):
        assert g.dtype == w.dtype == dtype
        np.testing.assert_allclose(g, w, rtol=0, atol=(1e-12 if dtype == "float64" else 1e-5) * max(1, np.abs(w).max()))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_plain_python_gives_the_same(tmp_path, dtype):
    compiled = results(tmp_path / "compiled.npz", dtype)
    assert_close(results(tmp_path / "plain.npz", dtype, NUMBA_DISABLE_JIT="1"), compiled, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_vectors_of_32_bytes_give_the_same(tmp_path, dtype):
    """The tiles of a processor without AVX-512."""
    compiled = results(tmp_path / "compiled.npz", dtype)
    assert_close(results(tmp_path / "short.npz", dtype, MINIRNN_VECTOR_BYTES="32"), compiled, dtype)


def test_other_vector_sizes_are_refused():
    code = "import numpy as np, minirnn.kernels.packed"
    env = {**os.environ, "MINIRNN_VECTOR_BYTES": "48"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert "MINIRNN_VECTOR_BYTES must be 32 or 64, got '48'" in done.stderr

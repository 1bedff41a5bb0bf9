"""Writes torch_recurrent.npz: what PyTorch computes for 2-layer bidirectional LSTM, GRU and RNN, frozen once.

    python tests/nn/golden/make_torch_golden.py         (needs PyTorch; the tests only read the file it made)

For each layer: its state dict, an input, initial states, outputs, final states, and the gradients of
sum(y * cotangent) + sum(h_n * cotangent_h) with respect to the input, the initial state and every parameter.
"""

from pathlib import Path

import numpy as np
import torch

T, B, D, H = 5, 3, 4, 6


def freeze(name, make):
    torch.manual_seed(sum(map(ord, name)))
    layer = make(D, H, num_layers=2, bidirectional=True).double()
    x = torch.randn(T, B, D, dtype=torch.float64, requires_grad=True)
    h0 = torch.randn(4, B, H, dtype=torch.float64, requires_grad=True)
    c0 = torch.randn(4, B, H, dtype=torch.float64, requires_grad=True)
    state = (h0, c0) if name == "lstm" else h0
    y, final = layer(x, state)
    final = final if isinstance(final, tuple) else (final,)
    cotangents = [torch.randn_like(part) for part in (y, *final)]
    sum((part * c).sum() for part, c in zip((y, *final), cotangents)).backward()
    arrays = {f"{name}/param/{k}": v for k, v in layer.state_dict().items()}
    arrays |= {f"{name}/grad/{k}": p.grad for k, p in layer.named_parameters()}
    arrays |= {f"{name}/x": x, f"{name}/h0": h0, f"{name}/y": y, f"{name}/dx": x.grad, f"{name}/dh0": h0.grad}
    if name == "lstm":
        arrays |= {f"{name}/c0": c0, f"{name}/dc0": c0.grad}
    arrays |= {f"{name}/final{k}": part for k, part in enumerate(final)}
    arrays |= {f"{name}/cotangent{k}": c for k, c in enumerate(cotangents)}
    return {k: v.detach().numpy() for k, v in arrays.items()}


if __name__ == "__main__":
    frozen = {}
    for name, make in (("lstm", torch.nn.LSTM), ("gru", torch.nn.GRU), ("rnn", torch.nn.RNN)):
        frozen |= freeze(name, make)
    path = Path(__file__).with_name("torch_recurrent.npz")
    np.savez_compressed(path, torch_version=np.array(torch.__version__), **frozen)
    print(f"{path.name}: {len(frozen)} arrays, {path.stat().st_size} bytes, torch {torch.__version__}")

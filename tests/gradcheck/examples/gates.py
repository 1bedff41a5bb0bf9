"""An LSTM over a sequence with a matrix for each gate; backward gives a dictionary."""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def forward(xs, h0, c0, Wxi, Whi, bi, Wxf, Whf, bf, Wxo, Who, bo, Wxc, Whc, bc):
    h, c, hs, tape = h0, c0, [], []
    for x in xs:
        i = sigmoid(x @ Wxi + h @ Whi + bi)
        f = sigmoid(x @ Wxf + h @ Whf + bf)
        o = sigmoid(x @ Wxo + h @ Who + bo)
        g = np.tanh(x @ Wxc + h @ Whc + bc)
        c_new = f * c + i * g
        tape.append((x, h, c, i, f, o, g, c_new))
        c, h = c_new, o * np.tanh(c_new)
        hs.append(h)
    weights = {"Wxi": Wxi, "Whi": Whi, "Wxf": Wxf, "Whf": Whf, "Wxo": Wxo, "Who": Who, "Wxc": Wxc, "Whc": Whc}
    return np.stack(hs), h, c, {"tape": tape, "weights": weights, "bias": bi.shape}


def backward(dhs, dh, dc, cache):
    W = cache["weights"]
    grads = {"d" + name: np.zeros(w.shape) for name, w in W.items()}
    grads.update({"db" + gate: np.zeros(cache["bias"]) for gate in "ifoc"})
    dxs = []
    for t in reversed(range(len(cache["tape"]))):
        x, h, c, i, f, o, g, c_new = cache["tape"][t]
        dh = dh + dhs[t]
        dc = dc + dh * o * (1 - np.tanh(c_new) ** 2)
        da = {"i": dc * g * i * (1 - i), "f": dc * c * f * (1 - f), "o": dh * np.tanh(c_new) * o * (1 - o),
              "c": dc * i * (1 - g**2)}
        dx, dh = 0, 0
        for gate, d in da.items():
            grads["dWx" + gate] += x.T @ d
            grads["dWh" + gate] += h.T @ d
            grads["db" + gate] += d.sum(axis=0)
            dx, dh = dx + d @ W["Wx" + gate].T, dh + d @ W["Wh" + gate].T
        dxs.insert(0, dx)
        dc = dc * f
    return {"dxs": np.stack(dxs), "dh0": dh, "dc0": dc, **grads}

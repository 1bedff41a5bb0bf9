"""An LSTM over a sequence, time first, with one matrix over [1, x, h], gates i f o g; no states come in, y goes out."""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def forward(X, WLSTM):
    T, B, D = X.shape
    H = WLSTM.shape[1] // 4
    h, c, hs, kept = np.zeros((B, H)), np.zeros((B, H)), [], []
    for t in range(T):
        inside = np.concatenate([np.ones((B, 1)), X[t], h], axis=1)
        i, f, o, g = np.split(inside @ WLSTM, 4, axis=1)
        i, f, o, g = sigmoid(i), sigmoid(f), sigmoid(o), np.tanh(g)
        c_prev, c = c, f * c + i * g
        h = o * np.tanh(c)
        hs.append(h)
        kept.append((inside, i, f, o, g, c_prev, c))
    return np.array(hs), (kept, WLSTM)


def backward(dH, cache):
    kept, WLSTM = cache
    T, B, H = dH.shape
    D = WLSTM.shape[0] - H - 1
    dX, dW, dh, dc = np.zeros((T, B, D)), np.zeros(WLSTM.shape), 0, 0
    for t in reversed(range(T)):
        inside, i, f, o, g, c_prev, c = kept[t]
        dh = dh + dH[t]
        dc = dc + dh * o * (1 - np.tanh(c) ** 2)
        da = np.concatenate([dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dh * np.tanh(c) * o * (1 - o),
                             dc * i * (1 - g**2)], axis=1)
        dW += inside.T @ da
        dinside = da @ WLSTM.T
        dX[t], dh = dinside[:, 1 : D + 1], dinside[:, D + 1 :]
        dc = dc * f
    return dX, dW

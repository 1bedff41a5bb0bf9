"""A layer with gates f i g o and weights (in, hidden), batch first; its state stays in self if it is asked to."""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


class TimeLSTM:
    def __init__(self, Wx, Wh, b):
        self.params, self.grads = [Wx, Wh, b], [np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)]

    def forward(self, xs):
        Wx, Wh, b = self.params
        N, T, _ = xs.shape
        h, c = np.zeros((N, Wh.shape[0])), np.zeros((N, Wh.shape[0]))
        self.steps, hs = [], []
        for t in range(T):
            f, i, g, o = np.split(xs[:, t] @ Wx + h @ Wh + b, 4, axis=1)
            f, i, g, o = sigmoid(f), sigmoid(i), np.tanh(g), sigmoid(o)
            c_prev, c = c, f * c + i * g
            self.steps.append((xs[:, t], h, c_prev, f, i, g, o, c))
            h = o * np.tanh(c)
            hs.append(h)
        return np.stack(hs, axis=1)

    def backward(self, dhs):
        Wx, Wh, b = self.params
        for grad in self.grads:
            grad[...] = 0
        dh, dc, dxs = 0, 0, np.zeros((*dhs.shape[:2], Wx.shape[0]))
        for t in reversed(range(dhs.shape[1])):
            x, h, c_prev, f, i, g, o, c = self.steps[t]
            dh = dh + dhs[:, t]
            dc = dc + dh * o * (1 - np.tanh(c) ** 2)
            da = np.hstack((dc * c_prev * f * (1 - f), dc * g * i * (1 - i), dc * i * (1 - g**2),
                            dh * np.tanh(c) * o * (1 - o)))
            self.grads[0] += x.T @ da
            self.grads[1] += h.T @ da
            self.grads[2] += da.sum(axis=0)
            dxs[:, t], dh, dc = da @ Wx.T, da @ Wh.T, dc * f
        return dxs

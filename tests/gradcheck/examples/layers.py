"""Classes: state in self, gradients in attributes of their own, in dictionaries, in lists."""

import numpy as np


class Linear:
    """Gradients in dW and db, which add up."""

    def __init__(self, in_features, out_features):
        self.W = np.random.randn(out_features, in_features)
        self.b = np.random.randn(out_features)
        self.dW = np.zeros_like(self.W)
        self.db = np.zeros_like(self.b)

    def forward(self, x):
        self.x = x
        return x @ self.W.T + self.b

    def backward(self, dy):
        self.dW += dy.T @ self.x
        self.db += dy.sum(axis=0)
        return dy @ self.W


class Dense:
    """Weights made at the first call, parameters and gradients in dictionaries; forward keeps a history."""

    def __init__(self, n_out):
        self.n_out, self.parameters, self.gradients, self.X = n_out, {}, {}, []

    def forward(self, X):
        if not self.parameters:
            self.parameters = {"W": 0.3 * np.random.randn(X.shape[1], self.n_out), "b": np.ones((1, self.n_out))}
        Y = np.tanh(X @ self.parameters["W"] + self.parameters["b"])
        self.X.append((X, Y))
        return Y

    def backward(self, dLdY):
        X, Y = self.X.pop()
        dZ = dLdY * (1 - Y**2)
        self.gradients["W"] = X.T @ dZ
        self.gradients["b"] = dZ.sum(axis=0, keepdims=True)
        return dZ @ self.parameters["W"].T


class Affine:
    """Weights from outside, in a list params, with a list grads beside it."""

    def __init__(self, W, b):
        self.params = [W, b]
        self.grads = [np.zeros_like(W), np.zeros_like(b)]

    def forward(self, x):
        W, b = self.params
        self.x = x
        return x @ W + b

    def backward(self, dout):
        W, b = self.params
        self.grads[0][...] = self.x.T @ dout
        self.grads[1][...] = dout.sum(axis=0)
        return dout @ W.T


class Remembering:
    """An RNN step whose state lives in self, zeros at first."""

    def __init__(self, input_size, hidden_size):
        self.Wx = np.random.randn(input_size, hidden_size)
        self.Wh = np.random.randn(hidden_size, hidden_size)
        self.h = np.zeros(hidden_size)

    def forward(self, x):
        self.x, self.h_prev = x, np.broadcast_to(self.h, (len(x), len(self.Wh)))
        self.h = np.tanh(x @ self.Wx + self.h_prev @ self.Wh)
        return self.h

    def backward(self, dh):
        da = dh * (1 - self.h**2)
        self.dWx, self.dWh = self.x.T @ da, self.h_prev.T @ da
        self.dh = (da @ self.Wh.T).sum(axis=0)
        return da @ self.Wx.T


ready = Affine(np.ones((4, 3)), np.zeros(3))

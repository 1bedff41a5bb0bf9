"""Modules in the manner of PyTorch: parameters with data and grad, zero_grad."""

import numpy as np


class Parameter:
    def __init__(self, data):
        self.data, self.grad = data, None


class Module:
    def __call__(self, *args):
        return self.forward(*args)

    def parameters(self):
        for value in self.__dict__.values():
            if isinstance(value, Parameter):
                yield value
            elif isinstance(value, Module):
                yield from value.parameters()

    def zero_grad(self):
        for p in self.parameters():
            p.grad = np.zeros_like(p.data)


class Linear(Module):
    def __init__(self, in_features, out_features):
        self.weight = Parameter(np.random.uniform(-0.5, 0.5, (out_features, in_features)))
        self.bias = Parameter(np.random.uniform(-0.5, 0.5, out_features))

    def forward(self, x):
        self.x = x
        return x @ self.weight.data.T + self.bias.data

    def backward(self, dy):
        self.weight.grad += dy.T @ self.x
        self.bias.grad += dy.sum(axis=0)
        return dy @ self.weight.data


class Cell(Module):
    """One step; gates i f g o."""

    def __init__(self, input_size, hidden_size):
        self.weight_ih = Parameter(np.random.uniform(-0.5, 0.5, (4 * hidden_size, input_size)))
        self.weight_hh = Parameter(np.random.uniform(-0.5, 0.5, (4 * hidden_size, hidden_size)))
        self.bias = Parameter(np.random.uniform(-0.5, 0.5, 4 * hidden_size))

    def forward(self, x, h, c):
        a = x @ self.weight_ih.data.T + h @ self.weight_hh.data.T + self.bias.data
        i, f, g, o = np.split(a, 4, axis=1)
        i, f, g, o = 1 / (1 + np.exp(-i)), 1 / (1 + np.exp(-f)), np.tanh(g), 1 / (1 + np.exp(-o))
        c_new = f * c + i * g
        self.kept = x, h, c, i, f, g, o, np.tanh(c_new)
        return o * np.tanh(c_new), c_new

    def backward(self, dh, dc):
        x, h, c, i, f, g, o, tanh_c = self.kept
        dc = dc + dh * o * (1 - tanh_c**2)
        da = np.hstack([dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g**2), dh * tanh_c * o * (1 - o)])
        self.weight_ih.grad += da.T @ x
        self.weight_hh.grad += da.T @ h
        self.bias.grad += da.sum(axis=0)
        return da @ self.weight_ih.data, da @ self.weight_hh.data, dc * f

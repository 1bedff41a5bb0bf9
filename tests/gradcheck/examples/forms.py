"""Forms of the cells: an LSTM with peepholes, one with coupled gates, the GRU in its conventions; single steps."""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def peephole_forward(x, h, c, W, U, b, p_i, p_f, p_o):
    a_i, a_f, a_g, a_o = np.split(x @ W.T + h @ U.T + b, 4, axis=1)
    i, f, g = sigmoid(a_i + p_i * c), sigmoid(a_f + p_f * c), np.tanh(a_g)
    c_new = f * c + i * g
    o = sigmoid(a_o + p_o * c_new)
    return (o * np.tanh(c_new), c_new), (x, h, c, W, U, p_i, p_f, p_o, i, f, g, o, c_new)


def peephole_backward(d, cache):
    dh, dc = d
    x, h, c, W, U, p_i, p_f, p_o, i, f, g, o, c_new = cache
    da_o = dh * np.tanh(c_new) * o * (1 - o)
    dc = dc + dh * o * (1 - np.tanh(c_new) ** 2) + da_o * p_o
    da_i, da_f, da_g = dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g**2)
    da = np.hstack([da_i, da_f, da_g, da_o])
    peepholes = (da_i * c).sum(axis=0), (da_f * c).sum(axis=0), (da_o * c_new).sum(axis=0)
    return da @ W, da @ U, dc * f + da_i * p_i + da_f * p_f, da.T @ x, da.T @ h, da.sum(axis=0), *peepholes


def coupled_forward(x, h, c, W, U, b):
    i, o, g = np.split(x @ W.T + h @ U.T + b, 3, axis=1)
    i, o, g = sigmoid(i), sigmoid(o), np.tanh(g)
    c_new = (1 - i) * c + i * g
    return (o * np.tanh(c_new), c_new), (x, h, c, W, U, i, o, g, c_new)


def coupled_backward(d, cache):
    dh, dc = d
    x, h, c, W, U, i, o, g, c_new = cache
    dc = dc + dh * o * (1 - np.tanh(c_new) ** 2)
    da = np.hstack([dc * (g - c) * i * (1 - i), dh * np.tanh(c_new) * o * (1 - o), dc * i * (1 - g**2)])
    return da @ W, da @ U, dc * (1 - i), da.T @ x, da.T @ h, da.sum(axis=0)


def gru_forward(x, h, Wz, Wr, Wh, Uz, Ur, Uh, bz, br, bh):
    """The new state is (1 - z) h + z n."""
    z, r = sigmoid(x @ Wz + h @ Uz + bz), sigmoid(x @ Wr + h @ Ur + br)
    n = np.tanh(x @ Wh + (r * h) @ Uh + bh)
    return (1 - z) * h + z * n, (x, h, z, r, n, Wz, Wr, Wh, Uz, Ur, Uh)


def gru_backward(dh, cache):
    x, h, z, r, n, Wz, Wr, Wh, Uz, Ur, Uh = cache
    dz, dn = dh * (n - h) * z * (1 - z), dh * z * (1 - n**2)
    dreset = dn @ Uh.T
    dr = dreset * h * r * (1 - r)
    dprev = dh * (1 - z) + dreset * r + dz @ Uz.T + dr @ Ur.T
    dx = dz @ Wz.T + dr @ Wr.T + dn @ Wh.T
    return (dx, dprev, x.T @ dz, x.T @ dr, x.T @ dn, h.T @ dz, h.T @ dr, (r * h).T @ dn, dz.sum(0), dr.sum(0),
            dn.sum(0))


def gru_after_forward(x, h, W, U, b, c):
    """The new state is (1 - z) n + z h, the reset comes after the product; gates z r n."""
    (z, r, n), (hz, hr, hn) = np.split(x @ W.T + b, 3, axis=1), np.split(h @ U.T + c, 3, axis=1)
    z, r = sigmoid(z + hz), sigmoid(r + hr)
    n = np.tanh(n + r * hn)
    return (1 - z) * n + z * h, (x, h, W, U, z, r, n, hn)


def gru_after_backward(dh, cache):
    x, h, W, U, z, r, n, hn = cache
    dz, dn = dh * (h - n) * z * (1 - z), dh * (1 - z) * (1 - n**2)
    dr = dn * hn * r * (1 - r)
    da, db = np.hstack([dz, dr, dn]), np.hstack([dz, dr, dn * r])
    return da @ W, dh * z + db @ U, da.T @ x, db.T @ h, da.sum(axis=0), db.sum(axis=0)

"""A style with examples in columns and a dictionary of steps, in which the initial state is step -1."""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def _columns(*arrays):
    """Arrays whose last two axes change places: rows of examples as columns, and back."""
    return [np.swapaxes(a, -1, -2) for a in arrays]


def rnn_forward(x, h0, wx, wh, bx, bh):
    """A tanh layer."""
    xs, h0 = _columns(x, h0)
    hs = {-1: h0}
    for t in range(len(xs)):
        hs[t] = np.tanh(wx @ xs[t] + wh @ hs[t - 1] + (bx + bh)[:, None])
    ys, last = _columns(np.stack([hs[t] for t in range(len(xs))]), hs[len(xs) - 1])
    return (ys, last), (xs, hs)


def rnn_backward(dy, dh_T, cache, wx, wh, bx, bh):
    """Back through it."""
    xs, hs = cache
    dy, dhnext = _columns(dy, dh_T)
    dxs, dwx, dwh, dbx, dbh = (np.zeros_like(a) for a in (xs, wx, wh, bx, bh))
    for t in reversed(range(len(xs))):
        dh = dy[t] + dhnext
        dhraw = (1 - hs[t] * hs[t]) * dh
        dbx += np.sum(dhraw, axis=1)
        dbh += np.sum(dhraw, axis=1)
        dwx += dhraw @ xs[t].T
        dwh += dhraw @ hs[t - 1].T
        dxs[t] = wx.T @ dhraw
        dhnext = wh.T @ dhraw
    dx, dh0 = _columns(dxs, dhnext)
    return dx, dh0, dwx, dwh, dbx, dbh


def lstm_forward(x, h0, c0, wx, wh, bx, bh):
    """An LSTM with gates i, f, g, o."""
    xs, h0, c0 = _columns(x, h0, c0)
    hs, cs, gates = {-1: h0}, {-1: c0}, {}
    for t in range(len(xs)):
        a_i, a_f, a_g, a_o = np.split(wx @ xs[t] + wh @ hs[t - 1] + (bx + bh)[:, None], 4)
        i, f, g, o = gates[t] = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
        cs[t] = f * cs[t - 1] + i * g
        hs[t] = o * np.tanh(cs[t])
    ys, last, c = _columns(np.stack([hs[t] for t in range(len(xs))]), hs[len(xs) - 1], cs[len(xs) - 1])
    return (ys, last, c), (xs, hs, cs, gates)


def lstm_backward(dy, dh_T, dc_T, cache, wx, wh, bx, bh):
    """Back through it."""
    xs, hs, cs, gates = cache
    dy, dhnext, dcnext = _columns(dy, dh_T, dc_T)
    dxs, dwx, dwh, dbx, dbh = (np.zeros_like(a) for a in (xs, wx, wh, bx, bh))
    for t in reversed(range(len(xs))):
        i, f, g, o = gates[t]
        dh = dy[t] + dhnext
        s = np.tanh(cs[t])
        dc = dcnext + o * dh * (1 - s * s)
        da_i, da_f = g * dc * i * (1 - i), cs[t - 1] * dc * f * (1 - f)
        da_g, da_o = i * dc * (1 - g * g), s * dh * o * (1 - o)
        da = np.concatenate([da_i, da_f, da_g, da_o])
        dbx += np.sum(da, axis=1)
        dbh += np.sum(da, axis=1)
        dwx += da @ xs[t].T
        dwh += da @ hs[t - 1].T
        dxs[t] = wx.T @ da
        dhnext = wh.T @ da
        dcnext = f * dc
    dx, dh0, dc0 = _columns(dxs, dhnext, dcnext)
    return dx, dh0, dc0, dwx, dwh, dbx, dbh


def gru_forward(x, h0, wx, wh, bx, bh):
    """A GRU with gates r, z, n, the reset before the product, z the share of the new."""
    xs, h0 = _columns(x, h0)
    hs, gates = {-1: h0}, {}
    wr, wz, wn = np.split(wh, 3)
    for t in range(len(xs)):
        a_r, a_z, a_n = np.split(wx @ xs[t] + (bx + bh)[:, None], 3)
        r, z = sigmoid(a_r + wr @ hs[t - 1]), sigmoid(a_z + wz @ hs[t - 1])
        n = np.tanh(a_n + wn @ (r * hs[t - 1]))
        gates[t] = r, z, n
        hs[t] = hs[t - 1] + z * (n - hs[t - 1])
    ys, last = _columns(np.stack([hs[t] for t in range(len(xs))]), hs[len(xs) - 1])
    return (ys, last), (xs, hs, gates)


def gru_backward(dy, dh_T, cache, wx, wh, bx, bh):
    """Back through it."""
    xs, hs, gates = cache
    dy, dhnext = _columns(dy, dh_T)
    wr, wz, wn = np.split(wh, 3)
    dxs, dwx, dwh, dbx, dbh = (np.zeros_like(a) for a in (xs, wx, wh, bx, bh))
    for t in reversed(range(len(xs))):
        r, z, n = gates[t]
        h = hs[t - 1]
        dh = dy[t] + dhnext
        da_n = z * dh * (1 - n * n)
        drh = wn.T @ da_n
        da_z = (n - h) * dh * z * (1 - z)
        da_r = h * drh * r * (1 - r)
        da = np.concatenate([da_r, da_z, da_n])
        dbx += np.sum(da, axis=1)
        dbh += np.sum(da, axis=1)
        dwx += da @ xs[t].T
        dwh += np.concatenate([da_r @ h.T, da_z @ h.T, da_n @ (r * h).T])
        dxs[t] = wx.T @ da
        dhnext = (1 - z) * dh + r * drh + wr.T @ da_r + wz.T @ da_z
    dx, dh0 = _columns(dxs, dhnext)
    return dx, dh0, dwx, dwh, dbx, dbh


def gru_reset_after_forward(x, h0, wx, wh, bx, bh):
    """A GRU with gates r, z, n, the reset after the product, z the share of the old."""
    xs, h0 = _columns(x, h0)
    hs, gates = {-1: h0}, {}
    for t in range(len(xs)):
        a_r, a_z, a_n = np.split(wx @ xs[t] + bx[:, None], 3)
        b_r, b_z, m = np.split(wh @ hs[t - 1] + bh[:, None], 3)
        r, z = sigmoid(a_r + b_r), sigmoid(a_z + b_z)
        n = np.tanh(a_n + r * m)
        gates[t] = r, z, n, m
        hs[t] = n + z * (hs[t - 1] - n)
    ys, last = _columns(np.stack([hs[t] for t in range(len(xs))]), hs[len(xs) - 1])
    return (ys, last), (xs, hs, gates)


def gru_reset_after_backward(dy, dh_T, cache, wx, wh, bx, bh):
    """Back through it."""
    xs, hs, gates = cache
    dy, dhnext = _columns(dy, dh_T)
    dxs, dwx, dwh, dbx, dbh = (np.zeros_like(a) for a in (xs, wx, wh, bx, bh))
    for t in reversed(range(len(xs))):
        r, z, n, m = gates[t]
        dh = dy[t] + dhnext
        da_n = (1 - z) * dh * (1 - n * n)
        da_z = (hs[t - 1] - n) * dh * z * (1 - z)
        da_r = m * da_n * r * (1 - r)
        dm = r * da_n
        dax = np.concatenate([da_r, da_z, da_n])
        dah = np.concatenate([da_r, da_z, dm])
        dbx += np.sum(dax, axis=1)
        dbh += np.sum(dah, axis=1)
        dwx += dax @ xs[t].T
        dwh += dah @ hs[t - 1].T
        dxs[t] = wx.T @ dax
        dhnext = z * dh + wh.T @ dah
    dx, dh0 = _columns(dxs, dhnext)
    return dx, dh0, dwx, dwh, dbx, dbh

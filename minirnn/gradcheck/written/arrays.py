"""A style that keeps every quantity of every step in one array, and writes what goes back into arrays too."""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def rnn_forward(x, h0, wx, wh, bx, bh):
    """A tanh layer."""
    T, B, H = len(x), *h0.shape
    h = np.zeros((T + 1, B, H))
    h[0] = h0
    for t in range(T):
        h[t + 1] = np.tanh(x[t] @ wx.T + h[t] @ wh.T + bx + bh)
    return (h[1:], h[T]), (x, h)


def rnn_backward(dy, dh_T, cache, wx, wh, bx, bh):
    """Back through it."""
    x, h = cache
    T = len(x)
    da, dh = np.zeros_like(dy), np.zeros_like(h)
    dh[T] = dh_T
    dwh = np.zeros_like(wh)
    for t in reversed(range(T)):
        dh[t + 1] += dy[t]
        da[t] = dh[t + 1] * (1 - h[t + 1] ** 2)
        dwh += da[t].T @ h[t]
        dh[t] = da[t] @ wh
    db = da.sum(axis=(0, 1))
    dwx = np.tensordot(da, x, axes=((0, 1), (0, 1)))
    return da @ wx, dh[0], dwx, dwh, db, db.copy()


def lstm_forward(x, h0, c0, wx, wh, bx, bh):
    """An LSTM with gates i, f, g, o."""
    T, B, H = len(x), *h0.shape
    h, c = np.zeros((T + 1, B, H)), np.zeros((T + 1, B, H))
    i, f, g, o = (np.zeros((T, B, H)) for _ in range(4))
    h[0], c[0] = h0, c0
    for t in range(T):
        a = x[t] @ wx.T + h[t] @ wh.T + bx + bh
        i[t] = sigmoid(a[:, :H])
        f[t] = sigmoid(a[:, H : 2 * H])
        g[t] = np.tanh(a[:, 2 * H : 3 * H])
        o[t] = sigmoid(a[:, 3 * H :])
        c[t + 1] = f[t] * c[t] + i[t] * g[t]
        h[t + 1] = o[t] * np.tanh(c[t + 1])
    return (h[1:], h[T], c[T]), (x, h, c, i, f, g, o)


def lstm_backward(dy, dh_T, dc_T, cache, wx, wh, bx, bh):
    """Back through it."""
    x, h, c, i, f, g, o = cache
    T, B, H = i.shape
    da = np.zeros((T, B, 4 * H))
    dh, dc = np.zeros_like(h), np.zeros_like(c)
    dh[T], dc[T] = dh_T, dc_T
    dwh = np.zeros_like(wh)
    for t in range(T - 1, -1, -1):
        dh[t + 1] += dy[t]
        tanh_c = np.tanh(c[t + 1])
        dc[t + 1] += dh[t + 1] * o[t] * (1 - tanh_c**2)
        da[t, :, :H] = dc[t + 1] * g[t] * i[t] * (1 - i[t])
        da[t, :, H : 2 * H] = dc[t + 1] * c[t] * f[t] * (1 - f[t])
        da[t, :, 2 * H : 3 * H] = dc[t + 1] * i[t] * (1 - g[t] ** 2)
        da[t, :, 3 * H :] = dh[t + 1] * tanh_c * o[t] * (1 - o[t])
        dwh += da[t].T @ h[t]
        dh[t] = da[t] @ wh
        dc[t] = dc[t + 1] * f[t]
    db = da.sum(axis=(0, 1))
    dwx = np.tensordot(da, x, axes=((0, 1), (0, 1)))
    return da @ wx, dh[0], dc[0], dwx, dwh, db, db.copy()


def gru_forward(x, h0, wx, wh, bx, bh):
    """A GRU with gates r, z, n, the reset before the product, z the share of the new."""
    T, B, H = len(x), *h0.shape
    h = np.zeros((T + 1, B, H))
    r, z, n = (np.zeros((T, B, H)) for _ in range(3))
    h[0] = h0
    for t in range(T):
        a = x[t] @ wx.T + bx + bh
        r[t] = sigmoid(a[:, :H] + h[t] @ wh[:H].T)
        z[t] = sigmoid(a[:, H : 2 * H] + h[t] @ wh[H : 2 * H].T)
        n[t] = np.tanh(a[:, 2 * H :] + (r[t] * h[t]) @ wh[2 * H :].T)
        h[t + 1] = (1 - z[t]) * h[t] + z[t] * n[t]
    return (h[1:], h[T]), (x, h, r, z, n)


def gru_backward(dy, dh_T, cache, wx, wh, bx, bh):
    """Back through it."""
    x, h, r, z, n = cache
    T, B, H = r.shape
    da, dh, dwh = np.zeros((T, B, 3 * H)), np.zeros_like(h), np.zeros_like(wh)
    dh[T] = dh_T
    for t in range(T - 1, -1, -1):
        dh[t + 1] += dy[t]
        da_n = dh[t + 1] * z[t] * (1 - n[t] ** 2)
        dreset = da_n @ wh[2 * H :]
        da[t, :, :H] = dreset * h[t] * r[t] * (1 - r[t])
        da[t, :, H : 2 * H] = dh[t + 1] * (n[t] - h[t]) * z[t] * (1 - z[t])
        da[t, :, 2 * H :] = da_n
        dwh[: 2 * H] += da[t, :, : 2 * H].T @ h[t]
        dwh[2 * H :] += da_n.T @ (r[t] * h[t])
        dh[t] = dh[t + 1] * (1 - z[t]) + dreset * r[t] + da[t, :, : 2 * H] @ wh[: 2 * H]
    db = da.sum(axis=(0, 1))
    dwx = np.tensordot(da, x, axes=((0, 1), (0, 1)))
    return da @ wx, dh[0], dwx, dwh, db, db.copy()


def gru_reset_after_forward(x, h0, wx, wh, bx, bh):
    """A GRU with gates r, z, n, the reset after the product, z the share of the old."""
    T, B, H = len(x), *h0.shape
    h = np.zeros((T + 1, B, H))
    r, z, n, m = (np.zeros((T, B, H)) for _ in range(4))
    h[0] = h0
    for t in range(T):
        ax, ah = x[t] @ wx.T + bx, h[t] @ wh.T + bh
        r[t] = sigmoid(ax[:, :H] + ah[:, :H])
        z[t] = sigmoid(ax[:, H : 2 * H] + ah[:, H : 2 * H])
        m[t] = ah[:, 2 * H :]
        n[t] = np.tanh(ax[:, 2 * H :] + r[t] * m[t])
        h[t + 1] = (1 - z[t]) * n[t] + z[t] * h[t]
    return (h[1:], h[T]), (x, h, r, z, n, m)


def gru_reset_after_backward(dy, dh_T, cache, wx, wh, bx, bh):
    """Back through it."""
    x, h, r, z, n, m = cache
    T, B, H = r.shape
    dax, dah = np.zeros((T, B, 3 * H)), np.zeros((T, B, 3 * H))
    dh, dwh = np.zeros_like(h), np.zeros_like(wh)
    dh[T] = dh_T
    for t in range(T - 1, -1, -1):
        dh[t + 1] += dy[t]
        da_n = dh[t + 1] * (1 - z[t]) * (1 - n[t] ** 2)
        dax[t, :, :H] = da_n * m[t] * r[t] * (1 - r[t])
        dax[t, :, H : 2 * H] = dh[t + 1] * (h[t] - n[t]) * z[t] * (1 - z[t])
        dax[t, :, 2 * H :] = da_n
        dah[t] = dax[t]
        dah[t, :, 2 * H :] = da_n * r[t]
        dwh += dah[t].T @ h[t]
        dh[t] = dh[t + 1] * z[t] + dah[t] @ wh
    dwx = np.tensordot(dax, x, axes=((0, 1), (0, 1)))
    return dax @ wx, dh[0], dwx, dwh, dax.sum(axis=(0, 1)), dah.sum(axis=(0, 1))

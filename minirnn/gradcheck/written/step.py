"""The style of many courses: a loop over steps, a cache of each, one stacked pre-activation."""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def rnn_forward(x, h, wx, wh, bx, bh):
    """A tanh layer."""
    ys, cache = [], []
    for t in range(len(x)):
        old = h
        h = np.tanh(x[t] @ wx.T + old @ wh.T + bx + bh)
        ys.append(h)
        cache.append((x[t], old, h))
    return (np.stack(ys), h), cache


def rnn_backward(dy, dh, cache, wx, wh, bx, bh):
    """Back through it."""
    dx = np.zeros((len(cache), *cache[0][0].shape))
    dwx, dwh, dbx, dbh = np.zeros_like(wx), np.zeros_like(wh), np.zeros_like(bx), np.zeros_like(bh)
    for t in reversed(range(len(cache))):
        x, old, h = cache[t]
        dh = dh + dy[t]
        da = dh * (1 - h**2)
        dx[t] = da @ wx
        dwx += da.T @ x
        dwh += da.T @ old
        dbx += da.sum(0)
        dbh += da.sum(0)
        dh = da @ wh
    return dx, dh, dwx, dwh, dbx, dbh


def lstm_forward(x, h, c, wx, wh, bx, bh):
    """An LSTM with gates i, f, g, o."""
    H = h.shape[1]
    ys, cache = [], []
    for t in range(len(x)):
        a = x[t] @ wx.T + h @ wh.T + bx + bh
        i, f, g, o = sigmoid(a[:, :H]), sigmoid(a[:, H : 2 * H]), np.tanh(a[:, 2 * H : 3 * H]), sigmoid(a[:, 3 * H :])
        new = f * c + i * g
        tc = np.tanh(new)
        cache.append((x[t], h, c, i, f, g, o, tc))
        h, c = o * tc, new
        ys.append(h)
    return (np.stack(ys), h, c), cache


def lstm_backward(dy, dh, dc, cache, wx, wh, bx, bh):
    """Back through it."""
    dx = np.zeros((len(cache), *cache[0][0].shape))
    dwx, dwh, dbx, dbh = np.zeros_like(wx), np.zeros_like(wh), np.zeros_like(bx), np.zeros_like(bh)
    for t in reversed(range(len(cache))):
        x, h, c, i, f, g, o, tc = cache[t]
        dh = dh + dy[t]
        do = dh * tc
        dc = dc + dh * o * (1 - tc**2)
        di = dc * g
        df = dc * c
        dg = dc * i
        da = np.hstack((di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)))
        dx[t] = da @ wx
        dwx += da.T @ x
        dwh += da.T @ h
        dbx += da.sum(0)
        dbh += da.sum(0)
        dh = da @ wh
        dc = dc * f
    return dx, dh, dc, dwx, dwh, dbx, dbh


def gru_forward(x, h, wx, wh, bx, bh):
    """A GRU with gates r, z, n, the reset before the product, z the share of the new."""
    H = h.shape[1]
    ys, cache = [], []
    for t in range(len(x)):
        ax = x[t] @ wx.T + bx + bh
        r = sigmoid(ax[:, :H] + h @ wh[:H].T)
        z = sigmoid(ax[:, H : 2 * H] + h @ wh[H : 2 * H].T)
        rh = r * h
        n = np.tanh(ax[:, 2 * H :] + rh @ wh[2 * H :].T)
        cache.append((x[t], h, r, z, n, rh))
        h = (1 - z) * h + z * n
        ys.append(h)
    return (np.stack(ys), h), cache


def gru_backward(dy, dh, cache, wx, wh, bx, bh):
    """Back through it."""
    H = wh.shape[1]
    dx = np.zeros((len(cache), *cache[0][0].shape))
    dwx, dwh, dbx, dbh = np.zeros_like(wx), np.zeros_like(wh), np.zeros_like(bx), np.zeros_like(bh)
    for t in reversed(range(len(cache))):
        x, h, r, z, n, rh = cache[t]
        dh = dh + dy[t]
        dz = dh * (n - h)
        dn = dh * z
        an = dn * (1 - n**2)
        drh = an @ wh[2 * H :]
        dr = drh * h
        ar = dr * r * (1 - r)
        az = dz * z * (1 - z)
        da = np.hstack((ar, az, an))
        dx[t] = da @ wx
        dwx += da.T @ x
        dwh += np.vstack((ar.T @ h, az.T @ h, an.T @ rh))
        dbx += da.sum(0)
        dbh += da.sum(0)
        dh = dh * (1 - z) + drh * r + ar @ wh[:H] + az @ wh[H : 2 * H]
    return dx, dh, dwx, dwh, dbx, dbh


def gru_reset_after_forward(x, h, wx, wh, bx, bh):
    """A GRU with gates r, z, n, the reset after the product, z the share of the old."""
    H = h.shape[1]
    ys, cache = [], []
    for t in range(len(x)):
        ax, ah = x[t] @ wx.T + bx, h @ wh.T + bh
        r = sigmoid(ax[:, :H] + ah[:, :H])
        z = sigmoid(ax[:, H : 2 * H] + ah[:, H : 2 * H])
        u = ah[:, 2 * H :]
        n = np.tanh(ax[:, 2 * H :] + r * u)
        cache.append((x[t], h, r, z, n, u))
        h = (1 - z) * n + z * h
        ys.append(h)
    return (np.stack(ys), h), cache


def gru_reset_after_backward(dy, dh, cache, wx, wh, bx, bh):
    """Back through it."""
    dx = np.zeros((len(cache), *cache[0][0].shape))
    dwx, dwh, dbx, dbh = np.zeros_like(wx), np.zeros_like(wh), np.zeros_like(bx), np.zeros_like(bh)
    for t in reversed(range(len(cache))):
        x, h, r, z, n, u = cache[t]
        dh = dh + dy[t]
        dz = dh * (h - n)
        dn = dh * (1 - z)
        an = dn * (1 - n**2)
        du = an * r
        dr = an * u
        ar = dr * r * (1 - r)
        az = dz * z * (1 - z)
        dax = np.hstack((ar, az, an))
        dah = np.hstack((ar, az, du))
        dx[t] = dax @ wx
        dwx += dax.T @ x
        dwh += dah.T @ h
        dbx += dax.sum(0)
        dbh += dah.sum(0)
        dh = dh * z + dah @ wh
    return dx, dh, dwx, dwh, dbx, dbh

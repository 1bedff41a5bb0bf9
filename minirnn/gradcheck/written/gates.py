"""A style with a matrix for every gate and sums in place."""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def _gates(gates, *arrays):
    """Each array cut into one block a gate: {gate: block}."""
    return [dict(zip(gates, np.split(a, len(gates)))) for a in arrays]


def rnn_forward(x, h, wx, wh, bx, bh):
    """A tanh layer."""
    hs = [h]
    for x_t in x:
        h = np.tanh(x_t @ wx.T + bx + h @ wh.T + bh)
        hs.append(h)
    return (np.array(hs[1:]), h), (x, hs)


def rnn_backward(dy, dh_last, cache, wx, wh, bx, bh):
    """Back through it."""
    x, hs = cache
    dx, dwx, dwh, dbx, dbh = (np.zeros_like(a) for a in (x, wx, wh, bx, bh))
    dh_next = dh_last.copy()
    for t in range(len(x) - 1, -1, -1):
        dh = dy[t] + dh_next
        slope = 1 - hs[t + 1] * hs[t + 1]
        da = slope * dh
        dwx += np.dot(da.T, x[t])
        dwh += np.dot(da.T, hs[t])
        dbx += np.sum(da, axis=0)
        dbh += np.sum(da, axis=0)
        dx[t] = np.dot(da, wx)
        dh_next = np.dot(da, wh)
    return dx, dh_next, dwx, dwh, dbx, dbh


def lstm_forward(x, h, c, wx, wh, bx, bh):
    """An LSTM with gates i, f, g, o."""
    Wx, Wh, Bx, Bh = _gates("ifgo", wx, wh, bx, bh)
    cache = []
    ys = []
    for x_t in x:
        a = {k: x_t @ Wx[k].T + h @ Wh[k].T + Bx[k] + Bh[k] for k in "ifgo"}
        i, f, g, o = sigmoid(a["i"]), sigmoid(a["f"]), np.tanh(a["g"]), sigmoid(a["o"])
        c_new = f * c + i * g
        h_new = o * np.tanh(c_new)
        cache.append((x_t, h, c, c_new, i, f, g, o))
        h, c = h_new, c_new
        ys.append(h)
    return (np.array(ys), h, c), cache


def lstm_backward(dy, dh_last, dc_last, cache, wx, wh, bx, bh):
    """Back through it."""
    Wx, Wh = _gates("ifgo", wx, wh)
    Dwx, Dwh, Dbx, Dbh = _gates("ifgo", np.zeros_like(wx), np.zeros_like(wh), np.zeros_like(bx), np.zeros_like(bh))
    dxs = []
    dh, dc = dh_last.copy(), dc_last.copy()
    for (x, h, c, c_new, i, f, g, o), dy_t in zip(reversed(cache), dy[::-1]):
        dh += dy_t
        tc = np.tanh(c_new)
        d_o = dh * tc
        dc += dh * o * (1 - tc * tc)
        d_i, d_f, d_g = dc * g, dc * c, dc * i
        da = {"i": d_i * (i * (1 - i)), "f": d_f * (f * (1 - f)), "g": d_g * (1 - g * g), "o": d_o * (o * (1 - o))}
        for k in "ifgo":
            Dwx[k] += da[k].T @ x
            Dwh[k] += da[k].T @ h
            Dbx[k] += da[k].sum(axis=0)
            Dbh[k] += da[k].sum(axis=0)
        dxs.insert(0, da["i"] @ Wx["i"] + da["f"] @ Wx["f"] + da["g"] @ Wx["g"] + da["o"] @ Wx["o"])
        dh = da["i"] @ Wh["i"] + da["f"] @ Wh["f"] + da["g"] @ Wh["g"] + da["o"] @ Wh["o"]
        dc = f * dc
    join = lambda blocks: np.concatenate([blocks[k] for k in "ifgo"])
    return np.array(dxs), dh, dc, join(Dwx), join(Dwh), join(Dbx), join(Dbh)


def gru_forward(x, h, wx, wh, bx, bh):
    """A GRU with gates r, z, n, the reset before the product, z the share of the new."""
    Wx, Wh, Bx, Bh = _gates("rzn", wx, wh, bx, bh)
    cache, ys = [], []
    for x_t in x:
        r = sigmoid(x_t @ Wx["r"].T + h @ Wh["r"].T + Bx["r"] + Bh["r"])
        z = sigmoid(x_t @ Wx["z"].T + h @ Wh["z"].T + Bx["z"] + Bh["z"])
        n = np.tanh(x_t @ Wx["n"].T + (r * h) @ Wh["n"].T + Bx["n"] + Bh["n"])
        cache.append((x_t, h, r, z, n))
        h = z * n + (1 - z) * h
        ys.append(h)
    return (np.array(ys), h), cache


def gru_backward(dy, dh_last, cache, wx, wh, bx, bh):
    """Back through it."""
    Wx, Wh = _gates("rzn", wx, wh)
    Dwx, Dwh, Dbx, Dbh = _gates("rzn", np.zeros_like(wx), np.zeros_like(wh), np.zeros_like(bx), np.zeros_like(bh))
    dxs = []
    dh = dh_last.copy()
    for (x, h, r, z, n), dy_t in zip(reversed(cache), dy[::-1]):
        dh += dy_t
        da = {"n": dh * z * (1 - n * n), "z": dh * (n - h) * z * (1 - z)}
        back = da["n"] @ Wh["n"]
        da["r"] = back * h * r * (1 - r)
        for k in "rzn":
            Dwx[k] += da[k].T @ x
            Dbx[k] += da[k].sum(axis=0)
            Dbh[k] += da[k].sum(axis=0)
        Dwh["r"] += da["r"].T @ h
        Dwh["z"] += da["z"].T @ h
        Dwh["n"] += da["n"].T @ (r * h)
        dxs.insert(0, da["r"] @ Wx["r"] + da["z"] @ Wx["z"] + da["n"] @ Wx["n"])
        dh = (1 - z) * dh + r * back + da["r"] @ Wh["r"] + da["z"] @ Wh["z"]
    join = lambda blocks: np.concatenate([blocks[k] for k in "rzn"])
    return np.array(dxs), dh, join(Dwx), join(Dwh), join(Dbx), join(Dbh)


def gru_reset_after_forward(x, h, wx, wh, bx, bh):
    """A GRU with gates r, z, n, the reset after the product, z the share of the old."""
    Wx, Wh, Bx, Bh = _gates("rzn", wx, wh, bx, bh)
    cache, ys = [], []
    for x_t in x:
        r = sigmoid(x_t @ Wx["r"].T + Bx["r"] + h @ Wh["r"].T + Bh["r"])
        z = sigmoid(x_t @ Wx["z"].T + Bx["z"] + h @ Wh["z"].T + Bh["z"])
        m = h @ Wh["n"].T + Bh["n"]
        n = np.tanh(x_t @ Wx["n"].T + Bx["n"] + r * m)
        cache.append((x_t, h, r, z, n, m))
        h = (1 - z) * n + z * h
        ys.append(h)
    return (np.array(ys), h), cache


def gru_reset_after_backward(dy, dh_last, cache, wx, wh, bx, bh):
    """Back through it."""
    Wx, Wh = _gates("rzn", wx, wh)
    Dwx, Dwh, Dbx, Dbh = _gates("rzn", np.zeros_like(wx), np.zeros_like(wh), np.zeros_like(bx), np.zeros_like(bh))
    dxs = []
    dh = dh_last.copy()
    for (x, h, r, z, n, m), dy_t in zip(reversed(cache), dy[::-1]):
        dh += dy_t
        da_n = dh * (1 - z) * (1 - n * n)
        da_z = dh * (h - n) * z * (1 - z)
        da_r = da_n * m * r * (1 - r)
        dm = da_n * r
        for k, d in (("r", da_r), ("z", da_z), ("n", da_n)):
            Dwx[k] += d.T @ x
            Dbx[k] += d.sum(axis=0)
        for k, d in (("r", da_r), ("z", da_z), ("n", dm)):
            Dwh[k] += d.T @ h
            Dbh[k] += d.sum(axis=0)
        dxs.insert(0, da_r @ Wx["r"] + da_z @ Wx["z"] + da_n @ Wx["n"])
        dh = z * dh + da_r @ Wh["r"] + da_z @ Wh["z"] + dm @ Wh["n"]
    join = lambda blocks: np.concatenate([blocks[k] for k in "rzn"])
    return np.array(dxs), dh, join(Dwx), join(Dwh), join(Dbx), join(Dbh)

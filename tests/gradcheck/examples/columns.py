"""Columns: one LSTM step, x (in, batch), W_f over [a_prev, x], biases (units, 1); an RNN over single examples."""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def lstm_cell_forward(xt, a_prev, c_prev, Wf, bf, Wi, bi, Wc, bc, Wo, bo):
    concat = np.concatenate([a_prev, xt])
    ft, it, ot = sigmoid(Wf @ concat + bf), sigmoid(Wi @ concat + bi), sigmoid(Wo @ concat + bo)
    cct = np.tanh(Wc @ concat + bc)
    c_next = ft * c_prev + it * cct
    a_next = ot * np.tanh(c_next)
    return a_next, c_next, (concat, c_prev, c_next, ft, it, ot, cct, (Wf, Wi, Wc, Wo))


def lstm_cell_backward(da_next, dc_next, cache):
    concat, c_prev, c_next, ft, it, ot, cct, (Wf, Wi, Wc, Wo) = cache
    n_a = len(c_prev)
    dc = dc_next + da_next * ot * (1 - np.tanh(c_next) ** 2)
    dft, dit = dc * c_prev * ft * (1 - ft), dc * cct * it * (1 - it)
    dcct, dot = dc * it * (1 - cct**2), da_next * np.tanh(c_next) * ot * (1 - ot)
    dconcat = Wf.T @ dft + Wi.T @ dit + Wc.T @ dcct + Wo.T @ dot
    sums = [d.sum(axis=1, keepdims=True) for d in (dft, dit, dcct, dot)]
    products = [d @ concat.T for d in (dft, dit, dcct, dot)]
    grads = dict(zip(["dWf", "dWi", "dWc", "dWo"], products)) | dict(zip(["dbf", "dbi", "dbc", "dbo"], sums))
    return {"dxt": dconcat[n_a:], "da_prev": dconcat[:n_a], "dc_prev": dc * ft, **grads}


def rnn_forward(inputs, hprev, Wxh, Whh, bh):
    """A sequence of single examples, columns (in, 1)."""
    hs = [hprev]
    for x in inputs:
        hs.append(np.tanh(Wxh @ x + Whh @ hs[-1] + bh))
    return np.array(hs[1:]), (inputs, Wxh, Whh, hs)


def rnn_backward(dhs, cache):
    inputs, Wxh, Whh, hs = cache
    dWxh, dWhh, dbh = np.zeros(Wxh.shape), np.zeros(Whh.shape), np.zeros((len(Whh), 1))
    dxs, dh_next = np.zeros(inputs.shape), np.zeros((len(Whh), 1))
    for t in reversed(range(len(inputs))):
        da = (dhs[t] + dh_next) * (1 - hs[t + 1] ** 2)
        dbh += da  # of one example
        dWxh += da @ inputs[t].T
        dWhh += da @ hs[t].T
        dxs[t], dh_next = Wxh.T @ da, Whh.T @ da
    return dxs, dh_next, dWxh, dWhh, dbh

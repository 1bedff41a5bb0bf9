"""One row of an LSTM's step, forward and back: what the loops over time do between their products.

The loop over units is split into short loops of two to four arrays each, which LLVM vectorises; it gives up on one
long loop. Rows are contiguous; gates come as four rows i f g o, whole ones or the same part of each.
"""

from minirnn.kernels.jit import jit
from minirnn.kernels.sequence import clear
from minirnn.kernels.vector import vsigmoid, vtanh


@jit
def rows_of(a):
    """The gates (4, H) of a row as four rows."""
    return a[0], a[1], a[2], a[3]


@jit
def memory_of_row(c, a, c_prev, moon, ours):
    """The new memory of a row before any zoneout, from its gates a, four (H,): fills c; masks (H,) or empty."""
    i, f, g, _ = a
    H = c.size
    for j in range(H):
        c[j] = i[j] * g[j]
    for j in range(ours.size):  # thesis (3.3.10)
        c[j] *= ours[j]
    for j in range(H):  # thesis (2.2.5)
        c[j] += f[j] * c_prev[j]
    for j in range(moon.size):  # thesis (3.3.9)
        c[j] *= moon[j]


@jit
def gates_of_row(a, bias, c_prev, c, h, relu, moon, ours):
    """One row of a step: a, four (H,) pre-activations -> gates in place, new c and h; masks (H,) or empty."""
    i, f, g, o = a
    bias_i, bias_f, bias_g, bias_o = bias
    H = c.size
    zero = c.dtype.type(0)
    if relu == 0:
        for j in range(H):  # thesis (2.2.4)
            i[j] = vsigmoid(i[j] + bias_i[j])
            g[j] = vtanh(g[j] + bias_g[j])
    else:
        for j in range(H):
            i[j] = vsigmoid(i[j] + bias_i[j])
            g[j] += bias_g[j]
            g[j] = zero if g[j] < zero else g[j]  # NaN stays NaN
    for j in range(H):
        f[j] = vsigmoid(f[j] + bias_f[j])
        o[j] = vsigmoid(o[j] + bias_o[j])
    memory_of_row(c, a, c_prev, moon, ours)
    if relu == 0:
        for j in range(H):  # thesis (2.2.6)
            h[j] = o[j] * vtanh(c[j])
    else:
        for j in range(H):
            h[j] = o[j] * (zero if c[j] < zero else c[j])


@jit
def gates_of_row_backward(a, c_prev, c, dy, dh, dc, relu, moon, ours):
    """One row of a step backwards: a, four (H,) gates, c the new memory -> da in place; dh is used up, dc becomes that
    of c_prev."""
    i, f, g, o = a
    H = c.size
    zero, one = dc.dtype.type(0), dc.dtype.type(1)
    if relu == 0:
        for j in range(H):
            tanh_c = vtanh(c[j])
            dh_o = (dh[j] + dy[j]) * o[j]
            dc[j] += dh_o * (one - tanh_c * tanh_c)  # from thesis (2.2.6)
            o[j] = dh_o * tanh_c * (one - o[j])
    else:
        for j in range(H):
            dh_o = (dh[j] + dy[j]) * o[j]
            dc[j] += dh_o if c[j] > zero else zero
            o[j] = dh_o * (zero if c[j] < zero else c[j]) * (one - o[j])
    clear(dh)
    for j in range(moon.size):  # from thesis (3.3.9)
        dc[j] *= moon[j]
    if relu == 0:
        for j in range(H):  # from thesis (2.2.5)
            i_j, g_j = i[j], g[j]
            i[j] = dc[j] * g_j * i_j * (one - i_j)
            g[j] = dc[j] * i_j * (one - g_j * g_j)
    else:
        for j in range(H):
            i_j, g_j = i[j], g[j]
            i[j] = dc[j] * g_j * i_j * (one - i_j)
            g[j] = dc[j] * i_j if g_j > zero else zero
    for j in range(ours.size):  # from thesis (3.3.10)
        i[j] *= ours[j]
        g[j] *= ours[j]
    for j in range(H):
        f_j, dc_j = f[j], dc[j]
        f[j] = dc_j * c_prev[j] * f_j * (one - f_j)
        dc[j] = dc_j * f_j

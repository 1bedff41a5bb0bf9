"""What the sequence kernels of all cells share: masks and padding inside the loop, the products around it."""

import numpy as np
from minirnn.kernels.jit import jit
from minirnn.kernels.memory import empty_like
from minirnn.kernels.packed import gemm_job, sum_rows_job, workspace


@jit
def mask_row(mask, t, r):
    """Row r at step t of a mask (T, B, H) or (1, B, H); empty for an absent one, (1, 1, 0)."""
    return mask[t % mask.shape[0], r % mask.shape[1]]


@jit
def copy(into, row):
    """into[:] = row for two rows; Numba compiles an assignment of arrays many times longer than this loop."""
    for j in range(into.size):
        into[j] = row[j]


@jit
def clear(row):
    """row[:] = 0"""
    for j in range(row.size):
        row[j] = 0


@jit
def copy_gates(into, gates):
    """The gates of a row, (gates, H)."""
    for k in range(into.shape[0]):
        copy(into[k], gates[k])


@jit
def clear_gates(gates):
    """Zeros in all gates of a row."""
    for k in range(gates.shape[0]):
        clear(gates[k])


@jit
def enter(entering, h, gal, t, first, last):
    """With a gal mask, fill entering[t], the hidden state that the recurrent products see, with mask * h[t]."""
    if gal.size > 0:
        for r in range(first, last):
            into, mask, h_prev = entering[t, r], mask_row(gal, t, r), h[t, r]
            for j in range(h_prev.size):  # thesis (3.3.8)
                into[j] = mask[j] * h_prev[j]


@jit
def leave(dh, dh_in, gal, t, first, last):
    """With a gal mask, add mask * dh_in, the gradient that came through the recurrent products, to dh."""
    if gal.size > 0:
        for r in range(first, last):
            total, mask, part = dh[r], mask_row(gal, t, r), dh_in[r]
            for j in range(total.size):  # from thesis (3.3.8)
                total[j] += mask[j] * part[j]


@jit
def hold(new, old, d):
    """Zoneout of one row: new becomes d * old + (1 - d) * new; d (H,), or empty for no zoneout."""
    for j in range(d.size):  # slides
        new[j] = d[j] * old[j] + (d.dtype.type(1) - d[j]) * new[j]


@jit
def hold_backward(dstate, held, d):
    """``hold`` backwards: dstate becomes the gradient of the new state; fills held with that of the old one."""
    for j in range(d.size):
        dstate_j, d_j = dstate[j], d[j]
        held[j] = d_j * dstate_j
        dstate[j] = (d.dtype.type(1) - d_j) * dstate_j


@jit
def padded(lengths, t, r):
    """Whether step t lies beyond the end of row r."""
    return lengths.size > 0 and t >= lengths[r]


def entering_states(h, gal):
    """The array of hidden states that enter the products: h[:-1] itself, or room for the masked ones."""
    return empty_like(h[:-1]) if gal.size else h[:-1]


def rows(array, columns):
    """A contiguous array as a matrix with ``columns`` columns."""
    return array.reshape(-1, columns)


def summed_biases(inputs, gates):
    """bias_ih + bias_hh as (gates, H); zeros when both are absent."""
    T, B, D, H = inputs.sizes()
    total = np.zeros((gates, H), inputs.x.dtype)
    for bias in (inputs.bias_ih, inputs.bias_hh):
        if bias is not None:
            total += bias.reshape(gates, H)
    return total


def layer_gradients(inputs, entering, da, nth):
    """Gradients from those of the pre-activations, da (T*B, gates*H), of a layer whose products are all summed.

    Returns the arrays (dx, dweight_ih, dweight_hh, dbias) and the jobs that fill them.
    """
    x, weight_ih, weight_hh = inputs.x, inputs.weight_ih, inputs.weight_hh
    T, B, D, H = inputs.sizes()
    work = workspace(x.dtype, nth)
    dx, dweight_ih, dweight_hh = empty_like(x), empty_like(weight_ih), empty_like(weight_hh)
    dbias = np.empty(len(weight_ih), x.dtype)
    jobs = [
        gemm_job(dweight_ih, da.T, x.reshape(T * B, D), work),  # thesis (2.1.8), summed over all steps: speed (G5)
        gemm_job(dweight_hh, da.T, entering.reshape(T * B, H), work),
        gemm_job(dx.reshape(T * B, D), da, weight_ih, work),  # thesis (2.1.7)
        sum_rows_job(dbias, da),
    ]
    return (dx, dweight_ih, dweight_hh, dbias), jobs


@jit
def mix(h, h_prev, z, n, thesis, moon, ours, zoneout_h, t, r):
    """One row of a GRU's new state from the old one and the candidate, with its masks. Fills h.

    z weighs the candidate in the thesis, (1-z) h_prev + z n, and the old state on the slides.
    """
    H, moon, ours = h.size, mask_row(moon, t, r), mask_row(ours, t, r)
    copy(h, n)
    for j in range(ours.size):  # thesis (3.3.10)
        h[j] *= ours[j]
    if thesis != 0:
        for j in range(H):  # thesis (2.2.9); h_prev + z (n - h_prev) would lose n beside a large h_prev
            h[j] = (h.dtype.type(1) - z[j]) * h_prev[j] + z[j] * h[j]
    else:
        for j in range(H):
            h[j] += z[j] * (h_prev[j] - h[j])
    for j in range(moon.size):  # thesis (3.3.9)
        h[j] *= moon[j]
    hold(h, h_prev, mask_row(zoneout_h, t, r))


@jit
def mix_backward(dh, dy, h_prev, z, n, dn, thesis, moon, ours, zoneout_h, t, r, held):
    """``mix`` backwards, with z's sigmoid: z becomes da_z, dn is filled, dh becomes the part that skips the gates.

    held is scratch, (H,) with zoneout.
    """
    H, moon, ours = dh.size, mask_row(moon, t, r), mask_row(ours, t, r)
    one = dh.dtype.type(1)
    for j in range(H):
        dh[j] += dy[j]
    hold_backward(dh, held, mask_row(zoneout_h, t, r))
    for j in range(moon.size):  # from thesis (3.3.9)
        dh[j] *= moon[j]
    copy(dn, n)
    for j in range(ours.size):
        dn[j] *= ours[j]
    if thesis != 0:
        for j in range(H):  # from thesis (2.2.9) and (2.2.7)
            z_j, dh_j = z[j], dh[j]
            z[j] = dh_j * (dn[j] - h_prev[j]) * z_j * (one - z_j)
            dn[j] = dh_j * z_j
            dh[j] = dh_j * (one - z_j)
    else:
        for j in range(H):
            z_j, dh_j = z[j], dh[j]
            z[j] = dh_j * (h_prev[j] - dn[j]) * z_j * (one - z_j)
            dn[j] = dh_j * (one - z_j)
            dh[j] = dh_j * z_j
    for j in range(ours.size):  # from thesis (3.3.10)
        dn[j] *= ours[j]
    for j in range(held.size):
        dh[j] += held[j]

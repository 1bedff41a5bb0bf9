"""What goes wrong in a GRU: gates, the two places of the reset gate, masks, zoneout, biases."""

from minirnn.cells import GRU
from minirnn.gradcheck.bugs.mutant import planted, shared_biases

GATES = {"r": "reset", "z": "update", "n": "candidate"}

EVERY = planted(GRU.step_backward, [
    ("the shares of old and new state are exchanged in dh_{t-1}",
     "dh_prev = dh * (1 - new) +", "dh_prev = dh * new +"),
    ("the update gate's sign belongs to the other convention (z for 1 - z)",
     'dnew if self.convention == "thesis" else -dnew', '-dnew if self.convention == "thesis" else dnew'),
    ("the update gate's gradient misses the old state: n, not n - h_{t-1}",
     "masked(masks.ours, n) - h_prev", "masked(masks.ours, n)"),
    ("weight_hh uses h_t where h_{t-1} belongs",
     "da_rz.T @ h_in", "da_rz.T @ masked(masks.moon, (1 - new) * h_prev + new * masked(masks.ours, n))"),
    ("the mean over the batch is taken where the sum belongs, in the biases",
     "else da.sum(axis=0)",
     "else da.mean(axis=0)",
     "stack([da_rz, dproduct]).sum(axis=0)",
     "stack([da_rz, dproduct]).mean(axis=0)"),
    ("the recurrent matrix of the candidate is transposed",
     "weight_hn = weights.weight_hh[2 * H :]", "weight_hn = weights.weight_hh[2 * H :].T"),
    ("the recurrent matrices of the gates are transposed",
     "da_rz @ weights.weight_hh[: 2 * H]",
     "da_rz @ weights.weight_hh[: 2 * H].reshape(-1, H, H).swapaxes(1, 2).reshape(-1, H)"),
    ("the path through the gates' recurrent matrices is dropped",
     "da_rz @ weights.weight_hh[: 2 * H]", "0 * h_in"),
    ("the gal mask is forgotten on the way back", "masked(masks.gal, dh_in)", "dh_in"),
    ("the moon mask is forgotten on the way back", "dh = masked(masks.moon, dh)", "dh = 1 * dh"),
    ("the ours mask is forgotten in the candidate's gradient",
     "dn = masked(masks.ours, dh * new)", "dn = dh * new"),
    ("zoneout: the gradient of the state that stayed is dropped", "+ dh_old", ""),
    ("zoneout: the new state gets the whole gradient, not its share 1 - d",
     "dh_old, dh = zoneout_backward(masks.zoneout_h, dh)", "dh_old, _ = zoneout_backward(masks.zoneout_h, dh)"),
    ("zoneout: the shares of old and new state are exchanged",
     "dh_old, dh = zoneout_backward", "dh, dh_old = zoneout_backward"),
])
RESET_BEFORE = planted(GRU.step_backward, fits=lambda cell: not cell.reset_after, rows=[
    ("the candidate's recurrent weights use h_{t-1}, not r * h_{t-1}", "da_n.T @ h_n", "da_n.T @ h_in"),
])
RESET_AFTER = planted(GRU.step_backward, fits=lambda cell: cell.reset_after, rows=[
    ("the reset gate's gradient uses h_{t-1}, not W_hn h_{t-1} + b_hn", "dr = da_n * h_n", "dr = da_n * h_in"),
    ("the candidate's recurrent weights miss the reset gate", "dproduct.T @ h_in", "da_n.T @ h_in"),
    ("bias_hh of the candidate misses the reset gate", "stack([da_rz, dproduct])", "stack([da_rz, da_n])"),
])
BIASES = shared_biases(GRU.step_backward, GATES, "return da @ weights.weight_ih, (dh_prev,), dweights",
                       ("rz", "zr", "nz"))
BUGS = (*EVERY, *RESET_BEFORE, *RESET_AFTER, *BIASES)

"""The catalogue of planted bugs: what people get wrong when they derive a recurrent backward pass by hand.

Each row says in words what the mistake is, and makes it: fragments of this library's own source, each followed by
what the mistake makes of it. ``mutants`` compiles and runs them. To add one, add a row; the tests find it, and
fail if the checker does not.
"""

from typing import NamedTuple


class Mutant(NamedTuple):
    """One planted bug: in words, the place it is made in, and its edits (fragment as it is, fragment with the bug).

    place: "time" (the loop over time), "affine" (the gates' affine map), or the name of a cell. ``form`` narrows it to
    cells that have the part it breaks: "forget" for an LSTM with forget gate, "before" or "after" for a GRU's reset.
    """

    says: str
    place: str
    edits: tuple
    form: str = ""

    def applies(self, cell):
        """Whether this cell runs the edited code."""
        if self.place != "time" and cell.name not in (("rnn", "lstm") if self.place == "affine" else (self.place,)):
            return False
        if self.form == "forget":
            return cell.forget_gate
        return not self.form or cell.reset_after == (self.form == "after")


def planted(place, rows, form=""):
    """Rows of (says, fragment, bug, fragment, bug, ...) as Mutants."""
    return [Mutant(says, place, tuple(zip(edits[::2], edits[1::2])), form) for says, *edits in rows]


def shared_biases(place, gates, before, pairs, form=""):
    """Mutants whose bias of one gate receives another's gradient; ``before`` is the line ahead of which it happens."""
    names = {
        "i": "input",
        "f": "forget",
        "g": "candidate",
        "o": "output",
        "r": "reset",
        "z": "update",
        "n": "candidate",
    }
    rows = []
    for to, of in pairs:
        code = f"""for b in (b for b in dweights[2:] if b is not None):
        H = b.size // {len(gates)}
        b[{gates.index(to)} * H :][:H] = b[{gates.index(of)} * H :][:H]
    {before}"""
        rows.append((f"b_{to} receives the {names[of]} gate's delta", before, code))
    return planted(place, rows, form)



CATALOGUE = (
    *planted("time", [
        ("time step t = 0 is skipped by the loop back through time",
         "range(T) if run.reverse else reversed(range(T))",
         "range(T - 1) if run.reverse else reversed(range(1, T))"),
        ("the sequence is truncated too early: the gradient stops two steps before the end",
         "e = (dstate[0] + dy[t], *dstate[1:])",
         "e = (dstate[0] * (t != T - 3) + dy[t], *(d * (t != T - 3) for d in dstate[1:]))"),
        ("dh from the next step is dropped: each step sees only its own loss",
         "e = (dstate[0] + dy[t], *dstate[1:])", "e = (dy[t], *dstate[1:])"),
        ("the loss's gradient is taken one step too early: dy[t-1] for dy[t]",
         "e = (dstate[0] + dy[t], *dstate[1:])", "e = (dstate[0] + dy[t - 1], *dstate[1:])"),
        ("the gradient of the final state is ignored", "dstate = dfinal", "dstate = tuple(0 * d for d in dfinal)"),
        ("weight gradients are overwritten, not summed: only the first time step counts",
         "total += part", "total[...] = part"),
        ("weight gradients are averaged over time, not summed", "total += part", "total += part / T"),
        ("padded steps leak into the gradients", "tuple(xp.where(run.active[t], d, 0) for d in e)", "e"),
        ("padded steps swallow the gradient instead of passing it on",
         "tuple(xp.where(run.active[t], d, held) for d, held in zip(dstate, e))", "dstate"),
        ("the initial state's gradient is that of the state after the first step",
         "return Gradients(dx, dstate,", "return Gradients(dx, e,"),
    ]),

    *planted("affine", [
        ("the mean over the batch is taken where the sum belongs, in every weight",
         "da.sum(axis=0)", "da.mean(axis=0)", "da.T @ x", "da.T @ x / len(x)", "da.T @ h", "da.T @ h / len(x)"),
        ("the bias gradients are a mean over the batch, not a sum", "da.sum(axis=0)", "da.mean(axis=0)"),
        ("the recurrent matrix is transposed on the way back to h_{t-1}",
         "da @ weights.weight_hh",
         "da @ weights.weight_hh.reshape(-1, h.shape[1], h.shape[1]).swapaxes(1, 2).reshape(-1, h.shape[1])"),
        ("the path through W_hh to h_{t-1} is dropped", "da @ weights.weight_hh", "0 * h"),
        ("bias_hh gets no gradient", "dbias.copy()", "0 * dbias"),
        ("x gets no gradient", "da @ weights.weight_ih", "0 * x"),
    ]),

    *planted("rnn", [
        ("the derivative of the nonlinearity is forgotten", "dh * slope(saved.h)", "dh"),
        ("the nonlinearity's derivative is taken at h_{t-1}, not at h_t", "slope(saved.h)", "slope(saved.h_in)"),
        ("tanh' is written 1 - h, not 1 - h^2", "slope(saved.h)", "(1 - saved.h)"),
        ("weight_hh uses h_t where h_{t-1} belongs", "saved.x, saved.h_in", "saved.x, saved.h"),
        ("the gal mask is forgotten on the way back", "masked(saved.gal, dh_in)", "dh_in"),
    ]),

    *planted("lstm", [
        ("the sigmoid derivative of the input gate is forgotten", "di * sigmoid_slope(i)", "di"),
        ("the sigmoid derivative of the output gate is forgotten", "do * sigmoid_slope(o)", "do"),
        ("the input gate's sigmoid derivative misses 1 - i", "di * sigmoid_slope(i)", "di * i"),
        ("the output gate's sigmoid derivative misses 1 - o", "do * sigmoid_slope(o)", "do * o"),
        ("the derivative of the candidate's nonlinearity is forgotten", "dg * slope(g)", "dg"),
        ("the derivative of the memory's nonlinearity, phi(c_t), is forgotten",
         "dc = dc + dh * o * slope(phi_c)", "dc = dc + dh * o"),
        ("phi'(c_t) is written 1 - phi, not 1 - phi^2", "slope(phi_c)", "(1 - phi_c)"),
        ("the dc path is dropped: nothing flows from c_t to c_{t-1}", "dc_prev = dc * f", "dc_prev = 0 * dc"),
        ("the memory's path back is scaled by the input gate, not the forget gate",
         "dc_prev = dc * f", "dc_prev = dc * i"),
        ("dc misses the path through h_t", "dc = dc + dh * o * slope(phi_c)", "dc = dc + 0 * dh"),
        ("dc misses what the next step hands back", "dc = dc + dh * o * slope(phi_c)", "dc = dh * o * slope(phi_c)"),
        ("the output gate is missing from the path from h_t to c_t",
         "dc = dc + dh * o * slope(phi_c)", "dc = dc + dh * slope(phi_c)"),
        ("the output gate's gradient misses phi(c_t)", "do = dh * phi_c", "do = dh"),
        ("the input gate's gradient is multiplied by i, not by g",
         "di = dc * masked(masks.ours, g)", "di = dc * masked(masks.ours, i)"),
        ("the candidate's gradient misses the input gate", "dc * i)", "dc)"),
        ("weight_hh uses h_t where h_{t-1} belongs",
         "self.gates]), x, h_in, weights)", "self.gates]), x, o * phi_c, weights)"),
        ("the gal mask is forgotten on the way back", "dh_prev = masked(masks.gal, dh_in)", "dh_prev = dh_in"),
        ("the moon mask is forgotten on the way back", "dc = masked(masks.moon, dc)", "dc = 1 * dc"),
        ("the ours mask is forgotten in the candidate's gradient", "masked(masks.ours, dc * i)", "dc * i"),
        ("the ours mask is forgotten in the input gate's gradient",
         "di = dc * masked(masks.ours, g)", "di = dc * g"),
        ("zoneout: the gradient of the hidden state that stayed is dropped",
         "masked(masks.gal, dh_in) + dh_old", "masked(masks.gal, dh_in)"),
        ("zoneout: the gradient of the memory that stayed is dropped", "dc * f + dc_old", "dc * f"),
        ("zoneout: the new hidden state gets the whole gradient, not its share 1 - d",
         "dh_old, dh = zoneout_backward(masks.zoneout_h, dh)", "dh_old, _ = zoneout_backward(masks.zoneout_h, dh)"),
        ("zoneout: the new memory gets the whole gradient, not its share 1 - d",
         "dc_old, dc = zoneout_backward(masks.zoneout_c, dc)", "dc_old, _ = zoneout_backward(masks.zoneout_c, dc)"),
        ("zoneout: the shares of old and new memory are exchanged",
         "dc_old, dc = zoneout_backward", "dc, dc_old = zoneout_backward"),
        ("zoneout: phi' is taken at c_t, not at the new memory",
         "dc = dc + dh * o * slope(phi_c)",
         "dc = dc + dh * o * slope(ACTIVATIONS[self.activation][0](zoneout(masks.zoneout_c, c_prev,"
         " masked(masks.moon, f * c_prev + i * masked(masks.ours, g)))))"),
        ("zoneout: what comes through h_t is shared out to the memory that stayed, as if phi had seen c_t",
         "zoneout_backward(masks.zoneout_c, dc)", "zoneout_backward(masks.zoneout_c, dc + dh * o * slope(phi_c))",
         "dc = dc + dh * o * slope(phi_c)", "dc = 1 * dc"),
    ]),

    *planted("lstm", form="forget", rows=[
        ("the sigmoid derivative of the forget gate is forgotten", "df * sigmoid_slope(f)", "df"),
        ("the forget gate's sigmoid derivative misses 1 - f", "df * sigmoid_slope(f)", "df * f"),
        ("the input and forget gates' gradients are swapped",
         "self.gates]), x, h_in, weights)", '("f", "i", "g", "o")]), x, h_in, weights)'),
        ("the candidate's and the output gate's gradients are swapped (order i f o g for i f g o)",
         "self.gates]), x, h_in, weights)", '("i", "f", "o", "g")]), x, h_in, weights)'),
        ("the forget gate is missing from the memory's path back", "dc_prev = dc * f", "dc_prev = dc"),
        ("the forget gate's gradient uses c_t where c_{t-1} belongs",
         "df = dc * c_prev", "df = dc * masked(masks.moon, f * c_prev + i * masked(masks.ours, g))"),
    ]),
    *shared_biases("lstm", "ifgo", "dh_prev = masked(masks.gal, dh_in)", ("if", "fi", "go", "of"), "forget"),


    *planted("gru", [
        ("the sigmoid derivative of the reset gate is forgotten", "dr * sigmoid_slope(r)", "dr"),
        ("the sigmoid derivative of the update gate is forgotten", "dz * sigmoid_slope(z)", "dz"),
        ("the reset gate's sigmoid derivative misses 1 - r", "dr * sigmoid_slope(r)", "dr * r"),
        ("the update gate's sigmoid derivative misses 1 - z", "dz * sigmoid_slope(z)", "dz * z"),
        ("the derivative of the candidate's tanh is forgotten", "dn * tanh_slope(n)", "dn"),
        ("the path that carries the old state, dh (1 - z), is dropped", "dh_prev = dh * (1 - new) +", "dh_prev ="),
        ("the shares of old and new state are exchanged in dh_{t-1}",
         "dh_prev = dh * (1 - new) +", "dh_prev = dh * new +"),
        ("the update gate's sign belongs to the other convention (z for 1 - z)",
         'dnew if self.convention == "thesis" else -dnew', '-dnew if self.convention == "thesis" else dnew'),
        ("the update gate's gradient misses the old state: n, not n - h_{t-1}",
         "masked(masks.ours, n) - h_prev", "masked(masks.ours, n)"),
        ("the candidate's gradient misses the update gate", "dh * new)  #", "dh)  #"),
        ("the reset and update gates' gradients are swapped", "stack([da_r, da_z])", "stack([da_z, da_r])"),
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
    ]),

    *planted("gru", form="before", rows=[
        ("the reset gate is missing from the way back to h_{t-1}", "dh_in = dreset * r", "dh_in = dreset"),
        ("the reset gate's gradient misses h_{t-1}", "dr = dreset * h_in", "dr = dreset"),
        ("the candidate's recurrent weights use h_{t-1}, not r * h_{t-1}", "da_n.T @ h_n", "da_n.T @ h_in"),
    ]),

    *planted("gru", form="after", rows=[
        ("the reset gate is missing from the gradient of the candidate's product",
         "dproduct = da_n * r", "dproduct = da_n"),
        ("the reset gate's gradient uses h_{t-1}, not W_hn h_{t-1} + b_hn", "dr = da_n * h_n", "dr = da_n * h_in"),
        ("the candidate's recurrent weights miss the reset gate", "dproduct.T @ h_in", "da_n.T @ h_in"),
        ("bias_hh of the candidate misses the reset gate", "stack([da_rz, dproduct])", "stack([da_rz, da_n])"),
    ]),
    *shared_biases("gru", "rzn", "return da @ weights.weight_ih, (dh_prev,), dweights", ("rz", "zr", "nz")),
)


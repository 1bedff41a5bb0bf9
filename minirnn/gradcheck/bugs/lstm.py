"""What goes wrong in an LSTM: gates, the memory's road, masks, zoneout, biases."""

from minirnn.cells import LSTM
from minirnn.gradcheck.bugs.mutant import planted, shared_biases

GATES = {"i": "input", "f": "forget", "g": "candidate", "o": "output"}

EVERY = planted(LSTM.step_backward, [
    ("the dc path is dropped: nothing flows from c_t to c_{t-1}", "dc_prev = dc * f", "dc_prev = 0 * dc"),
    ("dc misses the path through h_t", "dc = dc + dh * o * slope(phi_c)", "dc = dc + 0 * dh"),
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
])
WITH_FORGET_GATE = planted(LSTM.step_backward, fits=lambda cell: cell.forget_gate, rows=[
    ("the forget gate's gradient uses c_t where c_{t-1} belongs",
     "df = dc * c_prev", "df = dc * masked(masks.moon, f * c_prev + i * masked(masks.ours, g))"),
])
BIASES = shared_biases(LSTM.step_backward, GATES, "dh_prev = masked(masks.gal, dh_in)", ("if", "fi", "go", "of"),
                       fits=lambda cell: cell.forget_gate)
BUGS = (*EVERY, *WITH_FORGET_GATE, *BIASES)

"""What goes wrong in an LSTM: gates, the memory's road, masks, zoneout, biases."""

from minirnn.cells import LSTM
from minirnn.gradcheck.bugs.mutant import planted, shared_biases

GATES = {"i": "input", "f": "forget", "g": "candidate", "o": "output"}

EVERY = planted(LSTM.step_backward, [
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
])
WITH_FORGET_GATE = planted(LSTM.step_backward, fits=lambda cell: cell.forget_gate, rows=[
    ("the sigmoid derivative of the forget gate is forgotten", "df * sigmoid_slope(f)", "df"),
    ("the forget gate's sigmoid derivative misses 1 - f", "df * sigmoid_slope(f)", "df * f"),
    ("the input and forget gates' gradients are swapped",
     "self.gates]), x, h_in, weights)", '("f", "i", "g", "o")]), x, h_in, weights)'),
    ("the candidate's and the output gate's gradients are swapped (order i f o g for i f g o)",
     "self.gates]), x, h_in, weights)", '("i", "f", "o", "g")]), x, h_in, weights)'),
    ("the forget gate is missing from the memory's path back", "dc_prev = dc * f", "dc_prev = dc"),
    ("the forget gate's gradient uses c_t where c_{t-1} belongs",
     "df = dc * c_prev", "df = dc * masked(masks.moon, f * c_prev + i * masked(masks.ours, g))"),
])
BIASES = shared_biases(LSTM.step_backward, GATES, "dh_prev = masked(masks.gal, dh_in)", ("if", "fi", "go", "of"),
                       fits=lambda cell: cell.forget_gate)
BUGS = (*EVERY, *WITH_FORGET_GATE, *BIASES)

"""What goes wrong in a peephole LSTM: what an LSTM's backward has not."""

from minirnn.cells import PeepholeLSTM
from minirnn.gradcheck.bugs.mutant import planted

BUGS = planted(PeepholeLSTM.step_backward, [
    ("the output gate's peephole is missing from the gradient of the new memory", "+ da_o * p_o", ""),
    ("the output gate's peephole hands back to c_{t-1}, not to c_t",
     "+ da_o * p_o", "", "+ da_i * p_i + da_f * p_f", "+ da_i * p_i + da_f * p_f + da_o * p_o"),
    ("the input gate's peephole is missing from the gradient of c_{t-1}", "+ da_i * p_i", ""),
    ("the forget gate's peephole is missing from the gradient of c_{t-1}", "+ da_f * p_f", ""),
    ("the input and forget gates' peepholes are swapped on the way back", "da_i * p_i + da_f * p_f",
     "da_i * p_f + da_f * p_i"),
    ("the output gate's peephole weight is multiplied by c_{t-1}, not by c_t", "da_o * c_new", "da_o * c_prev"),
    ("the output gate's peephole weight is multiplied by tanh(c_t), not by c_t", "da_o * c_new", "da_o * phi_c"),
    ("the input gate's peephole weight is multiplied by c_t, not by c_{t-1}", "da_i * c_prev", "da_i * c_new"),
    ("the peephole gradients are stacked i o f, not i f o",
     "(da_f * c_prev).sum(axis=0), (da_o * c_new).sum(axis=0)",
     "(da_o * c_new).sum(axis=0), (da_f * c_prev).sum(axis=0)"),
    ("the peephole gradients are a mean over the batch, not a sum",
     "(da_i * c_prev).sum(", "(da_i * c_prev).mean(", "(da_f * c_prev).sum(", "(da_f * c_prev).mean(",
     "(da_o * c_new).sum(", "(da_o * c_new).mean("),
    ("the output gate's gradient reaches its peephole before the slope of the sigmoid",
     "+ da_o * p_o", "+ dh * phi_c * p_o"),
    ("the memory's path through h_t misses the output gate", "dh * o * tanh_slope(phi_c)", "dh * tanh_slope(phi_c)"),
    ("the sigmoid derivative of the output gate is forgotten", "dh * phi_c * sigmoid_slope(o)", "dh * phi_c"),
    ("the dc path is dropped: nothing flows from c_t to c_{t-1} but through the peepholes",
     "dc_prev = dc * f +", "dc_prev ="),
    ("the moon mask is forgotten on the way back", "dc = masked(masks.moon, dc)", "dc = 1 * dc"),
    ("the moon mask is forgotten for what comes through the output gate's peephole",
     "+ da_o * p_o", "", "dc = masked(masks.moon, dc)", "dc = masked(masks.moon, dc) + da_o * p_o"),
    ("zoneout: the gradient of the memory that stayed is dropped", "+ dc_old", ""),
    ("zoneout: the output gate's peephole shares out to the memory that stayed, as if o had seen c_t",
     "dc_old, dc = zoneout_backward(masks.zoneout_c, dc)",
     "dc_old, dc = zoneout_backward(masks.zoneout_c, dc + dh * phi_c * sigmoid_slope(o) * p_o)",
     "+ da_o * p_o", ""),
])

"""What goes wrong in an LSTM with coupled gates: what an LSTM's backward has not."""

from minirnn.cells import CoupledLSTM
from minirnn.gradcheck.bugs.mutant import planted

BUGS = planted(CoupledLSTM.step_backward, [
    ("the forget gate's gradient misses what is not written: the path through 1 - f",
     "dc * (c_prev - masked(masks.ours, g))", "dc * c_prev"),
    ("the forget gate's gradient has the path through 1 - f alone", "(c_prev - masked(masks.ours, g))",
     "-masked(masks.ours, g)"),
    ("the path through 1 - f has the wrong sign", "c_prev - masked(masks.ours, g)", "c_prev + masked(masks.ours, g)"),
    ("the forget gate's gradient has the wrong sign: it is the input gate's", "c_prev - masked(masks.ours, g)",
     "masked(masks.ours, g) - c_prev"),
    ("the candidate's gradient is multiplied by f, not by 1 - f", "dc * (1 - f)", "dc * f"),
    ("the memory's path back is scaled by 1 - f, not by f", "dc * f + dc_old", "dc * (1 - f) + dc_old"),
    ("the dc path is dropped: nothing flows from c_t to c_{t-1}", "dc * f + dc_old", "dc_old"),
    ("the coupled gates' sigmoid derivative is forgotten", "df * sigmoid_slope(f)", "df"),
    ("the ours mask is forgotten in the coupled gates' gradient", "c_prev - masked(masks.ours, g)", "c_prev - g"),
])

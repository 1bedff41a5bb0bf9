"""What goes wrong in the vanilla step."""

from minirnn.cells import RNN
from minirnn.gradcheck.bugs.mutant import planted

BUGS = planted(RNN.step_backward, [
    ("the derivative of the nonlinearity is forgotten", "dh * slope(saved.h)", "dh"),
    ("the nonlinearity's derivative is taken at h_{t-1}, not at h_t", "slope(saved.h)", "slope(saved.h_in)"),
    ("tanh' is written 1 - h, not 1 - h^2", "slope(saved.h)", "(1 - saved.h)"),
    ("weight_hh uses h_t where h_{t-1} belongs", "saved.x, saved.h_in", "saved.x, saved.h"),
    ("the gal mask is forgotten on the way back", "masked(saved.gal, dh_in)", "dh_in"),
])

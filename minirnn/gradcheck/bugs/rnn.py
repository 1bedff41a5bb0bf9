"""What goes wrong in the vanilla step."""

from minirnn.cells import RNN
from minirnn.gradcheck.bugs.mutant import planted

BUGS = planted(RNN.step_backward, [
    ("weight_hh uses h_t where h_{t-1} belongs", "saved.x, saved.h_in", "saved.x, saved.h"),
    ("the gal mask is forgotten on the way back", "masked(saved.gal, dh_in)", "dh_in"),
])

"""What goes wrong in the affine map that the gates of a cell share."""

from minirnn.cells import operands
from minirnn.gradcheck.bugs.mutant import planted

BUGS = planted(operands.affine_backward, [
    ("the mean over the batch is taken where the sum belongs, in every weight",
     "da.sum(axis=0)", "da.mean(axis=0)", "da.T @ x", "da.T @ x / len(x)", "da.T @ h", "da.T @ h / len(x)"),
    ("the bias gradients are a mean over the batch, not a sum", "da.sum(axis=0)", "da.mean(axis=0)"),
    ("the recurrent matrix is transposed on the way back to h_{t-1}",
     "da @ weights.weight_hh",
     "da @ weights.weight_hh.reshape(-1, h.shape[1], h.shape[1]).swapaxes(1, 2).reshape(-1, h.shape[1])"),
    ("the path through W_hh to h_{t-1} is dropped", "da @ weights.weight_hh", "0 * h"),
    ("bias_hh gets no gradient", "dbias.copy()", "0 * dbias"),
    ("x gets no gradient", "da @ weights.weight_ih", "0 * x"),
])

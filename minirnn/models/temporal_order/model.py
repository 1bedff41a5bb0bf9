"""A label for a whole sequence: a recurrent layer whose last state is classified (thesis sec. 3.4.1)."""

import numpy as np

from minirnn import nn
from minirnn.errors import InputError, must_be
from minirnn.nn.layers import check_rate


class SequenceClassifier(nn.Module):
    """p(class | sequence): x (T, B, D), lengths (B,) or None -> logits (B, classes), from each row's last state h_T.

    A row of length 3 among T = 5 steps is classified by its third state. cell "lstm", "gru" or "rnn"; forward dropout
    on the inputs and on h_T; recurrent_dropout as in nn.LSTM. With ``init`` all parameters, biases included, are drawn
    from U(-init, init), else each layer's own initialisation stays; forget_bias, if given, is then the LSTM's b_f.
    weak_classes, if given, makes a second output layer for the labels of a pretraining: ``weak=True`` asks for its
    logits. InputError for an unknown cell or a rate outside [0, 1).
    """

    def __init__(self, inputs, hidden, classes, *, cell="lstm", forward_dropout=(0.0, 0.0), recurrent_dropout=None,
                 init=None, forget_bias=None, weak_classes=None, rng=None, dtype=np.float32,
                 **layer_options):
        if cell not in nn.RECURRENT:
            raise InputError(must_be("SequenceClassifier", "cell", f"one of {', '.join(nn.RECURRENT)}", repr(cell)))
        drop_in, drop_out = (check_rate("forward_dropout", rate) for rate in forward_dropout)
        rng = np.random.default_rng(rng)
        self.recurrent = nn.RECURRENT[cell](inputs, hidden, recurrent_dropout=recurrent_dropout, rng=rng, dtype=dtype,
                                      **layer_options)
        self.output = nn.Linear(hidden, classes, rng=rng, dtype=dtype)
        self.weak_output = None if weak_classes is None else nn.Linear(hidden, weak_classes, rng=rng, dtype=dtype)
        self.input_dropout = nn.Dropout(drop_in, purpose="input")
        self.output_dropout = nn.Dropout(drop_out, purpose="output")
        if init is not None:
            nn.init.redraw_uniform(rng, self.parameters(), init)
        if forget_bias is not None and cell == "lstm":
            bias = self.recurrent.bias_ih_l0.value
            bias[hidden : 2 * hidden] = forget_bias  # gates i, f, g, o
            self.recurrent.bias_hh_l0.value[hidden : 2 * hidden] = 0

    def forward(self, x, lengths=None, *, weak=False, streams=None):
        """streams for the masks in training."""
        streams = nn.streams(streams)
        x = self.input_dropout(x, streams=streams)
        _, state = self.recurrent(x, lengths=lengths, streams=streams)
        last = (state[0] if isinstance(state, tuple) else state)[0]  # h_T of the one layer, (B, H)
        return (self.weak_output if weak else self.output)(self.output_dropout(last, streams=streams))

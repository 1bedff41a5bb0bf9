"""A tag for every word of a sentence (thesis sec. 3.4.4): static word vectors, a convolution, an LSTM, a softmax."""

import numpy as np

from minirnn import nn, ops
from minirnn.array import to_cpu, xp_of
from minirnn.autograd import Tensor
from minirnn.autograd.tape import lift
from minirnn.errors import InputError, check_shape, must_be
from minirnn.nn.layers import check_rate

ACTIVATIONS = {"relu": ops.relu, "tanh": ops.tanh}


class Tagger(nn.Module):
    """p(tag | sentence) of every word: words (T, B) ints -> logits (T, B, tags).

    table (V, D): the vector of each word, not trained. classes: how many classes of capitalisation there are, given as
    one-hot features; 0 for none. ``kernel`` words, an odd number, go into each of ``filters`` filters: with 5 it sees
    two words to the left and two to the right, zeros outside the sentence. activation: f of the LSTM's candidate and
    output, thesis (3.3.5) and (3.3.7); conv_activation: that of the filters; "relu" or "tanh". forward_dropout on the
    inputs and on h_t; recurrent_dropout as in nn.LSTM; init as in SequenceClassifier. InputError for what does not fit.
    """

    def __init__(self, table, tags, *, classes=6, filters=256, kernel=5, hidden=1024, activation="relu",
                 conv_activation="relu", forward_dropout=(0.0, 0.0), recurrent_dropout=None, init=None, rng=None,
                 dtype=np.float32, **layer_options):
        if not isinstance(kernel, int) or kernel % 2 == 0 or kernel < 1:
            raise InputError(must_be("Tagger", "kernel", "a positive odd int", repr(kernel), "it has a middle word"))
        if conv_activation not in ACTIVATIONS:
            raise InputError(must_be("Tagger", "conv_activation", "'relu' or 'tanh'", repr(conv_activation)))
        check_shape("Tagger", "table", table, "(V, D)", (None, None))
        drop_in, drop_out = (check_rate("forward_dropout", rate) for rate in forward_dropout)
        rng = np.random.default_rng(rng)
        self.classes, self.activation = classes, ACTIVATIONS[conv_activation]
        self.table = Tensor(np.array(table, dtype))  # a buffer: saved, not trained
        self.convolution = nn.Conv1d(table.shape[1] + classes, filters, kernel, padding=kernel // 2, rng=rng,
                                     dtype=dtype)
        self.recurrent = nn.LSTM(filters, hidden, activation=activation, recurrent_dropout=recurrent_dropout, rng=rng,
                                 dtype=dtype, **layer_options)
        self.output = nn.Linear(hidden, tags, rng=rng, dtype=dtype)
        self.input_dropout = nn.Dropout(drop_in, purpose="input")
        self.output_dropout = nn.Dropout(drop_out, purpose="output")
        if init is not None:
            nn.init.redraw_uniform(rng, self.parameters(), init)

    def forward(self, words, capitals=None, lengths=None, *, beyond=None, streams=None):
        """words and their classes ``capitals`` (T, B), None without them; lengths (B,): the words of each sentence.

        What lies beyond a sentence's end has no influence on it. streams for the masks in training. ``beyond`` (N, D)
        holds vectors of words that the table has not got: with V = 100 and N = 2 these are words 100 and 101.
        """
        streams = nn.streams(streams)
        x = self.input_dropout(self._inputs(words, capitals, lengths, beyond), streams=streams)
        filtered = self.convolution(ops.transpose(x, (1, 2, 0)))  # (B, D, T) -> (B, filters, T)
        filtered = ops.transpose(self.activation(filtered), (2, 0, 1))
        h, _ = self.recurrent(filtered, lengths=lengths, streams=streams)
        return self.output(self.output_dropout(h, streams=streams))

    def _inputs(self, words, capitals, lengths, beyond):
        """Word vectors and one-hot classes (T, B, D + classes), zero beyond the sentences' ends."""
        x = ops.embedding(self.table if beyond is None else ops.concatenate([self.table, beyond]), words)
        if x.ndim != 3:
            raise InputError(must_be("Tagger", "words", "(T, B)", tuple(words.shape)))
        if (capitals is None) != (self.classes == 0):
            what = "None without classes of capitalisation, else (T, B)"
            raise InputError(must_be("Tagger", "capitals", what, "None" if capitals is None else "an array"))
        if capitals is not None:
            check_shape("Tagger", "capitals", capitals, "words' (T, B)", x.shape[:2])
            onehot = ops.embedding(Tensor(xp_of(x.value).eye(self.classes, dtype=x.dtype)), capitals)
            x = ops.concatenate([x, onehot], axis=-1)
        if lengths is None:
            return x
        lengths = np.asarray(to_cpu(lengths))
        check_shape("Tagger", "lengths", lengths, "(B,)", x.shape[1:2])  # the recurrent layer checks the values
        inside = np.arange(x.shape[0])[:, None] < lengths
        return x * lift(xp_of(x.value).asarray(inside[:, :, None].astype(x.dtype)))

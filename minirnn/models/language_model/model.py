"""The recurrent language model of thesis sec. 3.4.2: embedding, recurrent layers, softmax; words or characters."""

import numpy as np

from minirnn import nn
from minirnn.array import xp_of
from minirnn.autograd import no_grad
from minirnn.errors import InputError, must_be
from minirnn.nn.layers import check_rate


class LanguageModel(nn.Module):
    """p(next token | tokens so far): tokens (T, B) ints -> logits (T, B, V), state.

    vocabulary V; embedding E; hidden H; cell "lstm", "gru" or "rnn"; forward dropout on the embedded input and on the
    output of the last layer (thesis: 0.2 and 0.5); recurrent_dropout as in nn.LSTM. All parameters, biases included,
    are drawn from U(-init, init), the thesis's choice. ``layer_options`` go to the recurrent layer. Its sizes, for V =
    50, E = 4, H = 8: 200 for the embedding, 448 for an LSTM, 450 for the output.
    """

    def __init__(self, vocabulary, embedding=256, hidden=256, *, cell="lstm", layers=1, forward_dropout=(0.0, 0.0),
                 recurrent_dropout=None, init=0.05, rng=None, dtype=np.float32, **layer_options):
        if cell not in nn.RECURRENT:
            raise InputError(must_be("LanguageModel", "cell", f"one of {', '.join(nn.RECURRENT)}", repr(cell)))
        self.drop_in, self.drop_out = (check_rate("forward_dropout", rate) for rate in forward_dropout)
        rng = np.random.default_rng(rng)
        self.embedding = nn.Embedding(vocabulary, embedding, rng=rng, dtype=dtype)
        self.recurrent = nn.RECURRENT[cell](embedding, hidden, layers, dropout=self.drop_out if layers > 1 else 0.0,
                                      recurrent_dropout=recurrent_dropout, rng=rng, dtype=dtype,
                                      **layer_options)
        self.output = nn.Linear(hidden, vocabulary, rng=rng, dtype=dtype)
        self.input_dropout = nn.Dropout(self.drop_in, purpose="input")
        self.output_dropout = nn.Dropout(self.drop_out, purpose="output")
        nn.init.redraw_uniform(rng, self.parameters(), init)

    # the softmax over the vocabulary belongs to the loss: y_t = g(W h_t + b) of thesis (2.2.3) without its g
    def forward(self, tokens, state=None, *, lengths=None, streams=None):
        """tokens (T, B), state as the recurrent layer's (None: zeros); streams for the masks in training."""
        streams = nn.streams(streams)
        x = self.input_dropout(self.embedding(tokens), streams=streams)
        h, state = self.recurrent(x, state, lengths=lengths, streams=streams)
        return self.output(self.output_dropout(h, streams=streams)), state


def detached(state):
    """The state's values cut from the tape, to be carried to the next window; a Tensor or a tuple of Tensors."""
    return tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()


def drawn_symbols(model, start, count, temperature, rng, never=None):
    """``count`` symbols drawn after ``start`` (T,) -> list of ints; ``never`` is a symbol that is not drawn.

    Each comes from softmax(logits / temperature), the likeliest where that is 0: of logits 2 and 1 the first has a
    share of 0.73, and of 0.88 at a temperature of 0.5. InputError when a logit is not finite.
    """
    drawn, state = [], None
    model.eval()
    with no_grad():
        inputs = start[:, None]  # (T, 1)
        for _ in range(count):
            logits, state = model(inputs, state)
            drawn.append(_draw(logits.value[-1, 0], temperature, rng, never))
            inputs = np.array([[drawn[-1]]], np.int32)
    return drawn


def _draw(logits, temperature, rng, never):
    """One symbol from logits (V,), found where they are; the int alone comes home."""
    xp, logits = xp_of(logits), logits.astype(np.float64)
    finite = xp.isfinite(logits).all()
    if never is not None:
        logits[never] = -np.inf
    if temperature == 0:
        drawn = logits.argmax()
    else:
        with np.errstate(over="ignore", invalid="ignore"):  # a tiny temperature sends all but the likeliest to -inf
            weights = xp.exp((logits - logits.max()) / temperature)
            cumulative = weights.cumsum()
            drawn = xp.searchsorted(cumulative, rng.random() * cumulative[-1], side="right")
    drawn = int(xp.where(finite, drawn, -1))
    if drawn < 0:
        raise InputError(must_be("sample", "the model's output", "finite", "NaN or infinity", "the run diverged"))
    return drawn

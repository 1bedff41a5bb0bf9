"""Modules: layers, losses, initialisation."""

from minirnn import init
from minirnn.nn.layers import Conv1d, Dropout, Embedding, Linear
from minirnn.nn.losses import bce_with_logits, cross_entropy, mse_loss
from minirnn.nn.module import Module, Sequential, parameter
from minirnn.nn.recurrence import recurrence
from minirnn.nn.recurrent import GRU, LSTM, RECURRENT, RNN, GRUCell, LSTMCell, PeepholeLSTM, RNNCell
from minirnn.nn.recurrent_dropout import RecurrentDropout
from minirnn.nn.streams import streams
from minirnn.nn.unroll import Record, unroll

__all__ = [
    "GRU",
    "LSTM",
    "RECURRENT",
    "RNN",
    "Conv1d",
    "Dropout",
    "Embedding",
    "GRUCell",
    "LSTMCell",
    "Linear",
    "Module",
    "PeepholeLSTM",
    "RNNCell",
    "Record",
    "RecurrentDropout",
    "Sequential",
    "bce_with_logits",
    "cross_entropy",
    "init",
    "mse_loss",
    "parameter",
    "recurrence",
    "streams",
    "unroll",
]

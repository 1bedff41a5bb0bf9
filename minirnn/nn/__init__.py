"""Modules: layers, losses, initialisation."""

from minirnn import init
from minirnn.nn.activations import ELU, GELU, LeakyReLU, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Tanh
from minirnn.nn.layers import Conv1d, Dropout, Embedding, Linear
from minirnn.nn.losses import bce_with_logits, cross_entropy, mse_loss, nll_loss
from minirnn.nn.module import Module, ModuleList, Sequential, parameter
from minirnn.nn.recurrence import recurrence
from minirnn.nn.recurrent import GRU, LSTM, RECURRENT, RNN, GRUCell, LSTMCell, PeepholeLSTM, RNNCell
from minirnn.nn.recurrent_dropout import RecurrentDropout
from minirnn.nn.streams import streams
from minirnn.nn.unroll import Record, unroll

__all__ = [
    "Conv1d",
    "Dropout",
    "ELU",
    "Embedding",
    "GELU",
    "GRU",
    "GRUCell",
    "LSTM",
    "LSTMCell",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "Module",
    "ModuleList",
    "PeepholeLSTM",
    "RECURRENT",
    "RNN",
    "RNNCell",
    "ReLU",
    "Record",
    "RecurrentDropout",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "bce_with_logits",
    "cross_entropy",
    "init",
    "mse_loss",
    "nll_loss",
    "parameter",
    "recurrence",
    "streams",
    "unroll",
]

"""A label for a text: word vectors and a recurrent layer whose last state is classified (thesis sec. 3.4.5)."""

import numpy as np

from minirnn import ops
from minirnn.autograd import Tensor
from minirnn.errors import check_shape
from minirnn.models.temporal_order.model import SequenceClassifier


class TextClassifier(SequenceClassifier):
    """The same of words: (T, B) ints, lengths (B,) -> logits (B, classes). thesis sec. 3.4.5.

    table (V, D): the vector of each word, trained with all else if ``train_vectors``: 20,000 vectors of 50 values are a
    million parameters more. Further options as those of SequenceClassifier.
    """

    def __init__(self, table, hidden, classes, *, train_vectors=False, dtype=np.float32, **options):
        check_shape("TextClassifier", "table", table, "(V, D)", (None, None))
        super().__init__(table.shape[1], hidden, classes, dtype=dtype, **options)
        self.table = Tensor(np.array(table, dtype), requires_grad=bool(train_vectors))

    def forward(self, words, lengths=None, *, weak=False, streams=None):
        """What lies beyond a text's end has no influence on it."""
        return super().forward(ops.embedding(self.table, words), lengths, weak=weak, streams=streams)

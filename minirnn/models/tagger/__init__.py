"""A tagger for the named entities of sentences: word vectors, a convolution, an LSTM (thesis sec. 3.4.4).

    import numpy as np
    from minirnn.models.tagger import Tagger
    vectors, words = np.ones((50, 8)), np.array([[1, 2], [3, 4], [5, 0]])  # V = 50 words; T = 3, B = 2
    model = Tagger(vectors, tags=9, classes=0, filters=16, hidden=32, rng=0)
    tags = model(words, lengths=np.array([3, 2])).value.argmax(-1)         # (3, 2)
"""

from minirnn.models.tagger.model import Tagger

__all__ = ["Tagger"]

"""The sentiment of short texts: word vectors, a recurrent layer, its last state classified (thesis sec. 3.4.5).

    import numpy as np
    from minirnn.models.sentiment import TextClassifier
    vectors, words = np.ones((50, 8)), np.array([[1, 2], [3, 4], [5, 0]])  # V = 50 words; T = 3, B = 2
    model = TextClassifier(vectors, 32, classes=3, cell="gru", rng=0)
    sentiment = model(words, np.array([3, 2])).value.argmax(-1)            # (2,)
"""

from minirnn.models.sentiment.model import TextClassifier

__all__ = ["TextClassifier"]

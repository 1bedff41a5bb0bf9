"""A recurrent language model of words or characters (thesis sec. 3.4.2 and 3.4.3).

    import numpy as np
    from minirnn import nn
    from minirnn.models.language_model import LanguageModel
    model, tokens = LanguageModel(50, embedding=16, hidden=32, rng=0), np.array([[1, 2], [3, 4], [5, 6]])  # (T, B)
    logits, state = model(tokens[:-1])                                    # (2, 2, 50)
    loss = nn.cross_entropy(logits, tokens[1:], time="sum")
"""

from minirnn.models.language_model.model import LanguageModel

__all__ = ["LanguageModel"]

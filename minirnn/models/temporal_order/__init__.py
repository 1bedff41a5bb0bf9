"""Which of two symbols came first, many steps ago: a sequence classified by its last state (thesis sec. 3.4.1).

    from minirnn.array import stream
    from minirnn.data import temporal_order
    from minirnn.models.temporal_order import SequenceClassifier
    x, classes = temporal_order.draw(stream(0, "example"), 32, length=15)  # (15, 32, 4), (32,)
    logits = SequenceClassifier(4, 16, len(temporal_order.CLASSES), rng=0)(x)
"""

from minirnn.models.temporal_order.model import SequenceClassifier

__all__ = ["SequenceClassifier"]

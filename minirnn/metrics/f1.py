"""F1 of classes, and the mean of two of them that SemEval's sentiment task reports."""

import numpy as np

from minirnn.errors import InputError, in_our_words, must_be
from minirnn.metrics.entities import scores_of


class ClassScores:
    """Accumulates labels: ``add(true, predicted)``, places in ``classes``. ``counts[t, p]``: t taken for p."""

    @in_our_words
    def __init__(self, classes):
        self.classes = tuple(classes)
        self.counts = np.zeros((len(self.classes),) * 2, np.int64)

    @in_our_words
    def add(self, true, predicted):
        """Count (N,) true and predicted labels; InputError unless they are equally many, and places in the classes."""
        true, predicted = np.asarray(true), np.asarray(predicted)
        if true.shape != predicted.shape or true.ndim != 1:
            raise InputError(must_be("ClassScores.add", "predicted", f"(N,) = {true.shape}", predicted.shape))
        for name, labels in (("true", true), ("predicted", predicted)):
            if labels.size and not 0 <= labels.min() <= labels.max() < len(self.classes):
                raise InputError(must_be("ClassScores.add", name, f"places in {self.classes}", labels[:5].tolist()))
        np.add.at(self.counts, (true, predicted), 1)

    def scores(self, name):
        """The Scores of one class, in per cent."""
        k = self.classes.index(name)
        return scores_of(int(self.counts[k, k]), int(self.counts[:, k].sum()), int(self.counts[k].sum()))

    def mean_f1(self, names=("positive", "negative")):
        """Mean F1 of the classes ``names``, in per cent: others, such as neutral, enter through errors alone."""
        return sum(self.scores(name).f1 for name in names) / len(names)

    @property
    def accuracy(self):
        """Share of right labels, in per cent."""
        return 100 * float(np.trace(self.counts)) / max(int(self.counts.sum()), 1)

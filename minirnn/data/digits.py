"""The 8 x 8 digits that scikit-learn carries: 1,797 real handwritten digits without a download."""

import numpy as np

from minirnn.array import stream
from minirnn.data.images import Images, draw_digits
from minirnn.data.registry import DataSet
from minirnn.errors import InputError

TEST = 360


def build(contents, origin, shuffle_seed=0):
    """Images (1437, 8, 8) and (360, 8, 8) of 0..16 with their labels, shuffled with a fixed seed."""
    images, labels = contents["images"], contents["labels"]
    order = stream(shuffle_seed, "shuffle digits").permutation(len(labels))
    train, test = order[TEST:], order[:TEST]
    return Images("digits", origin, 16, images[train], labels[train], images[test], labels[test])


def embedded():
    """scikit-learn's arrays; InputError naming the extra when it is not installed."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise InputError(
            "data set digits: scikit-learn is not installed; install minirnn[course], or ask for its twin (--twin)"
        ) from None
    digits = load_digits()
    return {"images": digits.images.astype(np.uint8), "labels": digits.target.astype(np.uint8)}


def twin():
    """As many digits drawn from a font."""
    images, labels = draw_digits(1_797, 8, 16, 6, 0)
    return {"images": images, "labels": labels}


SET = DataSet(
    name="digits",
    summary="scikit-learn's 1,797 handwritten digits, 8 x 8",
    licence="UCI Machine Learning Repository (Alpaydin and Kaynak 1998), CC BY 4.0",
    build=build,
    twin=twin,
    embedded=embedded,
    carried_by="scikit-learn (minirnn[course])",
)

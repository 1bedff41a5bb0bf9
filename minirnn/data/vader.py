"""VADER's rated texts (Hutto and Gilbert 2014): an openly licensed stand-in for SemEval's tweets."""

import math

from minirnn.array import stream
from minirnn.data import sentiment_grammar
from minirnn.data.download import Mirror
from minirnn.data.labelled_texts import CLASSES, LabelledTexts, part_of, plain, read_rows
from minirnn.data.registry import DataSet, RemoteFile
from minirnn.errors import InputError, must_be

ARCHIVE = "https://github.com/cjhutto/vaderSentiment/raw/master/additional_resources/hutto_ICWSM_2014.tar.gz"
FILES = {  # domain: (file, sha256 and bytes of the unpacked file)
    "tweets": ("tweets", "dfbe7102e2f92579ed8b19df9a3822491880697c67adf712fb66e520cc05102f", 389_886),
    "amazon": ("amazonReviewSnippets", "11a9807a0974a2506a2d3b4851eaf69b3d6d20688ce4923adda2312a4f6dd6c2", 373_157),
    "movie": ("movieReviewSnippets", "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350", 1_383_098),
    "nyt": ("nytEditorialSnippets", "7d8fbcce7dde5d716da53e78f4ef4be6b706e9ef1e1d51887e6d0ad4b69cc27e", 607_629),
}
THRESHOLD = 0.5  # decision: |mean| up to here is neutral
MOST = 4.0  # ratings are in [-4, 4]
VALID, TEST = 0.1, 0.2  # shares of each domain


def path_of(domain):
    return f"vader/{FILES[domain][0]}_GroundTruth.txt"


def label_of(mean, threshold=THRESHOLD):
    """Place in CLASSES of a mean rating: neutral when it is at most ``threshold`` away from 0."""
    return CLASSES.index("neutral" if abs(mean) <= threshold else "positive" if mean > 0 else "negative")


def read(data, path, threshold=THRESHOLD):
    """[(words, label)] of a file of bytes; InputError with file and line as ``read_rows``, or for its mean."""
    rows = []
    for _, mean, words, where in read_rows(data, path, plain):
        try:
            value = float(mean)
        except ValueError:
            value = math.nan
        if not abs(value) <= MOST:
            raise InputError(must_be(where, "mean", "a number in [-4, 4]", repr(mean)))
        rows.append((words, label_of(value, threshold)))
    return rows


def build(contents, origin, threshold=THRESHOLD, seed=0):
    """The LabelledTexts: of each domain 70 % for training, 10 % and 20 % as the test set of its name.

    The split is drawn with ``seed``; ``threshold`` as in ``label_of``. InputError for one outside [0, 4).
    """
    if not 0 <= threshold < MOST:
        raise InputError(must_be("data set vader", "threshold", "in [0, 4)", threshold))
    train, valid, tests = [], [], {}
    for domain in FILES:
        rows = read(contents[path_of(domain)], path_of(domain), threshold)
        order = stream(seed, f"split of {domain}").permutation(len(rows))
        first, second = round(len(rows) * TEST), round(len(rows) * (TEST + VALID))
        tests[domain] = [rows[k] for k in order[:first]]
        valid += [rows[k] for k in order[first:second]]
        train += [rows[k] for k in order[second:]]
    parts = {"train": train, "valid": valid, **tests}
    return LabelledTexts("vader", origin, CLASSES, {name: part_of(rows) for name, rows in parts.items()}, ("weak",))


def twin():
    """Sentences of the set sentiment-grammar in files of the same form."""
    contents = {}
    for domain in FILES:
        rows = sentiment_grammar.labelled(200, 0, f"ratings {domain}")
        lines = [f"{k}\t{2.5 * (label - 1) + 0.1}\t{' '.join(words)}" for k, (words, label) in enumerate(rows, 1)]
        contents[path_of(domain)] = "\r\n".join(lines).encode()
    return contents


SET = DataSet(
    name="vader",
    summary="VADER's 23,703 rated tweets, reviews and news snippets: three classes, four domains",
    licence="MIT License (vaderSentiment)",
    files=tuple(
        RemoteFile(path_of(d), sha256, size, (Mirror(ARCHIVE, f"hutto_ICWSM_2014/{file}_GroundTruth.txt"),))
        for d, (file, sha256, size) in FILES.items()
    ),
    build=build,
    twin=twin,
    explains=True,
)

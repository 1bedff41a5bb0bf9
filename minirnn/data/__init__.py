"""Data sets: one file per set, one registry, and ``load``."""

from minirnn.data import (
    adding,
    conll2003,
    copying,
    digits,
    glove,
    mnist,
    ner_templates,
    ptb,
    python_help,
    semeval,
    sentiment_grammar,
    temporal_order,
    text_file,
    tinyshakespeare,
    vader,
)
from minirnn.data.corpus import Corpus, StreamBatches, stream_batches
from minirnn.data.registry import contents_of, find_set, options_of
from minirnn.data.vocabulary import Vocabulary
from minirnn.errors import InputError, must_be

__all__ = ["SETS", "Corpus", "StreamBatches", "Vocabulary", "load", "stream_batches"]

SETS = tuple(
    module.SET
    for module in (
        python_help,
        text_file,
        ptb,
        tinyshakespeare,
        digits,
        mnist,
        temporal_order,
        adding,
        copying,
        ner_templates,
        conll2003,
        glove,
        sentiment_grammar,
        semeval,
        vader,
    )
)


def load(name, source="search", folder=None, **options):
    """The data set ``name``: a Corpus, Images, SequenceTask or the like, whose ``origin`` says where it came from.

    ``source`` is "search" (the folder or MINIRNN_DATA, the cache, then a verified download), "local" (no download) or
    "twin" (generated contents of the same schema). Further options are those of the set's ``build``, such as
    ``level="char"`` or ``path=`` of the set "text". InputError for an unknown set (with near names), a missing, damaged
    or wrong file, an empty text, bytes that are not UTF-8, a vocabulary of one symbol.
    """
    entry = find_set(name, SETS)
    for option in options:
        if option not in options_of(entry):
            known = ", ".join(options_of(entry)) or "none"
            raise InputError(must_be(f"data set {entry.name}", "option", f"one of {known}", repr(option)))
    contents, origin = contents_of(entry, source, folder)
    return entry.build(contents, origin, **options)

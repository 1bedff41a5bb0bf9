"""Sentiment of tweets, SemEval 2013 to 2015 (task 10 B of 2015): positive, neutral, negative."""

import re

from minirnn.data import sentiment_grammar
from minirnn.data.labelled_texts import CLASSES, LabelledTexts, part_of, plain, read_rows
from minirnn.data.registry import DataSet, RemoteFile
from minirnn.errors import InputError, must_be

FILES = {  # file: (part, sha256 and bytes of the unpacked file)
    "2013train": ("train", "111969d156c516b40bd504fcedcca52bbd44ec24add6f59290eb94df9b9c392c", 1_420_274),
    "2015train": ("train", "29780e613f562a511fa427196503c3f95fea6c0298470e157deab88a0e0ed65e", 71_983),
    "2013dev": ("valid", "e402ab2e9bad766275ef5af490e2c3b0edca8236d60e6e69227589186bffd896", 241_753),
    "2013test": ("twitter-2013", "eb98d2342016eefda22dd563aa1ccde18aed399eeba572d8c963bbc56c196164", 509_953),
    "2015test": ("twitter-2015", "54b3481924c025d31ac9669c049603b91035b40e8becd6629fb9476a6d9a62f4", 344_669),
    "2014test": ("twitter-2014", "d6aa09ca41031e3deefb7e5b2f74f53260ab374f993e2275d8e4ccec6b210253", 268_406),
    "2014sarcasm": ("sarcasm-2014", "8321459374f88fc32b0b93da76c8740e7a3f30256886dbe9fcebb04b0ae8906f", 9_969),
}
MISSING = ("weak", "livejournal-2014", "sms-2013")  # no copy was found, and a million tweets nobody may pass on
TWIN_TEXTS = {"train": 300, "valid": 150}


def path_of(file):
    return f"semeval/twitter-{file}-A.tsv"


def unescaped(text):
    r"""The text of a row: csv quoting undone, ``\\uXXXX`` and ``\\"`` turned into characters, then HTML entities."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1].replace('""', '"')
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found.group(1), 16)), text)
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # two escapes can be one character
    return plain(text.replace('\\"', '"'))


def read(data, path):
    """[(id, words, label)] of a file of bytes; InputError with file and line as ``read_rows``, or for its label."""
    rows = []
    for identity, label, words, where in read_rows(data, path, unescaped):
        if label not in CLASSES:
            raise InputError(must_be(where, "label", f"one of {', '.join(CLASSES)}", repr(label)))
        rows.append((identity, words, CLASSES.index(label)))
    return rows


def build(contents, origin):
    """The LabelledTexts: 10,153 tweets for training, 1,654, and 3,547 / 2,390 / 1,853 / 86 in four test sets.

    A tweet that also stands in another part is left out of the training part's 10,173. The weak set, SMS-2013 and
    LiveJournal-2014 are missing.
    """
    by_part = {}
    for file, (part, _, _) in FILES.items():
        by_part.setdefault(part, []).extend(read(contents[path_of(file)], path_of(file)))
    elsewhere = {row[0] for part, rows in by_part.items() if part != "train" for row in rows}
    by_part["train"] = [row for row in by_part["train"] if row[0] not in elsewhere]
    parts = {part: part_of([row[1:] for row in rows]) for part, rows in by_part.items()}
    return LabelledTexts("semeval", origin, CLASSES, parts, MISSING)


def twin():
    """Sentences of the set sentiment-grammar in files of the same form, with its quoting and escapes."""
    contents = {}
    for number, (file, (part, _, _)) in enumerate(FILES.items()):
        rows = sentiment_grammar.labelled(TWIN_TEXTS.get(part, 200), 0, f"tweets {number}")
        lines = []
        for place, (words, label) in enumerate(rows):
            text = " ".join(words) + (r" \u2026" if place % 5 == 0 else "")
            text = f'"{text} ""so"""' if place % 7 == 0 else text
            lines.append(f"{10**6 * number + place}\t{CLASSES[label]}\t{text}\n")
        contents[path_of(file)] = "".join(lines).encode()
    return contents


SET = DataSet(
    name="semeval",
    summary="SemEval 2013-2015 tweets with sentiment, 4 test sets; SMS-2013, LiveJournal-2014 and the weak set missing",
    licence="tweets, under the terms of Twitter/X; not free: agree to them, get the files from the data and tools page"
    " of https://alt.qcri.org/semeval2017/task4/ (subtask A); do not pass them on",
    files=tuple(RemoteFile(path_of(file), sha256, size, ()) for file, (_, sha256, size) in FILES.items()),
    build=build,
    twin=twin,
    explains=True,
)

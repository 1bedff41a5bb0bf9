"""Generated sentences with names to find: invented names, many of them unseen in training or of several types.

A name's type shows in a cue word of its type, beside it, one word further, or (in lists) far before it. Names are
capitalised, but so are sentence starts, weekdays and headlines, and some names are common nouns in lower case.
"""

import functools

import numpy as np

from minirnn.array import stream
from minirnn.data.generated_text import lexicon
from minirnn.data.registry import DataSet
from minirnn.data.tagged_sentences import TYPES, Sentence, TaggedSentences, tags_of
from minirnn.errors import InputError, must_be

LEFT = {
    "PER": "minister president captain striker coach doctor professor senator judge actress novelist pilot",
    "LOC": "in near outside across toward leaving northern southern central around inside downtown",
    "ORG": "at joined rival supplier sponsor insurer retailer airline broadcaster publisher lender client",
    "MISC": "speaks annual ancient medieval celebrates wore translated traditional fluent danced modern native",
}
RIGHT = {
    "PER": "smiled resigned testified married insisted scored retired apologised wept joked injured himself",
    "LOC": "residents airport streets harbour suburbs border weather valley skyline roads hospital mayor",
    "ORG": "shares profits employees executives plc subsidiaries spokesman stock revenues branches directors losses",
    "MISC": "language tradition cuisine dialect festival folklore poetry citizens cinema accent wine religion",
}
NOUNS = (
    "report plan match deal road letter price game song crisis ship law book train strike vote prize storm tax"
    " crowd contract debate garden engine film market recipe bridge trial cargo"
)
VERBS = "saw left blamed praised followed met lost supported watched described opposed visited found awaited ignored"
ADJECTIVES = "new long quiet final former early second heavy local secret cheap late famous"
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"


class Pool:
    """Words, drawn with their weights: 1 / (rank + 20), few words often and many seldom, if they are not given."""

    def __init__(self, words, weights=None):
        self.words = tuple(words)
        self.cumulative = np.cumsum(1 / np.arange(20, len(self.words) + 20) if weights is None else weights)

    def draw(self, rng):
        return self.words[int(np.searchsorted(self.cumulative, rng.random() * self.cumulative[-1], side="right"))]


CLAUSES = Pool(
    (
        "{L} {X} {v} the {a} {n}",
        "{X} {R} {v} the {n}",
        "the {n} {v} {X} {R} on {d}",
        "{k} {n} {v} {L} {X}",
        "{L} {a} {X} {v} {n}",
        "{X} {a} {R} {v} {n}",
        "{v} {X} and {k} {n}",  # no cue: only a known name has a type
        "{L} and others : {X} , {X} and {X}",
        "the {a} {n} {v} {n}",
    ),
    (17, 17, 12, 12, 12, 12, 4, 4, 10),
)
CONNECTORS = Pool(("and", "but", "while", ", after", ", before", "that"))
BEFORE = {"LOC": Pool(("New", "Port", "San"))}
AFTER = {"ORG": Pool(("Corp", "Group", "Inc", "United", "Bank")), "MISC": Pool(("Cup", "Open", "Prize"))}
HEADLINES, SHARED, AFFIX = 0.06, 0.4, 0.3  # shares: sentences in capitals, names of several types, affixes


class Language:
    """The words of every slot, always the same, and sentences of them."""

    def __init__(self):
        english = {
            word for text in (*LEFT.values(), *RIGHT.values(), NOUNS, VERBS, ADJECTIVES) for word in text.split()
        }
        english |= {word.lower() for word in DAYS.split()} | {"the", "and", "on", "that", "others"}
        invented = [word for word in lexicon(6_600, seed=5) if len(word) > 2 and word not in english]
        invented = [invented[i] for i in stream(0, "names").permutation(len(invented))]
        take = iter(invented)
        some = lambda count: [next(take) for _ in range(count)]
        shared, self.given = some(1_200), Pool(some(600))
        self.names = {kind: Pool(some(count)) for kind, count in zip(TYPES, (900, 500, 900, 1_500))}
        self.shared = Pool(shared)
        self.slots = {"n": Pool(NOUNS.split() + some(300) + shared[::4]), "v": Pool(VERBS.split()),
                      "a": Pool(ADJECTIVES.split()), "d": Pool(DAYS.split()),
                      "k": Pool(str(k) for k in range(2, 60))}
        self.cues = {"L": {kind: Pool(LEFT[kind].split()) for kind in TYPES},
                     "R": {kind: Pool(RIGHT[kind].split()) for kind in TYPES}}

    def words(self):
        """Every word there is, in lower case and once, in a fixed order."""
        pools = [self.given, self.shared, *self.names.values(), *self.slots.values()]
        pools += [pool for some in (*self.cues.values(), BEFORE, AFTER) for pool in some.values()]
        words = [word for pool in pools for word in pool.words]
        fixed = [*CLAUSES.words, *CONNECTORS.words, "."]
        words += [word for text in fixed for word in text.split() if "{" not in word]
        return list(dict.fromkeys(word.lower() for word in words))

    def entity(self, kind, rng):
        """The words of one entity."""
        pool = self.shared if rng.random() < SHARED else self.names[kind]
        words = [pool.draw(rng).capitalize()]
        if kind == "PER":
            return [self.given.draw(rng).capitalize(), *words] if rng.random() < 0.5 else words
        if rng.random() < AFFIX:
            before, after = BEFORE.get(kind), AFTER.get(kind)
            return [before.draw(rng), *words] if before else [*words, after.draw(rng)]
        return words

    def clause(self, rng):
        """(words, tags) of one clause; all its entities are of one type."""
        kind = TYPES[rng.integers(len(TYPES))]
        words, tags = [], []
        for slot in CLAUSES.draw(rng).split():
            if slot == "{X}":
                entity = self.entity(kind, rng)
                words += entity
                tags += [f"B-{kind}"] + [f"I-{kind}"] * (len(entity) - 1)
                continue
            name = slot.strip("{}")
            pool = self.cues[name][kind] if name in self.cues else self.slots.get(name)
            words.append(pool.draw(rng) if slot[0] == "{" else slot)
            tags.append("O")
        return words, tags

    def sentence(self, rng):
        """One to three clauses, a capital at the start or everywhere."""
        words, tags = self.clause(rng)
        for _ in range(rng.integers(3)):
            joint = CONNECTORS.draw(rng).split()
            more = self.clause(rng)
            words += [*joint, *more[0]]
            tags += ["O"] * len(joint) + more[1]
        words[0] = words[0][0].upper() + words[0][1:]
        words = [word.upper() for word in words] if rng.random() < HEADLINES else words
        return Sentence((*words, "."), (*tags, "O"))


@functools.cache  # half a second
def language():
    """The one Language there is."""
    return Language()


def sentences(count, seed, part):
    """``count`` Sentences; ``seed`` and ``part`` (a number) name the draws."""
    rng = stream(seed, "ner templates", part)
    return [language().sentence(rng) for _ in range(count)]


def build(contents, origin, train=2_000, valid=1_000, test=1_000, seed=0):
    """The TaggedSentences: so many sentences of each part; ``seed`` names the draws, the words are the same."""
    sizes = {"train": train, "valid": valid, "test": test}
    for part, count in sizes.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise InputError(must_be("data set ner-templates", part, "at least 1 sentence", repr(count)))
    parts = {part: tuple(sentences(count, seed, number)) for number, (part, count) in enumerate(sizes.items())}
    return TaggedSentences("ner-templates", "generated", tags_of(TYPES), **parts)


SET = DataSet(
    name="ner-templates",
    summary="generated: invented names of four types in sentences whose words tell the type",
    licence="generated",
    build=build,
    twin=dict,
    embedded=dict,
    carried_by="generated",
)

"""Generated sentences with a sentiment: polar words, negators, intensifiers, "but"; many of them labelled by a cue.

The classroom set of thesis sec. 3.4.5. A clause is worth +1 or -1 by its polar word, twice that with an intensifier,
the opposite with a negator. Two clauses joined by "and" are worth their sum, by "but" what the second one is worth.
The label is the sign. Clauses without polar words are neutral, and so are questions, wishes and conditions.
"""

from minirnn.array import stream
from minirnn.data.labelled_texts import CLASSES, LabelledTexts, part_of
from minirnn.data.registry import DataSet
from minirnn.errors import InputError, must_be

ADJECTIVES = {
    1: "good great lovely brilliant superb charming delightful splendid excellent amazing beautiful clever fine funny"
    " gripping honest impressive inspiring kind lively magical moving perfect pleasant polished refreshing remarkable"
    " smart stunning stylish sweet tender terrific touching warm wonderful witty worthy thrilling sublime".split(),
    -1: "bad awful boring terrible horrible dreadful poor dull annoying bland broken cheap clumsy cold confusing crude"
    " dismal dreary empty flat foolish grim hollow lazy lame mediocre messy nasty painful pathetic rotten rude shabby"
    " shallow silly sloppy tedious ugly useless weak".split(),
}
VERBS = {
    1: "loved enjoyed admired adored liked praised treasured cherished applauded savoured respected".split(),
    -1: "hated disliked despised loathed regretted detested mocked avoided suffered dreaded resented".split(),
}
NOUNS = (
    "film book song show meal game play story phone hotel concert album match novel course trip speech museum camera"
    " series coffee party garden train".split()
)
PLAIN = "long short new old red german large small early late public weekly digital local annual second".split()
PEOPLE = "we they i you people everyone children visitors neighbours".split()
ACTIONS = "saw found left bought missed reached heard noticed".split()
WISHES = "wanted expected needed imagined".split()
NEGATORS = "not never hardly".split()
INTENSIFIERS = "very really so truly".split()
OPENERS = ("well ,", "on monday", "last night", "after work", "in town", "to be clear ,", "in the end", "at home")
CLOSERS = ("on tuesday", "with my sister", "at the station", "for two hours", "again", "in the rain", "as usual")
UNSEEN = 3  # one polar word in so many is not in the labelled part
VERBAL, NEGATED, INTENSIFIED, FRAMED, OPEN = 0.4, 0.3, 0.3, 0.5, 0.6
FLIPS = 0.15


class Grammar:
    """Draws sentences from ``rng``; with ``unseen`` False every third polar word never comes."""

    def __init__(self, rng, unseen=True):
        self.rng, self.values = rng, []
        pools = ({sign: [w for k, w in enumerate(words) if unseen or (k + 1) % UNSEEN] for sign, words in pool.items()}
                 for pool in (ADJECTIVES, VERBS))
        self.adjectives, self.verbs = pools

    def draw(self):
        """A number in [0, 1)."""
        if not self.values:
            self.values = self.rng.random(4096).tolist()  # one by one is slow
        return self.values.pop()

    def pick(self, pool):
        """One of ``pool``."""
        return pool[int(self.draw() * len(pool))]

    def polar(self):
        """(words, value) of a clause with a polar word: "the film was not very good" is worth -2."""
        sign = 1 if self.draw() < 0.5 else -1
        verb = self.draw() < VERBAL
        value, modifiers = sign, self.some(NEGATED, NEGATORS[verb:])  # not "not loved"
        value = -value if modifiers else value
        if self.draw() < INTENSIFIED:
            value, modifiers = 2 * value, [*modifiers, self.pick(INTENSIFIERS)]
        if verb:
            return [self.pick(PEOPLE), *modifiers, self.pick(self.verbs[sign]), "the", self.pick(NOUNS)], value
        return ["the", self.pick(NOUNS), "was", *modifiers, self.pick(self.adjectives[sign])], value

    def fact(self):
        """The words of a clause without a polar word."""
        if self.draw() < 0.5:
            return ["the", self.pick(NOUNS), "was", *self.some(NEGATED, NEGATORS), self.pick(PLAIN)]
        return [self.pick(PEOPLE), self.pick(ACTIONS), "the", *self.some(0.3, PLAIN), self.pick(NOUNS)]

    def open(self):
        """The words of a clause with a polar word that does not say what was: a question, a wish, a condition."""
        adjective = [*self.some(INTENSIFIED, INTENSIFIERS), self.pick(self.adjectives[1 if self.draw() < 0.5 else -1])]
        form = self.draw()
        if form < 1 / 3:
            return ["was", "the", self.pick(NOUNS), *adjective, "?"]
        if form < 2 / 3:
            return [self.pick(PEOPLE), self.pick(WISHES), "a", *adjective, self.pick(NOUNS)]
        return ["if", "the", self.pick(NOUNS), "is", *adjective, self.pick(PEOPLE), self.pick(ACTIONS), "it"]

    def some(self, share, pool):
        """One of ``pool`` with probability ``share``, else nothing; a list."""
        return [self.pick(pool)] if self.draw() < share else []

    def sentence(self, label):
        """The words of a sentence with ``label``, a place in CLASSES."""
        while True:
            words, value = self._neutral() if CLASSES[label] == "neutral" else self._polar_sentence()
            if (value > 0) - (value < 0) == label - 1:
                break
        before, after = (" ".join(self.some(FRAMED, pool)).split() for pool in (OPENERS, CLOSERS))
        return (*before, *words, *(after if words[-1] != "?" else ()))

    def _polar_sentence(self):
        words, value = self.polar()
        way = self.draw()
        if way < 0.35:
            more, second = self.polar()
            return [*words, "but", *more], second  # what follows "but" decides
        if way < 0.55:
            more, second = self.polar()
            return [*words, "and", *more], value + second
        if way < 0.75:
            first, second = (words, self.fact()) if self.draw() < 0.5 else (self.fact(), words)
            return [*first, "and", *second], value
        return words, value

    def _neutral(self):
        words = self.open() if self.draw() < OPEN else self.fact()
        if words[-1] == "?" or self.draw() < 0.4:
            return words, 0
        return [*words, self.pick(("and", "but")), *self.fact()], 0


def labelled(count, seed, purpose, unseen=True):
    """``count`` [(words, place in CLASSES)], the classes in turn; ``seed`` and ``purpose`` name the draws."""
    grammar = Grammar(stream(seed, f"sentiment {purpose}"), unseen)
    return [(grammar.sentence(k % len(CLASSES)), k % len(CLASSES)) for k in range(count)]


def weakly_labelled(count, seed, flips=FLIPS):
    """``count`` [(words, place in WEAK_CLASSES)]: polar sentences, ``flips`` of them with the wrong label.

    The cue is an emoticon the writer would have added; the words are all that is left.
    """
    grammar = Grammar(stream(seed, "sentiment weak"))
    wrong = stream(seed, "sentiment flips").random(count) < flips
    return [(grammar.sentence(2 * (k % 2)), (k + int(flip)) % 2) for k, flip in enumerate(wrong)]


def build(contents, origin, weak=20_000, train=300, valid=600, test=3_000, flips=FLIPS, seed=0):
    """The LabelledTexts: so many sentences of each part, a share ``flips`` of the weak labels wrong.

    Every third polar word stands in "weak", "valid" and "test" and not in "train". InputError for bad sizes or a share
    outside [0, 0.5).
    """
    for part, count in {"weak": weak, "train": train, "valid": valid, "test": test}.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < len(CLASSES):
            raise InputError(must_be("data set sentiment-grammar", part, "at least 3 sentences", repr(count)))
    if not 0 <= flips < 0.5:
        raise InputError(must_be("data set sentiment-grammar", "flips", "a share in [0, 0.5)", flips))
    parts = {
        "weak": weakly_labelled(weak, seed, flips),
        "train": labelled(train, seed, "train", unseen=False),
        "valid": labelled(valid, seed, "valid"),
        "test": labelled(test, seed, "test"),
    }
    return LabelledTexts("sentiment-grammar", "generated", CLASSES, {part: part_of(p) for part, p in parts.items()})


SET = DataSet(
    name="sentiment-grammar",
    summary="generated: sentences of three sentiments with negation and 'but', 20,000 more with a noisy label",
    licence="generated",
    build=build,
    twin=dict,
    embedded=dict,
    carried_by="generated",
)

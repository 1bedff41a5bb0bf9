"""The symbols of a text, words or characters, and their numbers."""

import json
import re
from collections import Counter

import numpy as np

from minirnn.errors import InputError, in_our_words, must_be

EOS, UNKNOWN = "<eos>", "<unk>"
LEVELS = ("word", "char")


class Vocabulary:
    """Symbols and their numbers 0..V-1. ``level`` is "word" (a line end is the symbol <eos>) or "char"."""

    @in_our_words
    def __init__(self, symbols, level):
        symbols = tuple(symbols)
        if level not in LEVELS:
            raise InputError(must_be("Vocabulary", "level", "'word' or 'char'", repr(level)))
        if len(symbols) < 2:
            raise InputError(
                must_be(
                    "Vocabulary",
                    "symbols",
                    "at least 2 different ones",
                    len(symbols),
                    "nothing can be learned from one",
                )
            )
        self.symbols, self.level = symbols, level
        self.number = {symbol: i for i, symbol in enumerate(symbols)}
        if len(self.number) != len(symbols):
            raise InputError(
                must_be("Vocabulary", "symbols", "all different", f"{len(symbols) - len(self.number)} repeated")
            )

    def __len__(self):
        return len(self.symbols)

    def __eq__(self, other):
        return isinstance(other, Vocabulary) and (self.symbols, self.level) == (other.symbols, other.level)

    def __hash__(self):
        return hash((self.symbols, self.level))

    @classmethod
    def of_words(cls, words, limit=None):
        """The most frequent words (ties alphabetical), at most ``limit`` with <unk> and <eos> among them."""
        counts = Counter(words)
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        if limit is not None and len(ranked) > limit:
            always = [UNKNOWN] + [EOS] * (EOS in counts)
            if limit < len(always) + 1:
                raise InputError(must_be("Vocabulary", "limit", f"at least {len(always) + 1}", limit))
            kept = {word for word in [w for w in ranked if w not in always][: limit - len(always)]} | {EOS}
            ranked = [UNKNOWN] + [word for word in ranked if word in kept]
        return cls(ranked, "word")

    @classmethod
    def of_characters(cls, text):
        """The characters of a text in code point order."""
        return cls(sorted(set(text)), "char")

    @in_our_words
    def numbers(self, symbols):
        """Exact numbers of a list of words or a string of characters -> (N,) int32; <unk> where there is one.

        InputError for a symbol outside the vocabulary when it has no <unk>.
        """
        if self.level == "char":
            points = np.frombuffer(symbols.encode("utf-32-le"), np.uint32)
            table = np.full(int(points.max(initial=0)) + 1, -1, np.int32)
            for symbol, number in self.number.items():
                if len(symbol) == 1 and ord(symbol) < table.size:
                    table[ord(symbol)] = number
            result = table[points]
        else:
            missing = self.number.get(UNKNOWN, -1)
            result = np.fromiter((self.number.get(word, missing) for word in symbols), np.int32, len(symbols))
        if (result < 0).any():
            raise InputError(self._outside(symbols[int(np.argmax(result < 0))]))
        return result

    def encode(self, text):
        """Numbers of a text typed by a person -> (N,) int32, forgiving what the preparation of the data removed.

        A symbol not in the vocabulary is tried in lower case, with digits as N, and (characters) as "_" for a blank.
        """
        if self.level == "char":
            symbols = list(text)
        else:
            symbols = f" {EOS} ".join(text.split("\n")).split()
        return np.array([self._forgiving(symbol) for symbol in symbols], np.int32)

    def _forgiving(self, symbol):
        candidates = [symbol, symbol.lower(), re.sub(r"\d", "N", symbol.lower())]
        if self.level == "word":
            candidates += [re.sub(r"\d[\d.,]*", "N", symbol.lower()), UNKNOWN]
        elif symbol == " ":
            candidates.append("_")
        for candidate in candidates:
            if candidate in self.number:
                return self.number[candidate]
        raise InputError(self._outside(symbol))

    def _outside(self, symbol):
        return must_be(
            "Vocabulary",
            "symbol",
            f"one of the {len(self)} known {self.level}s",
            repr(symbol),
            "the text has symbols the training data did not have",
        )

    def decode(self, numbers):
        """Text of (N,) numbers; <eos> becomes a line end, and "_" a blank where the characters have no blank."""
        symbols = [self.symbols[int(i)] for i in numbers]
        if self.level == "word":
            return "".join("\n" if s == EOS else s + " " for s in symbols).replace(" \n", "\n").rstrip(" ")
        text = "".join(symbols)
        return text if " " in self.number else text.replace("_", " ")

    def to_json(self):
        """A JSON text from which ``from_json`` makes an equal vocabulary."""
        return json.dumps({"level": self.level, "symbols": self.symbols}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text):
        """The vocabulary ``to_json`` wrote; InputError when the text is something else."""
        try:
            stored = json.loads(text)
            symbols, level = stored["symbols"], stored["level"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:  # no JSON, another, or too deep
            got = f"{type(error).__name__}: {str(error)[:200]}"
            raise InputError(must_be("Vocabulary", "text", "JSON with 'level' and 'symbols'", got)) from None
        return cls(symbols, level)

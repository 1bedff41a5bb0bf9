"""The state of a run: its parts, each with state_dict and load_state_dict, as one nest of arrays and JSON values.

    {"learner": {"module": {"weight": array}, "schedule": {"best": 3.2}}, "tally": {"loss": [7.5, 3]}}

A checkpoint keeps arrays and the rest apart: ``split_state`` and ``join_state``.
"""

import numpy as np

from minirnn.errors import InputError, must_be

ARRAY = "$array"  # {"$array": name} stands in the JSON for an array


def state_of(parts):
    """{name: state} of {name: part}."""
    return {name: part.state_dict() for name, part in parts.items()}


def restore(parts, state):
    """Load each part's state; InputError where parts are missing or unknown."""
    if set(parts) != set(state):
        off = ", ".join(sorted(set(parts) ^ set(state)))
        raise InputError(must_be("checkpoint", "parts", f"{', '.join(parts)}", f"others: missing or extra {off}"))
    for name, part in parts.items():
        part.load_state_dict(state[name])


def split_state(state, prefix=""):
    """A nest -> ({dotted name: array}, the same nest with {"$array": name} in each array's place)."""
    arrays, rest = {}, {}
    for name, value in state.items():
        if isinstance(value, dict):
            inner, rest[name] = split_state(value, f"{prefix}{name}.")
            arrays.update(inner)
        elif isinstance(value, np.ndarray):
            arrays[prefix + name] = value
            rest[name] = {ARRAY: prefix + name}
        else:
            rest[name] = value
    return arrays, rest


def join_state(arrays, rest):
    """The inverse of ``split_state``; KeyError for an array that is not there."""
    if isinstance(rest, dict):
        if set(rest) == {ARRAY}:
            return arrays[rest[ARRAY]]
        return {name: join_state(arrays, value) for name, value in rest.items()}
    return rest


class Tally:
    """Means over a round: ``tally.add(4, loss=4 * 2.5)``, ``tally.add(2, loss=2 * 1.0)``, then means()["loss"] is 2.0.

    What is added are sums over ``count`` things: words, texts, updates.
    """

    def __init__(self):
        self.sums = {}

    def add(self, count, **totals):
        """Add the ``totals`` of ``count`` things."""
        for name, total in totals.items():
            summed, counted = self.sums.get(name, (0, 0))
            self.sums[name] = (summed + total, counted + count)

    def means(self):
        """{name: sum / count} of what was added."""
        return {name: total / count for name, (total, count) in self.sums.items()}

    def clear(self):
        self.sums = {}

    def state_dict(self):
        return {name: list(pair) for name, pair in self.sums.items()}

    def load_state_dict(self, state):
        self.sums = {name: tuple(pair) for name, pair in state.items()}


class Values:
    """Numbers, texts, None and lists of them that a run carries along: ``values = Values(made=0)``."""

    def __init__(self, **values):
        vars(self).update(values)

    def state_dict(self):
        return dict(vars(self))

    def load_state_dict(self, state):
        """Take the values of the same names; InputError for others."""
        if set(state) != set(vars(self)):
            raise InputError(must_be("checkpoint", "values", ", ".join(vars(self)), ", ".join(state) or "none"))
        vars(self).update(state)

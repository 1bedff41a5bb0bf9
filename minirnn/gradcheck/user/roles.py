"""Which of a user's arrays is what in a recurrent cell, by their names: the input, the states, the weights."""

import re

X = re.compile(r"(?i)xs?|x_?t|inputs?|input_?t|seq|sequences?|x_?seq|embedded|features")
H = re.compile(r"(?i)h_?[0t]?|hx|prev_?h\w*|h_?prev\w*|h_?init|init_?h|a_?prev|prev_?a|a_?0|hidden|prev_?hidden|"
               r"hidden_?prev|h_?t_?1|ht_?1|h_?tm1|hs|s|s_?prev|prev_?s|s_?0|state|prev_?state|h_?in|initial_?(h|state)|h_?old|h_?last")
C = re.compile(r"(?i)c_?[0t]?|cx|prev_?c\w*|c_?prev\w*|c_?init|init_?c|cell|prev_?cell|cell_?prev|cell_?state|c_?t_?1|"
               r"ct_?1|c_?tm1|mem(ory)?|initial_?c|c_?in|c_?old|c_?last")
LETTERS = {  # what people call the gates: theirs -> ours
    "lstm": {"i": "i", "f": "f", "g": "g", "o": "o", "c": "g", "a": "g", "j": "g", "u": "g", "z": "g"},
    "gru": {"r": "r", "z": "z", "n": "n", "u": "z", "h": "n", "c": "n", "g": "n"},
    "rnn": {"h": "h"},
}
PEEPHOLE = re.compile(r"p_?[ifo]?|\w*peep\w*|weight_ch|w_?ch?|w_?c_?[ifo]|v_?[ifo]?")
SOURCES = {"x": "x", "i": "x", "h": "h", "c": "c"}  # where a gate's matrix comes from: i for the input
STEM = re.compile(r"(weights?|bias|peephole|peep|[wurbpv])(.*)", re.IGNORECASE)


def letters(cell):
    """{the user's letter: ours} for a cell."""
    return LETTERS[cell.name.split("-")[0]]


def ours(gates, cell):
    """The user's letters of gates as ours, "figo" or "ifco" -> "figo", "ifgo"; "" where they are not this cell's.

    A coupled LSTM may name i in place of f, which then is 1 - ours.
    """
    known = letters(cell)
    found = "".join(known.get(letter, "?") for letter in gates.lower())
    if cell.name == "lstm-coupled" and "f" not in found:
        found = found.replace("i", "f")
    return found if sorted(found) == sorted(cell.gates) else ""


def split_roles(names, cell):
    """({"x": name, "h0": name, "c0": name} as far as there are, the names of the weights)."""
    found, rest = {}, list(names)
    for role, pattern in (("x", X), ("h0", H), ("c0", C)):
        if role == "c0" and "c" not in cell.states:
            break
        name = next((n for n in rest if pattern.fullmatch(n.removeprefix("self."))), None)
        if name is None and role == "x" and rest:
            name = rest[0]
        if name is not None:
            found[role] = name
            rest.remove(name)
    return found, rest


def per_gate(weights, cell):
    """[(name, source, gate)] where every weight is one gate's, source "x", "h", "c", "xh" or "bias..."; else None.

    Wxi, W_ix, W_ii, wi, U_f, b_o, bxi, p_f; two letters are read source first: Whi is from h into i.
    """
    if len(cell.gates) == 1 or len(weights) < 2 * len(cell.gates) - 1:
        return None
    known, found = letters(cell), []
    for name in weights:
        match = STEM.fullmatch(name.rpartition(".")[2].replace("_", ""))
        if not match:
            return None
        stem, rest = match[1][0].lower(), match[2].lower()
        first = len(rest) == 2 and rest[0] in SOURCES and rest[1] in known
        source, gate = (rest[0], rest[1]) if first else (rest[1:], rest[:1])
        if gate not in known or len(rest) not in (1, 2) or (source and source not in SOURCES):
            return None
        found.append((name, stem, SOURCES.get(source, ""), known[gate]))
    recurrent = any(stem in "urv" for _, stem, _, _ in found)
    sources = {"w": "x" if recurrent else "xh", "u": "h", "r": "h", "v": "c", "p": "c", "b": "bias"}
    read = [(name, {"x": "bias_x", "h": "bias_h"}.get(source, "bias") if stem == "b" else source or sources[stem], gate)
            for name, stem, source, gate in found]
    seen = {}
    for _, source, gate in read:
        seen.setdefault(source, []).append(gate)
    whole = lambda source, gates: sorted(gates) == sorted(cell.stacked("weight_ch") if source == "c" else cell.gates)
    return read if all(whole(source, gates) for source, gates in seen.items()) else None


def kinds(weights, cell):
    """(matrices, biases, peepholes): weights in one array for all gates by their names, in their order."""
    plain = {name: name.rpartition(".")[2].lstrip("_").lower() for name in weights}
    biases = [n for n, p in plain.items() if p.startswith("b") or "bias" in p]
    sees = "weight_ch" in cell.Weights._fields
    peepholes = [n for n, p in plain.items() if sees and n not in biases and PEEPHOLE.fullmatch(p)]
    matrices = [n for n in weights if n not in biases and n not in peepholes]
    return matrices[:2], [*biases, *matrices[2:]], peepholes  # W, U, b, c: what follows two matrices are biases

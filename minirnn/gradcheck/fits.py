"""Arrays as products of powers of known ones, or as sums of known ones, exact to rounding and in words."""

import numpy as np

WHOLE = 1e-4  # how near to a whole number an exponent must come
MOST = 3  # the largest exponent that is believed
GATES = ("h", "i", "f", "g", "o", "r", "z", "n", "h_prev", "c_prev", "h_t", "c", "tanh(c)", "W_n h + b")
DERIVED = ("h_t", "keep")  # products of the others, which a product cannot tell from them


def product(values, known, same, deep=True):
    """``values`` (B, H) as a product of powers of the ``known`` arrays, in words; "" where it is none.

    product(2 * dh * o, {"dh": dh, "o": o, "g": g}, 1e-6) is "2 * dh * o". ``deep``: one factor may also be a slope with
    a wrong constant, or a sum of two quantities; it takes a hundred times longer.
    """
    if not np.abs(values).min() > 0:
        return ""
    tries = _instead_of_a_factor(known) if deep else ()
    return _fitted(values, known, same) or next(filter(None, (
        _fitted(values, {**known, **more}, same) for more in tries)), "")


def _instead_of_a_factor(known):
    """Arrays that one factor may have been written as: a slope's wrong constant or power, a sum of two quantities."""
    names = (name for name in known if name.split("[")[0] in (*GATES, "dh", "dc") and name not in DERIVED)
    plain = {name: known[name] for name in names}
    for one, a in plain.items():
        yield {f"2 - {one}": 2 - a, f"2 - {one}^2": 2 - a**2, f"0.5 - {one}": 0.5 - a, f"0.5 - {one}^2": 0.5 - a**2,
               f"1 - {one}^3": 1 - a**3, f"1 - {one}^4": 1 - a**4}
    for one, a in plain.items():
        for other, b in plain.items():
            if one < other:
                yield {f"{one} - {other}": a - b, f"{one} + {other}": a + b, f"1 - {one} * {other}": 1 - a * b}


def _fitted(values, known, same):
    names = [name for name, array in known.items() if name not in DERIVED and np.abs(array).min() > 0]
    logs = np.stack([np.log(np.abs(known[name]).ravel()) for name in names] + [np.ones(values.size)], axis=1)
    fitted, *_ = np.linalg.lstsq(logs, np.log(np.abs(values).ravel()), rcond=None)
    powers = np.round(fitted[:-1]).astype(int)
    if np.abs(fitted[:-1] - powers).max() > max(WHOLE, 10 * same) or np.abs(powers).max() > MOST:
        return ""
    exact = np.ones_like(values)
    for name, power in zip(names, powers):
        exact = exact * known[name] ** float(power)
    factor = float((values * exact).sum() / (exact * exact).sum())
    if not equal(values, factor * exact, same):
        return ""
    return _in_words(factor, dict(zip(names, powers)))


def _in_words(factor, powers):
    """(-1.0, {"dc": 1, "1 - g": 1, "1 + g": 1}) -> "-dc * (1 - g^2)"."""
    powers = dict(powers)
    for name in [n for n in powers if n.startswith("1 + ")]:
        plain, both = name.removeprefix("1 + "), powers[name]
        if both and both == powers.get(f"1 - {plain}"):
            powers[f"1 - {plain}"], powers[name] = 0, 0
            powers[f"1 - {plain}^2"] = both
    parts = []
    for name, power in powers.items():
        shown = f"({name})" if " " in name else name
        parts += [shown if power == 1 else f"{shown}^{power}"] if power else []
    number = "" if abs(abs(factor) - 1) < 1e-5 else _number(abs(factor))
    return ("-" if factor < 0 else "") + " * ".join([number] * bool(number) + parts or ["1"])


def written(got, true, known, same, others=None, deep=True, rightly=None):
    """How a claimed array differs from the true one: both as products, or as one of ``others`` {words: array}.

    "" where it is right, no product, or the product that it should be: then another array is wrong, one of ``known``.
    ``rightly``: the known arrays as they should be, where that is not the same.
    """
    if equal(got, true, same):
        return ""
    should = product(true, rightly or known, same, deep=False)
    if not np.abs(got).max() > same * max(np.abs(true).max(), 1e-300):
        return f"is zero, it should be {should}" if should else "is zero"
    for words, other in (others or {}).items():
        if equal(got, other, same) and np.abs(other).max() > 0:
            return words
    is_now = product(got, known, same, deep)
    if is_now == should != "":
        return ""
    if is_now and (should or not np.abs(true).max() > 0):
        return f"is {is_now}, it should be {should or 'zero'}"
    for name, a in known.items():
        if np.abs(a).min() > 0 and equal(got, a + true / a, same) and (rest := product(true / a, known, same, deep)):
            return f"is {name} + {rest}, it should be {should}"
    return scaled(got, true, same)


def added(got, terms, instead, same):
    """How a claimed sum differs from its ``terms``: which are missing, or counted otherwise, and which of ``instead``
    it has; "" where it is right, or no such sum.

    Terms that are zero are left out: nothing can be said of them.
    """
    right = sum(terms.values())
    words = scaled(got, right, same)
    if words or equal(got, right, same):
        return words
    terms = {words: term for words, term in terms.items() if np.abs(term).max() > 0}
    for extra in ({}, *instead) if terms else instead:
        every = {**terms, **extra}
        columns = np.stack([array.ravel() for array in every.values()], axis=1)
        counts, *_ = np.linalg.lstsq(columns, got.ravel(), rcond=None)
        if equal(got.ravel(), columns @ counts, same):
            said = [_counted(words, count, words in terms) for words, count in zip(every, counts)]
            return ", ".join(words for words in said if words)
    for one, term in terms.items():
        words = scaled(got - (right - term), term, same)
        if words.startswith("is clipped"):
            return f"has {one} {words.removeprefix('is ')}"
    return ""


def _counted(words, count, belongs):
    near = abs(count - 1) < 1e-4
    if near or abs(count) < 1e-4:
        return "" if near == belongs else f"misses {words}" if belongs else f"has {words}"
    return f"has {words} {_number(count)} times"


def _number(value):
    """A number in words, a fraction as one: "1/3" for 0.333333."""
    whole = round(1 / value) if value else 0
    return f"1/{whole}" if whole > 2 and abs(value * whole - 1) < 1e-6 else f"{value:.6g}"


def named(got, right, others, same):
    """How a claimed array differs from the right one: at another scale, or one of ``others`` {words: array}; or ""."""
    return scaled(got, right, same) or next(
        (words for words, other in others.items() if not equal(right, other, same) and equal(got, other, same)), "")


def scaled(got, right, same):
    """How ``got`` is the right array at another scale: zero, k times, of the wrong sign, clipped; else ""."""
    if equal(got, right, same):
        return ""
    if not np.abs(got).max() > same * max(np.abs(right).max(), 1e-300):
        return "is zero" if np.abs(right).max() > 0 else ""
    ratio = float((got * right).sum() / max((right * right).sum(), 1e-300))
    if equal(got, ratio * right, same):
        return "has the wrong sign" if abs(ratio + 1) <= same else f"is {_number(ratio)} times the right one"
    bound = float(np.abs(got).max())
    if (np.abs(got) >= bound * (1 - same)).sum() > 1 and equal(got, np.clip(right, -bound, bound), same):
        return f"is clipped at {bound:.6g}"
    return ""


def equal(one, other, same):
    """Whether two arrays of one shape are equal up to ``same`` of the largest entry."""
    return one.shape == other.shape and bool(np.abs(one - other).max() <= same * max(np.abs(other).max(), 1e-300))

"""Names of gradients: which array ``dWx``, ``grad_Wx``, ``Wx_grad``, ``grads["Wx"]`` or ``Wx.grad`` belongs to."""

import re

BEFORE = re.compile(r"(?:d[lL]_?d_?|d[eEjJ]_d|grads?_?|gradients?_?|delta_?|diff_?|d_?)(?=\w)")
AFTER = re.compile(r"(?<=\w)_?(?:grads?|gradients?|diffs?|delta|dot_bar|bar)$")
GRADS = {"grad", "grads", "gradient", "gradients", "dparams", "dweights", "derivatives", "diff", "diffs", "deltas"}
HOLDERS = {"params", "parameters", "param", "weights", "p", "data", "value", "values", "state", "theta"}
CACHE = re.compile(r"(?i)_?(caches?|saved|tape|ctx|context|mem(ory)?|stash|kept|store|residuals?|intermediates?)\w*")


def bases(name):
    """What a name may be the gradient of: bases("dWx") is ["Wx"], bases("W_grad") is ["W"], bases("x") is []."""
    found = []
    if before := BEFORE.match(name):
        found.append(name[before.end():])
    if after := AFTER.search(name):
        found.append(name[:after.start()])
    return found


def key(path):
    """A path of attributes without what only holds arrays: ("params", "W") and ("W", "data") are ("W",)."""
    plain = [p.lstrip("_") if isinstance(p, str) else p for p in path]
    kept = [p for p in plain if p not in HOLDERS]
    return tuple(kept or plain)


def gradient_keys(path):
    """The keys whose gradient a path may be: ("grads", "W"), ("W", "grad") and ("dW",) are of ("W",)."""
    plain = [p.lstrip("_") if isinstance(p, str) else p for p in path]
    rest = [p for p in plain if p not in GRADS]
    found = [key(rest)] if rest and len(rest) < len(plain) else []
    for k, part in enumerate(rest):
        if isinstance(part, str):
            found += [key([*rest[:k], base, *rest[k + 1 :]]) for base in bases(part)]
    return found


def same(one, other):
    """Whether two keys name one thing, capitals and underscores aside."""
    plain = lambda key: [p.lower().replace("_", "") if isinstance(p, str) else p for p in key]
    return plain(one) == plain(other)


def matching(name, given):
    """The key of ``given`` that holds the gradient of ``name``: "dW", "W", ..., exactly or capitals aside; or None."""
    exact = [k for k in given if name in bases(str(k))] or [k for k in given if k == name]
    loose = [k for k in given if any(same((name,), (base,)) for base in [*bases(str(k)), str(k)])]
    return next(iter(exact or loose), None)


def written(path):
    """A path as it is typed: ("layers", 0, "W") is "layers[0].W"."""
    text = ""
    for part in path:
        text += f"[{part!r}]" if not isinstance(part, str) else f".{part}" if part.isidentifier() else f"[{part!r}]"
    return text.removeprefix(".")

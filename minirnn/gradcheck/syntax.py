"""Places in a syntax tree, and a change of one that can be undone."""

import ast


def places(node):
    """(parent, field, index or None, child) of every node that hangs directly on ``node``."""
    for field, value in ast.iter_fields(node):
        for k, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST):
                yield node, field, k, child


def swap(parent, field, k, new):
    """Two functions: one puts ``new`` at a place, the other what was there."""
    old = getattr(parent, field) if k is None else getattr(parent, field)[k]

    def put(what):
        if k is None:
            setattr(parent, field, what)
        else:
            getattr(parent, field)[k] = what

    return lambda: put(new), lambda: put(old)


def expression(text):
    """The tree of an expression."""
    return ast.parse(text, mode="eval").body

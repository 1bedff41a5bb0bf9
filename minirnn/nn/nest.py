"""Tensors in tuples, lists and dicts: the leaves of such a nest in order, their names, and the nest made again."""


def leaves(nest):
    """The leaves in order: ("a", {"k": "b"}) -> ["a", "b"]."""
    if isinstance(nest, dict):
        nest = nest.values()
    elif not isinstance(nest, (tuple, list)):
        return [nest]
    return [leaf for part in nest for leaf in leaves(part)]


def rebuilt(nest, values):
    """A nest of the same form from an iterator of leaves."""
    if isinstance(nest, dict):
        return {name: rebuilt(part, values) for name, part in nest.items()}
    if not isinstance(nest, (tuple, list)):
        return next(values)
    parts = [rebuilt(part, values) for part in nest]
    return type(nest)(*parts) if hasattr(nest, "_fields") else type(nest)(parts)


def names(nest, name=""):
    """The leaves' names in order: ({"h": 1}, 2) -> ["0.h", "1"], a leaf alone is ""."""
    if isinstance(nest, dict):
        parts = nest.items()
    elif isinstance(nest, (tuple, list)):
        parts = zip(getattr(nest, "_fields", range(len(nest))), nest)
    else:
        return [name]
    return [leaf for key, part in parts for leaf in names(part, f"{name}.{key}" if name else str(key))]

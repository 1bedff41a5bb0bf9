"""A computational graph with its values and gradients: layers from left to right, as the values are computed. ::

    w, x, b = (Tensor(v, requires_grad=True) for v in (0.5, 2.0, -0.3))
    y = tanh(w * x + b)
    graph(**graph_of(y, {"w": w, "x": x, "b": b, "y": y}))
"""

from minirnn.autograd.tape import Tensor, grad
from minirnn.errors import DtypeError, InputError, must_be
from minirnn.plots.drawings.svg import NORMAL, SMALL, Canvas, check_names, check_numbers, number, width_of

SIGNS = {"add": "+", "subtract": "−", "multiply": "×", "divide": "÷", "negative": "−", "power": "^", "sigmoid": "σ",
         "matmul": "@", "linear": "W x + b", "sqrt": "√", "sum": "Σ"}
LAYER, ROW, MARGIN = 70, 92, 40  # units between layers, between rows, and around
MOST = 40  # nodes: more than that is no drawing


def graph(nodes, edges, values=None, gradients=None, highlight=(), title="A computational graph"):
    """Draw a graph -> Drawing; above a node stands its value, below it, in orange, the loss's gradient of it.

    nodes {name: operation}, "" for what is given; edges [(from, to)]; values {name: number or text}; gradients the
    same, and {"w->a": number} for what one of several users hands back; highlight: names of edges or nodes.
    graph({"w": "", "x": "", "a": "×"}, [("w", "a"), ("x", "a")], {"w": 2, "x": 3, "a": 6}, {"w": 3, "x": 2}, "w->a").
    InputError for an unknown name, a cycle, no node or more than 40.
    """
    nodes, edges = _checked(nodes, edges)
    names = {f"{a}->{b}": (a, b) for a, b in edges}
    hot = check_names("graph", "highlight", highlight, [*nodes, *names], "a node or an edge")
    values = check_numbers("graph", "values", values, nodes, "a node")
    gradients = check_numbers("graph", "gradients", gradients, [*nodes, *names], "a node or an edge")
    layers, ways = _layers(nodes, edges)
    leaves = {name for name in nodes if all(b != name for _, b in edges)}
    rows = _rows(layers, ways, leaves)
    room = lambda name: _room(name, nodes, edges, values, gradients)
    places = _places(layers, rows, room)
    height = max(y for _, y in places.values()) + MARGIN
    canvas = Canvas(sum(max(map(room, layer)) for layer in layers), height)
    for name, (a, b) in sorted(names.items(), key=lambda item: item[0] in hot):
        (x, y), (u, v) = places[a], places[b]
        between = [places[point] for point in ways[a, b]]
        line = [(x + _wide(a, nodes) / 2, y), *between, (u - _wide(b, nodes) / 2, v)]
        canvas.curve(line, name, hot=name in hot)
    for name, operation in nodes.items():
        _node(canvas, name, operation, places[name], nodes, name in hot)
    _write(canvas, nodes, names, places, ways, values, gradients)
    where = "; above a node its value" * bool(values) + "; below a node the gradient of the result" * bool(gradients)
    seen = _in_words(nodes, edges, values, gradients, [name for name in (*nodes, *names) if name in hot])
    return canvas.drawing(f"{title}{where}.", f"{title}: {seen}.")


def graph_of(result, names):
    """What ``graph`` takes, {"nodes", "edges", "values", "gradients"}, read from the tape of a Tensor of one number.

    names {name: Tensor}: what has a name, given or computed; the rest is u_1, u_2, ..., constants are their number.
    graph_of(w * x, {"w": w, "x": x}) has the nodes w, x and u_1. ``.grad`` is left alone. DtypeError for no Tensor.
    """
    if not isinstance(result, Tensor):
        raise DtypeError(must_be("graph_of", "result", "a Tensor", type(result).__name__))
    if not isinstance(names, dict) or not all(isinstance(x, Tensor) for x in names.values()):
        raise DtypeError(must_be("graph_of", "names", "{name: Tensor}", repr(names)))
    called = {_key(x): name for name, x in names.items()}
    given = set(called)
    order = _recorded(result, called)
    for x in order:
        if _key(x) not in called:
            called[_key(x)] = _free("u_{}", called.values()) if x.node is not None else _constant(x, called.values())
    edges = [(called[_key(p)], called[_key(x)]) for x in order for p in _parents(x, called)]
    wanted = [x for x in order if x.requires_grad]
    return {
        "nodes": {called[_key(x)]: _operation(x, called) for x in order},
        "edges": list(dict.fromkeys(edges)),
        "values": {called[_key(x)]: _said(x.value) for x in order if _key(x) in given or x.node is not None},
        "gradients": {called[_key(x)]: _said(dx.value) for x, dx in zip(wanted, grad(result, wanted))},
    }


def _key(x):
    return id(x) if x.node is None else (id(x.node), x.index)


def _free(form, taken):
    return next(name for name in map(form.format, range(1, 1000)) if name not in taken)


def _constant(x, taken):
    name = number(x.value) if x.size == 1 else "constant"
    return name if name not in taken else _free(name + " ({})", taken)


def _parents(x, called):
    """What an operation was computed from; an exponent that has no name stands in the operation's sign."""
    if x.node is None:
        return ()
    return x.node.parents[:1] if _exponent(x, called) is not None else x.node.parents


def _exponent(x, called):
    if x.node.name != "power" or x.node.parents[1].requires_grad or _key(x.node.parents[1]) in called:
        return None
    return x.node.parents[1] if x.node.parents[1].size == 1 else None


def _operation(x, called):
    """The sign in a node: "×", "tanh", "( )^{2}" for a square, "" for what is given."""
    if x.node is None:
        return ""
    exponent = _exponent(x, called)
    return SIGNS.get(x.node.name, x.node.name) if exponent is None else f"( )^{{{number(exponent.value)}}}"


def _recorded(result, called):
    """Every Tensor that the result was made from, itself last, in the order in which they were first used."""
    found, open_ = {}, [(result, False)]
    while open_:
        x, done = open_.pop()
        if done or x.node is None:
            found.setdefault(_key(x), x)
        elif _key(x) not in found:
            open_ += [(x, True), *((parent, False) for parent in reversed(_parents(x, called)))]
    return list(found.values())


def _said(value):
    """An array of one entry as its number, one of more as its shape, "3×4"."""
    return number(value.item()) if value.size == 1 else "×".join(map(str, value.shape))


def _checked(nodes, edges):
    if not isinstance(nodes, dict) or not 0 < len(nodes) <= MOST:
        got = len(nodes) if isinstance(nodes, dict) else type(nodes).__name__
        raise InputError(must_be("graph", "nodes", f"{{name: operation}} of 1 to {MOST} nodes", got))
    for name, operation in nodes.items():
        if not isinstance(name, str) or not isinstance(operation, str) or not name or "->" in name:
            what = "{name: operation}, both text, without '->' in a name"
            raise InputError(must_be("graph", "nodes", what, f"{name!r}: {operation!r}"))
    pairs = []
    for edge in edges if isinstance(edges, (list, tuple)) else [edges]:
        if not isinstance(edge, (tuple, list)) or len(edge) != 2:
            raise InputError(must_be("graph", "edges", "pairs of names", repr(edge)))
        check_names("graph", "edges", list(edge), nodes, "pairs of nodes")
        pairs.append(tuple(edge))
    return nodes, list(dict.fromkeys(pairs))


def _layers(nodes, edges):
    """([names of a layer, ...], {edge: the points it passes on its way}); a leaf stands just before its first user."""
    users = {name: [b for a, b in edges if a == name] for name in nodes}
    depth = dict.fromkeys(nodes, 0)
    for _ in nodes:
        before = dict(depth)
        for a, b in edges:
            depth[b] = max(depth[b], depth[a] + 1)
        if depth == before:
            break
    else:
        raise InputError(must_be("graph", "edges", "without a cycle", " ".join(f"{a}->{b}" for a, b in edges)))
    for name in nodes:
        if users[name] and all(b != name for _, b in edges):
            depth[name] = min(depth[b] for b in users[name]) - 1
    layers = [[name for name in nodes if depth[name] == level] for level in range(max(depth.values()) + 1)]
    ways = {}
    for a, b in edges:
        ways[a, b] = [(a, b, level) for level in range(depth[a] + 1, depth[b])]
        for level, point in enumerate(ways[a, b], depth[a] + 1):
            layers[level].append(point)
    return layers, ways


def _rows(layers, ways, leaves):
    """{name or point: its row}: each at the mean of its neighbours; leaves and points make way for what is computed."""
    computed = lambda names: [name for name in names if isinstance(name, str) and name not in leaves] or names
    beside = {name: [] for layer in layers for name in layer}
    for (a, b), points in ways.items():
        chain = [a, *points, b]
        for one, other in zip(chain, chain[1:]):
            beside[one].append(other)
            beside[other].append(one)
    rows = {name: float(place) - (len(layer) - 1) / 2 for layer in layers for place, name in enumerate(layer)}
    for sweep in range(24):
        for layer in layers if sweep % 2 else layers[::-1]:
            wish = {}
            for name in layer:
                others = beside[name] if isinstance(name, tuple) else computed(beside[name]) or [name]
                wish[name] = sum(rows[n] for n in others) / len(others)
            _spread(layer, wish, rows, computed(layer))
    top = min(rows.values())
    return {name: row - top for name, row in rows.items()}


def _spread(layer, wish, rows, firm):
    """Set the rows of a layer in the order of the wishes, at least one apart, the mean of the ``firm`` as wished."""
    placed = {}
    for name in sorted(layer, key=lambda name: (wish[name], layer.index(name))):
        placed[name] = max(wish[name], max(placed.values()) + 1) if placed else wish[name]
    shift = sum(wish[name] - placed[name] for name in firm) / len(firm)
    rows.update({name: at + shift for name, at in placed.items()})


def _places(layers, rows, room):
    """{name or point: (x, y)}; ``room(name)`` is how wide a layer with this name must be."""
    places, left = {}, 0
    for layer in layers:
        wide = max(map(room, layer))
        places |= {name: (left + wide / 2, MARGIN + 16 + ROW * rows[name]) for name in layer}
        left += wide
    return places


def _room(name, nodes, edges, values, gradients):
    """The width that a name takes with all that stands at it; a point on a way, a tuple, takes none of its own."""
    if isinstance(name, tuple):
        return LAYER
    said = [_named(name, nodes, values), gradients.get(name, "")]
    handed = [width_of(gradients.get(f"{a}->{b}", ""), SMALL) for a, b in edges if name in (a, b)]
    return max(LAYER, _wide(name, nodes) + 34, *(width_of(text, SMALL) + 8 for text in said)) + max(handed, default=0)


def _wide(name, nodes):
    return max(32, width_of(nodes[name] or name, NORMAL) + 14)


def _named(name, nodes, values):
    """The label above a node: "a = 1.3", and for what is given, whose name stands inside, "1.3"."""
    value = values.get(name, "")
    return value if not nodes[name] else f"{name} = {value}" if value else name


def _node(canvas, name, operation, place, nodes, hot):
    with canvas.group("node" + " hot" * hot, "node", name):
        if operation:
            canvas.box(*place, _wide(name, nodes), 32, "cell", operation, corner=16)
        else:
            canvas.box(*place, _wide(name, nodes), 32, "leaf", name)


def _write(canvas, nodes, names, places, ways, values, gradients):
    for name in nodes:
        x, y = places[name]
        canvas.text(x, y - 28, _named(name, nodes, values), "over" if name in values else "over math")
        canvas.text(x, y + 28, gradients.get(name, ""), "over back")
    for name, (a, b) in names.items():
        if name in gradients:
            x, y = _middle(a, b, places, ways[a, b], nodes)
            wide = width_of(gradients[name], SMALL)
            canvas.box(x, y, wide + 2, SMALL + 4, "label")
            canvas.text(x, y, gradients[name], "back")


def _middle(a, b, places, points, nodes):
    """Where on the way from a to b there is room for a number: between its layers, or at the first it passes."""
    if points:
        return places[points[0]]
    (x, y), (u, v) = places[a], places[b]
    return (x + _wide(a, nodes) / 2 + u - _wide(b, nodes) / 2 - 6) / 2, (y + v) / 2


def _in_words(nodes, edges, values, gradients, hot):
    made = [f"{name} is {operation} of {', '.join(a for a, b in edges if b == name)}"
            for name, operation in nodes.items() if operation]
    parts = [*made, *(f"{name} = {value}" for name, value in values.items()),
             *(f"gradient {value} at {name}" for name, value in gradients.items()),
             *(f"{name} is highlighted" for name in hot)]
    return "; ".join(parts or nodes)

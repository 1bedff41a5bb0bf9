"""The LSTM and the GRU as drawings that grow gate by gate, in which each edge has a name: "f->fc" is f on its way
into the product f c_{t-1}. ::

    lstm_cell("forget")                                             # what there is after the first step of a derivation
    lstm_cell(highlight="f->fc", values={"f->fc": 0.73}, gradients={"f->fc": -0.12})
    gru_cell(reset_after=True).edges                                # the names of PyTorch's form

A pre-activation is a_f, its sum of W_f x_t and U_f h_{t-1} a dot, the gate behind it f.
"""

from typing import NamedTuple

from minirnn.errors import InputError, must_be
from minirnn.plots.drawings.svg import NORMAL, SMALL, WIDEST, Canvas, check_name, check_names, check_numbers

LEFT, RIGHT, TOP, MEMORY, GATES = 72, 440, 30, 78, 246  # the frame, the line of the memory, the row of the gates
PARTS = {"forget": "the forget gate", "input": "the input gate and the candidate", "memory": "the memory",
         "reset": "the reset gate", "candidate": "the candidate", "update": "the update gate", "output": "the output"}
SYMBOLS = {"gate": "σ", "candidate": "φ"}


class Edge(NamedTuple):
    """A line and what stands at it: ``label`` around ``at`` (x, y, anchor), numbers from ``place`` downwards."""

    stage: str
    points: tuple
    place: tuple = ()
    label: str = ""
    at: tuple = ()
    kind: str = ""
    head: bool = True
    dashed: bool = False


class Shape(NamedTuple):
    """A gate, an operation or a dot."""

    stage: str
    x: float
    y: float
    kind: str
    words: str = ""


class Plan(NamedTuple):
    """A cell before it is drawn: {name: Shape}, {name: Edge}, its stages in order, and where its buses are."""

    shapes: dict
    edges: dict
    stages: dict  # name -> what it says in words
    h_bus: float
    x_bus: float


def lstm_cell(upto="all", highlight=(), values=None, gradients=None, peepholes=False):
    """The LSTM's step, c_t = f c_{t-1} + i g and h_t = o φ(c_t), up to one of its stages -> Drawing.

    upto: "forget", "input", "memory", "output" or "all"; the newest part is tinted. highlight: the name of an edge, or
    several (``lstm_cell().edges`` lists them); values, gradients: {edge: number}, written at it, gradients in orange;
    "x" and "h_prev" have room for numbers, too. lstm_cell("memory", "f->fc", values={"f->fc": 0.73}). Raises InputError
    for a stage or edge that is not there.
    """
    plan = _lstm(_depth(values, gradients), bool(peepholes))
    title = "LSTM" + " with peepholes" * bool(peepholes) + ", c_t = f c_{t−1} + i g, h_t = o φ(c_t)"
    return _draw("lstm_cell", title, plan, upto, highlight, values, gradients)


def gru_cell(upto="all", highlight=(), values=None, gradients=None, reset_after=False, convention=None):
    """The GRU's step in the forms of ``minirnn.cells.GRU``, up to one of its stages -> Drawing.

    upto: "reset", "candidate", "update", "output" or "all". reset_after: U_n (r h_{t-1}) or r (U_n h_{t-1}), which is
    PyTorch's; convention: "thesis", z lets the candidate in, or "slides", z keeps the old state; left out, it follows
    ``reset_after`` as the cell does. The rest as in ``lstm_cell``: gru_cell("candidate", "r->rh").
    """
    convention = convention or ("slides" if reset_after else "thesis")
    if convention not in ("thesis", "slides") or (reset_after and convention == "thesis"):
        choices = "'slides' when reset_after=True" if reset_after else "'thesis' or 'slides'"
        raise InputError(must_be("gru_cell", "convention", choices, repr(convention)))
    plan = _gru(_depth(values, gradients), bool(reset_after), convention)
    mix = "(1 − z) h_{t−1} + z n" if convention == "thesis" else "z h_{t−1} + (1 − z) n"
    form = "after the product, r (U h_{t−1})" if reset_after else "before the product, U (r h_{t−1})"
    title = f"GRU, convention of the {convention}: h_t = {mix}, reset {form}"
    return _draw("gru_cell", title, plan, upto, highlight, values, gradients)


def _depth(values, gradients):
    """The length of the stub from a pre-activation's dot to its gate, in which numbers find room."""
    return 66 if values or gradients else 34


def _inputs(gates, dot, h_bus, x_bus, start, without=()):
    """Shapes and edges of what enters the gates {name: (x, stage, kind)}: the dots of a, and the lines of U and W."""
    shapes, edges = {}, {}
    for gate, (x, stage, kind) in gates.items():
        shapes[gate] = Shape(stage, x, GATES, kind, SYMBOLS[kind])
        shapes[f"a_{gate}"] = Shape(stage, x, dot, "dot")
        edges[f"a_{gate}->{gate}"] = Edge(stage, ((x, dot), (x, GATES + 18)), (x + 8, GATES + 53, "start"),
                                          f"a_{gate}", (x + 8, GATES + 32, "start"))
        if gate not in without:
            edges[f"h_prev->a_{gate}"] = Edge(stage, (*start, (x - 12, h_bus), (x - 12, dot), (x, dot)), (),
                                              f"U_{gate}", (x - 17, dot + 24, "end"), head=False)
        edges[f"x->a_{gate}"] = Edge(
            stage, ((104, x_bus + 32), (104, x_bus), (x + 12, x_bus), (x + 12, dot), (x, dot)), (), f"W_{gate}",
            (x + 17, dot + 24, "start"), head=False)
    return shapes, edges


def _lstm(depth, peepholes):
    dot = GATES + 18 + depth
    h_bus, x_bus = dot + 46, dot + 70
    gates = {"f": (124, "forget", "gate"), "i": (204, "input", "gate"), "g": (284, "input", "candidate"),
             "o": (366, "output", "gate")}
    shapes, edges = _inputs(gates, dot, h_bus, x_bus, ((10, h_bus),))
    shapes |= {
        "fc": Shape("forget", 124, MEMORY, "operation", "×"), "ig": Shape("input", 244, 138, "operation", "×"),
        "c": Shape("memory", 244, MEMORY, "operation", "+"), "phi": Shape("output", 366, 126, "candidate", "φ"),
        "h": Shape("output", 366, 178, "operation", "×"), "c_t": Shape("output", 366, MEMORY, "dot"),
    }
    edges |= {
        "c_prev->fc": Edge("forget", ((10, MEMORY), (110, MEMORY)), (12, 100, "start"), "c_{t−1}", (36, 56), "memory"),
        "f->fc": Edge("forget", ((124, 228), (124, 92)), (132, 128, "start"), "f", (132, 110, "start")),
        "i->ig": Edge("input", ((204, 228), (204, 138), (230, 138)), (196, 176, "end"), "i", (196, 158, "end")),
        "g->ig": Edge("input", ((284, 228), (284, 138), (258, 138)), (276, 183, "end"), "g", (276, 165, "end")),
        "fc->c": Edge("memory", ((138, MEMORY), (230, MEMORY)), (182, 46, "middle"), kind="memory"),
        "ig->c": Edge("memory", ((244, 124), (244, 92)), (236, 100, "end")),
        "c->c_next": Edge("memory", ((258, MEMORY), (490, MEMORY)), (498, 100, "end"), "c_t", (472, 56), "memory"),
        "c->phi": Edge("output", ((366, MEMORY), (366, 111)), (376, 92, "start")),
        "phi->h": Edge("output", ((366, 141), (366, 164)), (382, 144, "start")),
        "o->h": Edge("output", ((366, 228), (366, 192)), (376, 200, "start"), "o", (358, 208, "end")),
        "h->h_next": Edge("output", ((380, 178), (490, 178)), (498, 199, "end"), "h_t", (472, 158)),
    }
    if peepholes:
        edges |= {
            "c_prev->f": Edge("forget", ((88, MEMORY), (88, 246), (104, 246)), dashed=True),
            "c_prev->i": Edge("input", ((88, MEMORY), (88, 214), (192, 214), (192, 228)), dashed=True),
            "c->o": Edge("output", ((330, MEMORY), (330, 246), (346, 246)), dashed=True),
        }
    words = {
        "forget": "x_t and h_{t-1} make a_f and the forget gate f, which multiplies the memory c_{t-1}",
        "input": "the input gate i multiplies the candidate g",
        "memory": "the sum of both products is the new memory c_t, on a straight line from c_{t-1}",
        "output": "the output gate o multiplies phi of c_t and makes h_t",
    }
    return Plan(shapes, edges, words, h_bus, x_bus)


def _gru(depth, reset_after, convention):
    dot = GATES + 18 + depth
    h_bus, x_bus = dot + 46, dot + 70
    gates = {"r": (212, "reset", "gate"), "n": (362, "candidate", "candidate"), "z": (132, "update", "gate")}
    shapes, edges = _inputs(gates, dot, h_bus, x_bus, ((84, MEMORY), (84, h_bus)), ("n",))
    thesis = convention == "thesis"
    shapes |= {
        "h_prev": Shape("reset", 84, MEMORY, "dot"), "rh": Shape("reset", 296, dot, "operation", "×"),
        "zn": Shape("update", 362, 172, "operation", "×"), "kh": Shape("update", 132, MEMORY, "operation", "×"),
        "one": Shape("update", *((132, 130) if thesis else (220, 172)), "operation", "1−"),
        "z_t": Shape("update", 132, 172, "dot"), "h": Shape("output", 362, MEMORY, "operation", "+"),
    }
    product = {"label": "U_n", "at": (286, dot + 27, "end")} if reset_after else {}
    after = {} if reset_after else {"label": "U_n", "at": (328, dot - 14, "middle")}
    edges |= {
        "h_prev": Edge("reset", ((10, MEMORY), (84, MEMORY)), (12, 100, "start"), "h_{t−1}", (36, 56), "memory", False),
        "h_prev->kh": Edge("update", ((84, MEMORY), (118, MEMORY)), kind="memory"),
        "h_prev->rh": Edge("reset", ((84, MEMORY), (84, h_bus), (296, h_bus), (296, dot + 14)), **product),
        "r->rh": Edge("reset", ((212, 228), (212, 204), (296, 204), (296, dot - 14)), (234, 224, "start"),
                      "r", (254, 192, "middle")),
        "rh->a_n": Edge("candidate", ((310, dot), (362, dot)), (304, dot + 20, "start"), head=False, **after),
        "n->zn": Edge("candidate", ((362, 228), (362, 186)), (372, 196, "start"), "n", (354, 208, "end")),
        "kh->h": Edge("output", ((146, MEMORY), (348, MEMORY)), (246, 46, "middle"), kind="memory"),
        "zn->h": Edge("output", ((362, 158), (362, 92)), (354, 114, "end")),
        "h->h_next": Edge("output", ((376, MEMORY), (490, MEMORY)), (498, 100, "end"), "h_t", (472, 56), "memory"),
    }
    up, left, right = ((132, 172), (132, 144)), ((132, 116), (132, 92)), ((132, 172), (348, 172))
    if thesis:
        edges |= {"z->one": Edge("update", ((132, 228), *up[1:]), (142, 190, "start"), "z", (124, 208, "end")),
                  "one->kh": Edge("update", left, (152, 104, "start")),
                  "z->zn": Edge("update", ((132, 228), *right), (226, 142, "start"))}
    else:
        edges |= {"z->kh": Edge("update", ((132, 228), (132, 92)), (142, 114, "start"), "z", (124, 208, "end")),
                  "z->one": Edge("update", ((132, 228), (132, 172), (206, 172)), (142, 190, "start")),
                  "one->zn": Edge("update", ((234, 172), (348, 172)), (252, 142, "start"))}
    gate = "z lets the candidate in and 1 - z keeps the old state" if thesis else (
        "z keeps the old state and 1 - z lets the candidate in")
    words = {
        "reset": "x_t and h_{t-1} make a_r and the reset gate r, which multiplies "
                 + ("U_n h_{t-1}" if reset_after else "h_{t-1}"),
        "candidate": "the candidate n is made of x_t and " + ("that product" if reset_after else "U_n of that product"),
        "update": f"of the update gate z, {gate}", "output": "the sum of both is the new state h_t",
    }
    return Plan(shapes, edges, words, h_bus, x_bus)


def _draw(where, title, plan, upto, highlight, values, gradients):
    stages = [*plan.stages]
    check_name(where, "upto", upto, [*stages, "all"], "a stage")
    there = stages[: stages.index(upto) + 1] if upto != "all" else stages
    newest = there[-1:] if upto != "all" else stages
    edges = {name: edge for name, edge in plan.edges.items() if edge.stage in there}
    hot = check_names(where, "highlight", highlight, plan.edges, f"one of {where}().edges")
    for name in sorted(hot - {*edges}):
        later = f"it comes with upto={plan.edges[name].stage!r}"
        raise InputError(must_be(where, "highlight", f"an edge drawn with upto={upto!r}", repr(name), later))
    places = {name: edge.place for name, edge in edges.items() if edge.place}
    places["x"] = (122, plan.x_bus + 30, "start")
    if "h_prev" not in edges:
        places["h_prev"] = (12, plan.h_bus + 20, "start")
    canvas = Canvas(WIDEST, plan.x_bus + 62, TOP - 8)
    canvas.box((LEFT + RIGHT) / 2, (TOP + plan.x_bus + 12) / 2, RIGHT - LEFT, plan.x_bus + 12 - TOP, "frame", corner=16)
    _edges(canvas, plan, edges, hot)
    for name, shape in plan.shapes.items():
        if shape.stage in there:
            _shape(canvas, name, shape, shape.stage in newest)
    canvas.text(104, plan.x_bus + 46, "x_t", "math", size=NORMAL)
    if "h_prev" not in edges:
        canvas.text(36, plan.h_bus - 20, "h_{t−1}", "math", size=NORMAL)
    for edge in edges.values():
        if edge.label:
            x, y, anchor = (*edge.at, "middle")[:3]
            canvas.text(x, y, edge.label, "math", anchor, NORMAL if len(edge.at) == 2 else SMALL)
    given = [*_numbers(canvas, where, "values", values, places, 0, ""),
             *_numbers(canvas, where, "gradients", gradients, places, 16, "back")]
    seen = [plan.stages[stage] for stage in there] + given
    seen += [f"the edge {name} is highlighted" for name in edges if name in hot]
    stage = "" if upto == "all" else f"; up to {PARTS[upto]}"
    return canvas.drawing(f"{title}{stage}.", f"{title}{stage}: " + "; ".join(seen) + ".")


def _edges(canvas, plan, edges, hot):
    """Lines that cross over others come later, the highlighted last of all."""
    over = lambda name: (edges[name].dashed or name.startswith("x->")) + 2 * (name in hot)
    gaps = {(edge.points[2][0], plan.h_bus) for name, edge in edges.items() if name.startswith("x->")}
    gaps |= {(124, 214)} if "c_prev->i" in edges else set()
    for name, edge in sorted(edges.items(), key=lambda item: over(item[0])):
        if over(name) and gaps:
            while gaps:
                canvas.gap(*gaps.pop())
        canvas.arrow(edge.points, name, edge.kind, name in hot, edge.head, dashed=edge.dashed)


def _shape(canvas, name, shape, new):
    x, y, kind = shape.x, shape.y, shape.kind if new else f"{shape.kind} older"
    with canvas.group("node", "node", name):
        if shape.kind == "dot":
            canvas.dot(x, y)
        elif name == "phi":
            canvas.circle(x, y, 15, kind, shape.words)
        elif shape.kind in SYMBOLS:
            canvas.box(x, y, 40, 36, kind, shape.words, size=NORMAL + 2)
        else:
            canvas.circle(x, y, 14, kind, shape.words, size=NORMAL + 1 if len(shape.words) == 1 else SMALL)


def _numbers(canvas, where, argument, given, places, down, kind):
    """Write {edge: number} at the edges; what the alternative text says of them."""
    given = check_numbers(where, argument, given, places, "an edge with room for a number")
    for name, text in given.items():
        x, y, anchor = places[name]
        canvas.text(x, y + down, text, kind, anchor)
    return [f"{argument[:-1]} at {name}: {text}" for name, text in given.items()]

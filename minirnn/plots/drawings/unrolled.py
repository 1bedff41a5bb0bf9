"""A recurrent network unrolled in time, the way of a gradient through it, and truncated windows. ::

    unrolled(4, loss="last", highlight="L_4->x_1")
    windows(12, length=4, stride=4)
"""

import re

from minirnn.errors import InputError, must_be
from minirnn.plots.drawings.svg import NORMAL, SMALL, WIDEST, Canvas, check_count

MOST = 24  # steps
MIDDLE = 122  # where the cells stand


def unrolled(T, cell="h", loss="each", highlight=None):
    """A network over T steps, with inputs, states and losses -> Drawing.

    cell: "h", or "hc" for an LSTM, with its memory above; loss: "each" or "last"; highlight: the way of a gradient,
    back from a loss to an input, to the state at the start, or to every use of a matrix: "L_4->x_1", "L_4->h_0",
    "L_3->U" or "L_3->W". It goes along the memory where there is one. InputError for what is not there.
    unrolled(4, highlight="L_3->x_1").
    """
    steps = check_count("unrolled", "T", T, MOST)
    if cell not in ("h", "hc"):
        raise InputError(must_be("unrolled", "cell", "'h' or 'hc'", repr(cell)))
    if loss not in ("each", "last"):
        raise InputError(must_be("unrolled", "loss", "'each' or 'last'", repr(loss)))
    losses = range(1, steps + 1) if loss == "each" else [steps]
    hot, target, back = _way(highlight, steps, losses, cell[-1])
    step = min(112, max(60, (WIDEST - 78) / steps))
    at = lambda t: 66 + step * (t - 0.5)
    half = min(26, 0.3 * step), 24 if cell == "h" else 32
    lanes = {"h": MIDDLE + 15 * (cell == "hc"), "c": MIDDLE - 15}
    canvas = Canvas(66 + step * steps + 12, 244)
    for edge, line, kind in sorted(_edges(steps, cell, losses, lanes, at, half), key=lambda item: item[0] in hot):
        canvas.arrow(line[::-1] if edge in hot else line, edge, kind, edge in hot)
    for t in range(1, steps + 1):
        with canvas.group("node", "node", f"h_{t}"):
            canvas.box(at(t), MIDDLE, 2 * half[0], 2 * half[1], "cell")
            for lane in cell:
                canvas.text(at(t), lanes[lane], f"{lane}_{t}", "math", size=NORMAL)
        canvas.text(at(t), 226, f"x_{t}", "math", size=NORMAL)
        _matrix(canvas, at(t) + 11, 186, "W", "start", target == "W" and f"x_{t}->h_{t}" in hot)
        _matrix(canvas, (30 if t == 1 else at(t - 1) + half[0]) / 2 + (at(t) - half[0]) / 2, lanes["h"] + 16, "U",
                "middle", target == "U" and f"h_{t - 1}->h_{t}" in hot)
        if t in losses:
            with canvas.group("node", "node", f"L_{t}"):
                canvas.circle(at(t), 28, 19, "loss", f"L_{t}")
    for lane in cell:
        canvas.text(16, lanes[lane], f"{lane}_0", "math", size=NORMAL)
    return canvas.drawing(*_said(steps, cell, losses, highlight, back))


def _matrix(canvas, x, y, name, anchor, hot):
    canvas.text(x, y, name, "math strong back" if hot else "math soft", anchor)


def _edges(steps, cell, losses, lanes, at, half):
    """(name, line, kind) of each edge, in the direction of the computation."""
    for t in range(1, steps + 1):
        yield f"x_{t}->h_{t}", [(at(t), 210), (at(t), MIDDLE + half[1])], ""
        for lane in cell:
            before = 30 if t == 1 else at(t - 1) + half[0]
            yield (f"{lane}_{t - 1}->{lane}_{t}", [(before, lanes[lane]), (at(t) - half[0], lanes[lane])],
                   "memory" if lane == "c" else "")
        if t in losses:
            yield f"h_{t}->L_{t}", [(at(t), MIDDLE - half[1]), (at(t), 47)], ""


def _way(highlight, steps, losses, lane):
    """(the edges on the way of "L_4->x_1", where it ends, its words); ``lane`` is the state it goes along."""
    if highlight is None:
        return (), "", ""
    found = re.fullmatch(r"L_(\d{1,3})\s*->\s*(?:x_(\d{1,3})|([hc]_0|U|W))", highlight) if isinstance(
        highlight, str) else None
    k, t = (int(found[1]), int(found[2] or 0)) if found else (0, 0)
    target = found and (found[3] or f"x_{t}")
    if not found or k not in losses or t > k or (found[2] and t < 1) or target in ({"h_0", "c_0"} - {f"{lane}_0"}):
        ends = f"L_{losses[0]}" + (f" to L_{losses[-1]}" if len(losses) > 1 else "")
        what = f"a way back from {ends}, 'L_{steps}->x_1', 'L_{steps}->{lane}_0', 'L_{steps}->U' or 'L_{steps}->W'"
        raise InputError(must_be("unrolled", "highlight", what, repr(highlight)))
    along = {f"{lane}_{s - 1}->{lane}_{s}" for s in range(max(t, 1) + 1, k + 1)}
    uses = {"W": [f"x_{s}->h_{s}" for s in range(1, k + 1)], "U": [f"h_{s - 1}->h_{s}" for s in range(1, k + 1)],
            f"{lane}_0": [f"{lane}_0->{lane}_1"]}
    ends = uses.get(target) or [f"x_{t}->h_{t}"]
    return {f"h_{k}->L_{k}", *along, *ends}, target, f"from L_{k} back to {_uses(target, k)}"


def _uses(target, k):
    if target in ("U", "W"):
        return f"{target}, which is used {k} times: its gradient is a sum of {k}" if k > 1 else f"{target}, used once"
    return target


def _said(steps, cell, losses, highlight, back):
    kind = "An LSTM" if cell == "hc" else "A recurrent network"
    title = f"{kind} over {steps} step{'s' * (steps > 1)}"
    where = "after every step" if len(losses) > 1 else "after the last step"
    alt = (f"{title}: at each step x_t enters the cell through W and the state before it through U"
           + (", the memory c passes beside h" if cell == "hc" else "") + f"; a loss {where}.")
    if highlight:
        title += f"; in orange the way of the gradient {back}"
        alt += f" In orange, with arrows turned round, the way of the gradient {back}."
    return title + ".", alt


def windows(T, length, stride=None):
    """Truncated backpropagation through time: which steps each gradient reaches, while the state goes on -> Drawing.

    Every ``stride`` steps (left out: ``length``) the losses since the last time send a gradient back over at most
    ``length`` steps; at the end of the sequence fewer losses are left. windows(12, 4) has three windows side by side,
    windows(12, 6, 3) four that overlap. InputError for a stride above the length, which would leave out losses.
    """
    steps = check_count("windows", "T", T, MOST)
    length = check_count("windows", "length", length, steps)
    stride = check_count("windows", "stride", length if stride is None else stride, length)
    found = _windows(steps, length, stride)
    stops, overlaps = any(start > 1 for start, _, _ in found), any(start <= since for start, since, _ in found)
    step = max(34, min(60, (WIDEST - 74) / steps))
    side = min(28, step - 13)
    at = lambda t: 60 + step * (t - 0.5)
    rows = _rows(found)
    bottom = 78 + 34 * (1 + max(rows))
    canvas = Canvas(max(WIDEST, 60 + step * steps + 14), bottom + 26)
    canvas.text(18, 34, "h_0", "math", size=NORMAL)
    for t in range(1, steps + 1):
        before = 32 if t == 1 else at(t - 1) + side / 2
        canvas.arrow([(before, 34), (at(t) - side / 2, 34)], f"h_{t - 1}->h_{t}", "memory")
        with canvas.group("node", "node", f"h_{t}"):
            canvas.box(at(t), 34, side, 28, "cell", t, size=SMALL, corner=6)
    for window, row in zip(found, rows):
        _window(canvas, at, *window, 78 + 34 * row, step)
    _key(canvas, bottom + 6, stops, overlaps)
    overlap = f", a new one every {stride}" if stride < length else ""
    ending = "the state goes on, the gradient stops" if stops else "no gradient is cut short"
    title = f"Truncated backpropagation over {length} of {steps} steps{overlap}: {ending}."
    spans = "; ".join(f"from step {end} back to step {start}" for start, _, end in found)
    return canvas.drawing(title, f"{title} Windows: {spans}.")


def _windows(steps, length, stride):
    """[(first step, last step whose loss was counted before, last step)], as one after the other is trained on."""
    ends = [*range(stride, steps, stride), steps]
    return [(max(1, since + 1 - (length - stride)), since, end) for since, end in zip([0, *ends], ends)]


def _rows(windows):
    """The row of each window: the first that is free."""
    free, rows = [], []
    for start, _, end in windows:
        row = next((r for r, until in enumerate(free) if until < start), len(free))
        free[row:row + 1] = [end]
        rows.append(row)
    return rows


def _window(canvas, at, start, since, end, y, step):
    """An orange line back from ``end`` to ``start``; losses that are new in it are full, the others hollow."""
    left = at(start) - step / 2 + 4
    with canvas.group("node", "node", f"window_{start}_{end}"):
        canvas.arrow([(at(end), y), (left, y)], f"{end}->{start}", "backward")
        if start > 1:
            canvas.bar(left - 1, y)
        for t in range(start, end + 1):
            canvas.circle(at(t), y, 6, "counted" if t > since else "passed")


def _key(canvas, y, stops, overlaps):
    """What the marks mean, beside them."""
    canvas.circle(24, y, 6.5, "counted")
    canvas.text(36, y, "loss counted here", "soft", "start")
    x = 186
    if overlaps:
        canvas.circle(x + 8, y, 6.5, "passed")
        canvas.text(x + 20, y, "passed through", "soft", "start")
        x += 152
    if stops:
        canvas.bar(x + 6, y)
        canvas.text(x + 16, y, "gradient stops", "soft", "start")

"""Code on the tape that keeps its results alone and runs again when a gradient is asked for."""

from contextlib import contextmanager

from minirnn.autograd import grad, record_many, recording
from minirnn.autograd.tape import Node, _set


def checkpointed(run):
    """The Tensors that run() returns, without what was recorded on the way; its backward calls run() again.

    run() may use whatever it likes from outside, parameters and results of earlier operations: each is found by
    walking back from what it returns, and gets its gradient, to any order. It must compute the same when called again.

        y, = checkpointed(lambda: [ops.tanh(x @ w)])    # of the tanh's and the product's results only y is kept
    """
    if not recording():
        return run()
    start = Node("start", (), None).number
    results = run()
    outside = _outside(results, start)
    moving = [r for r in results if r.requires_grad]

    def vjp(*cotangents):
        again = recording()
        with _cut(outside), _set("recording", True):
            second = [r for r in run() if r.requires_grad]
            used = [(r, d) for r, d in zip(second, cotangents) if d is not None]
            return grad([r for r, _ in used], outside, [d for _, d in used], create_graph=again)

    kept = iter(record_many("checkpointed", [r.value for r in moving], tuple(outside), vjp))
    return [next(kept) if r.requires_grad else r for r in results]


def _outside(results, start):
    """The Tensors made before operation number ``start`` that results depend on and that require a gradient."""
    found, seen, stack = {}, set(), list(results)
    while stack:
        tensor = stack.pop()
        if not tensor.requires_grad:
            continue
        if tensor.node is None or tensor.node.number < start:
            found[tensor] = None
        elif tensor.node not in seen:
            seen.add(tensor.node)
            stack.extend(tensor.node.parents)
    return list(found)


@contextmanager
def _cut(tensors):
    """Within this context the tensors are leaves without hooks, so that a walk back ends at them."""
    before = [(tensor, tensor.node, tensor.hooks) for tensor in tensors]
    for tensor in tensors:
        tensor.node = tensor.hooks = None
    try:
        yield
    finally:
        for tensor, node, hooks in before:
            tensor.node, tensor.hooks = node, hooks

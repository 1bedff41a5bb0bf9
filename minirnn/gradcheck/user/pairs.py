"""Which functions and methods belong together as forward and backward, by their names."""

FORWARD = {"forward": "backward", "fwd": "bwd", "fprop": "bprop", "forward_pass": "backward_pass",
           "feedforward": "backprop", "forward_prop": "backward_prop", "forwardprop": "backprop"}
AFTER = ("_backward", "_bwd", "_vjp", "_grad", "_gradient", "_backprop", "_bprop", "_back", "_pullback")
BEFORE = ("backward_", "grad_", "vjp_", "d_", "backprop_", "bprop_", "back_")
METHODS = ("forward", "__call__", "fprop", "forward_pass", "feedforward", "step", "fwd", "call")
BACKWARD = ("backward", "bprop", "backprop", "backward_pass", "step_backward", "backward_step", "bwd",
            "backpropagation", "backpropagate", "bptt")


def partner(name, names):
    """The name of the backward that belongs to a forward, or None: partner("lstm_forward", [...]) is "lstm_backward".
    """
    guesses = [name.replace(one, other) for one, other in FORWARD.items() if one in name]
    guesses += [name + after for after in AFTER] + [before + name for before in BEFORE]
    return next((g for g in guesses if g in names and g != name), None)


def methods_of(kind):
    """The names of a class's forward and backward, or None."""
    has = lambda name: callable(getattr(kind, name, None)) and any(name in vars(base) for base in kind.__mro__[:-1])
    for backward in BACKWARD:
        forward = next((name for name in METHODS if has(name)), None)
        if has(backward) and forward and forward != backward:
            return forward, backward
    return None

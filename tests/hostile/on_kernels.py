"""Attacks on compiled code: wrong arguments for every kernel, optimisers whose parameters change under them, kept
machine code that is damaged."""

import contextlib
import inspect
import io

import numpy as np
from wrong import changed_arrays, instead_of, shown, spoiled

from minirnn import Tensor, kernels, nn, optim
from minirnn.errors import DtypeError, InputError

REFUSED = (InputError, DtypeError, MemoryError)
T, B, D, H, V = 3, 4, 2, 5, 6


def entries():
    """{name: function} of everything that ``minirnn.kernels`` offers."""
    return {name: f for name, f in vars(kernels).items()
            if inspect.isfunction(f) and f.__module__ == kernels.__name__ and not name.startswith("_")}


def right_call(rng, name):
    """Arguments with which the entry works."""
    dtype = (np.float32, np.float64)[int(rng.integers(2))]
    draw = lambda *shape: rng.standard_normal(shape).astype(dtype)
    share = lambda *shape: rng.random(shape).astype(dtype)
    cell, _, way = name.partition("_")
    gates = {"lstm": 4, "gru": 3, "rnn": 1}.get(cell, 0)
    if gates and way in ("forward", "backward"):
        states = [draw(B, H) for _ in range(1 + (cell == "lstm"))]
        weights = [draw(gates * H, D), draw(gates * H, H), draw(gates * H), draw(gates * H)]
        options = {"lengths": rng.integers(1, T + 1, B)} if rng.random() < 0.5 else {}
        masks = {"lstm": ("gal", "moon", "ours", "zoneout_c", "zoneout_h"), "gru": ("gal", "moon", "ours", "zoneout_h")}
        for mask in masks.get(cell, ("gal",)):
            if rng.random() < 0.4:
                options[mask] = share(T, B, H) if rng.random() < 0.5 else share(B, H)
        if cell == "gru" and rng.random() < 0.5:
            options["reset_after"] = True
        if cell == "lstm" and rng.random() < 0.3:
            options["activation"] = "relu"
        args = [draw(T, B, D), *states, *weights]
        if way == "forward":
            return args, options
        saved = getattr(kernels, f"{cell}_forward")(*args, **options)[-1]
        options = {"consume": True} if cell != "rnn" and rng.random() < 0.3 else {}
        return [saved, draw(T, B, H), *(draw(B, H) for _ in states)], options
    if name == "updated":
        rule, (_, states, constants) = list(_rules().items())[int(rng.integers(4))]
        kept = [share(7, 9) for _ in range(states)]
        return [rule, draw(7, 9), draw(7, 9), kept, tuple(share(constants).tolist())], {}
    if name.startswith("softmax_xent"):
        logits, targets = draw(B, V), rng.integers(0, V, B)
        if name.endswith("forward"):
            return [logits, targets], {}
        return [kernels.softmax_xent_forward(logits, targets)[1], draw(B)], {}
    calls = {
        "embedding_gradient": lambda: [rng.integers(0, V, B), draw(B, D), V],
        "scaled": lambda: [draw(B, D), 0.5],
        "add_row": lambda: [draw(B, D), draw(D)],
        "sum_rows": lambda: [draw(B, D)],
        "gemm": lambda: [draw(B, D), draw(D, V)],
        "supports": lambda: ["lstm"],
    }
    return calls[name](), {}


def _rules():
    from minirnn.kernels import update

    return update.RULES


def attack_kernels(rng, folder):
    """Any entry with one or two wrong arguments: it works, or refuses in the house's words."""
    every = entries()
    name = sorted(every)[int(rng.integers(len(every)))]
    args, options, changed = spoiled(rng, *right_call(rng, name))
    try:
        with np.errstate(all="ignore"):
            every[name](*args, **options)
    except REFUSED:
        return None
    except Exception as error:  # whatever else it is, it is what this looks for
        return f"{name}: {changed}: {type(error).__name__}: {error}"
    return None


def attack_optimisers(rng, folder):
    """Values and gradients of other shapes and types under an optimiser that has states."""
    makers = [lambda p: optim.SGD(p, 0.1), lambda p: optim.SGD(p, 0.1, momentum=0.9), optim.Adam, optim.RMSProp,
              lambda p: optim.RMSProp(p, momentum=0.5, centred=True), optim.Adadelta]
    large = 1 << 18  # from here on the kernels do it
    size = large if rng.random() < 0.5 else 6
    p = nn.parameter(rng.standard_normal(size).astype(np.float32))
    optimizer = makers[int(rng.integers(len(makers)))]([p])
    p.grad = Tensor(rng.standard_normal(size).astype(np.float32))
    optimizer.step()
    before, which = p.shape, int(rng.integers(3))
    try:
        if which != 0:
            choices = changed_arrays(rng, p.grad.value)
            p.grad = Tensor(choices[int(rng.integers(len(choices)))])
        if which != 1:
            choices = [np.ones(large if size == 6 else 6, np.float32), *changed_arrays(rng, p.value)]
            p.value = choices[int(rng.integers(len(choices)))]
            before = np.shape(p.value)
        with np.errstate(all="ignore"):
            optimizer.step()
    except REFUSED:
        return None
    except Exception as error:
        return f"{type(optimizer).__name__}: grad {shown(p.grad.value)} value {shown(p.value)}: {error!r}"
    if p.shape != before:
        return f"{type(optimizer).__name__}: the parameter's shape became {p.shape}, it was {before}"
    return None


def attack_kept_code(rng, folder):
    """A file of machine code that was damaged, cut, exchanged or replaced is not read."""
    from minirnn.kernels import kept

    data = rng.bytes(int(rng.integers(0, 300)))
    path = folder / f"k{int(rng.integers(1 << 30))}.nbc"
    kept.write_kept(path, "kernel", data)
    whole, which, asked = path.read_bytes(), int(rng.integers(7)), "kernel"
    if which == 0:
        place = int(rng.integers(len(whole)))
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << int(rng.integers(8)))]) + whole[place + 1 :])
    elif which == 1:
        path.write_bytes(whole[: int(rng.integers(len(whole)))])
    elif which == 2:
        path.write_bytes(whole + rng.bytes(int(rng.integers(1, 9))))
    elif which == 3:
        asked = "another kernel"
    elif which == 4:
        other = path.with_suffix(".other")
        other.write_bytes(whole)
        path.unlink()
        path.symlink_to(other)
    elif which == 5:
        path.chmod(0o666)
    else:
        path.unlink()
        path.mkdir()
    with contextlib.redirect_stderr(io.StringIO()) as words:
        got = kept.read_kept(path, asked)
    if got is not None:
        return f"damage of kind {which} was not noticed"
    if str(path) not in words.getvalue():
        return f"damage of kind {which} is not named: {words.getvalue()!r}"
    return None


def attack_saved(rng, folder):
    """What a forward pass saved, with one of its arrays exchanged, handed to the backward pass."""
    name = ("lstm_backward", "gru_backward", "rnn_backward", "softmax_xent_backward")[int(rng.integers(4))]
    (saved, *rest), options = right_call(rng, name)
    if hasattr(saved, "inputs") and rng.random() < 0.5:
        saved = saved._replace(inputs=instead_of(rng, saved.inputs))
    else:
        saved = instead_of(rng, saved)
    try:
        with np.errstate(all="ignore"):
            getattr(kernels, name)(saved, *rest, **options)
    except REFUSED:
        return None
    except Exception as error:
        return f"{name}: {error!r}"
    return None

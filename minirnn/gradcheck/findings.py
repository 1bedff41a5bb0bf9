"""What a check found: an Entry for each number compared, a TensorFinding for each array, a Finding for the whole."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from minirnn.gradcheck.sweep import Slope
from minirnn.gradcheck.verdict import Verdict, severest
from minirnn.gradcheck.view import notebook


@dataclass(frozen=True)
class Entry:
    """One claimed slope against its measurement; ``index`` is None for a random direction."""

    index: tuple | None
    claimed: float
    slope: Slope  # as measured
    uncertainty: float
    scale: float  # what errors are relative to: the tensor's largest gradient (times sqrt(n) along a direction)
    error: float
    verdict: Verdict

    def __str__(self):
        if self.slope.kind == "kink":
            return f"yours {self.claimed:.9g}, to the left {self.slope.left:.6g}, to the right {self.slope.right:.6g}"
        if self.slope.kind == "jump":
            return f"yours {self.claimed:.9g}, and the value itself jumps"
        return f"yours {self.claimed:.9g}, measured {self.slope.value:.9g} +- {self.uncertainty:.1g}"


@dataclass(frozen=True)
class TensorFinding:
    """All entries checked of one array. ``errors`` (orders, n): the V-curves, worst relative error at each step."""

    name: str
    shape: tuple
    entries: tuple
    claimed: np.ndarray
    measured: np.ndarray | None  # whole gradient as measured, where every entry was
    steps: np.ndarray
    errors: np.ndarray
    note: str = ""
    in_words: Callable | None = None  # (name, index) -> str
    blocks: tuple = ()  # (label, first row, last row + 1) of each gate, where the array is made of gates
    across: bool = False  # the blocks are of columns

    @property
    def place(self):
        """Where the worst entry is, in words."""
        worst = self.worst
        if worst is None or worst.index is None:
            return "" if worst is None else "a random direction"
        if self.in_words is not None:
            return self.in_words(self.name, worst.index)
        return f"{self.name}[{', '.join(map(str, worst.index))}]"

    @property
    def verdict(self):
        return Verdict.WRONG if self.note else severest(entry.verdict for entry in self.entries)

    @property
    def worst(self):
        """The entry of the severest verdict, and among those of the largest error; None when none was checked."""
        return max(self.entries, key=lambda e: (e.verdict.severity, np.nan_to_num(e.error, nan=np.inf)), default=None)

    @property
    def error(self):
        """Worst relative error against the best measurement of each entry."""
        return max((np.nan_to_num(e.error, nan=np.inf) for e in self.entries), default=0.0)

    @property
    def bottom(self):
        """The V-curves' lowest point: worst relative error at the one step and order that suit all entries best."""
        return float(np.nanmin(self.errors)) if np.isfinite(self.errors).any() else np.inf


@dataclass(frozen=True, repr=False)
class Finding:
    """The result of a check: ``verdict``, ``error``, ``ok``. Printed it is a report, in a notebook also a picture."""

    name: str
    dtype: str
    method: str  # "complex step" or "central differences"
    tensors: tuple
    rtol: float
    evaluations: int
    seconds: float
    notes: tuple = ()
    nondeterministic: str = ""
    unclaimed: tuple = ()  # names of arguments that have a gradient and got none
    hidden: tuple = ()  # names of arguments whose gradient is nothing but rounding, claimed and measured
    diagnosis: tuple = field(default=())

    @property
    def verdict(self):
        if self.nondeterministic:
            return Verdict.NON_DETERMINISTIC
        return severest([*(tensor.verdict for tensor in self.tensors), *[Verdict.WRONG] * bool(self.unclaimed)])

    @property
    def ok(self):
        return self.verdict is Verdict.PASS

    @property
    def error(self):
        return max((tensor.error for tensor in self.tensors), default=0.0)

    @property
    def bottom(self):
        """The worst V's bottom over the tensors: what differences alone, without the complex step, can prove."""
        return max((tensor.bottom for tensor in self.tensors), default=0.0)

    @property
    def worst(self):
        """The tensor of the severest verdict and largest error."""
        return max(self.tensors, key=lambda t: (t.verdict.severity, t.error), default=None)

    def with_note(self, note):
        return replace(self, notes=(*self.notes, note))

    def with_diagnosis(self, lines):
        return replace(self, diagnosis=tuple(lines))

    def with_blocks(self, blocks):
        """The same, its arrays with the blocks that blocks(name) -> (blocks, across) says they are made of."""
        made = (replace(t, blocks=found, across=across) for t in self.tensors for found, across in [blocks(t.name)])
        return replace(self, tensors=tuple(made))

    def _repr_html_(self):
        return notebook(self)

    def __str__(self):
        lines = [f"{self.name}: {self.verdict}"]
        if self.nondeterministic:
            return "\n".join([*lines, f"  {self.nondeterministic}"])
        lines[0] += (
            f"  worst relative error {self.error:.1e} ({self.dtype}, {self.method}; V's bottom {self.bottom:.1e})"
        )
        width = max((len(t.name) for t in self.tensors), default=0)
        for t in self.tensors:
            lines.append(f"  {t.name:<{width}}  {str(t.shape):<12}  {t.error:8.1e}  {t.verdict}")
            if t.note:
                lines.append(f"  {'':<{width}}  {t.note}")
            elif t.verdict is not Verdict.PASS and t.worst is not None:
                lines.append(f"  {'':<{width}}  worst at {t.place}: {t.worst}")
        lines += [f"  {line}" for line in (*self.diagnosis, *self.notes)]
        return "\n".join(lines)

    __repr__ = __str__

    def as_dict(self):
        """Plain numbers and strings, for JSON."""
        return {
            "name": self.name,
            "verdict": str(self.verdict),
            "worst_relative_error": _number(self.error),
            "bottom_of_v": _number(self.bottom),
            "dtype": self.dtype,
            "method": self.method,
            "tolerance": self.rtol,
            "evaluations": self.evaluations,
            "seconds": round(self.seconds, 3),
            "tensors": [
                {
                    "name": t.name,
                    "shape": list(t.shape),
                    "verdict": str(t.verdict),
                    "worst_relative_error": _number(t.error),
                    "worst_at": t.place,
                    **({"note": t.note} if t.note else {}),
                }
                for t in self.tensors
            ],
            "diagnosis": list(self.diagnosis),
            "notes": [*self.notes, *([self.nondeterministic] if self.nondeterministic else [])],
        }


def _number(value):
    return float(value) if np.isfinite(value) else None

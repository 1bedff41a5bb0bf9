"""What the microscope looks at in a run: a batch, the loss of training on it, and its words."""

from collections.abc import Callable
from dataclasses import dataclass

MOST_STEPS, MOST_ROWS = 1000, 256


@dataclass(frozen=True)
class Lens:
    """A batch through a recurrent layer and back: of a word model 20 streams of 35 words.

    loss(model) -> (scalar Tensor, what it is divided by to be in ``unit``): (the sum over 35 steps, 35) in "nats a
    word"; ``steps`` of time in ``layers`` layers; ``subject``, ``masks``, ``about`` (the loss) in words; ``symbols``
    what stands at each step of the first row; ``fingerprint`` of the data it came from, None for a text of the user's;
    ``reads``, for a language model, (ids (T,), symbols of the vocabulary) of a text that it is shown reading.
    """

    loss: Callable
    steps: int
    layers: int
    unit: str
    subject: str
    masks: str
    about: str
    symbols: tuple[str, ...] = ()
    fingerprint: str | None = None
    reads: tuple | None = None

"""``minirnn sample RUN``."""

import json as json_format
import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from minirnn.train.runs import load_model
from minirnn.train.sampling import sample_text


def sample(
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN", help="the run folder")],
    prime: Annotated[str, tyro.conf.arg(help="text to begin with")] = "",
    length: Annotated[int, tyro.conf.arg(help="symbols to draw: words or characters")] = 200,
    temperature: Annotated[float, tyro.conf.arg(help="below 1 safer guesses, above 1 wilder; 0 the likeliest")] = 0.8,
    seed: Annotated[int, tyro.conf.arg(help="equal seeds give equal text")] = 0,
    checkpoint: Annotated[Literal["best", "last"], tyro.conf.arg(help="which parameters")] = "best",
    json: Annotated[bool, tyro.conf.arg(help="print JSON for a program to read")] = False,
) -> int:
    """Generate text from a trained run, finished or not.

    Example: minirnn sample runs/word-lm-python-help-lstm-1 --prime "the value of" --temperature 0.8
    """
    model, vocab, _ = load_model(run, checkpoint, say=lambda text: print(text, file=sys.stderr))
    text = sample_text(model, vocab, prime, length, temperature, seed)
    if json:
        print(json_format.dumps({"prime": prime, "temperature": temperature, "seed": seed, "text": text}, indent=1))
    else:
        print(text)
    return 0


def main(argv):
    """Run ``minirnn sample``; 0 when text was made, 2 for bad input."""
    return tyro.cli(sample, args=argv, prog="minirnn sample", config=(tyro.conf.FlagCreatePairsOff,))

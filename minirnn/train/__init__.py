"""Training: the loop, run folders, checkpoints, exact resume, sampling."""

from minirnn.train.config import LanguageModelConfig, preset
from minirnn.train.execute import Outcome
from minirnn.train.loop import Diverged
from minirnn.train.runs import load_model, resume_run, train_language_model
from minirnn.train.sampling import sample_text

__all__ = [
    "Diverged",
    "LanguageModelConfig",
    "Outcome",
    "load_model",
    "preset",
    "resume_run",
    "sample_text",
    "train_language_model",
]

"""The training loop, run folders, checkpoints and exact resume."""

"""Recurrent cells on plain arrays: step and hand-derived step_backward."""

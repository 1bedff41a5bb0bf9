"""The BPTT microscope: what every gate, state and mask of a layer did at every step, and what gradient came back.

``measure.microscope`` takes the numbers; ``minirnn inspect`` puts those of a run's checkpoints on one page.
"""

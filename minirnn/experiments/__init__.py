"""Experiments: what a table or figure of the sources is, its runs, and its outcome beside the source's numbers.

It knows no model: each has its own tables in ``minirnn/models/NAME/tables.py``, such as table-3.1 of temporal_order.
"""

from minirnn.experiments.experiment import Claim, Column, Experiment, Row, Scale

__all__ = ["Claim", "Column", "Experiment", "Row", "Scale"]

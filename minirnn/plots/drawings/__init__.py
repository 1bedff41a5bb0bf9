"""The course's drawings, SVG made here: graphs, unrolled networks, cells that grow, masks in time. ::

    from minirnn.plots.drawings import lstm_cell
    lstm_cell("forget", highlight="f->fc")                          # shows itself in a notebook
    lstm_cell().save("lstm.svg")
"""

from minirnn.plots.drawings.cells import gru_cell, lstm_cell
from minirnn.plots.drawings.graph import graph, graph_of
from minirnn.plots.drawings.masks import masks_in_time
from minirnn.plots.drawings.svg import Canvas, Drawing
from minirnn.plots.drawings.unrolled import unrolled, windows

__all__ = ["Canvas", "Drawing", "graph", "graph_of", "gru_cell", "lstm_cell", "masks_in_time", "unrolled", "windows"]

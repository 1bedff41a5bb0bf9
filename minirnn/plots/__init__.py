"""Figures and pages used by chapters and reports."""

import io


def figure(width, height):
    """An empty figure of so many inches, which needs no display: ``png(figure(6, 3))`` has 540 x 270 pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(made)
    return made


def png(figure, dpi=90):
    """A figure as the bytes of a PNG, without anything that differs between machines or days."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()

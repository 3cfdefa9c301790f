"""Figures as PNG bytes that depend on what is drawn alone."""

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def as_png(figure: Figure) -> bytes:
    """The bytes of *figure*, without the program's name and version."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None}, facecolor=figure.get_facecolor())
    return buffer.getvalue()

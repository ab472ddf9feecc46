"""Figures as files: SVG, PDF or PNG. matplotlib is imported when one is drawn, and not before.

Colours are told apart with every common colour blindness: orange to purple for signed values
(ColorBrewer's PuOr), and Okabe and Ito's palette for points and curves. Figures are drawn with
matplotlib's objects, without pyplot, so that nothing global is touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from iqbench.document.figure import (
    COLUMNS,
    CURVE,
    LINK,
    POINTS,
    Dumbbells,
    Figure,
    Heatmap,
    Ranks,
    Scatter,
)
from iqbench.document.text import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

__all__ = ["FIGURE_FORMATS", "draw"]

FIGURE_FORMATS = ("svg", "pdf", "png")

_STYLE: dict[Any, Any] = {
    "font.size": 8.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "iqbench",  # names inside the file: the same figure gives the same bytes
    "svg.fonttype": "none",  # text stays text: it can be searched, and is small
}
_DATES = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}


def draw(figure: Figure, format: str = "svg") -> bytes:
    """Draw a figure, the same bytes for the same figure.

    Parameters
    ----------
    figure
        What it shows.
    format
        One of `FIGURE_FORMATS`.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with rc_context(_STYLE):
        if isinstance(figure, Heatmap):
            canvas = _heatmap(figure)
        elif isinstance(figure, Ranks):
            canvas = _ranks(figure)
        else:
            canvas = _scatter(figure) if isinstance(figure, Scatter) else _dumbbells(figure)
        FigureCanvasAgg(canvas)
        stream = BytesIO()
        canvas.savefig(stream, format=format, metadata=_DATES[format], bbox_inches="tight", dpi=200)
    return stream.getvalue()


def _heatmap(given: Heatmap) -> Canvas:
    """Draw a matrix of numbers on colours; a cell without a value is hatched."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    rows, columns, values = given.rows, given.columns, given.values
    size = max(len(rows), 3)
    figure = Figure(figsize=(2.6 + 0.42 * size, 2.4 + 0.36 * size))
    axes = figure.add_subplot()
    below = np.tril(np.ones_like(values, dtype=bool))
    shown = np.ma.masked_where(~below | np.isnan(values), values)
    image = axes.imshow(shown, cmap=colormaps["PuOr"], vmin=-1, vmax=1, aspect="auto")
    for row, column in zip(*np.nonzero(below), strict=True):
        value = values[row, column]
        if np.isnan(value):
            corner = (column - 0.5, row - 0.5)
            axes.add_patch(Rectangle(corner, 1, 1, fill=False, hatch="////", ec="#cccccc", lw=0))
            continue
        color = "white" if abs(value) > 0.6 else "black"
        axes.text(column, row, _short(value), ha="center", va="center", color=color, size=6.5)
    axes.set_xticks(range(len(columns)), _plain(columns), rotation=90)
    axes.set_yticks(range(len(rows)), _plain(rows))
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_title(_escape(given.title), loc="left", fontsize=9)
    figure.colorbar(image, ax=axes, shrink=0.6, aspect=25, pad=0.02)
    return figure


def _scatter(given: Scatter) -> Canvas:
    """Draw panels side by side."""
    from matplotlib.figure import Figure

    rows = -(-len(given.panels) // COLUMNS)
    columns = min(len(given.panels), COLUMNS)
    figure = Figure(figsize=(2.7 * columns + 0.3, 2.3 * rows + 0.4), layout="constrained")
    all_axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes, panel in zip(all_axes.flat, given.panels, strict=False):
        axes.plot(
            *(panel.x, panel.y, "o"),
            **{"color": POINTS, "markersize": 2.2, "alpha": 0.35, "markeredgewidth": 0},
            rasterized=True,
        )
        if panel.curve is not None:
            axes.plot(*panel.curve, color=CURVE, linewidth=1.5)
        if panel.caption:
            axes.set_title(_escape(panel.caption), fontsize=8)
        axes.set_xlabel(_escape(panel.label))
    for axes in all_axes[:, 0]:
        axes.set_ylabel(_escape(given.label))
    for axes in list(all_axes.flat)[len(given.panels) :]:
        axes.set_visible(False)
    figure.suptitle(_escape(given.title), x=0.01, ha="left", fontsize=9)
    return figure


def _dumbbells(given: Dumbbells) -> Canvas:
    """Draw two marks a row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 1.2 + 0.2 * len(given.rows)), layout="constrained")
    axes = figure.add_subplot()
    at = np.arange(len(given.rows))
    first, second = given.ends.values()
    axes.hlines(at, first, second, color=LINK, linewidth=1)
    marks = ((CURVE, "s"), (POINTS, "o"))
    for (label, values), (color, marker) in zip(given.ends.items(), marks, strict=True):
        axes.plot(values, at, marker, color=color, markersize=5, label=_escape(label))
    axes.set_yticks(at, _plain(given.rows))
    axes.set_ylim(-0.7, len(given.rows) - 0.3)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xlabel(_escape(given.label))
    axes.grid(axis="x", color="#e5e5e5", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    figure.suptitle(_escape(given.title), x=0.01, ha="left", fontsize=9)
    return figure


def _ranks(given: Ranks) -> Canvas:
    """Draw average ranks on a line above the names."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 1.0 + 0.26 * given.height))
    axes = figure.add_axes((0.25, 0.02, 0.5, 0.7))
    low, high = given.ends
    for rank, label in zip(given.ranks, given.labels, strict=True):
        axes.plot([rank, rank, label.x], [0, label.y, label.y], color=LINK, linewidth=0.8)
        axes.annotate(
            *(_escape(label.text), (label.x, label.y)),
            xytext=(-4 if label.side == "left" else 4, 0),
            textcoords="offset points",
            ha="right" if label.side == "left" else "left",
            va="center",
        )
    for first, last, height in given.bars:
        axes.plot([first, last], [height, height], color=CURVE, linewidth=3)
    axes.set_xlim(low, high)
    axes.set_ylim(-given.height, 0)
    axes.set_xticks(range(low, high + 1))
    axes.xaxis.tick_top()
    axes.set_yticks([])
    for side in ("left", "right", "bottom"):
        axes.spines[side].set_visible(False)
    axes.spines["top"].set_visible(True)
    lines = "\n".join(map(_escape, given.title.split("\n")))
    figure.suptitle(lines, x=0.01, y=1.0, ha="left", fontsize=9)
    return figure


def _short(value: float) -> str:
    """Write a correlation without its leading zero, as .83 and -.05, to save room."""
    text = f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 0.995 else f"{value:.0f}"
    return text.replace("-.00", ".00")


def _plain(names: Sequence[str]) -> list[str]:
    return [_escape(str(name)) for name in names]


def _escape(text: str) -> str:
    """Escape dollar signs, which matplotlib reads as mathematics, and control characters."""
    return printable(text).replace("$", r"\$")

"""What figures show, in one description: matplotlib draws it into files, plotly into pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqbench.document.text import printable

__all__ = ["Dumbbells", "Figure", "Heatmap", "Panel", "Scatter", "for_plotly"]

_Array = NDArray[np.float64]

POINTS, CURVE, LINK = "#0072B2", "#D55E00", "#666666"
"""Okabe and Ito's colours, told apart with every common colour blindness."""

COLUMNS = 3
"""Of panels, side by side."""


@dataclass(frozen=True)
class Heatmap:
    """Numbers from -1 to 1 by rows and columns.

    Attributes
    ----------
    name, title
        Of its file, and above it.
    rows, columns
        Names.
    values
        Shape (rows, columns); NaN where there is no number, and above the diagonal nothing is.
    """

    name: str
    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: _Array


@dataclass(frozen=True)
class Panel:
    """Points, and a curve through them.

    Attributes
    ----------
    label
        Of the horizontal axis.
    x, y
        The points.
    curve
        Its points in order, x and y; None for no curve.
    caption
        Above the panel.
    """

    label: str
    x: _Array
    y: _Array
    curve: tuple[_Array, _Array] | None = None
    caption: str = ""


@dataclass(frozen=True)
class Scatter:
    """Panels of points that have one vertical axis."""

    name: str
    title: str
    panels: Sequence[Panel]
    label: str


@dataclass(frozen=True)
class Dumbbells:
    """Two marks a row, and a line between them.

    Attributes
    ----------
    name, title
        Of its file, and above it.
    rows
        Names, from below.
    ends
        By label, where the marks are, from 0 to 1.
    label
        Of the horizontal axis.
    """

    name: str
    title: str
    rows: Sequence[str]
    ends: dict[str, _Array]
    label: str


Figure = Heatmap | Scatter | Dumbbells


def for_plotly(figure: Figure) -> dict[str, Any]:
    """Describe a figure as plotly.js reads it: ``traces`` and ``layout``."""
    if isinstance(figure, Heatmap):
        return _heatmap(figure)
    return _scatter(figure) if isinstance(figure, Scatter) else _dumbbells(figure)


def _heatmap(figure: Heatmap) -> dict[str, Any]:
    below = np.tril(np.ones(figure.values.shape, dtype=bool))
    values = np.where(below, figure.values, np.nan)
    trace = {
        "type": "heatmap",
        "x": _plain(figure.columns),
        "y": _plain(figure.rows),
        "z": [[_known(value) for value in row] for row in values],
        "zmin": -1,
        "zmax": 1,
        "colorscale": [[0, "#7f3b08"], [0.5, "#f7f7f7"], [1, "#2d004b"]],
        "texttemplate": "%{z:.2f}",
        "hovertemplate": "%{y}, %{x}: %{z:.3f}<extra></extra>",
    }
    axes = {"xaxis": {"automargin": True}, "yaxis": {"automargin": True, "autorange": "reversed"}}
    return {"traces": [trace], "layout": axes}


def _scatter(figure: Scatter) -> dict[str, Any]:
    rows = -(-len(figure.panels) // COLUMNS)
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = {
        "grid": {
            "rows": rows,
            "columns": min(len(figure.panels), COLUMNS),
            "pattern": "independent",
        }
    }
    for number, panel in enumerate(figure.panels, start=1):
        axes = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
        traces.append(
            {
                **{"type": "scatter", "mode": "markers", **axes},
                **{"x": [_known(value) for value in panel.x], "y": [_known(y) for y in panel.y]},
                "marker": {"color": POINTS, "size": 4, "opacity": 0.4},
            }
        )
        if panel.curve is not None:
            x, y = panel.curve
            line = {"color": CURVE, "width": 2}
            traces.append(
                {
                    **{"type": "scatter", "mode": "lines", "line": line, "hoverinfo": "skip"},
                    **{"x": [_known(one) for one in x], "y": [_known(one) for one in y], **axes},
                }
            )
        label = _plain([f"{panel.label}  ({panel.caption})" if panel.caption else panel.label])[0]
        layout[f"xaxis{number}"] = {"title": {"text": label}, "automargin": True}
        layout[f"yaxis{number}"] = {"title": {"text": _plain([figure.label])[0]}}
    return {"traces": traces, "layout": layout}


def _dumbbells(figure: Dumbbells) -> dict[str, Any]:
    names = _plain(figure.rows)
    first, second = figure.ends.values()
    links: dict[str, Any] = {"x": [], "y": []}
    for name, one, other in zip(names, first, second, strict=True):
        links["x"] += [_known(one), _known(other), None]
        links["y"] += [name, name, None]
    traces: list[dict[str, Any]] = [
        {
            **{"type": "scatter", "mode": "lines", **links},
            **{"line": {"color": LINK, "width": 1}, "hoverinfo": "skip", "showlegend": False},
        }
    ]
    for (label, at), color, symbol in zip(
        figure.ends.items(), (CURVE, POINTS), ("square", "circle"), strict=True
    ):
        traces.append(
            {
                **{"type": "scatter", "mode": "markers", "name": _plain([label])[0]},
                **{"x": [_known(value) for value in at], "y": names},
                "marker": {"color": color, "symbol": symbol, "size": 8},
            }
        )
    axis = {"title": {"text": _plain([figure.label])[0]}, "range": [-0.03, 1.03]}
    layout = {"xaxis": axis, "yaxis": {"automargin": True}, "showlegend": True}
    return {"traces": traces, "layout": {**layout, "legend": {"orientation": "h", "y": 1.1}}}


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _plain(names: Sequence[str]) -> list[str]:
    """Keep what plotly would read as markup text."""
    escapes = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))
    found = [printable(str(name)) for name in names]
    for plain, escaped in escapes:
        found = [name.replace(plain, escaped) for name in found]
    return found

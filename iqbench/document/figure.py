"""What figures show, in one description: matplotlib draws it into files, plotly into pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqbench.document.text import printable

__all__ = ["Dumbbells", "Figure", "Heatmap", "Panel", "Ranks", "Scatter", "for_plotly"]

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


@dataclass(frozen=True)
class Label:
    """A text beside a point; ``side`` is where it ends: ``left`` or ``right`` of the point."""

    x: float
    y: float
    text: str
    side: str


@dataclass(frozen=True)
class Ranks:
    """Average ranks on a line, the best at the left; bars join what does not differ.

    Attributes
    ----------
    name, title
        Of its file, and above it.
    methods
        Names, the best first.
    ranks
        Their average ranks.
    joined
        First and last of the methods that a bar joins.
    """

    name: str
    title: str
    methods: Sequence[str]
    ranks: _Array
    joined: Sequence[tuple[int, int]]

    @property
    def ends(self) -> tuple[int, int]:
        """The whole ranks between which the line goes."""
        return int(np.floor(self.ranks.min())), max(int(np.ceil(self.ranks.max())), 2)

    @property
    def bars(self) -> list[tuple[float, float, float]]:
        """Left, right and height of each bar, in ranks and in lines of text below the line."""
        return [
            (float(self.ranks[first]), float(self.ranks[last]), -0.5 * (place + 1))
            for place, (first, last) in enumerate(self.joined)
        ]

    @property
    def labels(self) -> list[Label]:
        """Where names stand: the better half at the left, the best at the top; then the others."""
        (low, high), count = self.ends, len(self.methods)
        half, below = (count + 1) // 2, 0.5 * len(self.joined)
        found = []
        for place, (name, rank) in enumerate(zip(self.methods, self.ranks, strict=True)):
            left = place < half
            height = -(below + 1 + (place if left else count - 1 - place))
            text = f"{name}  {rank:.2f}" if left else f"{rank:.2f}  {name}"
            found.append(Label(low if left else high, height, text, "left" if left else "right"))
        return found

    @property
    def height(self) -> float:
        """How many lines of text there are below the line."""
        return 0.5 * len(self.joined) + (len(self.methods) + 1) // 2 + 0.5


Figure = Heatmap | Scatter | Dumbbells | Ranks


def for_plotly(figure: Figure) -> dict[str, Any]:
    """Describe a figure as plotly.js reads it: ``traces`` and ``layout``."""
    if isinstance(figure, Heatmap):
        return _heatmap(figure)
    if isinstance(figure, Ranks):
        return _ranks(figure)
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


def _ranks(figure: Ranks) -> dict[str, Any]:
    lines: dict[str, list[float | None]] = {"x": [], "y": []}
    for rank, label in zip(figure.ranks, figure.labels, strict=True):
        lines["x"] += [float(rank), float(rank), label.x, None]
        lines["y"] += [0.0, label.y, label.y, None]
    bars: dict[str, list[float | None]] = {"x": [], "y": []}
    for first, last, height in figure.bars:
        bars["x"] += [first, last, None]
        bars["y"] += [height, height, None]
    shared = {"type": "scatter", "mode": "lines", "hoverinfo": "skip"}
    low, high = figure.ends
    traces = [
        {**shared, **lines, "line": {"color": LINK, "width": 1}},
        {**shared, **bars, "line": {"color": CURVE, "width": 5}},
    ]
    names = [
        {
            **{"x": label.x, "y": label.y, "text": text, "showarrow": False},
            "xanchor": "right" if label.side == "left" else "left",
        }
        for label, text in zip(
            figure.labels, _plain([one.text for one in figure.labels]), strict=True
        )
    ]
    room = 0.35 * (high - low)  # for names
    layout = {
        "xaxis": {
            **{"range": [low - room, high + room], "tickvals": list(range(low, high + 1))},
            **{"side": "top", "zeroline": False, "showgrid": False},
        },
        "yaxis": {"range": [-figure.height, 0], "visible": False},
        "annotations": names,
        "title": {"text": "<br>".join(_plain(figure.title.split("\n"))), "font": {"size": 13}},
        "margin": {"l": 16, "r": 16, "t": 80, "b": 16},
    }
    return {"traces": traces, "layout": layout}


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _plain(names: Sequence[str]) -> list[str]:
    """Keep what plotly would read as markup text."""
    escapes = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))
    found = [printable(str(name)) for name in names]
    for plain, escaped in escapes:
        found = [name.replace(plain, escaped) for name in found]
    return found

"""Figures as plotly.js reads them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from iqbench.document.figure import (
    COLUMNS,
    CURVE,
    LINK,
    POINTS,
    Boxes,
    Dumbbells,
    Figure,
    Front,
    Heatmap,
    Pictures,
    Ranks,
    Scatter,
    Spot,
    group_mark,
)
from iqbench.document.text import printable

__all__ = ["for_plotly"]


def for_plotly(figure: Figure) -> dict[str, Any]:
    """Describe a figure as plotly.js reads it: ``traces`` and ``layout``."""
    if isinstance(figure, Heatmap):
        return _heatmap(figure)
    if isinstance(figure, Ranks):
        return _ranks(figure)
    if isinstance(figure, Front):
        return _front(figure)
    if isinstance(figure, Boxes):
        return _boxes(figure)
    if isinstance(figure, Pictures):
        return _pictures(figure)
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


def _grid(count: int) -> dict[str, Any]:
    return {
        "grid": {
            "rows": -(-count // COLUMNS),
            "columns": min(count, COLUMNS),
            "pattern": "independent",
        }
    }


def _scatter(figure: Scatter) -> dict[str, Any]:
    traces: list[dict[str, Any]] = []
    layout = _grid(len(figure.panels))
    told: set[str] = set()
    for number, panel in enumerate(figure.panels, start=1):
        axes = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
        for name, place, x, y in figure.of_group(panel):
            color, symbol = group_mark(place)
            marker = {"color": color, "symbol": symbol, "size": 5, "opacity": 0.6}
            if not panel.groups:
                marker = {"color": POINTS, "size": 4, "opacity": 0.4}
            traces.append(
                {
                    **{"type": "scatter", "mode": "markers", "marker": marker, **axes},
                    **{"x": [_known(value) for value in x], "y": [_known(value) for value in y]},
                    **{"name": _plain([name])[0], "legendgroup": str(place)},
                    "showlegend": bool(name) and name not in told,
                }
            )
            told.add(name)
        if panel.curve is not None:
            x, y = panel.curve
            line = {"color": "#000000" if panel.groups else CURVE, "width": 2}
            traces.append(
                {
                    **{"type": "scatter", "mode": "lines", "line": line, "hoverinfo": "skip"},
                    **{"x": [_known(one) for one in x], "y": [_known(one) for one in y], **axes},
                    "showlegend": False,
                }
            )
        label = _plain([f"{panel.label}  ({panel.caption})" if panel.caption else panel.label])[0]
        upward = _plain([panel.upward or figure.label])[0]
        layout[f"xaxis{number}"] = {"title": {"text": label}, "automargin": True}
        layout[f"yaxis{number}"] = {"title": {"text": upward}}
    layout["showlegend"] = bool(figure.groups)
    return {"traces": traces, "layout": layout}


def _front(figure: Front) -> dict[str, Any]:
    traces: list[dict[str, Any]] = []
    layout = _grid(len(figure.panels))
    for number, panel in enumerate(figure.panels, start=1):
        axes = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
        for front in (False, True):
            spots = sorted(
                (one for one in panel.spots if one.front is front), key=lambda one: one.at[0][0]
            )
            symbols = ["circle" if one.complete else "circle-open" for one in spots]
            marker = {"color": CURVE if front else LINK, "size": 9, "symbol": symbols}
            traces.append(
                {
                    **{
                        "type": "scatter",
                        "mode": "lines+markers+text" if front else "markers+text",
                    },
                    **{"x": [one.at[0][0] for one in spots], "y": [one.at[1][0] for one in spots]},
                    **{"error_x": _bars(spots, 0), "error_y": _bars(spots, 1), **axes},
                    **{"text": _plain([one.name for one in spots]), "textposition": "top center"},
                    **{"marker": marker, "line": {"color": CURVE, "dash": "dot", "width": 1.5}},
                    **{"name": "on the front" if front else "others", "showlegend": number == 1},
                    "legendgroup": str(front),
                }
            )
        for place, axis in enumerate(("xaxis", "yaxis")):
            layout[f"{axis}{number}"] = {
                "title": {"text": _plain([panel.labels[place]])[0]},
                "automargin": True,
                **({"autorange": "reversed"} if panel.lower[place] else {}),
            }
    return {"traces": traces, "layout": layout}


def _bars(spots: Sequence[Spot], place: int) -> dict[str, Any]:
    ends = [one.at[place] for one in spots]
    return {
        **{"type": "data", "symmetric": False, "thickness": 1, "width": 0, "color": LINK},
        "array": [0.0 if np.isnan(high) else high - mean for mean, _, high in ends],
        "arrayminus": [0.0 if np.isnan(low) else mean - low for mean, low, _ in ends],
    }


def _boxes(figure: Boxes) -> dict[str, Any]:
    traces: list[dict[str, Any]] = []
    layout = _grid(len(figure.panels))
    for number, panel in enumerate(figure.panels, start=1):
        for name, values in zip(_plain(panel.rows), panel.values, strict=True):
            traces.append(
                {
                    **{"type": "box", "orientation": "h", "name": name, "showlegend": False},
                    **{"x": [float(value) for value in values], "boxpoints": "outliers"},
                    **{"xaxis": f"x{number}", "yaxis": f"y{number}", "line": {"color": POINTS}},
                }
            )
        layout[f"xaxis{number}"] = {"title": {"text": _plain([panel.label])[0]}}
        layout[f"yaxis{number}"] = {"automargin": True, "autorange": "reversed"}
    return {"traces": traces, "layout": layout}


def _pictures(figure: Pictures) -> dict[str, Any]:
    traces: list[dict[str, Any]] = []
    layout = _grid(len(figure.panels))
    for number, panel in enumerate(figure.panels, start=1):
        stream = BytesIO()
        Image.fromarray(panel.pixels).save(stream, "PNG")
        source = f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
        axes = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
        traces.append({"type": "image", "source": source, "hoverinfo": "skip", **axes})
        bar = f" ({panel.low:.3g} to {panel.high:.3g})" if panel.palette is not None else ""
        text = _plain([f"{panel.title}{bar}"])[0]
        layout[f"xaxis{number}"] = {"title": {"text": text}, "showticklabels": False}
        layout[f"yaxis{number}"] = {"showticklabels": False, "scaleanchor": f"x{number}"}
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

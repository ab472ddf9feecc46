"""Figures for plotly.js.

Colours are names of the page's style, so that they also suit a dark page.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from iqbench.document.figure import (
    COLORS,
    COLUMNS,
    CURVE,
    LINK,
    POINTS,
    Axis,
    Boxes,
    Dumbbells,
    Figure,
    Front,
    Heatmap,
    Pictures,
    Ranks,
    Scatter,
    Spot,
    Triple,
    group_mark,
)
from iqbench.document.text import number, printable

__all__ = ["for_plotly"]

_DIVERGING = (
    *("#7f3b08", "#b35806", "#e08214", "#fdb863", "#fee0b6", "#f7f7f7"),
    *("#d8daeb", "#b2abd2", "#8073ac", "#542788", "#2d004b"),
)
"""ColorBrewer's PuOr."""


def for_plotly(figure: Figure) -> dict[str, Any]:
    """Describe a figure for plotly.js.

    Returns
    -------
    dict
        ``traces``, ``layout``, and, unless it is that of the style, ``height`` in pixels, to which
        ``row`` pixels are added for each row that a filter shows. Names have full length: the
        page's script shortens those that do not fit.
    """
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
    sources = {
        axis: [printable(figure.sources.get(name, name)) for name in names]
        for axis, names in (("x", figure.columns), ("y", figure.rows))
    }
    trace = {
        "type": "heatmap",
        "x": _plain(figure.columns),
        "y": _plain(figure.rows),
        "z": [[_known(value) for value in row] for row in values],
        "meta": sources,
        "zmin": -1,
        "zmax": 1,
        "colorscale": [[place / 10, color] for place, color in enumerate(_DIVERGING)],
        "texttemplate": "%{z:.2f}",
        "hovertemplate": "%{y}, %{x}: %{z:.3f}<extra></extra>",
        "hoverongaps": False,
    }
    axes = {"xaxis": {"showgrid": False}, "yaxis": {"autorange": "reversed", "showgrid": False}}
    return {"traces": [trace], "layout": axes, "height": 200, "row": 26}


def _grid(count: int) -> dict[str, Any]:
    return {
        "grid": {
            "rows": -(-count // COLUMNS),
            "columns": min(count, COLUMNS),
            "pattern": "independent",
        }
    }


def _template(common: dict[str, Any], *kinds: str) -> dict[str, Any]:
    """Return a plotly template with the common properties of traces of these kinds."""
    return {"template": {"data": {kind: [common] for kind in kinds}}}


def _axis(axis: Axis, caption: str = "", **more: Any) -> dict[str, Any]:
    """Describe an axis; the caption of the panel is added to its label."""
    label = f"{axis.label}  ({caption})" if caption else axis.label
    described: dict[str, Any] = {"title": {"text": _plain([label])[0]}, **more}
    if axis.decimals is not None:
        described["hoverformat"] = f".{axis.decimals}f"
    return described


def _quantities(*axes: Axis) -> list[str]:
    """Return the names of the values of a point."""
    return _plain([axis.column or axis.label for axis in axes])


def _scatter(figure: Scatter) -> dict[str, Any]:
    traces: list[dict[str, Any]] = []
    grouped = bool(figure.groups)
    group = "%{meta[0]}<br>" if grouped else ""
    common = {
        "marker": {"size": 7, "opacity": 0.7} if grouped else {"size": 4, "opacity": 0.4},
        "hovertemplate": f"{group}%{{meta[1]}} %{{x}}<br>%{{meta[2]}} %{{y}}<extra></extra>",
    }
    layout = {**_grid(len(figure.panels)), **_template(common, "scatter", "scattergl")}
    for place, panel in enumerate(figure.panels, start=1):
        axes = {"xaxis": f"x{place}", "yaxis": f"y{place}"}
        for name, group_place, x, y in figure.of_group(panel):
            color, symbol = group_mark(group_place) if grouped else (POINTS, "circle")
            (plain,) = _plain([name])
            traces.append(
                {
                    **{"type": "scatter", "mode": "markers", **axes},
                    **{"x": [_known(value) for value in x], "y": [_known(value) for value in y]},
                    **{"name": plain, "meta": [plain, *_quantities(panel.across, panel.up)]},
                    "marker": {"color": _themed(color), "symbol": symbol},
                    **{"legendgroup": str(group_place), "showlegend": grouped and place == 1},
                }
            )
        if panel.curve is not None:
            x, y = panel.curve
            line = {"color": _themed(COLORS[-1] if grouped else CURVE), "width": 2}
            traces.append(
                {
                    **{"type": "scatter", "mode": "lines", "line": line, "hoverinfo": "skip"},
                    **{"x": [_known(one) for one in x], "y": [_known(one) for one in y], **axes},
                    "showlegend": False,
                }
            )
        layout[f"xaxis{place}"] = _axis(panel.across, panel.caption)
        layout[f"yaxis{place}"] = _axis(panel.up)
    return {"traces": traces, "layout": {**layout, "showlegend": grouped}}


def _front(figure: Front) -> dict[str, Any]:
    traces: list[dict[str, Any]] = []
    layout = _grid(len(figure.panels))
    for panel_number, panel in enumerate(figure.panels, start=1):
        axes = {"xaxis": f"x{panel_number}", "yaxis": f"y{panel_number}"}
        front = sorted((one for one in panel.spots if one.front), key=lambda one: one.at[0][0])
        # Later points are drawn over earlier ones.
        for name, spots, color, symbol in (
            ("incomplete", [one for one in panel.spots if not one.complete], LINK, "circle-open"),
            (
                "beaten",
                [one for one in panel.spots if one.complete and not one.front],
                LINK,
                "circle",
            ),
            ("on the front", front, CURVE, "diamond"),
        ):
            marker = {
                "color": _themed(color),
                "symbol": symbol,
                "size": 11 if spots is front else 9,
            }
            lines = "lines+" if spots is front else ""
            traces.append(
                {
                    **{"type": "scatter", "mode": f"{lines}markers+text", **axes},
                    **{"x": [one.at[0][0] for one in spots], "y": [one.at[1][0] for one in spots]},
                    **{"error_x": _bars(spots, 0), "error_y": _bars(spots, 1)},
                    **{"text": _plain([one.name for one in spots]), "textposition": "top center"},
                    **{"marker": marker, "line": {"color": _themed(CURVE), "dash": "dot"}},
                    "hovertext": [_spot(one, panel.axes) for one in spots],
                    "hovertemplate": "%{hovertext}<extra></extra>",
                    **{"name": name, "showlegend": panel_number == 1, "legendgroup": name},
                }
            )
        for place, axis in enumerate(panel.axes):
            layout[f"{'xy'[place]}axis{panel_number}"] = _axis(
                axis,
                panel.title if place == 0 and len(figure.panels) > 1 else "",
                range=_range([one.at[place] for one in panel.spots], lower=axis.lower),
            )
    legend = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}
    return {"traces": traces, "layout": {**layout, "showlegend": True, "legend": legend}}


def _range(at: Sequence[Triple], *, lower: bool) -> list[float]:
    """Return the range of an axis: the intervals, and space for names."""
    ends = [value for triple in at for value in triple if np.isfinite(value)]
    low, high = min(ends), max(ends)
    more = 0.12 * (high - low) or 0.1 * abs(high) or 1.0
    return [high + more, low - more] if lower else [low - more, high + more]


def _spot(spot: Spot, axes: tuple[Axis, Axis]) -> str:
    """Describe the means of a method, with their intervals."""
    lines = []
    for name, axis, (mean, *ends) in zip(_quantities(*axes), axes, spot.at, strict=True):
        low, high = (number(end, axis.decimals) for end in ends)
        interval = f" ({low} to {high})" if np.isfinite(ends).all() else ""
        lines.append(f"{name} {number(mean, axis.decimals)}{interval}")
    return "<br>".join([*_plain([spot.name]), *lines])


def _bars(spots: Sequence[Spot], place: int) -> dict[str, Any]:
    ends = [one.at[place] for one in spots]
    return {
        **{"type": "data", "symmetric": False, "thickness": 1, "width": 0},
        "color": _themed(LINK),
        "array": [0.0 if np.isnan(high) else high - mean for mean, _, high in ends],
        "arrayminus": [0.0 if np.isnan(low) else mean - low for mean, low, _ in ends],
    }


def _boxes(figure: Boxes) -> dict[str, Any]:
    traces: list[dict[str, Any]] = []
    color = _themed(POINTS)
    common = {
        **{"orientation": "h", "showlegend": False, "hoveron": "points", "jitter": 0.5},
        **{"pointpos": 0, "boxpoints": "all" if figure.every else "outliers"},
        **{"line": {"color": color, "width": 1.2}, "fillcolor": "var(--wash)"},
        "marker": {"color": color, "size": 4, "opacity": 0.7},
        "hovertemplate": "%{meta[0]}<br>%{meta[1]} %{x}<extra></extra>",
    }
    layout = {**_grid(len(figure.panels)), **_template(common, "box")}
    for place, panel in enumerate(figure.panels, start=1):
        names = _plain(panel.rows)[::-1]  # plotly starts at the bottom
        for row, (name, values) in enumerate(zip(names, panel.values[::-1], strict=True)):
            traces.append(
                {
                    **{"type": "box", "xaxis": f"x{place}", "yaxis": f"y{place}", "y0": row},
                    **{"x": [float(value) for value in values]},
                    "meta": [name, *_quantities(panel.axis)],
                }
            )
        # A plot that is higher than a screen has its numbers at the top.
        side = {"side": "top"} if len(names) > 20 else {}
        caption = panel.title if len(figure.panels) > 1 else ""
        layout[f"xaxis{place}"] = _axis(panel.axis, caption, **side)
        layout[f"yaxis{place}"] = {
            **{"tickvals": list(range(len(names))), "ticktext": names, "ticks": ""},
            **{"range": [-0.6, len(names) - 0.4], "showgrid": False},
        }
    rows = -(-len(figure.panels) // COLUMNS)
    tallest = max(len(panel.rows) for panel in figure.panels)
    return {"traces": traces, "layout": layout, "height": rows * max(260, 90 + 26 * tallest)}


def _pictures(figure: Pictures) -> dict[str, Any]:
    traces: list[dict[str, Any]] = []
    layout = _grid(len(figure.panels))
    for place, panel in enumerate(figure.panels, start=1):
        stream = BytesIO()
        Image.fromarray(panel.pixels).save(stream, "PNG")
        source = f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
        axes = {"xaxis": f"x{place}", "yaxis": f"y{place}"}
        traces.append({"type": "image", "source": source, "hoverinfo": "skip", **axes})
        bar = f" ({panel.low:.3g} to {panel.high:.3g})" if panel.palette is not None else ""
        text = _plain([f"{panel.title}{bar}"])[0]
        layout[f"xaxis{place}"] = {"title": {"text": text}, "showticklabels": False}
        layout[f"yaxis{place}"] = {"showticklabels": False, "scaleanchor": f"x{place}"}
    return {"traces": traces, "layout": layout}


def _dumbbells(figure: Dumbbells) -> dict[str, Any]:
    at = list(range(len(figure.rows)))
    first, second = figure.ends.values()
    links: dict[str, Any] = {"x": [], "y": []}
    for place, one, other in zip(at, first, second, strict=True):
        links["x"] += [_known(one), _known(other), None]
        links["y"] += [place, place, None]
    traces: list[dict[str, Any]] = [
        {
            **{"type": "scatter", "mode": "lines", **links},
            **{
                "line": {"color": _themed(LINK), "width": 1},
                "hoverinfo": "skip",
                "showlegend": False,
            },
        }
    ]
    for (label, values), color, symbol in zip(
        figure.ends.items(), (CURVE, POINTS), ("square", "circle"), strict=True
    ):
        traces.append(
            {
                **{"type": "scatter", "mode": "markers", "name": _plain([label])[0]},
                **{"x": [_known(value) for value in values], "y": at},
                "marker": {"color": _themed(color), "symbol": symbol, "size": 8},
            }
        )
    axis = {"title": {"text": _plain([figure.label])[0]}, "range": [-0.03, 1.03]}
    rows = {"tickvals": at, "ticktext": _plain(figure.rows), "showgrid": False}
    layout = {
        **{"xaxis": axis, "yaxis": rows, "showlegend": True},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    }
    return {"traces": traces, "layout": layout, "height": max(260, 110 + 22 * len(at))}


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
        {**shared, **lines, "line": {"color": _themed(LINK), "width": 1}},
        {**shared, **bars, "line": {"color": _themed(CURVE), "width": 5}},
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


def _themed(color: str) -> str:
    """Return the name of a colour in the page's style."""
    return "var(--muted)" if color == LINK else f"var(--mark-{COLORS.index(color)})"


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _plain(names: Sequence[str]) -> list[str]:
    """Escape text that plotly would treat as markup."""
    escapes = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))
    found = [printable(str(name)) for name in names]
    for plain, escaped in escapes:
        found = [name.replace(plain, escaped) for name in found]
    return found
